"""Levels: rates from a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from jaxsched._core.boundaries import position_among, whole_step
from jaxsched._core.clock import Clock
from jaxsched._core.fields import Numbers, as_number, describe, is_integer, numbers
from jaxsched._core.schedule import Schedule, largest
from jaxsched._core.span import Span, own_spans


class Piecewise(Schedule):
    r"""Constant levels that change at given steps.

    $$f(t) = \text{values}[\#\{i : b_i \le t\}]$$

    The new level starts at the step of the boundary. The last level has no end.

    | step                                    | 0   | 9   | 10  | 20   |
    |-----------------------------------------|-----|-----|-----|------|
    | `Piecewise([0.3, 0.1, 0.03], [10, 20])` | 0.3 | 0.3 | 0.1 | 0.03 |

    >>> import jaxsched as js
    >>> js.Piecewise([0.3, 0.1, 0.03], [10, 20])(10)
    Array(0.1, dtype=float32)

    Args:
      values: the levels, shape (n + 1,).
      boundaries: the steps at which they change, shape (n,), sorted, at least 0.

    Raises:
      TypeError: an argument is not a list of numbers.
      ValueError: `values` does not have one more entry than `boundaries`, a number is not finite, or a
        boundary is negative or below the previous one.
    """

    values: Numbers = numbers()
    boundaries: Numbers = numbers(ascending=True, at_least=0)

    def check(self: Any) -> None:
        levels, changes = len(self.values), len(self.boundaries)
        if levels != changes + 1:
            raise ValueError(
                f"`values` must have one more entry than `boundaries`, which has {changes}, got {levels}."
            )

    def evaluate(self: Any, t: Clock) -> Any:
        return position_among(t, self.boundaries).of(self.values, t.dtype)

    def spans(self: Any, until: float) -> Iterator[Span]:
        return own_spans(self.boundaries)

    def peak(self) -> float:
        return largest(self.values)


class Table(Schedule):
    r"""One rate for each step.

    $$f(t) = \text{values}[\min(\lfloor t \rfloor, n - 1)]$$

    After the last entry it stays at the last rate.

    | step                     | 0   | 1   | 2   | 3   |
    |--------------------------|-----|-----|-----|-----|
    | `Table([0.1, 0.2, 0.3])` | 0.1 | 0.2 | 0.3 | 0.3 |

    >>> import jaxsched as js
    >>> js.Table([0.1, 0.2, 0.3])(2)
    Array(0.3, dtype=float32)

    Args:
      values: the rates, shape (n,), n at least 1.

    Raises:
      TypeError: `values` is not a list of numbers.
      ValueError: `values` is empty, or a number is not finite.
    """

    values: Numbers = numbers()

    def check(self: Any) -> None:
        if len(self.values) == 0:
            raise ValueError("`values` must have at least one number, got none.")

    def evaluate(self: Any, t: Clock) -> Any:
        return whole_step(t, len(self.values)).of(self.values, t.dtype)

    def duration(self: Any) -> float:
        return float(len(self.values) - 1)

    def peak(self) -> float:
        return largest(self.values)


def table(fn: Callable[[int], Any], steps: int) -> Table:
    """Tabulates a Python function.

    `fn` is called once for each step, in order from 0. It may branch, index lists and use its previous result
    (a recurrence). Only its values are kept.

    >>> import jaxsched as js
    >>> js.table(lambda step: 0.1 if step < 2 else 0.01, 3)
    Table([0.1, 0.1, 0.01])

    Args:
      fn: maps a step, an `int`, to a number.
      steps: the number of steps to tabulate, at least 1. Afterwards the rate stays at the last value.

    Raises:
      TypeError: `fn` is not callable or does not return a number, or `steps` is not an integer.
      ValueError: `steps` is below 1, or a value is not finite.
    """
    if not callable(fn):
        raise TypeError(f"`fn` must be callable, got {describe(fn)}.")
    if not is_integer(steps):
        raise TypeError(f"`steps` must be an integer, got {describe(steps)}.")
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1, got {steps}.")
    return Table([float(as_number(f"fn({step})", fn(step))) for step in range(steps)])
