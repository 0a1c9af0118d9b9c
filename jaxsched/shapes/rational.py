"""Rational functions of time, and their powers."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxsched._core.clock import Clock
from jaxsched._core.fields import Number, is_known, number
from jaxsched._core.schedule import Schedule, largest
from jaxsched._core.transition import Transition


class Rex(Transition):
    r"""The reflected exponential: slow at first, fast at the end.

    $$f(t) = w\,\text{init} + (1 - w)\,\text{end}, \quad
    w = \frac{1 - p}{\beta + (1 - \beta)(1 - p)}, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps`. Afterwards it stays at `end_value`. Source: Chen, Wolfe and
    Kyrillidis, *REX: Revisiting Budgeted Training with an Improved Schedule*, arXiv:2107.04197, with
    $\beta = 1/2$.

    | step              | 0   | 9       | 10 | 11 |
    |-------------------|-----|---------|----|----|
    | `Rex(0.3, 0, 10)` | 0.3 | 0.05455 | 0  | 0  |

    >>> import jaxsched as js
    >>> js.Rex(0.3, 0.0, 10)(5)
    Array(0.2, dtype=float32)

    Args:
      init_value: the rate at step 0.
      end_value: the rate from step `transition_steps` on.
      transition_steps: the length in steps, at least 0. If 0, the rate is `end_value` from step 0 on.
      beta: the curvature, above 0 and at most 1,000,000. 1 is a straight line; with smaller values the rate
        stays near `init_value` for longer.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is out of range or not finite.
    """

    init_value: Number = number(shortcuts=(0.0,))
    end_value: Number = number(shortcuts=(0.0,))
    transition_steps: Number = number(at_least=0)
    beta: Number = number(default=0.5, above=0, at_most=1e6)

    def weights(self: Any, elapsed: Any, left: Any) -> tuple[Any, Any]:
        part = self.beta * elapsed
        whole = part + left
        whole = jnp.where(whole > 0, whole, 1)  # Both are 0 for a length of 0.
        return left / whole, part / whole


class InversePower(Schedule):
    r"""Decay with an inverse power of time, such as the inverse square root.

    $$f(t) = \text{init} \left(1 + \frac{t}{\tau}\right)^{-n}$$

    where $\tau$ is `timescale` and $n$ is `power`. It has no end and tends to 0. A power of 0.5 is inverse
    square root decay, and 1 is inverse time decay.

    | step                         | 0   | 10     | 30   | 990  |
    |------------------------------|-----|--------|------|------|
    | `InversePower(0.3, 10, 0.5)` | 0.3 | 0.2121 | 0.15 | 0.03 |

    >>> import jaxsched as js
    >>> js.InversePower(0.3, 10, 0.5)(30)
    Array(0.15, dtype=float32)

    Args:
      init_value: the rate at step 0.
      timescale: the step at which $1 + t / \tau$ is 2, above 0.
      power: the exponent $n$, from 0 to 1,000,000.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is out of range or not finite.
    """

    init_value: Number = number()
    timescale: Number = number(above=0)
    power: Number = number(shortcuts=(0.5, 1.0), at_least=0, at_most=1e6)

    def peak(self) -> float:
        return largest(self.init_value)

    def evaluate(self: Any, t: Clock) -> Any:
        x = t.ratio(self.timescale)
        if is_known(self.power, 0.5):
            return self.init_value * lax.rsqrt(1 + x)
        if is_known(self.power, 1.0):
            return self.init_value / (1 + x)
        return self.init_value * jnp.exp(-self.power * jnp.log1p(x))
