"""The half cosine."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxsched._core.fields import Number, is_known, number
from jaxsched._core.powers import POWERS, fraction_power
from jaxsched._core.transition import Transition


class Cosine(Transition):
    r"""Half a period of a cosine: flat at both ends.

    $$f(t) = w\,\text{init} + (1 - w)\,\text{end}, \quad
    w = \left(\frac{1 + \cos(\pi p^k)}{2}\right)^n, \quad p = \min(t / T, 1)$$

    where $T$ is `transition_steps`, $n$ is `power` and $k$ is `warp`. Afterwards it stays at
    `end_value`. Source: Loshchilov and Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*,
    arXiv:1608.03983 (one cycle). `power` is Optax's `exponent`, and `warp` is timm's `k_decay`.

    | step                    | 0   | 14      | 15   | 16   |
    |-------------------------|-----|---------|------|------|
    | `Cosine(0.3, 0.01, 15)` | 0.3 | 0.01317 | 0.01 | 0.01 |

    >>> import jaxsched as js
    >>> js.Cosine(0.3, 0.0, 1000)(500)
    Array(0.15, dtype=float32)

    Args:
      init_value: the rate at step 0.
      end_value: the rate from step `transition_steps` on.
      transition_steps: the length in steps, at least 0. If 0, the rate is `end_value` from step 0 on.
      power: the exponent $n$ of the cosine, from 0 to 1,000,000.
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

    @property
    def symmetric(self) -> bool:
        return is_known(self.power, 1.0) and is_known(self.warp, 1.0)

    def weights(self: Any, elapsed: Any, left: Any) -> tuple[Any, Any]:
        passed, remaining = fraction_power(elapsed, left, self.warp)
        height = jnp.sin(jnp.pi / 2 * remaining) ** 2
        fallen = jnp.sin(jnp.pi / 2 * passed) ** 2
        return fraction_power(height, fallen, self.power)
