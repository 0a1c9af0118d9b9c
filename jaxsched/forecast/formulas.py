"""The formulas of the loss laws, and their derivatives with respect to the logarithms of their constants.

In here the annealing law's constant `decay` is `-log(lambda)`: a number above 0, as all others are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsched.forecast.runs import Changes


@dataclasses.dataclass(frozen=True)
class Formula:
    """A law of the loss.

    Attributes:
      names: the names of its constants.
      loss: `loss(constants, changes)` gives the losses, shape (n,), and their derivatives with respect to the
        logarithms of the constants, shape (n, number of constants).
      starts: where a fit starts: `starts(first, last, total, peak)`, with the highest and the lowest loss,
        the largest sum of rates and the largest rate.
      lowest: the lower bounds of the constants that have no unit, by name.
      highest: their upper bounds.
    """

    names: tuple[str, ...]
    loss: Callable[[np.ndarray, Changes], tuple[np.ndarray, np.ndarray]]
    starts: Callable[[float, float, float, float], list[list[float]]]
    lowest: dict[str, float]
    highest: dict[str, float]


def _multi_power(constants: np.ndarray, at: Changes) -> tuple[np.ndarray, np.ndarray]:
    l0, a, alpha, b, c, beta, gamma = constants
    power = a * at.total**-alpha
    reach = c * at.level**-gamma * at.distance
    logarithm = np.log1p(reach)
    rest = np.exp(-beta * logarithm)
    slope = beta * rest * reach / (1 + reach)
    drops = b * ((1 - rest) @ at.change)
    derivatives = [
        np.full_like(power, l0),
        power,
        -alpha * np.log(at.total) * power,
        drops,
        b * (slope @ at.change),
        b * beta * ((rest * logarithm) @ at.change),
        -b * gamma * (slope @ (at.change * np.log(at.level))),
    ]
    return l0 + power + drops, np.stack(derivatives, axis=1)


def _annealing(constants: np.ndarray, at: Changes) -> tuple[np.ndarray, np.ndarray]:
    l0, a, alpha, c, forgetting = constants
    power = a * at.total**-alpha
    new = -np.expm1(-forgetting)
    left = np.exp(-forgetting * at.age)
    sums = (1 - left) / new
    slope = (at.age * left - sums * (1 - new)) / new
    drops = c * (sums @ at.change)
    derivatives = [
        np.full_like(power, l0),
        power,
        -alpha * np.log(at.total) * power,
        drops,
        c * forgetting * (slope @ at.change),
    ]
    return l0 + power + drops, np.stack(derivatives, axis=1)


def _multi_power_starts(first: float, last: float, total: float, peak: float) -> list[list[float]]:
    # The rate's fall from its peak lowers the loss by a few percent, and most of that comes soon.
    a = 0.5 * (first - 0.9 * last) * total**0.5
    shapes = [
        (1.0, 2000.0, 0.6, 0.65),
        (1.0, 100.0, 0.3, 0.4),
        (2.0, 100.0, 1.0, 0.5),
        (0.5, 10000.0, 0.3, 0.9),
    ]
    return [
        [0.9 * last, a, 0.5, share * 0.03 * last / peak, reach * peak**gamma / total, beta, gamma]
        for share, reach, beta, gamma in shapes
    ]


def _annealing_starts(first: float, last: float, total: float, peak: float) -> list[list[float]]:
    a = 0.5 * (first - 0.9 * last) * total**0.5
    return [[0.9 * last, a, 0.5, 0.03 * last * each / peak, each] for each in (0.01, 0.001, 0.0003)]


FORMULAS = {
    "multi-power": Formula(
        ("L0", "A", "alpha", "B", "C", "beta", "gamma"),
        _multi_power,
        _multi_power_starts,
        {"alpha": 0.02, "beta": 0.02, "gamma": 0.01},
        # Above 1, a rate that falls to 0 would have all of its effect in its last step.
        {"alpha": 3.0, "beta": 20.0, "gamma": 1.0},
    ),
    "annealing": Formula(
        ("L0", "A", "alpha", "C", "decay"),
        _annealing,
        _annealing_starts,
        {"alpha": 0.02, "decay": 1e-5},
        {"alpha": 3.0, "decay": 1.0},
    ),
}
"""The laws by name."""


def _traced_multi_power(rates: jax.Array, constants: Any) -> list[jax.Array]:
    """The loss after the last of the rates; see `LossLaw`."""
    l0, a, alpha, b, c, beta, gamma = constants
    change, level, left, total = _falls(rates)
    # The power of a rate of 0 would leave NaN in the gradient.
    moves = level > 0
    reach = c * jnp.where(moves, level, 1) ** -gamma * left
    limit = jnp.where(left > 0, 1.0, 0.0).astype(rates.dtype)
    shares = jnp.where(moves, -jnp.expm1(-beta * jnp.log1p(reach)), limit)
    return [l0 + a * total**-alpha + b * jnp.sum(change * shares)]


def _traced_annealing(rates: jax.Array, constants: Any) -> list[jax.Array]:
    """Likewise."""
    l0, a, alpha, c, forgetting = constants
    change, _, _, total = _falls(rates)
    ages = jnp.arange(len(change), 0, -1).astype(rates.dtype)
    sums = jnp.expm1(-forgetting * ages) / jnp.expm1(-forgetting)
    return [l0 + a * total**-alpha + c * jnp.sum(change * sums)]


def _falls(rates: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Each change of the rate, the rate after it, the sum of the rates from there on, and that of all."""
    left = jnp.cumsum(rates[::-1])[::-1]
    return rates[1:] - rates[:-1], rates[1:], left[1:], left[0]


TRACED = {"multi-power": _traced_multi_power, "annealing": _traced_annealing}
"""The loss after the last of some rates, in a traced function: `TRACED[law](rates, constants)`."""
