"""Mistakes in a plan, found before the run."""

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
from jaxsched._inspect.timeline import Switch, Visit, boundaries, first_step, switches, visits, whole

BLOCK = 2**12
"""Rates are worked out so many at a time, so that every run takes one program a schedule."""

ALL = 2**17
"""Of a run of at most so many steps every one is looked at; of a longer one half as many, evenly spaced, and
the steps around its ends and boundaries."""

STANDS_OUT = 4.0
"""A change stands out where it is more than so many times each change beside it."""

ROUNDING = 1e-5
"""What float32 may add to a ratio of two rates, with room to spare."""

SMALL = 1e-3
"""A jump between rates of less than this fraction of the largest is none."""

SHORT_BY = 0.01
"""An end that is missed by at most this fraction of the way, or one step, is not worth a warning."""

EARLY, EARLY_AT_ZERO = 0.5, 0.1
"""An end is far too early where the rate stays there for more than this fraction of the run."""


MOST_SWITCHES = 1_000_000
"""The jumps after more boundaries than these count as jumps, whatever they are."""


class Finding(NamedTuple):
    """Something that `check` found.

    Attributes:
      level: "warning" for what is likely a mistake, "note" for what is worth knowing.
      step: the step of the run that it is about.
      message: a sentence that says what it is and what to do.
    """

    level: Literal["note", "warning"]
    step: int
    message: str

    def __str__(self) -> str:
        return f"{self.level} at step {self.step}: {self.message}"


