# ruff: noqa: D417, N802, N803, N806 - the module describes the arguments in common; the names are those of the originals.
"""The schedulers of PaddlePaddle, `paddle.optimizer.lr`.

The originals already take the base rate, so the arguments are the same. The step of a port is the original's
`last_epoch`, the number of calls of `step()` so far. The argument `last_epoch` must be -1: to resume a run,
call the schedule with the step of the whole run. `verbose` must be False: a port prints nothing.

>>> from jaxsched.ports import paddle
>>> paddle.LinearWarmup(paddle.CosineAnnealingDecay(0.3, T_max=15), 5, start_lr=0.0, end_lr=0.3)
join([Linear(0, 0.3, 5), reflect(Cosine(0.3, 0, 15), 30)], [5])
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jaxsched._core.fields import Number, Numbers, as_numbers, checked_flag, checked_number, is_concrete, show
from jaxsched._core.schedule import Constant, Schedule, ScheduleLike, as_schedule
from jaxsched.combinators.cycle import cycle as restarts
from jaxsched.combinators.cycle import reflect
from jaxsched.combinators.join import join
from jaxsched.plateau import Machine, Plateau
from jaxsched.ports._builders import (
    ANNEALINGS,
    growing_polynomials,
    margins,
    one_cycle,
    plateau,
    running_product,
    step_function,
    triangles,
)
from jaxsched.ports._checks import checked, is_known, not_modelled, one_of, over, whole, whole_steps
from jaxsched.presets import inverse_sqrt, multi_step, step_decay
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Exponential
from jaxsched.shapes.levels import Piecewise
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.polynomial import Polynomial
from jaxsched.shapes.rational import InversePower


def NoamDecay(
    d_model: Number,
    warmup_steps: Number,
    learning_rate: Number = 1.0,
    last_epoch: int = -1,
    verbose: bool | int = False,
) -> Schedule:
    r"""$\text{learning\_rate} \cdot \text{d\_model}^{-1/2} \min(t^{-1/2},\ t\,\text{warmup\_steps}^{-3/2})$.

    The rate at step 0 is 0.

    >>> from jaxsched.ports import paddle
    >>> paddle.NoamDecay(64, 100, learning_rate=2.0)
    warmup(InversePower(0.025, 100, 0.5), 100)

    Args:
      d_model: the width of the model, above 0.
      warmup_steps: the length of the warmup, above 0.
      learning_rate: a factor, at least 0.

    Source: `NoamDecay` of Paddle 3.3.1.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    d_model = checked_number("d_model", d_model, above=0)
    warmup_steps = checked_number("warmup_steps", warmup_steps, above=0)
    return inverse_sqrt(_rate(learning_rate) * (d_model * warmup_steps) ** -0.5, warmup_steps)


def PiecewiseDecay(
    boundaries: Numbers, values: Numbers, last_epoch: int = -1, verbose: bool | int = False
) -> Schedule:
    r"""$\text{values}[\#\{b \in \text{boundaries}:\ b \le t\}]$.

    >>> from jaxsched.ports import paddle
    >>> paddle.PiecewiseDecay([3, 6], [0.1, 0.2, 0.3])
    Piecewise([0.1, 0.2, 0.3], [3, 6])

    Args:
      boundaries: at least one step, sorted and at least 0.
      values: the rates, one more than there are boundaries.

    Source: `PiecewiseDecay` of Paddle 3.3.1. Deviation: more values are refused; Paddle jumps to the last
    one.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    steps = as_numbers("boundaries", boundaries)
    if len(steps) == 0:
        raise ValueError("`boundaries` must have at least one entry, got none.")
    return Piecewise(values, steps)


def NaturalExpDecay(
    learning_rate: Number, gamma: Number, last_epoch: int = -1, verbose: bool | int = False
) -> Schedule:
    r"""$\text{learning\_rate} \cdot e^{-\text{gamma} \cdot t}$.

    >>> import math
    >>> from jaxsched.ports import paddle
    >>> paddle.NaturalExpDecay(0.5, gamma=math.log(2))
    Exponential(0.5, 0.5)

    Args:
      learning_rate: the first rate, at least 0.
      gamma: the rate of decay per step, above 0.

    Source: `NaturalExpDecay` of Paddle 3.3.1.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    gamma = checked_number("gamma", gamma, above=0)
    return Exponential(_rate(learning_rate), 0.5, over(math.log(2), "gamma", gamma))


