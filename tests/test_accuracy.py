"""Promise 5: how far every case is from its formula in real arithmetic, over all horizons."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
import reference
from cases import CASES, SHAPES, VARIANTS

from jaxsched.testing import float32_path

HORIZONS = (10, 1000, 10**6, 2**31 - 1)
EVERY = {name: build for name, build in (CASES | VARIANTS).items() if name != "lambda"}

# Where the float32 path cannot keep 16 ulp: the clock of a stretched schedule is a quotient of 48 bits,
# so near the end of a decay to zero over 2^31 steps its last digits decide.
FLOAT32_HORIZON = {"per epoch": 10**6, "cycle growing": 10**6}


def some_steps(horizon: int) -> np.ndarray:
    """120 steps, dense near both ends and the parts' boundaries, spread in between.

    They are always 120, so that one program serves every horizon.
    """
    near = [horizon * share + step for share in (0, 1 / 4, 1 / 3, 1 / 2, 3 / 4) for step in (-1, 0, 1)]
    ends = [*range(20), *range(horizon - 20, horizon + 3), *(horizon >> np.arange(31)), 2**31 - 1]
    spread = np.random.default_rng(0).integers(0, min(2 * horizon, 2**31 - 1), 200)
    steps = np.unique(np.concatenate([np.floor(near), ends]))
    steps = np.concatenate([steps[(steps >= 0) & (steps < 2**31)], spread])[:120]
    return np.sort(steps).astype(np.int32)


def worst(rates, schedule, steps) -> float:
    return max(
        reference.ulps(rate, reference.rate(schedule, int(step)))
        for rate, step in zip(np.asarray(rates), steps, strict=True)
    )


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
        closed = jax.jit(lambda steps, schedule=schedule: schedule(steps))(steps)
        np.testing.assert_array_max_ulp(np.asarray(closed), eager, 1)
        passed = as_argument()(schedule, steps)
        assert worst(passed, reference.as_argument(schedule), steps) <= bound, horizon


@pytest.mark.parametrize("name", EVERY)
def test_float32_path(name):
    for horizon in HORIZONS:
        if horizon > FLOAT32_HORIZON.get(name, horizon):
            continue
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
