"""The timeline of a composition: which part runs when, and where it switches from one part to the next.

A `Visit` is a stretch of a run inside one schedule of a composition. `visits` goes one level down, along the
spans of the schedule; `switches` goes all the way down.
"""

from __future__ import annotations

import collections
import functools
import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jaxsched._core.clock import FOREVER
from jaxsched._core.schedule import Schedule
from jaxsched._core.span import MOST, Span

MOST_BACKWARDS = 100_000
"""A run that goes backwards through a schedule sees only its first spans, at most this many."""


ROUNDED = 1e-12
"""The relative rounding error of a time."""


class Visit(NamedTuple):
    """A stretch of a run inside one schedule of a composition.

    Attributes:
      schedule: the schedule, or `None` for a stretch that belongs to no part, such as a ramp.
      begin: the time on its own clock when the visit starts.
      end: the time on its own clock when the visit ends; below `begin` if its clock runs backwards.
      entered: the time of the run when the visit starts.
      left: the time of the run when the visit ends.
      to_run: maps a time on its own clock to the time of the run; non-decreasing.
      cut_by: the schedule that moves on to its next span, or `None` if the run ends.
      goes_on: whether the next visit continues the same part, as where its clock stops or turns.
      follows: whether another visit comes before it.
      restarts: whether that visit is of the same part, and the part's clock jumps in between.
    """

    schedule: Schedule | None
    begin: float
    end: float
    entered: float
    left: float
    to_run: Callable[[float], float]
    cut_by: Schedule | None = None
    goes_on: bool = False
    follows: bool = False
    restarts: bool = False

    def within(self, span: Span, before: Span | None = None, after: Span | None = None) -> Visit:
        """The visit to the part of a span, between those to the spans before and after it."""
        if self.begin <= self.end:
            enter, leave = max(self.begin, span.since), min(self.end, span.until)
        else:
            enter, leave = min(self.begin, span.until), max(self.end, span.since)
        begin, end = (max(min(span.part_time(time), FOREVER), -FOREVER) for time in (enter, leave))
        cut = leave != self.end
        return Visit(
            span.part,
            begin=math.floor(begin / span.tick) * span.tick if span.tick else begin,
            end=end,
            entered=self.entered if enter == self.begin else self.to_run(enter),
            left=self.to_run(leave) if cut else self.left,
            to_run=lambda time: self.to_run(self._own_time(span, time)) if span.speed else self.left,
            cut_by=self.schedule if cut else self.cut_by,
            goes_on=_same_part(span, after) and _meet(span, after, leave) if cut else self.goes_on,
            follows=before is not None and enter != self.begin,
            restarts=_same_part(before, span) and not _meet(before, span, enter),
        )

    def _own_time(self, span: Span, time: float) -> float:
        """The time on its own clock at which the part of a span gets to a time on that of the part."""
        if time > span.part_time(span.until) and span.speed > 0 and self.schedule is not None:
            # The part may get there at another speed, in one of the spans that follow.
            following = itertools.islice(self.schedule._spans(span.until, math.inf), MOST)
            same = itertools.takewhile(functools.partial(_same_part, span), following)
            there = (
                each
                for each in same
                if each.speed > 0 and each.part_time(each.since) <= time <= each.part_time(each.until)
            )
            span = next(there, span)
        ticked = first_step(time / span.tick) * span.tick if span.tick else time
        own = span.since + (ticked - span.time) / span.speed
        # Backwards it leaves what began at a time just after that time.
        return own if span.speed > 0 else own * (1 + 4 * ROUNDED)


def _same_part(one: Span | None, other: Span | None) -> bool:
    return one is not None and other is not None and one.part is other.part is not None


def _meet(one: Any, other: Any, edge: float) -> bool:
    """Whether two spans of a part meet at an edge without a jump of its clock."""
    return math.isclose(one.part_time(edge), other.part_time(edge), rel_tol=1e-9, abs_tol=1e-9)


class Switch(NamedTuple):
    """The moment when a schedule moves on to its next span.

    Attributes:
      time: the time of the run.
      schedule: the schedule.
      restarts: whether one of its parts starts again there.
    """

    time: float
    schedule: Schedule
    restarts: bool


def whole(schedule: Schedule, total_steps: float) -> Visit:
    """The visit of a whole run to a schedule."""
    return Visit(schedule, 0.0, total_steps, 0.0, total_steps, to_run=lambda time: time)


def visits(visit: Visit) -> Iterator[Visit]:
    """The visits directly inside a visit, in the order of the run; those of a `cycle` may be endless."""
    if visit.schedule is None or visit.begin == visit.end:
        return
    low, high = sorted((visit.begin, visit.end))
    spans = visit.schedule._spans(low, high)
    if visit.begin > visit.end:
        seen = itertools.islice(spans, MOST_BACKWARDS)
        spans = reversed(collections.deque(seen, maxlen=MOST))
    before, last = None, [None]
    for span, after in itertools.pairwise(itertools.chain(spans, last)):
        if span is None or span.since >= high:
            return
        if span.until > low:
            yield visit.within(span, before, after)
        before = span


def switches(visit: Visit) -> Iterator[Switch]:
    """The switches in a visit and in all its parts, sorted by time, outermost first."""
    if visit.schedule is None:
        return
    # Parts that run at once, as in a product, are merged: a heap holds the next switch of each.
    inner: list[tuple[float, int, Switch, Iterator[Switch]]] = []
    order = itertools.count()

    def wait_for(following: Iterator[Switch]) -> None:
        for switch in itertools.islice(following, 1):
            heapq.heappush(inner, (switch.time, next(order), switch, following))

    def until(time: float) -> Iterator[Switch]:
        while inner and inner[0][0] < time:
            _, _, switch, following = heapq.heappop(inner)
            yield switch
            wait_for(following)

    for child in visits(visit):
        yield from until(child.entered)
        if child.follows:
            yield Switch(child.entered, visit.schedule, child.restarts)
        wait_for(switches(child))
    yield from until(math.inf)


def boundaries(schedule: Schedule, total_steps: int) -> tuple[int, ...]:
    """The steps of a run at which a composition moves from one span to the next.

    These are the boundaries of `join` and `Piecewise`, the end of a `warmup`, the start of a `cooldown`, the
    steps between `knots`, the restarts of `cycle`, the turns of `reflect`, and the edges of the spans of your
    own schedules, all in steps of the run.

    Args:
      schedule: a concrete schedule, no stack.
      total_steps: the length of the run.

    Returns:
      The first step of each new span, sorted, above 0 and below `total_steps`; at most the first `MOST`.
    """
    steps: set[int] = set()
    # Many switches may fall within one step.
    for switch in itertools.islice(switches(whole(schedule, total_steps)), 10 * MOST):
        step = first_step(switch.time)
        if 0 < step < total_steps:
            steps.add(step)
        if len(steps) == MOST:
            break
    return tuple(sorted(steps))


def first_step(time: float) -> int:
    """The first step at or after a time, up to the rounding error of that time."""
    return math.ceil(min(time - abs(time) * ROUNDED, FOREVER))
