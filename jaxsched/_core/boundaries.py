"""Finds the segment between sorted boundaries that a time is in.

A boundary is the first step of the segment after it. Up to `FEW` boundaries are compared one by one, and the
result is selected without a lookup. More are counted, and more than `MANY` are counted in two rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsched._core.clock import FOREVER, Clock
from jaxsched._core.lookup import FEW, Position

MANY = 64
"""The largest number of boundaries that are counted in one round; more take two."""


def position_among(t: Clock, boundaries: Any) -> Position:
    """The number of `boundaries`, a sorted list, that have been reached, as a `Position`."""
    size = len(boundaries)
    if isinstance(boundaries, np.ndarray):
        if size <= FEW:
            return Position(size + 1, [t >= boundary for boundary in boundaries.tolist()])
        # The extra entry, never reached, keeps XLA from rewriting the list as an arithmetic progression.
        boundaries = np.append(boundaries, 2.0 * FOREVER)
    return Position(size + 1, index=_count(t, t.like(boundaries)))


def segment(t: Clock, boundaries: Any) -> tuple[Position, Clock]:
    """The position of the segment between sorted `boundaries`, and the time since it began."""
    position = position_among(t, boundaries)
    if len(boundaries) == 0:
        return position, t
    if isinstance(boundaries, np.ndarray):
        begin = position.of(np.concatenate([[0.0], boundaries]), t.dtype)
    else:
        # In two parts, because float32 does not hold every integer.
        column = t.like(boundaries)
        begin = jax.tree.map(
            lambda each: position.of(jnp.concatenate([jnp.zeros_like(each[:1]), each]), each.dtype),
            Clock(column.whole, column.rest, nonnegative=True),
        )
    since = t - begin
    return position, Clock(since.whole, since.rest, nonnegative=True)


def whole_step(t: Clock, size: int) -> Position:
    """The position of the current whole step in a list of `size` entries; it stays at the last one."""
    last = size - 1
    if t.dtype == np.float64:
        whole = lax.min(t.whole, np.float64(last))
        return Position(size, index=lax.convert_element_type(lax.floor(whole), np.int32))
    whole = t.whole
    if t.rest is not None:
        # No list has 2**30 entries, and the sum of two numbers clamped to it fits an int32.
        rest = lax.clamp(np.float32(-(2**30)), lax.floor(t.rest), np.float32(2**30))
        whole = lax.min(whole, np.int32(2**30 - 1)) + lax.convert_element_type(rest, np.int32)
        whole = lax.max(whole, np.int32(0))
    return Position(size, index=lax.min(whole, np.int32(last)))


def _count(t: Clock, boundaries: Clock) -> jax.Array:
    """The number of boundaries, a clock of rank 1, that have been reached."""
    count = boundaries.whole.shape[0]
    width = count if count <= MANY else math.isqrt(count - 1) + 1
    first = jnp.zeros((), np.int32)

    def reached(some: Callable[[jax.Array], jax.Array]) -> jax.Array:
        chosen = jax.tree.map(some, Clock(boundaries.whole, boundaries.rest, nonnegative=True))
        now = jax.tree.map(lambda number: jnp.broadcast_to(number, chosen.whole.shape), t)
        return jnp.sum(now >= chosen, dtype=np.int32)

    if width < count:
        row = jnp.maximum(reached(lambda column: column[::width]) - 1, 0)
        first = jnp.minimum(row * width, count - width)
    return first + reached(lambda column: lax.dynamic_slice_in_dim(column, first, width))
