# ruff: noqa: D417, N802 - the module describes the arguments in common; the names are those of the originals.
r"""The schedulers of timm, `timm.scheduler`.

A port takes the base rate `lr` in place of the optimizer. Its step is the argument of the original's `step`
or `step_update`. All ports take these arguments:

- `warmup_t`: the length of the warmup, a straight line from `warmup_lr_init` to `lr`, at least 0.
- `warmup_lr_init`: the first rate of the warmup, at least 0.
- `warmup_prefix`: whether the schedule begins after the warmup. Otherwise the warmup replaces its first
  steps.
- `noise_range_t`: must be None, because a schedule has no noise. Multiply it by a `jaxsched.Table` of factors
  instead. `noise_pct`, `noise_std` and `noise_seed` are ignored.
- `t_in_epochs`: must be True. A port counts in the unit of its arguments; for a clock in epochs use
  `jaxsched.per_epoch(schedule, steps_per_epoch)`.
- `initialize`: must be True. The base rate is `lr`, which also replaces an `initial_lr`.

The ports with cycles also take the arguments below. Cycle $i$, counted from 0, falls from
$p_i = \text{lr} \cdot \text{cycle\_decay}^i$ to `lr_min` in
$T_i = \text{t\_initial} \cdot \text{cycle\_mul}^i$ steps. In the formulas, $t'$ of these have passed.

- `t_initial`: the length of the first cycle, above 0.
- `lr_min`: the last rate, at least 0.
- `cycle_mul`: the ratio of each length to the one before, above 0.
- `cycle_decay`: the ratio of each first rate to the one before, at least 0.
- `cycle_limit`: the number of cycles, a whole number of at least 0. After them the rate is `lr_min`.

Deviations: timm finds the cycle by a logarithm in floats. It misses some restarts, such as the one at step
`121 * t_initial` with `cycle_mul=3`, and fails after the last of ever shorter cycles. The ports meet every
restart, and stay at `lr_min` after the last cycle.

>>> from jaxsched.ports import timm
>>> timm.CosineLRScheduler(0.1, t_initial=90, lr_min=1e-5, warmup_t=5, warmup_prefix=True)
join([Linear(0, 0.1, 5), Cosine(0.1, 1e-05, 90)], [5])
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from jaxsched._core.fields import (
    Number,
    Numbers,
    check_range,
    checked_flag,
    checked_number,
    is_concrete,
    show,
)
from jaxsched._core.schedule import Constant, Schedule
from jaxsched.combinators.clip import clip
from jaxsched.combinators.clocks import shift
from jaxsched.combinators.cycle import cycle
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import warmup
from jaxsched.plateau import Plateau
from jaxsched.ports._builders import PYTORCH, plateau
from jaxsched.ports._checks import checked, is_known, larger, not_modelled, one_of, whole, whole_steps
from jaxsched.presets import multi_step, step_decay
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.levels import Table
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.polynomial import OneMinusSqrt, Polynomial
from jaxsched.shapes.rational import InversePower
from jaxsched.shapes.sigmoid import Logistic, Relaxation


def CosineLRScheduler(
    lr: Number,
    t_initial: Number,
    lr_min: Number = 0.0,
    cycle_mul: Number = 1.0,
    cycle_decay: Number = 1.0,
    cycle_limit: Number = 1,
    warmup_t: Number = 0,
    warmup_lr_init: Number = 0.0,
    warmup_prefix: bool = False,
    t_in_epochs: bool = True,
    noise_range_t: None = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    k_decay: Number = 1.0,
    initialize: bool = True,
) -> Schedule:
    r"""Cycles of half a cosine.

    $$f(t) = \text{lr\_min} + (p_i - \text{lr\_min}) \, \tfrac12
    \left(1 + \cos\left(\pi \, (t' / T_i)^\text{k\_decay}\right)\right)$$

    >>> from jaxsched.ports import timm
    >>> timm.CosineLRScheduler(0.1, 10, cycle_mul=2, cycle_decay=0.5, cycle_limit=3)
    cycle(Cosine(0.1, 0, 10), 10, 2, 0.5, 3)

    Args:
      lr: the base rate.
      k_decay: above 0 and at most 1,000,000. More than 1 stays longer at the first rate.

    See the module for the other arguments and the deviations. A cycle that begins below `lr_min` rises to it.
    Without `warmup_prefix`, the rate jumps from `lr` to the schedule when the warmup ends.

    Source: `CosineLRScheduler` of timm 1.0.31.
    """
    not_modelled(t_in_epochs=t_in_epochs, noise_range_t=noise_range_t, initialize=initialize)
    k_decay = checked_number("k_decay", k_decay, above=0, at_most=1e6)
    curve = functools.partial(Cosine, warp=k_decay)
    cycles = _cycles(curve, lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit)
    return _warmed_up(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix)


def TanhLRScheduler(
    lr: Number,
    t_initial: Number,
    lb: Number = -7.0,
    ub: Number = 3.0,
    lr_min: Number = 0.0,
    cycle_mul: Number = 1.0,
    cycle_decay: Number = 1.0,
    cycle_limit: Number = 1,
    warmup_t: Number = 0,
    warmup_lr_init: Number = 0.0,
    warmup_prefix: bool = False,
    t_in_epochs: bool = True,
    noise_range_t: None = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    initialize: bool = True,
) -> Schedule:
    r"""Cycles of part of a hyperbolic tangent.

    $$f(t) = \text{lr\_min} + (p_i - \text{lr\_min}) \, \tfrac12
    \left(1 - \tanh\left(\text{lb} + (\text{ub} - \text{lb}) \, t' / T_i\right)\right)$$

    Each cycle begins a little below $p_i$ and ends a little above `lr_min`. After the last one the rate
    jumps to `lr_min`.

    Args:
      lr: the base rate.
      lb: the argument of the tangent at the start of a cycle.
      ub: its argument at the end, above `lb`.

    See the module for the other arguments and the deviations. Without `warmup_prefix`, the warmup ends at the
    rate that the schedule has there, not at `lr`.

    Source: `TanhLRScheduler` of timm 1.0.31.
    """
    not_modelled(t_in_epochs=t_in_epochs, noise_range_t=noise_range_t, initialize=initialize)
    lb, ub = checked(lb=lb, ub=ub)
    if is_concrete(lb, ub):
        check_range("ub", float(ub), above=float(lb))

    # With a factor such as 1.1, which no float equals, the ends of cycles are rounded.
    whole_cycle = 1.0 if is_known(cycle_mul, 1) else 1 - 2.0**-30

    def curve(peak: Any, end: Any, steps: Any) -> Schedule:
        # (1 - tanh x) / 2 = 1 / (1 + exp(2 x)), with x = 0 at the midpoint.
        tangent = Logistic(peak, end, -lb / (ub - lb) * steps, steps / (2 * (ub - lb)))
        return join([tangent, end], [steps * whole_cycle])

    cycles = _cycles(curve, lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit)
    return _warmed_up(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix, to_due=True)


def PolyLRScheduler(
    lr: Number,
    t_initial: Number,
    power: Number = 0.5,
    lr_min: Number = 0.0,
    cycle_mul: Number = 1.0,
    cycle_decay: Number = 1.0,
    cycle_limit: Number = 1,
    warmup_t: Number = 0,
    warmup_lr_init: Number = 0.0,
    warmup_prefix: bool = False,
    t_in_epochs: bool = True,
    noise_range_t: None = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    k_decay: Number = 1.0,
    initialize: bool = True,
) -> Schedule:
    r"""Cycles of a polynomial decay.

    $$f(t) = \text{lr\_min} + (p_i - \text{lr\_min})
    \left(1 - (t' / T_i)^\text{k\_decay}\right)^\text{power}$$

    Args:
      lr: the base rate.
      power: from 0 to 1,000,000.
      k_decay: above 0 and at most 1,000,000. More than 1 stays longer at the first rate.

    See the module for the other arguments and the deviations. A cycle that begins below `lr_min` rises to it.
    Without `warmup_prefix`, the rate jumps from `lr` to the schedule when the warmup ends.

    Source: `PolyLRScheduler` of timm 1.0.31.
    """
    not_modelled(t_in_epochs=t_in_epochs, noise_range_t=noise_range_t, initialize=initialize)
    power = checked_number("power", power, at_least=0, at_most=1e6)
    k_decay = checked_number("k_decay", k_decay, above=0, at_most=1e6)
    curve = functools.partial(Polynomial, power=power, warp=k_decay)
    cycles = _cycles(curve, lr, t_initial, lr_min, cycle_mul, cycle_decay, cycle_limit)
    return _warmed_up(cycles, lr, warmup_t, warmup_lr_init, warmup_prefix)


def StepLRScheduler(
    lr: Number,
    decay_t: Number,
    decay_rate: Number = 1.0,
    warmup_t: Number = 0,
    warmup_lr_init: Number = 0.0,
    warmup_prefix: bool = True,
    t_in_epochs: bool = True,
    noise_range_t: None = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    initialize: bool = True,
) -> Schedule:
    r"""$\text{lr} \cdot \text{decay\_rate}^{\lfloor t / \text{decay\_t} \rfloor}$.

    >>> from jaxsched.ports import timm
    >>> timm.StepLRScheduler(0.1, decay_t=30, decay_rate=0.5)
    staircase(Exponential(0.1, 0.5, 30), 30)

    Args:
      lr: the base rate.
      decay_t: the number of steps between cuts, above 0.
      decay_rate: the factor, at least 0.

    See the module for the other arguments.

    Source: `StepLRScheduler` of timm 1.0.31.
    """
    not_modelled(t_in_epochs=t_in_epochs, noise_range_t=noise_range_t, initialize=initialize)
    (lr,) = checked(lr=lr)
    decay_t = checked_number("decay_t", decay_t, above=0)
    steps = step_decay(lr, checked_number("decay_rate", decay_rate, at_least=0), decay_t)
    return _warmed_up(steps, lr, warmup_t, warmup_lr_init, warmup_prefix)


def MultiStepLRScheduler(
    lr: Number,
    decay_t: Numbers,
    decay_rate: Number = 1.0,
    warmup_t: Number = 0,
    warmup_lr_init: Number = 0.0,
    warmup_prefix: bool = True,
    t_in_epochs: bool = True,
    noise_range_t: None = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    initialize: bool = True,
) -> Schedule:
    r"""$\text{lr} \cdot \text{decay\_rate}^{\#\{d \in \text{decay\_t}:\ d \le t + 1\}}$, one step early.

    >>> from jaxsched.ports import timm
    >>> timm.MultiStepLRScheduler(0.4, [15, 30], decay_rate=0.5)
    shift(Piecewise([0.4, 0.2, 0.1], [15, 30]), -1)

    Args:
      lr: the base rate.
      decay_t: the steps of the cuts plus 1, sorted whole numbers of at least 0.
      decay_rate: the factor of each cut.

    See the module for the other arguments.

    Source: `MultiStepLRScheduler` of timm 1.0.31, where the early cut is intended.
    """
    not_modelled(t_in_epochs=t_in_epochs, noise_range_t=noise_range_t, initialize=initialize)
    lr, decay_rate = checked(lr=lr, decay_rate=decay_rate)
    levels = multi_step(lr, decay_rate, whole_steps("decay_t", decay_t, at_least=0))
    return _warmed_up(shift(levels, -1), lr, warmup_t, warmup_lr_init, warmup_prefix)


def WSDLRScheduler(
    lr: Number,
    t_initial: Number,
    decay_t: Number,
    lr_min: Number = 0.0,
    stable_fn: str = "constant",
    stable_timescale: Number | None = None,
    stable_power: Number = 0.5,
    decay_fn: str | Callable[[float], float] = "1-sqrt",
    decay_power: Number = 0.5,
    decay_ratio: Number = 0.1,
    warmup_t: Number = 0,
    warmup_lr_init: Number = 0.0,
    t_in_epochs: bool = True,
    noise_range_t: None = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    initialize: bool = True,
) -> Schedule:
    r"""Warmup, stable, decay: a warmup, then a stable phase whose last steps decay.

    After the warmup, with the stable function $s$ and the decay function $d$, which is 1 until the last
    `decay_t` steps and falls to 0 over them,

    $$f(t) = \text{lr\_min} + \left(\max(\text{lr} \cdot s(t), \text{lr\_min}) - \text{lr\_min}\right) d(t)$$

    | `stable_fn`  | $s$, where $t$ counts from the end of the warmup       |
    |--------------|--------------------------------------------------------|
    | `"constant"` | 1                                                      |
    | `"rsqrt"`    | `(1 + t / stable_timescale) ** -0.5`                   |
    | `"power"`    | `(1 + t / stable_timescale) ** -stable_power`          |

    | `decay_fn`   | $d$ after a fraction `x` of the decay                  |
    |--------------|--------------------------------------------------------|
    | `"linear"`   | `1 - x`                                                |
    | `"1-sqrt"`   | `1 - sqrt(x)`                                          |
    | `"cosine"`   | `0.5 * (1 + cos(pi * x))`                              |
    | `"power"`    | `1 - x ** decay_power`                                 |
    | `"exp"`      | `(decay_ratio ** x - decay_ratio) / (1 - decay_ratio)` |
    | a function   | its value at `x`                                       |

    >>> from jaxsched.ports import timm
    >>> timm.WSDLRScheduler(0.1, t_initial=100, decay_t=20)
    shift(OneMinusSqrt(0.1, 0, 20), 80)

    Args:
      lr: the base rate.
      t_initial: the number of steps after the warmup, a whole number of at least 1.
      decay_t: the length of the decay, a whole number from 1 to `t_initial`.
      lr_min: the last rate, at least 0.
      stable_fn: see above.
      stable_timescale: a number of steps, above 0; `warmup_t` by default.
      stable_power: above 0 and at most 1,000,000.
      decay_fn: see above. A function is called once for each fraction, with a Python float.
      decay_power: above 0 and at most 1,000,000.
      decay_ratio: above 0 and below 1.

    See the module for the other arguments. The warmup is always a prefix.

    Source: `WSDLRScheduler` of timm 1.0.31. Its scheduler factory calls this `wsd`, or `rsqrt` with
    `stable_fn="rsqrt"` and `decay_fn="linear"`.
    """
    not_modelled(t_in_epochs=t_in_epochs, noise_range_t=noise_range_t, initialize=initialize)
    (lr,) = checked(lr=lr)
    t_initial = whole("t_initial", t_initial, at_least=1)
    most = {"at_most": float(t_initial)} if is_concrete(t_initial) else {}
    decay_t = whole("decay_t", decay_t, at_least=1, **most)
    lr_min = checked_number("lr_min", lr_min, at_least=0)
    stable_power = checked_number("stable_power", stable_power, above=0, at_most=1e6)
    power = one_of("stable_fn", stable_fn, {"constant": 0.0, "rsqrt": 0.5, "power": stable_power})
    fade = _fade(decay_fn, decay_t, decay_power, decay_ratio)
    start = t_initial - decay_t
    if stable_fn == "constant":
        schedule: Schedule = shift(fade(larger(lr, lr_min), lr_min, decay_t), start)
    else:
        if stable_timescale is None:
            if is_known(warmup_t, 0):
                raise ValueError(
                    f"`stable_timescale` must be given for {stable_fn!r} without a warmup, got None."
                )
            stable_timescale = warmup_t
        timescale = checked_number("stable_timescale", stable_timescale, above=0)
        stable = clip(InversePower(lr, timescale, power), lr_min)
        schedule = stable * shift(fade(1.0, 0.0, decay_t), start)
        if not is_known(lr_min, 0):
            schedule = schedule + shift(fade(0.0, lr_min, decay_t), start)
    return _warmed_up(schedule, lr, warmup_t, warmup_lr_init, True)


def _fade(
    decay_fn: str | Callable[[float], float], steps: Any, decay_power: Number, decay_ratio: Number
) -> Callable[..., Schedule]:
    """The decay of a `WSDLRScheduler`, as a function of its two ends and its length."""
    curves: dict[str, Callable[..., Schedule]] = {
        "linear": Linear,
        "1-sqrt": OneMinusSqrt,
        "cosine": Cosine,
        "power": functools.partial(
            Polynomial, warp=checked_number("decay_power", decay_power, above=0, at_most=1e6)
        ),
        "exp": functools.partial(
            Relaxation, rate=checked_number("decay_ratio", decay_ratio, above=0, below=1)
        ),
    }
    if not callable(decay_fn):
        return one_of("decay_fn", decay_fn, curves)
    fractions = [i / int(steps) for i in range(1, int(steps) + 1)]
    factors = [1.0, *(checked_number(f"decay_fn({x})", decay_fn(x)) for x in fractions)]
    return lambda init, end, steps: Table([init * factor + end * (1 - factor) for factor in factors])


def _cycles(
    curve: Callable[[Any, Any, Any], Schedule],
    lr: Number,
    t_initial: Number,
    lr_min: Number,
    cycle_mul: Number,
    cycle_decay: Number,
    cycle_limit: Number,
) -> Schedule:
    """Cycles of a curve, which is a function of its two ends and its length."""
    (lr,) = checked(lr=lr)
    t_initial = checked_number("t_initial", t_initial, above=0)
    lr_min = checked_number("lr_min", lr_min, at_least=0)
    growth = checked_number("cycle_mul", cycle_mul, above=0, at_most=1e6)
    decay = checked_number("cycle_decay", cycle_decay, at_least=0)
    limit = whole("cycle_limit", cycle_limit, at_least=0)
    if is_known(limit, 0):
        return Constant(lr_min)
    if is_known(limit, 1):
        return curve(lr, lr_min, t_initial)
    if is_known(lr_min, 0) or is_known(decay, 1):
        return cycle(curve(lr, lr_min, t_initial), t_initial, growth, decay, limit)
    # `cycle_decay` applies to the first rate alone, not to `lr_min`.
    falling = cycle(curve(lr, 0.0, t_initial), t_initial, growth, decay, limit)
    return falling + cycle(curve(0.0, lr_min, t_initial), t_initial, growth, cycles=limit)


def _warmed_up(
    schedule: Schedule,
    lr: Number,
    warmup_t: Number,
    warmup_lr_init: Number,
    warmup_prefix: bool,
    to_due: bool = False,
) -> Schedule:
    """A warmup before the schedule or over its first steps, up to `lr` or to the rate that follows."""
    warmup_t = checked_number("warmup_t", warmup_t, at_least=0)
    warmup_lr_init = checked_number("warmup_lr_init", warmup_lr_init, at_least=0)
    if is_known(warmup_t, 0):
        return schedule
    if not checked_flag("warmup_prefix", warmup_prefix):
        schedule = shift(schedule, -warmup_t)
        if to_due:
            return warmup(schedule, warmup_t, warmup_lr_init)
    return join([Linear(warmup_lr_init, lr, warmup_t), schedule], [warmup_t])


def PlateauLRScheduler(
    lr: Number,
    decay_rate: Number = 0.1,
    patience_t: Number = 10,
    threshold: Number = 1e-4,
    cooldown_t: Number = 0,
    warmup_t: Number = 0,
    warmup_lr_init: Number = 0,
    lr_min: Number = 0,
    mode: str = "max",
    noise_range_t: Any = None,
    noise_type: Any = "normal",
    noise_pct: Any = 0.67,
    noise_std: Any = 1.0,
    noise_seed: Any = None,
    initialize: bool = True,
) -> Plateau:
    """A rule for `jaxsched.scale_by_plateau`, which scales any schedule when a metric stops improving.

    It follows PyTorch's plateau with a relative threshold. The warmup belongs to the schedule:
    `jaxsched.warmup(lr, warmup_t, warmup_lr_init)`. Do not observe the metric during it.

    Args:
      lr: the base rate, above 0, relative to which `lr_min` is taken.
      decay_rate: the factor of each cut, at least 0 and below 1.
      patience_t: the number of observations without improvement that are tolerated.
      threshold: the relative margin of an improvement, at least 0.
      cooldown_t: the number of observations after a cut that do not count as bad.
      warmup_t: must be 0.
      warmup_lr_init: must be 0.
      lr_min: the floor of the rate.
      mode: "min" or "max".
      noise_range_t: must be None; see the module.
      noise_type: no effect without `noise_range_t`.
      noise_pct: no effect without `noise_range_t`.
      noise_std: no effect without `noise_range_t`.
      noise_seed: no effect without `noise_range_t`.
      initialize: must be True; see the module.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside its range, or a warmup or noise is requested.

    Source: `PlateauLRScheduler` of timm 1.0.31.
    """
    not_modelled(noise_range_t=noise_range_t, initialize=initialize)
    if checked_number("warmup_t", warmup_t) or checked_number("warmup_lr_init", warmup_lr_init):
        raise ValueError(
            f"`warmup_t` and `warmup_lr_init` must be 0, got {warmup_t} and {warmup_lr_init}: "
            "warm up the schedule instead, with `jaxsched.warmup(lr, warmup_t, warmup_lr_init)`."
        )
    return plateau(
        lr,
        PYTORCH,
        mode=mode,
        factor=checked_number("decay_rate", decay_rate, at_least=0, below=1),
        patience=whole("patience_t", patience_t, at_least=0),
        rtol=checked_number("threshold", threshold, at_least=0),
        atol=0.0,
        cooldown=whole("cooldown_t", cooldown_t, at_least=0),
        min_lr=checked_number("lr_min", lr_min, at_least=0),
        eps=1e-8,
    )


def create_scheduler_v2(
    lr: Number,
    sched: str = "cosine",
    num_epochs: int = 300,
    decay_epochs: Number | None = None,
    decay_milestones: Numbers = (90, 180, 270),
    cooldown_epochs: int = 0,
    patience_epochs: int = 10,
    decay_rate: Number = 0.1,
    min_lr: Number = 0.0,
    warmup_lr: Number = 1e-5,
    warmup_epochs: int = 0,
    warmup_prefix: bool = False,
    noise: None = None,
    noise_pct: float = 0.67,
    noise_std: float = 1.0,
    noise_seed: int = 42,
    cycle_mul: Number = 1.0,
    cycle_decay: Number = 0.1,
    cycle_limit: int = 1,
    k_decay: Number = 1.0,
    decay_fn: str | None = None,
    stable_timescale: Number | None = None,
    plateau_mode: str = "max",
    step_on_epochs: bool = True,
    updates_per_epoch: int = 0,
) -> tuple[Schedule, int]:
    """A scheduler of this module by its name on timm's command line, and the number of epochs to train.

    | `sched`        | port                                                              |
    |----------------|-------------------------------------------------------------------|
    | `"cosine"`     | `CosineLRScheduler`                                               |
    | `"tanh"`       | `TanhLRScheduler`                                                 |
    | `"poly"`       | `PolyLRScheduler`, with the power `decay_rate`                    |
    | `"step"`       | `StepLRScheduler`                                                 |
    | `"multistep"`  | `MultiStepLRScheduler`                                            |
    | `"wsd"`        | `WSDLRScheduler`                                                  |
    | `"rsqrt"`      | `WSDLRScheduler`, with `stable_fn="rsqrt"` and `decay_fn="linear"` |

    The schedule counts epochs, or updates without `step_on_epochs`.

    >>> from jaxsched.ports import timm
    >>> timm.create_scheduler_v2(0.1, num_epochs=100, cooldown_epochs=10)
    (Cosine(0.1, 0, 100), 110)
    >>> timm.create_scheduler_v2(0.1, "wsd", 100, step_on_epochs=False, updates_per_epoch=5)
    (shift(OneMinusSqrt(0.1, 0, 100), 400), 100)

    Args:
      lr: the base rate.
      sched: see above. A plateau is refused, because it is no function of the step: use `PlateauLRScheduler`.
      num_epochs: the length of the first cycle, or of the schedule, in epochs; a whole number of at least 1.
        It includes the warmup, unless `warmup_prefix` is True.
      decay_epochs: the epochs between the cuts of `"step"`, 90 by default; the epochs of the decay of `"wsd"`
        and `"rsqrt"`, or below 1 its fraction of what follows the warmup, 0.2 by default. Above 0.
      decay_milestones: the epochs of the cuts plus 1, sorted whole numbers of at least 0.
      cooldown_epochs: the epochs after the last cycle or decay, a whole number of at least 0.
      patience_epochs: no effect without a plateau.
      decay_rate: the factor of each cut, or the power of `"poly"`; from 0 to 1,000,000.
      min_lr: the last rate, at least 0. `"step"` and `"multistep"` do not stop at it.
      warmup_lr: the first rate of the warmup, at least 0.
      warmup_epochs: the length of the warmup, a whole number of at least 0.
      warmup_prefix: whether the schedule begins after the warmup. The warmup of `"wsd"` and `"rsqrt"` always
        comes first; without `warmup_prefix` it shortens their stable phase.
      noise: must be None; see the module. `noise_pct`, `noise_std` and `noise_seed` are ignored.
      cycle_mul: see the module.
      cycle_decay: see the module; 0.1 by default, as on the command line.
      cycle_limit: see the module.
      k_decay: see the ports.
      decay_fn: the name of a decay of `WSDLRScheduler`; `"1-sqrt"` by default, `"linear"` for `"rsqrt"`.
      stable_timescale: the timescale of `"rsqrt"` in epochs, above 0; `warmup_epochs` by default.
      plateau_mode: no effect without a plateau.
      step_on_epochs: whether the step of the schedule counts epochs; otherwise it counts updates.
      updates_per_epoch: the updates in an epoch, a whole number of at least 1 without `step_on_epochs`.

    Returns:
      The schedule, and the number of epochs with all cycles and the cooldown.

    Raises:
      TypeError: an argument is of the wrong type, or a length is traced.
      ValueError: an argument is outside its range, or a plateau or noise is requested.

    Source: `create_scheduler_v2` of timm 1.0.31. For a `sched` that it does not know, timm returns None.
    """
    not_modelled(noise=noise)
    if sched == "plateau":
        raise ValueError(
            "`sched` must name a function of the step, got 'plateau', which follows a metric: use the rule "
            f"`jaxsched.ports.timm.PlateauLRScheduler({lr}, {decay_rate}, {patience_epochs}, "
            f"lr_min={min_lr}, mode={plateau_mode!r})`."
        )
    decay_rate = checked_number("decay_rate", decay_rate, at_least=0, at_most=1e6)
    ports: dict[str, Callable[..., Schedule]] = {
        "cosine": functools.partial(CosineLRScheduler, k_decay=k_decay),
        "tanh": TanhLRScheduler,
        "poly": functools.partial(PolyLRScheduler, power=decay_rate, k_decay=k_decay),
        "step": StepLRScheduler,
        "multistep": MultiStepLRScheduler,
        "wsd": functools.partial(WSDLRScheduler, stable_fn="constant", decay_fn=decay_fn or "1-sqrt"),
        "rsqrt": functools.partial(WSDLRScheduler, stable_fn="rsqrt", decay_fn=decay_fn or "linear"),
    }
    port = one_of("sched", sched, ports)
    lr_min = checked_number("min_lr", min_lr, at_least=0)
    warmed: dict[str, Any] = {"warmup_lr_init": checked_number("warmup_lr", warmup_lr, at_least=0)}
    prefix = checked_flag("warmup_prefix", warmup_prefix)
    by_epochs = checked_flag("step_on_epochs", step_on_epochs)
    every = 1.0 if by_epochs else _length("updates_per_epoch", updates_per_epoch, at_least=1)
    t_initial = every * _length("num_epochs", num_epochs, at_least=1)
    warmed["warmup_t"] = warmup_t = every * _length("warmup_epochs", warmup_epochs, at_least=0)
    cooldown_t = every * _length("cooldown_epochs", cooldown_epochs, at_least=0)

    if sched in ("step", "multistep"):
        if sched == "step":
            apart = 90.0 if decay_epochs is None else checked_number("decay_epochs", decay_epochs, above=0)
            decay_t = every * apart
        else:
            decay_t = every * whole_steps("decay_milestones", decay_milestones, at_least=0)
        schedule = port(lr, decay_t, decay_rate, warmup_prefix=prefix, **warmed)
        return schedule, int((t_initial + prefix * warmup_t) / every)

    if sched in ("wsd", "rsqrt"):
        length = t_initial if prefix else t_initial - warmup_t
        decay = 0.2 if decay_epochs is None else _known("decay_epochs", decay_epochs, above=0)
        decay_t = round(decay * (length if decay < 1 else every))
        if not 0 < decay_t <= length:
            raise ValueError(
                "`decay_epochs` must be at least one step and at most what follows the warmup, "
                f"{show(length / every)} epochs, got {show(decay)}."
            )
        if stable_timescale is not None:
            stable_timescale = every * checked_number("stable_timescale", stable_timescale, above=0)
        schedule = port(lr, length, decay_t, lr_min, stable_timescale=stable_timescale, **warmed)
        return schedule, int((length + warmup_t + cooldown_t) // every)

    growth = _known("cycle_mul", cycle_mul, above=0, at_most=1e6)
    cycles = _length("cycle_limit", cycle_limit, at_least=0)
    schedule = port(
        lr,
        t_initial,
        lr_min=lr_min,
        cycle_mul=growth,
        cycle_decay=cycle_decay,
        cycle_limit=cycles,
        warmup_prefix=prefix,
        **warmed,
    )
    length = t_initial * max(1.0, cycles)
    if growth != 1:
        try:
            length = math.floor(t_initial * (growth ** max(1.0, cycles) - 1) / (growth - 1))
        except OverflowError:
            raise ValueError(
                f"`cycle_limit` must be lower with `cycle_mul={show(growth)}`, got {show(cycles)}."
            ) from None
    return schedule, int((length + prefix * warmup_t + cooldown_t) // every)


def _known(name: str, value: Any, **limits: float) -> float:
    """A number on which the number of epochs depends.

    Raises:
      TypeError: it is not a number, or traced.
      ValueError: it is outside the limits.
    """
    kept = checked_number(name, value, **limits)
    if not is_concrete(kept):
        raise TypeError(
            f"`{name}` must be concrete, got a traced number: the number of epochs depends on it."
        )
    return float(kept)


def _length(name: str, value: Any, **limits: float) -> float:
    """`_known` for a whole number."""
    return float(whole(name, _known(name, value, **limits)))
