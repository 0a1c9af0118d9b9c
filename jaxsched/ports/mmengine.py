# ruff: noqa: D417, N802, N803 - the module describes the arguments in common; the names are those of the originals.
r"""The parameter schedulers of MMEngine, `mmengine.optim.scheduler`.

A port takes the base rate `lr`, or the base `momentum`, in place of the optimizer. Its step is the number of
calls of the original's `step()`, so the first update is at step 0. All ports take these arguments:

- `begin`: the step at which the scheduler starts, a whole number of at least 0. Before, the rate is `lr`.
- `end`: the step at which it stops, a whole number above `begin`. From then on the rate stays where it is.
  `INF` is no end.
- `by_epoch`: whether the scheduler counts epochs, True by default. The step of a port counts the same,
  unless `epoch_length` is given.
- `convert_to_iter_based`: whether all numbers of epochs are converted to iterations, as in a configuration.
- `epoch_length`: the number of iterations in an epoch, a whole number of at least 1. If it is given, the step
  of a port counts iterations.
- `last_step`: must be -1, and `verbose` must be False.

In the formulas, $t$ is the number of steps since `begin`, $n$ is `end - begin`, and $v$ is the rate before
`begin`: `lr`, or in a list what the schedulers before have left. Rates and factors may be traced; numbers of
steps must be concrete.

Deviations: MMEngine divides by 0 with a `ConstantLR` of `factor=0` or a `LinearLR` of `start_factor=0`; the
ports follow the formulas. For others see the ports.

>>> from jaxsched.ports import mmengine
>>> mmengine.param_scheduler(
...     0.1,
...     [
...         dict(type="LinearLR", start_factor=0.5, by_epoch=True, end=5, convert_to_iter_based=True),
...         dict(type="CosineAnnealingLR", T_max=95, by_epoch=True, begin=5, convert_to_iter_based=True),
...     ],
...     epoch_length=10,
... )
join([Linear(0.05, 0.1, 49), reflect(Cosine(0.1, 0, 950), 1900)], [50])
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec

from jaxsched._core.fields import (
    Number,
    Numbers,
    as_numbers,
    brief,
    checked_flag,
    checked_number,
    describe,
    is_concrete,
)
from jaxsched._core.schedule import Product, Schedule, ScheduleLike, as_schedule
from jaxsched.combinators.clocks import per_epoch, shift
from jaxsched.combinators.cycle import reflect
from jaxsched.combinators.join import join
from jaxsched.plateau import Plateau
from jaxsched.ports._builders import ANNEALINGS, PYTORCH, margins, one_cycle, plateau, polynomial
from jaxsched.ports._checks import NOT_MODELLED, checked, is_known, not_modelled, one_of, over, whole
from jaxsched.ports._config import FromConfig, ignored, section
from jaxsched.presets import multi_step, step_decay
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Exponential
from jaxsched.shapes.levels import Piecewise, Table
from jaxsched.shapes.linear import Linear

INF = int(1e9)
"""The `end` of a scheduler that has none."""

SECTIONS = ("param_scheduler", "optim_wrapper", "train_cfg", "auto_scale_lr")
"""The keys of a configuration that `from_config` reads."""

LONGEST_TABLE = 100_000
"""The most steps in which schedulers may act together without a formula for what they do."""

Arguments = ParamSpec("Arguments")


@dataclasses.dataclass(frozen=True)
class _Window:
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
            return _count(name, value, at_least)
        return _count(f"{name} * epoch_length", _concrete(name, value) * self.times, at_least)


@dataclasses.dataclass(frozen=True)
class _Member:
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
    window: _Window
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


MEMBERS: dict[str, Callable[..., _Member]] = {}
"""The schedulers by the names of their ports."""


def _port(build: Callable[Arguments, _Member]) -> Callable[Arguments, Schedule]:
    """A port from a function that returns its scheduler."""
    MEMBERS[build.__name__] = build

    @functools.wraps(build)
    def port(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Schedule:
        member = build(*args, **kwargs)
        return _one_after_another([member], member.base)

    return port


@_port
def ConstantLR(
    lr: Number,
    factor: Number = 1.0 / 3,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""$v \cdot \text{factor}$, then $v$ from the last step, $n - 1$, on.

    >>> from jaxsched.ports import mmengine
    >>> mmengine.ConstantLR(0.4, factor=0.5, end=5)
    Piecewise([0.2, 0.4], [4])

    Args:
      lr: the base rate.
      factor: from 0 to 1.

    See the module for the other arguments. With $n = 1$ the rate stays at $v \cdot \text{factor}$.

    Source: `ConstantLR` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _constant(checked_number("lr", lr), window, factor)


@_port
def LinearLR(
    lr: Number,
    start_factor: Number = 1.0 / 3,
    end_factor: Number = 1.0,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""A straight line from $v \cdot \text{start\_factor}$ to $v \cdot \text{end\_factor}$ in $n - 1$ steps.

    >>> from jaxsched.ports import mmengine
    >>> mmengine.LinearLR(0.4, start_factor=0.5, end=5)
    Linear(0.2, 0.4, 4)

    Args:
      lr: the base rate.
      start_factor: from 0 to 1.
      end_factor: from 0 to 1.

    See the module for the other arguments. With $n = 1$ the rate stays at $v \cdot \text{start\_factor}$.

    Source: `LinearLR` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _linear(checked_number("lr", lr), window, start_factor, end_factor)


@_port
def ExponentialLR(
    lr: Number,
    gamma: Number,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""$v \cdot \text{gamma}^t$.

    Args:
      lr: the base rate.
      gamma: the factor of each step, at least 0. It is not converted by `convert_to_iter_based`.

    See the module for the other arguments.

    Source: `ExponentialLR` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _exponential(checked_number("lr", lr), window, gamma)


@_port
def StepLR(
    lr: Number,
    step_size: int,
    gamma: Number = 0.1,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""$v \cdot \text{gamma}^{\lfloor t / \text{step\_size} \rfloor}$.

    Args:
      lr: the base rate.
      step_size: the number of steps between cuts, a whole number of at least 1.
      gamma: the factor of each cut, at least 0.

    See the module for the other arguments.

    Source: `StepLR` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _steps(checked_number("lr", lr), window, step_size, gamma)


@_port
def MultiStepLR(
    lr: Number,
    milestones: Numbers,
    gamma: Number = 0.1,
    last_step: int = -1,
    begin: int = 0,
    end: int = INF,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""$v \cdot \text{gamma}^{\#\{m \in \text{milestones}:\ m \le t\}}$, for the milestones below $n$.

    >>> from jaxsched.ports import mmengine
    >>> mmengine.MultiStepLR(0.4, [8, 11], gamma=0.5, end=12)
    Piecewise([0.4, 0.2, 0.1], [8, 11])

    Args:
      lr: the base rate.
      milestones: the steps of the cuts, counted from `begin`: whole numbers of at least 0 in any order. A
        step listed twice cuts twice.
      gamma: the factor of each cut.

    See the module for the other arguments.

    Source: `MultiStepLR` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _multi_steps(checked_number("lr", lr), window, milestones, gamma)


@_port
def PolyLR(
    lr: Number,
    eta_min: Number = 0,
    power: Number = 1.0,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""$\text{eta\_min} + (v - \text{eta\_min}) \, (1 - t / (n - 1))^\text{power}$.

    >>> from jaxsched.ports import mmengine
    >>> mmengine.PolyLR(0.01, eta_min=1e-4, power=0.9, end=160_000, by_epoch=False)
    Polynomial(0.01, 0.0001, 159999, 0.9)

    Args:
      lr: the base rate.
      eta_min: the last rate.
      power: from 0 to 1,000,000; 0 gives a constant.

    See the module for the other arguments. With $n = 1$ the rate stays at $v$.

    Source: `PolyLR` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _poly(checked_number("lr", lr), window, eta_min, power)


@_port
def CosineAnnealingLR(
    lr: Number,
    T_max: int | None = None,
    eta_min: Number | None = None,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    eta_min_ratio: Number | None = None,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""A cosine, which rises again after `T_max`.

    $$f(t) = \text{eta\_min} + (v - \text{eta\_min}) \, \tfrac12 (1 + \cos(\pi t / \text{T\_max}))$$

    It rises to `lr`, not to $v$: after `T_max` the formula has `lr` in place of $v$. With the default
    `T_max`, the last step does not reach `eta_min`, and the rate stays a little above it.

    >>> from jaxsched.ports import mmengine
    >>> mmengine.CosineAnnealingLR(0.1, T_max=99, end=100)
    Cosine(0.1, 0, 99)

    Args:
      lr: the base rate.
      T_max: the step at which the rate is `eta_min`, a whole number of at least 1; $n$ by default or if 0.
      eta_min: the lowest rate, 0 by default.
      eta_min_ratio: the lowest rate as a fraction of `lr`, instead of `eta_min`.

    See the module for the other arguments.

    Source: `CosineAnnealingLR` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _cosine(checked_number("lr", lr), window, T_max, eta_min, eta_min_ratio)


@_port
def CosineRestartLR(
    lr: Number,
    periods: Sequence[int],
    restart_weights: Sequence[Number] = (1,),
    eta_min: Number | None = None,
    eta_min_ratio: Number | None = None,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""One cosine after another. Period $i$ begins at $p_i = \text{lr} \cdot \text{restart\_weights}_i$.

    $$f(t) = \text{eta\_min} + (p_i - \text{eta\_min}) \, \tfrac12
    \left(1 + \cos(\pi t' / \text{periods}_i)\right)$$

    where $t'$ is the number of steps since its begin. No step reaches `eta_min`; after the last period the
    rate stays where it is.

    Args:
      lr: the base rate.
      periods: the number of steps of each period, whole numbers of at least 1.
      restart_weights: a factor for each period.
      eta_min: the lowest rate.
      eta_min_ratio: the lowest rate as a fraction of `lr`. One of both must be given.

    See the module for the other arguments. In a list, the rate that the schedulers before have left does not
    matter.

    Source: `CosineRestartLR` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _restarts(checked_number("lr", lr), window, periods, restart_weights, eta_min, eta_min_ratio)


@_port
def OneCycleLR(
    lr: Number | None = None,
    eta_max: Number = 0,
    total_steps: int | None = None,
    pct_start: Number = 0.3,
    anneal_strategy: str = "cos",
    div_factor: Number = 25.0,
    final_div_factor: Number = 1e4,
    three_phase: bool = False,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    """One cycle: up to `eta_max` and down again, to below the first rate.

    With `N` for `total_steps`, the knots are `eta_max / div_factor` at 0, `eta_max` at `pct_start * N - 1`,
    with three phases `eta_max / div_factor` again at `2 * pct_start * N - 2`, and
    `eta_max / div_factor / final_div_factor` at `N - 1`. Their steps need not be whole numbers.

    >>> from jaxsched.ports import mmengine
    >>> mmengine.OneCycleLR(eta_max=1.0, total_steps=11, pct_start=0.5, anneal_strategy="linear")
    knots([0.04, 1, 4e-06], [0, 4.5, 10])

    Args:
      lr: the base rate, which only matters before `begin`.
      eta_max: the highest rate.
      total_steps: the length of the cycle, a whole number of at least 1; $n$ by default.
      pct_start: the fraction of the cycle in which the rate rises, from 0 to 1.
      anneal_strategy: `"cos"` or `"linear"`.
      div_factor: the highest rate divided by the first, above 0.
      final_div_factor: the first rate divided by the last, above 0.
      three_phase: whether the rate first falls back to the first rate, as fast as it rose, and then to the
        last.

    See the module for the other arguments. In a list, `eta_max / div_factor` is the base rate of the
    schedulers after this one.

    Source: `OneCycleLR` of MMEngine 0.10.7. Deviations: MMEngine extrapolates at step `N` and raises after
    it; here the last rate stays. MMEngine divides by 0 in a phase of length 0; here it is skipped. Of several
    in a list MMEngine uses the rates of the last for all; here each has its own.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    if lr is None:
        if window.begin:
            raise ValueError(f"`lr` must be given, because it is the rate before `begin`, {begin}, got None.")
        lr = eta_max
    lr, peak = checked(lr=lr, eta_max=eta_max)
    steps = window.ticks if total_steps is None else window.steps("total_steps", total_steps, at_least=1)
    rise = checked_number("pct_start", _concrete("pct_start", pct_start), at_least=0, at_most=1) * steps
    shape = one_of("anneal_strategy", anneal_strategy, ANNEALINGS)
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

    return _Member(
        lr,
        window,
        lambda v: one_cycle(values, ends, shape),
        value,
        value,
        lambda x, k: x,
        False,
        INF if steps < window.ticks else steps - 1,
        first,
    )


