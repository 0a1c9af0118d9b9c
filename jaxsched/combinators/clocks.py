"""Combinators that change the clock of a schedule: delayed, slower, or in ticks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jaxsched._core.clock import Clock
from jaxsched._core.fields import Number, number
from jaxsched._core.schedule import Schedule, ScheduleLike, part
from jaxsched._core.span import Span


class shift(Schedule):
    """A schedule delayed by a number of steps: `shift(s, n)(t) == s(t - n)`.

    | step                           | 0   | 14   | 15 | 16 |
    |--------------------------------|-----|------|----|----|
    | `shift(Linear(0.3, 0, 10), 5)` | 0.3 | 0.03 | 0  | 0  |

    >>> import jaxsched as js
    >>> [float(js.shift(js.Linear(1.0, 0.0, 4), 10)(step)) for step in (0, 10, 12, 14)]
    [1.0, 1.0, 0.5, 0.0]

    Args:
      schedule: the schedule, or a number for a constant rate.
      steps: the delay $n$; if negative, the schedule starts partway through. Before its step 0, the schedule
        stays at its first rate.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: `steps` is not finite.
    """

    schedule: ScheduleLike = part()
    steps: Number = number()

    def evaluate(self: Any, t: Clock) -> Any:
        return self.schedule.evaluate(t.since(self.steps))

    def spans(self: Any, until: float) -> Iterator[Span]:
        yield Span(self.schedule, max(float(self.steps), 0.0), time=max(-float(self.steps), 0.0))


class stretch(Schedule):
    """A schedule on a slower clock: `stretch(s, k)(t) == s(t / k)`.

    `stretch(s, steps_per_epoch)` turns a schedule in epochs into a smooth one in steps.

    | step                            | 0   | 19    | 20 | 21 |
    |---------------------------------|-----|-------|----|----|
    | `stretch(Linear(0.3, 0, 4), 5)` | 0.3 | 0.015 | 0  | 0  |

    >>> import jaxsched as js
    >>> [float(js.stretch(js.Linear(1.0, 0.0, 4), 10)(step)) for step in (0, 5, 10, 40)]
    [1.0, 0.875, 0.75, 0.0]

    Args:
      schedule: the schedule, or a number for a constant rate.
      factor: the factor $k$ on the length of the schedule, above 0.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: `factor` is not finite, or not above 0.
    """

    schedule: ScheduleLike = part()
    factor: Number = number(above=0)

    def evaluate(self: Any, t: Clock) -> Any:
        return self.schedule.evaluate(t.slower(self.factor))

    def spans(self: Any, until: float) -> Iterator[Span]:
        yield Span(self.schedule, 0.0, speed=1 / float(self.factor))


class staircase(Schedule):
    r"""A schedule evaluated every $n$ steps, and held constant in between.

    $$f(t) = s(n \lfloor t / n \rfloor)$$

    | step                               | 0   | 11  | 12 | 13 |
    |------------------------------------|-----|-----|----|----|
    | `staircase(Linear(0.3, 0, 12), 4)` | 0.3 | 0.1 | 0  | 0  |

    >>> import jaxsched as js
    >>> [float(js.staircase(js.Linear(1.0, 0.0, 4), 2)(step)) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.0]

    Args:
      schedule: the schedule, or a number for a constant rate.
      every: the number of steps $n$ between two evaluations, above 0.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: `every` is not finite, or not above 0.
    """

    schedule: ScheduleLike = part()
    every: Number = number(above=0)

    def evaluate(self: Any, t: Clock) -> Any:
        return self.schedule.evaluate(t.since(t % self.every))

    def spans(self: Any, until: float) -> Iterator[Span]:
        yield Span(self.schedule, 0.0, tick=float(self.every))


class per_epoch(Schedule):
    r"""A schedule in epochs, on a clock that ticks once per epoch.

    $$f(t) = s(\lfloor t / n \rfloor)$$

    where $n$ is `steps_per_epoch`. The rate in epoch $k$ is $s(k)$. If the rate should change within an
    epoch, use `stretch`.

    | step                              | 0   | 11    | 12 | 13 |
    |-----------------------------------|-----|-------|----|----|
    | `per_epoch(Linear(0.3, 0, 4), 3)` | 0.3 | 0.075 | 0  | 0  |

    >>> import jaxsched as js
    >>> [float(js.per_epoch(js.Linear(1.0, 0.0, 4), 3)(step)) for step in (0, 2, 3, 5, 6)]
    [1.0, 1.0, 0.75, 0.75, 0.5]

    Args:
      schedule: the schedule, in epochs; a number is a constant.
      steps_per_epoch: the number of steps per epoch, above 0.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: `steps_per_epoch` is not finite, or not above 0.
    """

    schedule: ScheduleLike = part()
    steps_per_epoch: Number = number(above=0)

    def evaluate(self: Any, t: Clock) -> Any:
        return self.schedule.evaluate(t // self.steps_per_epoch)

    def spans(self: Any, until: float) -> Iterator[Span]:
        yield Span(self.schedule, 0.0, speed=1 / float(self.steps_per_epoch), tick=1.0)
