"""The hyperbolic tangent, the logistic function and exponential relaxation."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsched._core.clock import Clock
from jaxsched._core.fields import Number, checked_number, field, is_concrete, number, show
from jaxsched._core.powers import log
from jaxsched._core.schedule import Schedule, largest
from jaxsched._core.transition import Transition, weighted_mean


class Tanh(Transition):
    r"""A segment of the hyperbolic tangent, scaled to reach both ends.

    $$f(t) = w\,\text{init} + (1 - w)\,\text{end}, \quad
    w = \frac{\tanh U - \tanh((1 - p) L + p U)}{\tanh U - \tanh L}, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps`, $L$ is `lower` and $U$ is `upper`. Afterwards it stays at `end_value`.
    Source: Hsueh, Li and Wu, *Stochastic Gradient Descent with Hyperbolic-Tangent Decay on Classification*,
    arXiv:1806.01593. The paper's form, $(1 - \tanh x)/2$, reaches neither end.

    | step               | 0   | 9        | 10 | 11 |
    |--------------------|-----|----------|----|----|
    | `Tanh(0.3, 0, 10)` | 0.3 | 0.004666 | 0  | 0  |

    >>> import jaxsched as js
    >>> js.Tanh(0.3, 0.0, 10)(7)
    Array(0.14962831, dtype=float32)

    Args:
      init_value: the rate at step 0.
      end_value: the rate from step `transition_steps` on.
      transition_steps: the length in steps, at least 0. If 0, the rate is `end_value` from step 0 on.
      lower: the start of the segment, from -1,000,000 to 1,000,000.
      upper: the end of the segment, above `lower` and at most 1,000,000.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is out of range or not finite.
    """

    init_value: Number = number(shortcuts=(0.0,))
    end_value: Number = number(shortcuts=(0.0,))
    transition_steps: Number = number(at_least=0)
    lower: Number = number(default=-7.0, at_least=-1e6, at_most=1e6)
    upper: Number = number(default=3.0, at_least=-1e6, at_most=1e6)

    def check(self: Any) -> None:
        if is_concrete(self.lower, self.upper) and not np.float32(self.lower) < np.float32(self.upper):
            raise ValueError(f"`upper` must be above `lower` ({show(self.lower)}), got {show(self.upper)}.")

    def weights(self: Any, elapsed: Any, left: Any) -> tuple[Any, Any]:
        # tanh U - tanh x = sinh(U - x) / (cosh U cosh x), written with exponents of at most 0.
        low, up = self.lower, self.upper
        x = left * low + elapsed * up
        cosh = 1 + jnp.exp(-2 * abs(x))

        def weight(to_go: Any, exponent: Any, bound: Any) -> Any:
            sinh = jnp.expm1(2 * (low - up) * to_go) / jnp.expm1(2 * (low - up))
            return jnp.exp(2 * exponent) * sinh * (1 + jnp.exp(-2 * abs(bound))) / cosh

        start = weight(left, jnp.maximum(low, 0) - jnp.maximum(x, 0), low)
        return start, weight(elapsed, jnp.minimum(x, 0) - jnp.minimum(up, 0), up)


def _rate(name: str, value: Any) -> Any:
    kept = checked_number(name, value, above=0, below=1)
    return checked_number(name, kept, at_least=2.0**-126, at_most=1 - 2.0**-24)


class Relaxation(Transition):
    r"""An exponential approach to the end, scaled to reach it.

    $$f(t) = w\,\text{init} + (1 - w)\,\text{end}, \quad
    w = \frac{r^p - r}{1 - r}, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps` and $r$ is `rate`. Afterwards it stays at `end_value`. It is the `exp`
    decay of timm's warmup-stable-decay schedule and, with $r = 1/2$, the exponential decay of Megatron-LM's.

    | step                     | 0   | 9        | 10 | 11 |
    |--------------------------|-----|----------|----|----|
    | `Relaxation(0.3, 0, 10)` | 0.3 | 0.008631 | 0  | 0  |

    >>> import jaxsched as js
    >>> js.Relaxation(0.33, 0.0, 10, rate=0.1)(5)
    Array(0.07928351, dtype=float32)

    Args:
      init_value: the rate at step 0.
      end_value: the rate from step `transition_steps` on.
      transition_steps: the length in steps, at least 0. If 0, the rate is `end_value` from step 0 on.
      rate: the fraction that remains at the end of an unscaled exponential, from 1.18e-38 to 0.99999994:
        between 0 and 1 in float32, where XLA flushes smaller numbers to 0.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is out of range or not finite.
    """

    init_value: Number = number(shortcuts=(0.0,))
    end_value: Number = number(shortcuts=(0.0,))
    transition_steps: Number = number(at_least=0)
    rate: Number = field(_rate, default=0.1, rank=0)

    def weights(self: Any, elapsed: Any, left: Any) -> tuple[Any, Any]:
        log_rate, whole = log(self.rate), self.rate - 1
        start = jnp.exp(elapsed * log_rate) * jnp.expm1(left * log_rate) / whole
        return start, jnp.expm1(elapsed * log_rate) / whole


class Logistic(Schedule):
    r"""A logistic curve between two values that it only approaches.

    $$f(t) = \text{init} + \frac{\text{end} - \text{init}}{1 + e^{-(t - m)/\tau}}$$

    where $m$ is `midpoint` and $\tau$ is `timescale`. It has no end and tends to `end_value`. It is the
    `sigmoid` policy of Caffe and, with the ends exchanged, of Darknet.

    | step                         | 0      | 40     | 50  | 1000 |
    |------------------------------|--------|--------|-----|------|
    | `Logistic(0.3, 0.1, 50, 10)` | 0.2987 | 0.2462 | 0.2 | 0.1  |

    >>> import jaxsched as js
    >>> js.Logistic(0.3, 0.1, 50, 10)(50)
    Array(0.2, dtype=float32)

    Args:
      init_value: the rate long before the midpoint. The rate at step 0 already differs from it.
      end_value: the rate long after the midpoint.
      midpoint: the step halfway between the two values; it may be negative.
      timescale: the number of steps $\tau$, above 0. A smaller one makes the curve steeper.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is out of range or not finite.
    """

    init_value: Number = number(shortcuts=(0.0,))
    end_value: Number = number(shortcuts=(0.0,))
    midpoint: Number = number()
    timescale: Number = number(above=0)

    def peak(self) -> float:
        return largest(self.init_value, self.end_value)

    def evaluate(self: Any, t: Clock) -> Any:
        x = (t - self.midpoint).ratio(self.timescale)
        whole = 1 + jnp.exp(-abs(x))
        before, after = jnp.exp(-jnp.maximum(x, 0)) / whole, jnp.exp(jnp.minimum(x, 0)) / whole
        return weighted_mean(self.init_value, self.end_value, before, after)
