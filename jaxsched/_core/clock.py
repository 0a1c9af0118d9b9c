"""Exact arithmetic on time.

A `Clock` is the `t` of a formula: the number of steps since its schedule's start, at least 0. It behaves like
a number. Differences, comparisons, `//` and `%` of clocks are exact; other operations convert it to a float.

On a platform with float64, a clock is one float64, which holds every whole step up to 2**53. Without float64,
it is an int32 and, if needed, a float32 for the fraction of a step or what exceeds int32.
"""

from __future__ import annotations

import functools
import numbers
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsched._core.fields import check_unmasked, is_real
from jaxsched._core.lookup import Entry, as_array
from jaxsched._core.operators import Operators

LAST_STEP = 2**31 - 1
"""The largest int32. JAX integers saturate here, and so do the step counts of optimizers."""

LARGEST_STEP = 2.0**53
"""All other steps saturate here, where float64 stops holding every integer."""

FOREVER = 2.0**100
"""Ratios of times saturate here, within float32."""


def prepare_step(step: Any) -> Any:
    """Converts a caller's step: JAX arrays to int32 or a float dtype, other numbers to NumPy float64.

    What holds an array and says so by `__jax_array__`, such as a variable of Flax or Keras, is that array.

    Raises:
      TypeError: `step` is not an integer or floating number or array.
      ValueError: an entry is masked.
    """
    if hasattr(step, "__jax_array__") and not isinstance(step, jax.Array | Clock):
        step = step.__jax_array__()
    if isinstance(step, jax.Array):
        if step.dtype in (np.int32, np.float32, np.float64):
            return step
        if jnp.issubdtype(step.dtype, jnp.integer):
            if jnp.iinfo(step.dtype).max > LAST_STEP:
                step = jnp.minimum(step, jnp.asarray(LAST_STEP, step.dtype))
            if jnp.iinfo(step.dtype).min < -LAST_STEP:
                step = jnp.maximum(step, 0)
            return lax.convert_element_type(step, np.int32)
        if jnp.issubdtype(step.dtype, jnp.floating):
            return lax.convert_element_type(step, np.float32)
    elif isinstance(step, bool):
        pass
    elif isinstance(step, int):
        return np.float64(min(max(step, 0), LARGEST_STEP))
    elif isinstance(step, numbers.Real | np.ndarray | np.generic):
        check_unmasked("step", step)
        known = np.asarray(step) if isinstance(step, np.ndarray | np.generic) else np.asarray(float(step))
        if is_real(known.dtype):
            return np.clip(known.astype(np.float64), 0, LARGEST_STEP)
    kind = getattr(step, "dtype", type(step).__name__)
    raise TypeError(
        "`step` must be an integer or floating number or array (Python, NumPy or JAX), "
        f"got {step!r} ({kind})."
    )


NEAR = 64
"""Half the spacing of float32 numbers just below 2**31."""


