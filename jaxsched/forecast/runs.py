"""Logged runs, and what a law of the loss needs to know of a schedule's rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.fields import as_numbers, describe, is_concrete, show
from jaxsched._core.schedule import Schedule, as_schedule
from jaxsched.forecast._rates import check_some, rates_of

LAST = LAST_STEP - 1
"""The step of the last update that an optimizer can count."""

LEVELS = 512
"""The changes of the rate that are summed as one differ by at most the peak divided by this."""

ROWS = 128
"""The number of steps that share one grouping of the changes."""

MOST = 0.8
"""The share of the fall of a rate that tells its kind."""

KINDS = ("constant", "jump", "cooldown", "decay", "rise")
"""How a rate moves after its first peak; see `kind_of`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """A logged training run: its schedule and its losses.

    Args:
      schedule: the rate at each step from 0 on, warmup included. A number is a constant rate.
      steps: the steps of the losses, whole numbers, ascending, shape (n,), n at least 1.
      losses: `losses[i]` is the loss after the update at `steps[i]`, above 0, shape (n,).

    Attributes:
      rates: the rates up to the last of the steps, float64.

    Raises:
      TypeError: an argument is of another type, or traced.
      ValueError: `schedule` is a stack, the lengths differ, a step is no whole number of at least 0 or not
        above the step before it, a loss is not finite and above 0, or a rate is negative or all are 0 up to
        the first step.
    """

    schedule: Any
    steps: Any
    losses: Any
    rates: np.ndarray = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        steps = whole_steps(self.steps)
        if not is_concrete(self.losses):
            raise TypeError("`losses` must be concrete, got traced ones.")
        losses = np.array(as_numbers("losses", self.losses), np.float64)
        if losses.shape != steps.shape:
            raise ValueError(
                f"`losses` must have one entry for each of the {len(steps)} steps, got {len(losses)}."
            )
        if (bad := np.flatnonzero(~((losses > 0) & np.isfinite(losses)))).size:
            raise ValueError(f"`losses[{bad[0]}]` must be finite and above 0, got {show(losses[bad[0]])}.")
        schedule, rates = rates_until("schedule", self.schedule, steps)
        object.__setattr__(self, "schedule", schedule)
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "losses", losses)
        for kept in (steps, losses, rates):
            kept.flags.writeable = False


def whole_steps(steps: Any) -> np.ndarray:
    """`steps` as ascending int64 numbers, checked."""
    if not is_concrete(steps):
        raise TypeError("`steps` must be concrete, got traced ones.")
    given = np.asarray(as_numbers("steps", steps), np.float64)
    if not len(given):
        raise ValueError("`steps` must have at least one entry, got none.")
    for i in np.flatnonzero(~((given == np.floor(given)) & (given >= 0) & (given <= LAST)))[:1]:
        raise ValueError(f"`steps[{i}]` must be a whole number from 0 to {LAST}, got {show(given[i])}.")
    if (falls := np.flatnonzero(np.diff(given) <= 0)).size:
        i = int(falls[0])
        raise ValueError(
            f"`steps` must ascend, got {show(given[i])} before {show(given[i + 1])} at index {i}."
        )
    return given.astype(np.int64)


def rates_until(name: str, schedule: Any, steps: np.ndarray) -> tuple[Schedule, np.ndarray]:
    """The argument `name` as a schedule, and its rates up to the last of the steps.

    Raises:
      TypeError: it is not a schedule, or traced.
      ValueError: it is a stack, a rate is negative or not finite, or all are 0 up to the first of the steps.
    """
    if not is_concrete(schedule):
        raise TypeError(f"`{name}` must be concrete, got a traced one: call this outside of `jax.jit`.")
    plan = as_schedule(name, schedule)
    rates = rates_of(plan, 0, int(steps[-1]) + 1, name)
    check_some(rates, int(steps[0]), name)
    return plan, rates


