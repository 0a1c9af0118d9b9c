# ruff: noqa: D417, N802 - the module describes the arguments in common; the names are those of the originals.
r"""The schedulers of timm, `timm.scheduler`.

A port takes the base rate `lr` in the place of the optimizer; its step is the number that the original's
`step` or `step_update` is called with. All of them take these arguments:

- `warmup_t`: before this step the rate is on a straight line from `warmup_lr_init` to `lr`.
- `warmup_lr_init`: the first rate of the warmup, at least 0.
- `warmup_prefix`: whether the schedule begins after the warmup. Otherwise the warmup takes the place of its
  first steps.
- `noise_range_t`: None, as a schedule has no noise; multiply it by a `jaxsched.Table` of factors instead.
  Without noise `noise_pct`, `noise_std` and `noise_seed` mean nothing.
- `t_in_epochs`: True. A port counts in whatever its arguments do; a clock of epochs is
  `jaxsched.per_epoch(schedule, steps_per_epoch)`.
- `initialize`: True. The base rate is `lr`, which takes the place of an `initial_lr` as well.

Those that go down in cycles take these as well. Cycle $i$ goes from
$p_i = \text{lr} \cdot \text{cycle\_decay}^i$ down to `lr_min` in
$T_i = \text{t\_initial} \cdot \text{cycle\_mul}^i$ steps, of which $t'$ have passed:

- `t_initial`: the steps of the first cycle, above 0.
- `lr_min`: the last rate, at least 0.
- `cycle_mul`: how much longer a cycle is than the one before, above 0.
- `cycle_decay`: how much higher its first rate is, at least 0.
- `cycle_limit`: how many there are, a whole number; after them the rate is `lr_min`.

In timm the cycle comes from a logarithm in floats, which misses restarts (with `cycle_mul=3` the one at step
`121 * t_initial`), and which fails after the last of ever shorter cycles. The ports deviate there: they meet
every restart, and stay at `lr_min`.

>>> from jaxsched.ports import timm
>>> timm.CosineLRScheduler(0.1, t_initial=90, lr_min=1e-5, warmup_t=5, warmup_prefix=True)
join([Linear(0, 0.1, 5), Cosine(0.1, 1e-05, 90)], [5])
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jaxsched._core.fields import Number, Numbers, check_range, checked_flag, checked_number, is_concrete
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
    r"""Half a cosine in every cycle.

    $$f(t) = \text{lr\_min} + (p_i - \text{lr\_min}) \, \tfrac12
    \left(1 + \cos\left(\pi \, (t' / T_i)^\text{k\_decay}\right)\right)$$

    >>> from jaxsched.ports import timm
    >>> timm.CosineLRScheduler(0.1, 10, cycle_mul=2, cycle_decay=0.5, cycle_limit=3)
    cycle(Cosine(0.1, 0, 10), 10, 2, 0.5, 3)

    Args:
      lr: the base rate.
      k_decay: above 0 and at most 1,000,000; more than 1 stays longer at the first rate.

    The others: see the module, also for deviations. A cycle that begins below `lr_min` rises to it. A warmup
    without prefix jumps from `lr` to the rate that is due.

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
    r"""Part of a hyperbolic tangent in every cycle.

    $$f(t) = \text{lr\_min} + (p_i - \text{lr\_min}) \, \tfrac12
    \left(1 - \tanh\left(\text{lb} + (\text{ub} - \text{lb}) \, t' / T_i\right)\right)$$

    It begins a little below $p_i$ and ends above `lr_min`, to which it jumps after the last cycle.

    Args:
      lr: the base rate.
      lb: where the tangent begins.
      ub: where it ends, above `lb`.

    The others: see the module, also for deviations. A warmup without prefix goes to the rate that is due
    rather than to `lr`.

    Source: `TanhLRScheduler` of timm 1.0.31.
    """
    not_modelled(t_in_epochs=t_in_epochs, noise_range_t=noise_range_t, initialize=initialize)
    lb, ub = checked(lb=lb, ub=ub)
    if is_concrete(lb, ub):
        check_range("ub", float(ub), above=float(lb))

    # Cycles that grow by 1.1, which no float is, end within a rounding of their steps.
    whole_cycle = 1.0 if is_known(cycle_mul, 1) else 1 - 2.0**-30

    def curve(peak: Any, end: Any, steps: Any) -> Schedule:
        # (1 - tanh x) / 2 = 1 / (1 + exp(2 x)), with x = 0 in the midpoint.
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
    r"""A polynomial of what is left in every cycle.

    $$f(t) = \text{lr\_min} + (p_i - \text{lr\_min})
    \left(1 - (t' / T_i)^\text{k\_decay}\right)^\text{power}$$

    Args:
      lr: the base rate.
      power: from 0 to 1,000,000.
      k_decay: above 0 and at most 1,000,000; more than 1 stays longer at the first rate.

    The others: see the module, also for deviations. A cycle that begins below `lr_min` rises to it. A warmup
    without prefix jumps from `lr` to the rate that is due.

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
      decay_t: steps between two cuts, above 0.
      decay_rate: the factor, at least 0.

    The others: see the module.

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
    r"""$\text{lr} \cdot \text{decay\_rate}^{\#\{d \in \text{decay\_t}:\ d \le t + 1\}}$: cuts one step early.

    >>> from jaxsched.ports import timm
    >>> timm.MultiStepLRScheduler(0.4, [15, 30], decay_rate=0.5)
    shift(Piecewise([0.4, 0.2, 0.1], [15, 30]), -1)

    Args:
      lr: the base rate.
      decay_t: one more than the steps of the cuts, whole numbers of at least 0, sorted.
      decay_rate: the factor of each.

    The others: see the module.

    Source: `MultiStepLRScheduler` of timm 1.0.31, which keeps the early cut on purpose.
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
    r"""Warmup, stable, decay: a warmup, then a stable phase that fades out over the last steps.

    After the warmup, with $s$ the stable function and $d$ the decay function, which is 1 up to the last
    `decay_t` steps and goes to 0 in them,

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
      t_initial: steps after the warmup, a whole number of at least 1.
      decay_t: the last of them, in which it fades, a whole number from 1 to `t_initial`.
      lr_min: the last rate, at least 0.
      stable_fn: see above.
      stable_timescale: steps, above 0; `warmup_t` if left out.
      stable_power: above 0 and at most 1,000,000.
      decay_fn: see above; a function is called once with each fraction, a Python float.
      decay_power: above 0 and at most 1,000,000.
      decay_ratio: above 0 and below 1.

    The others: see the module; the warmup is always a prefix.

    Source: `WSDLRScheduler` of timm 1.0.31, its factory's `wsd` and, with `stable_fn="rsqrt"` and
    `decay_fn="linear"`, its `rsqrt`.
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
    """The decay of a `WSDLRScheduler` as a function of its ends and its steps."""
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
    """Cycles of a curve, which a function makes of its ends and its length."""
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
    # Only what comes from the first rate decays.
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
    """A warmup before the schedule or in the place of its first steps, to `lr` or to the rate due then."""
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
    """The rule for `jaxsched.scale_by_plateau`; a plateau is a factor on any schedule.

    It is PyTorch's machine with a relative threshold. A warmup is a schedule of its own here:
    `jaxsched.warmup(lr, warmup_t, warmup_lr_init)`, during which the metric is not observed.

    Args:
      lr: the base rate, above 0, of which `lr_min` is made a fraction.
      decay_rate: of each cut, at least 0 and below 1.
      patience_t: observations without improvement that are borne.
      threshold: the relative margin of an improvement, at least 0.
      cooldown_t: observations after a cut in which none is counted as bad.
      warmup_t: 0 alone.
      warmup_lr_init: 0 alone.
      lr_min: the floor of the rate.
      mode: "min" or "max".
      noise_range_t: see the module, as for `initialize`.
      noise_type: means nothing without noise, as the next three.
      noise_pct: of the rate.
      noise_std: of a normal distribution.
      noise_seed: of the generator.
      initialize: True.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside of its range, or there is a warmup or noise.

    Source: `PlateauLRScheduler` of timm 1.0.31.
    """
    not_modelled(noise_range_t=noise_range_t, initialize=initialize)
    if checked_number("warmup_t", warmup_t) or checked_number("warmup_lr_init", warmup_lr_init):
        raise ValueError(
            f"`warmup_t` and `warmup_lr_init` must be 0, got {warmup_t} and {warmup_lr_init}: "
            "the warmup is the schedule, `jaxsched.warmup(lr, warmup_t, warmup_lr_init)`."
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
