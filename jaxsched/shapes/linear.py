"""The straight line."""

from __future__ import annotations

from typing import Any

from jaxsched._core.fields import Number, number
from jaxsched._core.transition import Transition


class Linear(Transition):
    r"""A straight line from one value to another.

    $$f(t) = (1 - p)\,\text{init} + p\,\text{end}, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps`. Afterwards it stays at `end_value`.

    | step                 | 0   | 9    | 10 | 11 |
    |----------------------|-----|------|----|----|
    | `Linear(0.3, 0, 10)` | 0.3 | 0.03 | 0  | 0  |

    >>> import jaxsched as js
    >>> js.Linear(0.3, 0.0, 10)(5)
    Array(0.15, dtype=float32)

    Args:
      init_value: the rate at step 0.
      end_value: the rate from step `transition_steps` on.
      transition_steps: the length in steps, at least 0. If 0, the rate is `end_value` from step 0 on.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is not finite, or `transition_steps` is negative.
    """

    init_value: Number = number(shortcuts=(0.0,))
    end_value: Number = number(shortcuts=(0.0,))
    transition_steps: Number = number(at_least=0)

    @property
    def symmetric(self) -> bool:
        return True

    def weights(self: Any, elapsed: Any, left: Any) -> tuple[Any, Any]:
        return left, elapsed
