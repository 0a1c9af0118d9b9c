"""What a composition says without being evaluated.

Where it goes over from one part to the next, when a run is in which part, how long a part is, and which peak
it names.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from jaxsched._core.clock import FOREVER
from jaxsched._core.grouping import Parts
from jaxsched._core.schedule import Constant, Product, Schedule, Sum
from jaxsched._core.transition import Transition
from jaxsched.combinators.clip import clip
from jaxsched.combinators.clocks import per_epoch, shift, staircase, stretch
from jaxsched.combinators.cycle import cycle, reflect
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import cooldown, knots, warmup
from jaxsched.combinators.stack import select
from jaxsched.shapes.exponential import Exponential
from jaxsched.shapes.levels import Piecewise, Table
from jaxsched.shapes.rational import InversePower
from jaxsched.shapes.sigmoid import Logistic

MOST = 1000
"""Of more boundaries, or parts in a `join`, than this only the first ones are looked at."""


class Part(NamedTuple):
    """A schedule inside of a composition, and when a run is in it.

    Attributes:
      schedule: the schedule.
      begin: where on its own clock the run comes to it, at least 0.
      end: where on its own clock the run leaves it; not above `begin` where the run is never in it.
      left: the time of the run at which that is.
      to_run: the time of the run at which its own clock gets to a time; it never falls.
      switched: whether another part went before it, so that its time 0 is a boundary.
      cut_by: the combinator in which something else follows at its end, or `None` where the run ends.
    """

    schedule: Any
    begin: float
    end: float
    left: float
    to_run: Callable[[float], float]
    switched: bool = False
    cut_by: Schedule | None = None

    def inside(
        self,
        schedule: Any,
        since: Any = 0.0,
        until: Any = math.inf,
        scale: Any = 1.0,
        every: Any = None,
        switched: bool = False,
    ) -> Part:
        """The part of this one that runs from `since` to `until` on its clock.

        Args:
          schedule: the part.
          since: the time at which its own clock is 0.
          until: the time at which something else follows.
          scale: how many times as long it takes.
          every: the length of a tick of its own clock, or `None` for one that runs smoothly.
          switched: as in `Part`.
        """
        since, until, scale = float(since), float(until), float(scale)

        def to_outside(time: float) -> float:
            ticked = time if every is None else first_step(time / every) * every
            return self.to_run(since + scale * ticked)

        begin = min(max(self.begin - since, 0.0) / scale, FOREVER)
        cut = until < self.end
        return Part(
            schedule,
            begin=begin if every is None else math.floor(begin / every) * every,
            end=min((min(self.end, until) - since) / scale, FOREVER),
            left=self.to_run(until) if cut else self.left,
            to_run=to_outside,
            switched=switched,
            cut_by=self.schedule if cut else self.cut_by,
        )


class Switch(NamedTuple):
    """A combinator, or a `Piecewise`, and a time of the run at which it goes over to its next part."""

    time: float
    schedule: Schedule


def whole(schedule: Schedule, begin: float, end: float) -> Part:
    """The schedule as the only part of a run, of which the time from `begin` to `end` is looked at."""
    return Part(schedule, begin, end, left=end, to_run=lambda time: time)


def parts_of(part: Part) -> Iterator[Part]:
    """The parts directly in one, in the order of their times; those of a `cycle` go on for ever.

    What is not known from the inside, as a combinator of a user's own, has none. Of a `reflect` the first way
    there counts. Of a `join` the parts that are over before come not, those that the run never gets to do.
    """
    schedule = part.schedule
    match schedule:
        case Product() | Sum():
            yield from map(part.inside, schedule.schedules)
        case clip():
            yield part.inside(schedule.schedule)
        case select():
            yield part.inside(schedule.schedules[int(schedule.index)])
        case shift():
            yield part.inside(schedule.schedule, since=schedule.steps)
        case stretch():
            yield part.inside(schedule.schedule, scale=schedule.factor)
        case per_epoch():
            yield part.inside(schedule.schedule, scale=schedule.steps_per_epoch, every=1.0)
        case staircase():
            yield part.inside(schedule.schedule, every=float(schedule.every))
        case reflect():
            yield part.inside(schedule.schedule, until=schedule.period / 2)
        case warmup():
            yield part.inside(schedule.schedule, since=schedule.warmup_steps, switched=True)
        case cooldown():
            yield part.inside(schedule.schedule, until=schedule.start_step)
        case join():
            ends = [0.0, *_times(schedule.boundaries), math.inf]
            for i, (since, until) in enumerate(itertools.pairwise(ends)):
                if until > part.begin:
                    yield part.inside(schedule.schedules[i], since, until, switched=i > 0)
        case cycle():
            yield from _cycles(part)


def boundaries(schedule: Schedule, total_steps: int) -> tuple[int, ...]:
    """The steps of a run at which a composition goes over from one part to the next.

    These are the boundaries of `join` and `Piecewise`, the end of a `warmup`, the start of a `cooldown`, the
    steps of `knots` and the restarts of `cycle`, seen through the clocks and arithmetic around them.

    Args:
      schedule: a concrete schedule, no stack.
      total_steps: the length of the run.

    Returns:
      Sorted steps above 0 and below `total_steps`: each is the first of what begins there. There are at most
      `MOST`, the first ones.
    """
    steps: set[int] = set()
    # Many of them may be within one step.
    for switch in itertools.islice(switches(whole(schedule, 0, total_steps)), 10 * MOST):
        step = first_step(switch.time)
        if 0 < step < total_steps:
            steps.add(step)
        if len(steps) == MOST:
            break
    return tuple(sorted(steps))


def switches(part: Part) -> Iterator[Switch]:
    """What switches in a part, and in anything that it holds, while the run is in it, sorted by time."""
    if not part.begin < part.end:
        return
    schedule = part.schedule
    if isinstance(schedule, Product | Sum):
        yield from heapq.merge(*map(switches, parts_of(part)), key=lambda switch: switch.time)
        return
    for child in parts_of(part):
        if child.end < 0:
            break
        if child.switched and child.begin == 0 < child.end:
            yield Switch(child.to_run(0.0), schedule)
        yield from switches(child)
    own: list[float] = []
    match schedule:
        case cooldown():
            own = [float(schedule.start_step)]
        case knots():
            own = _times(schedule.steps)
        case Piecewise():
            own = _times(schedule.boundaries)
    yield from (Switch(part.to_run(time), schedule) for time in own if part.begin < time < part.end)


def _cycles(part: Part) -> Iterator[Part]:
    """The cycles that a run is in, one after another."""
    repeated = part.schedule
    length, growth = float(repeated.cycle_steps), float(repeated.length_factor)
    limit = math.inf if repeated.cycles is None else float(repeated.cycles)
    gained = part.begin / length * (growth - 1)
    if gained <= -1:
        return
    passed = part.begin / length if growth == 1 else math.log1p(gained) / math.log(growth)
    # The quotients are rounded, so begin one cycle early.
    for index in itertools.count(max(math.floor(min(passed, limit)) - 1, 0)):
        since, until = (_cycle_start(length, growth, i) for i in (index, index + 1))
        # Cycles that shrink come to be shorter than any number.
        if index >= limit or since >= min(part.end, until):
            return
        if until > part.begin:
            yield part.inside(repeated.schedule, since, until, growth**index, switched=index > 0)


def _cycle_start(length: float, growth: float, index: int) -> float:
    """The time at which a cycle begins; as in `cycle`, what is an integer to float32 is that integer."""
    if growth == 1:
        return index * length
    try:
        time = length * (growth**index - 1) / (growth - 1)
    except OverflowError:
        return FOREVER
    near = round(time)
    return near if abs(time - near) <= time * 2.0**-22 else time


def first_step(time: float) -> int:
    """The first step at or after a time, which is rounded."""
    return math.ceil(min(time - abs(time) * 1e-12, FOREVER))


def length_of(schedule: Any) -> float | None:
    """The steps on its own clock that a schedule needs to be at its end, or `None` where it has none."""
    match schedule:
        case Transition():
            return float(schedule.transition_steps) if schedule.init_value != schedule.end_value else None
        case cooldown():
            return float(schedule.start_step) + float(schedule.cooldown_steps)
        case knots():
            return _times(schedule.steps)[-1]
        case Table():
            return float(len(_times(schedule.values)))
        case Piecewise():
            return max(_times(schedule.boundaries), default=0.0)
        case cycle() if schedule.cycles is not None:
            length, growth = float(schedule.cycle_steps), float(schedule.length_factor)
            return _cycle_start(length, growth, int(schedule.cycles))
    return None


def peak_of(schedule: Any) -> float:
    """The largest absolute rate that a schedule names, as `check` says; infinite where it names none.

    Of a group of schedules in one, as `Parts` has them, it is that of all.
    """
    match schedule:
        case Constant():
            return _largest(schedule.value)
        case Transition() | Logistic():
            return max(_largest(schedule.init_value), _largest(schedule.end_value))
        case Exponential() | InversePower():
            return _largest(schedule.init_value)
        case knots() | Piecewise() | Table():
            return _largest(schedule.values)
        case clip(max_value=None):
            floor = 0.0 if schedule.min_value is None else _largest(schedule.min_value)
            return max(floor, peak_of(schedule.schedule))
        case clip():
            return _largest(schedule.max_value)
        case join(schedules=Parts(groups=groups)):
            return max(map(peak_of, groups))
        case select():
            return peak_of(schedule.schedules[int(schedule.index)])
        case Product():
            return math.prod(map(peak_of, schedule.schedules))
        case Sum():
            constants = [peak_of(each) for each in schedule.schedules if isinstance(each, Constant)]
            moving = [peak_of(each) for each in schedule.schedules if not isinstance(each, Constant)]
            return sum(constants) + max(moving, default=0.0)
        case warmup() | cooldown() | cycle() | reflect() | shift() | stretch() | staircase() | per_epoch():
            return peak_of(schedule.schedule)
    return math.inf


def _largest(value: Any) -> float:
    return float(np.max(np.abs(np.asarray(value, np.float64))))


def _times(column: Any) -> list[float]:
    return np.asarray(column, np.float64).tolist()