@jax.tree_util.register_pytree_node_class
class Clock(Operators):
    """An exact number of steps. `evaluate` takes one: the time since the schedule's start.

    `-`, `//`, `%` and comparisons between clocks and numbers are exact and give clocks or booleans. `+`, `*`,
    `/`, `**` and the functions of `jax.numpy` convert it to a float.

    Attributes:
      whole: the number as a float64, or its whole part as an int32.
      rest: with an int32, the rest of the number as a float32, or `None` if there is none.
      nonnegative: whether the number is known to be at least 0.
    """

    __slots__ = ("nonnegative", "rest", "whole")

    def __init__(self, whole: jax.Array, rest: jax.Array | None = None, nonnegative: bool = False) -> None:
        self.whole = whole
        self.rest = rest
        self.nonnegative = nonnegative

    def tree_flatten(self) -> tuple[tuple[Any, Any], bool]:
        # `jax.numpy` functions are jitted, so their arguments must be pytrees.
        return (self.whole, self.rest), self.nonnegative

    @classmethod
    def tree_unflatten(cls, nonnegative: bool, children: tuple[Any, Any]) -> Clock:
        return cls(*children, nonnegative)

    @classmethod
    def start(cls, step: Any, dtype: Any) -> Clock:
        """The clock of a step, or of an array of steps, from `prepare_step`; clipped below at 0."""
        if isinstance(step, np.ndarray | np.generic) and step.dtype == np.float64:
            return _known(np.asarray(step), dtype, jnp.asarray)
        if dtype == np.float64:
            step = lax.convert_element_type(step, dtype)
            return cls(lax.clamp(np.float64(0), step, np.float64(LARGEST_STEP)), nonnegative=True)
        if step.dtype == np.int32:
            return cls(lax.max(step, np.int32(0)), nonnegative=True)
        step = lax.convert_element_type(step, dtype)
        step = lax.clamp(np.float32(0), step, np.float32(LARGEST_STEP))
        whole, rest = _split_array(step)
        # There float32 rounds a rest to that of a known boundary, whose whole part is the last int32.
        far = step >= 2.0**31 + 2.0**24
        whole = jnp.where(far, np.int32(LAST_STEP), whole)
        return cls(whole, jnp.where(far, step - 2.0**31, as_array(rest)), nonnegative=True)

    @classmethod
    def of(cls, time: Any) -> Clock:
        """The clock of any number, clipped below at 0, in the default float dtype."""
        dtype = jnp.zeros(()).dtype
        number = jnp.asarray(time)
        return cls.start(prepare_step(number.astype(dtype) if dtype == np.float64 else number), dtype)

    @classmethod
    def counting(cls, number: jax.Array) -> Clock:
        """The clock of an integer, which may be negative."""
        return cls(*_split_array(number))

    @classmethod
    def floating(cls, number: jax.Array) -> Clock:
        """The clock of a float that is at least 0."""
        if number.dtype == np.float64:
            return cls(number, nonnegative=True)
        return cls(lax.full_like(number, 0, np.int32), number, nonnegative=True)

    @property
    def dtype(self) -> Any:
        """The dtype of its float, float64 or float32."""
        return np.dtype(np.float64 if self.whole.dtype == np.float64 else np.float32)

    @property
    def number(self) -> jax.Array:
        """The time as a float."""
        return _float(self.whole, self.rest)

    def __jax_array__(self) -> jax.Array:
        return self.number

    # Exact arithmetic.

    def like(self, other: Any) -> Clock:
        """`other`, a number of steps in any form, as a clock of the same dtype."""
        if isinstance(other, Clock):
            return other
        if isinstance(other, Entry):
            return _known(other.values, self.dtype, other.position.pick)
        if isinstance(other, jax.Array):
            if self.dtype == np.float64:
                return Clock(lax.convert_element_type(other, np.float64), nonnegative=True)
            # An integer may be negative, e.g. in `shift`; the whole part of a float never is.
            nonnegative = not jnp.issubdtype(other.dtype, jnp.integer)
            return Clock(*_split_array(other), nonnegative)
        return _known(np.asarray(other, np.float64), self.dtype, jnp.asarray)

    def __sub__(self, other: Any) -> Clock:
        if isinstance(other, float) and other.is_integer() and -NEAR <= other < 0 and self.nonnegative:
            # The steps cut off at the end of int32 are below float32's resolution there.
            ahead = lax.full_like(self.whole, -other)
            last = LARGEST_STEP if self.dtype == np.float64 else LAST_STEP
            return Clock(
                lax.min(self.whole, lax.full_like(self.whole, last + other)) + ahead, self.rest, True
            )
        return _difference(self, self.like(other))

    def __rsub__(self, other: Any) -> Clock:
        return _difference(self.like(other), self)

    def __neg__(self) -> Clock:
        return 0 - self

    def _compare(self, other: Any, relation: Callable[[Any, Any], jax.Array]) -> jax.Array:
        other = self.like(other)
        if self.rest is None and other.rest is None:
            return relation(self.whole, other.whole)
        # The whole parts cancel exactly, so the sign of the difference is right.
        left = _difference(self, other).number
        return relation(left, lax.full_like(left, 0))

    def __floordiv__(self, length: Any) -> Clock:
        return self.periods(length)[0]

    def __mod__(self, length: Any) -> Clock:
        return self.periods(length)[1]

    def __divmod__(self, length: Any) -> tuple[Clock, Clock]:
        return self.periods(length)

    def _operate(self, other: Any, operation: Callable[[Any, Any], Any]) -> jax.Array:
        """Applies an operation to it as a float."""
        return operation(self.number, other.number if isinstance(other, Clock) else other)

    def __abs__(self) -> jax.Array:
        return lax.abs(self.number)

    # Other clocks.

    def since(self, step: Any) -> Clock:
        """The clock that starts at `step`."""
        passed = self - step
        if passed.nonnegative:
            return passed
        if passed.rest is None:
            return Clock(lax.max(passed.whole, lax.full_like(passed.whole, 0)), nonnegative=True)
        return self.select(passed > 0, passed, 0, nonnegative=True)

    def until(self, step: Any) -> Clock:
        """The clock that stops at `step`."""
        end = self.like(step)
        if self.rest is None and end.rest is None:
            return Clock(lax.min(self.whole, end.whole), nonnegative=self.nonnegative and end.nonnegative)
        return self.select(self < end, self, end, nonnegative=self.nonnegative and end.nonnegative)

    def select(self, condition: jax.Array, yes: Any, no: Any, nonnegative: bool = False) -> Clock:
        """`yes` where `condition`, else `no`."""
        a, b = self.like(yes), self.like(no)
        whole = lax.select(condition, a.whole, b.whole)
        if a.rest is None and b.rest is None:
            return Clock(whole, nonnegative=nonnegative)
        rests = (lax.full_like(whole, 0, np.float32) if each.rest is None else each.rest for each in (a, b))
        return Clock(whole, lax.select(condition, *rests), nonnegative)

    def within(self, length: Any) -> tuple[Clock, Clock, jax.Array]:
        """The parts of a length that have passed and remain, both at least 0, and whether it is over."""
        end = self.like(length)
        if self.rest is None and end.rest is None:
            passed = self.until(end)
            return passed, end - passed, self >= end
        remaining = (end - self).number
        none = lax.full_like(remaining, 0)
        passed = Clock.floating(lax.min(self.number, end.number))
        return passed, Clock.floating(lax.max(remaining, none)), lax.le(remaining, none)

    def ratio(self, unit: Any) -> jax.Array:
        """`t / unit`, limited to `FOREVER`; `unit` is above 0."""
        if isinstance(unit, float) and unit >= 1 / FOREVER**0.25:
            return self.number / unit
        time, unit = self.number, as_array(unit, self.dtype)
        huge = abs(time) > FOREVER * unit
        # Some platforms flush subnormal numbers to 0.
        safe = jnp.where(huge | (unit < 2.0**-126), 1, unit)
        return jnp.where(huge, FOREVER * jnp.sign(time), time / safe)

    def slower(self, factor: Any) -> Clock:
        """The clock slowed down by `factor`."""
        whole = isinstance(factor, float) and factor.is_integer() and self.rest is None
        if self.dtype == np.float64 or not whole:
            return Clock.floating(self.ratio(factor))
        periods, within = self.periods(factor)
        return Clock(periods.whole, within.number / factor, nonnegative=True)

    def periods(self, length: Any) -> tuple[Clock, Clock]:
        """The number of whole periods of `length` that have passed, and the time in the current one."""
        period = self.like(length)
        if self.dtype == np.float32 and self.rest is None and period.rest is None:
            safe = lax.max(period.whole, np.int32(1))
            passed = lax.div(self.whole, safe) if self.nonnegative else self.whole // safe
            within = Clock(self.whole - passed * safe, nonnegative=True)
            return Clock(passed, nonnegative=self.nonnegative), within
        count, within = _floored(self, period, Clock.floating(lax.floor(self.ratio(length))))
        if self.rest is None and period.rest is not None and not isinstance(length, float):
            # A traced length is usually whole; integer arithmetic is then exact.
            exact = Clock(period.whole)
            whole = lax.bitwise_and(lax.eq(period.rest, lax.full_like(period.rest, 0)), exact >= 1)
            exact_count, exact_rest = self.periods(self.select(whole, exact, 1))
            count = self.select(whole, exact_count, count, nonnegative=True)
            within = self.select(whole, exact_rest, within, nonnegative=True)
        return count, within


