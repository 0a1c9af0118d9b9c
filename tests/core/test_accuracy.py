"""Promise 5, accuracy: every case against its formula in real arithmetic, at all horizons, on both paths."""

from __future__ import annotations

import contextlib
import functools

import jax
import numpy as np
import pytest
from mpmath import mp
from selection import by_default

import jaxsched as js
from catalogue import reference
from catalogue.cases import CASES, COMBINATORS, EVERY, HORIZONS, PRESET_VARIANTS, PRESETS, SHAPES, VARIANTS
from catalogue.reference import some_steps, worst, worst_in_float32, worst_in_x64
from jaxsched._core.versions import enable_x64
from jaxsched.testing import float32_path


@functools.cache
def as_argument():
    return jax.jit(lambda schedule, steps: schedule(steps))


def bound(name):
    """The error bound in ulps: one rounding for a shape, a few for a composition."""
    return 1 if name in SHAPES | VARIANTS else 4


FRACTIONS = {
    *("cycle decimal", "cycle growing", "cycle doubling", "warm_restarts"),
    *("one_cycle", "one_cycle_momentum", "one_cycle linear in three phases"),
}
"""The cases whose boundaries or clocks are not integers."""


SMOKE = ("cosine", "exponential", "table", "warmup", "cycle growing", "one_cycle")
"""The cases to test with every set of versions."""


def every_case(*later):
    """By default all but those in `later`, whose classes the others have too."""
    for name in EVERY:
        marks = [pytest.mark.smoke] * (name in SMOKE)
        marks += [pytest.mark.thorough] * any(name in cases for cases in later)
        yield pytest.param(name, marks=marks)


@pytest.mark.parametrize(
    "horizons",
    [HORIZONS[::2], pytest.param(HORIZONS[1::2], marks=pytest.mark.thorough)],
    ids=["half", "others"],
)
@pytest.mark.parametrize("name", list(every_case(VARIANTS, PRESET_VARIANTS)))
def test_float64_path(name, horizons):
    for horizon in horizons:
        schedule, steps = EVERY[name](horizon), some_steps(horizon)
        assert worst(schedule(steps), schedule, steps) <= bound(name), horizon
        with enable_x64(True):
            rates = schedule(steps)
        assert worst_in_x64(rates, schedule, steps, fractions=name in FRACTIONS) <= 1, horizon


@pytest.mark.parametrize("name", by_default(("cosine", "table", "knots", "cycle growing", "join"), EVERY))
def test_float64_path_as_an_argument(name):
    for horizon in HORIZONS:
        schedule, steps = EVERY[name](horizon), some_steps(horizon)
        rates = as_argument()(schedule, steps)
        assert worst(rates, reference.as_argument(schedule), steps) <= bound(name), horizon


def every_case_at_every_horizon():
    """By default the cases of the catalogue at one far horizon, and some at two more: each is a program."""
    for name in EVERY:
        for horizon in HORIZONS:
            some = name in SMOKE and horizon in (10, 16_777_259)
            marks = [pytest.mark.smoke] * (name in SMOKE)
            far = name in CASES and horizon == 1_900_000_001
            marks += [pytest.mark.thorough] * (not some and not far)
            yield pytest.param(name, horizon, marks=marks)


@pytest.mark.parametrize(("name", "horizon"), list(every_case_at_every_horizon()))
def test_float32_path(name, horizon):
    schedule, steps = EVERY[name](horizon), some_steps(horizon)
    with float32_path():
        assert worst_in_float32(schedule(steps), schedule, steps) <= 1


GROUPS = {
    "shapes": list(SHAPES | VARIANTS),
    "combinators": list(COMBINATORS),
    "presets": list(PRESETS | PRESET_VARIANTS),
}
"""The catalogue, to be compiled as a few programs."""


def together(schedules):
    """One program with all of these schedules as constants."""
    return jax.jit(lambda steps: [schedule(steps) for schedule in schedules])


@pytest.mark.parametrize("horizon", by_default((1_900_000_001,), HORIZONS))
@pytest.mark.parametrize("group", by_default(("combinators",), GROUPS))
def test_closed_over(group, horizon):
    """Schedules that the compiler sees as constants are as exact, on either path."""
    names = [name for name in GROUPS[group] if name in EVERY]
    schedules, steps = [EVERY[name](horizon) for name in names], some_steps(horizon)
    few = {name: EVERY[name](horizon) for name in names if name in SMOKE}
    for name, schedule, rates in zip(names, schedules, together(schedules)(steps), strict=True):
        assert worst(rates, schedule, steps) <= bound(name), name
    with enable_x64(True):
        for (name, schedule), rates in zip(few.items(), together(few.values())(steps), strict=True):
            assert worst_in_x64(rates, schedule, steps, fractions=name in FRACTIONS) <= 1, name
    with float32_path():
        for name, schedule, rates in zip(names, schedules, together(schedules)(steps), strict=True):
            assert worst_in_float32(rates, schedule, steps) <= 1, name


