# ruff: noqa: D417, N802, N803, N806 - the module describes the arguments in common; the names are those of the originals.
"""The schedulers of PyTorch, `torch.optim.lr_scheduler` and `torch.optim.swa_utils`.

A port takes the base rate `lr` in the place of the optimizer; its step is the original's `last_epoch`, the
number of calls of `step()` so far. `last_epoch` must be -1: instead of going on from an epoch, call the
schedule with the step of the whole run. Where PyTorch takes a list with an entry for each parameter group,
the port returns a list of schedules, for the labels of `jaxsched.scale_by_learning_rate`.

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
from jaxsched.ports._checks import checked, is_known, not_modelled, one_of, whole, whole_steps
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
      lr_lambda: a function of the step, or a list of them. It is traced, as that of `jaxsched.Lambda`,
        unless `total_steps` is given.
      total_steps: call `lr_lambda` with so many Python integers instead, 0 first; the last value stays.

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
    r"""$\text{lr} \prod_{i=1}^{t} \text{lr\_lambda}(i)$, a table.

    >>> from jaxsched.ports import torch
    >>> torch.MultiplicativeLR(0.1, lambda step: 0.5, total_steps=4)
    0.1 * Table([1, 0.5, 0.25, 0.125])

    Args:
      lr: the base rate, or a list of them.
      lr_lambda: a function of the step, or a list of them; called with Python integers, 1 first.
      total_steps: how many steps to tabulate; after them the last value stays, which is not so in PyTorch.

    Source: `MultiplicativeLR` of PyTorch 2.13.
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
      step_size: steps between two cuts, a whole number of at least 1.
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
      milestones: steps, whole numbers of at least 0 in any order; one that stands there twice cuts twice.
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

    Source: `ConstantLR` of PyTorch 2.13. Deviations: with `total_iters=0` PyTorch never leaves
    `lr * factor`, and with `factor=0` it raises `ZeroDivisionError` at `total_iters`.
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

    Source: `LinearLR` of PyTorch 2.13. Deviation: with `total_iters=0` PyTorch never leaves
    `lr * start_factor`.
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
      power: from 0 to 1,000,000; with 0 the rate stays at `lr`.

    Source: `PolynomialLR` of PyTorch 2.13. Deviation: with `total_iters=0` PyTorch never leaves `lr`.
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
    r"""Triangles from `base_lr` to `max_lr` and back, for ever.

    With $h$ the height of the triangle, from 0 to 1, in the cycle $k = 1, 2, \dots$,

    $$f(t) = \text{base\_lr} + (\text{max\_lr} - \text{base\_lr}) \, h(t) \cdot s, \quad
    s = 1,\ 2^{1 - k},\ \text{gamma}^t,\ \text{scale\_fn}(k) \text{ or } \text{scale\_fn}(t)$$

    Args:
      base_lr: the lower rate, or a list of them.
      max_lr: the upper rate, or a list of them.
      step_size_up: steps from `base_lr` to `max_lr`, above 0.
      step_size_down: steps back, at least 0; `step_size_up` if left out.
      mode: `"triangular"`, `"triangular2"` or `"exp_range"`, for the first three $s$.
      gamma: of `"exp_range"`, at least 0.
      scale_fn: takes the place of the mode. It is traced, as that of `jaxsched.Lambda`, unless
        `total_steps` is given.
      scale_mode: whether `scale_fn` is one of the `"cycle"`, from 1, or of the `"iterations"`, from 0.
      cycle_momentum: this and the momenta are for `CyclicLRMomentum`.
      base_momentum: not used.
      max_momentum: not used.
      total_steps: call `scale_fn` with Python integers instead, for so many steps; its last value stays.

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
    """The momentum that `CyclicLR` of the same arguments sets: down while the rate goes up, and back.

    Its formula is that of `CyclicLR`, from `max_momentum` to `base_momentum`.

    Args:
      base_lr: not used, as the next one.
      max_lr: of `CyclicLR`.
      step_size_up: in which the momentum falls.
      step_size_down: in which it rises.
      mode: as in `CyclicLR`, as the following.
      gamma: of `"exp_range"`.
      scale_fn: in the place of the mode.
      scale_mode: of `scale_fn`.
      cycle_momentum: True; PyTorch leaves the momentum alone otherwise.
      base_momentum: the lower momentum, or a list of them.
      max_momentum: the upper one, where each cycle begins, or a list of them.
      total_steps: as in `CyclicLR`.

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
    """Up to `max_lr` and down again in one run, below the rate it came from.

    With `N` the number of steps, knots: `max_lr / div_factor` at 0, `max_lr` at `pct_start * N - 1`, with
    three phases `max_lr / div_factor` again at `2 * pct_start * N - 2`, and
    `max_lr / div_factor / final_div_factor` at `N - 1`. They need not be whole: a first knot before step 0
    is the beginning of a way down that is already under way, and a third phase without a step is left out.

    >>> from jaxsched.ports import torch
    >>> torch.OneCycleLR(1.0, total_steps=11, pct_start=0.5, anneal_strategy="linear")
    knots([0.04, 1, 4e-06], [0, 4.5, 10])

    Args:
      max_lr: the highest rate, or a list of them.
      total_steps: of the whole run, a whole number of at least 1.
      epochs: in the place of `total_steps`, with `steps_per_epoch`.
      steps_per_epoch: their product is the number of steps.
      pct_start: of the run in which the rate rises, from 0 to 1.
      anneal_strategy: `"cos"` or `"linear"`.
      cycle_momentum: this and the momenta are for `OneCycleLRMomentum`.
      base_momentum: not used.
      max_momentum: not used.
      div_factor: of the highest rate to the first, above 0.
      final_div_factor: of the first rate to the last, above 0.
      three_phase: whether it goes down to the first rate, as fast as it went up, before the last.

    Source: `OneCycleLR` of PyTorch 2.13. Deviations: PyTorch extrapolates at step `N`, below 0 where linear,
    and raises after it; here the last rate stays. A phase of length 0 divides by 0 there and is skipped here.
    """
    not_modelled(last_epoch=last_epoch)
    div_factor = checked_number("div_factor", div_factor, above=0)
    final_div_factor = checked_number("final_div_factor", final_div_factor, above=0)

    def values(peak: Any) -> list[Any]:
        (peak,) = checked(max_lr=peak)
        init = peak / div_factor
        return [init, peak, *([init] if three_phase else []), init / final_div_factor]

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
    """The momentum that `OneCycleLR` of the same arguments sets: down while the rate goes up, and back.

    Its knots are those of `OneCycleLR`: `max_momentum`, at the highest rate `base_momentum`, and
    `max_momentum` again.

    Args:
      max_lr: not used, as `div_factor` and `final_div_factor`.
      total_steps: as in `OneCycleLR`, as the following.
      epochs: in the place of `total_steps`.
      steps_per_epoch: with `epochs`.
      pct_start: of the run in which the momentum falls.
      anneal_strategy: `"cos"` or `"linear"`.
      cycle_momentum: True; PyTorch leaves the momentum alone otherwise.
      base_momentum: the lowest momentum, or a list of them.
      max_momentum: the first and the last, or a list of them.
      div_factor: of `OneCycleLR`.
      final_div_factor: of `OneCycleLR`.
      three_phase: as in `OneCycleLR`.

    Source: `OneCycleLR` of PyTorch 2.13, with the deviations of the rate.
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
      T_max: the step at which it is at `eta_min`, above 0; at `2 * T_max` it is at `lr` again.
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
      T_0: steps of the first cosine, a whole number of at least 1.
      T_mult: a whole number of at least 1.
      eta_min: the lowest rate, which no step sees, since the restart takes its place.

    Source: `CosineAnnealingWarmRestarts` of PyTorch 2.13. Deviation: `step(epoch)` there finds the cycle by a
    logarithm that misses some restarts; here each is where calls of `step()` have it.
    """
    not_modelled(last_epoch=last_epoch)
    lr, eta_min = checked(lr=lr, eta_min=eta_min)
    T_0 = whole("T_0", T_0, at_least=1)
    return cycle(Cosine(lr, eta_min, T_0), T_0, whole("T_mult", T_mult, at_least=1))


