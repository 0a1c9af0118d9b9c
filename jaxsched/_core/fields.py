"""What the fields of a schedule accept: a number in a range, a list of numbers.

A field says once what it is; from that follow the check at construction and whether it is a leaf of
the pytree. Only concrete numbers are checked: under `jit` or `vmap` a constructor also meets tracers,
which pass.
"""

from __future__ import annotations

import dataclasses
import numbers as abstract_numbers
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

Number: TypeAlias = float | np.number[Any] | jax.Array
"""What a field with one number takes. In `evaluate` it is a float where it is known, else an array."""

Numbers: TypeAlias = Sequence[Number] | np.ndarray | jax.Array
"""What a field with a list of numbers takes. In `evaluate` it is a NumPy or a JAX array."""

LARGEST = float(np.finfo(np.float32).max)
"""The largest number that a field takes, so that no rate overflows float32."""


@dataclasses.dataclass(frozen=True)
class Field:
    """How a field is checked and kept.

    Attributes:
      convert: `convert(name, value)` gives what is kept, or raises `TypeError` or `ValueError`.
      rank: the rank of its leaves, or `None` where it holds schedules or is static.
      static: whether it is structure, compared and never traced, rather than leaves.
      shortcuts: the numbers for which a formula has a shorter form, its default among them.
    """

    convert: Callable[[str, Any], Any] = lambda name, value: value
    rank: Any = None
    static: bool = False
    shortcuts: tuple[float, ...] = ()


def field(
    convert: Callable[[str, Any], Any],
    default: Any = dataclasses.MISSING,
    *,
    rank: int | None = None,
    kw_only: bool = False,
    shortcuts: tuple[float, ...] = (),
) -> Any:
    """A field of a schedule; see `Field`."""
    if isinstance(default, int | float):
        shortcuts = (*shortcuts, float(default))
    metadata = {"jaxsched": Field(convert, rank, shortcuts=shortcuts)}
    return dataclasses.field(default=default, kw_only=kw_only, metadata=metadata)


def field_of(specifier: dataclasses.Field[Any]) -> Field:
    """The `Field` behind a dataclass field; one that says nothing is static."""
    return specifier.metadata.get("jaxsched", Field(static=True))


