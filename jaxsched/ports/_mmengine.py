"""What the schedulers of MMEngine make of a rate, one by one and in a list."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

from jaxsched._core.fields import as_numbers, brief, checked_flag, checked_number
from jaxsched._core.schedule import Product, Schedule, ScheduleLike, as_schedule
from jaxsched.combinators.clocks import per_epoch, shift
from jaxsched.combinators.cycle import reflect
from jaxsched.combinators.join import join
from jaxsched.ports import _builders
from jaxsched.ports._checks import checked, concrete, is_known, not_modelled, one_of, over, whole
from jaxsched.presets import multi_step, step_decay
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Exponential
from jaxsched.shapes.levels import Piecewise, Table
from jaxsched.shapes.linear import Linear

INF = int(1e9)
"""The `end` of a scheduler that has none."""

LONGEST_TABLE = 100_000
"""The most steps in which schedulers may act together without a formula for what they do."""


@dataclasses.dataclass(frozen=True)
class Window:
    """When a scheduler acts.

    Attributes:
      begin: its first step, in ticks.
      end: the tick at which it stops.
      every: the number of steps in a tick: an epoch in iterations, or 1.
      times: what numbers of epochs are multiplied by.
      in_epochs: whether a step is an epoch.
      by_epoch: whether MMEngine calls it at the end of an epoch.
    """

    begin: int
    end: int
    every: int
    times: int
    in_epochs: bool
    by_epoch: bool

    @property
    def ticks(self) -> int:
        return self.end - self.begin

    @property
    def start(self) -> int:
        return self.begin * self.every

    def passed(self, step: int) -> int:
        """The number of ticks before a step at or after `start`."""
        return -((self.start - step) // self.every)

    def steps(self, name: str, value: Any, at_least: int) -> int:
        """A number of ticks, converted."""
        if self.times == 1:
            return count(name, value, at_least)
        return count(f"{name} * epoch_length", concrete(name, value) * self.times, at_least)


@dataclasses.dataclass(frozen=True)
class Member:
    """A scheduler: what it makes of the rate at each of its ticks.

    Attributes:
      base: the initial rate.
      window: when it acts.
      curve: `curve(v)` is the schedule in ticks that begins where the rate was `v`.
      value: `value(v, k)` is the rate of this schedule at tick `k`.
      advance: `advance(x, k)` is the rate at tick `k` after `x` at the tick before: the original's recursion.
      before: `before(x, k)` is the `v` with which the rate is `x` at tick `k`, or None if there is none.
      scales: whether all it does is to multiply the rate.
      length: the tick from which the schedule is constant.
      initial: the initial rate for the schedulers that are built after this one.
    """

    base: Any
    window: Window
    curve: Callable[[Any], ScheduleLike]
    value: Callable[[Any, int], Any]
    advance: Callable[[Any, int], Any]
    before: Callable[[Any, int], Any]
    scales: bool
    length: int
    initial: Any

    @property
    def stop(self) -> float:
        """The step from which it does nothing."""
        ticks = min(self.length + 1, self.window.ticks)
        return math.inf if self.window.begin + ticks >= INF else self.window.start + ticks * self.window.every


def count(name: str, value: Any, at_least: int) -> int:
    return int(whole(name, concrete(name, value), at_least=at_least))


def window(
    begin: Any,
    end: Any,
    last_step: Any,
    by_epoch: Any,
    verbose: Any,
    convert_to_iter_based: Any,
    epoch_length: Any,
) -> Window:
    not_modelled(last_step=last_step, verbose=verbose)
    by_epoch = checked_flag("by_epoch", by_epoch)
    length = None if epoch_length is None else count("epoch_length", epoch_length, at_least=1)
    times = every = 1
    if checked_flag("convert_to_iter_based", convert_to_iter_based):
        if not by_epoch:
            raise ValueError("`by_epoch` must be True with `convert_to_iter_based`, got False.")
        if length is None:
            raise ValueError("`epoch_length` must be given with `convert_to_iter_based`, got None.")
        begin = int(checked_number("begin", concrete("begin", begin)) * length)
        if not is_known(concrete("end", end), INF):
            end = int(checked_number("end", end) * length)
        by_epoch, times = False, length
    elif by_epoch and length is not None:
        every = length
    first, last = count("begin", begin, at_least=0), min(count("end", end, at_least=1), INF)
    if last <= first:
        raise ValueError(f"`end` must be above `begin`, {first}, got {last}.")
    return Window(first, last, every, times, by_epoch and length is None, by_epoch)


def _lowest(base: Any, eta_min: Any, eta_min_ratio: Any) -> Any:
    """The lowest rate of a cosine, given as it is or as a fraction of the base rate."""
    if (eta_min is None) == (eta_min_ratio is None):
        raise ValueError(
            "Either `eta_min` or `eta_min_ratio` must be given, "
            f"got {brief(eta_min)} and {brief(eta_min_ratio)}."
        )
    if eta_min is None:
        return base * checked_number("eta_min_ratio", eta_min_ratio)
    return checked_number("eta_min", eta_min)


def scaling(
    lr: Any,
    window: Window,
    curve: Callable[[Any], ScheduleLike],
    weight: Callable[[int], Any],
    floor: Any = 0.0,
    length: int = INF,
) -> Member:
    """A scheduler that multiplies the distance of the rate from a floor, in total by `weight(k)`."""
    (lr,) = checked(lr=lr)

    def value(v: Any, k: int) -> Any:
        return v * weight(k) if is_known(floor, 0) else floor + (v - floor) * weight(k)

    def advance(x: Any, k: int) -> Any:
        last = weight(k - 1) if k else 1.0
        return floor + (x - floor) * (0.0 if is_known(last, 0) else weight(k) / last)

    def before(x: Any, k: int) -> Any:
        return None if is_known(weight(k), 0) else floor + (x - floor) / weight(k)

    return Member(lr, window, curve, value, advance, before, is_known(floor, 0), length, lr)


def cutting(
    lr: Any,
    window: Window,
    curve: Callable[[Any], ScheduleLike],
    gamma: Any,
    count: Callable[[int], int],
    length: int = INF,
) -> Member:
    """A scheduler that has multiplied the rate by `gamma` `count(k)` times."""
    member = scaling(lr, window, curve, lambda k: gamma ** count(k), length=length)

    def advance(x: Any, k: int) -> Any:
        # Not by a quotient of two weights: after a factor of 0 both are 0.
        return x * gamma ** (count(k) - (count(k - 1) if k else 0))

    return dataclasses.replace(member, advance=advance)


def constant(lr: Any, window: Window, factor: Any) -> Member:
    factor = checked_number("factor", factor, at_least=0, at_most=1)
    last = window.ticks - 1
    if not last:
        return scaling(lr, window, lambda v: v * factor, lambda k: factor, length=0)
    return scaling(
        lr,
        window,
        lambda v: Piecewise([v * factor, v], [last]),
        lambda k: 1.0 if k >= last else factor,
        length=last,
    )


def linear(lr: Any, window: Window, start_factor: Any, end_factor: Any) -> Member:
    first = checked_number("start_factor", start_factor, at_least=0, at_most=1)
    last = checked_number("end_factor", end_factor, at_least=0, at_most=1)
    steps = window.ticks - 1
    if not steps:
        return scaling(lr, window, lambda v: v * first, lambda k: first, length=0)
    return scaling(
        lr,
        window,
        lambda v: Linear(v * first, v * last, steps),
        lambda k: first * ((steps - k) / steps) + last * (k / steps),
        length=steps,
    )


def exponential(lr: Any, window: Window, gamma: Any) -> Member:
    gamma = checked_number("gamma", gamma, at_least=0)
    return cutting(lr, window, lambda v: Exponential(v, gamma), gamma, lambda k: k)


def steps(lr: Any, window: Window, step_size: Any, gamma: Any) -> Member:
    steps = window.steps("step_size", step_size, at_least=1)
    gamma = checked_number("gamma", gamma, at_least=0)
    if window.ticks <= steps:
        return cutting(lr, window, lambda v: v, gamma, lambda k: 0, length=0)
    return cutting(lr, window, lambda v: step_decay(v, gamma, steps), gamma, lambda k: k // steps)


def multi_steps(lr: Any, window: Window, milestones: Any, gamma: Any) -> Member:
    given = as_numbers("milestones", concrete("milestones", milestones)).tolist()
    every = sorted(window.steps(f"milestones[{i}]", each, at_least=0) for i, each in enumerate(given))
    cuts = [each for each in every if each < window.ticks]
    gamma = checked_number("gamma", gamma)
    return cutting(
        lr,
        window,
        lambda v: multi_step(v, gamma, cuts) if cuts else v,
        gamma,
        lambda k: bisect.bisect_right(cuts, k),
        length=cuts[-1] if cuts else 0,
    )


def poly(lr: Any, window: Window, eta_min: Any, power: Any) -> Member:
    (eta_min,) = checked(eta_min=eta_min)
    power = checked_number("power", power, at_least=0, at_most=1e6)
    steps = window.ticks - 1
    if not steps:
        return scaling(lr, window, lambda v: v, lambda k: 1.0, eta_min, length=0)
    return scaling(
        lr,
        window,
        lambda v: _builders.polynomial(v, eta_min, steps, power),
        lambda k: ((steps - k) / steps) ** power,
        eta_min,
        length=steps,
    )


def cosine(lr: Any, window: Window, t_max: Any, eta_min: Any, eta_min_ratio: Any) -> Member:
    (lr,) = checked(lr=lr)
    floor = _lowest(lr, 0.0 if eta_min is None and eta_min_ratio is None else eta_min, eta_min_ratio)
    steps = window.ticks
    if t_max is not None and not is_known(t_max, 0):
        steps = window.steps("T_max", t_max, at_least=1)
    rises = window.ticks - 1 > steps

    def curve(v: Any) -> Schedule:
        fall = Cosine(v, floor, steps)
        if not rises:
            return fall
        if is_known(v, lr):
            return reflect(fall, 2 * steps)
        wave = reflect(Cosine(lr, floor, steps), 2 * steps)
        return join([fall, shift(wave, -steps)], [steps])

    def weight(k: int) -> float:
        return math.cos(math.pi * k / (2 * steps)) ** 2

    falling = scaling(lr, window, curve, weight, floor, length=INF if rises else steps)

    def value(v: Any, k: int) -> Any:
        return falling.value(v if k <= steps else lr, k)

    def advance(x: Any, k: int) -> Any:
        if k > steps and (k - 1 - steps) % (2 * steps) == 0:
            return x + (lr - floor) * weight(k)
        return falling.advance(x, k)

    def before(x: Any, k: int) -> Any:
        return falling.before(x, k) if k < steps else None

    return dataclasses.replace(
        falling, value=value, advance=advance, before=before, scales=falling.scales and not rises
    )


def restarts(
    lr: Any, window: Window, periods: Any, restart_weights: Any, eta_min: Any, eta_min_ratio: Any
) -> Member:
    (lr,) = checked(lr=lr)
    floor = _lowest(lr, eta_min, eta_min_ratio)
    given = as_numbers("periods", concrete("periods", periods)).tolist()
    lengths = [window.steps(f"periods[{i}]", each, at_least=1) for i, each in enumerate(given)]
    weights = list(as_numbers("restart_weights", restart_weights))
    if not lengths or len(lengths) != len(weights):
        raise ValueError(
            f"`restart_weights` must have an entry for each of the periods, {brief(lengths)}, "
            f"got {brief(restart_weights)}."
        )
    ends = list(itertools.accumulate(lengths))
    starts = [0, *ends[:-1]]

    def find(k: int) -> tuple[int, float]:
        """The period of a tick, and how far it has fallen there."""
        at = bisect.bisect_right(ends, k)
        return at, math.cos(math.pi * (k - starts[at]) / (2 * lengths[at])) ** 2

    def value(v: Any, k: int) -> Any:
        at, weight = find(min(k, ends[-1] - 1))
        return floor + (lr * weights[at] - floor) * weight

    def curve(v: Any) -> Schedule:
        used = [i for i, start in enumerate(starts) if start < window.ticks]
        parts: list[ScheduleLike] = [Cosine(lr * weights[i], floor, lengths[i]) for i in used]
        return join([*parts, value(v, ends[used[-1]] - 1)], [ends[i] for i in used])

    def advance(x: Any, k: int) -> Any:
        if k >= ends[-1]:
            return x
        at, weight = find(k)
        if k == starts[at]:
            return lr * weights[at]
        return floor + (x - floor) * (weight / find(k - 1)[1])

    return Member(lr, window, curve, value, advance, lambda x, k: None, False, ends[-1] - 1, lr)


def one_cycle(
    lr: Any,
    window: Window,
    eta_max: Any,
    total_steps: Any,
    pct_start: Any,
    anneal_strategy: str,
    div_factor: Any,
    final_div_factor: Any,
    three_phase: Any,
) -> Member:
    lr, peak = checked(lr=lr, eta_max=eta_max)
    steps = window.ticks if total_steps is None else window.steps("total_steps", total_steps, at_least=1)
    rise = checked_number("pct_start", concrete("pct_start", pct_start), at_least=0, at_most=1) * steps
    shape = one_of("anneal_strategy", anneal_strategy, _builders.ANNEALINGS)
    first = over(peak, "div_factor", checked_number("div_factor", div_factor, above=0))
    last = over(first, "final_div_factor", checked_number("final_div_factor", final_div_factor, above=0))
    falls_twice = checked_flag("three_phase", three_phase)
    values = [first, peak, *([first] if falls_twice else []), last]
    ends = [0, rise - 1, *([2 * rise - 2] if falls_twice else []), steps - 1]

    def value(v: Any, k: int) -> Any:
        k = min(k, steps - 1)
        at = next(i for i in range(1, len(ends)) if k <= ends[i] or i == len(ends) - 1)
        length = ends[at] - ends[at - 1]
        passed = (k - ends[at - 1]) / length if length else 1.0
        weight = passed if shape is Linear else math.sin(math.pi / 2 * passed) ** 2
        return values[at - 1] * (1 - weight) + values[at] * weight

    return Member(
        lr,
        window,
        lambda v: _builders.one_cycle(values, ends, shape),
        value,
        value,
        lambda x, k: x,
        False,
        INF if steps < window.ticks else steps - 1,
        first,
    )


def together(members: list[Member], value: Any) -> Schedule:
    """Schedulers that act on one rate."""
    windows = sorted((member.window.start, member.stop) for member in members)
    ends = itertools.accumulate((stop for _, stop in windows), max)
    overlap = any(start < end for end, (start, _) in zip(ends, windows[1:], strict=False))
    if overlap and all(member.scales for member in members):
        return Product(
            tuple(one_after_another([each], 1.0 if i else value) for i, each in enumerate(members))
        )
    return one_after_another(members, value)


def one_after_another(members: list[Member], value: Any) -> Schedule:
    """Schedulers that act on one rate, cut wherever one begins or stops."""
    stops = [int(each.stop) for each in members if each.stop < math.inf]
    cuts = sorted({0, *(each.window.start for each in members), *stops})
    parts: list[ScheduleLike] = []
    starts: list[int] = []
    settled = False
    for since, until in zip(cuts, [*cuts[1:], math.inf], strict=True):
        active = [each for each in members if each.window.start <= since < each.stop]
        if not active and settled:
            continue
        part, value = _between(active, value, since, until)
        parts.append(part)
        starts.append(since)
        # Whether the part stays at its last rate by itself.
        ended = len(active) < 2 and all(each.length < each.window.ticks for each in active)
        settled = ended or isinstance(part, Table)
    return _builders.joined(parts, starts)


def _between(active: list[Member], value: Any, since: int, until: float) -> tuple[ScheduleLike, Any]:
    """The schedule between two steps, on its own clock, and its last rate."""
    if not active:
        return value, value
    firsts = [value, *[1.0] * (len(active) - 1)]
    for i, each in enumerate(active):
        passed = each.window.passed(since)
        if passed:
            firsts[i] = each.before(firsts[i], passed - 1)
    if None in firsts or (len(active) > 1 and not all(each.scales for each in active)):
        rates = _table(active, value, since, until)
        return Table(rates), rates[-1]
    parts = []
    for each, first in zip(active, firsts, strict=True):
        part = as_schedule("lr", each.curve(first))
        if each.window.every > 1:
            part = per_epoch(part, each.window.every)
        parts.append(part if since == each.window.start else shift(part, each.window.start - since))
    last = 1.0
    if until < math.inf:
        values = (
            each.value(first, each.window.passed(int(until)) - 1)
            for each, first in zip(active, firsts, strict=True)
        )
        last = functools.reduce(lambda a, b: a * b, values)
    return parts[0] if len(parts) == 1 else Product(tuple(parts)), last


def _table(active: list[Member], value: Any, since: int, until: float) -> list[Any]:
    """The rates of schedulers that act together, by MMEngine's recursion."""
    if until - since > LONGEST_TABLE:
        raise ValueError(
            "`schedulers` must follow each other, or only multiply the rate, or act together for at most "
            f"{LONGEST_TABLE} steps, got a common time from step {since} to {until}."
        )
    # An iteration is over before the epoch that it ends. All are called once, in order, when they are built.
    later = sorted(active, key=lambda each: each.window.by_epoch)
    rates = []
    for step in range(since, int(until)):
        for each in later if step else active:
            tick, rest = divmod(step - each.window.start, each.window.every)
            if not rest:
                value = each.advance(value, tick)
        rates.append(value)
    return rates


def check_clock(in_epochs: Iterable[bool]) -> None:
    if len(set(in_epochs)) > 1:
        raise ValueError(
            "`epoch_length` must be given if some schedulers count epochs and others iterations, got None."
        )
