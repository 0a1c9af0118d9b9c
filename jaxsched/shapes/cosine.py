"""The half cosine."""

from __future__ import annotations

from typing import Any

from jaxsched import _wide as wide
from jaxsched._fields import Number, number
from jaxsched._transition import Transition
from jaxsched._wide import Wide


class Cosine(Transition):
    r"""Half a period of a cosine: flat at both ends.

    $$f(t) = w\,\text{init} + (1 - w)\,\text{end}, \quad
    w = \left(\frac{1 + \cos(\pi p^k)}{2}\right)^n, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps`, $n$ is `power` and $k$ is `warp`. Afterwards it stays at
    `end_value`. Source: Loshchilov and Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*,
    arXiv:1608.03983, one cycle of it; `power` is Optax's `exponent`, `warp` timm's `k_decay`.

    | step                    | 0   | 14      | 15   | 16   |
    |-------------------------|-----|---------|------|------|
    | `Cosine(0.3, 0.01, 15)` | 0.3 | 0.01317 | 0.01 | 0.01 |

    Args:
      init_value: the rate at step 0.
      end_value: the rate from step `transition_steps` on.
      transition_steps: the length in steps, at least 0; 0 is at its end at once.
      power: the exponent $n$ of the whole, from 0 to 1,000,000.
      warp: the exponent $k$ of the elapsed fraction, above 0 and at most 1,000,000. More than 1 stays
        longer at `init_value`.

    Raises:
      TypeError: an argument is no number.
      ValueError: an argument is outside of its range, or not finite.
    """

    init_value: Number = number()
    end_value: Number = number()
    transition_steps: Number = number(at_least=0)
    power: Number = number(default=1.0, at_least=0, at_most=1e6)
    warp: Number = number(default=1.0, above=0, at_most=1e6)

    def curve(self: Any, elapsed: Wide, left: Wide) -> Any:
        passed, remaining = wide.fraction_power(elapsed, left, self.warp)
        height, fallen = wide.half_cosine(passed, remaining)
        weight, rest = wide.fraction_power(height, fallen, self.power)
        return self.init_value * weight + self.end_value * rest
