"""Time: steps come in, fractions go out, and only here and in `boundaries` is one time compared with another.

A `Clock` is what a formula sees as `t`: the number of steps since its schedule's start, never below 0. It is
a number. Differences, comparisons, `//` and `%` of a clock are exact; everything else makes a float of it.

In float64 it is one float64, in which every whole step up to 2**53 is exact. Where there is no float64 it is
an int32, and what is not whole, or beyond int32, is a float32 beside it.
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

from jaxsched._core.lookup import Entry, as_array
from jaxsched._core.operators import Operators

LAST_STEP = 2**31 - 1
"""The largest int32: JAX's integers saturate here, and so do the clocks of optimizers."""

LARGEST_STEP = 2.0**53
"""Other steps saturate here, the end of float64's whole numbers."""

FOREVER = 2.0**100
"""Ratios of times saturate here, so that none of them overflows float32."""


def prepare_step(step: Any) -> Any:
    """A caller's step as a JAX array of int32 or a float, or, where it is concrete, NumPy float64.

    Raises:
      TypeError: `step` is no integer or floating number or array.
    """
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
        known = np.asarray(step) if isinstance(step, np.ndarray | np.generic) else np.asarray(float(step))
        if jnp.issubdtype(known.dtype, jnp.integer) or jnp.issubdtype(known.dtype, jnp.floating):
            return np.clip(known.astype(np.float64), 0, LARGEST_STEP)
    kind = getattr(step, "dtype", type(step).__name__)
    raise TypeError(
        "`step` must be an integer or floating number or array (Python, NumPy or JAX), "
        f"got {step!r} ({kind})."
    )


NEAR = 64
"""Half the distance of float32 numbers about the last int32."""


