"""How a schedule is called: the one door between the caller's numbers and the wide ones inside.

The step becomes a `Clock`, the leaves become `Wide` numbers, `evaluate` runs, its result is rounded once.
The work is done in float64 whatever the caller's x64 mode; on a backend that has none the same formulas
run on pairs of float32, chosen when the program is lowered.
"""

from __future__ import annotations

import contextvars
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from jaxsched import _wide as wide
from jaxsched._clock import Clock, prepare_step, start
from jaxsched._columns import column_or_wide
from jaxsched._fields import field_of, is_concrete
from jaxsched._wide import Wide

WITHOUT_FLOAT64 = ("tpu",)
"""Platforms on which float64 is missing or emulated."""

force_float32: contextvars.ContextVar[bool] = contextvars.ContextVar("force_float32", default=False)
"""Whether to take the float32 path everywhere; see `jaxsched.testing.float32_path`."""


def call(schedule: Any, step: Any) -> jax.Array:
    """The rate of `schedule` at `step`; see `Schedule.__call__`."""
    prepared = prepare_step(step)
    dtype = jax.dtypes.canonicalize_dtype(np.float64)
    leaves, structure = jax.tree.flatten(schedule)
    if not is_concrete(leaves, prepared):
        # The barrier hides constants: XLA divides by a known constant by multiplying with its rounded
        # reciprocal, adds up known constants in another order, and rebuilds a known arithmetic progression
        # at every call. And it is an operation in the caller's mode: a NumPy float64 array behind a tracer
        # of `vmap` becomes the float32 that it is to the caller before the mode changes.
        portable, prepared = lax.optimization_barrier((_portable(leaves), prepared))
        with jax.enable_x64(True):
            return _staged(portable, prepared, structure, dtype, force_float32.get())
    with jax.enable_x64(True):
        narrow = force_float32.get() or jax.default_backend() in WITHOUT_FLOAT64
        word = np.float32 if narrow else np.float64
        known = [leaf if isinstance(leaf, jax.Array) else wide.words(leaf, word) for leaf in leaves]
        return _evaluate(jax.tree.unflatten(structure, known), prepared, word, dtype)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Leaves:
    """Leaves on their way into a program whose platform is not known yet.

    Attributes:
      traced: those that are traced or JAX arrays, as they are.
      known: the concrete ones in words of float64, and again in words of float32; scalars as one array.
      kinds: for each leaf which of these it is, in order.
    """

    traced: list[jax.Array]
    known: dict[str, tuple[Any, list[Any]]]
    kinds: tuple[str, ...] = dataclasses.field(metadata={"static": True})

    def list(self, word: DTypeLike) -> list[Any]:
        """The leaves in words of `word`."""
        scalars, arrays = self.known[np.dtype(word).name]
        numbers = wide.of(scalars, word)
        supply = {
            "traced": iter(self.traced),
            "scalar": (numbers[i] for i in range(len(self.kinds))),
            "array": iter(arrays),
        }
        return [next(supply[kind]) for kind in self.kinds]


def _portable(leaves: list[Any]) -> _Leaves:
    def kind(leaf: Any) -> str:
        return "traced" if isinstance(leaf, jax.Array) else "scalar" if np.ndim(leaf) == 0 else "array"

    by_kind: dict[str, list[Any]] = {"traced": [], "scalar": [], "array": []}
    for leaf in leaves:
        by_kind[kind(leaf)].append(leaf)
    scalars = np.array(by_kind["scalar"], np.float64)
    known = {
        np.dtype(word).name: (
            wide.words(scalars, word),
            [wide.words(array, word) for array in by_kind["array"]],
        )
        for word in (np.float32, np.float64)
    }
    return _Leaves(by_kind["traced"], known, tuple(kind(leaf) for leaf in leaves))


@functools.partial(jax.jit, static_argnames=("structure", "dtype", "narrow"))
def _staged(leaves: _Leaves, step: Any, structure: Any, dtype: DTypeLike, narrow: bool) -> jax.Array:
    """The rates as part of a larger program, in float64 where the platform that it is lowered for has it."""

    def path(word: DTypeLike) -> Callable[..., jax.Array]:
        return lambda leaves, step: _evaluate(
            jax.tree.unflatten(structure, leaves.list(word)), step, word, dtype
        )

    if narrow:
        return path(np.float32)(leaves, step)
    without = dict.fromkeys(WITHOUT_FLOAT64, path(np.float32))
    return lax.platform_dependent(leaves, step, **without, default=path(np.float64))


@functools.partial(jax.jit, static_argnames=("word", "dtype"))
def _evaluate(schedule: Any, step: Any, word: DTypeLike, dtype: DTypeLike) -> jax.Array:
    """The rate at each element of `step`, worked out in `word` and rounded to `dtype`."""
    if batch := batch_shape(schedule):
        raise ValueError(
            f"This is a stack of {batch[0]} schedules; call it under `jax.vmap`: "
            "`jax.vmap(lambda schedule: schedule(step))(stack)`."
        )
    leaves, structure = jax.tree.flatten(schedule, is_leaf=_is_wide)
    ranks = leaf_ranks(schedule)
    inside = jax.tree.unflatten(
        structure, [column_or_wide(leaf, rank, word) for leaf, rank in zip(leaves, ranks, strict=True)]
    )
    time = start(step, word)

    def at(time: Wide) -> jax.Array:
        value = wide.rounded(inside.evaluate(Clock(time)), word)
        if value.shape != ():
            raise TypeError(
                f"`{type(schedule).__name__}.evaluate` must return a scalar, got shape {value.shape}."
            )
        return value

    for _ in range(time.high.ndim):
        at = jax.vmap(at)
    # The caller's strict modes are about the caller's code.
    with (
        jax.enable_x64(word == np.float64),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        rates = at(time)
    return lax.convert_element_type(rates, dtype)


def leaf_ranks(node: Any) -> list[int]:
    """The rank that each leaf has in a single schedule, in the order of `jax.tree.leaves`."""
    if isinstance(node, tuple):
        return [rank for item in node for rank in leaf_ranks(item)]
    if hasattr(node, "leaf_ranks"):
        return list(node.leaf_ranks())
    ranks = []
    for specifier in dataclasses.fields(node):
        field, value = field_of(specifier), getattr(node, specifier.name)
        if field.rank is not None:
            ranks += [field.rank] * (value is not None)
        elif not field.static:
            ranks += leaf_ranks(value)
    return ranks


def batch_shape(schedule: Any) -> tuple[int, ...]:
    """The leading axes that `jaxsched.stack` or a transformation gave the leaves: `()` for one schedule.

    Raises:
      ValueError: its leaves do not agree.
    """
    shapes = [wide.shape(leaf) for leaf in jax.tree.leaves(schedule, is_leaf=_is_wide)]
    ranks = leaf_ranks(schedule)
    batches = {shape[: len(shape) - rank] for shape, rank in zip(shapes, ranks, strict=True)}
    if len(batches) > 1:
        raise ValueError(f"The leaves of a {type(schedule).__name__} have unequal shapes: {shapes}.")
    return batches.pop() if batches else ()


def _is_wide(value: Any) -> bool:
    return isinstance(value, Wide)
