# ruff: noqa: N802 - the names are those of the originals.
r"""The schedules of Detectron2, `detectron2.solver`, and the parameter schedulers of fvcore that they take.

A scheduler of fvcore is a function of `where`, the fraction of training completed. The ports of
`...ParamScheduler` take `total_steps`, the number of updates in the training, and give a function of the
step, $\text{where} = t / \text{total\_steps}$. Without it, they give a function of `where`: a schedule over 1
step, for `LRMultiplier`, `WarmupParamScheduler` and `CompositeParamScheduler`. Given both, `LRMultiplier`
would count twice.

In all ports `total_steps` and `max_iter` are above 0, and `last_iter` and `last_epoch` must be -1. If `lr` is
a list with a rate for each parameter group, the result is a list of schedules for `jaxsched.param_labels`.

fvcore adds a millionth to `where` before it compares it. So levels and parts begin one step early for every
million steps. The ports do the same.

Deviations: the ports of schedulers that fail at the end of the training, or past it, stay at their last rate.
In a training of exactly one or more millions of steps, fvcore's floats move some of its changes by one step.

>>> from jaxsched.ports import detectron2
>>> steps = detectron2.MultiStepParamScheduler([1, 0.1, 0.01], milestones=[60000, 80000, 90000])
>>> warmed_up = detectron2.WarmupParamScheduler(steps, 0.001, warmup_length=1000 / 90000)
>>> detectron2.LRMultiplier(0.02, warmed_up, max_iter=90000)
0.02 * join([Linear(0.001, 1, 1000), Piecewise([1, 0.1, 0.01], [59000, 79000])], [1000])
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxsched._core.fields import (
    Number,
    Numbers,
    as_numbers,
    brief,
    checked_flag,
    checked_number,
    is_concrete,
    show,
)
from jaxsched._core.schedule import Constant, Schedule, ScheduleLike, as_schedule, as_schedules
from jaxsched._core.transition import Transition
from jaxsched.combinators.clocks import shift, stretch
from jaxsched.combinators.cycle import reflect
from jaxsched.combinators.join import join
from jaxsched.ports._builders import delayed, each_group, endless, joined, rate_at, stretched
from jaxsched.ports._checks import (
    MOST_PARTS,
    checked,
    concrete,
    is_known,
    not_modelled,
    one_of,
    whole,
    whole_steps,
)
from jaxsched.ports._config import FromConfig, ignored, section
from jaxsched.presets import multi_step
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Exponential
from jaxsched.shapes.levels import Piecewise
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.polynomial import Polynomial

EPSILON = 1e-6
"""What fvcore adds to `where` before it compares it."""


def ConstantParamScheduler(value: Number, *, total_steps: Number | None = None) -> Schedule:
    """The constant `value`.

    Args:
      value: the rate.
      total_steps: no effect.

    Source: `ConstantParamScheduler` of fvcore 0.1.5.post20221221, which fails from the end of the training
    on.
    """
    (value,) = checked(value=value)
    return _over(Constant(value), total_steps)


def CosineParamScheduler(
    start_value: Number, end_value: Number, *, total_steps: Number | None = None
) -> Schedule:
    r"""Half a cosine, which goes back past its end.

    $$f = \text{end\_value} + (\text{start\_value} - \text{end\_value}) \, \tfrac12
    \left(1 + \cos(\pi \, \text{where})\right)$$

    >>> from jaxsched.ports import detectron2
    >>> detectron2.CosineParamScheduler(0.1, 0.0001, total_steps=100)
    reflect(Cosine(0.1, 0.0001, 100), 200)

    Args:
      start_value: the first rate.
      end_value: the rate at the end of the training.
      total_steps: see the module.

    Source: `CosineParamScheduler` of fvcore 0.1.5.post20221221.
    """
    start, end = checked(start_value=start_value, end_value=end_value)
    return _over(reflect(Cosine(start, end, 1), 2), total_steps)


def LinearParamScheduler(
    start_value: Number, end_value: Number, *, total_steps: Number | None = None
) -> Schedule:
    r"""A straight line.

    $$f = \text{start\_value} \, (1 - \text{where}) + \text{end\_value} \cdot \text{where}$$

    >>> from jaxsched.ports import detectron2
    >>> schedule = detectron2.LinearParamScheduler(1.0, 0.0, total_steps=4)
    >>> [float(schedule(step)) for step in (0, 1, 4, 6)]
    [1.0, 0.75, 0.0, -0.5]

    Args:
      start_value: the first rate.
      end_value: the rate at the end of the training. The line goes on after it.
      total_steps: see the module.

    Source: `LinearParamScheduler` of fvcore 0.1.5.post20221221.
    """
    start, end = checked(start_value=start_value, end_value=end_value)
    return _over(endless(start, end, 1.0), total_steps)


def ExponentialParamScheduler(
    start_value: Number, decay: Number, *, total_steps: Number | None = None
) -> Schedule:
    r"""$\text{start\_value} \cdot \text{decay}^\text{where}$, which has no end.

    >>> from jaxsched.ports import detectron2
    >>> detectron2.ExponentialParamScheduler(2.0, 0.02, total_steps=100)
    Exponential(2, 0.02, 100)

    Args:
      start_value: the first rate.
      decay: the factor over the training, at least 0.
      total_steps: see the module.

    Source: `ExponentialParamScheduler` of fvcore 0.1.5.post20221221.
    """
    (start,) = checked(start_value=start_value)
    return _over(Exponential(start, checked_number("decay", decay, at_least=0)), total_steps)


def PolynomialDecayParamScheduler(
    base_value: Number, power: Number, *, total_steps: Number | None = None
) -> Schedule:
    r"""$\text{base\_value} \, (1 - \text{where})^\text{power}$, also past the end for a whole power.

    Args:
      base_value: the first rate.
      power: from 0 to 1,000,000. With 0 the rate is constant.
      total_steps: see the module.

    Deviations: with a power that is not whole, or is traced, the rate past the end is 0, where fvcore's is a
    complex number.

    Source: `PolynomialDecayParamScheduler` of fvcore 0.1.5.post20221221.
    """
    (base,) = checked(base_value=base_value)
    power = checked_number("power", power, at_least=0, at_most=1e6)
    if is_known(power, 0):
        return _over(Constant(base), total_steps)
    if is_known(power, 1):
        return _over(endless(base, 0.0, 1.0), total_steps)
    decay: Schedule = Polynomial(base, 0.0, 1, power)
    if is_concrete(power) and float(power).is_integer():
        decay = join([decay, endless(0.0, -base if float(power) % 2 else base, 1.0, power)], [1])
    return _over(decay, total_steps)


def MultiStepParamScheduler(
    values: Numbers,
    num_updates: Number | None = None,
    milestones: Numbers | None = None,
    *,
    total_steps: Number | None = None,
) -> Schedule:
    r"""The levels `values`, which change at the milestones.

    $$f = \text{values}\left[\#\{m \in \text{milestones}:\
    m \le (\text{where} + 10^{-6}) \, \text{num\_updates}\}\right]$$

    >>> from jaxsched.ports import detectron2
    >>> detectron2.MultiStepParamScheduler([1, 0.1, 0.01], milestones=[3, 6, 9], total_steps=90)
    Piecewise([1, 0.1, 0.01], [30, 60])

    Args:
      values: the rates.
      num_updates: the end of the last level in the unit of the milestones, a whole number of at least the
        number of `values`. Without it, the last of `milestones` is the end.
      milestones: the ends of the other levels, whole numbers above 0, each above the one before and below
        `num_updates`. Without them, each level but the last is `num_updates / len(values)` long, rounded up.
      total_steps: see the module. The milestones count in a unit of their own.

    Source: `MultiStepParamScheduler` of fvcore 0.1.5.post20221221, which fails past the end.
    """
    levels = as_numbers("values", values)
    if num_updates is None and milestones is None:
        raise ValueError("`num_updates` or `milestones` must be given, got neither.")
    if milestones is None:
        width = math.ceil(_known("num_updates", num_updates, at_least=1) / len(levels))
        ends = [width * i for i in range(1, len(levels))]
    else:
        ends = [_known(f"milestones[{i}]", end) for i, end in enumerate(as_numbers("milestones", milestones))]
        expected = len(levels) - (num_updates is not None)
        if len(ends) != expected:
            raise ValueError(f"`milestones` must have {expected} entries here, got {len(ends)}.")
    last = ends.pop() if num_updates is None else num_updates
    total = _known("num_updates", last, at_least=len(levels))
    for before, end in itertools.pairwise([0, *ends, total]):
        if end <= before:
            raise ValueError(
                f"`milestones` must increase, from above 0 to below the end ({show(total)}), got {show(end)} "
                f"after {show(before)}."
            )
    return _levels(levels, [end / total for end in ends], total_steps)


def StepParamScheduler(
    num_updates: Number, values: Numbers, *, total_steps: Number | None = None
) -> Schedule:
    r"""Levels of the same length.

    $$f = \text{values}\left[\lfloor (\text{where} + 10^{-6}) \, n \rfloor\right]$$

    Here $n$ is the number of `values`.

    Args:
      num_updates: above 0; no other effect, as in fvcore.
      values: the rates, at least one.
      total_steps: see the module.

    Source: `StepParamScheduler` of fvcore 0.1.5.post20221221, which fails from the end of the training on.
    """
    checked_number("num_updates", num_updates, above=0)
    levels = as_numbers("values", values)
    if not len(levels):
        raise ValueError("`values` must have at least one number, got none.")
    return _levels(levels, [i / len(levels) for i in range(1, len(levels))], total_steps)


def StepWithFixedGammaParamScheduler(
    base_value: Number,
    num_decays: int,
    gamma: Number,
    num_updates: Number,
    *,
    total_steps: Number | None = None,
) -> Schedule:
    """`num_decays` cuts by `gamma`, at the same distance from each other.

    >>> from jaxsched.ports import detectron2
    >>> detectron2.StepWithFixedGammaParamScheduler(0.4, 3, 0.5, 120, total_steps=120)
    Piecewise([0.4, 0.2, 0.1, 0.05], [30, 60, 90])

    Args:
      base_value: the first rate, above 0.
      num_decays: the number of cuts, a whole number from 1 to 10,000.
      gamma: the factor of each cut, above 0.
      num_updates: a whole number of at least 1; no other effect, as in fvcore.
      total_steps: see the module.

    Source: `StepWithFixedGammaParamScheduler` of fvcore 0.1.5.post20221221, which fails from the end of the
    training on.
    """
    base = checked_number("base_value", base_value, above=0)
    gamma = checked_number("gamma", gamma, above=0)
    cuts = int(_known("num_decays", num_decays, at_least=1, at_most=MOST_PARTS))
    whole("num_updates", num_updates, at_least=1)
    return StepParamScheduler(
        num_updates, [base * gamma**i for i in range(cuts + 1)], total_steps=total_steps
    )


def CompositeParamScheduler(
    schedulers: Sequence[ScheduleLike],
    lengths: Numbers,
    interval_scaling: Sequence[str],
    *,
    total_steps: Number | None = None,
) -> Schedule:
    """One scheduler after another, each over its fraction of the training.

    >>> from jaxsched.ports import detectron2
    >>> parts = [detectron2.ConstantParamScheduler(0.42), detectron2.CosineParamScheduler(0.42, 1e-4)]
    >>> detectron2.CompositeParamScheduler(parts, [0.3, 0.7], ["rescaled", "rescaled"], total_steps=100)
    join([0.42, reflect(Cosine(0.42, 0.0001, 70), 140)], [30])
    >>> detectron2.CompositeParamScheduler(parts, [0.3, 0.7], ["rescaled", "fixed"], total_steps=100)
    join([0.42, shift(reflect(Cosine(0.42, 0.0001, 100), 200), -30)], [30])

    Args:
      schedulers: schedulers made without `total_steps`, or functions of `where` in `jax.numpy`.
      lengths: their fractions, each at least 0. Their sum differs from 1 by less than 0.001; the last one
        takes the rest.
      interval_scaling: for each, `"rescaled"` to run all of it in its fraction, or `"fixed"` to run the part
        that falls there.
      total_steps: see the module.

    Deviations: a last scheduler without length, `"rescaled"`, is left out, where fvcore divides by 0.

    Source: `CompositeParamScheduler` of fvcore 0.1.5.post20221221.
    """
    parts = as_schedules("schedulers", schedulers)
    fractions: Any = as_numbers("lengths", lengths)
    if not len(parts) == len(fractions) == len(interval_scaling):
        raise ValueError(
            f"`lengths` and `interval_scaling` must have as many entries as `schedulers`, {len(parts)}, got "
            f"{len(fractions)} and {len(interval_scaling)}."
        )
    if is_concrete(fractions):
        fractions = [checked_number(f"lengths[{i}]", each, at_least=0) for i, each in enumerate(fractions)]
        if abs(sum(fractions) - 1) >= 1e-3:
            raise ValueError(f"`lengths` must have a sum of 1, got {show(sum(fractions))}.")
        fractions[-1] = max(1 - sum(fractions[:-1]), 0.0)
    kept: list[Schedule] = []
    begins: list[Any] = []
    start: Any = 0.0
    for i, (part, length) in enumerate(zip(parts, fractions, strict=True)):
        rescaled = one_of(f"interval_scaling[{i}]", interval_scaling[i], {"rescaled": True, "fixed": False})
        last = i == len(parts) - 1
        if not is_known(length, 0) or (last and not rescaled):
            # fvcore compares with `>` here, so a part does not begin on its boundary.
            begin = start - 0.999999 * EPSILON
            begin = max(begin, 0.0) if is_concrete(begin) else begin
            own = delayed(stretched(part, length), start - begin) if rescaled else delayed(part, -begin)
            kept.append(own if kept else part if not rescaled else stretched(part, length))
            begins.append(begin)
        start = start + length
    return _over(joined(kept, begins), total_steps)


def WarmupParamScheduler(
    scheduler: ScheduleLike,
    warmup_factor: Number,
    warmup_length: Number,
    warmup_method: str = "linear",
    rescale_interval: bool = False,
    *,
    total_steps: Number | None = None,
) -> Schedule:
    """A warmup in place of the start of a scheduler, or before all of it.

    The warmup begins at `warmup_factor` times the first rate of the scheduler. A linear one ends at the rate
    that follows.

    Args:
      scheduler: a scheduler made without `total_steps`.
      warmup_factor: the factor of the first rate.
      warmup_length: the fraction of the training in which the rate warms up, from 0 to 1.
      warmup_method: `"linear"` or `"constant"`.
      rescale_interval: whether all of the scheduler runs after the warmup. Otherwise the warmup replaces
        its start.
      total_steps: see the module.

    Source: `WarmupParamScheduler` of Detectron2, commit 02b5c4e2.
    """
    after = as_schedule("scheduler", scheduler)
    (factor,) = checked(warmup_factor=warmup_factor)
    length = checked_number("warmup_length", warmup_length, at_least=0, at_most=1)
    rescaled = checked_flag("rescale_interval", rescale_interval)
    start = factor * rate_at(after, 0.0)
    if one_of("warmup_method", warmup_method, {"linear": True, "constant": False}):
        warmup: Schedule = Linear(start, rate_at(after, 0.0 if rescaled else length), 1)
    else:
        warmup = Constant(start)
    scaling = ["rescaled", "rescaled" if rescaled else "fixed"]
    return CompositeParamScheduler([warmup, after], [length, 1 - length], scaling, total_steps=total_steps)


def LRMultiplier(lr: Any, multiplier: ScheduleLike, max_iter: Number, last_iter: int = -1) -> Any:
    r"""$\text{lr} \cdot \text{multiplier}(t / \text{max\_iter})$.

    >>> from jaxsched.ports import detectron2
    >>> detectron2.LRMultiplier(0.1, detectron2.ExponentialParamScheduler(1.0, 0.01), max_iter=100)
    0.1 * Exponential(1, 0.01, 100)

    Args:
      lr: the base rate, or a list of them.
      multiplier: a scheduler made without `total_steps`.
      max_iter: the number of updates in the training.
      last_iter: must be -1.

    Source: `LRMultiplier` of Detectron2, commit 02b5c4e2.
    """
    not_modelled(last_iter=last_iter)
    factor = _over(as_schedule("multiplier", multiplier), checked_number("max_iter", max_iter, above=0))
    return each_group("lr", lr, lambda base: base * factor)


def WarmupMultiStepLR(
    lr: Any,
    milestones: Numbers,
    gamma: Number = 0.1,
    warmup_factor: Number = 0.001,
    warmup_iters: Number = 1000,
    warmup_method: str = "linear",
    last_epoch: int = -1,
) -> Any:
    r"""Cuts by `gamma` at the milestones, times a warmup.

    $$f(t) = \text{lr} \cdot \text{gamma}^{\#\{m \in \text{milestones}:\ m \le t\}} \cdot w(t)$$

    where $w$ goes from `warmup_factor` to 1 in `warmup_iters` steps, or is `warmup_factor` until then.

    >>> from jaxsched.ports import detectron2
    >>> detectron2.WarmupMultiStepLR(0.4, [60000, 80000], gamma=0.5)
    Piecewise([0.4, 0.2, 0.1], [60000, 80000]) * Linear(0.001, 1, 1000)

    Args:
      lr: the base rate, or a list of them.
      milestones: the steps of the cuts, sorted, at least 0.
      gamma: the factor of each cut.
      warmup_factor: the factor of the first rate.
      warmup_iters: the length of the warmup, at least 0.
      warmup_method: `"linear"` or `"constant"`.
      last_epoch: must be -1.

    Source: the class `WarmupMultiStepLR` of Detectron2, commit 02b5c4e2, which it deprecates. The
    `LR_SCHEDULER_NAME` of a configuration stands for something else; see `from_config`.
    """
    not_modelled(last_epoch=last_epoch)
    (gamma,) = checked(gamma=gamma)
    cuts = whole_steps("milestones", milestones, at_least=0)
    warmed_up = _warmup(warmup_factor, warmup_iters, warmup_method)
    return each_group("lr", lr, lambda base: warmed_up(multi_step(base, gamma, cuts)))


def WarmupCosineLR(
    lr: Any,
    max_iters: Number,
    warmup_factor: Number = 0.001,
    warmup_iters: Number = 1000,
    warmup_method: str = "linear",
    last_epoch: int = -1,
) -> Any:
    r"""Half a cosine to 0, times a warmup.

    $$f(t) = \text{lr} \cdot \tfrac12 \left(1 + \cos(\pi t / \text{max\_iters})\right) \cdot w(t)$$

    where $w$ goes from `warmup_factor` to 1 in `warmup_iters` steps, or is `warmup_factor` until then. Past
    the end the rate rises again.

    >>> from jaxsched.ports import detectron2
    >>> detectron2.WarmupCosineLR(0.1, 90000)
    reflect(Cosine(0.1, 0, 90000), 180000) * Linear(0.001, 1, 1000)

    Args:
      lr: the base rate, or a list of them.
      max_iters: the number of updates in the training, above 0.
      warmup_factor: the factor of the first rate.
      warmup_iters: the length of the warmup, at least 0.
      warmup_method: `"linear"` or `"constant"`.
      last_epoch: must be -1.

    Source: the class `WarmupCosineLR` of Detectron2, commit 02b5c4e2, which it deprecates. The
    `LR_SCHEDULER_NAME` of a configuration stands for something else; see `from_config`.
    """
    not_modelled(last_epoch=last_epoch)
    steps = checked_number("max_iters", max_iters, above=0)
    warmed_up = _warmup(warmup_factor, warmup_iters, warmup_method)
    return each_group("lr", lr, lambda base: warmed_up(reflect(Cosine(base, 0.0, steps), 2 * steps)))


DEFAULTS: dict[str, Any] = {
    "LR_SCHEDULER_NAME": "WarmupMultiStepLR",
    "MAX_ITER": 40000,
    "BASE_LR": 0.001,
    "BASE_LR_END": 0.0,
    "GAMMA": 0.1,
    "STEPS": (30000,),
    "NUM_DECAYS": 3,
    "WARMUP_FACTOR": 0.001,
    "WARMUP_ITERS": 1000,
    "WARMUP_METHOD": "linear",
    "RESCALE_INTERVAL": False,
    "REFERENCE_WORLD_SIZE": 0,
    "BIAS_LR_FACTOR": 1.0,
}
"""The keys of a schedule in the section `SOLVER`, with Detectron2's defaults."""


def from_config(config: Mapping[str, Any], *, world_size: int | None = None) -> FromConfig:
    """The schedule of a training from its YAML, as `build_lr_scheduler` makes it.

    These keys of the section `SOLVER` are read: `LR_SCHEDULER_NAME`, `MAX_ITER`, `BASE_LR`, `BASE_LR_END`,
    `GAMMA`, `STEPS`, `NUM_DECAYS`, `WARMUP_FACTOR`, `WARMUP_ITERS`, `WARMUP_METHOD`, `RESCALE_INTERVAL`,
    `REFERENCE_WORLD_SIZE` and `BIAS_LR_FACTOR`, which must be 1. Missing keys have Detectron2's defaults.

    >>> from jaxsched.ports import detectron2
    >>> mask_rcnn = {"SOLVER": {"BASE_LR": 0.02, "STEPS": (60000, 80000), "MAX_ITER": 90000}, "VERSION": 2}
    >>> detectron2.from_config(mask_rcnn).learning_rate
    0.02 * join([Linear(0.001, 1, 1000), Piecewise([1, 0.1, 0.010000000000000002], [59000, 79000])], [1000])

    Args:
      config: the whole configuration, such as `cfg`, or its YAML as a dict. A file with a `_BASE_` is
        refused: merge it with the files that it builds on first, as `cfg.merge_from_file` does.
      world_size: the number of workers, if `REFERENCE_WORLD_SIZE` is not 0. The rate, the lengths and the
        steps are scaled by it, as in `DefaultTrainer.auto_scale_workers`.

    Raises:
      TypeError: a value is of the wrong type.
      ValueError: a value is out of range, or an unknown key looks schedule-related.

    Source: `build_lr_scheduler` of Detectron2, commit 02b5c4e2.
    """
    config = section(config)
    if "_BASE_" in config:
        raise ValueError(
            f"`config` must be complete, got `_BASE_`, {config['_BASE_']!r}: merge it with that file first, "
            "as `cfg.merge_from_file` does."
        )
    given = section(config.get("SOLVER", {}), "SOLVER")
    others = ignored(config, {"SOLVER"}) + ignored(given, DEFAULTS, path="SOLVER.")
    solver = DEFAULTS | {key: _decoded(value) for key, value in given.items() if key in DEFAULTS}
    if not is_known(solver["BIAS_LR_FACTOR"], 1):
        raise ValueError(
            f"`BIAS_LR_FACTOR` must be 1, got {brief(solver['BIAS_LR_FACTOR'])}: multiply the schedule for "
            "the biases by it."
        )
    solver |= _scaled(solver, world_size)
    end = checked_number("MAX_ITER", solver["MAX_ITER"], above=0)
    base = checked_number("BASE_LR", solver["BASE_LR"], above=0)
    multiplier = one_of("LR_SCHEDULER_NAME", solver["LR_SCHEDULER_NAME"], MULTIPLIERS)(solver)
    length = checked_number("WARMUP_ITERS", solver["WARMUP_ITERS"], at_least=0) / end
    warmed_up = WarmupParamScheduler(
        multiplier,
        checked_number("WARMUP_FACTOR", solver["WARMUP_FACTOR"]),
        min(length, 1.0),
        solver["WARMUP_METHOD"],
        solver["RESCALE_INTERVAL"],
    )
    return FromConfig(LRMultiplier(base, warmed_up, end), others)


def _decoded(value: Any) -> Any:
    """A value of YAML, in which `(60000, 80000)` and `1e-3` are texts, as Detectron2 reads it."""
    try:
        return ast.literal_eval(value) if isinstance(value, str) else value
    except (SyntaxError, ValueError):
        return value


def _multi_step_multiplier(solver: Mapping[str, Any]) -> Schedule:
    end = solver["MAX_ITER"]
    steps = [step for step in as_numbers("STEPS", solver["STEPS"]) if step <= end]
    gamma = checked_number("GAMMA", solver["GAMMA"])
    return MultiStepParamScheduler([gamma**i for i in range(len(steps) + 1)], end, steps)


def _cosine_multiplier(solver: Mapping[str, Any]) -> Schedule:
    base = float(solver["BASE_LR"])
    end = checked_number("BASE_LR_END", solver["BASE_LR_END"], at_least=0, at_most=base)
    return CosineParamScheduler(1.0, end / base)


def _gamma_multiplier(solver: Mapping[str, Any]) -> Schedule:
    return StepWithFixedGammaParamScheduler(1.0, solver["NUM_DECAYS"], solver["GAMMA"], solver["MAX_ITER"])


MULTIPLIERS: dict[str, Callable[[Mapping[str, Any]], Schedule]] = {
    "WarmupMultiStepLR": _multi_step_multiplier,
    "WarmupCosineLR": _cosine_multiplier,
    "WarmupStepWithFixedGammaLR": _gamma_multiplier,
}


def _scaled(solver: Mapping[str, Any], world_size: int | None) -> dict[str, Any]:
    """What depends on the number of workers."""
    reference = whole("REFERENCE_WORLD_SIZE", solver["REFERENCE_WORLD_SIZE"], at_least=0)
    if not reference:
        return {}
    if world_size is None:
        raise ValueError(
            f"`world_size` must be given for a `REFERENCE_WORLD_SIZE` of {show(reference)}, got None."
        )
    scale = whole("world_size", world_size, at_least=1) / reference
    counts = {key: round(checked_number(key, solver[key]) / scale) for key in ("MAX_ITER", "WARMUP_ITERS")}
    steps = [round(step / scale) for step in as_numbers("STEPS", solver["STEPS"])]
    return {"BASE_LR": checked_number("BASE_LR", solver["BASE_LR"]) * scale, "STEPS": steps, **counts}


def _known(name: str, value: Any, **limits: float) -> Any:
    """A whole number on which the number of levels or their order depends."""
    return whole(name, concrete(name, value, "the levels depend on it"), **limits)


def _warmup(factor: Any, steps: Any, method: str) -> Callable[[Schedule], Schedule]:
    """Multiplies a schedule by a warmup."""
    (factor,) = checked(warmup_factor=factor)
    steps = checked_number("warmup_iters", steps, at_least=0)
    linear = one_of("warmup_method", method, {"linear": True, "constant": False})
    if is_known(steps, 0):
        return lambda schedule: schedule
    ramp = Linear(factor, 1.0, steps) if linear else Piecewise([factor, 1.0], [steps])
    return lambda schedule: schedule * ramp


def _levels(values: Any, changes: list[float], total_steps: Any) -> Schedule:
    return _over(Piecewise(values, [change - EPSILON for change in changes]), total_steps)


def _over(schedule: Schedule, total_steps: Any) -> Schedule:
    """A scheduler, a function of `where`, over a number of steps."""
    if total_steps is None:
        return schedule
    steps = checked_number("total_steps", total_steps, above=0)
    return _placed(schedule, steps, 0.0) if is_concrete(schedule, steps) else stretched(schedule, steps)


def _placed(schedule: Any, scale: Any, delay: Any) -> Schedule:
    """`shift(stretch(schedule, scale), delay)` at whole steps, with its own numbers in steps.

    What begins between two steps begins at the second of them.
    """
    if isinstance(schedule, Constant):
        return schedule
    if isinstance(schedule, stretch):
        return _placed(schedule.schedule, scale * schedule.factor, delay)
    if isinstance(schedule, shift):
        return _placed(schedule.schedule, scale, delay + schedule.steps * scale)
    if isinstance(schedule, Piecewise | join):
        changes = [delay + change * scale for change in np.asarray(schedule.boundaries).tolist()]
        begins = [max(math.ceil(_tidy(change)), 0) for change in changes]
        skipped = sum(begin == 0 for begin in begins)
        if isinstance(schedule, Piecewise):
            values = schedule.values[skipped:]
            return Piecewise(values, begins[skipped:]) if len(values) > 1 else Constant(values[0])
        parts = [
            _placed(part, scale, change - begin)
            for part, change, begin in zip(schedule.schedules, [delay, *changes], [0, *begins], strict=True)
        ][skipped:]
        return join(parts, begins[skipped:]) if len(parts) > 1 else parts[0]
    if isinstance(schedule, Transition | Exponential):
        steps = _tidy(schedule.transition_steps * scale)
        return delayed(dataclasses.replace(schedule, transition_steps=steps), _tidy(delay))
    if isinstance(schedule, reflect):
        within = _placed(schedule.schedule, scale, 0.0)
        return delayed(reflect(within, _tidy(schedule.period * scale)), _tidy(delay))
    return delayed(stretched(schedule, scale), _tidy(delay))


def _tidy(steps: Any) -> float:
    """A number of steps without the rounding errors of its last digits."""
    return round(float(f"{steps:.12g}"), 9)
