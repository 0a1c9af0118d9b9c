"""Polynomials, and the square root among them."""

from __future__ import annotations

from typing import Any

from jaxsched._core.fields import Number, number
from jaxsched._core.powers import POWERS, fraction_power
from jaxsched._core.transition import Transition


class Polynomial(Transition):
    r"""A polynomial of what is left.

    $$f(t) = w\,\text{init} + (1 - w)\,\text{end}, \quad w = (1 - p^k)^n, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps`, $n$ is `power` and $k$ is `warp`. Afterwards it stays at
    `end_value`.

    | step                                | 0   | 9       | 10 | 11 |
    |-------------------------------------|-----|---------|----|----|
    | `Polynomial(0.3, 0, 10, power=2)`   | 0.3 | 0.003   | 0  | 0  |
    | `Polynomial(0.3, 0, 10, 2, warp=2)` | 0.3 | 0.01083 | 0  | 0  |

    Args:
      init_value: the rate at step 0.
      end_value: the rate from step `transition_steps` on.
      transition_steps: the length in steps, at least 0; 0 is at its end at once.
      power: the exponent $n$ of what is left, from 0 to 1,000,000. 1 is a straight line; more falls
        faster at first.
      warp: the exponent $k$ of the elapsed fraction, above 0 and at most 1,000,000. More than 1 stays
        longer at `init_value`.

    Raises:
      TypeError: an argument is no number.
      ValueError: an argument is outside of its range, or not finite.
    """

    init_value: Number = number(shortcuts=(0.0,))
    end_value: Number = number(shortcuts=(0.0,))
    transition_steps: Number = number(at_least=0)
    power: Number = number(default=1.0, shortcuts=POWERS, at_least=0, at_most=1e6)
    warp: Number = number(default=1.0, shortcuts=POWERS, above=0, at_most=1e6)

    def weights(self: Any, elapsed: Any, left: Any) -> tuple[Any, Any]:
        passed, remaining = fraction_power(elapsed, left, self.warp)
        return fraction_power(remaining, passed, self.power)


class OneMinusSqrt(Transition):
    r"""A decay by the square root of time: steep at first, then nearly straight.

    $$f(t) = (1 - \sqrt p)\,\text{init} + \sqrt p\,\text{end}, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps`: `Polynomial(..., warp=0.5)`. Afterwards it stays at `end_value`.
    The gradient with respect to the clock is infinite at step 0 and reported as 0 there. Source: Hägele
    et al., *Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations*,
    arXiv:2405.18392, as a cooldown.

    | step                       | 0   | 9      | 10 | 11 |
    |----------------------------|-----|--------|----|----|
    | `OneMinusSqrt(0.3, 0, 10)` | 0.3 | 0.0154 | 0  | 0  |

    Args:
      init_value: the rate at step 0.
      end_value: the rate from step `transition_steps` on.
      transition_steps: the length in steps, at least 0; 0 is at its end at once.

    Raises:
      TypeError: an argument is no number.
      ValueError: an argument is not finite, or `transition_steps` is negative.
    """

    init_value: Number = number(shortcuts=(0.0,))
    end_value: Number = number(shortcuts=(0.0,))
    transition_steps: Number = number(at_least=0)

    def weights(self: Any, elapsed: Any, left: Any) -> tuple[Any, Any]:
        root, rest = fraction_power(elapsed, left, 0.5)
        return rest, root