def _float(whole: jax.Array, rest: jax.Array | None) -> jax.Array:
    if whole.dtype == np.float64:
        return whole
    number = lax.convert_element_type(whole, np.float32)
    return number if rest is None else lax.add(number, rest)


def _known(values: np.ndarray, dtype: Any, placed: Callable[[Any], jax.Array]) -> Clock:
    """Concrete steps as a clock; `placed` turns a NumPy array into a JAX array."""
    nonnegative = bool((values >= 0).all())
    if dtype == np.float64:
        return Clock(placed(values), nonnegative=nonnegative)
    values = np.nan_to_num(values)
    wholes = np.clip(np.floor(values), -LAST_STEP, LAST_STEP)
    rests = np.asarray(on_grid(values) - wholes, np.float32)
    whole = placed(np.asarray(wholes, np.int32))
    return Clock(whole, placed(rests) if rests.any() else None, nonnegative)


def on_grid(values: np.ndarray) -> np.ndarray:
    """Rounds steps of 1 or more to multiples of 2**-20: their fractions add exactly in float32."""
    return np.where(abs(values) < 1, values, np.floor(values * 2.0**20 + 0.5) * 2.0**-20)


def _split_array(values: jax.Array) -> tuple[jax.Array, jax.Array | None]:
    """Splits traced steps into an int32 and, for what exceeds int32 or is no integer, a float32.

    A negative float is all rest.
    """
    if jnp.issubdtype(values.dtype, jnp.integer):
        limits = jnp.iinfo(values.dtype)
        if limits.max <= LAST_STEP:
            return lax.convert_element_type(values, np.int32), None
        least, most = (jnp.asarray(each, values.dtype) for each in (max(limits.min, -LAST_STEP), LAST_STEP))
        wholes = lax.clamp(least, values, most)
        rests = lax.sub(values, wholes)
        return lax.convert_element_type(wholes, np.int32), lax.convert_element_type(rests, np.float32)
    values = lax.convert_element_type(values, np.float32)
    # The largest float32 that fits an int32.
    wholes = lax.clamp(np.float32(0), lax.floor(values), np.float32(2**31 - 128))
    return lax.convert_element_type(wholes, np.int32), lax.sub(values, wholes)


