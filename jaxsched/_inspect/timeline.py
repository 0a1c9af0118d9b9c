"""A composition in the time of a run: which parts it is in when, and where it goes over from one to the next.

A `Visit` is a schedule inside of a composition while a run is in it. `visits` goes one level down, along the
spans of the schedule, and `switches` all the way.
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
"""A run that goes backwards through a schedule sees no more than so many of its spans, the first ones."""


ROUNDED = 1e-12
"""What a time may be off, relative, for having been rounded."""


class Visit(NamedTuple):
    """A schedule inside of a composition, and when a run is in it.

    Attributes:
      schedule: the schedule, or `None` for a stretch of the composition's own.
      begin: where on its own clock the run comes to it.
      end: where on its own clock the run leaves it; below `begin` where it runs backwards.
      entered: the time of the run at which it comes.
      left: the time of the run at which it leaves.
      to_run: the time of the run at which its own clock gets to a time; it never falls.
      cut_by: the schedule in which something else follows, or `None` where the run ends.
      goes_on: whether the same part follows from where it was left, as where it stands still or turns.
      follows: whether another visit came before it.
      restarts: whether that was of the same part, and ended at another time of its clock.
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
                each for each in same if each.part_time(each.since) <= time <= each.part_time(each.until)
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
    """A schedule, and a time of the run at which it goes over to its next span.

    Attributes:
      time: the time of the run.
      schedule: the schedule.
      restarts: whether one of its parts begins once more there.
    """

    time: float
    schedule: Schedule
    restarts: bool


def whole(schedule: Schedule, total_steps: float) -> Visit:
    """The visit of a whole schedule in a run."""
    return Visit(schedule, 0.0, total_steps, 0.0, total_steps, to_run=lambda time: time)


def visits(visit: Visit) -> Iterator[Visit]:
    """The visits directly in one, as the run comes to them; those of a `cycle` may go on for ever."""
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
    """What switches in a visit, and in anything inside of it, sorted by time, the outermost first."""
    if visit.schedule is None:
        return
    # Parts on one clock, as those of a product, take turns: the next switch of each, and what comes after it.
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
    """The steps of a run at which a composition goes over from one span to the next.

    These are the boundaries of `join` and `Piecewise`, the end of a `warmup`, the start of a `cooldown`, the
    steps between `knots`, the restarts of `cycle`, the turns of `reflect`, and what the spans of your own
    schedules say, seen through the clocks and arithmetic around them.

    Args:
      schedule: a concrete schedule, no stack.
      total_steps: the length of the run.

    Returns:
      Sorted steps above 0 and below `total_steps`: each is the first of what begins there. There are at most
      `MOST`, the first ones.
    """
    steps: set[int] = set()
    # Many of them may be within one step.
    for switch in itertools.islice(switches(whole(schedule, total_steps)), 10 * MOST):
        step = first_step(switch.time)
        if 0 < step < total_steps:
            steps.add(step)
        if len(steps) == MOST:
            break
    return tuple(sorted(steps))


def first_step(time: float) -> int:
    """The first step at or after a time, which is rounded."""
    return math.ceil(min(time - abs(time) * ROUNDED, FOREVER))