def InverseTimeDecay(
    learning_rate: Number, gamma: Number, last_epoch: int = -1, verbose: bool | int = False
) -> Schedule:
    r"""$\text{learning\_rate} / (1 + \text{gamma} \cdot t)$.

    >>> from jaxsched.ports import paddle
    >>> paddle.InverseTimeDecay(0.5, gamma=0.1)
    InversePower(0.5, 10, 1)

    Args:
      learning_rate: the first rate, at least 0.
      gamma: the growth of the denominator per step, at least 0.

    Source: `InverseTimeDecay` of Paddle 3.3.1.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    gamma = checked_number("gamma", gamma, at_least=0)
    if is_known(gamma, 0):
        return Constant(_rate(learning_rate))
    return InversePower(_rate(learning_rate), over(1.0, "gamma", gamma), 1.0)


def PolynomialDecay(
    learning_rate: Number,
    decay_steps: Number,
    end_lr: Number = 0.0001,
    power: Number = 1.0,
    cycle: bool = False,
    last_epoch: int = -1,
    verbose: bool | int = False,
) -> Schedule:
    r"""A polynomial decay, once or, with `cycle`, again and again.

    $$f(t) = \text{end\_lr} + (\text{learning\_rate} - \text{end\_lr})
    \left(1 - \frac{t}{D}\right)^\text{power}$$

    up to step $D$ = `decay_steps`. With `cycle`, $D$ is the smallest multiple of `decay_steps` that is at
    least $t$.

    >>> from jaxsched.ports import paddle
    >>> paddle.PolynomialDecay(0.5, 20, end_lr=0.1, power=2.0)
    Polynomial(0.5, 0.1, 20, 2)

    Args:
      learning_rate: the first rate, at least 0.
      decay_steps: the length of the decay, a whole number of at least 1.
      end_lr: the last rate.
      power: above 0 and at most 1,000,000.
      cycle: whether the decay restarts, each time lower than before.

    Source: `PolynomialDecay` of Paddle 3.3.1.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    decay_steps = whole("decay_steps", decay_steps, at_least=1)
    power = checked_number("power", power, above=0, at_most=1e6)
    (end_lr,) = checked(end_lr=end_lr)
    build = growing_polynomials if checked_flag("cycle", cycle) else Polynomial
    return build(_rate(learning_rate), end_lr, decay_steps, power)


def LinearWarmup(
    learning_rate: ScheduleLike,
    warmup_steps: Number,
    start_lr: Number,
    end_lr: Number,
    last_epoch: int = -1,
    verbose: bool | int = False,
) -> Schedule:
    """A straight line from `start_lr` to `end_lr`, then `learning_rate` on its own clock.

    >>> from jaxsched.ports import paddle
    >>> paddle.LinearWarmup(0.5, 20, start_lr=0.0, end_lr=0.4)
    join([Linear(0, 0.4, 20), 0.5], [20])

    Args:
      learning_rate: a schedule or a number; it need not begin at `end_lr`.
      warmup_steps: the length of the warmup, a whole number of at least 1.
      start_lr: the first rate, at least 0.
      end_lr: above `start_lr`.

    Source: `LinearWarmup` of Paddle 3.3.1.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    warmup_steps = whole("warmup_steps", warmup_steps, at_least=1)
    start_lr = checked_number("start_lr", start_lr, at_least=0)
    (end_lr,) = checked(end_lr=end_lr)
    if is_concrete(start_lr, end_lr) and not end_lr > start_lr:
        raise ValueError(f"`end_lr` must be above `start_lr` ({show(start_lr)}), got {show(end_lr)}.")
    ramp = Linear(start_lr, end_lr, warmup_steps)
    return join([ramp, as_schedule("learning_rate", learning_rate)], [warmup_steps])


def ExponentialDecay(
    learning_rate: Number, gamma: Number, last_epoch: int = -1, verbose: bool | int = False
) -> Schedule:
    r"""$\text{learning\_rate} \cdot \text{gamma}^t$.

    >>> from jaxsched.ports import paddle
    >>> paddle.ExponentialDecay(0.5, gamma=0.9)
    Exponential(0.5, 0.9)

    Args:
      learning_rate: the first rate, at least 0.
      gamma: the factor, above 0 and below 1.

    Source: `ExponentialDecay` of Paddle 3.3.1.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    return Exponential(_rate(learning_rate), checked_number("gamma", gamma, above=0, below=1))


