"""How many steps of a schedule there are to see, where nobody says how long the run is."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from jaxsched._core.clock import LAST_STEP
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

UNKNOWN = 100.0
"""How long what says nothing about itself is looked at."""

CYCLES = 3
"""How many cycles of endless ones are looked at."""

FADED = 20.0
"""An endless decay is looked at until its rate has changed by this factor."""


def horizon(*schedules: Schedule) -> int:
    """The number of updates that shows all of some schedules: until nothing new comes.

    That is the step at which its last transition, ramp, knot or table ends, that step included. What never
    ends is looked at for a good while: a `cycle` for three cycles, a `reflect` for two periods, an
    `Exponential` until it has changed by the factor 20, an `InversePower` for 20 timescales, a `Logistic`
    until 5 timescales after its midpoint. A last level, as of `Piecewise` or of a `warmup` to a constant, is
    looked at for as long as what came before it. Constants, a `Lambda`, and a shape of a user's own that is
    no `Transition`, are looked at for 100 steps.

    Args:
      *schedules: concrete schedules, no stacks.

    Returns:
      From 1 to 2**31 - 1.
    """
    length = min(max(map(_length, schedules)) or UNKNOWN, float(LAST_STEP))
    return min(math.ceil(length) + 1, LAST_STEP)


def _length(schedule: Any) -> float:
    """The time in which something happens, in steps; 0 for what stays at its rate."""
    match schedule:
        case Constant():
            return 0.0
        case Transition():
            return float(schedule.transition_steps)
        case Exponential():
            return float(schedule.transition_steps) * _transitions(float(schedule.decay_rate))
        case InversePower():
            return FADED * float(schedule.timescale)
        case Logistic():
            return max(float(schedule.midpoint), 0.0) + 5 * float(schedule.timescale)
        case Table():
            return float(len(schedule.values) - 1)
        case Piecewise():
            return _with_last(schedule.boundaries, 0.0)
        case join():
            return _with_last(schedule.boundaries, _length(schedule.schedules[-1]))
        case knots():
            return float(schedule.steps[-1])
        case warmup():
            return _with_last([schedule.warmup_steps], _length(schedule.schedule))
        case cooldown():
            return float(schedule.start_step + schedule.cooldown_steps)
        case cycle():
            # What never ends is left before it begins once more.
            count, rest = (CYCLES, 1.0) if schedule.cycles is None else (float(schedule.cycles), 0.0)
            return float(schedule.cycle_steps) * _sum_of_powers(float(schedule.length_factor), count) - rest
        case reflect():
            return 2 * float(schedule.period)
        case stretch():
            return _length(schedule.schedule) * float(schedule.factor)
        case per_epoch():
            return _length(schedule.schedule) * float(schedule.steps_per_epoch)
        case shift() if schedule.steps > 0:
            return _with_last([schedule.steps], _length(schedule.schedule))
        case shift():
            return max(_length(schedule.schedule) + float(schedule.steps), 0.0)
        case staircase() | clip():
            return _length(schedule.schedule)
        case select():
            return _length(schedule.schedules[int(schedule.index)])
        case Product() | Sum():
            return max(map(_length, schedule.schedules))
    inside = [getattr(schedule, specifier.name) for specifier in dataclasses.fields(schedule)]
    return max((_length(each) for each in inside if isinstance(each, Schedule)), default=UNKNOWN)


def _with_last(boundaries: Any, last: float) -> float:
    """The end of a last part that takes the time `last`, or where that is 0, as long as the one before."""
    times = [0.0, *np.asarray(boundaries, np.float64).tolist()]
    if len(times) == 1:
        return last
    return times[-1] + (last or times[-1] - times[-2] or times[-1])


def _transitions(decay_rate: float) -> float:
    """In how many transitions a rate changes by the factor `FADED`; 0 where it never does."""
    if decay_rate in (0.0, 1.0):
        return 1.0 - decay_rate
    return math.log(FADED) / abs(math.log(decay_rate))


def _sum_of_powers(factor: float, count: float) -> float:
    """`1 + factor + factor**2 + ...`, so many terms."""
    if factor == 1:
        return count
    return math.expm1(min(count * math.log(factor), 700.0)) / (factor - 1)
