"""Going over from one plan to another in the middle of a run."""

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
    """How `retarget` goes over to the new plan."""

    @abc.abstractmethod
    def onwards(self, new: Schedule, step: float, rate: float) -> Schedule:
        """What follows, on a clock that is 0 at `step`, where the old plan is at `rate`."""


class HoldToPlan(Policy):
    r"""The new plan's own value at each step: $f(t) = \text{new}(t)$, whatever jump that is."""

    def onwards(self, new: Schedule, step: float, rate: float) -> Schedule:
        return shift(new, -step)


class Continue(Policy):
    r"""From where the rate stands to the new plan's end, along the new plan's curve.

    $$f(t) = e + (\text{new}(t) - e) \, \frac{\text{old}(n) - e}{\text{new}(n) - e}$$

    where $n$ is the step of the change and $e$ the last value of the new plan. There is no jump, and the
    end is reached when the new plan reaches it. This is for a new plan that decays from $n$ on: one that
    still warms up there would have its peak scaled by the same factor, and one that is at its end has no
    curve left, an error. A new plan that goes on for ever, a `cycle` for one, has no end either: its value at
    step 2^31 - 1 is taken for it.
    """

    def onwards(self, new: Schedule, step: float, rate: float) -> Schedule:
        end, here = _values(new, [LAST_STEP, step])
        if here == end:
            raise ValueError(
                f"`new` is at its end, {show(end)}, at step {show(step)} already, so that nothing of it is "
                "left to follow; `HoldToPlan()` or `Rewarmup(warmup_steps)` go there."
            )
        factor = (rate - end) / (here - end)
        return factor * (shift(new, -step) - end) + end if end else factor * shift(new, -step)


class Rewarmup(Policy):
    r"""A straight ramp from where the rate stands to the new plan, which it meets after `warmup_steps`.

    $$f(t) = \begin{cases}
    \text{old}(n) + (\text{new}(n + W) - \text{old}(n)) \, (t - n) / W & t < n + W \\
    \text{new}(t) & t \ge n + W
    \end{cases}$$

    Args:
      warmup_steps: the length of the ramp, $W$, at least 0.

    Raises:
      TypeError: `warmup_steps` is no number.
      ValueError: it is negative or not finite.

    Source: Ibrahim et al., *Simple and Scalable Strategies to Continually Pre-train Large Language Models*,
    arXiv:2403.08763.
    """

    warmup_steps: Number = number(at_least=0)

    def onwards(self, new: Schedule, step: float, rate: float) -> Schedule:
        return warmup(shift(new, -(step + float(self.warmup_steps))), self.warmup_steps, rate)


def retarget(old: ScheduleLike, new: ScheduleLike, step: Number, policy: Policy) -> Schedule:
    """Goes over from one plan to another at a step, as at a resume with a changed horizon.

    Both plans and the result count all steps of the run from 0, so the clock in the optimizer state stays
    as it is.

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
      old: the plan so far; a number is a constant.
      new: the plan from now on.
      step: the first step of the new plan, at least 0: the count of the optimizer state.
      policy: `Continue()`, `HoldToPlan()` or `Rewarmup(warmup_steps)`. There is no default.

    Returns:
      A schedule: `old` before `step`, then what the policy makes of `new`.

    Raises:
      TypeError: an argument is of the wrong type, or traced.
      ValueError: `step` is out of range, or `policy` cannot follow `new`.
    """
    before, after = as_schedule("old", old), as_schedule("new", new)
    if not isinstance(policy, Policy):
        raise TypeError(
            "`policy` must be `Continue()`, `HoldToPlan()` or `Rewarmup(warmup_steps)`, "
            f"got {describe(policy)}."
        )
    if not is_concrete(before, after, step, policy):
        raise TypeError("`retarget` takes concrete schedules and steps: call it outside of `jax.jit`.")
    at = float(checked_number("step", step, at_least=0, at_most=LAST_STEP))
    (rate,) = _values(before, [at])
    return join([before, policy.onwards(after, at, rate)], [at])


def _values(schedule: Schedule, steps: list[Any]) -> list[float]:
    """The values at some steps in all their digits."""
    with enable_x64(True):
        return [float(value) for value in np.asarray(schedule(np.array(steps, np.float64)))]
