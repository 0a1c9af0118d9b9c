"""Several schedules as one, for `jax.vmap`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax import lax

from jaxsched._core.clock import Clock
from jaxsched._core.evaluate import batch_shape, take
from jaxsched._core.fields import Number, check_range, describe, is_concrete, number
from jaxsched._core.grouping import kind_of, stack_leaves
from jaxsched._core.lookup import Position, as_array
from jaxsched._core.schedule import Schedule, ScheduleLike, as_schedule, parts
from jaxsched._core.span import Span

MOST_NUMBERS = 4_000_000
"""The largest number of numbers in a stack of mixed kinds."""


class select(Schedule):
    """One of several schedules, chosen by an index. `stack` builds it from schedules of mixed kinds.

    Args:
      schedules: the schedules to choose from, at least one; a number is a constant rate.
      index: the index of the chosen schedule, from 0. It is a leaf.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: `schedules` is empty, or `index` is out of range.
    """

    schedules: Sequence[ScheduleLike] = parts()
    index: Number = number(at_least=0)

    def check(self: Any) -> None:
        if is_concrete(self.index):
            check_range("index", float(self.index), at_most=len(self.schedules) - 1)

    def evaluate(self: Any, t: Clock) -> Any:
        values = [as_array(schedule.evaluate(t), t.dtype) for schedule in self.schedules]
        index = lax.convert_element_type(self.index, np.int32)
        return Position(len(values), index=index).select(values)

    def spans(self: Any, until: float) -> Iterator[Span]:
        yield Span(self.schedules[int(self.index)], 0.0)

    def peak(self: Any) -> float | None:
        highest: float | None = self.schedules[int(self.index)].peak()
        return highest

    def _member(self, index: int) -> Schedule:
        member = take(self, index)
        return member if batch_shape(member) else as_schedule("member", member.schedules[int(member.index)])

    def _members(self, count: int) -> list[Schedule]:
        members = [self._member(i) for i in range(count)]
        # Rows that `stack` would arrange differently print as they are.
        return members if batch_shape(members[0]) or stack(members) == self else super()._members(count)


def stack(schedules: Sequence[ScheduleLike]) -> Schedule:
    """Stacks many schedules into one, to train with all of them under `jax.vmap`.

    Schedules of one kind become a schedule of that kind whose leaves have a leading axis. Mixed kinds become
    a `select` with such leaves. Call the result only under `jax.vmap`. For nested `jax.vmap`, stacks of equal
    length and of one kind can be stacked again.

    | step                                         | 0        | 9         | 10     | 11     |
    |----------------------------------------------|----------|-----------|--------|--------|
    | `stack([Linear(0.1, 0, 10), Constant(0.3)])` | 0.1, 0.3 | 0.01, 0.3 | 0, 0.3 | 0, 0.3 |

    >>> import jax
    >>> import jaxsched as js
    >>> rates = js.stack([js.Linear(0.1, 0.0, 10), js.Linear(0.2, 0.0, 10), 0.3])
    >>> jax.vmap(lambda schedule: schedule(5))(rates)
    Array([0.05, 0.1 , 0.3 ], dtype=float32)

    Args:
      schedules: n schedules, at least 1; a number is a constant rate.

    Returns:
      A schedule whose leaves have a leading axis of n.

    Raises:
      TypeError: `schedules` is not a list of schedules.
      ValueError: `schedules` is empty, mixes stacks of several lengths or kinds, or mixes so many kinds that
        the result would hold more than 4,000,000 numbers. Each member has room for every kind.
    """
    if not isinstance(schedules, list | tuple):
        raise TypeError(f"`schedules` must be a list of schedules, got {describe(schedules)}.")
    if not schedules:
        raise ValueError("`schedules` must have at least one schedule, got none.")
    members = [
        each if isinstance(each, Schedule) else as_schedule(f"schedules[{i}]", each)
        for i, each in enumerate(schedules)
    ]
    batches = {batch_shape(each) for each in members}
    if len(batches) > 1:
        raise ValueError(f"`schedules` must be stacked equally deep, got {sorted(batches)}.")
    kinds: dict[Any, list[Schedule]] = {}
    for each in members:
        kinds.setdefault(kind_of(each), []).append(each)
    if len(kinds) == 1 and jax.tree.leaves(members[0]):
        return stack_leaves(members)
    if batches != {()}:
        raise ValueError("`schedules` must be of one kind if they are stacks.")
    room = sum(np.size(leaf) for group in kinds.values() for leaf in jax.tree.leaves(group[0]))
    if room * len(members) > MOST_NUMBERS:
        raise ValueError(
            f"`schedules` must be fewer, or of fewer kinds: {len(members)} of them, each with room for "
            f"{len(kinds)} kinds, would hold {room * len(members)} numbers, more than {MOST_NUMBERS}."
        )
    rows = []
    for each in members:
        # A row holds a schedule of every kind; only the one at its index is used.
        row = {kind: group[0] for kind, group in kinds.items()} | {kind_of(each): each}
        rows.append(select(list(row.values()), list(row).index(kind_of(each))))
    return stack_leaves(rows)
