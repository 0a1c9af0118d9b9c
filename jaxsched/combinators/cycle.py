"""Schedules that repeat."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsched._core.boundaries import position_among
from jaxsched._core.clock import FOREVER, LARGEST_STEP, LAST_STEP, Clock
from jaxsched._core.fields import LARGEST, Number, is_concrete, is_known, number, optional_number, show
from jaxsched._core.lookup import Entry, as_array, safe_divide
from jaxsched._core.powers import LOG_LARGEST, log
from jaxsched._core.schedule import Schedule, ScheduleLike, limited, part
from jaxsched._core.span import Span

MOST_STARTS = 2**15
"""The largest number of growing cycles whose starts are listed."""

OVER = 0.0, 0.5
"""The start and the scale of a cycle in which every step from the end on is past the end of the schedule."""


class reflect(Schedule):
    r"""A schedule run forwards and backwards, repeatedly.

    $$f(t) = s(\min(u, P - u)), \quad u = t \bmod P$$

    where $P$ is `period`, the number of steps of one run forwards and backwards.

    | step                                | 0   | 9    | 10  | 11   |
    |-------------------------------------|-----|------|-----|------|
    | `reflect(Linear(0.1, 0.3, 10), 20)` | 0.1 | 0.28 | 0.3 | 0.28 |

    >>> import jaxsched as js
    >>> triangle = js.reflect(js.Linear(0.0, 1.0, 2), 4)
    >>> [float(triangle(step)) for step in range(7)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.5, 1.0]

    Args:
      schedule: the schedule; its first `period / 2` steps are used.
      period: the number of steps after which it repeats, above 0.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: `period` is not finite, or not above 0.
    """

    schedule: ScheduleLike = part()
    period: Number = number(above=0)

    def evaluate(self: Any, t: Clock) -> Any:
        period = t.like(self.period)
        within = t % period
        return self.schedule.evaluate(within.until(period - within))

    def spans(self, until: float) -> Iterator[Span]:
        return self._spans(0.0, until)

    def _spans(self: Any, since: float, until: float) -> Iterator[Span]:
        way = float(self.period) / 2
        for i in itertools.count(2 * math.floor(since / (2 * way))):
            if i * way >= until:
                return
            back = i % 2 == 1
            yield Span(self.schedule, i * way, (i + 1) * way, way if back else 0.0, -1.0 if back else 1.0)

    def duration(self) -> None:
        return None


class cycle(Schedule):
    r"""Warm restarts: a schedule repeated in cycles, whose lengths and values may grow or shrink.

    $$f(t) = v^k\, s\!\left(\frac{t - t_k}{g^k}\right), \quad
    t_k = C\,\frac{g^k - 1}{g - 1}, \quad t_k \le t < t_{k+1}$$

    where $C$ is `cycle_steps`, $g$ is `length_factor` ($t_k = kC$ for $g = 1$) and $v$ is `value_factor`.
    Cycle $k$ is $g^k$ times as long as the first, and the schedule is stretched with it. After `cycles`
    cycles, it stays at the end of the last one.

    A start $t_k$ within $2^{-22}$ (relative) of an integer is rounded to it. So a factor such as 1.1, which
    no float represents exactly, restarts at the same steps as in decimal arithmetic. On a TPU, this holds if
    the numbers are known; with traced numbers, a late restart may be off by some steps.

    Source: Loshchilov and Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*, arXiv:1608.03983.

    | step                                    | 0   | 9        | 10   | 11     |
    |-----------------------------------------|-----|----------|------|--------|
    | `cycle(Cosine(0.3, 0, 10), 10, 2, 0.5)` | 0.3 | 0.007342 | 0.15 | 0.1491 |

    >>> import jaxsched as js
    >>> restarts = js.cycle(js.Linear(1.0, 0.0, 2), 2, length_factor=2, value_factor=0.5)
    >>> [float(restarts(step)) for step in range(8)]
    [1.0, 0.5, 0.5, 0.375, 0.25, 0.125, 0.25, 0.21875]

    Args:
      schedule: the schedule to repeat; its first `cycle_steps` steps are used.
      cycle_steps: the length of the first cycle in steps, above 0.
      length_factor: the ratio of each cycle's length to the previous one, above 0 and at most 1,000,000.
      value_factor: the ratio of each cycle's rates to the previous ones, at least 0.
      cycles: the number of cycles, at least 1, or `None` for no end.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is out of range, `cycles` is not a whole number, or `length_factor` is below 1
        and `cycles` is `None`; infinitely many such cycles would end after a finite time.
    """

    schedule: ScheduleLike = part()
    cycle_steps: Number = number(above=0)
    length_factor: Number = number(default=1.0, above=0, at_most=1e6)
    value_factor: Number = number(default=1.0, at_least=0)
    cycles: Number | None = optional_number(default=None, at_least=1)

    def check(self: Any) -> None:
        if self.cycles is not None and is_concrete(self.cycles) and not float(self.cycles).is_integer():
            raise ValueError(f"`cycles` must be a whole number, got {show(self.cycles)}.")
        if self.cycles is None and is_concrete(self.length_factor) and self.length_factor < 1:
            raise ValueError(
                f"`cycles` must be given if `length_factor` is below 1 ({show(self.length_factor)}), "
                "got None."
            )

    def evaluate(self: Any, t: Clock) -> Any:
        if is_known(self.length_factor, 1.0):
            count, within = t.periods(self.cycle_steps)
            if self.cycles is not None:
                last = count.like(self.cycles) - 1
                within = within.select(count > last, within.like(self.cycle_steps), within, nonnegative=True)
                count = count.until(last)
            return _faded(self.schedule.evaluate(within), self.value_factor, count.number, t.dtype)
        starts = None
        known = self.cycle_steps, self.length_factor, self.cycles
        # In float64 the starts are accurate enough to be computed when needed.
        if t.dtype == np.float32 and all(isinstance(each, float | None) for each in known):
            starts = _starts(*known)
        if starts is None:
            index, start, scale = _growing(t, self.cycle_steps, self.length_factor, self.cycles)
        else:
            position = position_among(t, starts[1:])
            counts = np.arange(len(starts), dtype=np.float64)
            scales = self.length_factor**counts
            if self.length_factor < 1:
                # The last entry is no cycle, but the end of the one before it.
                counts[-1] -= 1
                starts, scales = np.append(starts[:-1], OVER[0]), np.append(scales[:-1], OVER[1])
            index, start, scale = (position.of(each, t.dtype) for each in (counts, starts, scales))
        local = Clock.floating(safe_divide((t - start).number, scale)).until(self.cycle_steps)
        return _faded(self.schedule.evaluate(local), self.value_factor, index, t.dtype)

    def spans(self, until: float) -> Iterator[Span]:
        return self._spans(0.0, until)

    def _spans(self: Any, since: float, until: float) -> Iterator[Span]:
        length, growth = float(self.cycle_steps), float(self.length_factor)
        most = math.inf if self.cycles is None else float(self.cycles)
        gained = since / length * (growth - 1)
        if gained <= -1:
            return
        passed = since / length if growth == 1 else math.log1p(gained) / math.log(growth)
        # The quotients are rounded, so begin one cycle early.
        for i in itertools.count(max(math.floor(min(passed, most)) - 1, 0)):
            start, end = self._start(i), self._start(i + 1)
            # The lengths of shrinking cycles round to 0 in the end.
            if i >= most or start >= min(end, until):
                return
            if end > since:
                yield Span(self.schedule, start, end, speed=growth**-i, factor=self._factor(i))

    def duration(self: Any) -> float | None:
        return None if self.cycles is None else self._start(float(self.cycles))

    def _factor(self: Any, index: int) -> float:
        """The factor on the rates of a cycle."""
        base = float(self.value_factor)
        return math.inf if base > 1 and index * math.log(base) > LOG_LARGEST else base**index

    def peak(self: Any) -> float | None:
        # Growing cycles go above the peak of the first.
        highest: float | None = self.schedule.peak()
        return highest

    def _start(self: Any, index: float) -> float:
        """The step at which a cycle begins, rounded as `evaluate` does it."""
        length, growth = float(self.cycle_steps), float(self.length_factor)
        if growth == 1:
            return min(index * length, FOREVER)
        if index * math.log(growth) > LOG_LARGEST:
            return FOREVER
        return min(float(_snapped(length * (growth**index - 1) / (growth - 1), np)), FOREVER)


def _faded(value: Any, factor: Any, index: Any, dtype: Any) -> Any:
    """`value * factor ** index`, limited to float32."""
    if is_known(factor, 1.0):
        return value
    if isinstance(index, Entry) and isinstance(factor, float):
        return limited(value * index.map(lambda counts: np.minimum(factor**counts, LARGEST)), dtype)
    root = jnp.exp(jnp.minimum(as_array(index) * log(factor) / 2, LOG_LARGEST))
    return limited(value * root * root, dtype)


def _starts(cycle_steps: float, length_factor: float, cycles: float | None) -> np.ndarray | None:
    """The steps at which cycles begin, up to the end of a clock; `None` if there are too many to list.

    The end of shrinking cycles is listed too.
    """
    count = np.inf if cycles is None else np.floor(cycles) + (length_factor < 1)
    if length_factor > 1:
        reach = math.log1p(LARGEST_STEP / cycle_steps * (length_factor - 1)) / math.log(length_factor)
        count = min(count, math.ceil(reach) + 1)
    if count > MOST_STARTS:
        return None
    scales = length_factor ** np.arange(count)
    return _snapped(cycle_steps * ((scales - 1) / (length_factor - 1)), np)


def _growing(t: Clock, cycle_steps: Any, length_factor: Any, cycles: Any) -> tuple[Any, Any, Any]:
    """The index, start and scale of the current cycle, computed from numbers that may be traced."""
    length, factor = as_array(cycle_steps, t.dtype), as_array(length_factor, t.dtype)
    last = as_array(FOREVER if cycles is None else cycles - 1, t.dtype)
    growing = factor != 1
    growth = jnp.where(growing, factor - 1, 1)
    passed = t.ratio(cycle_steps)
    gained = jnp.maximum(jnp.minimum(passed, 2.0**62) * growth, jnp.finfo(t.dtype).eps - 1)
    # The count may be off by one, so begin one cycle early and compare the starts.
    early = jnp.floor(jnp.where(growing, jnp.log1p(gained) / jnp.log1p(growth), passed)) - 1
    index = lax.stop_gradient(jnp.clip(early, 0, last))
    scale = next_scale = factor**index
    # For a factor of 1 the second term is 0, but its derivative with respect to the factor is not.
    equal = index + (factor - 1) * index * ((index - 1) / 2)
    next_start = length * jnp.where(growing, (scale - 1) / growth, equal)
    whole = (factor == jnp.floor(factor)) & (length == jnp.floor(length))
    lengths, factors, indices = (each.astype(np.int32) for each in (length, factor, index))
    next_count = lengths * jnp.where(growing, _sum_of_powers(factors, indices), indices)

    def begin(start: jax.Array, count: jax.Array) -> Clock:
        integer = start + lax.stop_gradient(_snapped(start, jnp) - start)
        rounded = t.like(jnp.where(growing, integer, start))
        if t.dtype == np.float64:
            return rounded
        # Whole lengths and factors give whole starts: exact in int32, but not always in float32.
        return rounded.select(whole & (start < LAST_STEP - 256.0), Clock(count), rounded, nonnegative=True)

    start = begin(next_start, next_count)
    for _ in range(2):
        next_start, next_scale = next_start + length * next_scale, next_scale * factor
        next_count = next_count * factors + lengths
        next_begin = begin(next_start, next_count)
        begun = (t >= next_begin) & (index < last)
        index = jnp.where(begun, index + 1, index)
        start = start.select(begun, next_begin, start, nonnegative=True)
        scale = jnp.where(begun, next_scale, scale)
    if cycles is not None:
        # Near the end of shrinking cycles the logarithm cannot tell their number, and their starts are equal.
        end = _snapped(length * (jnp.minimum(factor, 1) ** (last + 1) - 1) / growth, jnp)
        over = (factor < 1) & (t >= t.like(end))
        index = jnp.where(over, lax.stop_gradient(last), index)
        start = start.select(over, OVER[0], start, nonnegative=True)
        scale = jnp.where(over, OVER[1], scale)
    return index, start, scale


def _sum_of_powers(factor: jax.Array, count: jax.Array) -> jax.Array:
    """`1 + factor + factor**2 + ...`, `count` terms, in int32; more than 31 terms would not fit."""
    total, power = jnp.zeros_like(factor), jnp.ones_like(factor)
    for bit in (16, 8, 4, 2, 1):
        # Double the number of terms, then add one if the count has this bit.
        total, power = total + total * power, power * power
        odd = (count & bit) > 0
        total, power = jnp.where(odd, total * factor + 1, total), jnp.where(odd, power * factor, power)
    return total


def _snapped(starts: Any, numpy: Any) -> Any:
    """Rounds the starts that are within `2**-22` (relative) of an integer."""
    nearest = numpy.floor(starts + 0.5)
    return numpy.where(abs(starts - nearest) <= starts * 2.0**-22, nearest, starts)
