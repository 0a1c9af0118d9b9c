"""What convex theory guarantees at the end of a run."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsched._core.evaluate import batch_shape, compute
from jaxsched._core.fields import (
    LARGEST,
    Number,
    Numbers,
    as_numbers,
    check_range,
    checked_number,
    is_concrete,
    show,
)
from jaxsched._core.schedule import Schedule, ScheduleLike, as_schedule
from jaxsched._core.versions import outside_of_programs
from jaxsched._inspect.check import whole_steps
from jaxsched.forecast._rates import rates_of


class Curve(NamedTuple):
    """The bound along a run.

    Attributes:
      horizons: numbers of updates, int64, shape (n,).
      values: the bound after each of them, float64, shape (n,); of JAX's float dtype if traced.
    """

    horizons: np.ndarray
    values: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Bound:
    """The result of `bound`: a value and a pytree.

    The numbers are Python floats, or arrays of JAX's float dtype in a traced function.

    Attributes:
      value: the bound for the schedule as it is.
      best_multiplier: the factor on the schedule that gives the lowest bound.
      best_value: the bound with this factor.
      schedule: the schedule.
      gradient_norms: the norms of the gradients, a number or an array of shape (steps,).
      distance: the distance from the start to the solution.
      steps: the number of updates; static.
    """

    value: Any
    best_multiplier: Any
    best_value: Any
    schedule: Schedule = dataclasses.field(repr=False)
    gradient_norms: Any = dataclasses.field(repr=False)
    distance: Any = dataclasses.field(repr=False)
    steps: int = dataclasses.field(repr=False, metadata={"static": True})

    def curve(self, horizons: int | Numbers = 200) -> Curve:
        """The bound at several horizons of the run, each in time and memory proportional to `steps`.

        The bound at horizon $h$ is that of a run that is stopped after $h$ updates. It is infinite where the
        rate of the last of them is 0.

        Args:
          horizons: how many horizons, spread evenly up to `steps`, or a list of them: whole numbers from 1 to
            `steps`.

        Raises:
          TypeError: `horizons` is not a number or a list of numbers, or it is traced.
          ValueError: a horizon is not whole or out of range.
        """
        chosen = _horizons(horizons, self.steps)
        found = _bounds_at(chosen, self.schedule, self.steps, self.gradient_norms, self.distance)
        return Curve(chosen, found[0])


def bound(
    schedule: ScheduleLike,
    steps: int,
    *,
    gradient_norms: Number | Numbers = 1.0,
    distance: Number = 1.0,
) -> Bound:
    r"""A bound on the loss of the last iterate of a convex problem, for any schedule.

    $$\frac{D^2 + \sum_{t=1}^{T} \eta_t^2 G_t^2}{2 \sum_{t=1}^{T} \eta_t} + \frac{1}{2} \sum_{k=1}^{T-1}
    \frac{\eta_k}{\sum_{t=k+1}^{T} \eta_t} \cdot
    \frac{\sum_{t=k}^{T} \eta_t^2 G_t^2}{\sum_{t=k}^{T} \eta_t}$$

    where $T$ is `steps`, $D$ is `distance`, $G_t$ is an entry of `gradient_norms` and $\eta_t$ is the rate of
    the $t$-th update, `schedule(t - 1)`. It bounds the expected suboptimality of the iterate before update
    $T$ under the subgradient method, if the loss is convex and the expected squared norm of subgradient $t$
    is at most $G_t^2$. Neural networks are not convex, but their loss curves have a similar shape. A schedule
    multiplied by $c$ has the bound $a / c + b c$, where $a$ is the term with $D$ and $b$ is the rest. So the
    best multiplier is $\sqrt{a / b}$, and its bound is $2 \sqrt{a b}$.

    The last rate $\eta_T$ is part of the bound, so a run that decays to 0 must end before the 0:
    `Linear(0.3, 0, 1000)` is 0 at step 1000, the first step after `steps=1000`. If the last rate is 0, the
    bound is infinite, which is the limit of the formula, and its gradient is 0. First rates of 0, as in a
    warmup, are fine.

    The sums are computed from the end, in float64 and in time proportional to `steps`. In a traced function
    on a TPU they are float32, and `steps` and horizons above $2^{24}$ are rounded. You can differentiate the
    result with respect to the numbers of the schedule, `gradient_norms` and `distance`.

    >>> import jaxsched as js
    >>> from jaxsched import forecast
    >>> constant, linear = js.Constant(0.1), js.Linear(0.1, 0.0, 1000)
    >>> for schedule in (constant, linear):
    ...     print(f"{forecast.bound(schedule, 1000).best_value:.4f}")
    0.0921
    0.0634

    Args:
      schedule: a schedule with no negative rate.
      steps: the number of updates.
      gradient_norms: the norm of the gradient at each update, shape (steps,), or one number for all.
      distance: the distance from the start to the solution, in the unit of the parameters.

    Raises:
      TypeError: an argument is of the wrong type, or `steps` is traced.
      ValueError: `schedule` is a stack, an argument is out of range, `gradient_norms` is not of length
        `steps`, or a rate is negative or not finite.

    Source: Schaipp et al., "The Surprising Agreement Between Convex Optimization Theory and Learning-Rate
    Scheduling for Large Model Training", arXiv:2501.18965, theorem 1; it is theorem 10 of Defazio et al.,
    "Optimal Linear Decay Learning Rate Schedules and Further Refinements", arXiv:2310.07831.
    """
    length = whole_steps("steps", steps)
    if isinstance(schedule, Schedule) and (batch := batch_shape(schedule)):
        raise ValueError(f"`schedule` must be one schedule, got a stack of {batch[0]}; use `jax.vmap`.")
    plan = as_schedule("schedule", schedule)
    norms = _norms(gradient_norms, length)
    radius = checked_number("distance", distance, above=0)
    found = [each[0] for each in _bounds_at(np.array([length]), plan, length, norms, radius)]
    value, multiplier, best = found if any(isinstance(x, jax.Array) for x in found) else map(float, found)
    return Bound(value, multiplier, best, plan, norms, radius, length)


def _norms(norms: Any, steps: int) -> Any:
    """`gradient_norms` as a number or an array of shape (steps,)."""
    if isinstance(norms, list | tuple | range) or np.ndim(norms):
        kept = as_numbers("gradient_norms", norms)
        if len(kept) != steps:
            raise ValueError(f"`gradient_norms` must have {steps} entries, one a step, got {len(kept)}.")
        if is_concrete(kept):
            values = np.asarray(kept, np.float64)
            for i in np.flatnonzero(~((values >= 0) & (values <= LARGEST)))[:1]:
                check_range(f"gradient_norms[{i}]", values[i], at_least=0)
        return kept
    return checked_number("gradient_norms", norms, at_least=0)


def _horizons(horizons: Any, steps: int) -> np.ndarray:
    """The horizons of a curve, as int64."""
    if not is_concrete(horizons):
        raise TypeError("`horizons` must be concrete, got traced ones.")
    if not (isinstance(horizons, list | tuple | range) or np.ndim(horizons)):
        count = min(whole_steps("horizons", horizons), steps)
        return np.arange(1, count + 1) * steps // count
    chosen = np.asarray(as_numbers("horizons", horizons))
    if not len(chosen):
        raise ValueError("`horizons` must have at least one entry, got none.")
    for i in np.flatnonzero(~((chosen >= 1) & (chosen <= steps) & (chosen == np.floor(chosen))))[:1]:
        raise ValueError(f"`horizons[{i}]` must be a whole number from 1 to {steps}, got {show(chosen[i])}.")
    return chosen.astype(np.int64)


def _bounds_at(horizons: np.ndarray, schedule: Schedule, steps: int, norms: Any, distance: Any) -> list[Any]:
    """The bound at each horizon, the best multiplier and the bound with it, three arrays."""
    if not (outside_of_programs() and is_concrete(schedule, norms, distance)):
        return compute(_traced_bounds, schedule, np.arange(steps, dtype=np.int32), horizons, norms, distance)
    rates = np.flip(rates_of(schedule, 0, steps))
    energy = np.square(rates * np.flip(np.broadcast_to(np.asarray(norms, np.float64), steps)))
    found = [
        _bounds(np, rates[-end:], energy[-end:], rates[-end], float(distance)) for end in horizons.tolist()
    ]
    return list(np.array(found).T)


def _traced_bounds(rates: jax.Array, horizons: Any, norms: Any, distance: Any) -> list[jax.Array]:
    """The same in a traced function, for horizons one after the other."""
    steps = jnp.arange(rates.size)[::-1]
    energy = jnp.square(rates * norms)[::-1]
    rates = rates[::-1]

    @jax.checkpoint
    def at(horizon: jax.Array) -> tuple[jax.Array, ...]:
        rates_there, energy_there = (jnp.where(steps < horizon, each, 0) for each in (rates, energy))
        last = jnp.sum(jnp.where(steps == horizon - 1, rates, 0))
        return _bounds(jnp, rates_there, energy_there, last, distance)

    return list(lax.map(at, horizons))


def _bounds(xp: Any, rates: Any, energy: Any, last: Any, distance: Any) -> tuple[Any, Any, Any]:
    """The bound, the best multiplier and the bound with it.

    Args:
      xp: `numpy` or `jax.numpy`.
      rates: the rates from the last update to the first; before the last there may be zeros.
      energy: the squares of rate times norm, in the same order.
      last: the rate of the last update.
      distance: the distance from the start to the solution.
    """
    # Subtracting what is before from the total would lose the digits of small rates at the end.
    left, energy_left = xp.cumsum(rates), xp.cumsum(energy)
    moves = left > 0
    divisor = xp.where(moves, left, 1)
    terms = rates[1:] / divisor[:-1] * (energy_left[1:] / divisor[1:])
    infinite = (last == 0) & xp.any(~moves[:-1] & (energy[1:] > 0))
    noise = energy_left[-1] / (2 * divisor[-1]) + xp.sum(xp.where(moves[:-1], terms, 0)) / 2
    start = distance**2 / (2 * divisor[-1])
    # An infinity or the root of 0 would leave NaN in the gradient of the other results.
    noisy = noise > 0
    some = xp.where(noisy, noise, 1)
    multiplier = xp.where(noisy, xp.sqrt(start / some), xp.inf)
    best = xp.where(noisy, 2 * xp.sqrt(start * some), 0)
    unbounded = infinite | ~moves[-1]
    return (
        xp.where(unbounded, xp.inf, start + noise),
        xp.where(infinite, 0, multiplier),
        xp.where(unbounded, xp.inf, best),
    )
