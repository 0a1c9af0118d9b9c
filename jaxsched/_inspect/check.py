"""Finds mistakes in a schedule before the run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.evaluate import batch_shape
from jaxsched._core.fields import Number, checked_number, is_concrete, show
from jaxsched._core.schedule import Schedule, ScheduleLike, as_schedule
from jaxsched._core.span import MOST
from jaxsched._inspect.tables import as_html
from jaxsched._inspect.timeline import Switch, Visit, boundaries, first_step, switches, visits, whole

BLOCK = 2**12
"""Rates are evaluated in blocks of this size, so a schedule compiles once whatever the run's length."""

ALL = 2**17
"""The longest run of which every step is checked. In a longer run `check` looks at half as many steps, evenly
spaced, and at the steps around its ends and boundaries."""

STANDS_OUT = 4.0
"""A jump is more than this many times the change before it and the change after it."""

ROUNDING = 1e-5
"""A generous bound on the rounding error of a ratio of two float32 rates."""

SMALL = 1e-3
"""Jumps between rates below this fraction of the largest rate are ignored."""

SHORT_BY = 0.01
"""An end missed by at most this fraction of the length, or by one step, is a note and not a warning."""

EARLY, EARLY_AT_ZERO = 0.5, 0.1
"""A schedule ends too early if the rate stays at its end for more than this fraction of the run."""

MOST_SWITCHES = 1_000_000
"""After this many boundaries every jump is reported, even a restart of `cycle`."""


class Finding(NamedTuple):
    """Something that `check` found.

    Attributes:
      level: "warning" for a likely mistake, "note" for something worth knowing.
      step: the step at which it happens.
      message: what it is, where, and what to do about it.
    """

    level: Literal["note", "warning"]
    step: int
    message: str

    def __str__(self) -> str:
        return f"{self.level} at step {self.step}: {self.message}"


