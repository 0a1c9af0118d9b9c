"""Spans: what a composition says of its parts without being evaluated."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

MOST = 1000
"""Of the spans of a schedule only so many are looked at, the first ones."""


class Span(NamedTuple):
    """A stretch of a schedule's time on which the clock of one of its parts is affine in its own.

    At the time `t` of the schedule, `since <= t < until`, the part is at its own time
    `time + speed * (t - since)`.

    Attributes:
      part: the schedule that runs here, or `None` for a stretch of the schedule's own making, as a ramp is.
      since: where the span begins, in steps of the schedule.
      until: where it ends.
      time: the part's own time at `since`.
      speed: the part's own steps in a step of the schedule; 0 where the part stands still, negative where it
        runs backwards.
      factor: what the part's value is multiplied by.
      tick: the part's clock moves on in multiples of this, in its own steps; 0 for a smooth clock.
    """

    part: Any
    since: float
    until: float = math.inf
    time: float = 0.0
    speed: float = 1.0
    factor: float = 1.0
    tick: float = 0.0

    def part_time(self, time: float) -> float:
        """The part's own time, but for ticks, when the schedule is at `time`."""
        return self.time + self.speed * (time - self.since)

    def ends(self) -> float | None:
        """The time of the schedule from which on the span shows nothing new; `None` where there is none."""
        if self.until < math.inf or self.part is None:
            return self.until if self.until < math.inf else self.since
        if self.speed <= 0:
            return self.since if self.speed == 0 else self.since - self.time / self.speed
        length = self.part.duration()
        return None if length is None else self.since + max(length - self.time, 0.0) / self.speed


def own_spans(boundaries: Any) -> Iterator[Span]:
    """Spans without a part, from one sorted boundary to the next, the first from 0 on, the last for ever."""
    edges = itertools.chain([0.0], map(float, boundaries), [math.inf])
    return (Span(None, since, until) for since, until in itertools.pairwise(edges) if since < until)