def ChainedScheduler(lr: Number, schedulers: Sequence[ScheduleLike]) -> Schedule:
    """The product of `lr` and the schedulers, which have a base rate of 1.

    >>> from jaxsched.ports import torch
    >>> torch.ChainedScheduler(0.4, [torch.ConstantLR(1.0, 0.5, 4), torch.ExponentialLR(1.0, 0.9)])
    0.4 * Piecewise([0.5, 1], [4]) * Exponential(1, 0.9)

    Args:
      lr: the base rate.
      schedulers: factors, at least one.

    Source: `ChainedScheduler` of PyTorch 2.13, which hands the rate from one to the next. That is the product
    of `MultiplicativeLR`, `StepLR`, `MultiStepLR`, `ConstantLR`, `LinearLR`, `ExponentialLR`, `PolynomialLR`
    and, up to `T_max`, `CosineAnnealingLR` with `eta_min=0`. It is not where a member adds
    (`CosineAnnealingLR` otherwise, `SWALR`), or sets the rate and so discards what came before (`LambdaLR`,
    `CyclicLR`, `OneCycleLR`, `CosineAnnealingWarmRestarts`, `SequentialLR` at a milestone). Of these a
    `LambdaLR` with `total_steps` and a linear `SWALR` look like factors, and only the others are refused.
    """
    parts = as_schedules("schedulers", schedulers)
    for i, part in enumerate(parts):
        if not _scales(part):
            raise ValueError(
                f"`schedulers[{i}]` must scale the rate that comes before it, as `StepLR` does, got "
                f"{brief(part)}: in PyTorch it adds to that rate or sets another. Use it alone, or write the "
                "product that you mean with `*`."
            )
    return Product((as_schedule("lr", lr), *parts))


