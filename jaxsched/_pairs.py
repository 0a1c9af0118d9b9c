"""Pairs: a number as the unevaluated sum of two floats, `(high, low)`, with twice the digits of one.

`high` is the sum rounded, so each number has one such pair. The algorithms are those of Dekker (1971)
and Knuth (*The Art of Computer Programming* 2, 4.2.2), analysed in Joldes, Muller and Popescu, *Tight
and rigorous error bounds for basic building blocks of double-word arithmetic* (2017). Products are
formed from halves whose products are exact, so that a compiler that fuses a multiply with an add changes
nothing.

`jax.lax` is called directly, and each operation is a compiled function of its own: both make tracing
several times faster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import jax
import numpy as np
from jax import lax

Pair: TypeAlias = tuple[jax.Array, jax.Array]


def of(x: jax.Array) -> Pair:
    """A float as a pair."""
    return x, lax.full_like(x, 0)


def two_sum(a: jax.Array, b: jax.Array) -> Pair:
    """`a + b` without loss; `a` must not be a constant, which XLA would cancel against itself."""
    total = lax.add(a, b)
    part = lax.sub(total, a)
    return total, lax.add(lax.sub(a, lax.sub(total, part)), lax.sub(b, part))


def fast_two_sum(a: jax.Array, b: jax.Array) -> Pair:
    """`a + b` without loss, where `a` is 0 or at least as large as `b`."""
    total = lax.add(a, b)
    return total, lax.sub(b, lax.sub(total, a))


def _halves(a: jax.Array) -> Pair:
    """`a` as a sum of two floats of half its bits; the second carries the derivative."""
    integer, dropped = (np.int64, 27) if a.dtype == np.float64 else (np.int32, 12)
    bits = lax.bitcast_convert_type(lax.stop_gradient(a), integer)
    kept = lax.bitwise_and(bits, lax.full_like(bits, -(1 << dropped)))
    first = lax.bitcast_convert_type(kept, a.dtype)
    return first, lax.sub(a, first)


def two_product(a: jax.Array, b: jax.Array) -> Pair:
    """`a b` without loss, but for underflow."""
    a1, a2 = _halves(a)
    b1, b2 = _halves(b)
    cross, cross_error = two_sum(lax.mul(a1, b2), lax.mul(a2, b1))
    high, error = two_sum(lax.mul(a1, b1), cross)
    high, low = fast_two_sum(high, lax.add(error, lax.add(cross_error, lax.mul(a2, b2))))
    # Halves of tiny numbers underflow; there the plain product is as good as it gets.
    plain = lax.mul(a, b)
    least = lax.min(lax.min(lax.abs(a), lax.abs(b)), lax.abs(plain))
    tiny = lax.lt(least, lax.full_like(least, 2.0**-90))
    return lax.select(tiny, plain, high), lax.select(tiny, lax.full_like(low, 0), low)


def negate(x: Pair) -> Pair:
    """`-x`."""
    return lax.neg(x[0]), lax.neg(x[1])


def select(condition: jax.Array, yes: Pair, no: Pair) -> Pair:
    """`yes` where `condition`, else `no`."""
    return lax.select(condition, yes[0], no[0]), lax.select(condition, yes[1], no[1])


@jax.jit
def add(x: Pair, y: Pair) -> Pair:
    """`x + y`."""
    high, error = two_sum(x[0], y[0])
    low, low_error = two_sum(x[1], y[1])
    high, error = fast_two_sum(high, lax.add(error, low))
    return fast_two_sum(high, lax.add(error, low_error))


@jax.jit
def subtract(x: Pair, y: Pair) -> Pair:
    """`x - y`."""
    return add(x, negate(y))


@jax.jit
def multiply(x: Pair, y: Pair) -> Pair:
    """`x y`."""
    high, error = two_product(x[0], y[0])
    cross = lax.add(lax.mul(x[0], y[1]), lax.mul(x[1], y[0]))
    return fast_two_sum(high, lax.add(error, cross))


@jax.jit
def divide(x: Pair, y: Pair) -> Pair:
    """`x / y`; the first quotient may be a little off, since what it leaves corrects it."""
    quotient = lax.div(x[0], y[0])
    product, error = two_product(quotient, y[0])
    rest = lax.sub(lax.sub(x[0], product), error)
    rest = lax.add(rest, lax.sub(x[1], lax.mul(quotient, y[1])))
    return fast_two_sum(quotient, lax.div(rest, y[0]))


# What follows is for float32, where a backend has no other, and keeps some 30 of its 48 bits: enough to
# raise to powers with. A correction is worked out in one word, since it is small.

LOG_2 = np.float32(355 / 512), np.float32(math.log(2) - 355 / 512)
"""The logarithm of 2 in two parts, the first of few bits: its product with an exponent is exact."""


@jax.jit
def log(x: Pair) -> Pair:
    """The natural logarithm of `x > 0`.

    `log(m 2^e) = e log 2 + 2 atanh((m - 1) / (m + 1))` with `m` between the roots of 1/2 and 2.
    """
    about = lax.round(lax.div(lax.log(lax.stop_gradient(x[0])), np.float32(math.log(2))))
    exponent = lax.convert_element_type(about, np.int32)
    # In two steps, because 2^-e itself may be no normal number.
    half = lax.shift_right_arithmetic(exponent, np.int32(1))
    scales = _power_of_two(lax.neg(half)), _power_of_two(lax.sub(half, exponent))
    m = lax.mul(lax.mul(x[0], scales[0]), scales[1]), lax.mul(lax.mul(x[1], scales[0]), scales[1])
    one = of(lax.full_like(x[0], 1))
    high, low = divide(subtract(m, one), add(m, one))
    square = lax.mul(high, high)
    series = _series(square, [1 / k for k in (3, 5, 7, 9, 11, 13, 15)])
    high, low = lax.mul(high, np.float32(2)), lax.mul(low, np.float32(2))
    low = lax.add(low, lax.mul(high, lax.mul(square, series)))
    total, error = two_sum(lax.mul(about, LOG_2[0]), high)
    return fast_two_sum(total, lax.add(error, lax.add(low, lax.mul(about, LOG_2[1]))))


@jax.jit
def exp(x: Pair) -> Pair:
    """`e^x`."""
    # The root is far from underflow, so one step of Newton's method in the logarithm keeps its digits.
    half = lax.mul(x[0], np.float32(0.5)), lax.mul(x[1], np.float32(0.5))
    guess = lax.exp(half[0])
    some = lax.gt(guess, lax.full_like(guess, 0))
    safe = lax.select(some, guess, lax.full_like(guess, 1))
    high, low = fast_two_sum(safe, lax.mul(safe, _near_difference(half, log(of(safe)))))
    square, error = two_product(high, high)
    twice = lax.mul(lax.mul(high, low), np.float32(2))
    return select(some, fast_two_sum(square, lax.add(error, twice)), of(guess))


@jax.jit
def expm1(x: Pair) -> Pair:
    """`e^x - 1` for `x <= 0`."""
    guess = lax.expm1(x[0])
    whole = two_sum(guess, lax.full_like(guess, 1))
    some = lax.gt(whole[0], lax.full_like(guess, 0))
    safe = select(some, whole, of(lax.full_like(guess, 1)))
    step = lax.mul(safe[0], _near_difference(x, log(safe)))
    return select(some, fast_two_sum(guess, step), of(guess))


@jax.jit
def sin(x: Pair) -> Pair:
    """The sine of `x` in [0, pi / 4]."""
    square = lax.mul(x[0], x[0])
    series = _series(square, [(-1) ** k / math.factorial(2 * k + 1) for k in range(1, 7)])
    return fast_two_sum(x[0], lax.add(x[1], lax.mul(x[0], lax.mul(square, series))))


def constant(value: float) -> Pair:
    """A number as a pair of float32, hidden from XLA."""
    high = np.float32(value)
    return lax.optimization_barrier((high, np.float32(value - float(high))))


def _near_difference(x: Pair, y: Pair) -> jax.Array:
    """`x - y` in one word, for numbers so near that the difference of their high words is exact."""
    return lax.add(lax.sub(x[0], y[0]), lax.sub(x[1], y[1]))


def _series(x: jax.Array, coefficients: Sequence[float]) -> jax.Array:
    """The polynomial of `x` with these coefficients, the constant one first."""
    value = lax.full_like(x, 0)
    for coefficient in reversed(coefficients):
        value = lax.add(lax.mul(value, x), lax.full_like(x, coefficient))
    return value


def _power_of_two(exponent: jax.Array) -> jax.Array:
    """`2^exponent`, exact, for an exponent that a normal float32 has."""
    bits = lax.shift_left(lax.add(exponent, np.int32(127)), np.int32(23))
    return lax.bitcast_convert_type(bits, np.float32)
