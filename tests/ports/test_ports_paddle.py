"""The ports of Paddle: deliberate deviations, refusals and tracing."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rates import rates
from refusals import refusals

from jaxsched.ports import paddle


def square_root(step):
    return math.sqrt(step)


def half(step):
    return 0.5


DEVIATIONS = {
    "a product holds its last value": (
        lambda: paddle.MultiplicativeDecay(0.4, half, total_steps=3),
        {0: 0.4, 2: 0.1, 3: 0.1, 1000: 0.1},
    ),
    "a tabulated function holds its last value": (
        lambda: paddle.LambdaDecay(0.4, square_root, total_steps=5),
        {0: 0.0, 4: 0.8, 5: 0.8, 1000: 0.8},
    ),
    "one cycle stays at its end": (lambda: paddle.OneCycleLR(1.0, 10), {9: 1e-4, 10: 1e-4, 1000: 1e-4}),
    "one cycle in lines stays above 0": (
        lambda: paddle.OneCycleLR(1.0, 10, anneal_strategy="linear"),
        {9: 1e-4, 10: 1e-4},
    ),
    "one cycle of no rise begins at the top": (
        lambda: paddle.OneCycleLR(1.0, 10, phase_pct=0.1, anneal_strategy="linear"),
        {0: 1.0, 9: 1e-4},
    ),
    "one cycle that only rises stays at the top": (
        lambda: paddle.OneCycleLR(1.0, 10, phase_pct=1.0),
        {0: 0.04, 9: 1.0, 10: 1.0},
    ),
    "every restart is met, also behind a warmup": (
        lambda: paddle.LinearWarmup(paddle.CosineAnnealingWarmRestarts(0.3, 1, 3), 5, 0.0, 0.3),
        {5: 0.3, 126: 0.3, 369: 0.3, 1098: 0.3},
    ),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_deviations(name):
    build, expected = DEVIATIONS[name]
    np.testing.assert_allclose(rates(build(), list(expected)), list(expected.values()), rtol=1e-6, atol=1e-12)


VALUE_ERRORS = {
    "negative rate": (
        lambda: paddle.StepDecay(-0.1, 3),
        "`learning_rate` must be at least 0, got -0.1.",
    ),
    "no width": (lambda: paddle.NoamDecay(0, 10), "`d_model` must be above 0, got 0."),
    "no warmup": (lambda: paddle.NoamDecay(64, 0), "`warmup_steps` must be above 0, got 0."),
    "no boundary": (
        lambda: paddle.PiecewiseDecay([], [0.1]),
        "`boundaries` must have at least one entry, got none.",
    ),
    "unsorted": (
        lambda: paddle.PiecewiseDecay([5, 3], [0.1, 0.2, 0.3]),
        "`boundaries` must be sorted, got 5 before 3 at index 0.",
    ),
    "values beyond": (
        lambda: paddle.PiecewiseDecay([3], [0.1, 0.2, 0.3]),
        "`values` must have one more entry than `boundaries`, which has 1, got 3.",
    ),
    "growth": (lambda: paddle.NaturalExpDecay(0.1, 0), "`gamma` must be above 0, got 0."),
    "pole": (lambda: paddle.InverseTimeDecay(0.1, -0.1), "`gamma` must be at least 0, got -0.1."),
    "no decay": (lambda: paddle.PolynomialDecay(0.1, 0), "`decay_steps` must be at least 1, got 0."),
    "half a step": (
        lambda: paddle.PolynomialDecay(0.1, 2.5),
        "`decay_steps` must be a whole number, got 2.5.",
    ),
    "no power": (
        lambda: paddle.PolynomialDecay(0.1, 5, power=0),
        "`power` must be above 0 and at most 1000000, got 0.",
    ),
    "no ramp": (lambda: paddle.LinearWarmup(0.1, 0, 0, 0.1), "`warmup_steps` must be at least 1, got 0."),
    "ramp down": (
        lambda: paddle.LinearWarmup(0.1, 5, 0.2, 0.1),
        "`end_lr` must be above `start_lr` (0.2), got 0.1.",
    ),
    "no exponential": (
        lambda: paddle.ExponentialDecay(0.1, 1.0),
        "`gamma` must be above 0 and below 1, got 1.",
    ),
    "repeated": (lambda: paddle.MultiStepDecay(0.1, [3, 3]), "`milestones` must increase, got [3, 3]."),
    "unsorted milestones": (
        lambda: paddle.MultiStepDecay(0.1, [5, 3]),
        "`milestones` must be sorted, got 5 before 3 at index 0.",
    ),
    "cuts up": (lambda: paddle.MultiStepDecay(0.1, [3], 1.0), "`gamma` must be below 1, got 1."),
    "steps up": (lambda: paddle.StepDecay(0.1, 3, 1.5), "`gamma` must be at least 0 and below 1, got 1.5."),
    "no size": (lambda: paddle.StepDecay(0.1, 0), "`step_size` must be at least 1, got 0."),
    "no period": (lambda: paddle.CosineAnnealingDecay(0.1, 0), "`T_max` must be at least 1, got 0."),
    "no steps": (lambda: paddle.OneCycleLR(0.1, 0), "`total_steps` must be at least 1, got 0."),
    "negative top": (
        lambda: paddle.OneCycleLR(-0.1, 10),
        "`max_learning_rate` must be at least 0, got -0.1.",
    ),
    "half of three phases": (
        lambda: paddle.OneCycleLR(0.1, 10, phase_pct=0.5, three_phase=True),
        "`phase_pct` must be at least 0 and below 0.5, got 0.5.",
    ),
    "strategy": (
        lambda: paddle.OneCycleLR(0.1, 10, anneal_strategy="cosine"),
        "`anneal_strategy` must be one of ['cos', 'linear'], got 'cosine'.",
    ),
    "no way up": (lambda: paddle.CyclicLR(0.1, 0.3, 0), "`step_size_up` must be at least 1, got 0."),
    "no way down": (lambda: paddle.CyclicLR(0.1, 0.3, 1, 0), "`step_size_down` must be at least 1, got 0."),
    "mode": (
        lambda: paddle.CyclicLR(0.1, 0.3, 2, mode="square"),
        "`mode` must be one of ['triangular', 'triangular2', 'exp_range'], got 'square'.",
    ),
    "scale_mode": (
        lambda: paddle.CyclicLR(0.1, 0.3, 2, scale_fn=half, scale_mode="epoch"),
        "`scale_mode` must be one of ['cycle', 'iterations'], got 'epoch'.",
    ),
    "no length": (lambda: paddle.LinearLR(0.1, 0), "`total_steps` must be at least 1, got 0."),
    "line from 0": (
        lambda: paddle.LinearLR(0.1, 5, 0.0),
        "`start_factor` must be above 0 and at most 1, got 0.",
    ),
    "no cycle": (
        lambda: paddle.CosineAnnealingWarmRestarts(0.1, 0),
        "`T_0` must be at least 1, got 0.",
    ),
}

TYPE_ERRORS = {
    "rate": (lambda: paddle.StepDecay("0.1", 3), "`learning_rate` must be a number, got '0.1' (str)."),
    "no schedule": (
        lambda: paddle.LinearWarmup("0.1", 5, 0.0, 0.1),
        "`learning_rate` must be a schedule, a number or a callable, got '0.1' (str)",
    ),
    "no function": (
        lambda: paddle.LambdaDecay(0.1, 0.5),
        "`lr_lambda` must be a function, got 0.5 (float).",
    ),
    "not traceable": (
        lambda: paddle.LambdaDecay(0.1, square_root),
        "`lr_lambda` must return a number and be written with `jax.numpy`, or `total_steps` must be given",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


TRACED = {
    "NoamDecay": (paddle.NoamDecay, (64.0, 4.0)),
    "NaturalExpDecay": (paddle.NaturalExpDecay, (0.3, 0.1)),
    "InverseTimeDecay": (paddle.InverseTimeDecay, (0.3, 0.1)),
    "growing polynomials": (lambda *a: paddle.PolynomialDecay(*a, cycle=True), (0.3, 5.0, 0.01, 2.0)),
    "LinearWarmup": (paddle.LinearWarmup, (0.3, 5.0, 0.0, 0.3)),
}


@pytest.mark.parametrize("name", TRACED)
def test_numbers_may_be_traced(name):
    build, arguments = TRACED[name]
    traced = jax.jit(lambda *numbers: build(*numbers)(jnp.arange(12)))(*arguments)
    np.testing.assert_allclose(traced, build(*arguments)(jnp.arange(12)), rtol=1e-5, atol=1e-7)


def test_a_slow_natural_decay_is_exact_for_long():
    rate = paddle.NaturalExpDecay(0.3, 1e-8)(2**31 - 1)
    np.testing.assert_allclose(rate, 0.3 * math.exp(-1e-8 * (2**31 - 1)), rtol=6e-8)
