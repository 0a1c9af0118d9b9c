"""Quotients of straight lines."""

from __future__ import annotations

from typing import Any

from jaxsched import _wide as wide
from jaxsched._clock import Clock
from jaxsched._fields import Number, number
from jaxsched._schedule import Schedule
from jaxsched._transition import Transition
from jaxsched._wide import Wide


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

    Args:
      init_value: the rate at step 0.
      end_value: the rate from step `transition_steps` on.
      transition_steps: the length in steps, at least 0; 0 is at its end at once.
      beta: the bend, above 0 and at most 1,000,000: 1 is a straight line, less stays high for longer.

    Raises:
      TypeError: an argument is no number.
      ValueError: an argument is outside of its range, or not finite.
    """

    init_value: Number = number()
    end_value: Number = number()
    transition_steps: Number = number(at_least=0)
    beta: Number = number(default=0.5, above=0, at_most=1e6)

    def curve(self: Any, elapsed: Wide, left: Wide) -> Any:
        part = self.beta * elapsed
        whole = part + left
        return self.init_value * (left / whole) + self.end_value * (part / whole)


class InversePower(Schedule):
    r"""A power of time: the inverse square root and its relatives, for ever.

    $$f(t) = \text{init} \left(1 + \frac{t}{\tau}\right)^{-n}$$

    where $\tau$ is `timescale` and $n$ is `power`: 0.5 is the inverse square root, 1 the inverse time
    decay. It goes on for ever, towards 0.

    | step                         | 0   | 10     | 30   | 990  |
    |------------------------------|-----|--------|------|------|
    | `InversePower(0.3, 10, 0.5)` | 0.3 | 0.2121 | 0.15 | 0.03 |

    Args:
      init_value: the rate at step 0.
      timescale: the number of steps after which the base has doubled, above 0.
      power: the exponent, from 0 to 1,000,000.

    Raises:
      TypeError: an argument is no number.
      ValueError: an argument is outside of its range, or not finite.
    """

    init_value: Number = number()
    timescale: Number = number(above=0)
    power: Number = number(at_least=0, at_most=1e6)

    def evaluate(self: Any, clock: Clock) -> Any:
        return self.init_value * wide.power(clock.ratio(self.timescale) + 1.0, -self.power)
