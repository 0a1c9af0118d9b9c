"""How many steps of a schedule there are to see, where nobody says how long the run is."""

from __future__ import annotations

import itertools
import math

import jax
import numpy as np

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.schedule import Schedule
from jaxsched._core.span import MOST, Span

UNKNOWN = 100.0
"""How long what says nothing about itself is looked at."""

ROUNDS = 3
"""How many spans of what begins again and again are looked at, or more until it does."""

SETTLED = 0.05
"""An endless rate is looked at until twice the time changes it by less than this fraction of all its way."""

FADED, LIMITLESS = 20.0, 1e30
"""One that grows to more than the latter is looked at until it has grown by the former factor."""


def horizon(*schedules: Schedule) -> int:
    """The number of updates that shows all of some schedules: until nothing new comes.

    That is their `duration()`, the step at which it ends included. A last level, as of `Piecewise` or of a
    `warmup` to a constant, is looked at for as long as what came before it. What never ends is looked at for
    a good while: what begins again and again, as a `cycle`, for three spans and until it begins again, and
    another rate until twice the time changes it by less than a twentieth of its way. A constant, and a rate
    that does not settle, is looked at for 100 steps.

    Args:
      *schedules: concrete schedules, no stacks.

    Returns:
      From 1 to 2**31 - 1.
    """
    length = min(max(map(_length, schedules)) or UNKNOWN, float(LAST_STEP))
    return min(math.ceil(length) + 1, LAST_STEP)


def rates_of(schedule: Schedule, steps: np.ndarray) -> np.ndarray:
    """The rates at steps, also within a traced function, and also where they are not finite."""
    with jax.ensure_compile_time_eval(), jax.debug_nans(False), jax.debug_infs(False):
        return np.asarray(schedule(steps))


def _length(schedule: Schedule) -> float:
    """The time in which something happens, in steps; 0 for what stays at its rate."""
    duration = schedule.duration()
    spans = [*itertools.islice(schedule.spans(math.inf), MOST + 1)]
    if not spans:
        return _settling(schedule) if duration is None else duration
    if duration is None and all(span.until < math.inf for span in spans):
        return _rounds(spans)
    if len(spans) > MOST:
        return duration or 0.0
    length = max(duration or 0.0, *map(_end, spans))
    last = spans[-1].since
    if length == last > 0:
        length += last - max((span.since for span in spans if span.since < last), default=0.0)
    return length


def _end(span: Span) -> float:
    """The time until which a span is looked at."""
    if span.part is None or span.until < math.inf or span.speed <= 0:
        return span.ends() or 0.0
    return span.since + max(_length(span.part) - span.time, 0.0) / span.speed


def _rounds(spans: list[Span]) -> float:
    """The time just before an endless row of spans begins once more as it began."""
    for span in spans[ROUNDS:]:
        if (span.time, span.speed > 0) == (spans[0].time, spans[0].speed > 0):
            return span.since - 1
    return spans[-1].until


def _settling(schedule: Schedule) -> float:
    """The time that an endless rate takes to settle, measured; 0 if it is constant or does not settle."""

    def at(times: np.ndarray) -> np.ndarray:
        return rates_of(schedule, times).astype(np.float64)

    def grown(times: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(at(times)) > FADED * np.abs(rates[0]))

    def moves(times: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(at(2 * times) - at(times)) >= SETTLED * way)

    times = np.concatenate([[0.0], 2.0 ** np.arange(53)])
    rates = at(times)
    way = np.ptp(rates)
    if not np.isfinite(rates).all() or way == 0:
        return 0.0
    if np.abs(rates[-1]) > LIMITLESS:
        first = int(np.argmax(grown(times)))
        near = _between(times, first - 1)
        return float(near[np.argmax(grown(near))])
    last = int(np.flatnonzero(moves(times)).max(initial=0))
    near = _between(times, last)
    settled = int(np.flatnonzero(moves(near)).max(initial=-1)) + 1
    return 0.0 if last > len(times) - 3 else float(near[min(settled, len(near) - 1)])


def _between(times: np.ndarray, index: int) -> np.ndarray:
    """Times from one of a list to the next."""
    index = min(max(index, 0), len(times) - 2)
    return np.linspace(times[index], times[index + 1], 65)
