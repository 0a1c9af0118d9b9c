"""Spans: they describe when the parts of a composition run, without evaluating it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

MOST = 1000
"""The largest number of spans of a schedule that are looked at."""


class Span(NamedTuple):
    """An interval of a schedule's time in which the clock of one of its parts is affine in its own.

    At time `t` of the schedule, `since <= t < until`, the part is at time `time + speed * (t - since)`.

    Attributes:
      part: the schedule that runs here, or `None` if the rate comes from no part, as in a ramp.
      since: the start of the span, in steps of the schedule.
      until: the end of the span, in steps of the schedule.
      time: the part's time at `since`.
      speed: the part's steps per step of the schedule; 0 if the part stands still, negative if it runs
        backwards.
      factor: the factor on the part's value.
      tick: the part's clock moves in multiples of this, in the part's steps; 0 for a smooth clock.
    """

    part: Any
    since: float
    until: float = math.inf
    time: float = 0.0
    speed: float = 1.0
    factor: float = 1.0
    tick: float = 0.0

    def part_time(self, time: float) -> float:
        """The part's time when the schedule is at `time`, ignoring ticks."""
        return self.time + self.speed * (time - self.since)

    def ends(self) -> float | None:
        """The time of the schedule after which the span shows nothing new, or `None` if it never ends."""
        if self.until < math.inf or self.part is None:
            return self.until if self.until < math.inf else self.since
        if self.speed <= 0:
            return self.since if self.speed == 0 else self.since - self.time / self.speed
        length = self.part.duration()
        return None if length is None else self.since + max(length - self.time, 0.0) / self.speed


def own_spans(boundaries: Any) -> Iterator[Span]:
    """Spans without a part, between 0, the sorted boundaries and infinity."""
    edges = itertools.chain([0.0], map(float, boundaries), [math.inf])
    return (Span(None, since, until) for since, until in itertools.pairwise(edges) if since < until)
