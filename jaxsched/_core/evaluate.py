"""Calls a schedule with a step.

The step becomes a `Clock`. `evaluate` runs in float64 on platforms that have it and in float32 elsewhere, and
its result is rounded once. In `evaluate`, a concrete leaf is a Python float, and arithmetic on such leaves
runs on the host; a traced leaf is an array.
"""

from __future__ import annotations

import contextvars
import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export, lax

from jaxsched._core.clock import LAST_STEP, Clock, prepare_step
from jaxsched._core.fields import Field, field_of
from jaxsched._core.lookup import as_array
from jaxsched._core.platforms import FLOAT64_PLATFORMS, by_platform, x64_is_on
from jaxsched._core.versions import enable_x64, mapped_over, outside_of_programs

force_float32: contextvars.ContextVar[bool] = contextvars.ContextVar("force_float32", default=False)
"""Whether to compute in float32 everywhere; see `jaxsched.testing.float32_path`."""


def call(schedule: Any, step: Any) -> jax.Array:
    """The rate of `schedule` at `step`; see `Schedule.__call__`."""
    step = prepare_step(step)
    leaves, structure = jax.tree.flatten(schedule)
    result = np.float64 if x64_is_on() else np.float32
    narrow = force_float32.get()
    # `jax.default_backend` names both kinds of GPU "gpu".
    here = not narrow and export.default_export_platform() in FLOAT64_PLATFORMS and outside_of_programs()
    if here and not any(isinstance(each, jax.core.Tracer) for each in (step, *leaves)):
        # One program serves all numbers, except those for which a formula has a shorter form.
        known = [
            leaf if type(leaf) is float and leaf in field.shortcuts else None
            for leaf, field in zip(leaves, _fields_of(structure), strict=True)
        ]
        static = _kept(structure, tuple(known))
        with enable_x64(True):
            return _on_mesh(_rates_here, static.unknown(leaves), step, static=static, result=result)
    static = _Static(structure, tuple(map(_known, leaves)))
    if not isinstance(step, jax.Array):
        if (step == np.floor(step)).all() and (step <= LAST_STEP).all():
            step = np.asarray(step, np.int32)
        else:
            static, step = dataclasses.replace(static, step=step), None
    return _on_mesh(
        _rates_anywhere, static.unknown(leaves), step, static=static, result=result, narrow=narrow
    )


def compute(formula: Any, schedule: Any, step: np.ndarray, *operands: Any) -> list[jax.Array]:
    """`formula(rates, *operands)` as part of a larger program, with the rates in the dtype of the platform.

    Args:
      formula: a function of a module, which returns a list of arrays. It is compiled once.
      schedule: one schedule.
      step: the steps, int32.
      *operands: numbers and arrays, traced or not.
    """
    leaves, structure = jax.tree.flatten((schedule, operands))
    static = _Static(structure, tuple(map(_known, leaves)))
    result = np.float64 if x64_is_on() else np.float32
    return _computed(
        static.unknown(leaves),
        step,
        static=static,
        formula=formula,
        result=result,
        narrow=force_float32.get(),
    )


@dataclasses.dataclass(frozen=True)
class _Static:
    """The static argument of a compiled program: a schedule's structure and its known numbers.

    Attributes:
      structure: the structure of the schedule.
      known: a number or float64 array for each leaf that is known, `None` for the others.
      step: the steps as float64, if they are known and not all whole numbers within int32.
    """

    structure: Any
    known: tuple[Any, ...]
    step: Any = None

    @functools.cached_property
    def _key(self) -> Any:
        arrays = (
            (each.tobytes(), each.shape) if isinstance(each, np.ndarray | np.generic) else each
            for each in (self.step, *self.known)
        )
        return self.structure, *arrays

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Static) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def unknown(self, leaves: list[Any]) -> list[Any]:
        """The leaves that are not known, as arguments of the program."""
        return [leaf for leaf, known in zip(leaves, self.known, strict=True) if known is None]

    def schedule(self, unknown: Any) -> Any:
        """Rebuilds the schedule from those leaves."""
        supply = iter(unknown)
        leaves = [next(supply) if known is None else known for known in self.known]
        return jax.tree.unflatten(self.structure, leaves)


_kept = functools.lru_cache(maxsize=1024)(_Static)
"""A `_Static` made once, because an eager call would spend a fifth of its time making it."""


def _known(leaf: Any) -> Any:
    """A concrete leaf as a float or float64 array, or `None` if it is traced or on other hosts.

    A leaf over which `jax.vmap` maps is known if it is known to be the same for all.
    """
    if mapped := mapped_over(leaf):
        values, axis = mapped
        values = _known(values)
        if not isinstance(values, np.ndarray):
            return None
        members = np.moveaxis(values, axis, 0)
        return _known(members[0]) if len(members) and (members == members[0]).all() else None
    if isinstance(leaf, jax.Array):
        if isinstance(leaf, jax.core.Tracer) or not leaf.is_fully_addressable:
            return None
        leaf = np.asarray(leaf)
    return float(leaf) if np.ndim(leaf) == 0 else np.asarray(leaf, np.float64)


def _on_mesh(rates: Any, unknown: Any, step: Any, **static: Any) -> jax.Array:
    """The rates, with the sharding of the steps on a mesh with explicit axes.

    Inside, the axes are automatic: a list lookup has no explicit output sharding.
    """
    if isinstance(step, jax.Array) and step.ndim:
        sharding = jax.typeof(step).sharding
        if any(sharding.spec):
            spread = jax.sharding.auto_axes(functools.partial(rates, **static), out_sharding=sharding)
            return spread(unknown, step)
    return rates(unknown, step, **static)


