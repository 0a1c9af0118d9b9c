"""The algebraic laws, on compositions with random numbers and at random steps."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selection import by_default

import jaxsched as js
from catalogue import reference
from jaxsched.testing import float32_path

lengths = st.integers(0, 40)
periods = st.integers(1, 12)
rates = st.sampled_from([0.01, 0.1, 0.25, 0.5, 2.0])
steps = st.lists(st.integers(0, 200), min_size=8, max_size=8).map(lambda steps: np.array(steps, np.int32))

# A call compiles one program per structure, and one per number with a special case, such as a rate of 0. So
# structures and such numbers come from a short list, and only the other numbers are drawn at random.
SHAPES = {
    "constant": st.builds(js.Constant, st.sampled_from([0.0, 0.01, 0.25, 1.0])),
    "linear": st.builds(js.Linear, rates, rates, lengths),
    "to nothing": st.builds(js.Linear, rates, st.just(0.0), lengths),
    "cosine": st.builds(js.Cosine, rates, rates, lengths),
    "from nothing": st.builds(js.Cosine, st.just(0.0), rates, lengths),
    "exponential": st.builds(js.Exponential, rates, st.sampled_from([0.5, 0.9, 1.0]), st.integers(2, 10)),
}
linear, cosine, exponential = SHAPES["linear"], SHAPES["cosine"], SHAPES["exponential"]
SCHEDULES = {
    **SHAPES,
    "warmup": st.builds(js.warmup, SHAPES["to nothing"], lengths, rates),
    "warmup from nothing": st.builds(js.warmup, exponential, lengths),
    "cooldown": st.builds(js.cooldown, exponential, lengths, lengths),
    "join": st.builds(lambda a, b, n: js.join([a, b], [n]), cosine, exponential, lengths),
    "join of lines": st.builds(lambda a, b, n: js.join([a, b], [n]), linear, linear, lengths),
    "cycle": st.builds(js.cycle, linear, periods),
    "shift": st.builds(js.shift, cosine, st.integers(-20, 20)),
    "stretch": st.builds(js.stretch, linear, st.sampled_from([1, 2, 4, 0.5])),
    "staircase": st.builds(js.staircase, SHAPES["from nothing"], periods),
    "reflect": st.builds(js.reflect, exponential, periods),
    "product": st.builds(lambda a, b: a * b, linear, exponential),
    "sum": st.builds(lambda a, b: a + b, cosine, SHAPES["constant"]),
}
"""Schedules by their structure: every combinator, and every shape in a combinator."""

some = settings(max_examples=20, deadline=None)


def structures(first, later):
    """Parametrizes a test by structure. Those in `later` are thorough."""
    marked = [pytest.param(name, marks=pytest.mark.thorough) for name in later.split(", ")]
    return pytest.mark.parametrize("kind", [*first.split(", "), *marked])


def of(*strategies):
    """Runs the decorated check on examples of these strategies."""

    def run(check):
        some(given(*strategies)(check))()

    return run


CLOCKS = {
    "shift": (js.shift, st.integers(-20, 20)),
    "stretch": (js.stretch, st.sampled_from([1, 2, 3, 7, 0.5])),
    "staircase": (js.staircase, periods),
    "per_epoch": (js.per_epoch, periods),
    "reflect": (js.reflect, periods),
    "cycle": (js.cycle, periods),
    "growing cycle": (lambda s, n: js.cycle(s, n, length_factor=2), periods),
}


def same(left, right, steps):
    np.testing.assert_array_max_ulp(np.asarray(left(steps)), np.asarray(right(steps)), 2)


@structures("linear, cooldown, sum", "join, cycle, product")
def test_what_changes_nothing(kind):
    @of(SCHEDULES[kind], rates, steps)
    def check(s, rate, steps):
        for other in (
            js.join([s], []),
            js.warmup(s, 0, rate),
            js.shift(s, 0),
            js.stretch(s, 1),
            1.0 * s,
            s + 0.0,
        ):
            same(other, s, steps)


@structures(
    "to nothing + exponential + cosine, linear + linear + linear",
    "constant + from nothing + linear, exponential + exponential + constant",
)
def test_join_is_associative(kind):
    @of(*(SHAPES[name] for name in kind.split(" + ")), lengths, lengths, steps)
    def check(a, b, c, m, n, steps):
        flat = js.join([a, b, c], [n, n + m])
        same(js.join([a, js.join([b, c], [m])], [n]), flat, steps)
        same(js.join([js.join([a, b], [n]), c], [n + m]), flat, steps)


@structures(
    "warmup + cycle, shift + shift, staircase + linear",
    "sum + join, exponential + product, stretch + reflect",
)
def test_join_gives_each_part_its_own_clock(kind):
    @of(*(SCHEDULES[name] for name in kind.split(" + ")), lengths, steps)
    def check(a, b, n, steps):
        joined = np.asarray(js.join([a, b], [n])(steps))
        before = steps < n
        np.testing.assert_array_max_ulp(joined[before], np.asarray(a(steps))[before], 2)
        after = np.asarray(b(np.maximum(steps - n, 0)))
        np.testing.assert_array_max_ulp(joined[~before], after[~before], 2)


@structures("from nothing, warmup, product", "join of lines, reflect, stretch")
def test_warmup_then_its_own_step_zero(kind):
    @of(SCHEDULES[kind], lengths, st.one_of(rates, st.just(0.0)), steps)
    def check(s, n, init, steps):
        schedule = js.warmup(s, n, init)
        np.testing.assert_array_max_ulp(np.asarray(schedule(steps + n)), np.asarray(s(steps)), 2)
        if n:
            assert schedule(0) == np.float32(init)


@structures("cosine, cycle, warmup from nothing", "constant, join, shift")
def test_cooldown_leaves_from_the_rate_it_has(kind):
    @of(SCHEDULES[kind], lengths, steps)
    def check(s, start, steps):
        schedule = js.cooldown(s, start, 10)
        until = steps <= start
        rates = np.asarray(schedule(steps))
        np.testing.assert_array_max_ulp(rates[until], np.asarray(s(steps))[until], 2)
        assert schedule(start + 10) == 0


@structures("to nothing + exponential", "cosine + constant, linear + from nothing, exponential + linear")
@pytest.mark.parametrize("clock", by_default(["staircase", "reflect", "growing cycle"], CLOCKS))
def test_products_and_sums_commute_with_clocks(clock, kind):
    change, numbers = CLOCKS[clock]

    @of(*(SHAPES[name] for name in kind.split(" + ")), numbers, steps)
    def check(a, b, n, steps):
        same(change(a * b, n), change(a, n) * change(b, n), steps)
        same(change(a + b, n), change(a, n) + change(b, n), steps)


@structures("exponential, warmup, join of lines", "to nothing, reflect, staircase")
def test_clocks_are_what_they_say(kind):
    @of(SCHEDULES[kind], st.sampled_from([1, 2, 3, 5]), steps)
    def check(s, n, steps):
        same(js.stretch(s, n), lambda t: s(t / n), steps * n)
        same(js.staircase(s, n), lambda t: s(t // n * n), steps)
        same(js.per_epoch(s, n), lambda t: s(t // n), steps)
        same(js.per_epoch(s, n), js.staircase(js.stretch(s, n), n), steps)
        same(js.shift(s, n), lambda t: s(np.maximum(t - n, 0)), steps)
        same(js.shift(s, -n), lambda t: s(t + n), steps)
        same(js.cycle(s, n), lambda t: s(t % n), steps)


@structures("cosine, stretch, join", "constant, cooldown, cycle")
def test_operators(kind):
    @of(SCHEDULES[kind], steps)
    def check(s, steps):
        rates = np.asarray(s(steps))
        np.testing.assert_array_max_ulp(np.asarray((2 * s)(steps)), 2 * rates, 1)
        np.testing.assert_array_equal(np.asarray((-s)(steps)), -rates)
        np.testing.assert_array_equal(np.asarray((s - s)(steps)), 0 * rates)
        # A difference near 0 has no significant digits to compare.
        np.testing.assert_allclose((1 - s)(steps), 1 - rates.astype(float), rtol=2**-18, atol=2**-23)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_text_round_trip(kind):
    @of(SCHEDULES[kind])
    def check(s):
        again = js.parse(repr(s))
        assert again == s
        assert hash(again) == hash(s)
        assert repr(again) == repr(s)


def test_restarts_are_exact():
    """Every restart begins at the inner schedule's step 0; logarithms alone would miss some."""
    for first, factor in [(1, 3), (1, 10), (7, 2), (10, 1.5), (10, 1.1), (40, 1.25), (3, 1)]:
        schedule = js.cycle(js.Linear(1.0, 0.0, first), first, length_factor=factor)
        starts, start, length = [], 0.0, float(first)
        while start < 10**6 and len(starts) < 60:
            starts.append(start)
            start, length = start + length, length * factor
        whole = [round(x) for x in starts if abs(x - round(x)) < 1e-6]
        same_size = np.resize(np.array(whole, np.int32), 60)  # one length, so one program
        assert (np.asarray(schedule(same_size)) == 1).all(), (first, factor)


