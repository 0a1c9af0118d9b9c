"""Boundaries: the steps at which a composition moves from one part to the next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxsched as js
from jaxsched._inspect.timeline import boundaries

LAST = 2**31 - 1

LEVELS = js.join([0.5, 0.4, 0.3, 0.2], [3, 5, 11])

MARKS = {
    "none": (js.Linear(0.3, 0.0, 10), ()),
    "join": (LEVELS, (3, 5, 11)),
    "join of a fraction": (js.join([0.5, 0.4], [2.5]), (3,)),
    "join with an empty part": (js.join([0.5, 0.4, 0.3], [5, 5]), (5,)),
    "piecewise": (js.multi_step(0.3, 0.5, [4, 9, 200]), (4, 9)),
    "warmup": (js.warmup(LEVELS, 10), (10, 13, 15, 21)),
    "no warmup": (js.warmup(LEVELS, 0), (3, 5, 11)),
    "cooldown": (js.cooldown(LEVELS, 7, 5), (3, 5, 7)),
    "knots": (js.knots([0.1, 0.3, 0.2], [0, 4, 20]), (4,)),
    "knots that end in a jump": (js.knots([0.1, 0.3, 0.2], [0, 4, 4]), (4,)),
    "cycle": (js.cycle(LEVELS, 7), (3, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)),
    "cycle growing": (js.cycle(LEVELS, 4, 2), (3, 4, 10, 12, 24, 28)),
    "cycle limited": (js.cycle(LEVELS, 7, cycles=2), (3, 5, 7, 10, 12)),
    "cycle shrinking": (js.cycle(0.3, 16, 0.5, cycles=3), (16, 24)),
    "cycle decimal": (js.cycle(0.3, 10, 1.1), (10, 21)),
    "shift": (js.shift(LEVELS, 4), (7, 9, 15)),
    "shift back": (js.shift(LEVELS, -4), (1, 7)),
    "cycle shifted back": (js.shift(js.cycle(LEVELS, 7), -22), (2, 4, 6, 9, 11, 13, 16, 18, 20, 23, 25, 27)),
    "stretch": (js.stretch(LEVELS, 2), (6, 10, 22)),
    "faster": (js.stretch(LEVELS, 0.5), (2, 3, 6)),
    "per epoch": (js.per_epoch(LEVELS, 2), (6, 10, 22)),
    "per epoch between epochs": (js.per_epoch(js.join([0.5, 0.4], [2.5]), 4), (12,)),
    "staircase": (js.staircase(LEVELS, 2), (4, 6, 12)),
    "clip": (js.clip(LEVELS, 0.25), (3, 5, 11)),
    "product and sum": (LEVELS * js.Piecewise([2, 1], [8]) + js.cycle(0.3, 14), (3, 5, 8, 11, 14, 28)),
    "join of joins": (js.join([LEVELS, js.shift(LEVELS, -4), 0.1], [4, 20]), (3, 4, 5, 11, 20)),
    "reflect": (js.reflect(LEVELS, 12), (3, 5, 6, 8, 10, 12, 15, 17, 18, 20, 22, 24, 27, 29)),
    "reflect in epochs": (js.per_epoch(js.reflect(LEVELS, 12), 2), (6, 10, 12, 16, 20, 24)),
}


@pytest.mark.parametrize(("schedule", "steps"), MARKS.values(), ids=MARKS)
def test_boundaries(schedule, steps):
    assert boundaries(schedule, 30) == steps
    assert boundaries(schedule, 5) == tuple(step for step in steps if step < 5)


SWITCHING = {
    "join": lambda a, b, c: js.join([0.5, 0.4, 0.3], [a, a + b]),
    "shifted": lambda a, b, c: js.shift(js.join([0.5, 0.4, 0.3], [a, a + b]), c - 20),
    "in epochs": lambda a, b, c: js.per_epoch(js.Piecewise([0.5, 0.4, 0.3], [a, a + b]), c),
    "stairs": lambda a, b, c: js.staircase(js.Piecewise([0.5, 0.4, 0.3], [a, a + b]), c),
    "cycle": lambda a, b, c: js.cycle(js.join([0.5, 0.4], [a]), a + b, value_factor=0.9),
    "reflect": lambda a, b, c: js.reflect(js.join([0.5, 0.4], [a]), a + b),
    "reflect in epochs": lambda a, b, c: js.per_epoch(js.reflect(js.join([0.5, 0.4], [a]), a + b), c),
    "cycles reflected": lambda a, b, c: js.reflect(js.cycle(js.join([0.5, 0.4], [a]), a + b), 2 * b + c),
    "cycles in epochs": lambda a, b, c: js.shift(
        js.per_epoch(js.cycle(js.join([0.5, 0.4], [a]), b / 2), c), -a
    ),
}


@given(
    st.sampled_from(sorted(SWITCHING)),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(1, 40),
    st.integers(1, 300),
)
@settings(max_examples=60, deadline=None)
def test_a_rate_of_levels_changes_at_boundaries_only(kind, a, b, c, total):
    schedule = SWITCHING[kind](a, b, c)
    rates = np.asarray(schedule(np.arange(300)))[:total]
    changes = set((np.flatnonzero(np.diff(rates)) + 1).tolist())
    found = set(boundaries(schedule, total))
    assert changes <= found
    if kind in ("join", "shifted", "in epochs", "stairs"):
        assert found == changes


ENDLESS = {
    "restarts at every step": (js.cycle(js.Linear(1, 0, 1), 1), range(1, 1001)),
    "from the middle on": (js.shift(js.cycle(js.Linear(1, 0, 2), 2), -(10**9)), range(2, 2001, 2)),
    "far more often than a step": (js.cycle(0.3, 1e-30), range(1, 2)),
    "growing at once": (js.cycle(0.3, 10, 1e6), (10, 10**7 + 10)),
    "shrinking without end": (js.cycle(0.3, 16, 0.5, cycles=1e30), (16, 24, 28, 30, 31, 32)),
    "long over": (js.shift(js.cycle(0.3, 16, 0.5, cycles=1e30), -100), ()),
    "very slow": (js.stretch(js.stretch(js.cycle(0.3, 1), 1e38), 1e38), ()),
    "very fast": (js.stretch(js.stretch(js.cycle(0.3, 1), 1e-38), 1e-38), range(1, 2)),
    "epochs of restarts": (js.per_epoch(js.cycle(js.cycle(0.3, 2), 4), 5), range(10, 10_001, 10)),
    "2,000 parts": (js.join([0.1] * 2000, list(range(1, 2000))), range(1, 1001)),
}


@pytest.mark.parametrize(("schedule", "steps"), ENDLESS.values(), ids=ENDLESS)
def test_boundaries_are_bounded(schedule, steps):
    assert boundaries(schedule, LAST) == tuple(steps)