def is_concrete(*values: Any) -> bool:
    """Whether nothing in `values`, numbers or pytrees of them, is traced."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def is_known(value: Any, *numbers: float) -> bool:
    """Whether `value`, as `evaluate` sees it, is known to be one of some numbers."""
    return isinstance(value, float) and value in numbers


def show(value: Any) -> str:
    """The shortest text of a number, at its own precision: `15` for 15.0, `0.1` for a float32 of that."""
    whole = float(value)
    if isinstance(value, jax.Array | np.ndarray | np.generic) and not whole.is_integer():
        kept = np.asarray(value)
        decimals = (float(f"{whole:.{digits}g}") for digits in range(1, 18))
        whole = next(decimal for decimal in decimals if kept.dtype.type(decimal) == kept)
    return str(int(whole)) if whole.is_integer() and abs(whole) < 1e16 else repr(whole)


def check_range(
    name: str,
    value: float,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> None:
    """Raises `ValueError`, naming the argument, its value and what is allowed."""
    if not abs(value) <= LARGEST:
        raise ValueError(f"`{name}` must be a finite float32 number, got {show(value)}.")
    limits = {
        "at least": (at_least, value.__ge__),
        "above": (above, value.__gt__),
        "at most": (at_most, value.__le__),
        "below": (below, value.__lt__),
    }
    known = {words: (limit, holds) for words, (limit, holds) in limits.items() if limit is not None}
    if not all(holds(limit) for limit, holds in known.values()):
        allowed = " and ".join(f"{words} {show(limit)}" for words, (limit, _) in known.items())
        raise ValueError(f"`{name}` must be {allowed}, got {show(value)}.")


def as_number(name: str, value: Any) -> float | jax.Array:
    """`value` as a Python float, or unchanged where it is a scalar JAX array.

    Raises:
      TypeError: it is no real number, or no scalar.
      ValueError: it does not fit a float.
    """
    if isinstance(value, bool):
        raise TypeError(f"`{name}` must be a number, got {describe(value)}.")
    if isinstance(value, abstract_numbers.Real):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"`{name}` must be a finite float32 number, got {brief(value)}.") from None
    if isinstance(value, jax.Array | np.ndarray | np.generic) and _is_real(value.dtype):
        if value.shape != ():
            raise TypeError(
                f"`{name}` must be a single number, got an array of shape {value.shape}; "
                "several schedules at once are `jaxsched.stack`."
            )
        return _widened(value) if isinstance(value, jax.Array) else float(value)
    raise TypeError(f"`{name}` must be a number, got {describe(value)}.")


def _widened(value: Any) -> jax.Array:
    """A narrow integer as an int32, so that sums and products of a few do not wrap."""
    narrow = jnp.issubdtype(value.dtype, jnp.integer) and jnp.iinfo(value.dtype).bits < 32
    return jnp.asarray(value, np.int32) if narrow else jnp.asarray(value)


def as_numbers(name: str, value: Any) -> np.ndarray | jax.Array:
    """`value` as a read-only float64 array of rank 1, or as a JAX array where a part of it is one.

    Raises:
      TypeError: it is no list or array of rank 1 of real numbers.
    """
    if isinstance(value, jax.Array | np.ndarray):
        if value.ndim != 1 or not _is_real(value.dtype):
            raise TypeError(
                f"`{name}` must be a list of numbers, got an array of {value.dtype}{list(value.shape)}."
            )
        if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.floating):
            return value
        return frozen(value) if is_concrete(value) else _widened(value)
    if not isinstance(value, list | tuple | range):
        raise TypeError(f"`{name}` must be a list of numbers, got {describe(value)}.")
    items = [as_number(f"{name}[{i}]", item) for i, item in enumerate(value)]
    return stack_numbers(items)


def stack_numbers(values: Sequence[Any]) -> np.ndarray | jax.Array:
    """`values`, numbers or arrays of one shape, on a new first axis: in JAX where one of them is."""
    known = [value.dtype for value in values if isinstance(value, jax.Array)]
    if not known:
        return frozen(values)
    dtype = jnp.result_type(*known, jnp.float32)
    return jnp.stack([jnp.asarray(value, dtype) for value in values])


def frozen(values: Any) -> np.ndarray:
    """A float64 copy of `values` that cannot be written to."""
    array = np.array(values, np.float64)
    array.flags.writeable = False
    return array


def checked_number(name: str, value: Any, **limits: float) -> Any:
    """`as_number`, and within limits, any of those of `check_range`, where it is concrete.

    Raises:
      TypeError: it is no number.
      ValueError: it is outside of the limits.
    """
    kept = as_number(name, value)
    if is_concrete(kept):
        check_range(name, float(kept), **limits)
    return kept


def checked_flag(name: str, value: Any) -> bool:
    """`value`, if it is True or False.

    Raises:
      TypeError: it is neither.
    """
    if not isinstance(value, bool | np.bool):
        raise TypeError(f"`{name}` must be True or False, got {describe(value)}.")
    return bool(value)


def _is_real(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)


def describe(value: Any) -> str:
    """What an error message says that it got."""
    return f"{brief(value)} ({getattr(value, 'dtype', type(value).__name__)})"


def brief(value: Any) -> str:
    """The `repr` of a value, without its middle where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes integers of more than 4,300 digits in other bases only.
        text = hex(value) if isinstance(value, int) else object.__repr__(value)
    return text if len(text) <= 100 else f"{text[:60]}...{text[-20:]}"


def number(
    default: Any = dataclasses.MISSING,
    *,
    kw_only: bool = False,
    shortcuts: tuple[float, ...] = (),
    **limits: float,
) -> Any:
    """A field that holds one number.

    A Python or NumPy number is kept as a Python float, so that 0.3, 1 and `np.float64(0.2)` are the
    same kind of leaf; a scalar JAX array is kept as it is.

    Args:
      default: its default; it is required where this is left out.
      kw_only: whether it is passed by keyword alone.
      shortcuts: numbers besides the default for which the formula has a shorter form: where the number is
        known to be one of them, `evaluate` sees it as a float even where others are arrays.
      **limits: what is allowed, any of `at_least`, `above`, `at_most` and `below`.
    """
    return field(
        lambda name, value: checked_number(name, value, **limits),
        default,
        rank=0,
        kw_only=kw_only,
        shortcuts=shortcuts,
    )


def optional_number(default: None = None, **limits: float) -> Any:
    """A field that holds one number or `None`, its default; which of the two is structure."""

    def convert(name: str, value: Any) -> Any:
        return None if value is None else checked_number(name, value, **limits)

    return field(convert, default, rank=0)


def numbers(*, ascending: bool = False, **limits: float) -> Any:
    """A field that holds a list of numbers, kept as an array of rank 1.

    Args:
      ascending: whether each must be at least the one before.
      **limits: what is allowed for each, as in `number`.
    """

    def convert(name: str, value: Any) -> Any:
        kept = as_numbers(name, value)
        if is_concrete(kept) and len(kept):
            items = np.asarray(kept, np.float64)
            for i in (int(items.argmin()), int(items.argmax())):
                check_range(f"{name}[{i}]", float(items[i]), **limits)
            falls = np.flatnonzero(np.diff(items) < 0)
            if ascending and falls.size:
                i = int(falls[0])
                raise ValueError(
                    f"`{name}` must be sorted, got {show(items[i])} before {show(items[i + 1])} at index {i}."
                )
        return kept

    return field(convert, rank=1)
