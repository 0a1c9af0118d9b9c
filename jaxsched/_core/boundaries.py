"""Which of the stretches between sorted boundaries a time is in.

The step of a boundary is the next stretch's first. A few boundaries are compared with one by one, so that
what follows can be selected without a lookup; more are counted, in two rounds where they are many.
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
"""A list of at most so many boundaries is compared at once, a longer one in two rounds."""


def position_among(t: Clock, boundaries: Any) -> Position:
    """How many of the sorted `boundaries`, a list, are now or in the past."""
    size = len(boundaries)
    if isinstance(boundaries, np.ndarray):
        if size <= FEW:
            return Position(size + 1, [t >= boundary for boundary in boundaries.tolist()])
        # One more, never reached, keeps XLA from rebuilding the list as a progression.
        boundaries = np.append(boundaries, 2.0 * FOREVER)
    return Position(size + 1, index=_count(t, t.like(boundaries)))


def segment(t: Clock, boundaries: Any) -> tuple[Position, Clock]:
    """Which of the stretches between sorted `boundaries` it is, and the clock within."""
    position = position_among(t, boundaries)
    if len(boundaries) == 0:
        return position, t
    if isinstance(boundaries, np.ndarray):
        begin = position.of(np.concatenate([[0.0], boundaries]), t.dtype)
    else:
        # In two parts, since an integer may be more than a float32 holds.
        column = t.like(boundaries)
        begin = jax.tree.map(
            lambda each: position.of(jnp.concatenate([jnp.zeros_like(each[:1]), each]), each.dtype),
            Clock(column.whole, column.rest, nonnegative=True),
        )
    since = t - begin
    return position, Clock(since.whole, since.rest, nonnegative=True)


def whole_step(t: Clock, size: int) -> Position:
    """The position of the present whole step in a list of `size` entries, the last one for ever."""
    last = size - 1
    if t.dtype == np.float64:
        whole = lax.min(t.whole, np.float64(last))
        return Position(size, index=lax.convert_element_type(lax.floor(whole), np.int32))
    whole = t.whole
    if t.rest is not None:
        # Half of what an int32 holds is beyond any list, and two halves are not too much.
        rest = lax.clamp(np.float32(-(2**30)), lax.floor(t.rest), np.float32(2**30))
        whole = lax.min(whole, np.int32(2**30 - 1)) + lax.convert_element_type(rest, np.int32)
        whole = lax.max(whole, np.int32(0))
    return Position(size, index=lax.min(whole, np.int32(last)))


def _count(t: Clock, boundaries: Clock) -> jax.Array:
    """How many of the boundaries, in a clock of rank 1, are now or in the past."""
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
