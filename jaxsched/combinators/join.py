"""One schedule after another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from jaxsched._core.boundaries import segment
from jaxsched._core.clock import Clock
from jaxsched._core.fields import Numbers, field, numbers
from jaxsched._core.grouping import Parts
from jaxsched._core.schedule import Schedule, ScheduleLike, as_schedules
from jaxsched._core.span import Span


def _grouped(name: str, value: Any) -> Parts:
    return value if isinstance(value, Parts) else Parts(as_schedules(name, value))


class join(Schedule):
    r"""One schedule after another, each on its own clock.

    $$f(t) = s_k(t - b_k), \quad k = \#\{i \ge 1 : b_i \le t\}, \quad b_0 = 0$$

    A boundary is step 0 of the next part. The last part has no end.

    | step                                  | 0    | 9    | 10  | 11     |
    |---------------------------------------|------|------|-----|--------|
    | `join([0.05, Rex(0.3, 0, 20)], [10])` | 0.05 | 0.05 | 0.3 | 0.2923 |

    >>> import jaxsched as js
    >>> freeze_then_train = js.join([0.0, js.Cosine(0.1, 0.0, 100)], [50])
    >>> float(freeze_then_train(49)), round(float(freeze_then_train(50)), 3)
    (0.0, 0.1)

    Args:
      schedules: n schedules, at least 1; a number is a constant rate.
      boundaries: the steps at which the next schedule begins, shape (n - 1,), sorted, at least 0.

    Raises:
      TypeError: `schedules` is not a list of schedules, or `boundaries` is not a list of numbers.
      ValueError: the lengths do not match, or a boundary is negative or below the previous one.
    """

    schedules: Sequence[ScheduleLike] = field(_grouped)
    boundaries: Numbers = numbers(ascending=True, at_least=0)

    def check(self: Any) -> None:
        parts, changes = len(self.schedules), len(self.boundaries)
        if changes != parts - 1:
            raise ValueError(
                f"`boundaries` must have one fewer entry than `schedules`, which has {parts}, got {changes}."
            )

    def evaluate(self: Any, t: Clock) -> Any:
        return self.schedules.evaluate(*segment(t, self.boundaries))

    def spans(self: Any, until: float) -> Iterator[Span]:
        edges = itertools.chain([0.0], map(float, self.boundaries), [math.inf])
        for i, (since, end) in enumerate(itertools.pairwise(edges)):
            if since < min(end, until):
                yield Span(self.schedules[i], since, end)

    def duration(self: Any) -> float | None:
        last = self.schedules[-1].duration()
        return last if last is None or not len(self.boundaries) else float(self.boundaries[-1]) + last