@jax.tree_util.register_pytree_node_class
class Clock(Operators):
    """A number of steps, exact. A schedule's `evaluate` gets one: the time since its own start.

    `-`, comparisons, `//` and `%` between clocks and numbers give clocks and booleans, exact. `+`, `*`, `/`,
    `**` and every function of `jax.numpy` see it as a float.

    Attributes:
      whole: float64, the number itself; or int32, its whole part.
      rest: beside an int32 what is left of the number, float32, or `None` for nothing.
      nonnegative: whether it is known to be at least 0.
    """

    __slots__ = ("nonnegative", "rest", "whole")

    def __init__(self, whole: jax.Array, rest: jax.Array | None = None, nonnegative: bool = False) -> None:
        self.whole = whole
        self.rest = rest
        self.nonnegative = nonnegative

    def tree_flatten(self) -> tuple[tuple[Any, Any], bool]:
        # The functions of `jax.numpy` are compiled, and what they are given is a pytree.
        return (self.whole, self.rest), self.nonnegative

    @classmethod
    def tree_unflatten(cls, nonnegative: bool, children: tuple[Any, Any]) -> Clock:
        return cls(*children, nonnegative)

    @classmethod
    def start(cls, step: Any, dtype: Any) -> Clock:
        """The clock of a whole schedule, or of many steps: what `prepare_step` gave, from 0 on."""
        if isinstance(step, np.ndarray | np.generic) and step.dtype == np.float64:
            return _known(np.asarray(step), dtype, jnp.asarray)
        if dtype == np.float64:
            step = lax.convert_element_type(step, dtype)
            return cls(lax.clamp(np.float64(0), step, np.float64(LARGEST_STEP)), nonnegative=True)
        if step.dtype == np.int32:
            return cls(lax.max(step, np.int32(0)), nonnegative=True)
        step = lax.convert_element_type(step, dtype)
        return cls(*_split_array(lax.clamp(np.float32(0), step, np.float32(LARGEST_STEP))), nonnegative=True)

    @classmethod
    def of(cls, time: Any) -> Clock:
        """The clock of any number, from 0 on, in the dtype that floats have here."""
        dtype = jnp.zeros(()).dtype
        number = jnp.asarray(time)
        return cls.start(prepare_step(number.astype(dtype) if dtype == np.float64 else number), dtype)

    @classmethod
    def floating(cls, number: jax.Array) -> Clock:
        """The clock that is a float already, at least 0."""
        if number.dtype == np.float64:
            return cls(number, nonnegative=True)
        return cls(lax.full_like(number, 0, np.int32), number, nonnegative=True)

    @property
    def dtype(self) -> Any:
        """The dtype of the float that it becomes: float64 or float32."""
        return np.dtype(np.float64 if self.whole.dtype == np.float64 else np.float32)

    @property
    def number(self) -> jax.Array:
        """The time as a float."""
        return _float(self.whole, self.rest)

    def __jax_array__(self) -> jax.Array:
        return self.number

    # Exact arithmetic.

    def like(self, other: Any) -> Clock:
        """`other`, a number of steps in any form, as a clock in the same dtype."""
        if isinstance(other, Clock):
            return other
        if isinstance(other, Entry):
            return _known(other.values, self.dtype, other.position.pick)
        if isinstance(other, jax.Array):
            if self.dtype == np.float64:
                return Clock(lax.convert_element_type(other, np.float64), nonnegative=True)
            # An integer may be below 0, as that of a shift; of a float that is then the rest.
            nonnegative = not jnp.issubdtype(other.dtype, jnp.integer)
            return Clock(*_split_array(other), nonnegative)
        return _known(np.asarray(other, np.float64), self.dtype, jnp.asarray)

    def __sub__(self, other: Any) -> Clock:
        if isinstance(other, float) and other.is_integer() and -NEAR <= other < 0 and self.nonnegative:
            # What int32 cuts off at its end is less than a float32 there can tell.
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
        # Their whole parts cancel exactly, so the sign of what is left is right.
        left = _difference(self, other).number
        return relation(left, lax.full_like(left, 0))

    def __floordiv__(self, length: Any) -> Clock:
        return self.periods(length)[0]

    def __mod__(self, length: Any) -> Clock:
        return self.periods(length)[1]

    def __divmod__(self, length: Any) -> tuple[Clock, Clock]:
        return self.periods(length)

    def _operate(self, other: Any, operation: Callable[[Any, Any], Any]) -> jax.Array:
        """What makes a float of it."""
        return operation(self.number, other.number if isinstance(other, Clock) else other)

    def __abs__(self) -> jax.Array:
        return lax.abs(self.number)

    # Other clocks.

    def since(self, step: Any) -> Clock:
        """The clock that starts at `step`."""
        passed = self - step
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
        """How much of a length has passed and how much remains, both at least 0, and whether none does."""
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
        # A number that is not normal may count as 0 here and not there.
        safe = jnp.where(huge | (unit < 2.0**-126), 1, unit)
        return jnp.where(huge, FOREVER * jnp.sign(time), time / safe)

    def slower(self, factor: Any) -> Clock:
        """The clock that takes `factor` times as long."""
        whole = isinstance(factor, float) and factor.is_integer() and self.rest is None
        if self.dtype == np.float64 or not whole:
            return Clock.floating(self.ratio(factor))
        periods, within = self.periods(factor)
        return Clock(periods.whole, within.number / factor, nonnegative=True)

    def periods(self, length: Any) -> tuple[Clock, Clock]:
        """How many whole periods of `length` have passed, and the clock within the present one."""
        period = self.like(length)
        if self.dtype == np.float32 and self.rest is None and period.rest is None:
            safe = lax.max(period.whole, np.int32(1))
            passed = lax.div(self.whole, safe) if self.nonnegative else self.whole // safe
            within = Clock(self.whole - passed * safe, nonnegative=True)
            return Clock(passed, nonnegative=self.nonnegative), within
        count, within = _floored(self, period, Clock.floating(lax.floor(self.ratio(length))))
        if self.rest is None and period.rest is not None and not isinstance(length, float):
            # A traced length is whole as a rule, and then integers are exact.
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
    """Concrete steps as a clock; `placed` makes arrays of NumPy's."""
    nonnegative = bool((values >= 0).all())
    if dtype == np.float64:
        return Clock(placed(values), nonnegative=nonnegative)
    wholes = np.clip(np.floor(values), -LAST_STEP, LAST_STEP)
    rests = np.asarray(on_grid(values) - wholes, np.float32)
    whole = placed(np.asarray(wholes, np.int32))
    return Clock(whole, placed(rests) if rests.any() else None, nonnegative)


def on_grid(values: np.ndarray) -> np.ndarray:
    """Numbers of steps in units so large that sums and differences of their rests are exact in float32."""
    return np.where(abs(values) < 1, values, np.floor(values * 2.0**20 + 0.5) * 2.0**-20)


def _split_array(values: jax.Array) -> tuple[jax.Array, jax.Array | None]:
    """Traced numbers of steps, at least 0 or all rest, as an int32 and a float32, exact."""
    if jnp.issubdtype(values.dtype, jnp.integer):
        if jnp.iinfo(values.dtype).max > LAST_STEP:
            values = lax.min(values, jnp.asarray(LAST_STEP, values.dtype))
        return lax.convert_element_type(values, np.int32), None
    values = lax.convert_element_type(values, np.float32)
    # The largest float32 that an int32 can be.
    most = np.float32(2**31 - 128)
    wholes = lax.clamp(np.float32(0), lax.floor(values), most)
    return lax.convert_element_type(wholes, np.int32), lax.sub(values, wholes)


def _difference(a: Clock, b: Clock) -> Clock:
    """`a - b`; int32 saturates, and the rest takes what that cuts off."""
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
        # What wrapped around once wraps back.
        lost = _float(lax.sub(whole, end), None)
        lost = lax.select(overflow, lost, lax.full_like(lost, 0))
        whole = lax.select(overflow, end, whole)
        rest = lost if rest is None else lax.add(rest, lost)
    return Clock(whole, rest)


def _floored(time: Clock, period: Clock, about: Clock) -> tuple[Clock, Clock]:
    """A quotient that was floored after it was rounded, corrected by one, and the remainder."""

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
