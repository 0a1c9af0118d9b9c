"""Looks up an entry of a list, at a position known only at run time.

An `Entry` is a lookup that has not been done yet. Arithmetic between entries at one position, or with known
numbers, is done on the host, on the whole lists, in float64. The entry is looked up when it meets an array.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsched._core.operators import Operators

TINY = 2.0**-126
"""The smallest length to divide by: some platforms flush smaller numbers to 0."""

FEW = 8
"""The length up to which a list is looked up by comparisons; a longer one is indexed."""


class Position:
    """A place in a list of `size` entries.

    Attributes:
      size: the number of entries.
      passed: for a short list, whether entry 1, 2, ... has been reached; else `None`.
    """

    def __init__(
        self, size: int, passed: Sequence[jax.Array] | None = None, index: jax.Array | None = None
    ) -> None:
        self.size = size
        self.passed = passed
        self._index = index

    @property
    def index(self) -> jax.Array:
        """The index, int32."""
        if self._index is None:
            assert self.passed is not None
            ones = [lax.convert_element_type(each, np.int32) for each in self.passed]
            self._index = sum(ones[1:], ones[0]) if ones else jnp.zeros((), np.int32)
        return self._index

    def of(self, values: Any, dtype: Any) -> Any:
        """The entry of `values` here: a float if all are equal, else an `Entry` or an array."""
        if isinstance(values, np.ndarray):
            if values.ndim == 1 and (values == values[0]).all():
                return float(values[0])
            return Entry(values, self, dtype)
        values = as_array(values)
        return as_array(
            take_row(values, self.index) if self.passed is None else self.select(list(values)), dtype
        )

    def pick(self, values: np.ndarray) -> jax.Array:
        """The entry of a concrete list here, as an array."""
        if self.passed is None:
            return take_row(_irregular(values), self.index)
        return self.select([jnp.asarray(value) for value in values])

    def select(self, candidates: Sequence[jax.Array]) -> jax.Array:
        """Selects one of `size` candidates."""
        chosen = candidates[0]
        for i, candidate in enumerate(candidates[1:]):
            here = self.passed[i] if self.passed is not None else lax.gt(self.index, np.int32(i))
            chosen = lax.select(jnp.broadcast_to(here, candidate.shape), candidate, chosen)
        return chosen


@jax.tree_util.register_pytree_node_class
class Entry(Operators):
    """An entry of a concrete list, at a position that is not known yet.

    It behaves like a number. Arithmetic with known numbers and with entries at the same position stays on the
    host. Everything else, including the functions of `jax.numpy`, looks the entry up as an array.

    Attributes:
      values: the list, float64; the position indexes its first axis.
      position: the position in the list.
      dtype: the dtype of the array after the lookup.
    """

    def __init__(self, values: np.ndarray, position: Position, dtype: Any) -> None:
        self.values = values
        self.position = position
        self.dtype = dtype

    def tree_flatten(self) -> tuple[tuple[jax.Array], None]:
        return (self.__jax_array__(),), None

    @classmethod
    def tree_unflatten(cls, _: None, children: tuple[Any]) -> Any:
        return children[0]

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> Any:
        """Applies a NumPy function to the list."""
        with np.errstate(all="ignore"):
            return self.position.of(function(self.values), self.dtype)

    def sorted(self, other: Entry) -> tuple[Any, Any, jax.Array]:
        """The smaller and the larger entry in absolute value, and whether `self` is the larger."""
        larger = abs(self.values) >= abs(other.values)
        small, large = (np.where(mask, other.values, self.values) for mask in (larger, ~larger))
        at, dtype = self.position, self.dtype
        return at.of(small, dtype), at.of(large, dtype), at.pick(larger)

    def __jax_array__(self) -> jax.Array:
        return self.position.pick(self.values.astype(self.dtype))

    def __getitem__(self, index: Any) -> jax.Array:
        return self.__jax_array__()[index]

    def __len__(self) -> int:
        return int(self.values.shape[1])

    def _operate(self, other: Any, operation: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, Entry) and other.position is self.position:
            return self.map(lambda values: operation(values, other.values))
        if isinstance(other, float | int):
            return self.map(lambda values: operation(values, other))
        if isinstance(other, jax.Array | Entry):
            return operation(self.__jax_array__(), jnp.asarray(other))
        return NotImplemented

    def __neg__(self) -> Any:
        return self.map(operator.neg)

    def __abs__(self) -> Any:
        return self.map(np.abs)

    def _compare(self, other: Any, relation: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, float | int | jax.Array | Entry):
            return relation(self.__jax_array__(), as_array(other, self.dtype))
        return NotImplemented


def as_array(value: Any, dtype: Any = None) -> jax.Array:
    """Converts a number, list, entry or clock to an array, of `dtype` if given."""
    if not isinstance(value, jax.Array) and hasattr(value, "__jax_array__"):
        value = value.__jax_array__()
    return value if dtype is None else lax.convert_element_type(value, dtype)


def safe_divide(number: Any, length: Any) -> Any:
    """`number / length` for a length of at least 0; finite if the length is 0."""
    if isinstance(length, Entry):
        return number * length.map(lambda lengths: 1 / np.maximum(np.where(lengths > 0, lengths, 1), TINY))
    if isinstance(length, float):
        return number / max(length, TINY)
    length = as_array(length)
    return number / jnp.where(length > 0, length, 1)


def take_row(values: jax.Array, index: jax.Array) -> jax.Array:
    """`values[index]` along the first axis; the index is clipped."""
    rest = values.shape[1:]
    dimensions = lax.GatherDimensionNumbers(
        offset_dims=tuple(range(len(rest))), collapsed_slice_dims=(0,), start_index_map=(0,)
    )
    return lax.gather(values, lax.reshape(index, (1,)), dimensions, (1, *rest), mode="clip")


def _irregular(values: np.ndarray) -> jax.Array:
    """A list with one more entry, which keeps XLA from rewriting it as an arithmetic progression."""
    return jnp.asarray(np.concatenate([values, values[:1] * 0 - 7]))