class _Findings(list[Finding]):
    """A list that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        rows = [(each.level, str(each.step), each.message) for each in self]
        return as_html([Finding._fields, *rows], "<><") if rows else "<div>No findings.</div>"


def check(schedule: ScheduleLike, total_steps: Number, *, jump_ratio: Number = 10.0) -> list[Finding]:
    r"""Finds likely mistakes in a schedule before the run.

    It warns about

    - a rate that is negative or not finite;
    - a rate above the schedule's nominal peak, `peak()`. For a shape this is the largest absolute rate
      among its arguments. `warmup` and `cooldown` take the peak of the schedule they wrap, and `clip` its
      `max_value`. The peak of a product is the product of its factors' peaks; the peak of a sum is the
      largest peak among its terms plus its constants. So a sum whose terms peak together rises above it, as
      do growing exponentials and cycles, and ramps that start or end above their schedule. A `Lambda`, and a
      shape of your own without `peak`, have none;
    - a jump: from one step to the next the rate changes by a factor of more than `jump_ratio`, and by more
      than four times its change just before and just after. Restarts of `cycle` and jumps below a thousandth
      of the largest rate are ignored;
    - a part that the run never reaches, such as the schedule after a warmup longer than the run;
    - a schedule that is cut off before its end by more than one step and 1 % of its length, at the end of the
      run or by the next part of a `join` or `cycle`. A `cooldown` may hold its schedule, and `reflect` may
      turn it, before its end;
    - a schedule that ends far too early: the rate falls to its end value and stays there for more than half
      of the run, or at 0 for more than a tenth of the run (and more than one step).

    It notes a first rate of 0, a jump to or from 0, and a schedule that is cut off by less.

    Up to 131,072 steps, every step is checked. A longer run is sampled at 65,536 evenly spaced steps and
    around its ends and boundaries. If the rate jumps between two samples, a search finds the step. Features
    narrower than the spacing can be missed, for example in a `Table` or a `Lambda`.

    >>> import jaxsched as js
    >>> js.check(js.warmup_cosine(0.3, 1000, 100, init_value=0.001), 1000)
    []
    >>> (finding,) = js.check(js.Cosine(0.3, 0.01, 1000), 800)
    >>> print(finding)  # doctest: +NORMALIZE_WHITESPACE
    warning at step 799: `Cosine(0.3, 0.01, 1000)` would end at step 1000, but the run ends at step 800,
    after a rate of 0.03796. Fit its length to the run.

    Args:
      schedule: one concrete schedule; a number is a constant, a callable is a function of the step.
      total_steps: the length of the run, a whole number from 1 to 2^31 - 1. The last update is at step
        `total_steps - 1`.
      jump_ratio: the largest factor between two consecutive rates that is not a jump, above 1.

    Returns:
      The findings, sorted by step; an empty list if there are none. A notebook shows it as a table.

    Raises:
      TypeError: an argument is of the wrong type, or traced.
      ValueError: `total_steps` or `jump_ratio` is out of range, or `schedule` is a stack.
    """
    plan = one_schedule(schedule)
    total = whole_steps("total_steps", total_steps)
    if not is_concrete(jump_ratio):
        raise TypeError("`jump_ratio` must be concrete, got a traced number: call this outside of `jax.jit`.")
    ratio = float(checked_number("jump_ratio", jump_ratio, above=1))
    rates = _Rates(plan, total)
    findings = [*_of_values(rates), *_of_parts(rates)]
    if rates.finite:
        findings += [*_of_peak(rates), *_of_jumps(rates, ratio)]
    return _Findings(sorted(findings, key=lambda finding: finding.step))


def one_schedule(schedule: Any) -> Schedule:
    """Converts a value to a single concrete schedule.

    Raises:
      TypeError: it is traced, or not a schedule.
      ValueError: it is a stack.
    """
    if not is_concrete(schedule):
        raise TypeError("`schedule` must be concrete, got a traced one: call this outside of `jax.jit`.")
    if isinstance(schedule, Schedule) and (batch := batch_shape(schedule)):
        raise ValueError(f"`schedule` must be one schedule, got a stack of {batch[0]}; pass one member.")
    return as_schedule("schedule", schedule)


def whole_steps(name: str, steps: Any) -> int:
    """Converts a concrete whole number of steps, from 1 to 2^31 - 1, to an integer.

    Raises:
      TypeError: it is traced, or not a number.
      ValueError: it is not whole, or out of range.
    """
    if not is_concrete(steps):
        raise TypeError(f"`{name}` must be concrete, got a traced number: call this outside of `jax.jit`.")
    kept = float(checked_number(name, steps, at_least=1, at_most=LAST_STEP))
    if not kept.is_integer():
        raise ValueError(f"`{name}` must be a whole number, got {show(kept)}.")
    return int(kept)


class _Rates:
    """The rates of a run at the steps that are checked.

    Attributes:
      schedule: the schedule.
      total: the length of the run.
      steps: the steps, sorted, int64, with the first and the last of the run.
      values: the rates at these steps, float64.
    """

    def __init__(self, schedule: Schedule, total: int) -> None:
        self.schedule, self.total = schedule, total
        self.steps = _sample(schedule, total)
        self.values = self.at(self.steps)
        self.finite = bool(np.isfinite(self.values).all())
        self.largest = float(np.abs(self.values).max())

    def at(self, steps: np.ndarray) -> np.ndarray:
        """The rates at any steps, in the shape of `steps`."""
        padded = np.full(math.ceil(steps.size / BLOCK) * BLOCK, self.total - 1, np.int32)
        padded[: steps.size] = np.clip(steps.ravel(), 0, LAST_STEP)
        with jax.debug_nans(False), jax.debug_infs(False):
            blocks = [np.asarray(self.schedule(block), np.float64) for block in padded.reshape(-1, BLOCK)]
        return np.concatenate(blocks)[: steps.size].reshape(steps.shape)

    def text(self, step: float) -> str:
        """The rate at one step, formatted for a message."""
        return f"{float(self.at(np.array([step]))[0]):.4g}"


def _sample(schedule: Schedule, total: int) -> np.ndarray:
    if total <= ALL:
        return np.arange(total)
    around = np.array([0, *boundaries(schedule, total), total])[:, None] + np.arange(-2, 3)
    ends = np.arange(BLOCK), np.arange(total - BLOCK, total)
    steps = np.concatenate([np.linspace(0, total - 1, ALL // 2).astype(np.int64), around.ravel(), *ends])
    return np.unique(steps[(steps >= 0) & (steps < total)])


def _of_values(rates: _Rates) -> Iterator[Finding]:
    values, steps = rates.values, rates.steps
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        i = wrong[0]
        yield _warning(
            steps[i],
            f"The rate is {values[i]} at step {steps[i]}. Fix the function that computes it, in "
            f"{_text(rates.schedule)}.",
        )
    negative = np.flatnonzero(values < 0)
    if negative.size:
        i = negative[values[negative].argmin()]
        yield _warning(
            steps[i],
            f"The rate is negative: it falls to {values[i]:.4g} at step {steps[i]}, and updates go uphill. "
            "Use `clip(..., min_value=0)` to keep it at 0 or above.",
        )
    if values[0] == 0:
        others = np.flatnonzero(values)
        if not others.size:
            message = "No update does anything, because the rate is 0 at every step. Use a rate above 0."
        elif others[0] == 1:
            message = (
                "The first update does nothing, because the rate is 0 at step 0. Use `first_step=1` in "
                "`warmup` to start above 0."
            )
        else:
            first = steps[others[0]]
            message = (
                f"The first {first} updates do nothing, because the rate is 0 before step {first}. Start "
                "above 0, unless the delay is intended."
            )
        yield _note(0, message)


def _of_peak(rates: _Rates) -> Iterator[Finding]:
    peak = rates.schedule.peak()
    i = rates.values.argmax()
    highest = rates.values[i]
    if peak is not None and highest > peak * (1 + ROUNDING):
        yield _warning(
            rates.steps[i],
            f"The rate rises to {highest:.4g} at step {rates.steps[i]}, above {peak:.4g}, the nominal peak "
            f"of {_text(rates.schedule)}. If that is intended, state it with "
            f"`clip(..., max_value={highest:.4g})`.",
        )


def _of_jumps(rates: _Rates, ratio: float) -> Iterator[Finding]:
    found: dict[bool, list[tuple[int, Schedule]]] = {False: [], True: []}
    jumps = itertools.islice(_jumps(rates, ratio), 10 * MOST)
    for step, with_0, here in _with_switches(jumps, rates):
        if len(found[with_0]) < 2 and not any(switch.restarts for switch in here):
            found[with_0].append((step, here[0].schedule if here else rates.schedule))
    for with_0, places in found.items():
        if not places:
            continue
        step, place = places[0]
        more = f", and again at step {places[1][0]}" if places[1:] else ""
        before, after = rates.text(step - 1), rates.text(step)
        yield (_note if with_0 else _warning)(
            step,
            f"The rate jumps from {before} to {after} at step {step}, in {_text(place)}{more}. Start each "
            f"part where the last one ends, or raise `jump_ratio` ({show(ratio)}) if the jump is intended.",
        )


def _jumps(rates: _Rates, ratio: float) -> Iterator[tuple[int, bool]]:
    """The step of each jump, and whether the rate jumps to or from 0."""
    beyond = ratio * (1 + ROUNDING)

    def factor(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        low, high = np.sort(np.abs([a, b]), axis=0)
        from_0 = np.where(high * ratio > rates.largest, np.inf, 1.0)
        quotient = np.where(low > 0, high / np.where(low > 0, low, 1.0), from_0)
        return np.where(high > SMALL * rates.largest, quotient, 1.0)

    def stands_out(values: np.ndarray) -> np.ndarray:
        before, here, after = np.diff(values).T
        beside = np.maximum(0, np.maximum(before * np.sign(here), after * np.sign(here)))
        return np.abs(here) > STANDS_OUT * beside

    places = np.flatnonzero(factor(rates.values[:-1], rates.values[1:]) > beyond)
    if not places.size:
        return
    left, right = rates.steps[places], rates.steps[places + 1]
    while (right - left > 1).any():
        middle = (left + right) // 2
        first, between, last = (rates.at(each) for each in (left, middle, right))
        is_left = factor(first, between) > factor(between, last)
        left, right = np.where(is_left, left, middle), np.where(is_left, middle, right)
    window = rates.at(right[:, None] + np.arange(-2, 2))
    jumps = factor(window[:, 1], window[:, 2]) > beyond
    jumps &= stands_out(window) & stands_out(np.log(np.maximum(np.abs(window), np.finfo(np.float32).tiny)))
    with_0 = (window[:, 1:3] == 0).any(axis=1)
    yield from zip(right[jumps].tolist(), with_0[jumps].tolist(), strict=True)


def _with_switches(
    jumps: Iterable[tuple[int, bool]], rates: _Rates
) -> Iterator[tuple[int, bool, list[Switch]]]:
    """Each jump, in order, with the switches at its step, outermost first."""
    following = itertools.islice(switches(whole(rates.schedule, rates.total)), MOST_SWITCHES)
    switch = next(following, None)
    for step, with_0 in jumps:
        here = []
        while switch is not None and first_step(switch.time) <= step:
            if first_step(switch.time) == step:
                here.append(switch)
            switch = next(following, None)
        yield step, with_0, here


def _of_parts(rates: _Rates) -> Iterator[Finding]:
    visit = whole(rates.schedule, rates.total)
    yield from _unfinished(visit, rates)
    yield from itertools.islice(_early(visit, rates), 1)


def _furthest(visit: Visit) -> list[Visit]:
    """For each part directly in a visit, the first of the visits that get furthest."""
    found: dict[int, Visit] = {}
    for child in itertools.islice(visits(visit), MOST):
        best = found.get(id(child.schedule))
        if child.schedule is not None and (best is None or _reached(child) > _reached(best)):
            found[id(child.schedule)] = child
    return list(found.values())


def _reached(visit: Visit) -> float:
    """The latest time that a visit reaches on its own clock."""
    return max(visit.begin, visit.end)


def _unfinished(visit: Visit, rates: _Rates) -> list[Finding]:
    """The parts that the run never reaches or leaves early; if none, the visit itself if left early."""
    children = _furthest(visit)
    found = [finding for child in children for finding in _unfinished(child, rates)]
    found += itertools.islice(_never_reached(visit, children, rates), 1)
    schedule = visit.schedule
    if found or visit.goes_on or schedule is None:
        return found
    length, end = schedule.duration(), _reached(visit)
    if length is None or length <= end + abs(end) * 1e-9:
        return []
    nearly = length - end <= max(1.0, SHORT_BY * length)
    step, leaves = _leaving(visit, rates)
    return [
        (_note if nearly else _warning)(
            step,
            f"{_text(schedule)} would end at step {first_step(visit.to_run(length))}, but {leaves}. "
            "Fit its length to the run.",
        )
    ]


def _never_reached(visit: Visit, children: list[Visit], rates: _Rates) -> Iterator[Finding]:
    """The parts directly in a visit that the run never reaches, in order."""
    schedule = visit.schedule
    if schedule is None or visit.goes_on or visit.begin > visit.end:
        return
    seen = {id(child.schedule) for child in children}
    for span in itertools.islice(schedule._spans(visit.begin, math.inf), MOST):
        if span.since > visit.end and span.part is not None and id(span.part) not in seen:
            step, leaves = _leaving(visit, rates)
            yield _warning(
                step,
                f"{_text(span.part)} in {_text(schedule)} is never reached: it would start at step "
                f"{first_step(visit.to_run(span.since))}, but {leaves}. Fit the boundaries to the run.",
            )


def _early(visit: Visit, rates: _Rates) -> Iterator[Finding]:
    """The schedules in a visit that end far too early, after which the rate stays constant."""
    schedule = visit.schedule
    if schedule is None or visit.cut_by is not None:
        return
    children = [child for child in _furthest(visit) if child.cut_by is None]
    for child in children:
        yield from _early(child, rates)
    step, ends = _end_of(visit), {_end_of(child) for child in children}
    if not schedule.duration() or step in ends or step is None or _has_a_last_level(schedule):
        return
    rest = rates.values[np.searchsorted(rates.steps, step) :]
    allowed = max(1.0, (EARLY if rest.any() else EARLY_AT_ZERO) * rates.total)
    if rates.total - step > allowed and rest.min() == rest.max() and rest[0] < rates.values.max():
        yield _warning(
            step,
            f"{_text(schedule)} ends at step {step}, and the rate stays at {rest[0]:.4g} for the remaining "
            f"{rates.total - step} of {rates.total} steps. Fit its length to the run.",
        )


def _end_of(visit: Visit) -> int | None:
    """The step of the run at which the schedule of a visit ends, or `None` if it does not."""
    length = visit.schedule.duration() if visit.schedule else None
    return None if length is None or length > visit.end else first_step(visit.to_run(length))


def _has_a_last_level(schedule: Schedule) -> bool:
    """Whether it ends in an explicit last level: its last span starts at its `duration()`."""
    *_, last = [None, *itertools.islice(schedule.spans(math.inf), MOST)]
    return last is not None and last.since == schedule.duration()


def _leaving(visit: Visit, rates: _Rates) -> tuple[int, str]:
    """The last step of the run in a visit, and a clause on what ends it."""
    after = min(first_step(visit.left), rates.total)
    last = max(after - 1, 0)
    leaves = "the run ends" if visit.cut_by is None else f"{_text(visit.cut_by)} moves on"
    return last, f"{leaves} at step {after}, after a rate of {rates.text(last)}"


def _text(schedule: Schedule) -> str:
    text = repr(schedule)
    return f"`{text if len(text) <= 80 else text[:77] + '...'}`"


def _warning(step: Any, message: str) -> Finding:
    return Finding("warning", int(step), message)


def _note(step: Any, message: str) -> Finding:
    return Finding("note", int(step), message)
