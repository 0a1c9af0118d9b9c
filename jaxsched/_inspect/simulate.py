"""Simulates a plateau on recorded metrics."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.fields import Number, Numbers, as_numbers, describe, is_concrete
from jaxsched._core.schedule import ScheduleLike
from jaxsched._inspect.check import one_schedule, whole_steps
from jaxsched._inspect.tables import as_html, as_text
from jaxsched.plateau import PlateauState, Rule

ALIGN = ">" * 7 + "<"
"""All columns of a `Simulation` are numbers, but for the last, which names a change of the scale."""

LONGEST_TABLE = 24
"""The most observations that a `Simulation` prints: the first, the last and those around its changes."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Simulation:
    """The result of `simulate`: NumPy arrays of shape (n,), one entry per observation, and the cuts.

    It prints as a table, in a notebook as an HTML table.

    Attributes:
      step: the number of updates before the observation, int64; the next update is at this step.
      metric: the observed metric, float32.
      rate: the rate of the next update, `schedule(step) * scale`, float32 (float64 in JAX's x64 mode).
      scale: the factor after the observation, float32.
      bad_count: observations in a row without improvement, int32.
      cooldown_count: observations left of the cooldown, int32.
      best: the best metric so far, float32.
      reductions: the steps of the observations that cut the scale, a subset of `step`, int64.
    """

    step: np.ndarray
    metric: np.ndarray
    rate: np.ndarray
    scale: np.ndarray
    bad_count: np.ndarray
    cooldown_count: np.ndarray
    best: np.ndarray
    reductions: np.ndarray

    def __repr__(self) -> str:
        return as_text(self._rows(), ALIGN)

    def _repr_html_(self) -> str:
        return as_html(self._rows(), ALIGN)

    def _rows(self) -> list[list[str]]:
        changes = self._changes()
        rows = [["step", "metric", "rate", "scale", "bad", "cooldown", "best", ""]]
        shown = self._shown()
        for before, i in zip([-1, *shown], shown, strict=False):
            if i != before + 1:
                rows.append(["...", *[""] * 7])
            numbers = (self.metric[i], self.rate[i], self.scale[i])
            counts = (str(self.bad_count[i]), str(self.cooldown_count[i]))
            mark = changes.get(i, "")
            rows.append(
                [str(self.step[i]), *(f"{n:.4g}" for n in numbers), *counts, f"{self.best[i]:.4g}", mark]
            )
        return rows

    def _changes(self) -> dict[int, str]:
        """The observations that changed the scale, by index: "cut" or "raise"."""
        change = np.diff(self.scale, prepend=np.float32(1))
        return {i: "cut" if change[i] < 0 else "raise" for i in np.flatnonzero(change).tolist()}

    def _shown(self) -> list[int]:
        """The observations to print."""
        last = len(self.step) - 1
        if last < LONGEST_TABLE:
            return list(range(last + 1))
        near = [i for change in self._changes() for i in (change - 1, change) if 0 < i < last]
        return [*sorted({0, 1, *near})[: LONGEST_TABLE - 1], last]


def simulate(
    schedule: ScheduleLike, rule: Rule, metrics: Numbers, *, steps_per_observation: Number = 1
) -> Simulation:
    r"""Simulates a plateau on recorded metrics.

    There are $k$ = `steps_per_observation` updates between observations, such as the steps of an epoch.
    Observation $i$, of `metrics[i]`, is made at step $(i + 1) k$. Before the first one the scale is 1; after
    observation $i$ the rates are

    $$\text{schedule}(t) \cdot \text{scale}_i, \quad (i + 1) k \le t < (i + 2) k$$

    These are the rates of an optimizer with `scale_by_learning_rate` and `scale_by_plateau` whose rule
    observes the same metrics.

    >>> import jaxsched as js
    >>> rule = js.Plateau(factor=0.5, patience=1)
    >>> result = js.simulate(js.Linear(0.3, 0, 60), rule, [1.0, 0.8, 0.8, 0.8, 0.7], steps_per_observation=10)
    >>> result
    step  metric   rate  scale  bad  cooldown  best
      10       1   0.25      1    0         0     1
      20     0.8    0.2      1    0         0   0.8
      30     0.8   0.15      1    1         0   0.8
      40     0.8   0.05    0.5    0         0   0.8  cut
      50     0.7  0.025    0.5    0         0   0.7
    >>> result.reductions
    array([40])

    Args:
      schedule: the schedule that the plateau scales; a number is a constant.
      rule: a `Plateau`, or a plateau of `jaxsched.ports`.
      metrics: one number per observation, shape (n,), n at least 1. The rule decides what NaN means.
      steps_per_observation: updates from one observation to the next, a whole number of at least 1.

    Returns:
      The state of the rule and the rate after each observation, and the observations that cut.

    Raises:
      TypeError: an argument is of the wrong type, or traced.
      ValueError: `schedule` is a stack, `metrics` is empty, an argument is out of range, or the last
        observation is after step 2^31 - 1.
    """
    plan, every = one_schedule(schedule), whole_steps("steps_per_observation", steps_per_observation)
    if not isinstance(rule, Rule):
        raise TypeError(f"`rule` must be a `Plateau` or a plateau of `jaxsched.ports`, got {describe(rule)}.")
    if not is_concrete(rule, metrics):
        raise TypeError("`rule` and `metrics` must be concrete: call this outside of `jax.jit`.")
    values = np.asarray(as_numbers("metrics", metrics), np.float64)
    if not values.size:
        raise ValueError("`metrics` must have at least one number, got none.")
    if values.size * every > LAST_STEP:
        raise ValueError(
            f"`steps_per_observation` must be at most {LAST_STEP // values.size} for {values.size} metrics, "
            f"got {every}."
        )

    with np.errstate(over="ignore"):
        observed = values.astype(np.float32)
    steps = every * np.arange(1, values.size + 1)
    plateau = jax.tree.map(np.asarray, observe_all(rule, observed))
    before = np.concatenate([[np.float32(1)], plateau.scale[:-1]])
    return Simulation(
        step=steps,
        metric=observed,
        rate=np.asarray(plan(steps)) * plateau.scale,
        scale=plateau.scale,
        bad_count=plateau.bad_count,
        cooldown_count=plateau.cooldown_count,
        best=plateau.best,
        reductions=steps[plateau.scale < before],
    )


@jax.jit
def observe_all(rule: Rule, metrics: jax.Array) -> PlateauState:
    """The state of the plateau after each metric."""

    def observe(state: Any, metric: jax.Array) -> tuple[Any, PlateauState]:
        after = rule.observe(state, metric)
        return after, rule.plateau_of(after)

    return lax.scan(observe, rule.init(), jnp.asarray(metrics))[1]
