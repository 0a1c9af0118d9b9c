# ruff: noqa: D417, N802, N803, N806 - the module describes the arguments in common; the names are those of the originals.
"""The schedulers of PyTorch, `torch.optim.lr_scheduler` and `torch.optim.swa_utils`.

A port takes the base rate `lr` in place of the optimizer. Its step is the original's `last_epoch`, the
number of calls of `step()` so far. The argument `last_epoch` must be -1: to resume a run, call the schedule
with the step of the whole run. If an argument is a list with an entry for each parameter group, the port
returns a list of schedules, for the labels of `jaxsched.scale_by_learning_rate`.

>>> import jaxsched as js
>>> from jaxsched.ports import torch
>>> torch.StepLR(0.1, step_size=30)
staircase(Exponential(0.1, 0.1, 30), 30)
>>> body, head = torch.LambdaLR(0.1, [lambda step: 0.5**step, lambda step: 1 / (1 + step)])
>>> groups = js.scale_by_learning_rate(
...     {"body": body, "head": head}, param_labels={"dense": "body", "out": "head"}
... )
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from jaxsched._core.fields import Number, Numbers, brief, checked_flag, checked_number, is_concrete
from jaxsched._core.schedule import Lambda, Product, Schedule, ScheduleLike, Sum, as_schedule, as_schedules
from jaxsched.combinators.clocks import shift
from jaxsched.combinators.cycle import cycle, reflect
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import knots
from jaxsched.plateau import Plateau
from jaxsched.ports._builders import (
    ANNEALINGS,
    PYTORCH,
    margins,
    one_cycle,
    plateau,
    polynomial,
    running_product,
    step_function,
    triangles,
)
from jaxsched.ports._checks import checked, is_known, not_modelled, one_of, over, whole, whole_steps
from jaxsched.presets import multi_step, step_decay
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Exponential
from jaxsched.shapes.levels import Piecewise
from jaxsched.shapes.linear import Linear

Factor: TypeAlias = Callable[[Any], Any]
"""A user's function of a number of steps."""


def LambdaLR(
    lr: Number | Sequence[Number],
    lr_lambda: Factor | Sequence[Factor],
    last_epoch: int = -1,
    *,
    total_steps: int | None = None,
) -> Any:
    """`lr * lr_lambda(t)`.

    >>> from jaxsched.ports import torch
    >>> torch.LambdaLR(0.1, lambda step: min(1.0, (step + 1) / 4), total_steps=5)
    0.1 * Table([0.25, 0.5, 0.75, 1, 1])

    Args:
      lr: the base rate, or a list of them.
      lr_lambda: a function of the step, or a list of them. It is traced, as in `jaxsched.Lambda`, unless
        `total_steps` is given.
      total_steps: if given, tabulate `lr_lambda` over this many steps instead. It is then called with Python
        integers from 0 on, and the last value stays.

    Source: `LambdaLR` of PyTorch 2.13.
    """
    not_modelled(last_epoch=last_epoch)
    return _each_group(
        lambda lr, lr_lambda: checked_number("lr", lr) * step_function("lr_lambda", lr_lambda, total_steps),
        lr=lr,
        lr_lambda=lr_lambda,
    )


def MultiplicativeLR(
    lr: Number | Sequence[Number],
    lr_lambda: Factor | Sequence[Factor],
    last_epoch: int = -1,
    *,
    total_steps: int,
) -> Any:
    r"""$\text{lr} \prod_{i=1}^{t} \text{lr\_lambda}(i)$, as a table.

    >>> from jaxsched.ports import torch
    >>> torch.MultiplicativeLR(0.1, lambda step: 0.5, total_steps=4)
    0.1 * Table([1, 0.5, 0.25, 0.125])

    Args:
      lr: the base rate, or a list of them.
      lr_lambda: a function of the step, called with Python integers from 1 on, or a list of them.
      total_steps: the number of steps to tabulate.

    Source: `MultiplicativeLR` of PyTorch 2.13. Deviation: after `total_steps` the last value stays.
    """
    not_modelled(last_epoch=last_epoch)
    return _each_group(
        lambda lr, lr_lambda: checked_number("lr", lr) * running_product("lr_lambda", lr_lambda, total_steps),
        lr=lr,
        lr_lambda=lr_lambda,
    )


