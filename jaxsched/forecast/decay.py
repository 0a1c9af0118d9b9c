"""What the final weights remember of a run, and how an average of checkpoints imitates a decay."""

from __future__ import annotations

import dataclasses

import numpy as np

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.fields import Number, Numbers, as_numbers, checked_number, is_concrete, show
from jaxsched._core.schedule import ScheduleLike
from jaxsched._inspect.check import one_schedule, whole_steps
from jaxsched._inspect.timeline import boundaries
from jaxsched.forecast._rates import rates_of


@dataclasses.dataclass(frozen=True, eq=False)
class Memory:
    """The result of `memory`.

    Attributes:
      weights: the weight of each update in the final weights, float64, shape (steps,).
      initial: the fraction of the initial weights that is left.
      window: the mean age of the updates, in steps, weighted by `weights`; the last update has age 1. It is
        NaN if all rates are 0.
      warmup: the share of the warmup in the sum of `weights`, from 0 to 1.
      cooldown: the share of the cooldown.
    """

    weights: np.ndarray = dataclasses.field(repr=False)
    initial: float
    window: float
    warmup: float
    cooldown: float


def memory(schedule: ScheduleLike, weight_decay: Number, steps: int) -> Memory:
    r"""Which updates the final weights remember under the weight decay of AdamW.

    Update $t$ maps the weights to $\theta_{t+1} = (1 - \eta_t \lambda) \theta_t - \eta_t u_t$, where $\eta_t$
    is the rate, $\lambda$ is `weight_decay` and $u_t$ is the direction of Adam. So the final weights are

    $$\theta_T = \theta_0 \prod_{s=0}^{T-1} (1 - \eta_s \lambda) - \sum_{t=0}^{T-1} w_t u_t, \qquad
    w_t = \eta_t \prod_{s=t+1}^{T-1} (1 - \eta_s \lambda)$$

    where $T$ is `steps` and $w_t$ is the weight of update $t$. $\lambda \sum_t w_t$ and the fraction of the
    initial weights that is left sum to 1. At a constant rate the window of a long run is $1 / (\eta \lambda)$
    steps.

    The warmup is the stretch before the first boundary of the schedule, if the rate rises in it. The cooldown
    is the stretch after the last boundary, if the rate falls in it. Boundaries are those of `spans()`: the
    end of a `warmup`, the start of a `cooldown`, the steps between `knots`. A schedule without boundaries is
    one stretch.

    This is the decay of `optax.adamw` and `torch.optim.AdamW`, which multiply it by the rate.

    >>> import jaxsched as js
    >>> from jaxsched import forecast
    >>> schedule = js.warmup_stable_decay(0.001, 10_000, 500, 2_000)
    >>> found = forecast.memory(schedule, 0.1, 10_000)
    >>> [round(share, 3) for share in (found.initial, found.warmup, found.cooldown)]
    [0.417, 0.018, 0.163]

    Args:
      schedule: a schedule with no negative rate.
      weight_decay: the coefficient $\lambda$, at least 0.
      steps: the number of updates.

    Raises:
      TypeError: an argument is of the wrong type, or traced.
      ValueError: `schedule` is a stack, an argument is out of range, a rate is negative or not finite, or a
        rate times `weight_decay` is above 1.

    Source: Wang and Aitchison, "How to set AdamW's weight decay as you scale model and dataset size",
    arXiv:2405.13698; Bergsma et al., "Straight to Zero", arXiv:2502.15938, for rates that change.
    """
    plan, length = one_schedule(schedule), whole_steps("steps", steps)
    if not is_concrete(weight_decay):
        raise TypeError("`weight_decay` must be concrete, got a traced number.")
    coefficient = float(checked_number("weight_decay", weight_decay, at_least=0))
    rates = rates_of(plan, 0, length)
    for step in np.flatnonzero(rates * coefficient > 1)[:1]:
        raise ValueError(
            f"`weight_decay` must be at most 1 / {show(rates[step])}, the inverse of the rate at step "
            f"{step}, got {show(coefficient)}."
        )
    kept = np.cumprod(np.append(1.0, (1 - rates * coefficient)[::-1]))
    weights = rates * kept[-2::-1]
    total = weights.sum()
    shares = weights / total if total else weights
    age = float(shares @ np.arange(length, 0, -1.0)) if total else np.nan
    warm, cool = _phases(rates, boundaries(plan, length))
    return Memory(weights, float(kept[-1]), age, float(shares[:warm].sum()), float(shares[cool:].sum()))


