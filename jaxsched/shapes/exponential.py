"""Exponential curves: straight lines on a logarithmic scale."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from jaxsched._core.clock import FOREVER, Clock
from jaxsched._core.fields import Number, is_concrete, number, show
from jaxsched._core.lookup import as_array, safe_divide
from jaxsched._core.powers import LOG_LARGEST, log
from jaxsched._core.schedule import Schedule, largest
from jaxsched._core.transition import Transition


class Geometric(Transition):
    r"""A geometric interpolation between two values: a straight line on a logarithmic scale.

    $$f(t) = \text{init}^{1 - p}\,\text{end}^{p}, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps`. Afterwards it stays at `end_value`. If both values are
    negative, their absolute values are interpolated and the result is negated.

    | step                         | 0   | 9         | 10     | 11     |
    |------------------------------|-----|-----------|--------|--------|
    | `Geometric(0.3, 0.0003, 10)` | 0.3 | 0.0005986 | 0.0003 | 0.0003 |

    >>> import jaxsched as js
    >>> js.Geometric(0.1, 0.001, 10)(5)
    Array(0.01, dtype=float32)

    Args:
      init_value: the rate at step 0. Its absolute value is at least 1.18e-38, the smallest normal float32.
      end_value: the rate from step `transition_steps` on, with the same limit and the sign of `init_value`.
      transition_steps: the length in steps, at least 0. If 0, the rate is `end_value` from step 0 on.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is not finite, `transition_steps` is negative, an end is 0, or the ends have
        opposite signs.
    """

    init_value: Number = number()
    end_value: Number = number()
    transition_steps: Number = number(at_least=0)

    def check(self: Any) -> None:
        for name in ("init_value", "end_value"):
            value = getattr(self, name)
            if is_concrete(value) and abs(value) < 2.0**-126:
                tiny = "" if value == 0 else ", which XLA flushes to 0"
                raise ValueError(f"`{name}` must not be 0 on a geometric path, got {show(value)}{tiny}.")
        if is_concrete(self.init_value, self.end_value) and (self.init_value > 0) != (self.end_value > 0):
            raise ValueError(
                f"`end_value` must have the same sign as `init_value` ({show(self.init_value)}), "
                f"got {show(self.end_value)}."
            )

    def weights(self: Any, elapsed: Any, left: Any) -> tuple[Any, Any]:
        return left, elapsed  # of the logarithms

    def on_the_way(self: Any, passed: Clock, remaining: Clock) -> Any:
        # In two factors, because the ratio of the ends may overflow float32.
        log_ratio = log(abs(self.end_value)) - log(abs(self.init_value))
        slope = safe_divide(log_ratio / 2, self.transition_steps)
        if isinstance(slope, float):
            slope = max(-FOREVER, min(slope, FOREVER))
        root = jnp.exp(passed.number * slope)
        return self.init_value * root * root


class Exponential(Schedule):
    r"""Exponential decay or growth by a constant factor every `transition_steps`.

    $$f(t) = \text{init} \cdot r^{t / S}$$

    where $r$ is `decay_rate` and $S$ is `transition_steps`. It has no end; growth stops before it
    overflows float32.

    As an argument of a `jit`-compiled function, its numbers are rounded to float32. A `decay_rate` near 1 is
    then ill-conditioned: `Exponential(0.1, 0.9999)` is off by 0.5 % at step 300,000. Use a decay over many
    steps instead, such as `Exponential(0.1, 0.5, half_life)`.

    | step                       | 0   | 1       | 2     | 3       |
    |----------------------------|-----|---------|-------|---------|
    | `Exponential(0.1, 0.5)`    | 0.1 | 0.05    | 0.025 | 0.0125  |
    | `Exponential(0.1, 0.5, 2)` | 0.1 | 0.07071 | 0.05  | 0.03536 |

    >>> import jaxsched as js
    >>> js.Exponential(0.1, 0.5, 1000)(2000)
    Array(0.025, dtype=float32)

    Args:
      init_value: the rate at step 0.
      decay_rate: the factor, at least 0. If above 1, the rate grows.
      transition_steps: the number of steps per factor, above 0.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is out of range or not finite.
    """

    init_value: Number = number()
    decay_rate: Number = number(at_least=0)
    transition_steps: Number = number(default=1.0, above=0)

    def peak(self) -> float:
        return largest(self.init_value)

    def evaluate(self: Any, t: Clock) -> Any:
        log_rate = log(self.decay_rate)
        if isinstance(log_rate, float) and isinstance(self.transition_steps, float):
            exponent = t.number * max(-FOREVER, min(log_rate / self.transition_steps, FOREVER))
        else:
            exponent = t.ratio(self.transition_steps) * log_rate
        if isinstance(self.decay_rate, float) and self.decay_rate <= 1:
            return self.init_value * jnp.exp(exponent)
        # Two roots, because the factor may overflow; the rate stops at the end of float32.
        limit = jnp.minimum(LOG_LARGEST - log(abs(self.init_value)), 2 * LOG_LARGEST)
        root = jnp.exp(jnp.where(exponent < limit, exponent, 0) / 2)
        last = jnp.sign(as_array(self.init_value, t.dtype)) * math.exp(LOG_LARGEST)
        return jnp.where(exponent < limit, self.init_value * root * root, last)
