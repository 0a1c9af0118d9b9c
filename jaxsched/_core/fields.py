"""The fields of a schedule: a number in a range, a list of numbers.

The declaration of a field defines its check at construction and whether it is a leaf of the pytree. Only
concrete numbers are checked; the tracers that a constructor gets under `jit` or `vmap` pass.
"""

from __future__ import annotations

import dataclasses
import math
import numbers as abstract_numbers
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

Number: TypeAlias = float | np.number[Any] | jax.Array
"""The value of a field with one number. In `evaluate` it is a float if known, else an array."""

Numbers: TypeAlias = Sequence[Number] | np.ndarray | jax.Array
"""The value of a field with a list of numbers. In `evaluate` it is a NumPy or JAX array."""

LARGEST = float(np.finfo(np.float32).max)
"""The largest number that a field accepts: the largest float32."""


@dataclasses.dataclass(frozen=True)
class Field:
    """How a field is checked and kept.

    Attributes:
      convert: `convert(name, value)` returns the value to keep, or raises `TypeError` or `ValueError`.
      rank: the rank of its leaves, or `None` if it holds schedules or is static.
      static: whether it is part of the structure, and so never traced.
      shortcuts: the numbers for which a formula has a shorter form, including its default.
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
    """The `Field` of a dataclass field; a plain dataclass field is static."""
    return specifier.metadata.get("jaxsched", Field(static=True))


def is_concrete(*values: Any) -> bool:
    """Whether no leaf of `values` is traced."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def is_known(value: Any, *numbers: float) -> bool:
    """Whether `value`, as seen in `evaluate`, is known to be one of `numbers`."""
    return isinstance(value, float) and value in numbers


def show(value: Any) -> str:
    """The shortest text of a number at its own precision: `15` for 15.0, `0.1` for `np.float32(0.1)`."""
    whole = float(value)
    if (
        math.isfinite(whole)
        and isinstance(value, jax.Array | np.ndarray | np.generic)
        and not whole.is_integer()
    ):
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
    """Raises a `ValueError` with the argument, its value and what is allowed."""
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
    """`value` as a Python float, or as an array if it is a scalar JAX array.

    Raises:
      TypeError: it is not a real number, or not a scalar.
      ValueError: it does not fit a float, or is masked.
    """
    if isinstance(value, bool | np.timedelta64):
        raise TypeError(f"`{name}` must be a number, got {describe(value)}.")
    check_unmasked(name, value)
    if isinstance(value, abstract_numbers.Real):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"`{name}` must be a finite float32 number, got {brief(value)}.") from None
    if isinstance(value, jax.Array | np.ndarray | np.generic) and is_real(value.dtype):
        if value.shape != ():
            raise TypeError(
                f"`{name}` must be a single number, got an array of shape {value.shape}; "
                "for several schedules at once, use `jaxsched.stack`."
            )
        return _widened(value) if isinstance(value, jax.Array) else float(value)
    hint = "; call it with a step for its number there" if callable(value) else ""
    raise TypeError(f"`{name}` must be a number, got {describe(value)}{hint}.")


def _widened(value: Any) -> jax.Array:
    """Converts integers narrower than int32 to int32, where sums and products do not wrap as soon."""
    narrow = jnp.issubdtype(value.dtype, jnp.integer) and jnp.iinfo(value.dtype).bits < 32
    return jnp.asarray(value, np.int32) if narrow else jnp.asarray(value)


def as_numbers(name: str, value: Any) -> np.ndarray | jax.Array:
    """`value` as a read-only float64 array of rank 1, or as a JAX array if it is one or contains one.

    Raises:
      TypeError: it is not a list or rank-1 array of real numbers.
      ValueError: an entry is masked.
    """
    if isinstance(value, jax.Array | np.ndarray):
        check_unmasked(name, value)
        if value.ndim != 1 or not is_real(value.dtype):
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
    """Stacks numbers or arrays of one shape on a new first axis, in JAX if one of them is a JAX array."""
    known = [value.dtype for value in values if isinstance(value, jax.Array)]
    if not known:
        return frozen(values)
    dtype = jnp.result_type(*known, jnp.float32)
    return jnp.stack([jnp.asarray(value, dtype) for value in values])


def frozen(values: Any) -> np.ndarray:
    """A read-only float64 copy of `values`."""
    return read_only(np.asarray(values, np.float64))


def read_only(values: np.ndarray) -> np.ndarray:
    """A read-only copy of an array."""
    array = np.array(values)
    array.flags.writeable = False
    return array


def checked_number(name: str, value: Any, **limits: float) -> Any:
    """`as_number`, then `check_range` with `limits` if the number is concrete.

    Raises:
      TypeError: it is not a number.
      ValueError: it is outside the limits.
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


def check_unmasked(name: str, value: Any) -> None:
    """Raises a `ValueError` if `value` has a masked entry, which NumPy would give as a number."""
    if np.ma.is_masked(value):
        raise ValueError(f"`{name}` must have no masked entry, got {describe(value)}.")


def is_real(dtype: Any) -> bool:
    """Whether the dtype is one of real numbers. For NumPy a timedelta is an integer; it is not one here."""
    numeric = jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)
    return numeric and not jnp.issubdtype(dtype, np.timedelta64)


def is_number(value: Any) -> bool:
    """Whether `value` is a real number or an array of real numbers, traced or not."""
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        return is_real(value.dtype)
    return isinstance(value, float | int) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    """Whether `value` is an integer of Python or NumPy."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)


def describe(value: Any) -> str:
    """A value as an error message shows it, with its type."""
    return f"{brief(value)} ({getattr(value, 'dtype', type(value).__name__)})"


def brief(value: Any) -> str:
    """The `repr` of a value, shortened in the middle if it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write integers of more than 4,300 digits in decimal.
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

    A Python or NumPy number is kept as a Python float: 0.3, 1 and `np.float64(0.2)` are the same kind of
    leaf. A scalar JAX array stays an array.

    Args:
      default: the default; without one, the field is required.
      kw_only: whether the field is keyword-only.
      shortcuts: numbers besides the default for which the formula has a shorter form. If the number is
        known to be one of them, it is a float in `evaluate`, even if the other fields are arrays.
      **limits: the allowed range, as any of `at_least`, `above`, `at_most` and `below`.
    """
    return field(
        lambda name, value: checked_number(name, value, **limits),
        default,
        rank=0,
        kw_only=kw_only,
        shortcuts=shortcuts,
    )


def optional_number(default: None = None, **limits: float) -> Any:
    """A field that holds one number, or `None`. `None` is the default, and part of the structure."""

    def convert(name: str, value: Any) -> Any:
        return None if value is None else checked_number(name, value, **limits)

    return field(convert, default, rank=0)


def numbers(*, ascending: bool = False, **limits: float) -> Any:
    """A field that holds a list of numbers, kept as an array of rank 1.

    Args:
      ascending: whether each number must be at least the previous one.
      **limits: the allowed range of each number, as in `number`.
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
