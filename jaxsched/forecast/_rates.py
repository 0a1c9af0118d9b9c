"""The rates of a run in float64."""

from __future__ import annotations

import numpy as np

from jaxsched._core.fields import show
from jaxsched._core.schedule import Schedule
from jaxsched._core.versions import enable_x64


def rates_of(schedule: Schedule, first: int, end: int, name: str = "schedule") -> np.ndarray:
    """The rates at the steps from `first` up to `end`, without it: float64, shape (end - first,).

    Raises:
      ValueError: a rate is negative or not finite; the message calls the schedule `name`.
    """
    with enable_x64(True):
        rates = np.asarray(schedule(np.arange(first, end)))
    for i in np.flatnonzero(~(np.isfinite(rates) & (rates >= 0)))[:1]:
        raise ValueError(
            f"`{name}` must have finite rates of at least 0, got {show(rates[i])} at step {first + i}."
        )
    return rates


def check_some(rates: np.ndarray, last: int, name: str = "schedule") -> None:
    """Raises a `ValueError` if all rates up to the step `last` are 0."""
    if not rates[: last + 1].any():
        raise ValueError(f"`{name}` must have a rate above 0 up to step {last}, got only zeros.")