LAST = 2**31 - 1


def around(*steps):
    """Each of these steps with its neighbours, and some steps in between."""
    near = [step + off for step in steps for off in range(-2, 3)]
    spread = np.geomspace(1, max(steps) + 1, 24).astype(np.int64)
    return np.unique(np.clip([*near, *spread.tolist()], 0, LAST)).astype(np.int32)


def starts(length, factor):
    """The steps at which growing cycles of this length and factor begin."""
    found, start = [], 0.0
    while start <= LAST:
        found.append(round(start))
        start, length = start + length, length * factor
    return found


COSINE = js.Cosine(0.3, 0.01, 1_000_003)

CLOCKS = {
    "cycles that double": (js.cycle(js.Linear(0.3, 0.01, 1000), 1000, 2.0), around(*starts(1000, 2))),
    "cycles that grow by half": (
        js.cycle(js.Cosine(0.3, 0.01, 1024), 1024, 1.5, 0.9),
        around(*starts(1024, 1.5)),
    ),
    "cycles that grow by a tenth": (
        js.cycle(js.Linear(0.3, 0.01, 10_000), 10_000, 1.1),
        around(*starts(10_000, 1.1)[:5], 2**24, 2**28),
    ),
    "cycles of an odd length": (js.cycle(COSINE, 1_000_003), around(*(1_000_003 * k for k in (1, 17, 2146)))),
    "epochs": (js.per_epoch(js.Linear(0.3, 0.01, 5000), 3907), around(*(3907 * k for k in (1, 999, 4999)))),
    "epochs beyond float32": (
        js.per_epoch(js.Cosine(0.3, 0.01, 40), 50_000_017),
        around(*(50_000_017 * k for k in (1, 7, 39, 40))),
    ),
    "epochs of no whole length": (js.per_epoch(js.Linear(0.3, 0.01, 5000), 390.625), around(2**18, 2**20)),
    "stairs": (js.staircase(COSINE, 30_011), around(*(30_011 * k for k in (1, 20, 33, 34)))),
    "there and back": (js.reflect(js.Linear(0.01, 0.3, 7_000_001), 14_000_002), around(7_000_001, 2**26)),
    "a join": (
        js.join(
            [0.1, js.Cosine(0.3, 0.1, 2**23), js.Linear(0.2, 0.02, 2**30), 0.05],
            [2**23 + 1, 2**24 + 3, 2**30],
        ),
        around(2**23 + 1, 2**24 + 3, 2**30),
    ),
    "a long warmup": (js.warmup(COSINE, 2**24 + 5), around(2**24 + 5, 2**24 + 1_000_008)),
    "a late cooldown": (js.cooldown(0.3, 2**30 + 1, 2**20 + 1), around(2**30 + 1, 2**30 + 2**20 + 2)),
    "far later": (js.shift(COSINE, 2.0**31), around(2**24, LAST)),
    "far earlier": (js.shift(js.Linear(0.3, 0.01, 3e9), -(2.0**31)), around(2**24, LAST)),
    "long ago": (js.shift(COSINE, -(2.0**31)), around(2**24, LAST)),
    "a longer life than int32": (js.Linear(0.3, 0.0, 1e12), around(2**24, LAST)),
    "a cosine longer than int32": (js.Cosine(0.3, 0.0, 3e9), around(2**24, LAST)),
    "the last step": (js.warmup(js.Constant(0.3), LAST, first_step=1), around(LAST)),
    "beyond the last step": (js.warmup(js.Cosine(0.3, 0, 9), 2.0**31, first_step=1), around(LAST)),
    "an end beyond float32": (js.Linear(0.3, 0.0, 2**24 + 9), around(2**24, 2**24 + 9)),
    "an exponential from far": (js.Exponential(0.1, 0.9999), around(300_000)),
    "exponentials from far in a join": (
        js.join([js.Exponential(0.1, 0.9999), js.Exponential(0.2, 0.9998)], [250_000]),
        around(240_000, 400_000),
    ),
    "an exponential over far": (js.Exponential(0.1, 0.5, 250_000_007), around(2**24, LAST)),
    "a fast clock": (js.stretch(js.Cosine(0.3, 0.01, 1_000_000_007), 0.001), around(2**14, 1_000_000)),
}
"""Schedules for which the precision of the clock matters, and steps at which it does."""

SPEEDS = {"a fast clock": 1000}


def every(inputs):
    """The rates of all schedules in `CLOCKS`."""
    return [schedule(steps) for (schedule, _), steps in zip(CLOCKS.values(), inputs, strict=True)]


