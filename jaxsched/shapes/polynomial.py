"""Polynomials and the square root."""

from __future__ import annotations

from typing import Any

from jaxsched._core.fields import Number, number
from jaxsched._core.powers import POWERS, fraction_power
from jaxsched._core.transition import Transition


class Polynomial(Transition):
    r"""A power of the remaining fraction.

    $$f(t) = w\,\text{init} + (1 - w)\,\text{end}, \quad w = (1 - p^k)^n, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps`, $n$ is `power` and $k$ is `warp`. Afterwards it stays at
    `end_value`.

    | step                                | 0   | 9       | 10 | 11 |
    |-------------------------------------|-----|---------|----|----|
    | `Polynomial(0.3, 0, 10, power=2)`   | 0.3 | 0.003   | 0  | 0  |
    | `Polynomial(0.3, 0, 10, 2, warp=2)` | 0.3 | 0.01083 | 0  | 0  |

    >>> import jaxsched as js
    >>> js.Polynomial(0.3, 0.0, 10, power=2)(5)
    Array(0.075, dtype=float32)

    Args:
      init_value: the rate at step 0.
      end_value: the rate from step `transition_steps` on.
      transition_steps: the length in steps, at least 0. If 0, the rate is `end_value` from step 0 on.
      power: the exponent $n$ of the remaining fraction, from 0 to 1,000,000. 1 is a straight line; larger
        powers fall faster at first.
      warp: the exponent $k$ of the elapsed fraction, above 0 and at most 1,000,000. If above 1,
        the rate stays near `init_value` for longer.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is out of range or not finite.
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
    r"""A decay with the square root of time: steep at first, then nearly straight.

    $$f(t) = (1 - \sqrt p)\,\text{init} + \sqrt p\,\text{end}, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps`. Afterwards it stays at `end_value`. It equals
    `Polynomial(..., warp=0.5)`. At step 0 the gradient with respect to the step is infinite, and given as 0.
    Source: Hägele et al., *Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations*,
    arXiv:2405.18392, who use it as a cooldown.

    | step                       | 0   | 9      | 10 | 11 |
    |----------------------------|-----|--------|----|----|
    | `OneMinusSqrt(0.3, 0, 10)` | 0.3 | 0.0154 | 0  | 0  |

    >>> import jaxsched as js
    >>> js.OneMinusSqrt(0.4, 0.0, 100)(25)
    Array(0.2, dtype=float32)

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

    def weights(self: Any, elapsed: Any, left: Any) -> tuple[Any, Any]:
        root, rest = fraction_power(elapsed, left, 0.5)
        return rest, root
