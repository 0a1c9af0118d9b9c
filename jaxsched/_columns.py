"""Columns: lists of numbers that are looked up, one or a few at a time, where a schedule is evaluated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from jaxsched import _wide as wide
from jaxsched._wide import Wide


class Column:
    """Numbers that become wide when they are looked up by an index.

    Looking up happens in the form in which they come, because the derivative of a lookup in float64 needs
    JAX's x64 mode, which is the caller's to choose.
    """

    def __init__(self, values: Any, rank: int, dtype: DTypeLike) -> None:
        cut = dtype == np.float32 and getattr(values, "dtype", None) == np.float64
        self.values = wide.of(values, dtype) if cut else values
        self.rank = rank
        self.dtype = dtype

    @property
    def size(self) -> int:
        """The length of the first axis."""
        return int(jax.tree.leaves(self.values)[0].shape[0])

    def __getitem__(self, index: jax.Array) -> Any:
        picked = jax.tree.map(lambda array: _entry(array, index), self.values)
        return column_or_wide(picked, self.rank - 1, self.dtype)

    def count_at_most(self, x: Wide) -> jax.Array:
        """How many numbers of a sorted column are at most `x`: int32.

        Compares with every so many of them, then with those in between.
        """
        width = self.size if self.size <= 32 else math.isqrt(self.size - 1) + 1
        first = jnp.zeros((), np.int32)
        if width < self.size:
            row = jnp.maximum(self._count(lambda array: array[::width], x) - 1, 0)
            first = jnp.minimum(row * width, self.size - width)
        return first + self._count(lambda array: lax.dynamic_slice_in_dim(array, first, width), x)

    def _count(self, part: Callable[[jax.Array], jax.Array], x: Wide) -> jax.Array:
        """How many of a part of the column are at most `x`."""
        numbers = wide.of(jax.tree.map(lambda array: part(lax.stop_gradient(array)), self.values), self.dtype)
        spread = jax.tree.map(lambda word: jnp.broadcast_to(word, numbers.high.shape), wide.exact(x))
        return (numbers <= spread).sum(dtype=np.int32)


def column_or_wide(value: Any, rank: int, dtype: DTypeLike) -> Column | Wide:
    """A leaf of a schedule, of that rank, in the form in which it is evaluated."""
    return Column(value, rank, dtype) if rank else wide.of(value, dtype)


def _entry(array: jax.Array, index: jax.Array) -> jax.Array:
    """`array[index]`, the index clipped; one operation, where indexing takes several."""
    rest = array.shape[1:]
    dimensions = lax.GatherDimensionNumbers(
        offset_dims=tuple(range(len(rest))), collapsed_slice_dims=(0,), start_index_map=(0,)
    )
    return lax.gather(array, lax.reshape(index, (1,)), dimensions, (1, *rest), mode="clip")