def StepLR(lr: Number, step_size: Number, gamma: Number = 0.1, last_epoch: int = -1) -> Schedule:
    r"""$\text{lr} \cdot \text{gamma}^{\lfloor t / \text{step\_size} \rfloor}$.

    >>> from jaxsched.ports import torch
    >>> torch.StepLR(0.3, 4, 0.5)
    staircase(Exponential(0.3, 0.5, 4), 4)

    Args:
      lr: the base rate.
      step_size: the number of steps between cuts, a whole number of at least 1.
      gamma: the factor, at least 0.

    Source: `StepLR` of PyTorch 2.13.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    gamma = checked_number("gamma", gamma, at_least=0)
    return step_decay(lr, gamma, whole("step_size", step_size, at_least=1))


def MultiStepLR(lr: Number, milestones: Numbers, gamma: Number = 0.1, last_epoch: int = -1) -> Schedule:
    r"""$\text{lr} \cdot \text{gamma}^{\#\{m \in \text{milestones}:\ m \le t\}}$.

    >>> from jaxsched.ports import torch
    >>> torch.MultiStepLR(0.4, [15, 30], gamma=0.5)
    Piecewise([0.4, 0.2, 0.1], [15, 30])

    Args:
      lr: the base rate.
      milestones: the steps of the cuts, whole numbers of at least 0 in any order. A step listed twice cuts
        twice.
      gamma: the factor.

    Source: `MultiStepLR` of PyTorch 2.13.
    """
    not_modelled(last_epoch=last_epoch)
    lr, gamma = checked(lr=lr, gamma=gamma)
    steps = whole_steps("milestones", milestones, ascending=False, at_least=0)
    return multi_step(lr, gamma, sorted(steps.tolist()) if is_concrete(steps) else steps)


def ConstantLR(
    lr: Number, factor: Number = 1.0 / 3, total_iters: Number = 5, last_epoch: int = -1
) -> Schedule:
    """`lr * factor` before step `total_iters`, then `lr`.

    >>> from jaxsched.ports import torch
    >>> torch.ConstantLR(0.4, factor=0.5, total_iters=4)
    Piecewise([0.2, 0.4], [4])

    Args:
      lr: the base rate.
      factor: from 0 to 1.
      total_iters: a whole number of at least 0.

    Source: `ConstantLR` of PyTorch 2.13. Deviations: with `total_iters=0` PyTorch stays at `lr * factor`;
    with `factor=0` it raises `ZeroDivisionError` at `total_iters`.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    factor = checked_number("factor", factor, at_least=0, at_most=1)
    return Piecewise([lr * factor, lr], [whole("total_iters", total_iters, at_least=0)])


def LinearLR(
    lr: Number,
    start_factor: Number = 1.0 / 3,
    end_factor: Number = 1.0,
    total_iters: Number = 5,
    last_epoch: int = -1,
) -> Schedule:
    """A straight line from `lr * start_factor` to `lr * end_factor` over `total_iters` steps.

    >>> from jaxsched.ports import torch
    >>> torch.LinearLR(0.4, start_factor=0.5, total_iters=4)
    Linear(0.2, 0.4, 4)

    Args:
      lr: the base rate.
      start_factor: above 0 and at most 1.
      end_factor: from 0 to 1.
      total_iters: a whole number of at least 0.

    Source: `LinearLR` of PyTorch 2.13. Deviation: with `total_iters=0` PyTorch stays at `lr * start_factor`.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    start_factor = checked_number("start_factor", start_factor, above=0, at_most=1)
    end_factor = checked_number("end_factor", end_factor, at_least=0, at_most=1)
    return Linear(lr * start_factor, lr * end_factor, whole("total_iters", total_iters, at_least=0))


def ExponentialLR(lr: Number, gamma: Number, last_epoch: int = -1) -> Schedule:
    r"""$\text{lr} \cdot \text{gamma}^t$.

    >>> from jaxsched.ports import torch
    >>> torch.ExponentialLR(0.4, gamma=0.5)
    Exponential(0.4, 0.5)

    Args:
      lr: the base rate.
      gamma: the factor, at least 0.

    Source: `ExponentialLR` of PyTorch 2.13.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    return Exponential(lr, checked_number("gamma", gamma, at_least=0))


def PolynomialLR(lr: Number, total_iters: Number = 5, power: Number = 1.0, last_epoch: int = -1) -> Schedule:
    r"""$\text{lr} \, (1 - \min(t / \text{total\_iters}, 1))^\text{power}$.

    >>> from jaxsched.ports import torch
    >>> torch.PolynomialLR(0.4, total_iters=4, power=2.0)
    Polynomial(0.4, 0, 4, 2)

    Args:
      lr: the base rate.
      total_iters: a whole number of at least 0.
      power: from 0 to 1,000,000; 0 gives a constant.

    Source: `PolynomialLR` of PyTorch 2.13. Deviation: with `total_iters=0` PyTorch stays at `lr`.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    return polynomial(lr, 0.0, whole("total_iters", total_iters, at_least=0), power)


def CyclicLR(
    base_lr: Number | Sequence[Number],
    max_lr: Number | Sequence[Number],
    step_size_up: Number = 2000,
    step_size_down: Number | None = None,
    mode: str = "triangular",
    gamma: Number = 1.0,
    scale_fn: Factor | None = None,
    scale_mode: str = "cycle",
    cycle_momentum: bool = True,
    base_momentum: Number | Sequence[Number] = 0.8,
    max_momentum: Number | Sequence[Number] = 0.9,
    last_epoch: int = -1,
    *,
    total_steps: int | None = None,
) -> Any:
    r"""Triangles from `base_lr` to `max_lr` and back.

    With $h$ the height of the triangle, from 0 to 1, in the cycles $k = 1, 2, \dots$,

    $$f(t) = \text{base\_lr} + (\text{max\_lr} - \text{base\_lr}) \, h(t) \cdot s, \quad
    s = 1,\ 2^{1 - k},\ \text{gamma}^t,\ \text{scale\_fn}(k) \text{ or } \text{scale\_fn}(t)$$

    Args:
      base_lr: the lower rate, or a list of them.
      max_lr: the upper rate, or a list of them.
      step_size_up: the number of steps up, above 0.
      step_size_down: the number of steps down, at least 0; `step_size_up` by default.
      mode: `"triangular"`, `"triangular2"` or `"exp_range"`: the first three $s$, in this order.
      gamma: the factor per step of `"exp_range"`, at least 0.
      scale_fn: a function that replaces the mode. It is traced, as in `jaxsched.Lambda`, unless `total_steps`
        is given.
      scale_mode: the argument of `scale_fn`: the `"cycle"`, from 1, or the `"iterations"`, from 0.
      cycle_momentum: not used; see `CyclicLRMomentum` for the momentum.
      base_momentum: not used.
      max_momentum: not used.
      total_steps: if given, tabulate `scale_fn` over this many steps instead. It is then called with Python
        integers, and the last value stays.

    Source: `CyclicLR` of PyTorch 2.13.
    """
    not_modelled(last_epoch=last_epoch)
    shape = (step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode, total_steps)
    return _cyclic({"base_lr": base_lr, "max_lr": max_lr}, *shape)


def CyclicLRMomentum(
    base_lr: Number | Sequence[Number],
    max_lr: Number | Sequence[Number],
    step_size_up: Number = 2000,
    step_size_down: Number | None = None,
    mode: str = "triangular",
    gamma: Number = 1.0,
    scale_fn: Factor | None = None,
    scale_mode: str = "cycle",
    cycle_momentum: bool = True,
    base_momentum: Number | Sequence[Number] = 0.8,
    max_momentum: Number | Sequence[Number] = 0.9,
    last_epoch: int = -1,
    *,
    total_steps: int | None = None,
) -> Any:
    """The momentum that goes with `CyclicLR`: it falls while the rate rises, and rises while it falls.

    The formula is that of `CyclicLR`, from `max_momentum` to `base_momentum` and back.

    Args:
      base_lr: not used.
      max_lr: not used.
      step_size_up: the number of steps in which the momentum falls, above 0.
      step_size_down: the number of steps in which it rises, at least 0; `step_size_up` by default.
      mode: see `CyclicLR`.
      gamma: see `CyclicLR`.
      scale_fn: see `CyclicLR`.
      scale_mode: see `CyclicLR`.
      cycle_momentum: must be True; otherwise PyTorch leaves the momentum alone.
      base_momentum: the lower momentum, or a list of them.
      max_momentum: the upper momentum, at which each cycle begins, or a list of them.
      total_steps: see `CyclicLR`.

    Source: `CyclicLR` of PyTorch 2.13.
    """
    not_modelled(last_epoch=last_epoch)
    _cycles_momentum(cycle_momentum)
    shape = (step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode, total_steps)
    return _cyclic({"max_momentum": max_momentum, "base_momentum": base_momentum}, *shape)


def OneCycleLR(
    max_lr: Number | Sequence[Number],
    total_steps: Number | None = None,
    epochs: Number | None = None,
    steps_per_epoch: Number | None = None,
    pct_start: Number = 0.3,
    anneal_strategy: str = "cos",
    cycle_momentum: bool = True,
    base_momentum: Number | Sequence[Number] = 0.85,
    max_momentum: Number | Sequence[Number] = 0.95,
    div_factor: Number = 25.0,
    final_div_factor: Number = 1e4,
    three_phase: bool = False,
    last_epoch: int = -1,
) -> Any:
    """One cycle: up to `max_lr` and down again, to below the first rate.

    With `N` the number of steps, the knots are `max_lr / div_factor` at 0, `max_lr` at `pct_start * N - 1`,
    with three phases `max_lr / div_factor` again at `2 * pct_start * N - 2`, and
    `max_lr / div_factor / final_div_factor` at `N - 1`. Their steps need not be whole numbers. If the peak
    lies before step 0, the run starts on the way down from it. A third phase with no steps is left out.

    >>> from jaxsched.ports import torch
    >>> torch.OneCycleLR(1.0, total_steps=11, pct_start=0.5, anneal_strategy="linear")
    knots([0.04, 1, 4e-06], [0, 4.5, 10])

    Args:
      max_lr: the highest rate, or a list of them.
      total_steps: the length of the run, a whole number of at least 1.
      epochs: with `steps_per_epoch`, another way to give the length.
      steps_per_epoch: the length is `epochs * steps_per_epoch`.
      pct_start: the fraction of the run in which the rate rises, from 0 to 1.
      anneal_strategy: `"cos"` or `"linear"`.
      cycle_momentum: not used; see `OneCycleLRMomentum` for the momentum.
      base_momentum: not used.
      max_momentum: not used.
      div_factor: the highest rate divided by the first, above 0.
      final_div_factor: the first rate divided by the last, above 0.
      three_phase: whether the rate first falls back to the first rate, as fast as it rose, and then to the
        last.

    Source: `OneCycleLR` of PyTorch 2.13. Deviations: PyTorch extrapolates at step `N`, below 0 if linear,
    and raises after it; here the last rate stays. PyTorch divides by 0 in a phase of length 0; here it is
    skipped.
    """
    not_modelled(last_epoch=last_epoch)
    div_factor = checked_number("div_factor", div_factor, above=0)
    final_div_factor = checked_number("final_div_factor", final_div_factor, above=0)

    def values(peak: Any) -> list[Any]:
        (peak,) = checked(max_lr=peak)
        init = over(peak, "div_factor", div_factor)
        last = over(init, "final_div_factor", final_div_factor)
        return [init, peak, *([init] if three_phase else []), last]

    ends = _phase_ends(total_steps, epochs, steps_per_epoch, pct_start, three_phase)
    shape = one_of("anneal_strategy", anneal_strategy, ANNEALINGS)
    return _each_group(lambda peak: one_cycle(values(peak), ends, shape), max_lr=max_lr)


def OneCycleLRMomentum(
    max_lr: Number | Sequence[Number],
    total_steps: Number | None = None,
    epochs: Number | None = None,
    steps_per_epoch: Number | None = None,
    pct_start: Number = 0.3,
    anneal_strategy: str = "cos",
    cycle_momentum: bool = True,
    base_momentum: Number | Sequence[Number] = 0.85,
    max_momentum: Number | Sequence[Number] = 0.95,
    div_factor: Number = 25.0,
    final_div_factor: Number = 1e4,
    three_phase: bool = False,
    last_epoch: int = -1,
) -> Any:
    """The momentum that goes with `OneCycleLR`: it falls while the rate rises, and rises while it falls.

    The knots are at the same steps as those of `OneCycleLR`: `base_momentum` at the highest rate,
    `max_momentum` at all others.

    Args:
      max_lr: not used.
      total_steps: see `OneCycleLR`.
      epochs: see `OneCycleLR`.
      steps_per_epoch: see `OneCycleLR`.
      pct_start: the fraction of the run in which the momentum falls, from 0 to 1.
      anneal_strategy: `"cos"` or `"linear"`.
      cycle_momentum: must be True; otherwise PyTorch leaves the momentum alone.
      base_momentum: the lowest momentum, or a list of them.
      max_momentum: the first and last momentum, or a list of them.
      div_factor: not used.
      final_div_factor: not used.
      three_phase: see `OneCycleLR`.

    Source: `OneCycleLR` of PyTorch 2.13. Deviations: those of the port `OneCycleLR`.
    """
    not_modelled(last_epoch=last_epoch)
    _cycles_momentum(cycle_momentum)

    def values(base: Any, top: Any) -> list[Any]:
        base, top = checked(base_momentum=base, max_momentum=top)
        return [top, base, *([top] if three_phase else []), top]

    ends = _phase_ends(total_steps, epochs, steps_per_epoch, pct_start, three_phase)
    shape = one_of("anneal_strategy", anneal_strategy, ANNEALINGS)
    return _each_group(
        lambda base, top: one_cycle(values(base, top), ends, shape),
        base_momentum=base_momentum,
        max_momentum=max_momentum,
    )


def CosineAnnealingLR(lr: Number, T_max: Number, eta_min: Number = 0.0, last_epoch: int = -1) -> Schedule:
    r"""A cosine, which rises again after `T_max`.

    $$f(t) = \text{eta\_min} + (\text{lr} - \text{eta\_min}) \, \tfrac12 (1 + \cos(\pi t / \text{T\_max}))$$

    >>> from jaxsched.ports import torch
    >>> torch.CosineAnnealingLR(0.3, T_max=15, eta_min=0.01)
    reflect(Cosine(0.3, 0.01, 15), 30)

    Args:
      lr: the base rate.
      T_max: the step at which the rate is `eta_min`, above 0. At `2 * T_max` it is `lr` again.
      eta_min: the lowest rate.

    Source: `CosineAnnealingLR` of PyTorch 2.13.
    """
    not_modelled(last_epoch=last_epoch)
    lr, eta_min = checked(lr=lr, eta_min=eta_min)
    T_max = checked_number("T_max", T_max, above=0)
    return reflect(Cosine(lr, eta_min, T_max), 2 * T_max)


def CosineAnnealingWarmRestarts(
    lr: Number, T_0: Number, T_mult: Number = 1, eta_min: Number = 0.0, last_epoch: int = -1
) -> Schedule:
    r"""Cosines from `lr` towards `eta_min`, each `T_mult` times as long as the one before.

    $$f(t) = \text{eta\_min} + (\text{lr} - \text{eta\_min}) \, \tfrac12 (1 + \cos(\pi T_\text{cur} / T_i))$$

    >>> from jaxsched.ports import torch
    >>> torch.CosineAnnealingWarmRestarts(0.3, T_0=10, T_mult=2)
    cycle(Cosine(0.3, 0, 10), 10, 2)

    Args:
      lr: the base rate.
      T_0: the length of the first cosine, a whole number of at least 1.
      T_mult: the ratio of each length to the one before, a whole number of at least 1.
      eta_min: the lowest rate. No step reaches it, since the restart comes first.

    Source: `CosineAnnealingWarmRestarts` of PyTorch 2.13. Deviation: PyTorch's `step(epoch)` finds the cycle
    by a logarithm and misses some restarts. The port restarts where calls of `step()` do.
    """
    not_modelled(last_epoch=last_epoch)
    lr, eta_min = checked(lr=lr, eta_min=eta_min)
    T_0 = whole("T_0", T_0, at_least=1)
    return cycle(Cosine(lr, eta_min, T_0), T_0, whole("T_mult", T_mult, at_least=1))


def ChainedScheduler(lr: Number, schedulers: Sequence[ScheduleLike]) -> Schedule:
    """The product of `lr` and of schedulers with a base rate of 1.

    >>> from jaxsched.ports import torch
    >>> torch.ChainedScheduler(0.4, [torch.ConstantLR(1.0, 0.5, 4), torch.ExponentialLR(1.0, 0.9)])
    0.4 * Piecewise([0.5, 1], [4]) * Exponential(1, 0.9)

    Args:
      lr: the base rate.
      schedulers: at least one factor.

    Raises:
      ValueError: a scheduler is not a factor in PyTorch.

    In PyTorch each scheduler of a chain changes the rate that the one before it left. The result is a
    product if all of them multiply that rate: `MultiplicativeLR`, `StepLR`, `MultiStepLR`, `ConstantLR`,
    `LinearLR`, `ExponentialLR`, `PolynomialLR` and, up to `T_max`, `CosineAnnealingLR` with `eta_min=0`. It
    is not a product if one of them adds to the rate (`SWALR` and any other `CosineAnnealingLR`) or replaces
    it (`LambdaLR`, `CyclicLR`, `OneCycleLR`, `CosineAnnealingWarmRestarts`, and `SequentialLR` at a
    milestone). These are refused, except a `LambdaLR` with `total_steps` and a linear `SWALR`, which look
    like factors.

    Source: `ChainedScheduler` of PyTorch 2.13.
    """
    parts = as_schedules("schedulers", schedulers)
    for i, part in enumerate(parts):
        if not _scales(part):
            raise ValueError(
                f"`schedulers[{i}]` must scale the rate before it, as `StepLR` does, got {brief(part)}: in "
                "PyTorch it adds to that rate or replaces it. Use it alone, or write the product with `*`."
            )
    return Product((as_schedule("lr", lr), *parts))


def _scales(member: Any) -> bool:
    """Whether a member of a chain is a factor in PyTorch too, as far as its schedule shows."""
    if isinstance(member, Product):
        return all(map(_scales, member.schedules))
    if isinstance(member, shift):  # `OneCycleLR` on its way down
        return _scales(member.schedule)
    if isinstance(member, reflect):  # `CosineAnnealingLR`
        end = getattr(member.schedule, "end_value", 0.0)
        return not is_concrete(end) or is_known(end, 0)
    # `LambdaLR`, `CyclicLR`, `SWALR`, `CosineAnnealingWarmRestarts`, `SequentialLR`, `OneCycleLR`.
    return not isinstance(member, Lambda | Sum | Cosine | cycle | join | knots)


def SequentialLR(schedulers: Sequence[ScheduleLike], milestones: Numbers, last_epoch: int = -1) -> Schedule:
    """One schedule after another, each on its own clock and with its own base rate.

    >>> from jaxsched.ports import torch
    >>> torch.SequentialLR([torch.ConstantLR(0.4, 0.5, 9), torch.ExponentialLR(0.4, 0.9)], milestones=[4])
    join([Piecewise([0.2, 0.4], [9]), Exponential(0.4, 0.9)], [4])

    Args:
      schedulers: at least one schedule.
      milestones: the steps at which the others begin, sorted whole numbers of at least 0, one fewer than
        the schedules.

    At a milestone the rate is the first rate of the next scheduler, as in PyTorch, whose documentation shows
    the rate continuing. `MultiplicativeLR` and `SWALR` do continue from the rate before: give them that rate
    as `lr`.

    Source: `SequentialLR` of PyTorch 2.13. Deviation: the order in which the schedulers are built does not
    matter. In PyTorch, `OneCycleLR` and `CyclicLR` change the base rate of schedulers built after them.
    """
    not_modelled(last_epoch=last_epoch)
    parts = as_schedules("schedulers", schedulers)
    steps = whole_steps("milestones", milestones, at_least=0)
    if len(steps) != len(parts) - 1:
        raise ValueError(
            f"`milestones` must have one entry fewer than `schedulers`, which has {len(parts)}, "
            f"got {len(steps)}."
        )
    return join(parts, steps)


def SWALR(
    lr: Number | Sequence[Number],
    swa_lr: Number | Sequence[Number],
    anneal_epochs: Number = 10,
    anneal_strategy: str = "cos",
    last_epoch: int = -1,
) -> Any:
    """A cosine or a straight line from `lr` to `swa_lr` over `anneal_epochs` steps.

    >>> from jaxsched.ports import torch
    >>> torch.SWALR(0.3, swa_lr=0.05, anneal_epochs=4)
    Cosine(0.3, 0.05, 4)

    Args:
      lr: the first rate, or a list of them.
      swa_lr: the last rate, or a list of them.
      anneal_epochs: a whole number of at least 0.
      anneal_strategy: `"cos"` or `"linear"`.

    Source: `SWALR` of PyTorch 2.13, which starts from the optimizer's rate when it is built.
    """
    not_modelled(last_epoch=last_epoch)
    steps = whole("anneal_epochs", anneal_epochs, at_least=0)
    shape: Any = one_of("anneal_strategy", anneal_strategy, ANNEALINGS)
    return _each_group(lambda lr, swa_lr: shape(*checked(lr=lr, swa_lr=swa_lr), steps), lr=lr, swa_lr=swa_lr)


def _each_group(build: Callable[..., Any], **arguments: Any) -> Any:
    """`build` of the arguments. If any of them is a list, a list with a result for each entry."""
    sizes = {name: len(value) for name, value in arguments.items() if isinstance(value, list | tuple)}
    if not sizes:
        return build(*arguments.values())
    first, groups = next(iter(sizes.items()))
    for name, size in sizes.items():
        if size != groups:
            raise ValueError(f"`{name}` must have as many entries as `{first}`, {groups}, got {size}.")
    return [
        build(*(value[i] if name in sizes else value for name, value in arguments.items()))
        for i in range(groups)
    ]


def _cyclic(
    ends: dict[str, Any],
    step_size_up: Number,
    step_size_down: Number | None,
    mode: str,
    gamma: Number,
    scale_fn: Factor | None,
    scale_mode: str,
    total_steps: int | None,
) -> Any:
    """Triangles from the first of two named arguments to the second and back."""
    rise = checked_number("step_size_up", step_size_up, above=0)
    fall = rise if step_size_down is None else checked_number("step_size_down", step_size_down, at_least=0)
    gamma = checked_number("gamma", gamma, at_least=0)

    def one(*values: Any) -> Schedule:
        base, peak = checked(**dict(zip(ends, values, strict=True)))
        return triangles(base, peak, rise, fall, mode, gamma, scale_fn, scale_mode, total_steps)

    return _each_group(one, **ends)


def _phase_ends(
    total_steps: Number | None,
    epochs: Number | None,
    steps_per_epoch: Number | None,
    pct_start: Number,
    three_phase: bool,
) -> list[Any]:
    """0, and the steps at which the phases of a `OneCycleLR` end."""
    if total_steps is not None:
        steps = whole("total_steps", total_steps, at_least=1)
    elif epochs is not None and steps_per_epoch is not None:
        steps = whole("epochs", epochs, at_least=1) * whole("steps_per_epoch", steps_per_epoch, at_least=1)
    else:
        raise ValueError(
            "`total_steps` must be given, or `epochs` and `steps_per_epoch`, "
            f"got {total_steps}, {epochs} and {steps_per_epoch}."
        )
    rise = checked_number("pct_start", pct_start, at_least=0, at_most=1) * steps
    checked_flag("three_phase", three_phase)
    return [0, rise - 1, *([2 * rise - 2] if three_phase else []), steps - 1]


def _cycles_momentum(cycle_momentum: bool) -> None:
    if not checked_flag("cycle_momentum", cycle_momentum):
        raise ValueError(f"`cycle_momentum` must be True for a cycled momentum, got {cycle_momentum!r}.")


def ReduceLROnPlateau(
    lr: Any,
    mode: str = "min",
    factor: Number = 0.1,
    patience: Number = 10,
    threshold: Number = 1e-4,
    threshold_mode: str = "rel",
    cooldown: Number = 0,
    min_lr: Any = 0,
    eps: Number = 1e-8,
) -> Any:
    """A rule for `jaxsched.scale_by_plateau`, which scales any schedule when a metric stops improving.

    As in PyTorch, a relative threshold is a fraction of the best metric itself, so a slightly worse metric
    counts as better if metrics are negative. `jaxsched.Plateau` takes a fraction of the absolute value.

    Args:
      lr: the base rate, above 0, relative to which `min_lr` and `eps` are taken, or a list of them.
      mode: "min" or "max".
      factor: the factor of each cut, at least 0 and below 1.
      patience: the number of observations without improvement that are tolerated.
      threshold: the margin of an improvement, at least 0.
      threshold_mode: "rel" or "abs".
      cooldown: the number of observations after a cut that do not count as bad.
      min_lr: the floor of the rate, or a list of them.
      eps: a cut by this much or less is not made.

    Returns:
      A `Plateau`, or a list of them if `lr` or `min_lr` is a list.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside its range.

    Source: `ReduceLROnPlateau` of PyTorch 2.13.
    """
    rest = {"factor": factor, "patience": patience, "cooldown": cooldown}
    rest |= margins(threshold, threshold_mode)
    eps = checked_number("eps", eps, at_least=0)

    def one(lr: Any, min_lr: Any) -> Plateau:
        floor = checked_number("min_lr", min_lr, at_least=0)
        return plateau(lr, PYTORCH, mode=mode, min_lr=floor, eps=eps, **rest)

    return _each_group(one, lr=lr, min_lr=min_lr)