@dataclasses.dataclass(frozen=True)
class Changes:
    """The changes of the rate before some steps, those that are alike summed as one.

    With rates `r_0, r_1, ...` and `S_t = r_0 + ... + r_t`, change `k` is `r_k - r_{k-1}`. A group of changes
    enters with its sum and with the mean level, start and position of its members, each weighted with its
    change; so the sum over changes of a smooth function is exact up to second order.

    Attributes:
      total: `S_t` at each of the n steps, shape (n,).
      change: the sum of each group's changes, shape (g,).
      level: the mean of `r_k`, shape (g,), above 0.
      distance: `S_t - S_{k-1}` for each step and group, shape (n, g); 0 for a group that is still to come.
      age: `t - k + 1` likewise.
    """

    total: np.ndarray
    change: np.ndarray
    level: np.ndarray
    distance: np.ndarray
    age: np.ndarray


def changes(rates: np.ndarray, steps: np.ndarray) -> Iterator[Changes]:
    """The changes before each of the steps, for `ROWS` steps at a time.

    A group ends where the rate has moved by 1/512 of its peak or by a tenth of itself, where it turns, and at
    each of the steps. Where the rate is constant there is no change, and nothing to sum.
    """
    totals = np.cumsum(rates)
    k = np.flatnonzero(np.diff(rates)) + 1
    change = rates[k] - rates[k - 1]
    level = np.maximum(rates[k], 1e-100)  # A rate of 0 stands for its limit.
    moved = np.cumsum(np.abs(change)) - np.abs(change) / 2
    turns = np.cumsum(np.diff(np.sign(change), prepend=0) != 0)
    keys = [np.floor(moved * (LEVELS / rates.max())), np.floor(10 * np.log(level)), turns]
    for start in range(0, len(steps), ROWS):
        here = steps[start : start + ROWS]
        known = int(np.searchsorted(k, here[-1], "right"))
        seen = np.searchsorted(here, k[:known])
        first = np.ones(known, bool)
        first[1:] = np.any([np.diff(key[:known]) != 0 for key in (*keys, seen)], axis=0)
        groups = np.flatnonzero(first)
        summed = _sums(change[:known], groups)
        begun, at, mean_level = (
            _sums(change[:known] * each, groups) / summed
            for each in (totals[k[:known] - 1], k[:known], level[:known])
        )
        past = seen[groups] <= np.arange(len(here))[:, None]
        distance = totals[here][:, None] - begun
        # A distance that is only rounding is 0: it counts where the rate is 0.
        yield Changes(
            totals[here],
            summed,
            mean_level,
            np.where(past & (distance > 1e-12 * totals[here][:, None]), distance, 0.0),
            np.where(past, here[:, None] - at + 1, 0.0),
        )


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.add.reduceat(values, starts) if len(starts) else np.zeros(0)


def kind_of(rates: np.ndarray) -> str:
    """How the rate moves after it first reaches its peak.

    - `constant`: it does not fall.
    - `jump`: four fifths of the fall happen in at most three steps, or in a stretch of 1/1000 of the run.
    - `cooldown`: they happen in a stretch of less than a third of the run.
    - `decay`: they take longer.
    - `rise`: it rises again by more than 1/100 of its peak.

    A stretch counts from its first step to its last, so a rate that moves once an epoch is of the same kind
    as one that moves at each step.
    """
    peak = rates.max()
    after = np.diff(rates[int(rates.argmax()) :])
    if after[after > 0].sum() > 0.01 * peak:
        return "rise"
    falls = np.maximum(-after, 0)
    if falls.sum() <= 1e-6 * peak:
        return "constant"
    fallen = np.append(0, np.cumsum(falls) / falls.sum())
    ends = np.searchsorted(fallen, fallen + MOST)
    stretch = (ends - np.arange(len(ends)))[ends < len(ends)].min() / len(rates)
    if stretch <= 0.001 or np.sort(falls)[-3:].sum() >= MOST * falls.sum():
        return "jump"
    return "cooldown" if stretch < 1 / 3 else "decay"


def as_runs(runs: Any) -> list[Run]:
    """`runs` as a list, checked."""
    if not isinstance(runs, list | tuple):
        raise TypeError(f"`runs` must be a list of `Run`, got {describe(runs)}.")
    for i, run in enumerate(runs):
        if not isinstance(run, Run):
            raise TypeError(f"`runs[{i}]` must be a `Run`, got {describe(run)}.")
    if not runs:
        raise ValueError("`runs` must have at least one run, got none.")
    return [*runs]
