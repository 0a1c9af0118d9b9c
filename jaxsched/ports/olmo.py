# ruff: noqa: D417, N802 - the module describes the arguments in common; the names are those of the originals.
r"""The schedulers of OLMo-core, `olmo_core.optim.scheduler`.

A port takes the arguments of the original's class after the two that its `get_lr` gets from the trainer. Its
step is `current` there: the trainer's `global_step` or `global_train_tokens_seen`, which count the batch at
hand. So OLMo-core's **first update is at step 1**, or at the tokens of one batch, and its last is at `t_max`.
With Optax, which begins at 0, use `jaxsched.shift(schedule, -1)`.

All ports take these arguments:

- `initial_lr`: the base rate, that of the optimizer's `lr`.
- `t_max`: the length of the run, the trainer's `max_steps` or `max_tokens`, at least 0. It may be left out
  where no rate depends on it. If the class has a `t_max` of its own, pass that one.
- `warmup`, `decay`: the length of the warmup from `warmup_min_lr` and of the decay to `decay_min_lr`, at
  least 0. Exactly one of each and of its fraction must be given.
- `warmup_fraction`, `decay_fraction`: the same as a fraction of `t_max`, from 0 to 1; the product is rounded
  half to even. A port with a decay has `decay_fraction=0.1`, so `decay` needs `decay_fraction=None` with it.
- `warmup_steps`, `decay_steps`: the old names of `warmup` and `decay`, without effect beside these.
- `warmup_min_lr`, `decay_min_lr`: at least 0, and below the rate that the warmup reaches or the decay leaves.
- `units`: `"steps"` or `"tokens"`. Both are the same function of a number. A schedule in tokens becomes one
  in steps if you divide its lengths by the tokens of a batch.
- `lr_field`, `initial_lr_field`: where OLMo-core writes and reads rates; no effect.

In the formulas, $T$, $W$ and $D$ are `t_max` and the lengths of the warmup and the decay, and $b$ is
`initial_lr`. The warmup, while $t < W$, is

$$\text{warmup\_min\_lr} + (b - \text{warmup\_min\_lr}) \, t / W$$

A linear decay that ends at `t_max` does not stop there: past it OLMo-core's line goes on, below
`decay_min_lr` and below 0, and so does the port's. `jaxsched.clip(schedule, decay_min_lr)` stops it.

Deviations: OLMo-core divides by zero at step 0 if `warmup` is 0, and from `t_max` on if `decay` is 0. The
ports have no warmup or no decay then.

>>> from jaxsched.ports import olmo
>>> olmo.CosWithWarmup(6e-4, 774861, warmup=2000)
warmup(Cosine(0.0006, 5.9999999999999995e-05, 772861), 2000)
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxsched._core.fields import Number, as_numbers, brief, checked_number, show
from jaxsched._core.schedule import Constant, Schedule
from jaxsched.combinators.clocks import shift
from jaxsched.ports import _olmo
from jaxsched.ports._builders import delayed, joined, rate_at
from jaxsched.ports._checks import checked, is_known, larger, one_of, whole, within
from jaxsched.ports._config import FromConfig, ignored, section
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Geometric
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.rational import InversePower

Lengths = Sequence[Number]
Stage = _olmo.Stage


def ConstantScheduler(
    initial_lr: Number,
    t_max: Number | None = None,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
) -> Schedule:
    """The base rate.

    See the module for the arguments.

    Source: `ConstantScheduler` of OLMo-core 3.0.0.
    """
    return Constant(_olmo.base_rate(initial_lr, units))


def ConstantWithWarmup(
    initial_lr: Number,
    t_max: Number | None = None,
    warmup: Number | None = None,
    warmup_steps: Number | None = None,
    warmup_fraction: Number | None = None,
    warmup_min_lr: Number = 0.0,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
) -> Schedule:
    """A warmup to the base rate.

    >>> from jaxsched.ports import olmo
    >>> olmo.ConstantWithWarmup(0.3, warmup=10)
    warmup(0.3, 10)

    See the module for the arguments and the deviations.

    Source: `ConstantWithWarmup` of OLMo-core 3.0.0.
    """
    lr = _olmo.base_rate(initial_lr, units)
    steps = _olmo.length("warmup", warmup, warmup_steps, warmup_fraction, t_max)
    return _olmo.warmed(Constant(lr), lr, steps, warmup_min_lr)


def WSD(
    initial_lr: Number,
    t_max: Number,
    warmup: Number | None = None,
    warmup_steps: Number | None = None,
    warmup_fraction: Number | None = None,
    decay: Number | None = None,
    decay_steps: Number | None = None,
    decay_fraction: Number | None = 0.1,
    warmup_min_lr: Number = 0.0,
    decay_min_lr: Number = 0.0,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
) -> Schedule:
    r"""A warmup, the base rate, and a straight line down over the last steps.

    $$f(t) = \text{decay\_min\_lr} + (b - \text{decay\_min\_lr}) \, (T - t) / D, \quad t \ge T - D$$

    A warmup that is not over when the decay begins goes first; the rate then jumps to the line.

    >>> from jaxsched.ports import olmo
    >>> import jaxsched as js
    >>> js.clip(olmo.WSD(0.3, 100, warmup=10, decay=20, decay_fraction=None), 0.0)(90)
    Array(0.15, dtype=float32)

    See the module for the arguments and the deviations.

    Source: `WSD` of OLMo-core 3.0.0.
    """
    lr, end = _olmo.base_rate(initial_lr, units), _olmo.run_length(t_max)
    steps = _olmo.length("warmup", warmup, warmup_steps, warmup_fraction, end)
    last = _olmo.length("decay", decay, decay_steps, decay_fraction, end)
    schedule = _olmo.warmed(Constant(lr), lr, steps, warmup_min_lr)
    return _olmo.decayed(schedule, lr, end, last, decay_min_lr, steps)


def PowerLR(
    initial_lr: Number,
    t_max: Number,
    b: Number = -0.51,
    warmup: Number | None = None,
    warmup_steps: Number | None = None,
    warmup_fraction: Number | None = None,
    warmup_min_lr: Number = 0.0,
    decay: Number | None = None,
    decay_steps: Number | None = None,
    decay_fraction: Number | None = 0.1,
    decay_min_lr: Number = 0.0,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
) -> Schedule:
    r"""A warmup, a power of time, and a straight line down from it over the last steps.

    $$f(t) = \begin{cases}
    \text{initial\_lr} \, (t / W)^b & W \le t < T - D \\
    \text{decay\_min\_lr} + (f(T - D) - \text{decay\_min\_lr}) \, (T - t) / D & t \ge T - D
    \end{cases}$$

    >>> from jaxsched.ports import olmo
    >>> olmo.PowerLR(0.3, 100, b=-0.5, warmup=10, decay_fraction=0.0)
    warmup(InversePower(0.3, 10, 0.5), 10)

    Args:
      b: the exponent, below 0.

    See the module for the other arguments and the deviations. A warmup of 0 and a decay as long as the run
    are refused, because a negative power of 0 has no value.

    Source: `PowerLR` of OLMo-core 3.0.0.
    """
    lr, end = _olmo.base_rate(initial_lr, units), _olmo.run_length(t_max)
    exponent = checked_number("b", b, below=0, at_least=-1e6)
    steps = _olmo.length("warmup", warmup, warmup_steps, warmup_fraction, end)
    steps = checked_number("warmup", steps, above=0)
    last = _olmo.length("decay", decay, decay_steps, decay_fraction, end)
    schedule = _olmo.warmed(InversePower(lr, steps, -exponent), lr, steps, warmup_min_lr)
    if is_known(last, 0):
        return schedule
    last = within("decay", last, below=end)
    left_at = lr * ((end - last) / steps) ** exponent
    return _olmo.decayed(schedule, left_at, end, last, decay_min_lr, steps)


def LinearWithWarmup(
    initial_lr: Number,
    t_max: Number,
    alpha_f: Number = 0.1,
    warmup: Number | None = None,
    warmup_steps: Number | None = None,
    warmup_fraction: Number | None = None,
    warmup_min_lr: Number = 0.0,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
) -> Schedule:
    r"""A warmup, then a straight line to a fraction of the base rate.

    $$f(t) = b - b \, (1 - \text{alpha\_f}) \min\left(\frac{t - W}{T - W}, 1\right), \quad t \ge W$$

    >>> from jaxsched.ports import olmo
    >>> olmo.LinearWithWarmup(0.3, 100, warmup=10, alpha_f=0.0)
    warmup(Linear(0.3, 0, 90), 10)

    Args:
      alpha_f: the last rate as a fraction of the first.

    See the module for the other arguments.

    Source: `LinearWithWarmup` of OLMo-core 3.0.0.
    """
    end = _olmo.run_length(t_max)
    steps = _olmo.length("warmup", warmup, warmup_steps, warmup_fraction, end)
    return _olmo.annealed(Linear, _olmo.base_rate(initial_lr, units), end, steps, warmup_min_lr, alpha_f)


def InvSqrtWithWarmup(
    initial_lr: Number,
    t_max: Number | None = None,
    alpha_f: Number = 0.1,
    warmup: Number | None = None,
    warmup_steps: Number | None = None,
    warmup_fraction: Number | None = None,
    warmup_min_lr: Number = 0.0,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
) -> Schedule:
    r"""A warmup, then the inverse square root of time, towards a fraction of the base rate.

    $$f(t) = b \, \text{alpha\_f} + b \, (1 - \text{alpha\_f}) \sqrt{W / t}, \quad t \ge W$$

    >>> from jaxsched.ports import olmo
    >>> olmo.InvSqrtWithWarmup(0.5, warmup=10, alpha_f=0.5)
    warmup(0.25 + InversePower(0.25, 10, 0.5), 10)

    Args:
      alpha_f: the limit as a fraction of the base rate. Without a warmup, the rate is at this limit.

    See the module for the other arguments.

    Source: `InvSqrtWithWarmup` of OLMo-core 3.0.0.
    """
    lr, (fraction,) = _olmo.base_rate(initial_lr, units), checked(alpha_f=alpha_f)
    steps = _olmo.length("warmup", warmup, warmup_steps, warmup_fraction, t_max)
    limit = lr * fraction
    if is_known(steps, 0):
        return Constant(limit)
    return _olmo.warmed(limit + InversePower(lr - limit, steps, 0.5), lr, steps, warmup_min_lr)


def CosWithWarmup(
    initial_lr: Number,
    t_max: Number,
    warmup: Number | None = None,
    warmup_steps: Number | None = None,
    warmup_fraction: Number | None = None,
    alpha_f: Number = 0.1,
    warmup_min_lr: Number = 0.0,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
) -> Schedule:
    r"""A warmup, then half a cosine to a fraction of the base rate.

    $$f(t) = b \, \text{alpha\_f} + b \, (1 - \text{alpha\_f}) \, \tfrac12
    \left(1 + \cos\left(\pi \min\left(\frac{t - W}{T - W}, 1\right)\right)\right), \quad t \ge W$$

    >>> from jaxsched.ports import olmo
    >>> olmo.CosWithWarmup(0.3, 100, warmup_fraction=0.1, alpha_f=0.0)
    warmup(Cosine(0.3, 0, 90), 10)

    Args:
      alpha_f: the last rate as a fraction of the first.

    See the module for the other arguments.

    Source: `CosWithWarmup` of OLMo-core 3.0.0.
    """
    end = _olmo.run_length(t_max)
    steps = _olmo.length("warmup", warmup, warmup_steps, warmup_fraction, end)
    return _olmo.annealed(Cosine, _olmo.base_rate(initial_lr, units), end, steps, warmup_min_lr, alpha_f)


def HalfCosWithWarmup(
    initial_lr: Number,
    t_max: Number,
    warmup: Number | None = None,
    warmup_steps: Number | None = None,
    warmup_fraction: Number | None = None,
    alpha_f: Number = 0.1,
    warmup_min_lr: Number = 0.0,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
) -> Schedule:
    r"""A warmup, then the second half of the cosine of `CosWithWarmup`.

    $$f(t) = b \, \text{alpha\_f} + b \, (1 - \text{alpha\_f}) \, \tfrac12
    \left(1 - \sin\left(\tfrac{\pi}{2} \min\left(\frac{t - W}{T - W}, 1\right)\right)\right), \quad t \ge W$$

    The warmup goes to the middle between the base rate and the last one. The base rate itself never occurs.

    >>> from jaxsched.ports import olmo
    >>> olmo.HalfCosWithWarmup(0.3, 100, warmup=10, alpha_f=0.0)
    warmup(shift(Cosine(0.3, 0, 180), -90), 10)

    Args:
      alpha_f: the last rate as a fraction of the base rate.

    See the module for the other arguments.

    Source: `HalfCosWithWarmup` of OLMo-core 3.0.0.
    """
    end = _olmo.run_length(t_max)
    steps = _olmo.length("warmup", warmup, warmup_steps, warmup_fraction, end)
    return _olmo.annealed(
        Cosine, _olmo.base_rate(initial_lr, units), end, steps, warmup_min_lr, alpha_f, second_half=True
    )


def CosWithWarmupAndLinearDecay(
    initial_lr: Number,
    t_max: Number,
    warmup: Number | None = None,
    warmup_steps: Number | None = None,
    warmup_fraction: Number | None = None,
    alpha_f: Number = 0.1,
    warmup_min_lr: Number = 0.0,
    decay: Number | None = None,
    decay_steps: Number | None = None,
    decay_fraction: Number | None = 0.1,
    decay_min_lr: Number = 0.0,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
    cosine_t_max: Number | None = None,
) -> Schedule:
    r"""`CosWithWarmup`, with a straight line down over the last steps.

    $$f(t) = \text{decay\_min\_lr} + (f(T - D) - \text{decay\_min\_lr}) \, (T - t) / D, \quad t \ge T - D$$

    where $f(T - D)$ is the rate of `CosWithWarmup` there.

    Args:
      alpha_f: the last rate of the cosine as a fraction of the first.
      decay: at most `t_max`.
      cosine_t_max: the class's own `t_max`, where its cosine would end; `warmup_fraction` is a fraction of
        it. By default `t_max`.

    See the module for the other arguments and the deviations.

    Source: `CosWithWarmupAndLinearDecay` of OLMo-core 3.0.0.
    """
    end = _olmo.run_length(t_max)
    last = _olmo.length("decay", decay, decay_steps, decay_fraction, end)
    last = within("decay", last, at_most=end)
    schedule = CosWithWarmup(
        initial_lr,
        end if cosine_t_max is None else cosine_t_max,
        warmup,
        warmup_steps,
        warmup_fraction,
        alpha_f,
        warmup_min_lr,
        units=units,
    )
    return _olmo.decayed(schedule, rate_at(schedule, end - last), end, last, decay_min_lr)


def ExponentialScheduler(
    initial_lr: Number,
    t_max: Number,
    lr_min: Number = 1e-9,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
) -> Schedule:
    r"""Exponential growth up to the base rate, for a range test.

    $$f(t) = \text{lr\_min} \, (b / \text{lr\_min})^{\min(t / T, 1)}$$

    >>> from jaxsched.ports import olmo
    >>> olmo.ExponentialScheduler(1.0, 100)
    Geometric(1e-09, 1, 100)

    Args:
      initial_lr: the last rate, above 0.
      lr_min: the first rate, above 0.

    See the module for the other arguments.

    Source: `ExponentialScheduler` of OLMo-core 3.0.0.
    """
    lr = checked_number("initial_lr", _olmo.base_rate(initial_lr, units), above=0)
    return Geometric(checked_number("lr_min", lr_min, above=0), lr, _olmo.run_length(t_max))


def WSDS(
    initial_lr: Number,
    t_max: Number | None = None,
    period_lengths: Lengths = (),
    period_lr_multipliers: Lengths | None = None,
    warmup: Number | None = None,
    warmup_fraction: Number | None = None,
    decay: Number | None = None,
    decay_fraction: Number | None = None,
    warmup_min_lr: Number = 0.0,
    decay_min_lr: Number = 0.0,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
) -> Schedule:
    """Periods that each end in a straight line down: WSD-S, for checkpoints along the way.

    The warmup is the first part of the first period. A period ends at `decay_min_lr`, and the next one is at
    its full rate from the following step on. After the last the rate stays at `decay_min_lr`.

    >>> from jaxsched.ports import olmo
    >>> olmo.WSDS(0.3, period_lengths=[50, 100], warmup=10, decay=20)
    join([Linear(0, 0.3, 10), 0.3, Linear(0.3, 0, 20), 0.3, Linear(0.3, 0, 20)], [10, 30, 51, 130])

    Args:
      t_max: no effect.
      period_lengths: the lengths of the periods, above 0, at least one.
      period_lr_multipliers: a factor on the base rate for each period, above 0; 1 by default.
      warmup: at most the first period without its decay.
      warmup_fraction: the warmup as a fraction of the first period.
      decay: the length of each decay, at most that of each period.
      decay_fraction: the decay as a fraction of each period, the first with its warmup.

    See the module for the other arguments.

    Source: `WSDS` of OLMo-core 3.0.0, after Wen et al., *Understanding Warmup-Stable-Decay Learning Rates*,
    arXiv:2410.05192. Deviation: with a decay of 0, OLMo-core divides by zero at the end of each period but
    the last; the port is at `decay_min_lr` there.
    """
    lr = _olmo.base_rate(initial_lr, units)
    lengths = list(as_numbers("period_lengths", period_lengths))
    if not lengths:
        raise ValueError("`period_lengths` must have at least one period, got none.")
    lengths = [checked_number(f"period_lengths[{i}]", each, above=0) for i, each in enumerate(lengths)]
    factors = [1.0] * len(lengths) if period_lr_multipliers is None else period_lr_multipliers
    factors = list(as_numbers("period_lr_multipliers", factors))
    if len(factors) != len(lengths):
        raise ValueError(
            "`period_lr_multipliers` must have as many entries as `period_lengths`, "
            f"which has {len(lengths)}, got {len(factors)}."
        )
    peaks = [
        lr * checked_number(f"period_lr_multipliers[{i}]", each, above=0) for i, each in enumerate(factors)
    ]
    steps = _olmo.length("warmup", warmup, None, warmup_fraction, lengths[0])
    parts: list[Any] = []
    starts: list[Any] = []
    begin: Any = 0.0
    if not is_known(steps, 0):
        first_rate = _olmo.below("warmup_min_lr", warmup_min_lr, peaks[0])
        parts, starts = [Linear(first_rate, peaks[0], steps)], [begin]
    for i, (length, peak) in enumerate(zip(lengths, peaks, strict=True)):
        last = _olmo.length("decay", decay, None, decay_fraction, length)
        first = steps if i == 0 else 1.0
        room = length - steps if i == 0 else length
        last = within("decay", last, at_most=room)
        low = _olmo.below("decay_min_lr", decay_min_lr, peak)
        fall = Linear(peak, low, last)
        # The step at which a period begins still belongs to the one before.
        stable = larger(length - last, first)
        late = stable - (length - last)
        parts += [peak, delayed(fall, -late)]
        starts += [begin + first, begin + stable]
        begin = begin + length
    kept = [i for i, start in enumerate(starts) if i == len(starts) - 1 or not is_known(start, starts[i + 1])]
    return joined([parts[i] for i in kept], [starts[i] for i in kept])


def ComposableScheduler(
    initial_lr: Number,
    t_max: Number | None = None,
    stages: Sequence[Stage] = (),
    override_decay: Stage | None = None,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
) -> Schedule:
    """Straight lines and half cosines, one after the other.

    The first stage starts at `initial_lr` unless it says otherwise, so a warmup needs `start_lr=0.0`.

    >>> from jaxsched.ports import olmo
    >>> warmup = dict(duration=10, start_lr=0.0, end_lr_fraction=1.0)
    >>> olmo.ComposableScheduler(0.3, stages=[warmup, dict(duration=90, shape="cosine", end_lr=0.0)])
    join([Linear(0, 0.3, 10), Cosine(0.3, 0, 90)], [10])

    Args:
      t_max: no effect.
      stages: dicts with the arguments of `ComposableSchedulerStage`: `duration`, above 0; `shape`, "linear"
        (by default) or "cosine"; at most one of `start_lr` and `start_lr_fraction`, by default where the
        stage before ends; and one of `end_lr` and `end_lr_fraction`. Rates are at least 0; the fractions are
        of `initial_lr`.
      override_decay: a dict with the arguments of `OverrideDecay`: `start`, at least 0, the step from which
        the stages do not count any more; and `duration`, `shape` and `end_lr` or `end_lr_fraction` of a decay
        from the rate there.

    See the module for the other arguments.

    Source: `ComposableScheduler` of OLMo-core 3.0.0.
    """
    lr = _olmo.base_rate(initial_lr, units)
    parts: list[Schedule] = []
    starts = [0.0]
    rate = lr
    for i, each in enumerate(_olmo.listed("stages", stages)):
        name = f"stages[{i}]"
        stage = _olmo.entries(name, each, "duration", "shape", *_olmo.RATES)
        if "start_lr" in stage or "start_lr_fraction" in stage:
            rate = _olmo.resolved(name, "start_lr", stage, lr)
        end = _olmo.resolved(name, "end_lr", stage, lr)
        duration = checked_number(f"{name}.duration", stage.get("duration"), above=0)
        shape = one_of(f"{name}.shape", stage.get("shape", "linear"), _olmo.SHAPES)
        parts.append(shape(rate, end, duration))
        starts.append(starts[-1] + duration)
        rate = end
    return _olmo.overridden(joined(parts, starts[:-1]), lr, override_decay)


def SequentialScheduler(
    initial_lr: Number,
    t_max: Number,
    schedulers: Sequence[Stage] = (),
    schedulers_max: Lengths | None = None,
    schedulers_max_steps: Lengths | None = None,
    override_decay: Stage | None = None,
    lr_field: str = "lr",
    initial_lr_field: str = "initial_lr",
    units: str = "steps",
) -> Schedule:
    """One scheduler after another, each with the last rate of the one before as its base rate.

    A scheduler has its last step at its own `schedulers_max`; the next one begins with its step 1. It never
    reaches its own step 0.

    >>> from jaxsched.ports import olmo
    >>> olmo.SequentialScheduler(
    ...     0.3,
    ...     100,
    ...     schedulers=[
    ...         {"_CLASS_": "ConstantWithWarmup", "warmup": 10},
    ...         {"_CLASS_": "LinearWithWarmup", "warmup": 0},
    ...     ],
    ...     schedulers_max=[40],
    ... )
    join([warmup(0.3, 10), shift(Linear(0.3, 0.03, 60), -1)], [41])

    Args:
      t_max: the length of the whole run, a concrete number.
      schedulers: a dict for each scheduler as in OLMo-core's configuration: the class, with or without its
        module, in `_CLASS_`, or its registered name in `type`; and its arguments, without a base rate. A
        `t_max` there is the class's own. A `decay` there replaces the default `decay_fraction`.
      schedulers_max: the length of each, whole and at least 1. That of the last one may be left out, and has
        no effect.
      schedulers_max_steps: the old name of `schedulers_max`, without effect beside it.
      override_decay: see `ComposableScheduler`.

    See the module for the other arguments. OLMo-core refuses steps past `t_max`; the port goes on.

    Source: `SequentialScheduler` of OLMo-core 3.0.0.
    """
    lr, total = _olmo.base_rate(initial_lr, units), _olmo.known("t_max", _olmo.run_length(t_max))
    members = _olmo.listed("schedulers", schedulers)
    given = schedulers_max_steps if schedulers_max is None else schedulers_max
    if given is None:
        raise ValueError("`schedulers_max` must be given, a length for each of `schedulers`, got None.")
    lengths = [
        _olmo.known(f"schedulers_max[{i}]", whole(f"schedulers_max[{i}]", each, at_least=1))
        for i, each in enumerate(as_numbers("schedulers_max", given))
    ]
    if len(lengths) not in (len(members), len(members) - 1):
        raise ValueError(
            "`schedulers_max` must have an entry for each of `schedulers`, the last one or not, "
            f"got {len(lengths)} for {len(members)}."
        )
    # What an override hides may have rates that its scheduler refuses.
    hidden = total if override_decay is None else section(override_decay, "override_decay").get("start")
    hidden = hidden if isinstance(hidden, int | float) else total
    parts: list[Schedule] = []
    starts, left, rate = [0.0], total, lr
    for i, config in enumerate(members):
        is_last = i == len(members) - 1 or left <= lengths[i]
        until = left if is_last else lengths[i]
        schedule, _ = _configured(config, rate, until, f"schedulers[{i}].")
        parts.append(shift(schedule, -1) if i else schedule)
        if is_last or total - left + until >= hidden:
            break
        rate = rate_at(schedule, until)
        starts.append(total - left + until + 1)
        left -= until
    return _olmo.overridden(joined(parts, starts), lr, override_decay)


SCHEDULERS: dict[str, Callable[..., Schedule]] = {
    "constant": ConstantScheduler,
    "constant_with_warmup": ConstantWithWarmup,
    "wsd": WSD,
    "power_lr": PowerLR,
    "linear_with_warmup": LinearWithWarmup,
    "inv_sqrt_with_warmup": InvSqrtWithWarmup,
    "cos_with_warmup": CosWithWarmup,
    "half_cos_with_warmup": HalfCosWithWarmup,
    "cos_with_warmup_and_linear_decay": CosWithWarmupAndLinearDecay,
    "composable": ComposableScheduler,
    "sequential": SequentialScheduler,
    "wsds": WSDS,
    "exponential": ExponentialScheduler,
}
"""The ports by their registered names in OLMo-core."""

NAMES = {port.__name__: port for port in SCHEDULERS.values()} | SCHEDULERS


def from_config(
    config: Mapping[str, Any], *, initial_lr: Number | None = None, t_max: Number | None = None
) -> FromConfig:
    """The schedule of a run from its configuration, as OLMo-core saves it or `as_config_dict()` gives it.

    `config` is that of the whole run, its `train_module`, or only the scheduler. These keys are read:

    - `train_module.scheduler`: the class in `_CLASS_` or the registered name in `type`, and its arguments;
    - `train_module.optim.lr`: the base rate;
    - `trainer.max_duration`: `value` and `unit`, in steps or tokens;
    - `data_loader.global_batch_size`: the tokens of a batch, between steps and tokens. A run of a number of
      tokens has as many steps as it needs, the last one perhaps with fewer tokens.

    A callback that schedules the batch size is refused, because it also changes the base rate.

    OLMo-core omits values that are None when it saves, and then refuses its own `decay` because of the
    default `decay_fraction`. Here a `decay` replaces that default.

    >>> from jaxsched.ports import olmo
    >>> config = {
    ...     "train_module": {
    ...         "optim": {"lr": 6e-4},
    ...         "scheduler": {"_CLASS_": "olmo_core.optim.scheduler.CosWithWarmup", "warmup": 2000},
    ...     },
    ...     "data_loader": {"global_batch_size": 8388608},
    ...     "trainer": {"max_duration": {"value": 6_500_000_000_000, "unit": "tokens"}},
    ... }
    >>> olmo.from_config(config).learning_rate
    warmup(Cosine(0.0006, 5.9999999999999995e-05, 772861), 2000)

    Args:
      config: see above.
      initial_lr: the base rate, where `config` has none.
      t_max: the length of the run in the units of the scheduler, where `config` does not have it or
        has it in epochs.

    Returns:
      The schedule, in the units of the scheduler, and the keys that do not matter to it.

    Raises:
      TypeError: a part of `config` is not a mapping, or has a value of the wrong type.
      ValueError: `config` has an unknown key that looks schedule-related, or does not say something that the
        rate depends on; or a port refuses a value.

    Source: `olmo_core.config` and `olmo_core.train.Trainer` of OLMo-core 3.0.0.
    """
    config = section(config)
    others: tuple[str, ...] = ()
    path, run, scheduler = "", config, config
    if "train_module" in config:
        others += ignored(config, ("train_module", "data_loader", "trainer"))
        path, run = "train_module.", section(config["train_module"], "train_module")
    if run is not config or "scheduler" in config:
        others += ignored(run, ("optim", "scheduler"), path=path)
        optim = section(run.get("optim", {}), f"{path}optim")
        # Muon's `adjust_lr` scales updates by the shape of a matrix, not by the step.
        others += ignored(optim, ("lr",), ("adjust_lr",), path=f"{path}optim.")
        for i, group in enumerate(optim.get("group_overrides") or ()):
            # A group with a rate of its own needs a schedule of its own.
            where = f"{path}optim.group_overrides[{i}]"
            options = section(section(group, where).get("opts", {}), f"{where}.opts")
            ignored(options, (), path=f"{where}.opts.")
        initial_lr = optim.get("lr", initial_lr)
        # Without a scheduler OLMo-core leaves the rate alone.
        scheduler = section(run.get("scheduler") or {"type": "constant"}, f"{path}scheduler")
        path += "scheduler."
    if initial_lr is None:
        raise ValueError("`initial_lr` must be given where `config` has no `optim.lr`, got None.")
    if run is not config:
        trainer, loader = (section(config.get(name, {}), name) for name in ("trainer", "data_loader"))
        others += ignored(trainer, ("max_duration",), path="trainer.")
        others += ignored(loader, ("global_batch_size",), path="data_loader.")
        for name, callback in section(trainer.get("callbacks") or {}, "trainer.callbacks").items():
            kind = section(callback, f"trainer.callbacks.{name}").get("_CLASS_", name)
            if re.search("batch_?size_?scheduler", kind, re.IGNORECASE) and callback.get("enabled", True):
                raise ValueError(
                    f"`trainer.callbacks` must leave the rate alone, got {brief(name)}, which multiplies it "
                    "by the square root of the ratio of the batch sizes. Use a schedule for each batch size."
                )
        t_max = _duration(trainer, loader, str(scheduler.get("units", "steps")), t_max)
    schedule, more = _configured(scheduler, initial_lr, t_max, path)
    return FromConfig(schedule, others + more)


def _duration(trainer: Stage, loader: Stage, units: str, t_max: Any) -> Any:
    """The length of the run in the units of its scheduler."""
    duration = section(trainer.get("max_duration") or {}, "trainer.max_duration")
    if t_max is not None or not duration:
        return t_max
    value, unit = (duration.get(key) for key in ("value", "unit"))
    total = checked_number("trainer.max_duration.value", value, at_least=0)
    if unit == units:
        return total
    if unit not in ("steps", "tokens"):
        raise ValueError(f"`t_max` must be given for a run of {show(total)} {unit}, got None.")
    batch = checked_number("data_loader.global_batch_size", loader.get("global_batch_size"), above=0)
    return math.ceil(total / batch) if units == "steps" else total * batch


def _configured(config: Stage, lr: Any, t_max: Any, path: str) -> tuple[Schedule, tuple[str, ...]]:
    """The schedule of a scheduler's configuration, and its other keys."""
    key = "_CLASS_" if "_CLASS_" in config else "type"
    port = one_of(f"{path}{key}", str(config.get(key)).rpartition(".")[2], NAMES)
    known = {*inspect.signature(port).parameters} - {"initial_lr", "cosine_t_max"}
    others = ignored(config, {*known, "_CLASS_", "type"}, path=path)
    arguments = {key: value for key, value in config.items() if key in known}
    own = arguments.pop("t_max", None)
    if own is not None:
        if port not in (LinearWithWarmup, CosWithWarmup, HalfCosWithWarmup, CosWithWarmupAndLinearDecay):
            raise ValueError(f"`{path}t_max` must be left out for {port.__name__}, got {own!r}.")
        if port is CosWithWarmupAndLinearDecay:
            arguments["cosine_t_max"] = own
        else:
            t_max = own
    if arguments.get("decay") is not None or arguments.get("decay_steps") is not None:
        arguments.setdefault("decay_fraction", None)
    return port(lr, t_max, **arguments), others
