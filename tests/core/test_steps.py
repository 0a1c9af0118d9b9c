"""Steps of every kind, up to the end of their range, on schedules that still change there."""

from __future__ import annotations

import contextlib
import functools

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

LAST = 2**31 - 1

MOVING = {
    "linear": js.Linear(0.3, 0.0, 3e9),
    "cosine": js.Cosine(0.3, 0.01, 2.5e9),
    "geometric": js.Geometric(0.3, 3e-6, 4e9),
    "exponential": js.Exponential(0.1, 0.5, 4e8),
    "inverse power": js.InversePower(0.3, 1e8, 0.5),
    "logistic": js.Logistic(0.3, 0.1, 2.1e9, 3e8),
    "warmup": js.warmup(js.Constant(0.3), 3e9),
    "cooldown": js.cooldown(js.Linear(0.3, 0.1, 5e9), 2e9, 1e9),
    "knots": js.knots([0.1, 0.3, 0.2], [0, 2e9, 2.2e9]),
    "join": js.join([0.3, js.Linear(0.2, 0.0, 1e9)], [2e9]),
    "cycle": js.cycle(js.Linear(0.3, 0.1, 1e9), 1e9),
    "growing cycle": js.cycle(js.Linear(0.3, 0.1, 1e8), 1e8, 2.0),
    "per epoch": js.per_epoch(js.Linear(0.3, 0.0, 3000), 1e6),
    "the last level": js.Piecewise([0.3, 0.2, 0.1], [LAST - 1, LAST]),
}

INTEGERS = {
    "int32": jnp.array([LAST, LAST - 1, 2**24 + 1, 2**30 + 1], jnp.int32),
    "uint32": jnp.array([LAST, LAST - 1, 2**24 + 1, 2**30 + 1], jnp.uint32),
    "NumPy int32": np.array([LAST, LAST - 1, 2**24 + 1, 2**30 + 1], np.int32),
    "NumPy uint32": np.array([LAST, LAST - 1, 2**24 + 1, 2**30 + 1], np.uint32),
    "NumPy int64": np.array([LAST, LAST - 1, 2**24 + 1, 2**30 + 1], np.int64),
}


quickly = functools.partial(jax.jit, compiler_options=COMPILED_QUICKLY)


def paths(schedules, steps):
    """The rates of many schedules: eager, compiled around the steps, and compiled with them as an argument.

    Yields whether it is the float32 path, the name, the schedule and its rates.
    """

    def every(steps):
        return {name: schedule(steps) for name, schedule in schedules.items()}

    for narrow in (False, True):
        with float32_path() if narrow else contextlib.nullcontext():
            found = [every(steps), quickly(lambda: every(steps))()]
            if isinstance(steps, jax.Array):
                found.append(quickly(lambda steps: every(steps))(steps))
        for rates in found:
            for name, schedule in schedules.items():
                yield narrow, name, schedule, rates[name]


@pytest.mark.parametrize("name", by_default(("linear", "logistic", "growing cycle", "join"), MOVING))
def test_the_last_steps_of_int32(name):
    """No integer dtype wraps or rounds: near the end every step has its own rate."""
    schedule = MOVING[name]
    steps = np.array([LAST, LAST - 1, 2**24 + 1, 2**30 + 1], np.int32)
    expected = np.asarray(schedule(steps))
    assert worst(expected, schedule, steps) <= 4
    with float32_path():
        assert worst_in_float32(schedule(steps), schedule, steps) <= 1
        narrow = np.asarray(schedule(steps))
    for kind, given in INTEGERS.items():
        np.testing.assert_array_equal(np.asarray(schedule(given)), expected, kind)
        with float32_path():
            np.testing.assert_array_equal(np.asarray(schedule(given)), narrow, kind)
    for step, rate in zip(steps, expected, strict=True):
        assert schedule(int(step)) == rate


def test_jax_integers_saturate_at_the_end_of_int32():
    beyond = jnp.array([2**31, 2**31 + 1, 3 * 10**9, 2**32 - 1], jnp.uint32)
    at_last = np.full(4, LAST, np.int32)
    for narrow, name, schedule, rates in paths(MOVING, beyond):
        if narrow:
            assert worst_in_float32(rates, schedule, at_last) <= 1, name
        else:
            assert worst(rates, schedule, at_last) <= 4, name


ODD = np.array([16_777_217.0, 16_777_217.5, 16_777_219.0, 5.3, 2.0**20 + 0.3, 2.0**23 + 0.3, 2.0**30 + 0.3])
"""Numbers that float32 cannot represent."""

UNEVEN = {
    "linear": js.Linear(0.3, 0.0, 2**30 + 7),
    "a line that ends there": js.Linear(0.3, 0.0, 16_777_221),
    "cosine": js.Cosine(0.3, 0.0, 16_777_229),
    "levels": js.Piecewise([0.3, 0.2, 0.1], [16_777_217, 16_777_219]),
    "levels between steps": js.Piecewise([0.3, 0.2, 0.1], [16_777_217.25, 16_777_218]),
    "join": js.join([0.3, js.Linear(0.2, 0.0, 10)], [16_777_216]),
    "cycle": js.cycle(js.Linear(0.3, 0.1, 16), 16),
    "per epoch": js.per_epoch(js.Linear(0.3, 0.1, 2**24), 2),
}


@pytest.mark.parametrize("name", UNEVEN)
def test_numpy_floats_are_taken_with_all_their_digits(name):
    """A NumPy float64 keeps its digits, although JAX would convert it to float32."""
    schedule = UNEVEN[name]
    eager = np.asarray(schedule(ODD))
    assert worst(eager, schedule, ODD) <= 4
    closed = jax.jit(lambda: schedule(ODD))()
    assert worst(closed, schedule, ODD) <= 4
    for step, rate in zip(ODD, eager, strict=True):
        assert schedule(step) == rate
        assert schedule(float(step)) == rate


