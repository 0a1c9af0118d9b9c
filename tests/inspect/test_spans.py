"""`spans`, `duration` and `peak` say of a schedule what its rates show."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from selection import by_default

import jaxsched as js
from catalogue.cases import CASES, COMBINATORS, PRESET_VARIANTS, PRESETS, SHAPES, VARIANTS

HORIZON = 203
STEPS = np.arange(2 * HORIZON)

RECLOCKED = {"join", "shift", "stretch", "per_epoch", "staircase", "reflect", "cycle", "warmup", "reclock"}
"""The combinators whose rate is that of one part, at another time and times a factor."""

REPEATED = {
    name: build
    for name, build in (COMBINATORS | PRESETS | PRESET_VARIANTS).items()
    if type(build(HORIZON)).__name__ in RECLOCKED
}


def covered(schedule):
    """Each step that a span with a part covers, with that span."""
    spans = [*itertools.takewhile(lambda span: span.since < STEPS[-1], schedule.spans(STEPS[-1]))]
    assert [span.since for span in spans] == sorted(span.since for span in spans)
    assert all(a.until <= b.since for a, b in itertools.pairwise(spans))
    for span in spans:
        for step in STEPS[(span.since <= STEPS) & (span.until > STEPS)]:
            if span.part is not None:
                yield step, span


@pytest.mark.parametrize("name", by_default(COMBINATORS.keys() & REPEATED, REPEATED))
def test_a_rate_is_that_of_the_part_at_its_time(name):
    schedule = REPEATED[name](HORIZON)
    rates = np.asarray(schedule(STEPS))
    by_part = {}
    for step, span in covered(schedule):
        time = span.part_time(float(step))
        if span.tick:
            time = math.floor(time / span.tick + 1e-9) * span.tick
        by_part.setdefault(id(span.part), (span.part, []))[1].append((step, time, span.factor))
    assert by_part
    for part, seen in by_part.values():
        steps, times, factors = (np.array(each) for each in zip(*seen, strict=True))
        np.testing.assert_allclose(rates[steps], factors * np.asarray(part(times)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", by_default(COMBINATORS, CASES))
def test_nothing_new_comes_after_the_duration(name):
    """A clock that ticks is there at its next tick."""
    schedule = CASES[name](HORIZON)
    spans = [*itertools.islice(schedule.spans(math.inf), 9)]
    tick = max((span.tick / span.speed for span in spans if span.speed > 0), default=0.0)
    duration = schedule.duration()
    if duration is None:
        assert len(set(np.asarray(schedule(STEPS)).tolist())) > 5
    else:
        rates = np.asarray(schedule(math.ceil(duration + tick) + np.arange(2 * HORIZON)))
        assert (rates == rates[0]).all()


@pytest.mark.parametrize("name", [name for name in SHAPES | VARIANTS if name != "exponential growing"])
def test_no_shape_exceeds_its_peak(name):
    schedule = (SHAPES | VARIANTS)[name](HORIZON)
    highest = float(np.abs(np.asarray(schedule(STEPS))).max())
    peak = schedule.peak()
    if peak is not None:
        assert highest <= peak * (1 + 1e-6)
        assert peak <= 2 * highest


@pytest.mark.parametrize(
    ("schedule", "peak"),
    [
        (js.clip(js.Linear(-2.0, 0.0, 9), max_value=0.0), 2.0),
        (js.clip(js.Linear(-2.0, 0.0, 9), -1.0, 0.0), 1.0),
        (js.clip(js.Linear(2.0, 0.0, 9), -1.0, 0.5), 0.5),
        (js.clip(js.Linear(0.5, 0.0, 9), min_value=0.1), 0.5),
    ],
)
def test_the_peak_of_a_clipped_schedule(schedule, peak):
    assert schedule.peak() == peak == np.abs(schedule(np.arange(10))).max()
