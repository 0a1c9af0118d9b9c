"""Promise 5: how far every case is from its formula in real arithmetic, over all horizons."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
import reference
from cases import EVERY, HORIZONS, SHAPES, VARIANTS
from reference import some_steps, worst

from jaxsched.testing import float32_path


@functools.cache
def as_argument():
    return jax.jit(lambda schedule, steps: schedule(steps))


@pytest.mark.parametrize("name", EVERY)
def test_float64_path(name):
    bound = 1 if name in SHAPES | VARIANTS else 4
    for horizon in HORIZONS:
        schedule, steps = EVERY[name](horizon), some_steps(horizon)
        eager = np.asarray(schedule(steps))
        assert worst(eager, schedule, steps) <= bound, horizon
        if horizon in (HORIZONS[0], HORIZONS[-1]):
            closed = jax.jit(lambda steps, schedule=schedule: schedule(steps))(steps)
            np.testing.assert_array_max_ulp(np.asarray(closed), eager, 1)
        passed = as_argument()(schedule, steps)
        assert worst(passed, reference.as_argument(schedule), steps) <= bound, horizon


@pytest.mark.thorough
@pytest.mark.parametrize("name", EVERY)
def test_float32_path(name):
    for horizon in HORIZONS:
        schedule, steps = EVERY[name](horizon), some_steps(horizon)
        with float32_path():
            assert worst(schedule(steps), schedule, steps) <= 16, horizon


def test_x64_mode_keeps_float64():
    schedule = EVERY["cosine"](1000)
    steps = np.arange(1001)
    with jax.enable_x64(True):
        rates = np.asarray(schedule(steps))
    truth = np.array([float(reference.rate(schedule, int(step))) for step in steps])
    np.testing.assert_allclose(rates, truth, rtol=1e-14, atol=0)