@pytest.mark.thorough
def test_jax_floats_are_what_they_are():
    steps = jnp.array([16_777_216.0, 2.0**30, 2.0**31 - 128], jnp.float32)
    known = np.asarray(steps, np.float64)
    for narrow, name, schedule, rates in paths(MOVING, steps):
        if narrow:
            assert worst_in_float32(rates, schedule, known) <= 1, name
        else:
            assert worst(rates, schedule, known) <= 4, name


FORMULAS = {
    "exponential": js.Exponential(0.1, 0.5, 10),
    "growing exponential": js.Exponential(0.1, 1.5, 10),
    "inverse square root": js.InversePower(0.3, 10, 0.5),
    "inverse power": js.InversePower(0.3, 60, 3.0),
    "logistic": js.Logistic(0.3, 0.1, 5, 20),
    "a function": js.Lambda(lambda step: 0.3 / (1 + step)),
    "reflect": js.reflect(js.Linear(0.1, 0.3, 10), 20),
    "staircase": js.staircase(js.Exponential(0.1, 0.5, 10), 7),
    "growing cycle": js.cycle(js.Exponential(0.1, 0.5, 10), 30, 2.0, 0.5),
}
"""Schedules whose formulas extend to steps before their start."""


@pytest.mark.thorough
def test_before_its_start_a_schedule_is_at_its_first_rate():
    steps = np.array([0, 1, 98, 99, 100, 101, 150], np.int32)
    later = {name: js.shift(schedule, 100) for name, schedule in FORMULAS.items()}
    for narrow, name, schedule, rates in paths(later, steps):
        np.testing.assert_array_equal(np.asarray(rates)[:4], np.float32(FORMULAS[name](0)), name)
        if narrow:
            assert worst_in_float32(rates, schedule, steps) <= 1, name
        else:
            assert worst(rates, schedule, steps) <= 4, name
    for schedule in FORMULAS.values():
        for early in (-3, np.int8(-100), jnp.float32(-2.5), -np.inf):
            assert schedule(early) == schedule(0)


def test_steps_before_the_start_and_beyond_the_end_of_the_clock():
    schedules = {name: FORMULAS[name] for name in ("inverse power", "logistic", "growing cycle")}
    steps = np.int32([-1, -7, -(2**31)]), np.float32([-0.5, -7, -np.inf]), np.float32([2**53, 2**60, np.inf])
    for narrow in (False, True):
        with float32_path() if narrow else contextlib.nullcontext():
            every = quickly(lambda steps: {name: [*map(each, steps)] for name, each in schedules.items()})
            rates = every(steps)
        for name, schedule in schedules.items():
            *early, late = rates[name]
            np.testing.assert_array_equal(np.stack(early), np.float32(schedule(0)), name)
            assert np.isfinite(late).all()
            np.testing.assert_array_equal(late, late[0], name)
    with enable_x64(True):
        # In int32 this would be step 1000.
        assert schedules["inverse power"](jnp.int64(1000 - 2**40)) == schedules["inverse power"](0)


LARGE = {
    "product": js.Linear(3e38, 1e30, 10) * js.Linear(1e30, 3e38, 10),
    "product of three": js.Constant(1e30) * 1e30 * js.Linear(1.0, 0.0, 5),
    "negative product": -3e38 * js.Linear(1e30, 2e30, 10),
    "sum": js.Linear(3e38, 2e38, 10) + 3e38,
    "negative sum": js.Linear(-3e38, -2e38, 10) - 3e38,
    "sum of what overflows and what takes it back": (js.Constant(3e38) + 3e38) - 3e38,
    "growing cycle": js.cycle(js.Linear(0.3, 0.1, 4), 4, value_factor=1e6),
    "growing cycle of large rates": js.cycle(js.Linear(3e38, 1e38, 4), 4, 2.0, value_factor=10.0),
    "growing cycle of nothing": js.cycle(js.Linear(1.0, 0.0, 4), 4, value_factor=3e38),
    "growing exponential": js.Exponential(0.3, 10.0),
    "growing exponential of large rates": js.Exponential(-3e38, 3e38),
}


def test_what_overflows_stays_finite():
    steps = np.array([*range(48), 200, 1000, LAST], np.int32)
    for narrow, name, schedule, rates in paths(LARGE, steps):
        assert np.isfinite(rates).all(), name
        if not narrow:
            assert worst(rates, schedule, steps) <= 4, name


def test_a_sudden_logistic():
    """The odds overflow on either side of the midpoint."""
    steps = np.array([0, 10, 49, 50, 51, 1000, LAST], np.int32)
    expected = np.float32([0.3, 0.3, 0.3, 0.2, 0.1, 0.1, 0.1])
    sudden = {str(scale): js.Logistic(0.3, 0.1, 50, scale) for scale in (1e-3, 1e-10, 1e-30, 1e-37)}
    for _, _, _, rates in paths(sudden, steps):
        np.testing.assert_array_max_ulp(np.asarray(rates), expected, 2)
    slopes = jax.jit(jax.grad(lambda schedule: schedule(steps).sum()))
    for schedule in sudden.values():
        assert np.isfinite(jax.tree.leaves(slopes(schedule))).all()


def test_clip_between_equal_bounds():
    schedule = js.clip(js.Linear(0.3, 0.0, 10), 0.2, 0.2)
    for _, _, _, rates in paths({"clip": schedule}, np.arange(12)):
        np.testing.assert_array_equal(np.asarray(rates), np.float32(0.2))
    assert js.parse(repr(schedule)) == schedule