def _phases(rates: np.ndarray, edges: tuple[int, ...]) -> tuple[int, int]:
    """The step at which the warmup ends, and that at which the cooldown begins."""
    first, last = (edges[0], edges[-1]) if edges else (len(rates), 0)
    rise, fall = np.diff(rates[: first + 1]), np.diff(rates[last:])
    return (
        first if (rise >= 0).all() and (rise > 0).any() else 0,
        last if (fall <= 0).all() and (fall < 0).any() else len(rates),
    )


def merge_weights(schedule: ScheduleLike, checkpoints: Numbers) -> np.ndarray:
    r"""Weights for averaging the checkpoints of a run at a constant rate, to imitate a decay.

    Checkpoint $j$ of $0, \dots, n$ is the weights after `checkpoints[j]` updates. Their average is

    $$\sum_{j=0}^{n} c_j \theta_j = \theta_0 + \sum_{j=1}^{n} w_j (\theta_j - \theta_{j-1}), \qquad
    c_0 = 1 - w_1, \quad c_j = w_j - w_{j+1}, \quad c_n = w_n$$

    so it scales the change between checkpoints $j - 1$ and $j$ by $w_j$. Here $w_j$ is the mean rate of the
    schedule between the two, divided by the constant rate: the schedule's rate at the last update before the
    first checkpoint. The schedule would do the same if its updates had the same directions. A linear decay to
    0 over evenly spaced checkpoints gives nearly equal weights.

    >>> import jaxsched as js
    >>> from jaxsched import forecast
    >>> forecast.merge_weights(js.cooldown(0.3, 800, 200), range(800, 1001, 50)).round(3)
    array([0.123, 0.25 , 0.25 , 0.25 , 0.128])

    Args:
      schedule: a schedule that does not rise after the first checkpoint, such as the end of
        `warmup_stable_decay`.
      checkpoints: the numbers of updates after which the checkpoints were saved, in ascending order.

    Returns:
      The weight of each checkpoint, at least 0, with sum 1: float64, shape (len(checkpoints),).

    Raises:
      TypeError: an argument is of the wrong type, or traced.
      ValueError: `schedule` is a stack, or a rate is negative or not finite; it rises, or its constant rate
        is 0; `checkpoints` is empty, or not of ascending whole numbers from 0 on.

    Source: Tian et al., "WSM: Decay-Free Learning Rate Schedule via Checkpoint Merging for LLM Pre-training",
    arXiv:2507.17634.
    """
    plan = one_schedule(schedule)
    if not is_concrete(checkpoints):
        raise TypeError("`checkpoints` must be concrete, got traced ones.")
    steps = np.asarray(as_numbers("checkpoints", checkpoints))
    if not len(steps):
        raise ValueError("`checkpoints` must have at least one number, got none.")
    for i in np.flatnonzero(~((steps >= 0) & (steps <= LAST_STEP) & (steps == np.floor(steps))))[:1]:
        raise ValueError(
            f"`checkpoints[{i}]` must be a whole number from 0 to {LAST_STEP}, got {show(steps[i])}."
        )
    for i in np.flatnonzero(np.diff(steps) <= 0)[:1]:
        raise ValueError(
            f"`checkpoints` must ascend, got {show(steps[i])} before {show(steps[i + 1])} at index {i}."
        )
    first = max(int(steps[0]) - 1, 0)
    rates = rates_of(plan, first, max(int(steps[-1]), first + 1))
    if rates[0] == 0:
        raise ValueError(
            f"`schedule` must have a constant rate above 0 before its decay, got 0 at step {first}."
        )
    for i in np.flatnonzero(np.diff(rates) > 1e-9 * rates[0])[:1]:
        raise ValueError(
            f"`schedule` must not rise after the first checkpoint, got {show(rates[i])} at step {first + i} "
            f"and {show(rates[i + 1])} at the next."
        )
    between = zip(steps[:-1].astype(int) - first, steps[1:].astype(int) - first, strict=True)
    scales = [rates[since:until].mean() / rates[0] for since, until in between]
    return np.maximum(-np.diff([1.0, *scales, 0.0]), 0.0)
