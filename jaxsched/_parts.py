"""Many schedules kept as few: equal kinds share one stacked pytree.

A thousand cosines are one cosine whose leaves have a leading axis of a thousand, so that what is
traced and compiled grows with the number of kinds, not of parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsched import _wide as wide
from jaxsched._clock import Clock
from jaxsched._evaluate import leaf_ranks
from jaxsched._fields import Number, stack_numbers
from jaxsched._schedule import Schedule


def kind_of(schedule: Schedule) -> Any:
    """What two schedules must share to be stacked: their structure and the shapes of their leaves."""
    leaves, structure = jax.tree.flatten(schedule)
    return structure, tuple(np.shape(leaf) for leaf in leaves)


def stack_leaves(schedules: Sequence[Schedule]) -> Schedule:
    """Schedules of one kind as one, each leaf with a new first axis."""
    return jax.tree.map(lambda *leaves: stack_numbers(leaves), *schedules)


def take(stacked: Schedule, index: int) -> Schedule:
    """One schedule out of what `stack_leaves` gave."""
    return jax.tree.map(lambda leaf: _scalar(leaf[index]), stacked)


def _scalar(value: Any) -> Any:
    return float(value) if isinstance(value, np.floating) else value


@jax.tree_util.register_pytree_with_keys_class
class Parts(Sequence[Schedule]):
    """An immutable sequence of schedules, grouped by kind.

    Attributes:
      groups: one schedule a kind; a kind of several members is stacked.
      layout: the group and the position in it of each member, int32 of shape (n, 2), as bytes, which
        compare and hash fast.
    """

    def __init__(self, schedules: Sequence[Schedule]) -> None:
        members: dict[Any, list[Schedule]] = {}
        layout = []
        for schedule in schedules:
            group = members.setdefault(kind_of(schedule), [])
            layout.append((id(group), len(group)))
            group.append(schedule)
        number = {id(group): i for i, group in enumerate(members.values())}
        self.groups = tuple(
            group[0] if len(group) == 1 else stack_leaves(group) for group in members.values()
        )
        self.layout = np.array([(number[i], place) for i, place in layout], np.int32).tobytes()

    def tree_flatten_with_keys(self) -> tuple[Any, bytes]:
        return ((jax.tree_util.GetAttrKey("groups"), self.groups),), self.layout

    @classmethod
    def tree_unflatten(cls, layout: bytes, children: Any) -> Parts:
        parts = object.__new__(cls)
        parts.layout = layout
        (parts.groups,) = children
        return parts

    @property
    def _places(self) -> np.ndarray:
        return np.frombuffer(self.layout, np.int32).reshape(-1, 2)

    @property
    def _sizes(self) -> np.ndarray:
        """The number of members of each group."""
        return np.bincount(self._places[:, 0])

    def leaf_ranks(self) -> list[int]:
        return [
            rank + int(size > 1)
            for group, size in zip(self.groups, self._sizes, strict=True)
            for rank in leaf_ranks(group)
        ]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        group, position = self._places[index]
        return self.groups[group] if self._sizes[group] == 1 else take(self.groups[group], position)

    def evaluate(self, index: jax.Array, clock: Clock) -> Number:
        """The value of the member at `index`: one evaluation a kind, the right one selected."""
        if len(self.groups) == 1:
            return _member(self.groups[0], len(self), index).evaluate(clock)
        # The barrier keeps XLA from taking a regular layout for a progression to recompute.
        places = lax.optimization_barrier(jnp.asarray(self._places))[index]
        value = jnp.zeros((), clock.time.dtype)
        for number, (group, size) in enumerate(zip(self.groups, self._sizes, strict=True)):
            candidate = _member(group, size, places[1]).evaluate(clock)
            value = jnp.where(places[0] == number, wide.rounded(candidate, value.dtype), value)
        return value


def _member(group: Schedule, size: int, position: jax.Array) -> Schedule:
    """The schedule at `position`, clipped to the group."""
    if size == 1:
        return group
    return jax.tree.map(lambda column: column[position], group)