def MultiStepDecay(
    learning_rate: Number,
    milestones: Numbers,
    gamma: Number = 0.1,
    last_epoch: int = -1,
    verbose: bool | int = False,
) -> Schedule:
    r"""$\text{learning\_rate} \cdot \text{gamma}^{\#\{m \in \text{milestones}:\ m \le t\}}$.

    >>> from jaxsched.ports import paddle
    >>> paddle.MultiStepDecay(0.4, [15, 30], gamma=0.5)
    Piecewise([0.4, 0.2, 0.1], [15, 30])

    Args:
      learning_rate: the first rate, at least 0.
      milestones: the steps of the cuts, whole numbers of at least 0, strictly increasing.
      gamma: the factor, below 1.

    Source: `MultiStepDecay` of Paddle 3.3.1.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    steps = whole_steps("milestones", milestones, at_least=0)
    if is_concrete(steps) and len(set(steps.tolist())) < len(steps):
        raise ValueError(f"`milestones` must increase, got {milestones!r}.")
    return multi_step(_rate(learning_rate), checked_number("gamma", gamma, below=1), steps)


def StepDecay(
    learning_rate: Number,
    step_size: Number,
    gamma: Number = 0.1,
    last_epoch: int = -1,
    verbose: bool | int = False,
) -> Schedule:
    r"""$\text{learning\_rate} \cdot \text{gamma}^{\lfloor t / \text{step\_size} \rfloor}$.

    >>> from jaxsched.ports import paddle
    >>> paddle.StepDecay(0.5, 4, gamma=0.8)
    staircase(Exponential(0.5, 0.8, 4), 4)

    Args:
      learning_rate: the first rate, at least 0.
      step_size: the number of steps between cuts, a whole number of at least 1.
      gamma: the factor, at least 0 and below 1.

    Source: `StepDecay` of Paddle 3.3.1.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    gamma = checked_number("gamma", gamma, at_least=0, below=1)
    return step_decay(_rate(learning_rate), gamma, whole("step_size", step_size, at_least=1))


