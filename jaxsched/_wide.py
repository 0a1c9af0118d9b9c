"""Wide numbers: enough digits inside that one rounding at the end is the only one that shows.

A decay is decided by differences: the last steps of a cosine to zero depend on `T - t`, an exponential
on `t * log(rate)`. float32 loses those digits. A `Wide` number keeps them, in one of two ways:

- as one float64, which is wide enough for rates and fractions, or
- as the unevaluated sum of two floats, `high + low`: where a backend has no float64, two float32 for
  everything (48 bits); in float64 for times, whose differences are then exact.

Formulas are written once and serve both. Arithmetic among `Wide` and Python numbers stays wide; as soon
as a plain array takes part the result is a plain array, so formulas that need no more can use
`jax.numpy` as usual.

`jax.lax` is called directly because it traces several times faster than operators.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from jaxsched import _pairs as pairs
from jaxsched._pairs import Pair


@jax.tree_util.register_pytree_node_class
class Wide:
    """A real number: `high`, or `high + low` with `high` that sum rounded."""

    __slots__ = ("high", "low")

    def __init__(self, high: Any, low: Any = None) -> None:
        self.high = high
        self.low = low

    def tree_flatten(self) -> tuple[tuple[Any, Any], None]:
        return (self.high, self.low), None

    @classmethod
    def tree_unflatten(cls, _: None, children: tuple[Any, Any]) -> Wide:
        return cls(*children)

    def __jax_array__(self) -> jax.Array:
        return self.high

    @property
    def dtype(self) -> np.dtype:
        """The dtype of its words: float64 or float32."""
        return np.dtype(self.high.dtype)

    @property
    def pair(self) -> Pair:
        """Its two words, the second one 0 where it has none."""
        return self.high, lax.full_like(self.high, 0) if self.low is None else self.low

    def like(self, other: Any) -> Wide:
        """`other`, wide or a Python number, in the dtype of this number."""
        if isinstance(other, Wide):
            return other
        return Wide(np.float64(other)) if self.dtype == np.float64 else Wide(*pairs.constant(other))

    def __getitem__(self, index: int) -> Wide:
        return Wide(self.high[index], None if self.low is None else self.low[index])

    def __neg__(self) -> Wide:
        return Wide(lax.neg(self.high), None if self.low is None else lax.neg(self.low))

    def __add__(self, other: Any) -> Any:
        return _operate(self, other, operator.add, lax.add, pairs.add)

    def __radd__(self, other: Any) -> Any:
        return _operate(other, self, operator.add, lax.add, pairs.add)

    def __sub__(self, other: Any) -> Any:
        return _operate(self, other, operator.sub, lax.sub, pairs.subtract)

    def __rsub__(self, other: Any) -> Any:
        return _operate(other, self, operator.sub, lax.sub, pairs.subtract)

    def __mul__(self, other: Any) -> Any:
        return _operate(self, other, operator.mul, lax.mul, pairs.multiply)

    def __rmul__(self, other: Any) -> Any:
        return _operate(other, self, operator.mul, lax.mul, pairs.multiply)

    def __truediv__(self, other: Any) -> Any:
        return _operate(self, other, operator.truediv, lax.div, pairs.divide)

    def __rtruediv__(self, other: Any) -> Any:
        return _operate(other, self, operator.truediv, lax.div, pairs.divide)

    def __lt__(self, other: Any) -> jax.Array:
        return _compare(self, other, lax.lt, lax.lt)

    def __le__(self, other: Any) -> jax.Array:
        return _compare(self, other, lax.lt, lax.le)

    def __gt__(self, other: Any) -> jax.Array:
        return _compare(self, other, lax.gt, lax.gt)

    def __ge__(self, other: Any) -> jax.Array:
        return _compare(self, other, lax.gt, lax.ge)


def _both(x: Any, y: Any) -> tuple[Wide, Wide] | None:
    """Two operands as `Wide` numbers of one dtype, or `None` where one is a plain array."""
    if not isinstance(x, Wide | float | int) or not isinstance(y, Wide | float | int):
        return None
    known = x if isinstance(x, Wide) else y
    assert isinstance(known, Wide)
    return known.like(x), known.like(y)


def _operate(x: Any, y: Any, plain: Any, on_words: Any, on_pairs: Any) -> Any:
    both = _both(x, y)
    if both is None:
        return plain(*(each.high if isinstance(each, Wide) else each for each in (x, y)))
    if both[0].low is None and both[1].low is None:
        return Wide(on_words(both[0].high, both[1].high))
    return Wide(*on_pairs(both[0].pair, both[1].pair))


def _compare(x: Wide, other: Any, strictly: Any, relation: Any) -> jax.Array:
    """A comparison; pairs compare word by word, since each number has one pair only."""
    y = x.like(other)
    if x.low is None and y.low is None:
        return relation(x.high, y.high)
    (x_high, x_low), (y_high, y_low) = x.pair, y.pair
    tied = lax.bitwise_and(lax.eq(x_high, y_high), relation(x_low, y_low))
    return lax.bitwise_or(strictly(x_high, y_high), tied)


def words(value: float | np.ndarray, dtype: DTypeLike) -> Any:
    """A concrete number or array of them in the form in which it goes into a program.

    Two float32 each for float32. For float64 a number stays as it is, and an array becomes two uint32
    each, because JAX takes no float64 array as a constant where its x64 mode is off.
    """
    if dtype == np.float64:
        return value if isinstance(value, float) else value.view(np.uint32).reshape(*value.shape, 2)
    exactly = np.asarray(value, np.float64)
    high = exactly.astype(np.float32)
    return Wide(high, (exactly - high).astype(np.float32))


def shape(leaf: Any) -> tuple[int, ...]:
    """The shape of a number or an array, whether as it is kept or as `words` makes it."""
    if isinstance(leaf, Wide):
        return np.shape(leaf.high)
    return np.shape(leaf)[:-1] if getattr(leaf, "dtype", None) == np.uint32 else np.shape(leaf)


def of(value: Any, dtype: DTypeLike) -> Wide:
    """A JAX number or array, or what `words` made of one, as a `Wide` in words of `dtype`."""
    if isinstance(value, Wide):
        return value
    if value.dtype == np.uint32:
        lower, upper = (lax.convert_element_type(value[..., i], np.uint64) for i in (0, 1))
        return Wide(lax.bitcast_convert_type((upper << 32) | lower, np.float64))
    high = lax.convert_element_type(value, dtype)
    if dtype == np.float64:
        return Wide(high)
    if jnp.issubdtype(value.dtype, jnp.integer):
        # Two parts that each fit a float32, which the whole may not.
        coarse = lax.bitwise_and(value, lax.full_like(value, ~0xFFF))
        fine = lax.sub(value, coarse)
        return Wide(*pairs.fast_two_sum(*(lax.convert_element_type(part, dtype) for part in (coarse, fine))))
    if value.dtype == np.float64:
        return Wide(high, lax.convert_element_type(value - lax.convert_element_type(high, np.float64), dtype))
    return Wide(*pairs.of(high))


def rounded(value: Any, dtype: DTypeLike) -> jax.Array:
    """`value`, wide, an array or a number, as a plain array of `dtype`."""
    return value.high if isinstance(value, Wide) else jnp.asarray(value, dtype)


def lift(value: Any) -> Wide:
    """A plain floating array as a `Wide`; one that is `Wide` stays as it is."""
    if isinstance(value, Wide):
        return value
    return Wide(value) if value.dtype == np.float64 else Wide(*pairs.of(value))


def exact(x: Wide) -> Wide:
    """`x` as a pair, so that arithmetic with it is that of pairs, in float64 too."""
    return Wide(*x.pair)


def relaxed(x: Wide) -> Wide:
    """`x` without its second word where the first is a float64, which is wide enough for fractions."""
    return Wide(x.high) if x.dtype == np.float64 else x


def difference(x: Wide, y: Wide) -> Wide:
    """`relaxed(x - y)` in fewer operations: what is near is subtracted exactly before it is rounded."""
    if x.dtype != np.float64:
        return x - y
    high = lax.sub(x.high, y.high)
    high = high if x.low is None else lax.add(high, x.low)
    return Wide(high if y.low is None else lax.sub(high, y.low))


def where(condition: jax.Array, yes: Any, no: Any) -> Wide:
    """`yes` where `condition`, else `no`; at least one of them is wide, the other may be a number."""
    x, y = _both(yes, no)  # type: ignore[misc]
    if x.low is None and y.low is None:
        return Wide(lax.select(condition, x.high, y.high))
    return Wide(*pairs.select(condition, x.pair, y.pair))


def minimum(x: Wide, y: Wide | float) -> Wide:
    """The smaller of two numbers."""
    return where(x <= y, x, y)


def maximum(x: Wide, y: Wide | float) -> Wide:
    """The larger of two numbers."""
    return where(x >= y, x, y)


def absolute(x: Wide) -> Wide:
    """The absolute value."""
    return where(x < 0, -x, x)


def floor(x: Wide) -> Wide:
    """The largest integer that is not above `x`."""
    high = lax.floor(x.high)
    if x.low is None:
        return Wide(high)
    # Where `high` is no integer, `low` is too small to reach the next one.
    low = lax.select(lax.eq(high, x.high), lax.floor(x.low), lax.full_like(high, 0))
    return Wide(*pairs.fast_two_sum(high, low))


def log(x: Wide) -> Wide:
    """The natural logarithm where `x > 0`, elsewhere 0, with a finite gradient."""
    x = where(x > 0, x, 1)
    return Wide(lax.log(x.high)) if x.dtype == np.float64 else Wide(*pairs.log(x.pair))


def log_fraction(x: Wide, rest: Wide) -> Wide:
    """`log(x)` for `x` in [0, 1], given `rest = 1 - x`, with all digits also where `x` is near 1."""
    near = x > 0.5
    if x.dtype != np.float64:
        return log(where(near, 1 - rest, x))
    return where(near, Wide(lax.log1p(-where(near, rest, 0).high)), log(where(near, 1, x)))


def exp(x: Wide) -> Wide:
    """`e^x`; finite for every finite `x`."""
    x = minimum(x, math.log(float(jnp.finfo(x.dtype).max)) - 1)
    return Wide(lax.exp(x.high)) if x.dtype == np.float64 else Wide(*pairs.exp(x.pair))


def expm1(x: Wide) -> Wide:
    """`e^x - 1` for `x <= 0`, with all digits also where `x` is near 0."""
    return Wide(lax.expm1(x.high)) if x.dtype == np.float64 else Wide(*pairs.expm1(x.pair))


def power(x: Wide, exponent: Wide) -> Wide:
    """`x^exponent` for `x >= 0`, with `0^0 = 1` and a finite gradient at 0."""
    at_zero = where(lax.eq(exponent.high, exponent.like(0).high), exponent.like(1), 0)
    return where(x > 0, exp(exponent * log(x)), at_zero)


def fraction_power(x: Wide, rest: Wide, exponent: Wide) -> tuple[Wide, Wide]:
    """`x^exponent` and `1 - x^exponent` for `x` in [0, 1], given `rest = 1 - x`, with all digits of both.

    The exponent is at least 0; gradients are finite, also at the ends.
    """
    logarithm = exponent * log_fraction(x, rest)
    raised = where(x > 0, exp(logarithm), 0), where(x > 0, -expm1(logarithm), 1)
    # A power of 1, the usual one, changes nothing but the derivative.
    same = lax.eq(exponent.high, exponent.like(1).high)
    return (
        where(same, differentiated(x, raised[0]), raised[0]),
        where(same, differentiated(rest, raised[1]), raised[1]),
    )


def differentiated(x: Wide, y: Wide) -> Wide:
    """The value of `x` with the derivative of `y`."""
    x = jax.tree.map(lax.stop_gradient, x)
    return Wide(lax.add(x.high, lax.sub(y.high, lax.stop_gradient(y.high))), x.low)


def integer_power(x: Wide, exponent: jax.Array) -> Wide:
    """`x^exponent` for `x > 0`, an int32 exponent of at least 0, and results below 2^62."""
    if x.dtype == np.float64:
        return Wide(lax.pow(x.high, lax.convert_element_type(exponent, x.dtype)))

    # Loops want carries that vary over devices as their results do.
    nothing = Wide(*pairs.of(lax.mul(lax.convert_element_type(exponent, x.dtype), np.float32(0))))

    def square_and_multiply(bit: Any, powers: tuple[Wide, Wide]) -> tuple[Wide, Wide]:
        result, square = powers
        odd = lax.eq(lax.bitwise_and(lax.shift_right_logical(exponent, bit), 1), 1)
        result = where(odd, result * square, result)
        bounded = where(square < 2.0**50, square, 1)
        return result, bounded * bounded

    return lax.fori_loop(0, 31, square_and_multiply, (1 + nothing, x + nothing))[0]


def half_cosine(passed: Wide, remaining: Wide) -> tuple[Wide, Wide]:
    """`sin^2` of a quarter turn times `remaining` and times `passed`, which add up to 1."""
    late = remaining < passed
    angle = where(late, remaining, passed) * (math.pi / 2)
    sine = Wide(lax.sin(angle.high)) if angle.dtype == np.float64 else Wide(*pairs.sin(angle.pair))
    small = sine * sine
    return where(late, small, 1 - small), where(late, 1 - small, small)
