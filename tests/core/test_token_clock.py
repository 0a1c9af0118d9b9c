"""Clocks that count beyond int32: tokens, samples. Python and NumPy numbers keep all their digits."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from processes import COMPILED_QUICKLY
from selection import by_default

import jaxsched as js
from catalogue.reference import worst, worst_in_float32
from jaxsched._core.versions import enable_x64
from jaxsched.testing import float32_path

TOKENS = 10_000_000_000

PLANS = {
    "linear": js.Linear(0.3, 0.0, TOKENS),
    "cosine": js.Cosine(0.3, 0.01, TOKENS),
    "warmup": js.warmup(js.Cosine(0.3, 0.01, 9 * 10**9), 10**9),
    "cooldown": js.cooldown(js.Constant(0.3), 8 * 10**9, 2 * 10**9, 0.01),
    "levels": js.Piecewise([0.3, 0.2, 0.1], [5 * 10**9, TOKENS]),
    "knots": js.knots([0.0, 0.3, 0.1], [0, 3 * 10**9, TOKENS]),
    "join": js.join([0.3, js.Linear(0.2, 0.01, 5 * 10**9)], [5 * 10**9]),
    "cycle": js.cycle(js.Linear(0.3, 0.1, 2_500_000_001), 2_500_000_001),
    "growing cycle": js.cycle(js.Linear(0.3, 0.1, 10**9), 10**9, 2.0),
    "per epoch": js.per_epoch(js.Linear(0.3, 0.0, 100), 10**8),
    "exponential": js.Exponential(0.1, 0.5, 10**9),
    "longest": js.Linear(0.3, 0.0, 2.0**53),
}

STEPS = [0, 2**31 - 1, 2**31, 2**32 + 1, 5 * 10**9 - 1, 5 * 10**9, 7 * 10**9 + 3, TOKENS - 1, TOKENS, 2**53]


@pytest.mark.parametrize("name", by_default(("levels", "join", "cycle", "longest"), PLANS))
def test_python_integers_and_numpy_int64_go_on_beyond_int32(name):
    schedule = PLANS[name]
    steps = np.array(STEPS)
    rates = np.asarray(schedule(steps))
    assert worst(rates, schedule, steps) <= 4
    for kind in (np.uint64, np.float64):
        np.testing.assert_array_equal(np.asarray(schedule(steps.astype(kind))), rates)
    for step, rate in zip(STEPS, rates, strict=True):
        assert schedule(step) == schedule(np.int64(step)) == schedule(float(step)) == rate
    every = jax.jit(lambda: [schedule(steps), *map(schedule, STEPS)], compiler_options=COMPILED_QUICKLY)
    closed = every()
    assert worst(closed[0], schedule, steps) <= 4
    assert worst(np.stack(closed[1:]), schedule, steps) <= 4


def test_a_plan_is_at_its_end_at_its_last_token():
    plan = js.Cosine(0.3, 0.01, TOKENS)
    assert plan(TOKENS) == np.float32(0.01)
    assert plan(TOKENS - 10**9) > 0.015
    assert plan(np.uint32(3 * 10**9)) == plan(3 * 10**9)
    with enable_x64(True):
        assert plan(jnp.float64(TOKENS - 10**4)) > 0.01


@pytest.mark.parametrize("name", PLANS)
def test_in_float32(name):
    """No integer on a TPU counts this far. A float32 clock does, as exactly as it can."""
    schedule, steps = PLANS[name], np.array(STEPS)
    with float32_path():
        assert worst_in_float32(schedule(steps), schedule, steps) <= 1


@pytest.mark.parametrize("tokens", [2**31, 2**31 + 256, 2**32, TOKENS, 2**40])
def test_a_float32_step_meets_its_boundary(tokens):
    line, levels = js.Linear(0.3, 0.0, tokens), js.Piecewise([0.3, 0.1], [tokens])
    before = np.nextafter(np.float32(tokens), np.float32(0))
    with float32_path():
        assert line(jnp.float32(tokens)) == 0 < line(jnp.float32(before))
        np.testing.assert_array_equal(levels(jnp.array([before, tokens])), np.float32([0.3, 0.1]))


def test_what_is_far_beyond_is_the_end():
    for late in (2**53 + 1, 10**30, np.uint64(2**64 - 1), np.float64(1e300), np.inf):
        assert js.Linear(0.3, 0.1, 1e15)(late) == np.float32(0.1)
        assert js.Exponential(0.1, 0.5)(late) == 0
        assert np.isfinite(js.cycle(js.Linear(0.3, 0.1, 7), 7)(late))