def LambdaDecay(
    learning_rate: Number,
    lr_lambda: Callable[[Any], Any],
    last_epoch: int = -1,
    verbose: bool | int = False,
    *,
    total_steps: int | None = None,
) -> Schedule:
    """`learning_rate * lr_lambda(t)`.

    >>> from jaxsched.ports import paddle
    >>> paddle.LambdaDecay(0.5, lambda step: min(1.0, (step + 1) / 4), total_steps=5)
    0.5 * Table([0.25, 0.5, 0.75, 1, 1])

    Args:
      learning_rate: the base rate, at least 0.
      lr_lambda: a function of the step. It is traced, as in `jaxsched.Lambda`, unless `total_steps` is given.
      total_steps: if given, tabulate `lr_lambda` over this many steps instead. It is then called with Python
        integers from 0 on, and the last value stays.

    Source: `LambdaDecay` of Paddle 3.3.1.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    return _rate(learning_rate) * step_function("lr_lambda", lr_lambda, total_steps)


def MultiplicativeDecay(
    learning_rate: Number,
    lr_lambda: Callable[[int], float],
    last_epoch: int = -1,
    verbose: bool | int = False,
    *,
    total_steps: int,
) -> Schedule:
    r"""$\text{learning\_rate} \prod_{i=1}^{t} \text{lr\_lambda}(i)$, as a table.

    >>> from jaxsched.ports import paddle
    >>> paddle.MultiplicativeDecay(0.5, lambda step: 0.5, total_steps=4)
    0.5 * Table([1, 0.5, 0.25, 0.125])

    Args:
      learning_rate: the base rate, at least 0.
      lr_lambda: a function of the step, called with Python integers from 1 on.
      total_steps: the number of steps to tabulate.

    Source: `MultiplicativeDecay` of Paddle 3.3.1. Deviation: after `total_steps` the last value stays.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    return _rate(learning_rate) * running_product("lr_lambda", lr_lambda, total_steps)


def CosineAnnealingDecay(
    learning_rate: Number,
    T_max: Number,
    eta_min: Number = 0,
    last_epoch: int = -1,
    verbose: bool | int = False,
) -> Schedule:
    r"""A cosine, which rises again after `T_max`.

    $$f(t) = \text{eta\_min} + (\text{learning\_rate} - \text{eta\_min}) \,
    \tfrac12 (1 + \cos(\pi t / \text{T\_max}))$$

    >>> from jaxsched.ports import paddle
    >>> paddle.CosineAnnealingDecay(0.3, T_max=15, eta_min=0.01)
    reflect(Cosine(0.3, 0.01, 15), 30)

    Args:
      learning_rate: the first rate, at least 0.
      T_max: the step at which the rate is `eta_min`, a whole number of at least 1. At `2 * T_max` it is
        `learning_rate` again.
      eta_min: the lowest rate.

    Source: `CosineAnnealingDecay` of Paddle 3.3.1.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    T_max = whole("T_max", T_max, at_least=1)
    (eta_min,) = checked(eta_min=eta_min)
    return reflect(Cosine(_rate(learning_rate), eta_min, T_max), 2 * T_max)


def OneCycleLR(
    max_learning_rate: Number,
    total_steps: Number,
    divide_factor: Number = 25.0,
    end_learning_rate: Number = 0.0001,
    phase_pct: Number = 0.3,
    anneal_strategy: str = "cos",
    three_phase: bool = False,
    last_epoch: int = -1,
    verbose: bool | int = False,
) -> Schedule:
    """One cycle: up to `max_learning_rate` and down again, to `end_learning_rate`.

    With `N` = `total_steps`, the knots are `max_learning_rate / divide_factor` at 0, `max_learning_rate` at
    `phase_pct * N - 1`, with three phases `max_learning_rate / divide_factor` again at
    `2 * phase_pct * N - 2`, and `end_learning_rate` at `N - 1`. Their steps need not be whole numbers. If
    the peak lies before step 0, the run starts on the way down from it.

    >>> from jaxsched.ports import paddle
    >>> paddle.OneCycleLR(1.0, total_steps=11, phase_pct=0.5, anneal_strategy="linear")
    knots([0.04, 1, 0.0001], [0, 4.5, 10])

    Args:
      max_learning_rate: the highest rate, at least 0.
      total_steps: the length of the run, a whole number of at least 1.
      divide_factor: the highest rate divided by the first, above 0.
      end_learning_rate: the last rate, at least 0.
      phase_pct: the fraction of the run in which the rate rises, from 0 to 1; below 0.5 with three phases.
      anneal_strategy: `"cos"` or `"linear"`.
      three_phase: whether the rate first falls back to the first rate, as fast as it rose, and then to the
        last.

    Source: `OneCycleLR` of Paddle 3.3.1. Deviations: Paddle extrapolates at step `N`, below 0 if linear, and
    raises after it; here the last rate stays. Paddle divides by 0 in a phase of length 0; here it is skipped.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    peak = checked_number("max_learning_rate", max_learning_rate, at_least=0)
    last = checked_number("end_learning_rate", end_learning_rate, at_least=0)
    init = peak / checked_number("divide_factor", divide_factor, above=0)
    steps = whole("total_steps", total_steps, at_least=1)
    limit = {"below": 0.5} if checked_flag("three_phase", three_phase) else {"at_most": 1.0}
    rise = checked_number("phase_pct", phase_pct, at_least=0, **limit) * steps
    values = [init, peak, *([init] if three_phase else []), last]
    ends = [0, rise - 1, *([2 * rise - 2] if three_phase else []), steps - 1]
    return one_cycle(values, ends, one_of("anneal_strategy", anneal_strategy, ANNEALINGS))


