"""Accurate logarithms and powers.

Their gradients are finite, even at 0. The logarithm of a known number is computed on the host in float64, and
a known small exponent becomes a product or a root.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsched._core.fields import is_known
from jaxsched._core.lookup import Entry

POWERS = (0.5, 2.0, 3.0)
"""The exponents, besides 1, that become products or a root."""

LOG_LARGEST = 88.7
"""Just below the logarithm of the largest float32."""

LOG_OF_ZERO = -1e30
"""Stands in for the logarithm of 0: its exponential is 0, and 0 times it is 0."""


def log(x: Any) -> Any:
    """The natural logarithm of `x >= 0`, with a finite gradient."""
    if isinstance(x, float):
        return math.log(x) if x > 0 else LOG_OF_ZERO
    if isinstance(x, Entry):
        return x.map(
            lambda values: np.where(values > 0, np.log(np.where(values > 0, values, 1)), LOG_OF_ZERO)
        )
    return jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1)), LOG_OF_ZERO)


def fraction_power(x: Any, rest: Any, exponent: Any) -> tuple[Any, Any]:
    """`x ** exponent` and `1 - x ** exponent` for `x` in [0, 1], given `rest = 1 - x`.

    Neither cancels, `0 ** 0` is 1, and the gradients are finite, even at 0.
    """
    if is_known(exponent, 1.0):
        return x, rest
    if is_known(exponent, 2.0):
        return x * x, rest * (1 + x)
    if is_known(exponent, 3.0):
        return x * x * x, rest * (1 + x + x * x)
    some = x > 0
    if is_known(exponent, 0.5):
        root = jnp.where(some, jnp.sqrt(jnp.where(some, x, 1)), 0)
        return root, rest / (1 + root)
    # Near 1, compute the logarithm from `1 - x`.
    near = x > 0.5
    logarithm = jnp.where(near, jnp.log1p(-jnp.where(near, rest, 0)), jnp.log(jnp.where(some & ~near, x, 1)))
    grown = exponent * logarithm
    at_zero = float(exponent == 0) if isinstance(exponent, float) else jnp.where(exponent == 0, 1.0, 0.0)
    return jnp.where(some, jnp.exp(grown), at_zero), jnp.where(some, -jnp.expm1(grown), 1 - at_zero)