def test_shrinking_cycles_end():
    schedule = js.cycle(js.Linear(1.0, 0.25, 8), 8, length_factor=0.5, value_factor=0.5, cycles=3)
    rates = np.asarray(schedule(np.arange(20)))
    np.testing.assert_allclose(rates[[0, 4, 8, 10, 12, 13]], [1, 0.625, 0.5, 0.3125, 0.25, 0.15625])
    np.testing.assert_allclose(rates[14:], 0.0625)


@pytest.mark.parametrize(
    ("first", "factor", "cycles"),
    [
        (50, 0.5, 25),
        (50, 0.9, 600),
        (10**8, 0.5, 40),
        (1000, 0.99, 700),
        (7, 0.3, 30),
        (64, 0.75, 2),
        (90, 0.1, 400),
    ],
)
def test_shrinking_cycles_end_in_the_last_one(first, factor, cycles):
    schedule = js.cycle(js.Linear(0.3, 0.5, first), first, factor, value_factor=0.9995, cycles=cycles)
    limit = round(first / (1 - factor))
    steps = np.array([first, limit - 5, limit - 1, limit, limit + 1, 2 * limit, 2**31 - 1], np.int32)
    expected = [reference.rate(schedule, step) for step in steps.tolist()]
    for built in (schedule, reference.without_shortcuts(schedule)):
        assert max(map(reference.ulps, built(steps), expected)) <= 4


@pytest.mark.parametrize("path", [contextlib.nullcontext, float32_path])
@pytest.mark.parametrize(("factor", "cycles"), [(0.5, 25), (0.5, 1100), (0.9, 1000)])
def test_the_last_of_shrinking_cycles_ends_once(path, factor, cycles):
    """No cycle begins at the step to which the starts of the last ones are rounded."""
    schedule = js.cycle(js.Linear(0.3, 0.0, 50), 50, factor, cycles=cycles)
    end = round(50 / (1 - factor))
    assert schedule.duration() == end
    with path():
        for built in (schedule, reference.without_shortcuts(schedule)):
            np.testing.assert_array_equal(built(np.array([end, end + 1, 2**31 - 1], np.int32)), 0)
