"""The number of steps to show of a schedule when the length of the run is not given."""

from __future__ import annotations

import itertools
import math

import jax
import numpy as np

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.schedule import Schedule
from jaxsched._core.span import MOST, Span

UNKNOWN = 100.0
"""The horizon, in steps, of a constant and of a rate that never settles."""

ROUNDS = 3
"""The least number of spans to show of a schedule that repeats; the last repetition is shown whole."""

SETTLED = 0.05
"""An endless rate has settled when doubling the time changes it by less than this fraction of its range."""

FADED = 20.0
"""An unbounded rate is shown until it has grown by this factor."""

LIMITLESS = 1e30
"""A rate that grows above this is unbounded."""


def horizon(*schedules: Schedule) -> int:
    """The number of updates to show for some schedules: enough for all of them to end.

    - A schedule that ends is shown for its `duration()`, and the step at which it ends.
    - A last level, such as that of `Piecewise` or of a `warmup` to a constant, is shown for as long as the
      level or ramp before it.
    - A schedule that repeats, such as a `cycle`, is shown for at least three spans, up to its next start.
    - Any other endless rate is shown until doubling the time changes it by less than a twentieth of its
      range or, if it is unbounded, until it has grown 20-fold.
    - A constant, and a rate that never settles, is shown for 100 steps.

    Args:
      *schedules: concrete schedules, no stacks.

    Returns:
      An integer from 1 to 2^31 - 1.
    """
    length = min(max(map(_length, schedules)) or UNKNOWN, float(LAST_STEP))
    return min(math.ceil(length) + 1, LAST_STEP)


def rates_of(schedule: Schedule, steps: np.ndarray) -> np.ndarray:
    """The rates at some steps, finite or not; it also works inside a traced function."""
    with jax.ensure_compile_time_eval(), jax.debug_nans(False), jax.debug_infs(False):
        return np.asarray(schedule(steps))


def _length(schedule: Schedule) -> float:
    """The time in steps during which the rate changes; 0 for a constant rate."""
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
    """The time up to which a span is shown."""
    if span.part is None or span.until < math.inf or span.speed <= 0:
        return span.ends() or 0.0
    return span.since + max(_length(span.part) - span.time, 0.0) / span.speed


def _rounds(spans: list[Span]) -> float:
    """The time just before an endless sequence of spans starts again as it began."""
    for span in spans[ROUNDS:]:
        if (span.time, span.speed > 0) == (spans[0].time, spans[0].speed > 0):
            return span.since - 1
    return spans[-1].until


def _settling(schedule: Schedule) -> float:
    """The time in which a rate settles, measured; 0 if it is constant or never settles."""

    def at(times: np.ndarray) -> np.ndarray:
        return rates_of(schedule, times).astype(np.float64)

    def grown(rates_there: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(rates_there) > FADED * np.abs(rates[0]))

    def moves(times: np.ndarray, rates_there: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(at(2 * times) - rates_there) >= SETTLED * way)

    times = np.concatenate([[0.0], 2.0 ** np.arange(53)])
    rates = at(times)
    way = np.ptp(rates)
    if not np.isfinite(rates).all() or way == 0:
        return 0.0
    if np.abs(rates[-1]) > LIMITLESS:
        first = int(np.argmax(grown(rates)))
        near = _between(times, first - 1)
        return float(near[np.argmax(grown(at(near)))])
    last = int(np.flatnonzero(moves(times, rates)).max(initial=0))
    near = _between(times, last)
    settled = int(np.flatnonzero(moves(near, at(near))).max(initial=-1)) + 1
    return 0.0 if last > len(times) - 3 else float(near[min(settled, len(near) - 1)])


def _between(times: np.ndarray, index: int) -> np.ndarray:
    """Times from one of a list to the next."""
    index = min(max(index, 0), len(times) - 2)
    return np.linspace(times[index], times[index + 1], 65)