def _difference(a: Clock, b: Clock) -> Clock:
    """`a - b`. The int32 saturates, and the rest keeps the excess."""
    whole = lax.sub(a.whole, b.whole)
    if a.dtype == np.float64:
        return Clock(whole)
    rests = [
        each.rest if sign > 0 else lax.neg(each.rest)
        for each, sign in ((a, 1), (b, -1))
        if each.rest is not None
    ]
    rest = functools.reduce(lax.add, rests) if rests else None
    if not (a.nonnegative and b.nonnegative):
        overflow = lax.lt(
            lax.bitwise_and(lax.bitwise_xor(a.whole, b.whole), lax.bitwise_xor(a.whole, whole)),
            lax.full_like(whole, 0),
        )
        end = lax.select(
            lax.lt(a.whole, lax.full_like(a.whole, 0)),
            *(lax.full_like(whole, x) for x in (-LAST_STEP, LAST_STEP)),
        )
        # The wrapped difference, minus the limit, wraps back to the excess.
        lost = _float(lax.sub(whole, end), None)
        lost = lax.select(overflow, lost, lax.full_like(lost, 0))
        whole = lax.select(overflow, end, whole)
        rest = lost if rest is None else lax.add(rest, lost)
    return Clock(whole, rest)


def _floored(time: Clock, period: Clock, about: Clock) -> tuple[Clock, Clock]:
    """The quotient and the remainder. `about` is the quotient to within one, and is corrected."""

    def product(count: Clock) -> Clock:
        if time.dtype == np.float64:
            return Clock(lax.mul(count.whole, period.whole))
        passed = lax.mul(count.number, period.number)
        whole = lax.convert_element_type(count.number, np.int32) * period.whole
        exact = Clock(whole, None if period.rest is None else count.number * period.rest)
        fits = lax.lt(passed, lax.full_like(passed, LAST_STEP - 256))
        return time.select(fits, exact, Clock.floating(passed), nonnegative=True)

    rest = time - product(about)
    low, high = rest < 0, rest >= period
    count = time.select(low, about - 1, time.select(high, about - (-1), about), nonnegative=True)
    within = time - product(count)
    within = time.select(within < 0, 0, within, nonnegative=True)
    return count, within