@pytest.mark.parametrize("function", [every, jax.jit(lambda inputs: every(inputs))], ids=["eager", "closed"])
def test_clocks(function):
    inputs = [steps for _, steps in CLOCKS.values()]
    for (name, (schedule, steps)), rates in zip(CLOCKS.items(), function(inputs), strict=True):
        assert worst(rates, schedule, steps) <= 4, name


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "closed"])
def test_clocks_in_float32(compiled):
    inputs = [steps for _, steps in CLOCKS.values()]
    with float32_path():
        results = (jax.jit(lambda inputs: every(inputs)) if compiled else every)(inputs)
    for (name, (schedule, steps)), rates in zip(CLOCKS.items(), results, strict=True):
        assert worst_in_float32(rates, schedule, steps, SPEEDS.get(name, 1)) <= 1, name


def edges(*steps):
    return np.unique([int(step) + off for step in steps for off in (-1, 0, 1)]).astype(np.int32)


IRREGULAR = np.cumsum(np.random.default_rng(0).integers(1, 10**8, 39)).tolist()

EDGES = {
    "levels": (
        js.Piecewise([0.3, 0.1, 0.03, 0.02, 0.01], [10, 2**24 + 1, 2**30 + 7, LAST - 1]),
        edges(10, 2**24 + 1, 2**30 + 7, LAST - 1),
    ),
    "levels between steps": (
        js.Piecewise([0.3, 0.1, 0.03], [10.5, 2**24 + 0.5]),
        edges(10, 11, 2**24, 2**24 + 1),
    ),
    "parts of two kinds": (
        js.join(
            [0.1, js.Linear(0.3, 0.2, 2**25), 0.4, js.Linear(0.9, 0.5, 2**25)], [7, 2**25 + 7, 2**29 + 1]
        ),
        edges(7, 2**25 + 7, 2**29 + 1),
    ),
    "many parts": (
        js.join([0.01 * (1 + i % 7) for i in range(40)], IRREGULAR),
        edges(*IRREGULAR),
    ),
    "jumps between ramps": (
        js.knots([0.1, 0.3, 0.2, 0.05], [2**24 + 1, 2**25 + 3, 2**25 + 3, 2**26 + 5]),
        edges(2**24 + 1, 2**25 + 3, 2**26 + 5),
    ),
    "the end of a warmup": (js.warmup(js.Constant(0.3), 2**24 + 1, 0.1), edges(0, 2**24 + 1)),
    "a cooldown of nothing": (js.cooldown(0.3, 2**28 + 1, 0, 0.1), edges(2**28 + 1)),
    "the end of a line": (js.Linear(0.3, 0.1, 2**24 + 1), edges(2**24 + 1)),
    "an end between steps": (js.OneMinusSqrt(0.3, 0.0, 2**24 + 0.5), edges(2**24, 2**24 + 1)),
    "a cooldown from between steps": (
        js.cooldown(js.Piecewise([0.3, 0.1], [2**24 + 1]), 2**24 + 2.5, 8),
        edges(2**24 + 1, 2**24 + 11),
    ),
    "the end of a cosine": (js.Cosine(0.3, 0.0, 1_900_000_001), edges(1_900_000_001)),
    "restarts": (
        js.cycle(js.Linear(0.3, 0.1, 2**20 + 7), 2**20 + 7),
        edges(*((2**20 + 7) * k for k in (1, 16, 17, 1000, 2047))),
    ),
    "restarts of one step": (js.cycle(js.Linear(0.3, 0.1, 1), 1), edges(2**24 + 1, 2**30 + 1)),
    "restarts of a third": (js.cycle(js.Linear(0.3, 0.1, 3), 3), edges(3, 2**24 + 2, 3 * 10**8, 3 * 7**10)),
    "cycles of no whole length": (
        js.cycle(js.Linear(0.3, 0.1, 390.625), 390.625),
        edges(*(3125 * k for k in (1, 2, 3000, 200_003, 200_006, 320_009, 320_012))),
    ),
    "doubled cycles": (js.cycle(js.Linear(0.3, 0.1, 7), 7, 2.0, 0.9), edges(*starts(7, 2)[1:])),
    "tripled cycles": (js.cycle(js.Linear(0.3, 0.1, 5), 5, 3.0), edges(*starts(5, 3)[1:])),
    "cycles of half as much more": (
        js.cycle(js.Linear(0.3, 0.1, 1024), 1024, 1.5),
        edges(*starts(1024, 1.5)[1:11]),
    ),
    "epochs": (
        js.per_epoch(js.Piecewise([0.1, 0.2, 0.3, 0.4], [17, 5000, 500_000]), 3907),
        edges(*(3907 * k for k in (1, 17, 5000, 500_000))),
    ),
    "stairs": (
        js.staircase(js.Piecewise([0.1, 0.2, 0.3], [30_011 * 17, 30_011 * 5000]), 30_011),
        edges(*(30_011 * k for k in (1, 17, 5000))),
    ),
    "stairs of three steps": (
        js.staircase(js.Piecewise([0.1, 0.2, 0.3], [3 * 10**8, 3 * 7**10]), 3),
        edges(3, 3 * 10**8, 3 * 7**10),
    ),
    "shifted": (js.shift(js.Piecewise([0.1, 0.3], [2**24 + 1]), 2**30), edges(2**30 + 2**24 + 1)),
    "stretched": (js.stretch(js.Piecewise([0.1, 0.3], [2**20]), 4), edges(2**22)),
    "limited cycles of a longer schedule": (
        js.cycle(js.Linear(0.3, 0.1, 20), 8, 2.0, cycles=2),
        edges(8, 24, 50),
    ),
    "limited cycles": (
        js.cycle(js.Linear(0.3, 0.1, 2**22 + 1), 2**22 + 1, value_factor=0.5, cycles=7),
        edges(*((2**22 + 1) * k for k in (1, 6, 7))),
    ),
}
"""Schedules with jumps, and the steps around the jumps. They need no tolerance for a rounded clock."""


