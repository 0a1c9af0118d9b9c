"""The ports of PyTorch: deliberate deviations, refusals, parameter groups and tracing."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rates import rates
from refusals import refusals

import jaxsched as js
from jaxsched.ports import torch


def square_root(step):
    return math.sqrt(step)


def half(step):
    return 0.5


DEVIATIONS = {
    "a constant of no length is over at once": (lambda: torch.ConstantLR(0.4, 0.5, 0), {0: 0.4, 5: 0.4}),
    "a constant factor of 0 comes back": (lambda: torch.ConstantLR(0.4, 0.0, 3), {2: 0.0, 3: 0.4}),
    "a line of no length is at its end": (lambda: torch.LinearLR(0.4, 0.5, 1.0, 0), {0: 0.4, 5: 0.4}),
    "a polynomial of no length is at its end": (lambda: torch.PolynomialLR(0.4, 0), {0: 0.0, 5: 0.0}),
    "a product holds its last value": (
        lambda: torch.MultiplicativeLR(0.4, half, total_steps=3),
        {0: 0.4, 2: 0.1, 3: 0.1, 1000: 0.1},
    ),
    "a tabulated function holds its last value": (
        lambda: torch.LambdaLR(0.4, square_root, total_steps=5),
        {0: 0.0, 4: 0.8, 5: 0.8, 1000: 0.8},
    ),
    "one cycle stays at its end": (lambda: torch.OneCycleLR(1.0, 10), {9: 4e-6, 10: 4e-6, 1000: 4e-6}),
    "one cycle in lines stays above 0": (
        lambda: torch.OneCycleLR(1.0, 10, anneal_strategy="linear"),
        {9: 4e-6, 10: 4e-6},
    ),
    "one cycle of no rise begins at the top": (
        lambda: torch.OneCycleLR(1.0, 10, pct_start=0.1, anneal_strategy="linear", final_div_factor=1.0),
        {0: 1.0, 9: 0.04},
    ),
    "one cycle of no rise in three phases begins at its first rate": (
        lambda: torch.OneCycleLR(1.0, 10, pct_start=0.1, three_phase=True),
        {0: 0.04, 9: 4e-6, 10: 4e-6},
    ),
    "one cycle that only rises stays at the top": (
        lambda: torch.OneCycleLR(1.0, 10, pct_start=1.0),
        {0: 0.04, 9: 1.0, 10: 1.0},
    ),
    "one cycle of one step": (lambda: torch.OneCycleLR(1.0, 1, pct_start=1.0), {0: 4e-6, 1: 4e-6}),
    "every restart is met, also where step(epoch) misses it": (
        lambda: torch.CosineAnnealingWarmRestarts(0.3, 1, 3),
        {121: 0.3, 364: 0.3, 1093: 0.3},
    ),
    "members of a sequence keep their own rates": (
        lambda: torch.SequentialLR([torch.OneCycleLR(1.0, 5), torch.ExponentialLR(0.4, 0.5)], [5]),
        {5: 0.4, 6: 0.2},
    ),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_deviations(name):
    build, expected = DEVIATIONS[name]
    np.testing.assert_allclose(rates(build(), list(expected)), list(expected.values()), rtol=1e-6, atol=1e-12)


VALUE_ERRORS = {
    "no size": (lambda: torch.StepLR(0.1, 0), "`step_size` must be at least 1, got 0."),
    "part of a step": (lambda: torch.StepLR(0.1, 2.5), "`step_size` must be a whole number, got 2.5."),
    "negative factor": (lambda: torch.StepLR(0.1, 3, -0.5), "`gamma` must be at least 0, got -0.5."),
    "negative rate": (lambda: torch.ExponentialLR(0.1, -1), "`gamma` must be at least 0, got -1."),
    "infinite rate": (
        lambda: torch.ExponentialLR(math.inf, 0.5),
        "`lr` must be a finite float32 number, got inf.",
    ),
    "negative milestone": (
        lambda: torch.MultiStepLR(0.1, [3, -1]),
        "`milestones[1]` must be at least 0, got -1.",
    ),
    "half a milestone": (
        lambda: torch.MultiStepLR(0.1, [3.5]),
        "`milestones[0]` must be a whole number, got 3.5.",
    ),
    "constant above": (
        lambda: torch.ConstantLR(0.1, 1.5),
        "`factor` must be at least 0 and at most 1, got 1.5.",
    ),
    "negative length": (
        lambda: torch.ConstantLR(0.1, total_iters=-1),
        "`total_iters` must be at least 0, got -1.",
    ),
    "line from 0": (
        lambda: torch.LinearLR(0.1, 0.0),
        "`start_factor` must be above 0 and at most 1, got 0.",
    ),
    "line to above": (
        lambda: torch.LinearLR(0.1, 0.5, 2.0),
        "`end_factor` must be at least 0 and at most 1, got 2.",
    ),
    "half an iteration": (
        lambda: torch.LinearLR(0.1, total_iters=4.5),
        "`total_iters` must be a whole number, got 4.5.",
    ),
    "negative power": (
        lambda: torch.PolynomialLR(0.1, 5, -1),
        "`power` must be at least 0 and at most 1000000, got -1.",
    ),
    "no way up": (lambda: torch.CyclicLR(0.1, 0.3, 0), "`step_size_up` must be above 0, got 0."),
    "way down": (
        lambda: torch.CyclicLR(0.1, 0.3, 1, -1),
        "`step_size_down` must be at least 0, got -1.",
    ),
    "mode": (
        lambda: torch.CyclicLR(0.1, 0.3, mode="square"),
        "`mode` must be one of ['triangular', 'triangular2', 'exp_range'], got 'square'.",
    ),
    "scale_mode": (
        lambda: torch.CyclicLR(0.1, 0.3, scale_fn=half, scale_mode="epoch"),
        "`scale_mode` must be one of ['cycle', 'iterations'], got 'epoch'.",
    ),
    "groups": (
        lambda: torch.CyclicLR([0.1, 0.2], [0.3]),
        "`max_lr` must have as many entries as `base_lr`, 2, got 1.",
    ),
    "momentum left alone": (
        lambda: torch.CyclicLRMomentum(0.1, 0.3, cycle_momentum=False),
        "`cycle_momentum` must be True for a cycled momentum, got False.",
    ),
    "no steps": (lambda: torch.OneCycleLR(0.1, 0), "`total_steps` must be at least 1, got 0."),
    "no length": (
        lambda: torch.OneCycleLR(0.1, epochs=3),
        "`total_steps` must be given, or `epochs` and `steps_per_epoch`, got None, 3 and None.",
    ),
    "part of the run": (
        lambda: torch.OneCycleLR(0.1, 10, pct_start=1.5),
        "`pct_start` must be at least 0 and at most 1, got 1.5.",
    ),
    "strategy": (
        lambda: torch.OneCycleLR(0.1, 10, anneal_strategy="cosine"),
        "`anneal_strategy` must be one of ['cos', 'linear'], got 'cosine'.",
    ),
    "no factor": (lambda: torch.OneCycleLR(0.1, 10, div_factor=0), "`div_factor` must be above 0, got 0."),
    "no period": (lambda: torch.CosineAnnealingLR(0.1, 0), "`T_max` must be above 0, got 0."),
    "no cycle": (lambda: torch.CosineAnnealingWarmRestarts(0.1, 0), "`T_0` must be at least 1, got 0."),
    "broken factor": (
        lambda: torch.CosineAnnealingWarmRestarts(0.1, 5, 1.5),
        "`T_mult` must be a whole number, got 1.5.",
    ),
    "empty chain": (
        lambda: torch.ChainedScheduler(0.1, []),
        "`schedulers` must have at least one schedule, got none.",
    ),
    "milestones": (
        lambda: torch.SequentialLR([0.1, 0.2], []),
        "`milestones` must have one entry fewer than `schedulers`, which has 2, got 0.",
    ),
    "unsorted": (
        lambda: torch.SequentialLR([0.1, 0.2, 0.3], [5, 3]),
        "`milestones` must be sorted, got 5 before 3 at index 0.",
    ),
    "swa": (lambda: torch.SWALR(0.1, 0.05, -1), "`anneal_epochs` must be at least 0, got -1."),
    "empty table": (
        lambda: torch.LambdaLR(0.1, half, total_steps=0),
        "`total_steps` must be at least 1, got 0.",
    ),
}

TYPE_ERRORS = {
    "rate": (lambda: torch.StepLR("0.1", 3), "`lr` must be a number, got '0.1' (str)."),
    "flag": (lambda: torch.StepLR(0.1, True), "`step_size` must be a number, got True (bool)."),
    "milestones": (
        lambda: torch.MultiStepLR(0.1, 30),
        "`milestones` must be a list of numbers, got 30 (int).",
    ),
    "no function": (lambda: torch.LambdaLR(0.1, 0.5), "`lr_lambda` must be a function, got 0.5 (float)."),
    "no product": (
        lambda: torch.MultiplicativeLR(0.1, 0.5, total_steps=3),
        "`lr_lambda` must be a function, got 0.5 (float).",
    ),
    "not traceable": (
        lambda: torch.LambdaLR(0.1, square_root),
        "`lr_lambda` must return a number and be written with `jax.numpy`, or `total_steps` must be given",
    ),
    "no schedule": (
        lambda: torch.ChainedScheduler(0.1, ["StepLR"]),
        "`schedulers[0]` must be a schedule, a number or a callable, got 'StepLR' (str)",
    ),
    "entry": (
        lambda: torch.LambdaLR(0.1, lambda step: "high", total_steps=2),
        "`lr_lambda(0)` must be a number, got 'high' (str).",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


GROUPS = {
    "LambdaLR": (
        lambda: torch.LambdaLR([0.1, 0.2], [half, lambda step: 1.0]),
        lambda: [torch.LambdaLR(0.1, half), torch.LambdaLR(0.2, lambda step: 1.0)],
    ),
    "LambdaLR, one rate": (
        lambda: torch.LambdaLR(0.1, [half, half]),
        lambda: [torch.LambdaLR(0.1, half), torch.LambdaLR(0.1, half)],
    ),
    "MultiplicativeLR": (
        lambda: torch.MultiplicativeLR(0.1, (half, square_root), total_steps=4),
        lambda: [torch.MultiplicativeLR(0.1, fn, total_steps=4) for fn in (half, square_root)],
    ),
    "CyclicLR": (
        lambda: torch.CyclicLR(0.1, [0.2, 0.3], 4),
        lambda: [torch.CyclicLR(0.1, 0.2, 4), torch.CyclicLR(0.1, 0.3, 4)],
    ),
    "CyclicLRMomentum": (
        lambda: torch.CyclicLRMomentum(0.1, 0.2, 4, base_momentum=[0.7, 0.8]),
        lambda: [torch.CyclicLRMomentum(0.1, 0.2, 4, base_momentum=low) for low in (0.7, 0.8)],
    ),
    "OneCycleLR": (
        lambda: torch.OneCycleLR([0.1, 0.2], 10),
        lambda: [torch.OneCycleLR(0.1, 10), torch.OneCycleLR(0.2, 10)],
    ),
    "OneCycleLRMomentum": (
        lambda: torch.OneCycleLRMomentum(0.1, 10, max_momentum=[0.9, 0.95]),
        lambda: [torch.OneCycleLRMomentum(0.1, 10, max_momentum=top) for top in (0.9, 0.95)],
    ),
    "SWALR": (
        lambda: torch.SWALR(0.3, [0.1, 0.2]),
        lambda: [torch.SWALR(0.3, 0.1), torch.SWALR(0.3, 0.2)],
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_lists_for_parameter_groups(name):
    together, apart = (build() for build in GROUPS[name])
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_array_equal(rates(one, range(12)), rates(other, range(12)))


TRACED = {
    "StepLR": (torch.StepLR, (0.3, 4.0, 0.5)),
    "PolynomialLR": (torch.PolynomialLR, (0.3, 8.0, 2.0)),
    "OneCycleLR": (torch.OneCycleLR, (0.3, 10.0)),
    "CosineAnnealingWarmRestarts": (torch.CosineAnnealingWarmRestarts, (0.3, 3.0, 2.0)),
    "CyclicLR": (torch.CyclicLR, (0.1, 0.3, 3.0)),
}


@pytest.mark.parametrize("name", TRACED)
def test_numbers_may_be_traced(name):
    build, arguments = TRACED[name]
    traced = jax.jit(lambda *numbers: build(*numbers)(jnp.arange(12)))(*arguments)
    np.testing.assert_allclose(traced, build(*arguments)(jnp.arange(12)), rtol=1e-5, atol=1e-7)


def test_a_port_is_a_composition_that_prints():
    for schedule in (
        torch.StepLR(0.3, 4, 0.5),
        torch.CyclicLR(0.1, 0.3, 4, mode="exp_range", gamma=0.9),
        torch.OneCycleLR(0.3, 10, pct_start=0.05),
        torch.SequentialLR([torch.LinearLR(0.3), torch.CosineAnnealingLR(0.3, 10)], [5]),
    ):
        assert js.parse(repr(schedule)) == schedule


def test_the_momentum_mirrors_the_rate():
    steps = np.arange(40)
    for kwargs in ({}, {"mode": "triangular2"}, {"mode": "exp_range", "gamma": 0.9}):
        rate = rates(torch.CyclicLR(0.0, 1.0, 4, 3, **kwargs), steps)
        momentum = rates(torch.CyclicLRMomentum(0.0, 1.0, 4, 3, **kwargs), steps)
        np.testing.assert_allclose(momentum, 0.9 - 0.1 * rate, rtol=1e-6)