def check(schedule: ScheduleLike, total_steps: Number, *, jump_ratio: Number = 10.0) -> list[Finding]:
    r"""Looks for mistakes in a plan before the run.

    A warning is given for

    - a rate that is not finite, or negative;
    - a rate above the peak that the plan names in `peak()`. A shape names the largest absolute value among
      its values, a `warmup` or a `cooldown` that of the schedule it belongs to, a product the product of
      what its factors name, a sum that of its largest term, and its constants on top; `clip` names its
      `max_value`. So sums of several peaks, growing exponentials and cycles, and ramps that begin or end
      above the schedule go above it. A `Lambda`, or a shape of your own that does not say, names none;
    - a jump: from one step to the next the rate changes by a factor of more than `jump_ratio`, and by more
      than four times what it changes by before and after. The restarts of `cycle` are no jumps, nor is
      what goes on below a thousandth of the largest rate;
    - a part that the run never gets to: one that begins after its end, as what follows a warmup that is
      longer than the run;
    - an end that is never reached because the end of the run, or what follows in a `join` or a `cycle`, comes
      too early, by more than a step and 1 %. A part may be left where it stands still or turns, as `cooldown`
      and `reflect` leave theirs;
    - an end value that is reached far too early: the rate falls to it, and stays there for more than half of
      the run, or at 0 for more than a tenth of it (and more than a step).

    A first rate of 0 is a note, as are a jump from 0 or to 0 and an end that is missed by less.

    Every step of a run of up to 131,072 is looked at. Of longer ones 65,536 steps, evenly spaced, and those
    around the boundaries of the parts are, and where the rate jumps between two of them, the step of the jump
    is searched for; so what is narrower than that can be missed, in a `Table` or a `Lambda` for example.

    >>> import jaxsched as js
    >>> js.check(js.warmup_cosine(0.3, 1000, 100, init_value=0.001), 1000)
    []
    >>> (finding,) = js.check(js.Cosine(0.3, 0.01, 1000), 800)
    >>> print(finding)  # doctest: +NORMALIZE_WHITESPACE
    warning at step 799: `Cosine(0.3, 0.01, 1000)` is not at its end before step 1000; at step 800 the run
    ends, after a rate of 0.03796. Fit its length to the run.

    Args:
      schedule: one concrete schedule; a number is a constant, a callable a function of the step.
      total_steps: the length of the run, a whole number from 1 to 2^31 - 1: its last update sees
        `total_steps - 1`.
      jump_ratio: the factor from one step to the next that is still no jump, above 1.

    Returns:
      The findings, sorted by step; an empty list where there is nothing to say.

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
    return sorted(findings, key=lambda finding: finding.step)


def one_schedule(schedule: Any) -> Schedule:
    """What passes for a schedule as one, where it is concrete.

    Raises:
      TypeError: it is traced, or none.
      ValueError: it is a stack.
    """
    if not is_concrete(schedule):
        raise TypeError("`schedule` must be concrete, got a traced one: call this outside of `jax.jit`.")
    if isinstance(schedule, Schedule) and (batch := batch_shape(schedule)):
        raise ValueError(f"`schedule` must be one schedule, got a stack of {batch[0]}; take each by itself.")
    return as_schedule("schedule", schedule)


def whole_steps(name: str, steps: Any) -> int:
    """A concrete whole number of steps, from 1 to 2^31 - 1, as an integer.

    Raises:
      TypeError: it is traced, or no number.
      ValueError: it is not whole, or out of range.
    """
    if not is_concrete(steps):
        raise TypeError(f"`{name}` must be concrete, got a traced number: call this outside of `jax.jit`.")
    kept = float(checked_number(name, steps, at_least=1, at_most=LAST_STEP))
    if not kept.is_integer():
        raise ValueError(f"`{name}` must be a whole number, got {show(kept)}.")
    return int(kept)


class _Rates:
    """The rates of a run at the steps that are looked at.

    Attributes:
      schedule: the plan.
      total: the number of steps of the run.
      steps: sorted steps, int64, the first and the last of the run among them.
      values: the rates at these, float64.
    """

    def __init__(self, schedule: Schedule, total: int) -> None:
        self.schedule, self.total = schedule, total
        self.steps = _sample(schedule, total)
        self.values = self.at(self.steps)
        self.finite = bool(np.isfinite(self.values).all())
        self.largest = float(np.abs(self.values).max())

    def at(self, steps: np.ndarray) -> np.ndarray:
        """The rates at any steps, in their shape."""
        padded = np.full(math.ceil(steps.size / BLOCK) * BLOCK, self.total - 1, np.int32)
        padded[: steps.size] = np.clip(steps.ravel(), 0, LAST_STEP)
        with jax.debug_nans(False), jax.debug_infs(False):
            blocks = [np.asarray(self.schedule(block), np.float64) for block in padded.reshape(-1, BLOCK)]
        return np.concatenate(blocks)[: steps.size].reshape(steps.shape)

    def text(self, step: float) -> str:
        """The rate at one step, as it is shown."""
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
            f"The rate is {values[i]} at step {steps[i]}; mend the function that gives it, in "
            f"{_text(rates.schedule)}.",
        )
    negative = np.flatnonzero(values < 0)
    if negative.size:
        i = negative[values[negative].argmin()]
        yield _warning(
            steps[i],
            f"The rate is negative: it falls to {values[i]:.4g} at step {steps[i]}, where updates go uphill; "
            "`clip(..., min_value=0)` ends at 0.",
        )
    if values[0] == 0:
        others = np.flatnonzero(values)
        if not others.size:
            when = "at every step"
        elif others[0] == 1:
            when = "at step 0"
        else:
            when = f"at step 0, and stays 0 until step {steps[others[0]]}"
        yield _note(
            0,
            f"The rate is 0 {when}, so that the first update changes nothing; begin above 0, as "
            "`first_step=1` lets a `warmup`.",
        )


def _of_peak(rates: _Rates) -> Iterator[Finding]:
    peak = rates.schedule.peak()
    i = rates.values.argmax()
    highest = rates.values[i]
    if peak is not None and highest > peak * (1 + ROUNDING):
        yield _warning(
            rates.steps[i],
            f"The rate rises to {highest:.4g} at step {rates.steps[i]}, above {peak:.4g}, the peak that "
            f"{_text(rates.schedule)} names; where that is meant, name it: "
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
        more = f", and at other steps, the next of them {places[1][0]}" if places[1:] else ""
        before, after = rates.text(step - 1), rates.text(step)
        yield (_note if with_0 else _warning)(
            step,
            f"The rate jumps from {before} to {after} at step {step}, in {_text(place)}{more}; let one part "
            f"begin where the other ends, or raise `jump_ratio` ({show(ratio)}) where that is meant.",
        )


def _jumps(rates: _Rates, ratio: float) -> Iterator[tuple[int, bool]]:
    """The steps with a rate that the one before does not lead to, and whether one of the two is 0."""
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
    """Each jump, in order, with what switches at its step, the outermost first."""
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
    """Of each part directly in a visit the visit that gets furthest, the first of these."""
    found: dict[int, Visit] = {}
    for child in itertools.islice(visits(visit), MOST):
        best = found.get(id(child.schedule))
        if child.schedule is not None and (best is None or _reached(child) > _reached(best)):
            found[id(child.schedule)] = child
    return list(found.values())


def _reached(visit: Visit) -> float:
    """The latest time on its own clock that a visit sees."""
    return max(visit.begin, visit.end)


def _unfinished(visit: Visit, rates: _Rates) -> list[Finding]:
    """What in a visit the run leaves before its end or never gets to, or else the visit itself."""
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
            f"{_text(schedule)} is not at its end before step {first_step(visit.to_run(length))}; {leaves}. "
            "Fit its length to the run.",
        )
    ]


def _never_reached(visit: Visit, children: list[Visit], rates: _Rates) -> Iterator[Finding]:
    """The parts directly in a visit that the run never gets to, in order."""
    schedule = visit.schedule
    if schedule is None or visit.goes_on or visit.begin > visit.end:
        return
    seen = {id(child.schedule) for child in children}
    for span in itertools.islice(schedule._spans(visit.begin, math.inf), MOST):
        if span.since > visit.end and span.part is not None and id(span.part) not in seen:
            step, leaves = _leaving(visit, rates)
            yield _warning(
                step,
                f"The run never gets to {_text(span.part)} in {_text(schedule)}, which begins at step "
                f"{first_step(visit.to_run(span.since))}; {leaves}. Fit the boundaries to the run.",
            )


def _early(visit: Visit, rates: _Rates) -> Iterator[Finding]:
    """What in a visit is at its end far too early, where nothing else moves the rate from there on."""
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
            f"{_text(schedule)} is at its end at step {step}, and the rate stays at {rest[0]:.4g} for "
            f"the {rates.total - step} steps that are left of {rates.total}; fit its length to the run.",
        )


def _end_of(visit: Visit) -> int | None:
    """The step of the run at which the schedule of a visit is at its end, if it gets there."""
    length = visit.schedule.duration() if visit.schedule else None
    return None if length is None or length > visit.end else first_step(visit.to_run(length))


def _has_a_last_level(schedule: Schedule) -> bool:
    """Whether its last span begins where nothing new comes any more, as a level that is named does."""
    *_, last = [None, *itertools.islice(schedule.spans(math.inf), MOST)]
    return last is not None and last.since == schedule.duration()


def _leaving(visit: Visit, rates: _Rates) -> tuple[int, str]:
    """The last step of the run in a visit, and what happens after it."""
    after = min(first_step(visit.left), rates.total)
    last = max(after - 1, 0)
    what = "the run ends" if visit.cut_by is None else f"{_text(visit.cut_by)} goes on to something else"
    return last, f"at step {after} {what}, after a rate of {rates.text(last)}"


def _text(schedule: Schedule) -> str:
    text = repr(schedule)
    return f"`{text if len(text) <= 80 else text[:77] + '...'}`"


def _warning(step: Any, message: str) -> Finding:
    return Finding("warning", int(step), message)


def _note(step: Any, message: str) -> Finding:
    return Finding("note", int(step), message)