@pytest.mark.parametrize("narrow", [False, True], ids=["float64", "float32"])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "closed"])
def test_edges(compiled, narrow):
    """The part, cycle or end that a step belongs to is exact."""

    def rates(inputs):
        return [schedule(steps) for (schedule, _), steps in zip(EDGES.values(), inputs, strict=True)]

    function = jax.jit(rates) if compiled else rates
    inputs = [steps for _, steps in EDGES.values()]
    with float32_path() if narrow else contextlib.nullcontext():
        results = function(inputs)
    for (name, (schedule, steps)), result in zip(EDGES.items(), results, strict=True):
        if narrow:
            assert worst_in_float32(result, schedule, steps, speed=0) <= 1, name
        else:
            assert worst(result, schedule, steps) <= 4, name


PERIODS = ("restarts", "limited cycles", "epochs", "stairs", "stairs of three steps")


@pytest.mark.parametrize("narrow", [False, True], ids=["float64", "float32"])
def test_periods_of_traced_schedules(narrow):
    """Whole lengths are counted as exactly as known ones."""
    schedules, steps = zip(*(EDGES[name] for name in PERIODS), strict=True)
    with float32_path() if narrow else contextlib.nullcontext():
        results = jax.jit(lambda schedules: [each(at) for each, at in zip(schedules, steps, strict=True)])(
            schedules
        )
    for name, schedule, at, rates in zip(PERIODS, schedules, steps, results, strict=True):
        rounded = reference.as_argument(schedule)
        if narrow:
            assert worst_in_float32(rates, rounded, at, speed=0) <= 1, name
        else:
            assert worst(rates, rounded, at) <= 4, name


def restarts(length, factor):
    """The steps at which growing cycles begin, in real arithmetic, up to the end of int32."""
    start, scale, found = mp.mpf(0), mp.mpf(1), []
    while start < LAST - 1000:
        nearest = mp.floor(start + 0.5)
        found.append(int(nearest if abs(start - nearest) <= start * mp.mpf(2) ** -22 else mp.ceil(start)))
        start, scale = start + length * scale, scale * factor
    return found


@pytest.mark.parametrize("narrow", [False, True], ids=["float64", "float32"])
def test_restarts_of_traced_growing_cycles(narrow):
    """Exact in float64 and for integers. Otherwise float32 moves them by no more than documented."""
    rate, rng = jax.jit(lambda schedule, steps: schedule(steps)), np.random.default_rng(0)
    grown = [(float(rng.integers(1, 20_000)), float(np.float32(rng.uniform(1.05, 4)))) for _ in range(12)]
    whole = [(float(rng.integers(1, 5000)), float(factor)) for factor in (2, 3, 5)]
    for length, factor in grown + whole:
        begins, steps, expected = restarts(length, factor), [], []
        for count, begin in enumerate(begins[1:], 1):
            exact = not narrow or (factor.is_integer() and begin < 2**30)
            moved = 0 if exact else max(1, int(4 * np.spacing(np.float32(begin))))
            # A shorter cycle may have ended by the step at which it is certain to have begun.
            if begins[count] - begins[count - 1] > 2 * moved + 2:
                steps += [begin - moved - 1, begin + moved]
                expected += [count - 1, count]
        with float32_path() if narrow else contextlib.nullcontext():
            rates = rate(js.cycle(1.0, length, factor, 0.75), np.resize(np.int32(steps), 1000))
        counts = np.round(np.log(np.asarray(rates, np.float64)) / np.log(0.75))
        np.testing.assert_array_equal(counts[: len(steps)], expected, f"{length}, {factor}")
