"""The algebraic laws, over random compositions and steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxsched as js

lengths = st.integers(0, 40)
periods = st.integers(1, 12)
rates = st.sampled_from([0.0, 0.01, 0.1, 0.25, 0.5, 1.0, 2.0])
steps = st.lists(st.integers(0, 200), min_size=8, max_size=8).map(lambda steps: np.array(steps, np.int32))

shapes = st.one_of(
    st.builds(js.Constant, rates),
    st.builds(js.Linear, rates, rates, lengths),
    st.builds(js.Cosine, rates, rates, lengths),
    st.builds(js.Exponential, rates, st.sampled_from([0.5, 0.9, 1.0]), st.integers(1, 10)),
)


def compositions(parts):
    return st.one_of(
        st.builds(js.warmup, parts, lengths, rates),
        st.builds(js.cooldown, parts, lengths, lengths),
        st.builds(lambda a, b, n: js.join([a, b], [n]), parts, parts, lengths),
        st.builds(js.cycle, parts, periods),
        st.builds(js.shift, parts, st.integers(-20, 20)),
        st.builds(js.stretch, parts, st.sampled_from([1, 2, 4, 0.5])),
        st.builds(js.staircase, parts, periods),
        st.builds(js.reflect, parts, periods),
        st.builds(lambda a, b: a * b, parts, parts),
        st.builds(lambda a, b: a + b, parts, parts),
    )


# Two levels: every pair of combinators meets, and what is compiled stays small.
schedules = st.one_of(shapes, compositions(shapes))
few = settings(max_examples=8, deadline=None)

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


@few
@given(schedules, rates, steps)
def test_what_changes_nothing(s, rate, steps):
    for other in (
        js.join([s], []),
        js.warmup(s, 0, rate),
        js.shift(s, 0),
        js.stretch(s, 1),
        1.0 * s,
        s + 0.0,
    ):
        same(other, s, steps)


@few
@given(shapes, shapes, shapes, lengths, lengths, steps)
def test_join_is_associative(a, b, c, m, n, steps):
    flat = js.join([a, b, c], [n, n + m])
    same(js.join([a, js.join([b, c], [m])], [n]), flat, steps)
    same(js.join([js.join([a, b], [n]), c], [n + m]), flat, steps)


@few
@given(schedules, schedules, lengths, steps)
def test_join_gives_each_part_its_own_clock(a, b, n, steps):
    joined = np.asarray(js.join([a, b], [n])(steps))
    before = steps < n
    np.testing.assert_array_max_ulp(joined[before], np.asarray(a(steps))[before], 2)
    np.testing.assert_array_max_ulp(joined[~before], np.asarray(b(np.maximum(steps - n, 0)))[~before], 2)


@few
@given(schedules, lengths, rates, steps)
def test_warmup_then_its_own_step_zero(s, n, init, steps):
    schedule = js.warmup(s, n, init)
    np.testing.assert_array_max_ulp(np.asarray(schedule(steps + n)), np.asarray(s(steps)), 2)
    if n:
        assert schedule(0) == np.float32(init)


@few
@given(schedules, lengths, steps)
def test_cooldown_leaves_from_the_rate_it_has(s, start, steps):
    schedule = js.cooldown(s, start, 10)
    until = steps[steps <= start]
    np.testing.assert_array_max_ulp(np.asarray(schedule(until)), np.asarray(s(until)), 2)
    assert schedule(start + 10) == 0


@pytest.mark.parametrize("clock", CLOCKS)
def test_products_and_sums_commute_with_clocks(clock):
    change, numbers = CLOCKS[clock]

    @few
    @given(shapes, shapes, numbers, steps)
    def check(a, b, n, steps):
        same(change(a * b, n), change(a, n) * change(b, n), steps)
        same(change(a + b, n), change(a, n) + change(b, n), steps)

    check()


@few
@given(schedules, st.sampled_from([1, 2, 3, 5]), steps)
def test_clocks_are_what_they_say(s, n, steps):
    same(js.stretch(s, n), lambda t: s(t / n), steps * n)
    same(js.staircase(s, n), lambda t: s(t // n * n), steps)
    same(js.per_epoch(s, n), lambda t: s(t // n), steps)
    same(js.per_epoch(s, n), js.staircase(js.stretch(s, n), n), steps)
    same(js.shift(s, n), lambda t: s(np.maximum(t - n, 0)), steps)
    same(js.shift(s, -n), lambda t: s(t + n), steps)
    same(js.cycle(s, n), lambda t: s(t % n), steps)


@few
@given(schedules, steps)
def test_operators(s, steps):
    rates = np.asarray(s(steps))
    np.testing.assert_array_max_ulp(np.asarray((2 * s)(steps)), 2 * rates, 1)
    np.testing.assert_array_equal(np.asarray((-s)(steps)), -rates)
    np.testing.assert_array_equal(np.asarray((s - s)(steps)), 0 * rates)
    np.testing.assert_array_max_ulp(
        np.asarray((1 - s)(steps)), (1 - rates.astype(float)).astype(np.float32), 64
    )


@few
@given(schedules)
def test_text_round_trip(s):
    again = js.parse(repr(s))
    assert again == s
    assert hash(again) == hash(s)
    assert repr(again) == repr(s)


def test_restarts_are_exact():
    """At every restart the schedule is at its step 0, wherever logarithms would put it."""
    for first, factor in [(1, 3), (1, 10), (7, 2), (10, 1.5), (10, 1.1), (40, 1.25), (3, 1)]:
        schedule = js.cycle(js.Linear(1.0, 0.0, first), first, length_factor=factor)
        starts, start, length = [], 0.0, float(first)
        while start < 10**6 and len(starts) < 60:
            starts.append(start)
            start, length = start + length, length * factor
        whole = [round(x) for x in starts if abs(x - round(x)) < 1e-6]
        assert (np.asarray(schedule(np.array(whole, np.int32))) == 1).all(), (first, factor)


def test_shrinking_cycles_end():
    schedule = js.cycle(js.Linear(1.0, 0.25, 8), 8, length_factor=0.5, value_factor=0.5, cycles=3)
    rates = np.asarray(schedule(np.arange(20)))
    np.testing.assert_allclose(rates[[0, 4, 8, 10, 12, 13]], [1, 0.625, 0.5, 0.3125, 0.25, 0.15625])
    np.testing.assert_allclose(rates[14:], 0.0625)
