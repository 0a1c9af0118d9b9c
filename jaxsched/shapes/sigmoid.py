"""Hyperbolic curves: the tanh, the logistic function and the exponential relaxation."""

from __future__ import annotations

from typing import Any

from jaxsched import _wide as wide
from jaxsched._clock import Clock
from jaxsched._fields import Number, checked_number, field, is_concrete, number, show
from jaxsched._schedule import Schedule
from jaxsched._transition import Transition
from jaxsched._wide import Wide


class Tanh(Transition):
    r"""A window of the hyperbolic tangent, scaled so that both ends are reached.

    $$f(t) = w\,\text{init} + (1 - w)\,\text{end}, \quad
    w = \frac{\tanh U - \tanh((1 - p) L + p U)}{\tanh U - \tanh L}, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps`, $L$ is `lower` and $U$ is `upper`. Afterwards it stays at
    `end_value`. Source: Hsueh, Li and Wu, *Stochastic Gradient Descent with Hyperbolic-Tangent Decay on
    Classification*, arXiv:1806.01593, whose own form, $(1 - \tanh x)/2$, reaches neither end.

    | step               | 0   | 9        | 10 | 11 |
    |--------------------|-----|----------|----|----|
    | `Tanh(0.3, 0, 10)` | 0.3 | 0.004666 | 0  | 0  |

    Args:
      init_value: the rate at step 0.
      end_value: the rate from step `transition_steps` on.
      transition_steps: the length in steps, at least 0; 0 is at its end at once.
      lower: where the window begins, within 1,000,000 of 0.
      upper: where it ends, above `lower`.

    Raises:
      TypeError: an argument is no number.
      ValueError: an argument is outside of its range, or not finite.
    """

    init_value: Number = number()
    end_value: Number = number()
    transition_steps: Number = number(at_least=0)
    lower: Number = number(default=-7.0, at_least=-1e6, at_most=1e6)
    upper: Number = number(default=3.0, at_least=-1e6, at_most=1e6)

    def check(self: Any) -> None:
        if is_concrete(self.lower, self.upper) and not self.lower < self.upper:
            raise ValueError(f"`upper` must be above `lower` ({show(self.lower)}), got {show(self.upper)}.")

    def curve(self: Any, elapsed: Wide, left: Wide) -> Any:
        # tanh U - tanh x = sinh(U - x) / (cosh U cosh x), written with exponents that are not positive.
        width = self.upper - self.lower
        here = wide.absolute(left * self.lower + elapsed * self.upper)

        def weight(to_go: Wide, gone: Wide, bound: Wide) -> Wide:
            far = wide.absolute(bound)
            sinh = wide.expm1(width * to_go * -2.0) / wide.expm1(width * -2.0)
            cosh = (wide.exp(far * -2.0) + 1.0) / (wide.exp(here * -2.0) + 1.0)
            return wide.exp(far - here - width * gone) * sinh * cosh

        weights = weight(left, elapsed, self.lower), weight(elapsed, left, self.upper)
        return self.init_value * weights[0] + self.end_value * weights[1]


def _rate(name: str, value: Any) -> Any:
    return checked_number(name, checked_number(name, value, above=0, below=1), at_least=2.0**-126)


class Relaxation(Transition):
    r"""An exponential approach to the end, scaled so that it is reached.

    $$f(t) = w\,\text{init} + (1 - w)\,\text{end}, \quad
    w = \frac{r^p - r}{1 - r}, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps` and $r$ is `rate`. Afterwards it stays at `end_value`. It is the
    `exp` decay of timm's and, with $r = 1/2$, the exponential one of Megatron-LM's
    warmup-stable-decay schedules.

    | step                     | 0   | 9        | 10 | 11 |
    |--------------------------|-----|----------|----|----|
    | `Relaxation(0.3, 0, 10)` | 0.3 | 0.008631 | 0  | 0  |

    Args:
      init_value: the rate at step 0.
      end_value: the rate from step `transition_steps` on.
      transition_steps: the length in steps, at least 0; 0 is at its end at once.
      rate: what an unscaled exponential would have left at the end, above 0 and below 1, and a normal
        float32, at least 1.18e-38, as less than that is 0 for XLA.

    Raises:
      TypeError: an argument is no number.
      ValueError: an argument is outside of its range, or not finite.
    """

    init_value: Number = number()
    end_value: Number = number()
    transition_steps: Number = number(at_least=0)
    rate: Number = field(_rate, default=0.1, rank=0)

    def curve(self: Any, elapsed: Wide, left: Wide) -> Any:
        log_rate = wide.log(self.rate)
        whole = wide.expm1(log_rate)
        weight = wide.exp(elapsed * log_rate) * wide.expm1(left * log_rate) / whole
        return self.init_value * weight + self.end_value * (wide.expm1(elapsed * log_rate) / whole)


class Logistic(Schedule):
    r"""The logistic curve between two values that it never quite reaches.

    $$f(t) = \text{init} + \frac{\text{end} - \text{init}}{1 + e^{-(t - m)/\tau}}$$

    where $m$ is `midpoint` and $\tau$ is `timescale`. It goes on for ever, towards `end_value`. It is
    the `sigmoid` of Caffe and, with the ends exchanged, of Darknet.

    | step                         | 0      | 40     | 50  | 1000 |
    |------------------------------|--------|--------|-----|------|
    | `Logistic(0.3, 0.1, 50, 10)` | 0.2987 | 0.2462 | 0.2 | 0.1  |

    Args:
      init_value: the rate long before the midpoint; at step 0 it has moved from there already.
      end_value: the rate long after the midpoint.
      midpoint: the step of the mean of the two, of any sign.
      timescale: the number of steps in which the odds change by the factor e, above 0.

    Raises:
      TypeError: an argument is no number.
      ValueError: an argument is outside of its range, or not finite.
    """

    init_value: Number = number()
    end_value: Number = number()
    midpoint: Number = number()
    timescale: Number = number(above=0)

    def evaluate(self: Any, clock: Clock) -> Any:
        x = clock.ratio(self.timescale, self.midpoint)
        whole = wide.exp(-wide.absolute(x)) + 1.0
        before = wide.exp(-wide.maximum(x, 0.0)) / whole
        after = wide.exp(wide.minimum(x, 0.0)) / whole
        return self.init_value * before + self.end_value * after
