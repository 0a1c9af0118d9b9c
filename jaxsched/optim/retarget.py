"""Switches from one schedule to another in the middle of a run."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.fields import Number, checked_number, describe, is_concrete, number, show
from jaxsched._core.schedule import Schedule, ScheduleLike, as_schedule
from jaxsched._core.value import Value
from jaxsched._core.versions import enable_x64
from jaxsched.combinators.clocks import shift
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import warmup


class Policy(Value, abc.ABC, abstract=True):
    """How `retarget` continues with the new schedule."""

    @abc.abstractmethod
    def onwards(self, new: Schedule, step: float, rate: float) -> Schedule:
        """The schedule from `step` on, on a clock that is 0 there; `rate` is the old rate at `step`."""


class HoldToPlan(Policy):
    r"""Follows the new schedule at once: $f(t) = \text{new}(t)$. The rate may jump."""

    def onwards(self, new: Schedule, step: float, rate: float) -> Schedule:
        return shift(new, -step)


class Continue(Policy):
    r"""Goes from the current rate to the end value of the new schedule, along its curve.

    $$f(t) = e + (\text{new}(t) - e) \, \frac{\text{old}(n) - e}{\text{new}(n) - e}$$

    where $n$ is the step of the switch and $e$ the end value of the new schedule. There is no jump, and the
    rate reaches $e$ when the new schedule does. It is meant for a new schedule that decays from $n$ on. If it
    still warms up at $n$, its peak is scaled by the same factor. If it is already at $e$, there is no curve
    left to follow, and `retarget` raises an error. $e$ is the value at step 2^31 - 1, also for a schedule
    without an end, such as a `cycle`.
    """

    def onwards(self, new: Schedule, step: float, rate: float) -> Schedule:
        end, here = _values(new, [LAST_STEP, step])
        if here == end:
            raise ValueError(
                f"`new` must not be at its end at step {show(step)}, got its end value {show(end)}; use "
                "`HoldToPlan()` or `Rewarmup(warmup_steps)`."
            )
        factor = (rate - end) / (here - end)
        return factor * (shift(new, -step) - end) + end if end else factor * shift(new, -step)


class Rewarmup(Policy):
    r"""Goes from the current rate to the new schedule in a linear ramp of `warmup_steps`.

    $$f(t) = \begin{cases}
    \text{old}(n) + (\text{new}(n + W) - \text{old}(n)) \, (t - n) / W & t < n + W \\
    \text{new}(t) & t \ge n + W
    \end{cases}$$

    Args:
      warmup_steps: the length of the ramp, $W$, at least 0.

    Raises:
      TypeError: `warmup_steps` is not a number.
      ValueError: it is negative or not finite.

    Source: Ibrahim et al., *Simple and Scalable Strategies to Continually Pre-train Large Language Models*,
    arXiv:2403.08763.
    """

    warmup_steps: Number = number(at_least=0)

    def onwards(self, new: Schedule, step: float, rate: float) -> Schedule:
        return warmup(shift(new, -(step + float(self.warmup_steps))), self.warmup_steps, rate)


def retarget(old: ScheduleLike, new: ScheduleLike, step: Number, policy: Policy) -> Schedule:
    """Switches from one schedule to another at a step, for example to resume a run with a new horizon.

    Both schedules and the result count steps from the start of the run, so the clock in the optimizer state
    does not change.

    >>> import jaxsched as js
    >>> old, new = js.Linear(1.0, 0.0, 100), js.Linear(1.0, 0.0, 200)
    >>> held = js.retarget(old, new, 50, js.HoldToPlan())
    >>> [float(held(step)) for step in (49, 50, 100, 200)]
    [0.5099999904632568, 0.75, 0.5, 0.0]
    >>> smooth = js.retarget(old, new, 50, js.Continue())
    >>> [round(float(smooth(step)), 3) for step in (49, 50, 100, 200)]
    [0.51, 0.5, 0.333, 0.0]
    >>> again = js.retarget(old, new, 50, js.Rewarmup(10))
    >>> [round(float(again(step)), 3) for step in (49, 50, 55, 60, 200)]
    [0.51, 0.5, 0.6, 0.7, 0.0]

    Args:
      old: the schedule so far; a number is a constant.
      new: the schedule from now on.
      step: the first step of the new schedule, at least 0: the count of the optimizer state.
      policy: `Continue()`, `HoldToPlan()` or `Rewarmup(warmup_steps)`. There is no default.

    Returns:
      A schedule: `old` before `step`, then `new` as the policy continues it.

    Raises:
      TypeError: an argument is of the wrong type, or traced.
      ValueError: `step` is out of range, or the policy is `Continue` and `new` is at its end value.
    """
    before, after = as_schedule("old", old), as_schedule("new", new)
    if not isinstance(policy, Policy):
        raise TypeError(
            "`policy` must be `Continue()`, `HoldToPlan()` or `Rewarmup(warmup_steps)`, "
            f"got {describe(policy)}."
        )
    if not is_concrete(before, after, step, policy):
        raise TypeError("`retarget` needs concrete arguments: call it outside of `jax.jit`.")
    at = float(checked_number("step", step, at_least=0, at_most=LAST_STEP))
    (rate,) = _values(before, [at])
    return join([before, policy.onwards(after, at, rate)], [at])


def _values(schedule: Schedule, steps: list[Any]) -> list[float]:
    """The values at some steps, in float64."""
    with enable_x64(True):
        return [float(value) for value in np.asarray(schedule(np.array(steps, np.float64)))]
