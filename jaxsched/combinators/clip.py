"""Limits for a rate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jax import lax

from jaxsched._core.clock import Clock
from jaxsched._core.fields import Number, is_concrete, optional_number, show
from jaxsched._core.lookup import as_array
from jaxsched._core.schedule import Schedule, ScheduleLike, largest, part
from jaxsched._core.span import Span


class clip(Schedule):
    r"""A schedule clipped to a minimum and a maximum.

    $$f(t) = \min(\max(s(t), \text{min}), \text{max})$$

    | step                                | 0   | 9    | 10   | 11   |
    |-------------------------------------|-----|------|------|------|
    | `clip(Linear(1, 0, 10), 0.25, 0.8)` | 0.8 | 0.25 | 0.25 | 0.25 |

    >>> import jax.numpy as jnp
    >>> import jaxsched as js
    >>> js.clip(js.Linear(1.0, 0.0, 4), 0.25, 0.8)(jnp.arange(5))
    Array([0.8 , 0.75, 0.5 , 0.25, 0.25], dtype=float32)

    Args:
      schedule: the schedule, or a number for a constant rate.
      min_value: the minimum, or `None` for none.
      max_value: the maximum, at least `min_value`, or `None` for none.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: a limit is not finite, or `min_value` is above `max_value`.
    """

    schedule: ScheduleLike = part()
    min_value: Number | None = optional_number(default=None)
    max_value: Number | None = optional_number(default=None)

    def check(self: Any) -> None:
        low, high = self.min_value, self.max_value
        if low is not None and high is not None and is_concrete(low, high) and low > high:
            raise ValueError(f"`max_value` must be at least `min_value` ({show(low)}), got {show(high)}.")

    def evaluate(self: Any, t: Clock) -> Any:
        value = as_array(self.schedule.evaluate(t), t.dtype)
        if self.min_value is not None:
            value = lax.max(value, as_array(self.min_value, t.dtype))
        return value if self.max_value is None else lax.min(value, as_array(self.max_value, t.dtype))

    def spans(self: Any, until: float) -> Iterator[Span]:
        yield Span(self.schedule, 0.0)

    def peak(self: Any) -> float | None:
        limit = self.max_value
        if limit is not None and is_concrete(limit) and limit <= 0:
            limit = self.min_value  # The rates are at most 0.
        if limit is not None:
            return largest(limit)
        highest = self.schedule.peak()
        return highest if highest is None or self.min_value is None else max(highest, largest(self.min_value))