def _scales(member: Any) -> bool:
    """Whether a member of a chain may be a factor in PyTorch too, as far as the schedule tells."""
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
      schedulers: n schedules, at least 1.
      milestones: the steps at which the next one begins, n - 1 whole numbers of at least 0, sorted.

    Source: `SequentialLR` of PyTorch 2.13: at a milestone the rate is the next scheduler's first, also where
    PyTorch's documentation goes on from the rate before. `MultiplicativeLR` and `SWALR` do go on there: give
    them the rate of that step as `lr`. Deviation: the order in which schedulers are built does not matter;
    in PyTorch `OneCycleLR` and `CyclicLR` change the base rate of what is built after them.
    """
    not_modelled(last_epoch=last_epoch)
    parts = as_schedules("schedulers", schedulers)
    steps = whole_steps("milestones", milestones, at_least=0)
    if len(steps) != len(parts) - 1:
        raise ValueError(
            f"`milestones` must have one entry less than `schedulers`, which has {len(parts)}, "
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
    """From `lr` to `swa_lr` over `anneal_epochs` steps.

    >>> from jaxsched.ports import torch
    >>> torch.SWALR(0.3, swa_lr=0.05, anneal_epochs=4)
    Cosine(0.3, 0.05, 4)

    Args:
      lr: the rate at which it begins, or a list of them.
      swa_lr: the last rate, or a list of them.
      anneal_epochs: a whole number of at least 0.
      anneal_strategy: `"cos"` or `"linear"`.

    Source: `SWALR` of PyTorch 2.13, which begins at the rate that the optimizer has when it is built.
    """
    not_modelled(last_epoch=last_epoch)
    steps = whole("anneal_epochs", anneal_epochs, at_least=0)
    shape: Any = one_of("anneal_strategy", anneal_strategy, ANNEALINGS)
    return _each_group(lambda lr, swa_lr: shape(*checked(lr=lr, swa_lr=swa_lr), steps), lr=lr, swa_lr=swa_lr)


def _each_group(build: Callable[..., Any], **arguments: Any) -> Any:
    """`build` of the arguments; where some are lists, a list of schedules, one for each entry."""
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
    """Triangles from the first of two named arguments to the second."""
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
        raise ValueError(
            f"`cycle_momentum` must be True where the momentum is cycled, got {cycle_momentum!r}."
        )


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
    """The rule for `jaxsched.scale_by_plateau`; a plateau is a factor on any schedule.

    As in PyTorch, a relative threshold is taken from the best metric itself, so that with negative metrics
    slightly worse ones count as better; `jaxsched.Plateau` takes it from the absolute value.

    Args:
      lr: the base rate, above 0, of which `min_lr` and `eps` are made fractions; or a list for groups.
      mode: "min" or "max".
      factor: of each cut, at least 0 and below 1.
      patience: observations without improvement that are borne.
      threshold: the margin of an improvement, at least 0.
      threshold_mode: "rel" or "abs".
      cooldown: observations after a cut in which none is counted as bad.
      min_lr: the floor of the rate; or a list for groups.
      eps: a cut of no more than this is not made.

    Returns:
      A `Plateau`; a list of them where `lr` or `min_lr` is a list.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside of its range.

    Source: `ReduceLROnPlateau` of PyTorch 2.13.
    """
    rest = {"factor": factor, "patience": patience, "cooldown": cooldown}
    rest |= margins(threshold, threshold_mode)
    eps = checked_number("eps", eps, at_least=0)

    def one(lr: Any, min_lr: Any) -> Plateau:
        floor = checked_number("min_lr", min_lr, at_least=0)
        return plateau(lr, PYTORCH, mode=mode, min_lr=floor, eps=eps, **rest)

    return _each_group(one, lr=lr, min_lr=min_lr)
