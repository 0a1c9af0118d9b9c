"""Ramps to, from and between rates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsched._core.boundaries import segment
from jaxsched._core.clock import Clock, on_grid
from jaxsched._core.fields import Number, Numbers, field, is_concrete, is_known, number, numbers
from jaxsched._core.lookup import Entry, as_array
from jaxsched._core.schedule import Schedule, ScheduleLike, largest, part
from jaxsched._core.span import Span, own_spans
from jaxsched._core.transition import EasingLike, as_easing
from jaxsched.shapes.linear import Linear


class warmup(Schedule):
    r"""A ramp to the first rate of a schedule, then the schedule from its step 0.

    $$f(t) = \begin{cases}\text{ramp}(t + a) & t < W \\ s(t - W) & t \ge W\end{cases}$$

    where the ramp goes from `init_value` to $s(0)$ over $W$ = `warmup_steps`, and $a$ is `first_step`.
    The warmup adds to the length of the schedule. `warmup(s, 0)` equals `s`.

    | step                               | 0 | 4    | 5   | 6      |
    |------------------------------------|---|------|-----|--------|
    | `warmup(Cosine(0.3, 0.01, 15), 5)` | 0 | 0.24 | 0.3 | 0.2968 |

    >>> import jax.numpy as jnp
    >>> import jaxsched as js
    >>> schedule = js.warmup(js.Cosine(0.3, 0.01, 15), 5)
    >>> [round(float(rate), 4) for rate in schedule(jnp.arange(6))]
    [0.0, 0.06, 0.12, 0.18, 0.24, 0.3]
    >>> sooner = js.warmup(js.Cosine(0.3, 0.01, 15), 5, first_step=1)
    >>> [round(float(rate), 4) for rate in sooner(jnp.arange(6))]
    [0.06, 0.12, 0.18, 0.24, 0.3, 0.3]

    Args:
      schedule: the schedule after the ramp, or a number for a constant rate.
      warmup_steps: the length of the ramp in steps, at least 0.
      init_value: the rate at the start of the ramp.
      shape: the curve of the ramp, a transition's class or a `functools.partial` of one.
      first_step: the offset $a$ in the ramp, from 0 to 1. With 0, the first update is at `init_value`. Use 1
        for the `(t + 1) / W` convention, in which it has already taken one step up the ramp.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is out of range, or the curve refuses its ends.
    """

    schedule: ScheduleLike = part()
    warmup_steps: Number = number(at_least=0)
    init_value: Number = number(default=0.0)
    shape: EasingLike = field(as_easing, default=Linear)
    first_step: Number = number(default=0.0, kw_only=True, at_least=0, at_most=1)

    def check(self: Any) -> None:
        if self.shape.cares_for_ends and is_concrete(self):
            self.shape.check_ends(self.init_value, self.schedule(0))

    def evaluate(self: Any, t: Clock) -> Any:
        # During the ramp the schedule stays at its step 0; afterwards the ramp stays at its end.
        target = self.schedule.evaluate(t.since(self.warmup_steps))
        ramp = self.shape.between(self.init_value, target, self.warmup_steps)
        return ramp.evaluate(t if is_known(self.first_step, 0.0) else t.since(-self.first_step))

    def spans(self: Any, until: float) -> Iterator[Span]:
        if self.warmup_steps > 0:
            yield Span(None, 0.0, float(self.warmup_steps))
        yield Span(self.schedule, float(self.warmup_steps))


class cooldown(Schedule):
    r"""A schedule, then a ramp from its current rate to `end_value`.

    $$f(t) = \begin{cases}s(t) & t < B \\ \text{ramp}(t - B) & t \ge B\end{cases}$$

    where $B$ is `start_step` and the ramp goes from $s(B)$ to `end_value` over `cooldown_steps`. Afterwards
    it stays at `end_value`. `start_step` is a leaf, so one compiled training step can start the cooldown at
    any time.

    | step                                        | 0   | 19  | 20  | 21     |
    |---------------------------------------------|-----|-----|-----|--------|
    | `cooldown(0.3, 20, 10, shape=OneMinusSqrt)` | 0.3 | 0.3 | 0.3 | 0.2051 |

    >>> import jaxsched as js
    >>> [float(js.cooldown(1.0, 10, 4)(step)) for step in (9, 10, 12, 14, 15)]
    [1.0, 1.0, 0.5, 0.0, 0.0]

    Args:
      schedule: the schedule before the ramp, or a number for a constant rate.
      start_step: the step at which the ramp starts, at least 0.
      cooldown_steps: the length of the ramp in steps, at least 0.
      end_value: the rate at the end of the ramp.
      shape: the curve of the ramp, a transition's class or a `functools.partial` of one.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is out of range, or the curve refuses its ends.
    """

    schedule: ScheduleLike = part()
    start_step: Number = number(at_least=0)
    cooldown_steps: Number = number(at_least=0)
    end_value: Number = number(default=0.0)
    shape: EasingLike = field(as_easing, default=Linear)

    def check(self: Any) -> None:
        if self.shape.cares_for_ends and is_concrete(self):
            self.shape.check_ends(self.schedule(self.start_step), self.end_value)

    def evaluate(self: Any, t: Clock) -> Any:
        left_at = self.schedule.evaluate(t.until(self.start_step))
        ramp = self.shape.between(left_at, self.end_value, self.cooldown_steps)
        value = ramp.evaluate(t.since(self.start_step))
        if isinstance(self.cooldown_steps, float) and self.cooldown_steps > 0:
            return value
        return lax.select(t >= self.start_step, as_array(value, t.dtype), as_array(left_at, t.dtype))

    def spans(self: Any, until: float) -> Iterator[Span]:
        start = float(self.start_step)
        if start > 0:
            yield Span(self.schedule, 0.0, start)
        # During the ramp the schedule stands still.
        yield Span(self.schedule, start, time=start, speed=0.0)

    def duration(self: Any) -> float:
        return float(self.start_step) + float(self.cooldown_steps)


class knots(Schedule):
    r"""A curve through given values at given steps.

    $$f(t) = \text{ramp}_i(t - x_i), \quad x_i \le t < x_{i+1}$$

    where $x_i$ are `steps` and ramp $i$ goes from `values[i]` to `values[i + 1]`. The rate is the first value
    before the first step, and the last value from the last step on. It jumps where two steps are equal.

    | step                                | 0   | 9    | 10  | 11    |
    |-------------------------------------|-----|------|-----|-------|
    | `knots([0.1, 0.3, 0], [0, 10, 30])` | 0.1 | 0.28 | 0.3 | 0.285 |

    >>> import jaxsched as js
    >>> triangle = js.knots([0.1, 1.0, 0.1], [0, 10, 30])
    >>> [round(float(triangle(step)), 3) for step in (0, 5, 10, 20, 30, 31)]
    [0.1, 0.55, 1.0, 0.55, 0.1, 0.1]

    Args:
      values: the rates, shape (n,), n at least 1.
      steps: the steps of these rates, shape (n,), sorted, at least 0.
      shape: the curve of the ramps, a transition's class or a `functools.partial` of one.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: the lengths differ or are 0, a step is negative or below the previous one, a value is not
        finite, or the curve refuses its ends.
    """

    values: Numbers = numbers()
    steps: Numbers = numbers(ascending=True, at_least=0)
    shape: EasingLike = field(as_easing, default=Linear)

    def check(self: Any) -> None:
        values, steps = len(self.values), len(self.steps)
        if values != steps or not values:
            raise ValueError(
                f"`steps` must have as many entries as `values`, at least 1, got {steps} and {values}."
            )
        if self.shape.cares_for_ends and is_concrete(self):
            for left, right in zip(self.values[:-1], self.values[1:], strict=True):
                self.shape.check_ends(left, right)

    def evaluate(self: Any, t: Clock) -> Any:
        values, steps = self.values, self.steps
        if isinstance(steps, np.ndarray) and t.dtype == np.float32:
            steps = on_grid(steps)
        starts = steps[:-1]
        lists = values[:-1], values[1:], starts, steps[1:]
        if isinstance(steps, np.ndarray) and steps[0] == 0 and len(steps) > 1:
            # Nothing comes before the first step.
            starts = starts[1:]
        else:
            # Before the first step, a transition of length 0 stays at the first value.
            firsts = values[:1], values[:1], steps[:1], steps[:1]
            lists = tuple(_joined(*both) for both in zip(firsts, lists, strict=True))
        position, since = segment(t, starts)
        if all(isinstance(each, np.ndarray) for each in lists):
            # A ramp of length 0 stays at its end.
            inits, ends, *both = lists
            lists = np.where(both[0] == both[1], ends, inits), ends, *both
        init, end, start, stop = (position.of(each, t.dtype) for each in lists)
        steps = stop - start if isinstance(start, float | Entry) else t.like(stop) - start
        return self.shape.between(init, end, steps).evaluate(since)

    def spans(self: Any, until: float) -> Iterator[Span]:
        # The last ramp has no boundary at its end, unless it is a jump.
        *ramps, last = map(float, self.steps)
        return own_spans([*ramps, last] if ramps and ramps[-1] == last else ramps)

    def duration(self: Any) -> float:
        return float(self.steps[-1])

    def peak(self) -> float:
        return largest(self.values)


def _joined(a: Any, b: Any) -> Any:
    """Concatenates two lists, on the host if they are there."""
    return (np if isinstance(b, np.ndarray) else jnp).concatenate([a, b])