@_port
def ConstantMomentum(
    momentum: Number,
    factor: Number = 1.0 / 3,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    """`ConstantLR` for the momentum.

    Source: `ConstantMomentum` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _constant(checked_number("momentum", momentum), window, factor)


@_port
def LinearMomentum(
    momentum: Number,
    start_factor: Number = 1.0 / 3,
    end_factor: Number = 1.0,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    """`LinearLR` for the momentum.

    Source: `LinearMomentum` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _linear(checked_number("momentum", momentum), window, start_factor, end_factor)


@_port
def ExponentialMomentum(
    momentum: Number,
    gamma: Number,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    """`ExponentialLR` for the momentum.

    Source: `ExponentialMomentum` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _exponential(checked_number("momentum", momentum), window, gamma)


@_port
def StepMomentum(
    momentum: Number,
    step_size: int,
    gamma: Number = 0.1,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    """`StepLR` for the momentum.

    Source: `StepMomentum` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _steps(checked_number("momentum", momentum), window, step_size, gamma)


@_port
def MultiStepMomentum(
    momentum: Number,
    milestones: Numbers,
    gamma: Number = 0.1,
    last_step: int = -1,
    begin: int = 0,
    end: int = INF,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    """`MultiStepLR` for the momentum.

    Source: `MultiStepMomentum` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _multi_steps(checked_number("momentum", momentum), window, milestones, gamma)


@_port
def PolyMomentum(
    momentum: Number,
    eta_min: Number = 0,
    power: Number = 1.0,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    """`PolyLR` for the momentum.

    Source: `PolyMomentum` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _poly(checked_number("momentum", momentum), window, eta_min, power)


@_port
def CosineAnnealingMomentum(
    momentum: Number,
    T_max: int | None = None,
    eta_min: Number | None = None,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    eta_min_ratio: Number | None = None,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    """`CosineAnnealingLR` for the momentum.

    Source: `CosineAnnealingMomentum` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _cosine(checked_number("momentum", momentum), window, T_max, eta_min, eta_min_ratio)


@_port
def CosineRestartMomentum(
    momentum: Number,
    periods: Sequence[int],
    restart_weights: Sequence[Number] = (1,),
    eta_min: Number | None = None,
    eta_min_ratio: Number | None = None,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    """`CosineRestartLR` for the momentum.

    Source: `CosineRestartMomentum` of MMEngine 0.10.7.
    """
    window = _window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _restarts(
        checked_number("momentum", momentum), window, periods, restart_weights, eta_min, eta_min_ratio
    )


def param_scheduler(
    lr: Number,
    schedulers: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    epoch_length: int | None = None,
) -> Schedule:
    """The `param_scheduler` of a configuration: schedulers that act on one rate.

    At each step, every scheduler that is between its `begin` and its `end` changes the rate that the one
    before it left. What they do to it depends on the last rate, not on `lr`:

    - Schedulers that follow each other continue: each begins at the rate that the one before left.
    - Schedulers that act at the same time and only multiply, such as a warmup and a `MultiStepLR`, give the
      product.
    - Otherwise their common steps are a table.

    A warmup and a step decay, as in the 1x schedule of MMDetection with 7,330 iterations an epoch:

    >>> from jaxsched.ports import mmengine
    >>> schedule = mmengine.param_scheduler(
    ...     0.02,
    ...     [
    ...         dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=500),
    ...         dict(type="MultiStepLR", begin=0, end=12, by_epoch=True, milestones=[8, 11], gamma=0.1),
    ...     ],
    ...     epoch_length=7330,
    ... )
    >>> [round(float(schedule(step)), 5) for step in (0, 499, 8 * 7330 - 1, 8 * 7330, 11 * 7330)]
    [2e-05, 0.02, 0.02, 0.002, 0.0002]

    Args:
      lr: the base rate, or the base momentum if the schedulers are for the momentum.
      schedulers: the arguments of a port and its name as `type`, or a list of them.
      epoch_length: the number of iterations in an epoch, needed if only some of the schedulers count epochs,
        or if one has `convert_to_iter_based=True`. If it is given, the step of the schedule counts
        iterations. Otherwise the step counts what the schedulers count.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: a scheduler is not known, an argument is outside its range, or `epoch_length` is missing.

    Source: `Runner.build_param_scheduler` and `ParamSchedulerHook` of MMEngine 0.10.7. An `end` is `INF`
    by default, as in the schedulers; `from_config` has the default of the runner.
    """
    (lr,) = checked(lr=lr)
    given = [schedulers] if isinstance(schedulers, Mapping) else schedulers
    if not isinstance(given, list | tuple) or not given:
        raise TypeError(f"`schedulers` must be a dict or a list of dicts, got {describe(schedulers)}.")
    members: list[_Member] = []
    base, families = lr, set()
    for i, each in enumerate(given):
        name, arguments = _split(f"schedulers[{i}]", each)
        families.add(name.endswith("Momentum"))
        if len(families) > 1:
            raise ValueError(
                f"`schedulers` must all change the rate, or all the momentum, got {name!r} at index {i} "
                f"after {given[0]['type']!r}."
            )
        arguments.setdefault("epoch_length", epoch_length)
        members.append(_call(f"schedulers[{i}]", MEMBERS[name], base, arguments))
        base = members[-1].initial
    _check_clock(member.window.in_epochs for member in members)
    return _together(members, lr)


def from_config(config: Mapping[str, Any], epoch_length: int | None = None) -> FromConfig:
    """The schedules of a configuration of MMEngine, MMDetection, MMPretrain, MMSegmentation and others.

    | key                                   | use                                                      |
    |---------------------------------------|----------------------------------------------------------|
    | `param_scheduler`                     | a dict or a list of dicts, see `param_scheduler`         |
    | `optim_wrapper.optimizer.lr`          | the base rate                                            |
    | `optim_wrapper.optimizer.momentum`    | the base momentum, for a scheduler of the momentum       |
    | `optim_wrapper.optimizer.betas`       | its first entry is the momentum if there is no other     |
    | `train_cfg.max_epochs`, `.max_iters`  | the default `end` of schedulers that count epochs, iterations |
    | `auto_scale_lr.enable`                | must not be True: pass the scaled rate as `lr`           |

    The names `lr` and `base_lr` at the top, which MMEngine does not read, are ignored. A `ReduceOnPlateauLR`
    becomes the rule `plateau`.

    >>> from jaxsched.ports import mmengine
    >>> made = mmengine.from_config(
    ...     dict(
    ...         optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9)),
    ...         param_scheduler=dict(type="MultiStepLR", by_epoch=True, milestones=[30, 60, 90], gamma=0.5),
    ...         train_cfg=dict(by_epoch=True, max_epochs=100, val_interval=1),
    ...     )
    ... )
    >>> made.learning_rate
    Piecewise([0.1, 0.05, 0.025, 0.0125], [30, 60, 90])

    Args:
      config: the configuration.
      epoch_length: the number of iterations in an epoch, `len(runner.train_dataloader)`, needed as in
        `param_scheduler`. If it is given, the step of the schedules counts iterations.

    Raises:
      TypeError: a part of the configuration is of the wrong type.
      ValueError: a key is missing, is refused, or has a value outside its range.
    """
    config = section(config)
    wrapper = section(_entry(config, "optim_wrapper"), "optim_wrapper")
    optimizer = section(_entry(wrapper, "optimizer", "optim_wrapper."), "optim_wrapper.optimizer")
    loop = section(config.get("train_cfg") or {}, "train_cfg")
    scaling = section(config.get("auto_scale_lr") or {}, "auto_scale_lr")
    if scaling.get("enable"):
        raise ValueError(
            "`auto_scale_lr.enable` must be False, got True: the rate then depends on the number of GPUs. "
            "Multiply `optim_wrapper.optimizer.lr` by the batch size over `auto_scale_lr.base_batch_size`."
        )
    given = config.get("param_scheduler") or []
    given = [given] if isinstance(given, Mapping) and "type" in given else given
    if not isinstance(given, list | tuple):
        raise TypeError(
            f"`param_scheduler` must be a dict with a `type`, or a list of them, got {describe(given)}. "
            "If it has a list for each of several optimizers, call `from_config` with one at a time."
        )
    ends = _default_ends(loop, epoch_length)
    groups: dict[str, list[dict[str, Any]]] = {"lr": [], "momentum": [], "plateau": []}
    for i, each in enumerate(given):
        name, arguments = _split(f"param_scheduler[{i}]", each, plateaus=True)
        group = "plateau" if name == "ReduceOnPlateauLR" else "momentum" if name[-2:] != "LR" else "lr"
        by_epoch = arguments.get("by_epoch", True)
        if "end" not in arguments and group != "plateau" and by_epoch in ends:
            arguments["end"] = ends[by_epoch]
            if arguments["end"] is None:
                raise ValueError(
                    f"`epoch_length` must be given, because `param_scheduler[{i}].end` is the last "
                    "iteration, got None."
                )
        groups[group].append({"type": name, **arguments})
    if epoch_length is None:
        _check_clock(each.get("by_epoch", True) for each in [*groups["lr"], *groups["momentum"]])
    (lr,) = checked(**{"optim_wrapper.optimizer.lr": _entry(optimizer, "lr", "optim_wrapper.optimizer.")})
    used = {"lr"}
    momentum = rule = None
    if groups["momentum"]:
        key = "momentum" if "momentum" in optimizer else "betas"
        used.add(key)
        base = _entry(optimizer, key, "optim_wrapper.optimizer.")
        momentum = param_scheduler(base if key == "momentum" else base[0], groups["momentum"], epoch_length)
    if groups["plateau"]:
        if len(groups["plateau"]) > 1:
            raise ValueError("`param_scheduler` must have at most one 'ReduceOnPlateauLR', got several.")
        arguments = {key: value for key, value in groups["plateau"][0].items() if key != "type"}
        rule = _call("param_scheduler", ReduceOnPlateauLR, lr, arguments)
    rate = param_scheduler(lr, groups["lr"], epoch_length) if groups["lr"] else as_schedule("lr", lr)
    others = (
        *ignored(
            config, {"param_scheduler", "optim_wrapper", "train_cfg", "auto_scale_lr"}, {"base_lr", "lr"}
        ),
        *ignored(wrapper, {"optimizer"}, path="optim_wrapper."),
        *ignored(optimizer, used, path="optim_wrapper.optimizer."),
        *ignored(loop, {"max_epochs", "max_iters"}, path="train_cfg."),
    )
    return FromConfig(rate, others, momentum=momentum, plateau=rule)


def ReduceOnPlateauLR(
    lr: Number,
    monitor: str = "loss",
    rule: str = "less",
    factor: Number = 0.1,
    patience: Number = 10,
    threshold: Number = 1e-4,
    threshold_rule: str = "rel",
    cooldown: Number = 0,
    min_value: Any = 0.0,
    eps: Number = 1e-8,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
) -> Any:
    """A rule for `jaxsched.scale_by_plateau`, which scales any schedule when a metric stops improving.

    It follows PyTorch's plateau. As there, a relative threshold is a fraction of the best metric itself.

    Args:
      lr: the base rate, above 0, relative to which `min_value` and `eps` are taken.
      monitor: the name of the metric, which changes nothing: observe that metric.
      rule: "less" for a metric to minimise, "greater" for one to maximise.
      factor: the factor of each cut, at least 0 and below 1.
      patience: the number of observations without improvement that are tolerated.
      threshold: the margin of an improvement, at least 0.
      threshold_rule: "rel" or "abs".
      cooldown: the number of observations after a cut that do not count as bad.
      min_value: the floor of the rate, or a list of them.
      eps: a cut by this much or less is not made.
      begin: must be 0. Do not observe the metric before.
      end: must be `INF`. Do not observe the metric from then on.
      last_step: must be -1.
      by_epoch: must be True.
      verbose: must be False.

    Returns:
      A `Plateau`, or a list of them if `min_value` is a list.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside its range.

    Source: `ReduceOnPlateauLR` of MMEngine 0.10.7. Deviation: MMEngine's first best metric is 1e9 or -1e9, so
    a loss above that is no improvement; here it is infinite.
    """
    _check_rule(monitor, begin, end, last_step, by_epoch, verbose)
    limits = _limits(rule, factor, patience, threshold, threshold_rule, cooldown)
    return _plateaus(checked_number("lr", lr), min_value, eps, limits)


def ReduceOnPlateauMomentum(
    momentum: Number,
    monitor: str = "loss",
    rule: str = "less",
    factor: Number = 0.1,
    patience: Number = 10,
    threshold: Number = 1e-4,
    threshold_rule: str = "rel",
    cooldown: Number = 0,
    min_value: Any = 0.0,
    eps: Number = 1e-8,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
) -> Any:
    """`ReduceOnPlateauLR` for the momentum: its scale is the factor of `momentum`.

    Source: `ReduceOnPlateauMomentum` of MMEngine 0.10.7.
    """
    _check_rule(monitor, begin, end, last_step, by_epoch, verbose)
    limits = _limits(rule, factor, patience, threshold, threshold_rule, cooldown)
    return _plateaus(checked_number("momentum", momentum), min_value, eps, limits)


def _check_rule(monitor: Any, begin: Any, end: Any, last_step: Any, by_epoch: Any, verbose: Any) -> None:
    if not isinstance(monitor, str):
        raise TypeError(f"`monitor` must be the name of a metric, got {describe(monitor)}.")
    if not is_known(begin, 0) or not is_known(end, INF):
        raise ValueError(
            f"`begin` and `end` must be 0 and {INF}, got {brief(begin)} and {brief(end)}: a rule does not "
            "count epochs. Observe the metric only in these epochs."
        )
    _check_start(last_step, verbose)
    if not checked_flag("by_epoch", by_epoch):
        raise ValueError("`by_epoch` must be True, got False: a metric is measured after an epoch.")


def _limits(
    rule: Any, factor: Any, patience: Any, threshold: Any, threshold_rule: Any, cooldown: Any
) -> dict[str, Any]:
    """When a plateau cuts, and by how much."""
    one_of("threshold_rule", threshold_rule, {"rel": None, "abs": None})
    return {
        "mode": one_of("rule", rule, {"less": "min", "greater": "max"}),
        "factor": factor,
        "patience": patience,
        "cooldown": cooldown,
        **margins(threshold, threshold_rule),
    }


def _plateaus(base: Any, min_value: Any, eps: Any, limits: dict[str, Any]) -> Any:
    """A plateau, or one for each of several lowest rates."""
    eps = checked_number("eps", eps, at_least=0)

    def one(least: Any) -> Plateau:
        floor = checked_number("min_value", least, at_least=0)
        return plateau(base, PYTORCH, min_lr=floor, eps=eps, **limits)

    return [one(each) for each in min_value] if isinstance(min_value, list | tuple) else one(min_value)


def _check_start(last_step: Any, verbose: Any) -> None:
    if not is_known(last_step, -1):
        _, instead = NOT_MODELLED["last_epoch"]
        raise ValueError(f"`last_step` must be -1, got {brief(last_step)}: {instead}.")
    not_modelled(verbose=verbose)


def _concrete(name: str, value: Any) -> Any:
    if not is_concrete(value):
        raise TypeError(
            f"`{name}` must be concrete, got a traced number: the parts of the schedule depend on it."
        )
    return value


def _count(name: str, value: Any, at_least: int) -> int:
    return int(whole(name, _concrete(name, value), at_least=at_least))


def _window(
    begin: Any,
    end: Any,
    last_step: Any,
    by_epoch: Any,
    verbose: Any,
    convert_to_iter_based: Any,
    epoch_length: Any,
) -> _Window:
    _check_start(last_step, verbose)
    by_epoch = checked_flag("by_epoch", by_epoch)
    length = None if epoch_length is None else _count("epoch_length", epoch_length, at_least=1)
    times = every = 1
    if checked_flag("convert_to_iter_based", convert_to_iter_based):
        if not by_epoch:
            raise ValueError("`by_epoch` must be True with `convert_to_iter_based`, got False.")
        if length is None:
            raise ValueError("`epoch_length` must be given with `convert_to_iter_based`, got None.")
        begin = int(checked_number("begin", _concrete("begin", begin)) * length)
        if not is_known(_concrete("end", end), INF):
            end = int(checked_number("end", end) * length)
        by_epoch, times = False, length
    elif by_epoch and length is not None:
        every = length
    first, last = _count("begin", begin, at_least=0), min(_count("end", end, at_least=1), INF)
    if last <= first:
        raise ValueError(f"`end` must be above `begin`, {first}, got {last}.")
    return _Window(first, last, every, times, by_epoch and length is None, by_epoch)


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


def _scaling(
    lr: Any,
    window: _Window,
    curve: Callable[[Any], ScheduleLike],
    weight: Callable[[int], Any],
    floor: Any = 0.0,
    length: int = INF,
) -> _Member:
    """A scheduler that multiplies the distance of the rate from a floor, in total by `weight(k)`."""

    def value(v: Any, k: int) -> Any:
        return v * weight(k) if is_known(floor, 0) else floor + (v - floor) * weight(k)

    def advance(x: Any, k: int) -> Any:
        last = weight(k - 1) if k else 1.0
        return floor + (x - floor) * (0.0 if is_known(last, 0) else weight(k) / last)

    def before(x: Any, k: int) -> Any:
        return None if is_known(weight(k), 0) else floor + (x - floor) / weight(k)

    return _Member(lr, window, curve, value, advance, before, is_known(floor, 0), length, lr)


def _cutting(
    lr: Any,
    window: _Window,
    curve: Callable[[Any], ScheduleLike],
    gamma: Any,
    count: Callable[[int], int],
    length: int = INF,
) -> _Member:
    """A scheduler that has multiplied the rate by `gamma` `count(k)` times."""
    scaling = _scaling(lr, window, curve, lambda k: gamma ** count(k), length=length)

    def advance(x: Any, k: int) -> Any:
        # Not by a quotient of two weights: after a factor of 0 both are 0.
        return x * gamma ** (count(k) - (count(k - 1) if k else 0))

    return dataclasses.replace(scaling, advance=advance)


def _constant(lr: Any, window: _Window, factor: Any) -> _Member:
    factor = checked_number("factor", factor, at_least=0, at_most=1)
    last = window.ticks - 1
    if not last:
        return _scaling(lr, window, lambda v: v * factor, lambda k: factor, length=0)
    return _scaling(
        lr,
        window,
        lambda v: Piecewise([v * factor, v], [last]),
        lambda k: 1.0 if k >= last else factor,
        length=last,
    )


def _linear(lr: Any, window: _Window, start_factor: Any, end_factor: Any) -> _Member:
    first = checked_number("start_factor", start_factor, at_least=0, at_most=1)
    last = checked_number("end_factor", end_factor, at_least=0, at_most=1)
    steps = window.ticks - 1
    if not steps:
        return _scaling(lr, window, lambda v: v * first, lambda k: first, length=0)
    return _scaling(
        lr,
        window,
        lambda v: Linear(v * first, v * last, steps),
        lambda k: first * ((steps - k) / steps) + last * (k / steps),
        length=steps,
    )


def _exponential(lr: Any, window: _Window, gamma: Any) -> _Member:
    gamma = checked_number("gamma", gamma, at_least=0)
    return _cutting(lr, window, lambda v: Exponential(v, gamma), gamma, lambda k: k)


def _steps(lr: Any, window: _Window, step_size: Any, gamma: Any) -> _Member:
    steps = window.steps("step_size", step_size, at_least=1)
    gamma = checked_number("gamma", gamma, at_least=0)
    if window.ticks <= steps:
        return _cutting(lr, window, lambda v: v, gamma, lambda k: 0, length=0)
    return _cutting(lr, window, lambda v: step_decay(v, gamma, steps), gamma, lambda k: k // steps)


def _multi_steps(lr: Any, window: _Window, milestones: Any, gamma: Any) -> _Member:
    given = as_numbers("milestones", _concrete("milestones", milestones)).tolist()
    every = sorted(window.steps(f"milestones[{i}]", each, at_least=0) for i, each in enumerate(given))
    cuts = [each for each in every if each < window.ticks]
    gamma = checked_number("gamma", gamma)
    return _cutting(
        lr,
        window,
        lambda v: multi_step(v, gamma, cuts) if cuts else v,
        gamma,
        lambda k: bisect.bisect_right(cuts, k),
        length=cuts[-1] if cuts else 0,
    )


def _poly(lr: Any, window: _Window, eta_min: Any, power: Any) -> _Member:
    (eta_min,) = checked(eta_min=eta_min)
    power = checked_number("power", power, at_least=0, at_most=1e6)
    steps = window.ticks - 1
    if not steps:
        return _scaling(lr, window, lambda v: v, lambda k: 1.0, eta_min, length=0)
    return _scaling(
        lr,
        window,
        lambda v: polynomial(v, eta_min, steps, power),
        lambda k: ((steps - k) / steps) ** power,
        eta_min,
        length=steps,
    )


def _cosine(lr: Any, window: _Window, T_max: Any, eta_min: Any, eta_min_ratio: Any) -> _Member:
    floor = _lowest(lr, 0.0 if eta_min is None and eta_min_ratio is None else eta_min, eta_min_ratio)
    steps = window.ticks
    if T_max is not None and not is_known(T_max, 0):
        steps = window.steps("T_max", T_max, at_least=1)
    rises = window.ticks - 1 > steps

    def curve(v: Any) -> Schedule:
        fall = Cosine(v, floor, steps)
        if not rises:
            return fall
        if is_concrete(v, lr) and v == lr:
            return reflect(fall, 2 * steps)
        wave = reflect(Cosine(lr, floor, steps), 2 * steps)
        return join([fall, shift(wave, -steps)], [steps])

    def weight(k: int) -> float:
        return math.cos(math.pi * k / (2 * steps)) ** 2

    falling = _scaling(lr, window, curve, weight, floor, length=INF if rises else steps)

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


def _restarts(
    lr: Any, window: _Window, periods: Any, restart_weights: Any, eta_min: Any, eta_min_ratio: Any
) -> _Member:
    floor = _lowest(lr, eta_min, eta_min_ratio)
    given = as_numbers("periods", _concrete("periods", periods)).tolist()
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

    return _Member(lr, window, curve, value, advance, lambda x, k: None, False, ends[-1] - 1, lr)


def _together(members: list[_Member], value: Any) -> Schedule:
    """Schedulers that act on one rate."""
    windows = sorted((member.window.start, member.stop) for member in members)
    ends = itertools.accumulate((stop for _, stop in windows), max)
    overlap = any(start < end for end, (start, _) in zip(ends, windows[1:], strict=False))
    if overlap and all(member.scales for member in members):
        return Product(
            tuple(_one_after_another([each], 1.0 if i else value) for i, each in enumerate(members))
        )
    return _one_after_another(members, value)


def _one_after_another(members: list[_Member], value: Any) -> Schedule:
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
    return join(parts, starts[1:]) if len(parts) > 1 else as_schedule("lr", parts[0])


def _between(active: list[_Member], value: Any, since: int, until: float) -> tuple[ScheduleLike, Any]:
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


def _table(active: list[_Member], value: Any, since: int, until: float) -> list[Any]:
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


def _check_clock(in_epochs: Iterable[bool]) -> None:
    if len(set(in_epochs)) > 1:
        raise ValueError(
            "`epoch_length` must be given if some schedulers count epochs and others iterations, got None."
        )


def _split(name: str, scheduler: Any, plateaus: bool = False) -> tuple[str, dict[str, Any]]:
    """The name of a scheduler in a configuration, and its arguments."""
    arguments = dict(section(scheduler, name))
    kind = arguments.pop("type", None)
    kind = getattr(kind, "__name__", kind)
    kind = kind.removeprefix("mmengine.") if isinstance(kind, str) else kind
    if isinstance(kind, str) and kind.startswith("ReduceOnPlateau") and not (plateaus and kind[-2:] == "LR"):
        raise ValueError(
            f"`{name}.type` must name a function of the step, got {kind!r}, which follows a metric: use the "
            "rule `jaxsched.ports.mmengine.ReduceOnPlateauLR`."
        )
    one_of(f"{name}.type", kind, dict.fromkeys([*MEMBERS, *["ReduceOnPlateauLR"] * plateaus]))
    return kind, arguments


def _call(name: str, function: Callable[..., Any], base: Any, arguments: Mapping[str, Any]) -> Any:
    """A scheduler of a configuration, with its arguments after the base rate."""
    _, *parameters = inspect.signature(function).parameters.values()
    known = [each.name for each in parameters]
    for key in arguments:
        if key not in known:
            raise ValueError(f"`{name}` must have only these arguments, {known}, got {key!r}.")
    for each in parameters:
        if each.default is each.empty and each.name not in arguments:
            raise ValueError(f"`{name}.{each.name}` must be given, got {brief(dict(arguments))}.")
    return function(base, **arguments)


def _entry(config: Mapping[str, Any], key: str, path: str = "") -> Any:
    if key not in config:
        raise ValueError(f"`{path}{key}` must be given, got only {list(config)}.")
    return config[key]


def _default_ends(loop: Mapping[str, Any], epoch_length: int | None) -> dict[Any, int | None]:
    """The default `end` of schedulers, by whether they count epochs."""
    if loop.get("max_epochs") is not None:
        epochs = _count("train_cfg.max_epochs", loop["max_epochs"], at_least=1)
        iterations = None if epoch_length is None else epochs * _count("epoch_length", epoch_length, 1)
        return {True: epochs, False: iterations}
    if loop.get("max_iters") is not None:
        # For MMEngine such a run is one epoch.
        return {True: 1, False: _count("train_cfg.max_iters", loop["max_iters"], at_least=1)}
    return {}
