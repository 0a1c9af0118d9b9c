"""Every shape, combinator and preset, and compositions of them, at any horizon.

A case builds a schedule whose last event is near step `t`. Its exact rate is `reference.rate`. The laws run
at a short horizon, the accuracy tests at all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jaxsched as js

SHORT = 12
"""The horizon of tests that do not depend on it."""


def _lambda(step: Any) -> Any:
    return 0.3 / (1 + step)


SHAPES: dict[str, Callable[[int], js.Schedule]] = {
    "constant": lambda t: js.Constant(0.3),
    "linear": lambda t: js.Linear(0.3, 0.0, t),
    "polynomial": lambda t: js.Polynomial(0.3, 0.0, t, power=2.0),
    "polynomial warped": lambda t: js.Polynomial(0.0, 0.3, t, power=2.5, warp=1.7),
    "one minus sqrt": lambda t: js.OneMinusSqrt(0.3, 0.0, t),
    "cosine": lambda t: js.Cosine(0.3, 0.0, t),
    "cosine warped": lambda t: js.Cosine(0.01, 0.3, t, power=1.5, warp=2.0),
    "geometric": lambda t: js.Geometric(0.3, 3e-6, t),
    "geometric negative": lambda t: js.Geometric(-1e-20, -1e20, t),
    "rex": lambda t: js.Rex(0.3, 0.0, t),
    "tanh": lambda t: js.Tanh(0.3, 0.0, t),
    "relaxation": lambda t: js.Relaxation(0.3, 0.0, t),
    "exponential": lambda t: js.Exponential(0.1, 0.5, max(t / 8, 1)),
    "exponential growing": lambda t: js.Exponential(0.1, 1.5, max(t / 4, 1)),
    "inverse power": lambda t: js.InversePower(0.3, max(t / 10, 1), 0.5),
    "logistic": lambda t: js.Logistic(0.3, 0.0, t / 2, max(t / 20, 1)),
    "piecewise": lambda t: js.Piecewise([0.3, 0.1, 0.03], [t // 2, t]),
    "table": lambda t: js.Table([0.1, 0.2, 0.3, 0.25]),
    "lambda": lambda t: js.Lambda(_lambda),
}

VARIANTS: dict[str, Callable[[int], js.Schedule]] = {
    "linear rising": lambda t: js.Linear(0.1, 0.3, t),
    "polynomial rising": lambda t: js.Polynomial(0.0, 0.3, t),
    "polynomial rising squared": lambda t: js.Polynomial(0.0, 0.3, t, power=2.0),
    "polynomial rising cubed": lambda t: js.Polynomial(0.0, 0.3, t, power=3.0),
    "polynomial of squares": lambda t: js.Polynomial(0.3, 0.0, t, warp=2.0),
    "polynomial of cubes": lambda t: js.Polynomial(0.3, 0.0, t, warp=3.0),
    "polynomial root": lambda t: js.Polynomial(0.3, 0.01, t, power=0.5),
    "polynomial slow": lambda t: js.Polynomial(0.3, 0.0, t, power=3.0, warp=0.5),
    "one minus sqrt rising": lambda t: js.OneMinusSqrt(0.0, 0.3, t),
    "cosine rising": lambda t: js.Cosine(0.0, 0.3, t),
    "cosine slow": lambda t: js.Cosine(0.0, 0.3, t, power=0.5, warp=0.5),
    "cosine cubed": lambda t: js.Cosine(0.3, 0.0, t, power=3.0),
    "rex rising": lambda t: js.Rex(0.0, 0.3, t, beta=0.1),
    "tanh rising": lambda t: js.Tanh(0.0, 0.3, t, lower=-2.0, upper=20.0),
    "relaxation rising": lambda t: js.Relaxation(0.0, 0.3, t, rate=0.5),
    "relaxation steep": lambda t: js.Relaxation(0.3, 0.0, t, rate=1e-10),
    "exponential per step": lambda t: js.Exponential(0.1, 0.9999),
    "exponential slow": lambda t: js.Exponential(0.1, 1 - 1e-9),
    "inverse power steep": lambda t: js.InversePower(0.3, 3.0, 2.0),
    "logistic rising": lambda t: js.Logistic(0.1, 0.3, t / 2, max(t / 10, 1)),
}
"""More arguments of the same shapes, for accuracy."""

COMBINATORS: dict[str, Callable[[int], js.Schedule]] = {
    "warmup": lambda t: js.warmup(js.Cosine(0.3, 0.01, t - t // 4), t // 4),
    "warmup shaped": lambda t: js.warmup(
        js.Linear(0.3, 0.0, t), t // 3, 0.1, partial(js.Polynomial, power=2), first_step=1
    ),
    "warmup geometric": lambda t: js.warmup(0.3, t, 1e-4, js.Geometric),
    "cooldown": lambda t: js.cooldown(js.Cosine(0.3, 0.1, t), t // 2, t - t // 2, shape=js.OneMinusSqrt),
    "cooldown of nothing": lambda t: js.cooldown(0.3, t // 2, 0, 0.1),
    "knots": lambda t: js.knots([0.0, 0.3, 0.1, 0.0], [0, t // 4, t // 2, t], js.Cosine),
    "knots with a jump": lambda t: js.knots([0.1, 0.3, 0.2, 0.0], [t // 4, t // 2, t // 2, t]),
    "join": lambda t: js.join(
        [0.1, js.Cosine(0.3, 0.1, t // 4), js.Cosine(0.2, 0.0, t // 4), js.Linear(0.1, 0.0, t // 4)],
        [t // 4, t // 2, t - t // 4],
    ),
    "join of one": lambda t: js.join([js.Cosine(0.3, 0.0, t)], []),
    "join nested": lambda t: js.join(
        [js.join([js.Piecewise([1.0, 0.5], [2]), js.Piecewise([0.3, 0.2], [1])], [t // 3]), 0.1], [t // 2]
    ),
    "cycle": lambda t: js.cycle(js.Cosine(0.3, 0.0, max(t // 3, 1)), max(t // 3, 1)),
    "cycle doubling": lambda t: js.cycle(js.Cosine(0.3, 0.1, max(t // 7, 1)), max(t // 7, 1), 2.0, 0.5),
    "cycle growing": lambda t: js.cycle(js.Linear(0.3, 0.0, 7), 7, 1.5, 0.9),
    "cycle decimal": lambda t: js.cycle(js.Linear(0.3, 0.0, 10), 10, 1.1),
    "cycle shrinking": lambda t: js.cycle(js.Linear(0.3, 0.1, max(t // 2, 1)), max(t // 2, 1), 0.5, cycles=3),
    "cycle limited": lambda t: js.cycle(js.Linear(0.3, 0.0, max(t // 2, 1)), max(t // 2, 1), cycles=2),
    "reflect": lambda t: js.reflect(js.Linear(0.3, 0.0, max(t // 2, 1)), 2 * max(t // 2, 1)),
    "staircase": lambda t: js.staircase(js.Cosine(0.3, 0.0, t), 3),
    "stretch": lambda t: js.stretch(js.Cosine(0.3, 0.0, t // 4), 4),
    "per epoch": lambda t: js.per_epoch(js.Cosine(0.3, 0.0, max(t // 3, 1)), 3),
    "shift": lambda t: js.shift(js.Linear(0.3, 0.0, t), t // 2),
    "shift back": lambda t: js.shift(js.Linear(0.3, 0.0, t), -(t // 2)),
    "reclock": lambda t: js.reclock(
        js.Cosine(0.3, 0.01, 2 * t), js.knots([0, t // 2, 2 * t], [0, t // 2, t])
    ),
    "clip": lambda t: js.clip(js.Linear(0.3, 0.0, t), 0.05, 0.25),
    "clip below": lambda t: js.clip(js.Exponential(0.5, 0.5, max(t / 8, 1)), min_value=0.01),
    "product": lambda t: 0.5 * js.Linear(0.3, 0.1, t) * js.Cosine(1.0, 0.0, t),
    "sum": lambda t: js.Linear(0.3, 0.0, t) + 0.1 + js.Cosine(0.2, 0.0, t),
    "negative": lambda t: -js.Linear(0.3, 0.0, t),
    "warmup, cosine, cooldown": lambda t: js.cooldown(
        js.warmup(js.cycle(js.Cosine(0.3, 0.1, max(t // 8, 1)), max(t // 8, 1)), t // 8), t - t // 8, t // 8
    ),
    "epochs in steps": lambda t: js.clip(js.per_epoch(0.5 * js.Exponential(1.0, 0.9), max(t // 10, 1)), 0.2),
}

PRESETS: dict[str, Callable[[int], js.Schedule]] = {
    "step_decay": lambda t: js.step_decay(0.3, 0.5, max(t // 4, 1)),
    "multi_step": lambda t: js.multi_step(0.3, 0.5, [t // 2, t // 2, t]),
    "warmup_cosine": lambda t: js.warmup_cosine(0.3, t, t // 4, 0.1, 0.0),
    "warmup_stable_decay": lambda t: js.warmup_stable_decay(0.3, t, t // 10, t // 5),
    "one_cycle": lambda t: js.one_cycle(0.012, 0.3, 0.0, t),
    "one_cycle_momentum": lambda t: js.one_cycle_momentum(0.95, 0.85, t),
    "cyclic": lambda t: js.cyclic(0.1, 0.3, max(t // 8, 1)),
    "cyclic_momentum": lambda t: js.cyclic_momentum(0.9, 0.8, max(t // 8, 1), value_factor=0.5),
    "warm_restarts": lambda t: js.warm_restarts(0.3, 0.01, max(t // 7, 1), 2.0, 0.8),
    "inverse_sqrt": lambda t: js.inverse_sqrt(0.3, max(t // 10, 1)),
    "noam": lambda t: js.noam(512, max(t // 10, 1)),
}

PRESET_VARIANTS: dict[str, Callable[[int], js.Schedule]] = {
    "warmup_stable_decay cosine": lambda t: js.warmup_stable_decay(0.3, t, t // 10, t // 5, shape=js.Cosine),
    "warmup_stable_decay sqrt": lambda t: js.warmup_stable_decay(
        0.3, t, t // 10, t // 5, 0.1, 0.01, js.OneMinusSqrt
    ),
    "one_cycle linear in three phases": lambda t: js.one_cycle(
        0.012, 0.3, 0.0, t, 0.3, js.Linear, three_phases=True
    ),
    "cyclic halving": lambda t: js.cyclic(0.1, 0.3, max(t // 8, 1), max(t // 4, 1), value_factor=0.5),
    "cyclic decaying": lambda t: js.cyclic(0.1, 0.3, max(t // 8, 1), decay_rate=0.999),
    "warm_restarts shrinking": lambda t: js.warm_restarts(0.3, 0.0, max(t // 2, 1), 0.5, cycles=3),
}
"""More arguments of the same presets, for accuracy. Each name begins with that of the preset."""

CASES = SHAPES | COMBINATORS | PRESETS

OF_EACH_KIND = {
    *("linear", "cosine warped", "exponential", "piecewise", "lambda"),
    *("warmup", "join", "cycle growing", "sum", "one_cycle"),
}
"""What stands for all where a test takes a program of its own for each case."""

TRANSITIONS = {
    name: build for name, build in (SHAPES | VARIANTS).items() if isinstance(build(SHORT), js.Transition)
}

HORIZONS = (10, 1000, 10**6, 16_777_259, 1_900_000_001, 2**31 - 1)
"""Short and long ones, and some at the end of float32's integers. Most are far from powers of two, near which
differences from 1 happen to be exact."""

EVERY = {name: build for name, build in (CASES | VARIANTS | PRESET_VARIANTS).items() if name != "lambda"}
"""Every case with a formula."""
