# ruff: noqa: N802 - the names are those of the originals.
"""The schedulers of MXNet, `mxnet.lr_scheduler`.

The step of a port is the original's `num_update`. A port gives what a new original gives when it is called
with 0, 1, 2, ... in order. MXNet's optimizers begin at 1: use `jaxsched.shift(schedule, -1)` to do the same.
All ports take the same four arguments for the warmup:

- `base_lr`: the rate after the warmup.
- `warmup_steps`: the length of the warmup, a whole number.
- `warmup_begin_lr`: the first rate of the warmup, at most `base_lr`.
- `warmup_mode`: `"linear"` rises to `base_lr` in a straight line, `"constant"` stays at `warmup_begin_lr`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from jaxsched._core.fields import Number, Numbers, checked_number, is_concrete, show
from jaxsched._core.schedule import Constant, Schedule
from jaxsched.combinators.clip import clip
from jaxsched.combinators.clocks import shift
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import warmup
from jaxsched.ports._builders import polynomial
from jaxsched.ports._checks import checked, is_known, one_of, whole, whole_steps
from jaxsched.presets import step_decay
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.levels import Piecewise
from jaxsched.shapes.linear import Linear


def FactorScheduler(
    step: Number,
    factor: Number = 1,
    stop_factor_lr: Number = 1e-8,
    base_lr: Number = 0.01,
    warmup_steps: Number = 0,
    warmup_begin_lr: Number = 0,
    warmup_mode: str = "linear",
) -> Schedule:
    r"""Multiplies by `factor` every `step` updates, down to a floor.

    From `warmup_steps` on, with $S$ = `step`,

    $$f(t) = \begin{cases} \text{base\_lr} & t \le S \\
    \max(\text{stop\_factor\_lr},\ \text{base\_lr} \cdot \text{factor}^{\lceil t / S \rceil - 1}) & t > S
    \end{cases}$$

    The cuts come one step late, at $S + 1$, $2S + 1$, ...; those within the warmup count too.

    >>> from jaxsched.ports import mxnet
    >>> mxnet.FactorScheduler(4, 0.5, base_lr=0.5)
    join([0.5, clip(staircase(Exponential(0.25, 0.5, 4), 4), 1e-08)], [5])

    Args:
      step: the number of updates between cuts, a whole number of at least 1.
      factor: the factor of each cut, from 0 to 1.
      stop_factor_lr: the floor, from the first cut on.
      base_lr: the rate before the first cut.
      warmup_steps: the length of the warmup, which replaces the first steps of the schedule.
      warmup_begin_lr: see the module.
      warmup_mode: see the module.

    Source: `FactorScheduler` of MXNet 2.0.0.
    """
    step = whole("step", step, at_least=1)
    factor = checked_number("factor", factor, at_least=0, at_most=1)
    base_lr, stop_factor_lr = checked(base_lr=base_lr, stop_factor_lr=stop_factor_lr)
    cut = clip(step_decay(base_lr * factor, factor, step), stop_factor_lr)
    return _over(join([base_lr, cut], [step + 1]), base_lr, warmup_steps, warmup_begin_lr, warmup_mode)


def MultiFactorScheduler(
    step: Numbers,
    factor: Number = 1,
    base_lr: Number = 0.01,
    warmup_steps: Number = 0,
    warmup_begin_lr: Number = 0,
    warmup_mode: str = "linear",
) -> Schedule:
    r"""Multiplies by `factor` after each of the given updates.

    From `warmup_steps` on

    $$f(t) = \text{base\_lr} \cdot \text{factor}^{\#\{s \in \text{step}:\ s < t\}}$$

    The cuts come one step late, at $s + 1$; those within the warmup count too.

    >>> from jaxsched.ports import mxnet
    >>> mxnet.MultiFactorScheduler(step=[15, 30], factor=0.5, base_lr=0.5)
    Piecewise([0.5, 0.25, 0.125], [16, 31])

    Args:
      step: at least one whole number of at least 1, strictly increasing.
      factor: the factor of each cut, at most 1.
      base_lr: the rate before the first cut.
      warmup_steps: the length of the warmup, which replaces the first steps of the schedule.
      warmup_begin_lr: see the module.
      warmup_mode: see the module.

    Source: `MultiFactorScheduler` of MXNet 2.0.0.
    """
    factor = checked_number("factor", factor, at_most=1)
    (base_lr,) = checked(base_lr=base_lr)
    cuts = whole_steps("step", step, at_least=1)
    if len(cuts) == 0:
        raise ValueError("`step` must have at least one entry, got none.")
    if is_concrete(cuts) and len(set(cuts)) < len(cuts):
        raise ValueError(f"`step` must be strictly increasing, got {step!r}.")
    levels = Piecewise([base_lr * factor**k for k in range(len(cuts) + 1)], cuts + 1)
    return _over(levels, base_lr, warmup_steps, warmup_begin_lr, warmup_mode)


def PolyScheduler(
    max_update: Number,
    base_lr: Number = 0.01,
    pwr: Number = 2,
    final_lr: Number = 0,
    warmup_steps: Number = 0,
    warmup_begin_lr: Number = 0,
    warmup_mode: str = "linear",
) -> Schedule:
    r"""A warmup, then a polynomial decay.

    With $W$ = `warmup_steps` and $T$ = `max_update`, from $W$ to $T$

    $$f(t) = \text{final} + (\text{base} - \text{final}) \left(1 - \frac{t - W}{T - W}\right)^\text{pwr}$$

    and `final_lr` afterwards. If the warmup is longer than `max_update`, the rate stays at `base_lr` after
    it.

    >>> from jaxsched.ports import mxnet
    >>> mxnet.PolyScheduler(20, base_lr=0.3, warmup_steps=5)
    warmup(Polynomial(0.3, 0, 15, 2), 5)

    Args:
      max_update: the last step of the decay, a whole number of at least 1 that includes the warmup.
      base_lr: the rate after the warmup.
      pwr: the exponent, at least 0; 0 gives a constant.
      final_lr: the last rate.
      warmup_steps: the length of the warmup.
      warmup_begin_lr: see the module.
      warmup_mode: see the module.

    Source: `PolyScheduler` of MXNet 2.0.0. Deviations: past `max_update` the original repeats the last rate
    that it computed, even if updates were skipped; here it is `final_lr`. With a warmup of `max_update`
    steps the original divides by 0; here the rate is `final_lr` after it.
    """
    pwr = checked_number("pwr", pwr, at_least=0)
    base_lr, final_lr = checked(base_lr=base_lr, final_lr=final_lr)
    curve = functools.partial(polynomial, base_lr, final_lr, power=pwr)
    return _then(curve, max_update, base_lr, warmup_steps, warmup_begin_lr, warmup_mode)


def CosineScheduler(
    max_update: Number,
    base_lr: Number = 0.01,
    final_lr: Number = 0,
    warmup_steps: Number = 0,
    warmup_begin_lr: Number = 0,
    warmup_mode: str = "linear",
) -> Schedule:
    r"""A warmup, then half a cosine.

    With $W$ = `warmup_steps` and $T$ = `max_update`, from $W$ to $T$

    $$f(t) = \text{final} + (\text{base} - \text{final}) \,
    \tfrac12 \left(1 + \cos\left(\pi \frac{t - W}{T - W}\right)\right)$$

    and `final_lr` afterwards. If the warmup is longer than `max_update`, the rate stays at `base_lr` after
    it.

    >>> from jaxsched.ports import mxnet
    >>> mxnet.CosineScheduler(20, base_lr=0.3, final_lr=0.01, warmup_steps=5)
    warmup(Cosine(0.3, 0.01, 15), 5)

    Args:
      max_update: the last step of the decay, a whole number of at least 1 that includes the warmup.
      base_lr: the rate after the warmup.
      final_lr: the last rate.
      warmup_steps: the length of the warmup.
      warmup_begin_lr: see the module.
      warmup_mode: see the module.

    Source: `CosineScheduler` of MXNet 2.0.0. Deviations: those of `PolyScheduler`.
    """
    base_lr, final_lr = checked(base_lr=base_lr, final_lr=final_lr)
    curve = functools.partial(Cosine, base_lr, final_lr)
    return _then(curve, max_update, base_lr, warmup_steps, warmup_begin_lr, warmup_mode)


def _then(
    curve: Callable[[Number], Schedule],
    max_update: Number,
    base_lr: Number,
    warmup_steps: Number,
    warmup_begin_lr: Number,
    warmup_mode: str,
) -> Schedule:
    """A warmup, then a curve from `base_lr` over the remaining steps."""
    ramp = _ramp(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
    max_update = whole("max_update", max_update, at_least=1)
    beyond = is_concrete(max_update, warmup_steps) and warmup_steps > max_update
    decay = Constant(base_lr) if beyond else curve(max_update - warmup_steps)
    if is_known(warmup_steps, 0):
        return decay
    if isinstance(ramp, Linear) and not is_known(max_update - warmup_steps, 0):
        return warmup(decay, warmup_steps, warmup_begin_lr)
    return join([ramp, decay], [warmup_steps])


def _over(
    schedule: Schedule, base_lr: Number, warmup_steps: Number, warmup_begin_lr: Number, warmup_mode: str
) -> Schedule:
    """A warmup that replaces the first steps of a schedule."""
    ramp = _ramp(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
    if is_known(warmup_steps, 0):
        return schedule
    return join([ramp, shift(schedule, -warmup_steps)], [warmup_steps])


def _ramp(base_lr: Number, warmup_steps: Number, warmup_begin_lr: Number, warmup_mode: str) -> Schedule:
    warmup_steps = whole("warmup_steps", warmup_steps, at_least=0)
    (warmup_begin_lr,) = checked(warmup_begin_lr=warmup_begin_lr)
    if is_concrete(base_lr, warmup_begin_lr) and warmup_begin_lr > base_lr:
        raise ValueError(
            f"`warmup_begin_lr` must be at most `base_lr` ({show(base_lr)}), got {show(warmup_begin_lr)}."
        )
    ramps = {"linear": Linear(warmup_begin_lr, base_lr, warmup_steps), "constant": Constant(warmup_begin_lr)}
    return one_of("warmup_mode", warmup_mode, ramps)