def CyclicLR(
    base_learning_rate: Number,
    max_learning_rate: Number,
    step_size_up: Number,
    step_size_down: Number | None = None,
    mode: str = "triangular",
    exp_gamma: Number = 1.0,
    scale_fn: Callable[[Any], Any] | None = None,
    scale_mode: str = "cycle",
    last_epoch: int = -1,
    verbose: bool | int = False,
    *,
    total_steps: int | None = None,
) -> Schedule:
    r"""Triangles from `base_learning_rate` to `max_learning_rate` and back.

    With $h$ the height of the triangle, from 0 to 1, in the cycles $k = 1, 2, \dots$,

    $$f(t) = \text{base} + (\text{max} - \text{base}) \, h(t) \cdot s, \quad
    s = 1,\ 2^{1 - k},\ \text{exp\_gamma}^t,\ \text{scale\_fn}(k) \text{ or } \text{scale\_fn}(t)$$

    Args:
      base_learning_rate: the lower rate, at least 0.
      max_learning_rate: the upper rate, at least 0.
      step_size_up: the number of steps up, a whole number of at least 1.
      step_size_down: the number of steps down; `step_size_up` by default.
      mode: `"triangular"`, `"triangular2"` or `"exp_range"`: the first three $s$, in this order.
      exp_gamma: the factor per step of `"exp_range"`, at least 0.
      scale_fn: a function that replaces the mode. It is traced, as in `jaxsched.Lambda`, unless `total_steps`
        is given.
      scale_mode: the argument of `scale_fn`: the `"cycle"`, from 1, or the `"iterations"`, from 0.
      total_steps: if given, tabulate `scale_fn` over this many steps instead. It is then called with Python
        integers, and the last value stays.

    Source: `CyclicLR` of Paddle 3.3.1.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    base = checked_number("base_learning_rate", base_learning_rate, at_least=0)
    peak = checked_number("max_learning_rate", max_learning_rate, at_least=0)
    rise = whole("step_size_up", step_size_up, at_least=1)
    fall = rise if step_size_down is None else whole("step_size_down", step_size_down, at_least=1)
    gamma = checked_number("exp_gamma", exp_gamma, at_least=0)
    return triangles(base, peak, rise, fall, mode, gamma, scale_fn, scale_mode, total_steps)


def LinearLR(
    learning_rate: Number,
    total_steps: Number,
    start_factor: Number = 1.0 / 3,
    end_factor: Number = 1.0,
    last_epoch: int = -1,
    verbose: bool | int = False,
) -> Schedule:
    """A straight line from `learning_rate * start_factor` to `learning_rate * end_factor`.

    >>> from jaxsched.ports import paddle
    >>> paddle.LinearLR(0.4, 4, start_factor=0.5)
    Linear(0.2, 0.4, 4)

    Args:
      learning_rate: the base rate, at least 0.
      total_steps: the length of the line, a whole number of at least 1.
      start_factor: above 0 and at most 1.
      end_factor: from 0 to 1.

    Source: `LinearLR` of Paddle 3.3.1.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    rate = _rate(learning_rate)
    start_factor = checked_number("start_factor", start_factor, above=0, at_most=1)
    end_factor = checked_number("end_factor", end_factor, at_least=0, at_most=1)
    return Linear(rate * start_factor, rate * end_factor, whole("total_steps", total_steps, at_least=1))