@functools.partial(jax.jit, static_argnames=("static", "result"))
def _rates_here(unknown: Any, step: Any, static: _Static, result: Any) -> jax.Array:
    """The rates on a backend that has float64."""
    return _rates(static, result, np.float64, unknown, step)


@functools.partial(jax.jit, static_argnames=("static", "result", "narrow"))
def _rates_anywhere(unknown: Any, step: Any, static: _Static, result: Any, narrow: bool) -> jax.Array:
    """The rates as part of a larger program, in the dtype of the platform it is lowered for."""
    operands, structure = jax.tree.flatten((unknown, step))

    def computation(dtype: Any, *operands: jax.Array) -> list[jax.Array]:
        return [_rates(static, result, dtype, *jax.tree.unflatten(structure, operands))]

    return (computation(np.float32, *operands) if narrow else by_platform(computation, *operands))[0]


@functools.partial(jax.jit, static_argnames=("static", "formula", "result", "narrow"))
def _computed(
    unknown: Any, step: Any, static: _Static, formula: Any, result: Any, narrow: bool
) -> list[jax.Array]:
    """A formula of the rates, in the dtype of the platform it is lowered for, rounded to `result`."""
    held, structure = jax.tree.flatten((unknown, step))

    def computation(dtype: Any, *held: jax.Array) -> list[jax.Array]:
        unknown, step = jax.tree.unflatten(structure, held)
        schedule, operands = static.schedule(unknown)
        leaves, inner = jax.tree.flatten(schedule)
        known = _Static(inner, tuple(map(_known, leaves)))
        rates = _rates(known, dtype, dtype, known.unknown(leaves), step)
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            found = formula(rates, *(jnp.asarray(each, dtype) for each in operands))
        return [lax.convert_element_type(each, result) for each in found]

    return computation(np.float32, *held) if narrow else by_platform(computation, *held)


def _rates(static: _Static, result: Any, dtype: Any, unknown: Any, step: Any) -> jax.Array:
    """The rate at each step, computed in `dtype` and rounded to `result`."""
    schedule = static.schedule(unknown)
    if batch := batch_shape(schedule):
        raise ValueError(
            f"This is a stack of {batch[0]} schedules; call it under `jax.vmap`: "
            "`jax.vmap(lambda schedule: schedule(step))(stack)`."
        )
    inside = static.schedule([_enter(leaf, dtype) for leaf in unknown])

    def at(whole: jax.Array, rest: jax.Array | None) -> jax.Array:
        value = as_array(inside.evaluate(Clock(whole, rest, nonnegative=True)), dtype)
        if value.shape != ():
            raise TypeError(
                f"`{type(schedule).__name__}.evaluate` must return a scalar, got shape {value.shape}."
            )
        return lax.convert_element_type(value, result)

    step = static.step if step is None else step
    start = Clock.start(step, dtype)
    for _ in range(start.whole.ndim):
        at = jax.vmap(at)
    # The caller's strict promotion modes do not apply to our code.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        rates = at(start.whole, start.rest)
    if jnp.issubdtype(step.dtype, jnp.integer):
        return rates
    return lax.select(lax.ne(step, step), lax.full_like(rates, np.nan), rates)


def _enter(leaf: jax.Array, dtype: Any) -> jax.Array | Clock:
    """Converts an unknown leaf for `evaluate`: a scalar to a float of `dtype`; a list is kept.

    In float32 an integer becomes a clock: exact where a time needs it, and a float elsewhere.
    """
    leaf = jnp.asarray(leaf)  # Only under `jax.disable_jit` is it not an array yet.
    if leaf.ndim:
        return leaf
    if dtype == np.float32 and jnp.issubdtype(leaf.dtype, jnp.integer):
        return Clock.counting(leaf)
    return lax.convert_element_type(leaf, dtype)


@functools.lru_cache(maxsize=1024)
def _fields_of(structure: Any) -> list[Field]:
    """The field of each leaf of a schedule with this structure."""
    return leaf_fields(jax.tree.unflatten(structure, [0.0] * structure.num_leaves))


def leaf_fields(node: Any) -> list[Field]:
    """The field of each leaf of a single schedule, in the order of `jax.tree.leaves`."""
    if isinstance(node, tuple):
        return [field for item in node for field in leaf_fields(item)]
    if hasattr(node, "leaf_fields"):
        return list(node.leaf_fields())
    return [
        field
        for specifier in dataclasses.fields(node)
        for field in fields_in(field_of(specifier), getattr(node, specifier.name))
    ]


def fields_in(field: Field, value: Any) -> list[Field]:
    """The field of each leaf of the value of one field."""
    if field.rank is not None:
        return [field] * (value is not None)
    return [] if field.static else leaf_fields(value)


def batch_shape(schedule: Any) -> tuple[int, ...]:
    """The leading axes of the leaves, from `jaxsched.stack` or a transformation; `()` for one schedule.

    Raises:
      ValueError: the leaves have different leading axes, or too few axes.
    """
    leaves, structure = jax.tree.flatten(schedule)
    shapes = [np.shape(leaf) for leaf in leaves]
    fields = _fields_of(structure)
    leading = [(shape, len(shape) - field.rank) for shape, field in zip(shapes, fields, strict=True)]
    batches = {shape[:axes] for shape, axes in leading}
    if len(batches) > 1 or any(axes < 0 for _, axes in leading):
        raise ValueError(f"The leaves of a {type(schedule).__name__} have unequal shapes: {shapes}.")
    return batches.pop() if batches else ()


def take(stacked: Any, index: int) -> Any:
    """One schedule out of a stack."""
    return jax.tree.map(lambda leaf: _scalar(leaf[index]), stacked)


def _scalar(value: Any) -> Any:
    return float(value) if isinstance(value, np.floating) else value
