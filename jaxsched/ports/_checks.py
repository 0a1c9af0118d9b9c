"""How ports check the arguments of their originals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np

from jaxsched._core.fields import as_numbers, brief, checked_number, is_concrete, show

Choice = TypeVar("Choice")

NOT_MODELLED: dict[str, tuple[Any, str]] = {
    "last_epoch": (
        -1,
        "a schedule has no state to go on from. Call it with the step of the whole run, or begin at a later "
        "one with `jaxsched.shift(schedule, -step)`",
    ),
    "verbose": (False, "a port prints nothing. Print `schedule(step)`, or draw it with `jaxsched.plot`"),
    "t_in_epochs": (
        True,
        "a port counts in whatever its arguments do. For updates leave it out; for epochs use "
        "`jaxsched.per_epoch(schedule, steps_per_epoch)`",
    ),
    "noise_range_t": (
        None,
        "a schedule has no noise. Draw factors beforehand, and multiply it by a `jaxsched.Table` of them",
    ),
    "initialize": (True, "the base rate is `lr`. Pass the `initial_lr` of the parameter group as that"),
}
"""Arguments of originals: the value that a port takes, and why it takes no other and what to do instead."""


def checked(**arguments: Any) -> list[Any]:
    """The arguments, in the order given, each a number and finite where it is concrete.

    Raises:
      TypeError: one of them is no number.
      ValueError: one of them is not finite.
    """
    return [checked_number(name, value) for name, value in arguments.items()]


def whole(name: str, value: Any, **limits: float) -> Any:
    """`checked_number`, and whole where it is concrete.

    Raises:
      TypeError: it is no number.
      ValueError: it is not whole, or outside of the limits.
    """
    kept = checked_number(name, value, **limits)
    if is_concrete(kept) and not float(kept).is_integer():
        raise ValueError(f"`{name}` must be a whole number, got {show(kept)}.")
    return kept


def whole_steps(name: str, values: Any, *, ascending: bool = True, **limits: float) -> Any:
    """A list of whole numbers as an array, sorted and each within limits where they are concrete.

    Raises:
      TypeError: it is no list of numbers.
      ValueError: one of them is not whole, outside of the limits, or below the one before it.
    """
    kept = as_numbers(name, values)
    if is_concrete(kept):
        items = np.asarray(kept, np.float64).tolist()
        for i, item in enumerate(items):
            whole(f"{name}[{i}]", item, **limits)
            if ascending and i and item < items[i - 1]:
                raise ValueError(
                    f"`{name}` must be sorted, got {show(items[i - 1])} before {show(item)} at index {i - 1}."
                )
    return kept


def is_known(value: Any, number: float) -> bool:
    """Whether `value` is concrete and that number."""
    return is_concrete(value) and bool(value == number)


def larger(a: Any, b: Any) -> Any:
    """The larger of two numbers."""
    return max(a, b) if is_concrete(a, b) else jnp.maximum(a, b)


def smaller(a: Any, b: Any) -> Any:
    """The smaller of two numbers."""
    return min(a, b) if is_concrete(a, b) else jnp.minimum(a, b)


def one_of(name: str, value: Any, choices: Mapping[str, Choice]) -> Choice:
    """What `choices` has under the name `value`.

    Raises:
      ValueError: it has none.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"`{name}` must be one of {list(choices)}, got {value!r}.")
    return choices[value]


def not_modelled(**arguments: Any) -> None:
    """Checks arguments that would change what the original does, and that a port has no way to follow.

    Raises:
      ValueError: one of them is not as in `NOT_MODELLED`.
    """
    for name, value in arguments.items():
        allowed, instead = NOT_MODELLED[name]
        if value is not allowed and not is_known(value, allowed):
            raise ValueError(f"`{name}` must be {allowed!r}, got {brief(value)}: {instead}.")