def CosineAnnealingWarmRestarts(
    learning_rate: Number,
    T_0: Number,
    T_mult: Number = 1,
    eta_min: Number = 0,
    last_epoch: int = -1,
    verbose: bool | int = False,
) -> Schedule:
    r"""Cosines from `learning_rate` towards `eta_min`, each `T_mult` times as long as the one before.

    $$f(t) = \text{eta\_min} + (\text{learning\_rate} - \text{eta\_min}) \,
    \tfrac12 (1 + \cos(\pi T_\text{cur} / T_i))$$

    >>> from jaxsched.ports import paddle
    >>> paddle.CosineAnnealingWarmRestarts(0.3, T_0=10, T_mult=2)
    cycle(Cosine(0.3, 0, 10), 10, 2)

    Args:
      learning_rate: the first rate of each cosine, at least 0.
      T_0: the length of the first cosine, a whole number of at least 1.
      T_mult: the ratio of each length to the one before, a whole number of at least 1.
      eta_min: the lowest rate. No step reaches it, since the restart comes first.

    Source: `CosineAnnealingWarmRestarts` of Paddle 3.3.1. Deviation: Paddle's `step(epoch)`, which
    `LinearWarmup` calls too, finds the cycle by a logarithm and misses some restarts. The port restarts
    where calls of `step()` do.
    """
    not_modelled(last_epoch=last_epoch, verbose=verbose)
    T_0 = whole("T_0", T_0, at_least=1)
    (eta_min,) = checked(eta_min=eta_min)
    return restarts(Cosine(_rate(learning_rate), eta_min, T_0), T_0, whole("T_mult", T_mult, at_least=1))


def _rate(learning_rate: Any) -> Any:
    return checked_number("learning_rate", learning_rate, at_least=0)


def ReduceOnPlateau(
    learning_rate: Number,
    mode: str = "min",
    factor: Number = 0.1,
    patience: Number = 10,
    threshold: Number = 1e-4,
    threshold_mode: str = "rel",
    cooldown: Number = 0,
    min_lr: Number = 0,
    epsilon: Number = 1e-8,
    verbose: bool | int = False,
) -> Plateau:
    """A rule for `jaxsched.scale_by_plateau`, which scales any schedule when a metric stops improving.

    As in Paddle, the first metric counts as the best, even if it is NaN. Metrics during a cooldown are
    ignored. A relative threshold is a fraction of the best metric itself, not of its absolute value.

    Args:
      learning_rate: the base rate, above 0, relative to which `min_lr` and `epsilon` are taken.
      mode: "min" or "max".
      factor: the factor of each cut, at least 0 and below 1.
      patience: the number of observations without improvement that are tolerated.
      threshold: the margin of an improvement, at least 0.
      threshold_mode: "rel" or "abs".
      cooldown: the number of observations after a cut that are ignored.
      min_lr: the floor of the rate.
      epsilon: a cut by this much or less is not made.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside its range.

    Source: `ReduceOnPlateau` of Paddle.
    """
    not_modelled(verbose=verbose)
    machine = Machine(signed_margin=True, infinities=True, first=True, cooldown="ignore")
    return plateau(
        checked_number("learning_rate", learning_rate, above=0),
        machine,
        mode=mode,
        factor=factor,
        patience=patience,
        cooldown=cooldown,
        min_lr=checked_number("min_lr", min_lr, at_least=0),
        eps=checked_number("epsilon", epsilon, at_least=0),
        **margins(threshold, threshold_mode),
    )
