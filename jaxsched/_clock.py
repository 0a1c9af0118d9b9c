"""Time: steps come in, fractions go out. Nothing else in jaxsched divides or compares steps.

`prepare_step` checks what a caller passes; a `Clock` is what a schedule sees: the time in steps since
its own start, never below 0, exact (see `_wide`). A combinator hands its parts clocks derived
from its own; a shape asks its clock for fractions of a length.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jaxsched import _wide as wide
from jaxsched._columns import Column
from jaxsched._wide import Wide

LAST_STEP = 2**31 - 1
"""Steps saturate here, at the largest int32."""

FOREVER = 2.0**100
"""Times and ratios of times saturate here, so that none of them overflows float32."""


def prepare_step(step: Any) -> Any:
    """`step` as a JAX array, a NumPy int32 array, or NumPy float32 pairs.

    What is not yet in JAX is brought in range here, because JAX would cut it to 32 bits.

    Raises:
      TypeError: `step` is no integer or floating number or array.
    """
    if isinstance(step, jax.Array):
        if step.dtype in (np.int32, np.float32):
            return step
        if jnp.issubdtype(step.dtype, jnp.integer) or jnp.issubdtype(step.dtype, jnp.floating):
            return _common(step)
    elif isinstance(step, bool):
        pass
    elif isinstance(step, int):
        return np.asarray(min(max(step, 0), LAST_STEP), np.int32)
    elif isinstance(step, numbers.Real | np.ndarray | np.generic):
        known = isinstance(step, np.ndarray | np.generic)
        array = np.asarray(step) if known else np.asarray(float(step))
        if jnp.issubdtype(array.dtype, jnp.integer):
            return np.asarray(_in_range(array, np), np.int32)
        if jnp.issubdtype(array.dtype, jnp.floating):
            return wide.words(np.clip(array.astype(np.float64), 0, LAST_STEP), np.float32)
    kind = getattr(step, "dtype", type(step).__name__)
    raise TypeError(
        "`step` must be an integer or floating number or array (Python, NumPy or JAX), "
        f"got {step!r} ({kind})."
    )


@jax.jit
def _common(step: jax.Array) -> jax.Array:
    """`step` as int32, in range, or as a float of at least 32 bits: one program for every schedule."""
    if jnp.issubdtype(step.dtype, jnp.integer):
        return _in_range(step, jnp).astype(np.int32)
    return step.astype(jnp.promote_types(step.dtype, jnp.float32))


def _in_range(step: Any, numpy: Any) -> Any:
    """`step`, of an integer dtype, limited to [0, `LAST_STEP`]."""
    if jnp.iinfo(step.dtype).max > LAST_STEP:
        step = numpy.minimum(step, LAST_STEP)
    return numpy.maximum(step, 0)


def start(step: Any, dtype: DTypeLike) -> Wide:
    """What `prepare_step` returned as times in `dtype`, of its shape."""
    if isinstance(step, Wide):
        high, low = jnp.asarray(step.high), jnp.asarray(step.low)
        return wide.exact(Wide(high.astype(dtype) + low) if dtype == np.float64 else Wide(high, low))
    if jnp.issubdtype(step.dtype, jnp.integer):
        return wide.exact(wide.of(jnp.maximum(step, 0), dtype))
    return wide.exact(wide.of(jnp.clip(step, 0, LAST_STEP), dtype))


@dataclass(frozen=True)
class Clock:
    """A time of at least 0, in steps since the start of the schedule that reads it.

    Attributes:
      time: that time, a scalar, as a pair of words: sums and differences of times are exact.
    """

    time: Wide

    @property
    def dtype(self) -> np.dtype:
        """The dtype that the schedule is evaluated in: float64, or float32 where there is none."""
        return self.time.dtype

    def fractions(self, length: Wide) -> tuple[Wide, Wide]:
        """`time / length` and what is left to 1, each without cancellation and within [0, 1].

        At and after the end they are exactly 1 and 0, and a length of 0 is at its end.
        """
        done = self.reached(length)
        safe = wide.where(length > 0.0, wide.relaxed(length), 1.0)
        elapsed = wide.where(done, 1.0, wide.relaxed(self.time) / safe)
        left = wide.where(done, 0.0, wide.difference(length, self.time) / safe)
        return elapsed, left

    def ratio(self, unit: Wide, origin: Wide | None = None) -> Wide:
        """`(time - origin) / unit`, limited to `FOREVER`; the origin is 0 where there is none."""
        time = wide.relaxed(self.time) if origin is None else wide.difference(self.time, origin)
        return _ratio(time, unit)

    def reached(self, step: Wide) -> jax.Array:
        """Whether `step` is now or in the past: boundaries belong to what begins there."""
        return self.time >= step

    def count_reached(self, steps: Column) -> jax.Array:
        """How many of the sorted `steps` are now or in the past: int32."""
        return steps.count_at_most(self.time) if steps.size else jnp.zeros((), jnp.int32)

    def index(self, size: int) -> jax.Array:
        """The present whole step as an index into `size` entries, the last one for ever: int32."""
        whole = wide.minimum(wide.floor(self.time), float(size - 1))
        return whole.high.astype(jnp.int32) + whole.low.astype(jnp.int32)

    def segment(self, boundaries: Column) -> tuple[jax.Array, Clock]:
        """Which of the stretches between sorted `boundaries` it is, int32, and the clock within."""
        index = self.count_reached(boundaries)
        if boundaries.size == 0:
            return index, self
        return index, self.since(wide.where(index > 0, boundaries[index - 1], 0.0))

    def since(self, step: Wide) -> Clock:
        """The clock that starts at `step`."""
        return Clock(wide.maximum(self.time - step, 0.0))

    def until(self, step: Wide) -> Clock:
        """The clock that stops at `step`."""
        return Clock(wide.minimum(self.time, step))

    def ahead(self, steps: Wide) -> Clock:
        """The clock that is `steps` further on."""
        return Clock(wide.minimum(wide.maximum(self.time + steps, 0.0), FOREVER))

    def slower(self, factor: Wide) -> Clock:
        """The clock that takes `factor` times as long."""
        return Clock(_ratio(self.time, factor))

    def faster(self, factor: Wide) -> Clock:
        """The clock that takes `1 / factor` times as long."""
        return Clock(self.time * factor)

    def periods(self, length: Wide) -> tuple[Wide, Clock]:
        """How many whole periods of `length` have passed, and the clock within the present one."""
        count = wide.exact(wide.floor(self.ratio(length)))
        # The quotient is rounded; what it leaves is exact and says whether it was off by one.
        rest = self.time - count * length
        off = jnp.where(rest < 0.0, -1.0, jnp.where(rest >= length, 1.0, 0.0)).astype(self.dtype)
        return count + wide.lift(off), Clock(rest - length * wide.exact(wide.lift(off)))

    def ticks(self, length: Wide) -> Clock:
        """The clock that counts whole periods of `length`."""
        return Clock(self.periods(length)[0])

    def there_and_back(self, period: Wide) -> Clock:
        """The clock that turns round at half of each `period`."""
        _, within = self.periods(period)
        return within.until(period - within.time)

    def growing_periods(self, length: Wide, factor: Wide, limit: Wide | None) -> tuple[Wide, Clock]:
        """How many periods have passed, each longer by `factor`, and the clock within the present one.

        That clock is in steps of the first period. With a `limit` there are so many periods, and it stays
        at the end of the last.
        """
        last = length.like(FOREVER) if limit is None else limit - 1.0
        growing = factor.high != 1
        growth = wide.where(growing, factor - 1.0, 1.0)
        passed = self.ratio(length)
        gained = jnp.maximum(wide.minimum(passed, 2.0**62).high * growth.high, 2.0**-20 - 1)
        logarithmic = wide.lift(jnp.log1p(gained) / jnp.log1p(growth.high))
        # Either count may be off by one, so begin one period early and compare the starts.
        early = wide.floor(wide.where(growing, logarithmic, passed)) - 1.0
        index = wide.maximum(wide.minimum(early, last), 0.0)

        scale = next_scale = wide.integer_power(factor, index.high.astype(jnp.int32))
        # What is 0 for equal periods has a derivative with respect to their factor.
        equal = index + (factor - 1.0) * index * ((index - 1.0) * 0.5)
        lengths_before = wide.where(growing, (scale - 1.0) / growth, equal)
        next_start = wide.exact(length) * lengths_before
        start = _snapped(next_start, growing)
        for _ in range(2):
            next_start, next_scale = next_start + length * next_scale, next_scale * factor
            snapped = _snapped(next_start, growing)
            begun = self.reached(snapped) & (index < last)
            index = wide.where(begun, index + 1.0, index)
            start = wide.where(begun, snapped, start)
            scale = wide.where(begun, next_scale, scale)
        return index, Clock(wide.minimum((self.time - start) / scale, length))


def _ratio(time: Wide, unit: Wide) -> Wide:
    huge = jnp.abs(time.high) > FOREVER * unit.high
    quotient = time / wide.where(huge | ~(unit > 0.0), 1.0, unit)
    return wide.where(huge, wide.lift(FOREVER * jnp.sign(time.high)), quotient)


def _snapped(time: Wide, condition: jax.Array) -> Wide:
    """`time`, or on that condition the integer that it is to the precision of float32.

    The gradient is that of `time`.
    """
    about = wide.relaxed(time)
    nearest = wide.floor(about + 0.5)
    close = jnp.abs((about - nearest).high) <= time.high * 2.0**-22
    return wide.where(condition & close, wide.differentiated(nearest, time), time)
