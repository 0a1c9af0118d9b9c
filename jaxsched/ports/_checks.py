"""Checks of arguments that the ports share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np

from jaxsched._core.fields import LARGEST, as_numbers, brief, checked_number, is_concrete, show

Choice = TypeVar("Choice")

MOST_PARTS = 10_000
"""The most cycles, cuts or stairs of a schedule that lists them all."""

NO_NOISE = (
    None,
    "a schedule has no noise. Draw factors beforehand, and multiply the schedule by a `jaxsched.Table` of "
    "them",
)

NO_STATE = (
    "a schedule has no state to resume from. Call it with the step of the whole run, or start it at a "
    "later step with `jaxsched.shift(schedule, -step)`"
)

NOT_MODELLED: dict[str, tuple[Any, str]] = {
    **dict.fromkeys(("last_epoch", "last_step", "last_iter", "last_batch_iteration"), (-1, NO_STATE)),
    "start_epoch": (0, NO_STATE),
    "verbose": (False, "a port prints nothing. Print `schedule(step)`, or draw it with `jaxsched.plot`"),
    "t_in_epochs": (
        True,
        "a port counts in the unit of its arguments. To count updates, leave it out; to count epochs, use "
        "`jaxsched.per_epoch(schedule, steps_per_epoch)`",
    ),
    "noise": NO_NOISE,
    "noise_range_t": NO_NOISE,
    "initialize": (True, "the base rate is `lr`. Pass the `initial_lr` of the parameter group there"),
}
"""Arguments that no port models: the one value allowed, why, and what to do instead."""


def checked(**arguments: Any) -> list[Any]:
    """The arguments in the order given: numbers, and finite where concrete.

    Raises:
      TypeError: one of them is not a number.
      ValueError: one of them is not finite.
    """
    return [checked_number(name, value) for name, value in arguments.items()]


def whole(name: str, value: Any, **limits: float) -> Any:
    """`checked_number` for a value that must be whole where concrete.

    Raises:
      TypeError: it is not a number.
      ValueError: it is not whole, or outside the limits.
    """
    kept = checked_number(name, value, **limits)
    if is_concrete(kept) and not float(kept).is_integer():
        raise ValueError(f"`{name}` must be a whole number, got {show(kept)}.")
    return kept


def whole_steps(name: str, values: Any, *, ascending: bool = True, **limits: float) -> Any:
    """A list of whole numbers as an array, sorted and within the limits where concrete.

    Raises:
      TypeError: it is not a list of numbers.
      ValueError: one of them is not whole, outside the limits, or below the one before it.
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


def within(name: str, value: Any, **limits: Any) -> Any:
    """`checked_number` with the limits that are concrete.

    Raises:
      TypeError: it is not a number.
      ValueError: it is outside the limits.
    """
    return checked_number(
        name, value, **{words: float(limit) for words, limit in limits.items() if is_concrete(limit)}
    )


def concrete(name: str, value: Any, why: str = "the parts of the schedule depend on it") -> Any:
    """`value`, if it is concrete.

    Raises:
      TypeError: it is traced.
    """
    if not is_concrete(value):
        raise TypeError(f"`{name}` must be concrete, got a traced number: {why}.")
    return value


def is_known(value: Any, number: Any) -> bool:
    """Whether both are concrete and equal."""
    return is_concrete(value, number) and bool(value == number)


def over(total: Any, name: str, divisor: Any) -> Any:
    """`total / divisor`, for a divisor that is not 0.

    Raises:
      ValueError: the quotient is beyond float32; the message names the divisor.
    """
    quotient = total / divisor
    if is_concrete(quotient) and abs(float(quotient)) > LARGEST:
        least = abs(float(total)) / LARGEST
        raise ValueError(f"`{name}` must be at least {least:.2g} here, got {show(divisor)}.")
    return quotient


def larger(a: Any, b: Any) -> Any:
    """The larger of two numbers."""
    return max(a, b) if is_concrete(a, b) else jnp.maximum(a, b)


def smaller(a: Any, b: Any) -> Any:
    """The smaller of two numbers."""
    return min(a, b) if is_concrete(a, b) else jnp.minimum(a, b)


def one_of(name: str, value: Any, choices: Mapping[str, Choice]) -> Choice:
    """The entry of `choices` with the key `value`.

    Raises:
      ValueError: there is none.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"`{name}` must be one of {list(choices)}, got {value!r}.")
    return choices[value]


def not_modelled(**arguments: Any) -> None:
    """Checks that arguments which no port models have the value in `NOT_MODELLED`.

    Raises:
      ValueError: one of them has another value.
    """
    for name, value in arguments.items():
        allowed, instead = NOT_MODELLED[name]
        if value is not allowed and not is_known(value, allowed):
            raise ValueError(f"`{name}` must be {allowed!r}, got {brief(value)}: {instead}.")
