"""Stores many schedules as a few stacked ones, one for each kind.

A thousand cosines are stored as one cosine whose leaves have a leading axis of a thousand. The size of the
traced program grows with the number of kinds, not with the number of parts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import lax

from jaxsched._core.clock import Clock
from jaxsched._core.evaluate import leaf_fields, take
from jaxsched._core.exported import register_for_export
from jaxsched._core.fields import Field, stack_numbers
from jaxsched._core.lookup import Position, as_array
from jaxsched._core.printer import listed
from jaxsched._core.schedule import Schedule


def kind_of(schedule: Schedule) -> Any:
    """The structure of a schedule and the shapes of its leaves; schedules can be stacked if both agree."""
    leaves, structure = jax.tree.flatten(schedule)
    return structure, tuple(np.shape(leaf) for leaf in leaves)


def stack_leaves(schedules: Sequence[Schedule]) -> Schedule:
    """Stacks schedules of one kind; each leaf gets a new first axis."""
    return jax.tree.map(lambda *leaves: stack_numbers(leaves), *schedules)


@jax.tree_util.register_pytree_with_keys_class
class Parts(Sequence[Schedule]):
    """An immutable sequence of schedules, grouped by kind.

    Attributes:
      groups: one schedule for each kind, stacked if the kind has several members.
      layout: the group of each member and its position in the group, int32 of shape (n, 2). It is kept as
        bytes, because they compare and hash fast.
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

    def _argument(self) -> str:
        return listed(self)

    def leaf_fields(self) -> list[Field]:
        """The field of each leaf; in a group of several, its rank is one higher."""
        return [
            dataclasses.replace(field, rank=field.rank + 1, shortcuts=()) if size > 1 else field
            for group, size in zip(self.groups, self._sizes, strict=True)
            for field in leaf_fields(group)
        ]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        group, position = self._places[index]
        return self.groups[group] if self._sizes[group] == 1 else take(self.groups[group], position)

    def evaluate(self, position: Position, t: Clock) -> Any:
        """The value of the member at a position. Each kind is evaluated once, and the result is selected."""
        places = self._places
        values = []
        for number, (group, size) in enumerate(zip(self.groups, self._sizes, strict=True)):
            member = group
            if size > 1:
                within = _within(position, places, number)
                member = jax.tree.map(lambda column, within=within: within.of(column, t.dtype), group)
            values.append(member.evaluate(t))
        if len(values) == 1:
            return values[0]
        values = [as_array(value, t.dtype) for value in values]
        if position.passed is not None:
            return position.select([values[number] for number in places[:, 0]])
        which = position.pick(places[:, 0])
        chosen = values[0]
        for number, value in enumerate(values[1:], start=1):
            chosen = lax.select(lax.eq(which, np.int32(number)), value, chosen)
        return chosen


register_for_export(Parts, "jaxsched.Parts", bytes.hex, bytes.fromhex)


def _within(position: Position, places: np.ndarray, number: int) -> Position:
    """The position within a group. It is only meaningful if the current part is in that group."""
    members = np.flatnonzero(places[:, 0] == number)
    if len(members) == len(places):
        return position
    if position.passed is not None:
        return Position(len(members), [position.passed[member - 1] for member in members[1:]])
    return Position(len(members), index=position.pick(places[:, 1]))
