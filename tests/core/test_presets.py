"""The presets against the formulas of their docstrings in plain NumPy, and their errors."""

from __future__ import annotations

import numpy as np
import pytest

import jaxsched as js

STEPS = np.arange(130)


def half_cosine(p):
    return (1 + np.cos(np.pi * np.clip(p, 0, 1))) / 2


def step_decay(t):
    return 0.3 * 0.5 ** (t // 7)


def multi_step(t):
    return 0.3 * 0.5 ** ((t >= 10).astype(int) + 2 * (t >= 40))


def warmup_cosine(t):
    return np.where(t < 20, 0.1 + 0.2 * t / 20, 0.01 + 0.29 * half_cosine((t - 20) / 80))


def stable_decay(tail):
    def rate(t):
        down = 0.01 + 0.29 * tail(np.clip((t - 70) / 30, 0, 1))
        return np.where(t < 20, 0.3 * t / 20, np.where(t < 70, 0.3, down))

    return rate


def one_cycle(t):
    up = 0.012 + 0.288 * (1 - half_cosine(t / 30))
    return np.where(t < 30, up, 0.001 + 0.299 * half_cosine((t - 30) / 70))


def three_phases(t):
    return np.interp(t, [0, 30, 60, 100], [0.012, 0.3, 0.012, 0.001])


def one_cycle_momentum(t):
    down = 0.85 + 0.1 * half_cosine(t / 30)
    return np.where(t < 30, down, 0.95 - 0.1 * half_cosine((t - 30) / 70))


def cyclic(t, factor=1.0, gamma=1.0):
    k, u = t // 30, t % 30
    height = np.where(u < 10, u / 10, (30 - u) / 20)
    return 0.1 + 0.2 * height * factor**k * gamma**t


def warm_restarts(t):
    starts, lengths = np.array([0, 10, 30, 70]), np.array([10, 20, 40, 80])
    k = np.searchsorted(starts, t, side="right") - 1
    w = half_cosine((t - starts[k]) / lengths[k])
    return 0.3 * 0.8**k * w + 0.01 * (1 - w)


def inverse_sqrt(t):
    return np.where(t < 16, 0.3 * t / 16, 0.3 * np.sqrt(16 / np.maximum(t, 1)))


def noam(t):
    k = t + 1.0
    return 512**-0.5 * np.minimum(k**-0.5, k * 40**-1.5)


FORMULAS = {
    "step_decay": (js.step_decay(0.3, 0.5, 7), step_decay),
    "multi_step": (js.multi_step(0.3, 0.5, [10, 40, 40]), multi_step),
    "warmup_cosine": (js.warmup_cosine(0.3, 100, 20, 0.1, 0.01), warmup_cosine),
    "linear tail": (
        js.warmup_stable_decay(0.3, 100, 20, 30, end_value=0.01),
        stable_decay(lambda p: 1 - p),
    ),
    "cosine tail": (
        js.warmup_stable_decay(0.3, 100, 20, 30, end_value=0.01, shape=js.Cosine),
        stable_decay(half_cosine),
    ),
    "one-minus-sqrt tail": (
        js.warmup_stable_decay(0.3, 100, 20, 30, end_value=0.01, shape=js.OneMinusSqrt),
        stable_decay(lambda p: 1 - np.sqrt(p)),
    ),
    "one_cycle": (js.one_cycle(0.012, 0.3, 0.001, 100), one_cycle),
    "one_cycle in three phases": (
        js.one_cycle(0.012, 0.3, 0.001, 100, shape=js.Linear, three_phases=True),
        three_phases,
    ),
    "one_cycle_momentum": (js.one_cycle_momentum(0.95, 0.85, 100), one_cycle_momentum),
    "triangular": (js.cyclic(0.1, 0.3, 10, 20), cyclic),
    "triangular2": (js.cyclic(0.1, 0.3, 10, 20, value_factor=0.5), lambda t: cyclic(t, factor=0.5)),
    "exp_range": (js.cyclic(0.1, 0.3, 10, 20, decay_rate=0.99), lambda t: cyclic(t, gamma=0.99)),
    "cyclic_momentum": (
        js.cyclic_momentum(0.9, 0.8, 10, 20, value_factor=0.5),
        lambda t: 0.9 - (cyclic(t, factor=0.5) - 0.1) / 2,
    ),
    "warm_restarts": (js.warm_restarts(0.3, 0.01, 10, 2, 0.8), warm_restarts),
    "inverse_sqrt": (js.inverse_sqrt(0.3, 16), inverse_sqrt),
    "noam": (js.noam(512, 40), noam),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name):
    schedule, formula = FORMULAS[name]
    np.testing.assert_allclose(np.asarray(schedule(STEPS), float), formula(STEPS), rtol=3e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: js.warmup_cosine(0.3, 100, 200),
            "`warmup_steps` must be at least 0 and at most 100, got 200.",
        ),
        (lambda: js.warmup_cosine(0.3, "100", 5), r"`total_steps` must be a number, got '100' \(str\)."),
        (lambda: js.warmup_cosine(0.3, -1, 0), "`total_steps` must be at least 0, got -1."),
        (
            lambda: js.warmup_stable_decay(0.3, 100, 80, 30),
            "`warmup_steps` must be at least 0 and at most 70, got 80.",
        ),
        (
            lambda: js.warmup_stable_decay(0.3, 100, 10, 101),
            "`cooldown_steps` must be at least 0 and at most 100, got 101.",
        ),
        (
            lambda: js.one_cycle(0.1, 1.0, 0.0, 100, 0.6, three_phases=True),
            "`peak_fraction` must be at least 0 and at most 0.5, got 0.6.",
        ),
        (lambda: js.cyclic(0.1, 0.3, -1), "`rise_steps` must be at least 0, got -1."),
        (lambda: js.cyclic(0.1, True, 5), "`peak_value` must be a number, got True"),
        (lambda: js.cyclic(0.1, 0.3, 0), "`rise_steps` or `fall_steps` must be above 0, got 0 for both."),
        (
            lambda: js.one_cycle(0.1, 1.0, 0.0, 100, three_phases="no"),
            r"`three_phases` must be True or False, got 'no' \(str\).",
        ),
        (lambda: js.noam(0, 100), "`model_size` must be above 0, got 0."),
        (lambda: js.multi_step(0.3, 0.5, [20, 10]), "`boundaries` must be sorted"),
        (lambda: js.multi_step(0.3, "half", [10]), "`decay_rate` must be a number, got 'half'"),
        (lambda: js.multi_step(0.3, 0.5, 10), "`boundaries` must be a list of numbers, got 10"),
        (lambda: js.inverse_sqrt(0.3, 0), "`warmup_steps` must be above 0, got 0."),
    ],
)
def test_bad_input(build, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build()
