"""The ports of Optax: deliberate deviations, refusals and tracing."""

from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax as original
import pytest

import jaxsched as js
from jaxsched.ports import optax


@pytest.mark.parametrize(
    "schedule",
    [
        optax.linear_schedule(0.1, 0.5, 0),
        optax.polynomial_schedule(0.1, 0.5, 2, 0),
        optax.warmup_constant_schedule(0.1, 0.5, 0),
    ],
    ids=repr,
)
def test_no_length_is_at_its_end(schedule):
    np.testing.assert_array_equal(schedule(np.arange(3)), np.float32(0.5))


def test_no_length_waits_for_its_beginning():
    schedule = optax.linear_schedule(0.1, 0.5, 0, 2)
    np.testing.assert_array_equal(schedule(np.arange(4)), np.float32([0.1, 0.1, 0.5, 0.5]))


def test_it_joins_what_optax_made():
    parts = [original.linear_schedule(0.0, 0.3, 5), js.Constant(0.2)]
    schedule = optax.join_schedules(parts, [5])
    np.testing.assert_allclose(schedule(np.array([0, 4, 5, 6])), [0.0, 0.24, 0.2, 0.2], rtol=1e-6)


def test_an_iterable_of_cycles_is_read_once():
    cycle = {"init_value": 0.0, "peak_value": 0.3, "warmup_steps": 2, "decay_steps": 6}
    assert optax.sgdr_schedule(iter([cycle, cycle])) == optax.sgdr_schedule([cycle, cycle])


def test_rates_are_leaves():
    def rate(peak, length):
        return (
            optax.constant_schedule(peak)(3)
            + optax.polynomial_schedule(peak, 0.0, 2, length)(5)
            + optax.linear_schedule(0.0, peak, length, 2)(7)
            + optax.piecewise_constant_schedule(peak, {3: 0.5})(3)
            + optax.exponential_decay(peak, length, 0.5, end_value=0.01)(10)
            + optax.cosine_decay_schedule(peak, length, 0.5)(5)
            + optax.piecewise_interpolate_schedule("linear", peak, {10: 0.0})(5)
            + optax.linear_onecycle_schedule(100, peak)(30)
            + optax.cosine_onecycle_schedule(100, peak)(30)
            + optax.warmup_constant_schedule(0.0, peak, length)(5)
            + optax.warmup_cosine_decay_schedule(0.0, peak, 2, length)(1)
            + optax.warmup_exponential_decay_schedule(0.0, peak, 2, length, 0.5)(1)
        )

    whole = 1 + 0.25 + 0.5 + 0.5 + 0.5 + 0.75 + 0.5 + 1 + 1 + 0.5 + 0.5 + 0.5
    np.testing.assert_allclose(jax.jit(jax.grad(rate))(0.3, jnp.float32(10)), whole, rtol=1e-6)


def test_the_port_does_not_hide_optax():
    code = "import jaxsched.ports.optax, optax, sys; assert hasattr(optax, 'adam')"
    subprocess.run([sys.executable, "-c", code], check=True)


CYCLE = {"init_value": 0.0, "peak_value": 0.3, "warmup_steps": 2}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: optax.constant_schedule("x"), "`value` must be a number, got 'x'"),
        (
            lambda: optax.polynomial_schedule(1, 0, 2, -5),
            "`transition_steps` must be at least 0, got -5.",
        ),
        (lambda: optax.polynomial_schedule(1, 0, -2, 5), "`power` must be at least 0"),
        (lambda: optax.linear_schedule(1, 0, 5, -1), "`transition_begin` must be at least 0, got -1."),
        (
            lambda: optax.piecewise_constant_schedule(1, {5: -0.5}),
            r"`boundaries_and_scales\[5\]` must be at least 0, got -0.5.",
        ),
        (
            lambda: optax.piecewise_constant_schedule(1, {-5: 0.5}),
            r"`boundaries_and_scales \(a step\)` must be at least 0, got -5.",
        ),
        (
            lambda: optax.piecewise_constant_schedule(1, [(5, 0.5)]),
            r"`boundaries_and_scales` must be a dict from steps to factors, got \[\(5, 0.5\)\]",
        ),
        (lambda: optax.exponential_decay(1, 0, 0.5), "`transition_steps` must be above 0, got 0."),
        (lambda: optax.exponential_decay(1, 5, 0), "`decay_rate` must be above 0, got 0."),
        (lambda: optax.exponential_decay(1, 5, 0.5, -1), "`transition_begin` must be at least 0, got -1."),
        (lambda: optax.exponential_decay(1, 5, 0.5, end_value="x"), "`end_value` must be a number, got 'x'"),
        (lambda: optax.cosine_decay_schedule(1, 0), "`decay_steps` must be above 0, got 0."),
        (lambda: optax.cosine_decay_schedule(1, 5, exponent=-1), "`exponent` must be at least 0"),
        (lambda: optax.cosine_decay_schedule(1, 5, "x"), "`alpha` must be a number, got 'x'"),
        (
            lambda: optax.piecewise_interpolate_schedule("cubic", 1),
            r"`interpolate_type` must be one of \['linear', 'cosine'\], got 'cubic'.",
        ),
        (lambda: optax.linear_onecycle_schedule(0, 1), "`transition_steps` must be above 0, got 0."),
        (lambda: optax.linear_onecycle_schedule(9, 1, -0.1), "`pct_start` must be at least 0, got -0.1."),
        (lambda: optax.linear_onecycle_schedule(9, 1, div_factor=0), "`div_factor` must be above 0, got 0."),
        (lambda: optax.cosine_onecycle_schedule(-9, 1), "`transition_steps` must be above 0, got -9."),
        (lambda: optax.cosine_onecycle_schedule(9, "x"), "`peak_value` must be a number, got 'x'"),
        (lambda: optax.warmup_constant_schedule(0, 1, -1), "`warmup_steps` must be at least 0, got -1."),
        (
            lambda: optax.warmup_cosine_decay_schedule(0, 1, 5, 5),
            r"`decay_steps` must be above `warmup_steps` \(5\), got 5.",
        ),
        (
            lambda: optax.warmup_cosine_decay_schedule(0, 1, -5, 5),
            "`warmup_steps` must be at least 0, got -5.",
        ),
        (
            lambda: optax.warmup_exponential_decay_schedule(0, 1, -1, 5, 0.5),
            "`warmup_steps` must be at least 0, got -1.",
        ),
        (
            lambda: optax.warmup_exponential_decay_schedule(0, "x", 1, 5, 0.5),
            "`peak_value` must be a number, got 'x'",
        ),
        (lambda: optax.sgdr_schedule([CYCLE]), "missing 1 required positional argument: 'decay_steps'"),
        (lambda: optax.sgdr_schedule([]), "`schedules` must have at least one schedule, got none."),
        (lambda: optax.join_schedules([0.1], [5]), "`boundaries` must have one fewer entry"),
        (lambda: optax.join_schedules([1, 2, 3], [5, 4]), "`boundaries` must be sorted"),
    ],
)
def test_bad_input(build, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build()
