# ruff: noqa: D417, N802 - the module describes the arguments in common; the names are those of the originals.
r"""The schedules of Hugging Face Transformers, `transformers.optimization`.

A port takes the base rate `lr` in place of the optimizer. Its step is the number of updates made so far. Most
begin with a warmup, and share these arguments:

- `num_warmup_steps`: the length $W$ of the warmup, a whole number. Its rate is `lr * t / num_warmup_steps`.
- `num_training_steps`: the length $T$ of the run, warmup included, a whole number.
- `num_cycles`: the number $n$ of periods of the cosine after the warmup, at least 0. Half a period falls
  once.
- `last_epoch`: must be -1. To resume a run, call the schedule with the step of the whole run.

Schedulers that follow a metric become rules for `jaxsched.scale_by_plateau`:
`get_reduce_on_plateau_schedule`, `get_greedy_schedule` and `GreedyLR`. In Transformers a cosine does not end:
past `num_training_steps` it rises again.

>>> from jaxsched.ports import transformers
>>> transformers.get_linear_schedule_with_warmup(0.1, num_warmup_steps=100, num_training_steps=1000)
warmup(Linear(0.1, 0, 900), 100)
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from jaxsched._core.fields import Number, check_range, checked_flag, checked_number, describe, is_concrete
from jaxsched._core.schedule import Constant, Schedule
from jaxsched._core.transition import Transition
from jaxsched.combinators.clocks import shift
from jaxsched.combinators.cycle import cycle, reflect
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import warmup
from jaxsched.plateau import Greedy
from jaxsched.ports._builders import margins
from jaxsched.ports._checks import checked, is_known, larger, not_modelled, one_of, over, smaller, whole
from jaxsched.ports.torch import ReduceLROnPlateau
from jaxsched.presets import inverse_sqrt
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.levels import Piecewise
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.polynomial import OneMinusSqrt, Polynomial
from jaxsched.shapes.rational import InversePower

WARMUP_TYPES: dict[str, Callable[..., Transition]] = {
    "linear": Linear,
    "cosine": Cosine,
    "1-sqrt": functools.partial(Polynomial, power=0.5),
}
"""The warmup curves of `get_wsd_schedule`."""


def get_constant_schedule(lr: Number, last_epoch: int = -1) -> Schedule:
    """`lr` at every step.

    Args:
      lr: the rate.

    Source: `get_constant_schedule` of Transformers 5.23.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    return Constant(lr)


def get_constant_schedule_with_warmup(lr: Number, num_warmup_steps: Number, last_epoch: int = -1) -> Schedule:
    """A warmup to `lr`, then a constant.

    Args:
      lr: the base rate.
      num_warmup_steps: see the module.

    Source: `get_constant_schedule_with_warmup` of Transformers 5.23.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    return warmup(lr, _warmup_steps(num_warmup_steps))


def get_linear_schedule_with_warmup(
    lr: Number, num_warmup_steps: Number, num_training_steps: Number, last_epoch: int = -1
) -> Schedule:
    r"""A warmup to `lr`, then a straight line to 0: $\text{lr} \max(0, (T - t) / (T - W))$.

    Args:
      lr: the base rate.
      num_warmup_steps: see the module.
      num_training_steps: see the module. If no steps are left after the warmup, the rate is 0 there.

    Source: `get_linear_schedule_with_warmup` of Transformers 5.23.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    warmup_steps, steps = _phases(num_warmup_steps, num_training_steps, at_least=0)
    return _warmed_up(lr, warmup_steps, Linear(lr, 0.0, steps), _is_positive(steps))


def get_cosine_schedule_with_warmup(
    lr: Number,
    num_warmup_steps: Number,
    num_training_steps: Number,
    num_cycles: Number = 0.5,
    last_epoch: int = -1,
) -> Schedule:
    r"""A warmup to `lr`, then a cosine between `lr` and 0.

    $$f(t) = \text{lr} \cdot \tfrac12 \left(1 + \cos\left(2 \pi n \, \frac{t - W}{T - W}\right)\right)$$

    >>> from jaxsched.ports import transformers
    >>> transformers.get_cosine_schedule_with_warmup(0.1, num_warmup_steps=100, num_training_steps=1000)
    warmup(reflect(Cosine(0.1, 0, 900), 1800), 100)

    Args:
      lr: the base rate.
      num_warmup_steps: see the module.
      num_training_steps: see the module; taken as at least `num_warmup_steps + 1`.
      num_cycles: see the module; 0 gives a constant.

    Source: `get_cosine_schedule_with_warmup` of Transformers 5.23.
    """
    not_modelled(last_epoch=last_epoch)
    return get_cosine_with_min_lr_schedule_with_warmup(
        lr, num_warmup_steps, num_training_steps, num_cycles, min_lr=0.0
    )


def get_cosine_with_hard_restarts_schedule_with_warmup(
    lr: Number,
    num_warmup_steps: Number,
    num_training_steps: Number,
    num_cycles: Number = 1,
    last_epoch: int = -1,
) -> Schedule:
    r"""A warmup to `lr`, then `num_cycles` halves of a cosine from `lr` to 0, and 0 afterwards.

    $$f(t) = \text{lr} \cdot \tfrac12 \left(1 + \cos(\pi \, (n p \bmod 1))\right), \quad
    p = \frac{t - W}{T - W} < 1$$

    >>> from jaxsched.ports import transformers
    >>> transformers.get_cosine_with_hard_restarts_schedule_with_warmup(0.1, 0, 900, num_cycles=3)
    warmup(join([cycle(Cosine(0.1, 0, 300), 300), 0], [900]), 0)

    Args:
      lr: the base rate.
      num_warmup_steps: see the module.
      num_training_steps: see the module; taken as at least `num_warmup_steps + 1`.
      num_cycles: the number of half cosines, at least 0 and not necessarily whole. With 0 the rate is `lr`
        until the end.

    Source: `get_cosine_with_hard_restarts_schedule_with_warmup` of Transformers 5.23. Deviation: the rate is
    `lr` at every restart. In Transformers it is 0 at a few, where rounding puts $n p$ just below a whole
    number, such as step 580 with 50 cycles over 1,000 steps.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    warmup_steps, steps = _phases(num_warmup_steps, num_training_steps, at_least=1)
    num_cycles = checked_number("num_cycles", num_cycles, at_least=0)
    return warmup(_hard_restarts(lr, steps, num_cycles), warmup_steps)


def get_polynomial_decay_schedule_with_warmup(
    lr: Number,
    num_warmup_steps: Number,
    num_training_steps: Number,
    lr_end: Number = 1e-7,
    power: Number = 1.0,
    last_epoch: int = -1,
) -> Schedule:
    r"""A warmup to `lr`, then a polynomial decay to `lr_end`.

    $$f(t) = \text{lr\_end} + (\text{lr} - \text{lr\_end})
    \left(1 - \frac{t - W}{T - W}\right)^\text{power}, \quad W \le t \le T$$

    and `lr_end` afterwards.

    >>> from jaxsched.ports import transformers
    >>> transformers.get_polynomial_decay_schedule_with_warmup(0.1, 100, 1000, power=2.0)
    warmup(Polynomial(0.1, 1e-07, 900, 2), 100)

    Args:
      lr: the base rate.
      num_warmup_steps: see the module.
      num_training_steps: see the module. If no steps are left after the warmup, the rate is `lr_end` there.
      lr_end: the last rate, below `lr`.
      power: from 0 to 1,000,000. With 0 the rate is `lr` through step `num_training_steps`.

    Source: `get_polynomial_decay_schedule_with_warmup` of Transformers 5.23. Deviation: if the warmup takes
    all of `num_training_steps`, Transformers raises `ZeroDivisionError` at its end.
    """
    not_modelled(last_epoch=last_epoch)
    lr, lr_end = checked(lr=lr, lr_end=lr_end)
    if is_concrete(lr, lr_end):
        check_range("lr_end", float(lr_end), below=float(lr))
    power = checked_number("power", power, at_least=0, at_most=1e6)
    warmup_steps, steps = _phases(num_warmup_steps, num_training_steps, at_least=0)
    decay: Schedule = Polynomial(lr, lr_end, steps, power)
    if is_known(power, 0):
        # The last step of the decay has `lr` too; where there is no decay, the rate is `lr_end` at once.
        decay = Piecewise([lr, lr_end], [smaller(steps, 1.0) * (steps + 1)])
    return _warmed_up(lr, warmup_steps, decay, _is_positive(steps))


def get_inverse_sqrt_schedule(
    lr: Number, num_warmup_steps: Number, timescale: Number | None = None, last_epoch: int = -1
) -> Schedule:
    r"""A warmup to `lr`, then an inverse square root decay.

    $$f(t) = \text{lr} \left(1 + \frac{t - W}{\text{timescale}}\right)^{-1/2}$$

    >>> from jaxsched.ports import transformers
    >>> transformers.get_inverse_sqrt_schedule(0.1, num_warmup_steps=100)
    warmup(InversePower(0.1, 100, 0.5), 100)

    Args:
      lr: the base rate.
      num_warmup_steps: see the module.
      timescale: a number of steps, above 0. The default is `num_warmup_steps`, or 10,000 if that is 0.

    Source: `get_inverse_sqrt_schedule` of Transformers 5.23.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    warmup_steps = _warmup_steps(num_warmup_steps)
    if timescale is None:
        timescale = 10_000 if is_known(warmup_steps, 0) else warmup_steps
    return inverse_sqrt(lr, warmup_steps, timescale=checked_number("timescale", timescale, above=0))


def get_cosine_with_min_lr_schedule_with_warmup(
    lr: Number,
    num_warmup_steps: Number,
    num_training_steps: Number,
    num_cycles: Number = 0.5,
    last_epoch: int = -1,
    min_lr: Number | None = None,
    min_lr_rate: Number | None = None,
) -> Schedule:
    """`get_cosine_schedule_with_warmup` that falls to `min_lr` instead of 0; the warmup still begins at 0.

    >>> from jaxsched.ports import transformers
    >>> transformers.get_cosine_with_min_lr_schedule_with_warmup(0.1, 100, 1000, min_lr=0.01)
    warmup(reflect(Cosine(0.1, 0.01, 900), 1800), 100)

    Args:
      lr: the base rate.
      num_warmup_steps: see the module.
      num_training_steps: see the module; taken as at least `num_warmup_steps + 1`.
      num_cycles: see the module; 0 gives a constant.
      min_lr: the lowest rate, at least 0. Exactly one of `min_lr` and `min_lr_rate` must be given.
      min_lr_rate: the lowest rate as a fraction of `lr`, at least 0.

    Source: `get_cosine_with_min_lr_schedule_with_warmup` of Transformers 5.23.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    lowest = _lowest(lr, min_lr, min_lr_rate)
    warmup_steps, steps = _phases(num_warmup_steps, num_training_steps, at_least=1)
    return warmup(_waves(lr, lowest, steps, num_cycles), warmup_steps)


def get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
    lr: Number,
    num_warmup_steps: Number,
    num_training_steps: Number,
    num_cycles: Number = 0.5,
    last_epoch: int = -1,
    min_lr: Number | None = None,
    min_lr_rate: Number | None = None,
    warmup_lr_rate: Number | None = None,
) -> Schedule:
    r"""`get_cosine_with_min_lr_schedule_with_warmup` one step earlier, with a warmup that begins above 0.

    The warmup is a straight line from `lr * warmup_lr_rate` at step 0 to `lr` at step $W - 1$. The cosine
    begins there. It reaches its lowest rate at step $T - 1$, and then rises again.

    >>> from jaxsched.ports import transformers
    >>> transformers.get_cosine_with_min_lr_schedule_with_warmup_lr_rate(0.1, 4, 10, min_lr=0.01)
    join([Linear(0.025, 0.1, 3), shift(reflect(Cosine(0.1, 0.01, 6), 12), -1)], [4])

    Args:
      lr: the base rate.
      num_warmup_steps: see the module.
      num_training_steps: see the module; taken as at least `num_warmup_steps + 1`.
      num_cycles: see the module; 0 gives a constant.
      min_lr: the lowest rate, at least 0. Exactly one of `min_lr` and `min_lr_rate` must be given.
      min_lr_rate: the lowest rate as a fraction of `lr`, at least 0.
      warmup_lr_rate: the first rate as a fraction of `lr`; `1 / num_warmup_steps` by default.

    Source: `get_cosine_with_min_lr_schedule_with_warmup_lr_rate` of Transformers 5.23.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    lowest = _lowest(lr, min_lr, min_lr_rate)
    warmup_steps, steps = _phases(num_warmup_steps, num_training_steps, at_least=1)
    if warmup_lr_rate is None:
        first = lr / larger(1.0, warmup_steps)
    else:
        first = lr * checked_number("warmup_lr_rate", warmup_lr_rate, at_least=0)
    ramp = Linear(first, lr, larger(1.0, warmup_steps - 1))
    return join([ramp, shift(_waves(lr, lowest, steps, num_cycles), -1)], [warmup_steps])


def get_wsd_schedule(
    lr: Number,
    num_warmup_steps: Number,
    num_decay_steps: Number,
    num_training_steps: Number | None = None,
    num_stable_steps: Number | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: Number = 0.0,
    num_cycles: Number = 0.5,
    last_epoch: int = -1,
) -> Schedule:
    """Warmup, stable, decay: from `lr * min_lr_ratio` up to `lr`, a constant phase, and back down.

    >>> from jaxsched.ports import transformers
    >>> transformers.get_wsd_schedule(0.1, 100, 200, 1000, decay_type="1-sqrt")
    warmup(join([0.1, OneMinusSqrt(0.1, 0, 200)], [700]), 100)

    Args:
      lr: the base rate.
      num_warmup_steps: the length of the warmup, a whole number of at least 0.
      num_decay_steps: the length of the decay, a whole number of at least 0.
      num_training_steps: the length of all three phases, a whole number of at least 0.
      num_stable_steps: the length of the stable phase, a whole number of at least 0. If it is given,
        `num_training_steps` is ignored. By default it is the rest of `num_training_steps`; if the warmup and
        the decay together are longer than that, the decay begins before the warmup ends.
      warmup_type: `"linear"`, `"cosine"` or `"1-sqrt"`.
      decay_type: `"linear"`, `"cosine"` or `"1-sqrt"`.
      min_lr_ratio: the first and last rate as a fraction of `lr`, at least 0.
      num_cycles: the number of periods of a `"cosine"` decay, at least 0. Half a period falls once; with 0
        the rate stays at `lr` during the decay.

    Source: `get_wsd_schedule` of Transformers 5.23, which warns if both lengths are given.
    """
    not_modelled(last_epoch=last_epoch)
    (lr,) = checked(lr=lr)
    lowest = lr * checked_number("min_lr_ratio", min_lr_ratio, at_least=0)
    ramp = one_of("warmup_type", warmup_type, WARMUP_TYPES)
    decays: dict[str, Callable[..., Schedule]] = {
        "linear": Linear,
        "cosine": functools.partial(_cosine_decay, num_cycles=num_cycles),
        "1-sqrt": OneMinusSqrt,
    }
    decay = one_of("decay_type", decay_type, decays)
    warmup_steps = _warmup_steps(num_warmup_steps)
    decay_steps = whole("num_decay_steps", num_decay_steps, at_least=0)
    if num_stable_steps is not None:
        stable_steps = whole("num_stable_steps", num_stable_steps, at_least=0)
    elif num_training_steps is not None:
        total_steps = whole("num_training_steps", num_training_steps, at_least=0)
        stable_steps = total_steps - warmup_steps - decay_steps
    else:
        raise ValueError("`num_training_steps` or `num_stable_steps` must be given, got neither.")
    rest = decay(lr, lowest, decay_steps)
    begun = is_concrete(stable_steps) and bool(stable_steps < 0)
    rest = shift(rest, stable_steps) if begun else join([lr, rest], [stable_steps])
    at_lr = not begun and _is_positive(stable_steps + decay_steps)
    return _warmed_up(lr, warmup_steps, rest, at_lr, lowest, ramp)


def get_reduce_on_plateau_schedule(lr: Any, **kwargs: Any) -> Any:
    """`jaxsched.ports.torch.ReduceLROnPlateau`: a rule for `jaxsched.scale_by_plateau`.

    >>> from jaxsched.ports import transformers
    >>> transformers.get_reduce_on_plateau_schedule(0.1, factor=0.5, patience=3).factor
    0.5

    Args:
      lr: the base rate, above 0, relative to which `min_lr` and `eps` are taken, or a list of them.
      **kwargs: the other arguments of `jaxsched.ports.torch.ReduceLROnPlateau`.

    Returns:
      A `Plateau`, or a list of them if `lr` or `min_lr` is a list.

    Source: `get_reduce_on_plateau_schedule` of Transformers 5.23.
    """
    return ReduceLROnPlateau(lr, **kwargs)


def get_adafactor_schedule(initial_lr: Number = 0.0, *, warmup_init: bool = False) -> Schedule:
    r"""The relative step size of `Adafactor`, as the original reports it: that of the update before.

    $$f(t) = \begin{cases} \text{initial\_lr} & t < 1 \\ \min(u(t), t^{-1/2}) & t \ge 1 \end{cases}$$

    where $u(t)$ is 0.01, or $10^{-6} t$ with `warmup_init`.

    The rate of update $t$, counted from 0, is $f(t + 1)$: train with `jaxsched.shift(schedule, -1)`. With
    `scale_parameter=True`, its default, Adafactor multiplies it by the size of each parameter, which no
    function of the step can do. Use `multiply_by_parameter_scale` of `optax.adafactor`.

    >>> import jaxsched as js
    >>> from jaxsched.ports import transformers
    >>> schedule = transformers.get_adafactor_schedule()
    >>> schedule(0), schedule(100), schedule(40_000)
    (Array(0., dtype=float32), Array(0.01, dtype=float32), Array(0.005, dtype=float32))
    >>> js.shift(schedule, -1)(0)
    Array(0.01, dtype=float32)

    Args:
      initial_lr: the rate to report before the first update.
      warmup_init: the argument of `Adafactor`: whether the step size begins with a warmup.

    Raises:
      TypeError: `initial_lr` is not a number, or `warmup_init` not True or False.

    Source: `get_adafactor_schedule` of Transformers 5.23, for an `Adafactor` with `relative_step=True` and
    `scale_parameter=False`; Shazeer and Stern, *Adafactor*, arXiv:1804.04235. Without `relative_step`,
    Transformers sets the optimizer's rate to `initial_lr` for the whole run.
    """
    (initial_lr,) = checked(initial_lr=initial_lr)
    ramp = Linear(1e-6, 0.01, 9999) if checked_flag("warmup_init", warmup_init) else Constant(0.01)
    return join([initial_lr, ramp, InversePower(0.01, 10_000, 0.5)], [1, 10_000])


def GreedyLR(
    lr: Number,
    mode: str = "min",
    factor: Number = 0.95,
    patience: Number = 10,
    threshold: Number = 1e-6,
    threshold_mode: str = "abs",
    cooldown: Number = 0,
    warmup: Number = 0,
    min_lr: Number = 1e-3,
    max_lr: Number = 1.0,
    eps: Number = 1e-8,
    verbose: bool = False,
    smooth: bool = False,
    window_size: int = 50,
    reset_start: Number = 500,
) -> Greedy:
    """A rule for `jaxsched.scale_by_plateau` that raises the rate too: while the metric improves.

    More than `patience` improvements in a row divide the rate by `factor`. More than `patience` observations
    in a row without one multiply it by `factor`. A relative threshold is a fraction of the best metric
    itself, even if that is negative.

    Mind `min_lr`: it is 0.001 by default, and a rate below it is never cut, only raised.

    >>> import jaxsched as js
    >>> from jaxsched.ports import transformers
    >>> rule = transformers.GreedyLR(0.1, factor=0.5, patience=1)
    >>> js.simulate(0.1, rule, [0.9, 0.8, 0.8, 0.8])
    step  metric  rate  scale  bad  cooldown  best
       1     0.9   0.1      1    0         0   0.9
       2     0.8   0.2      2    0         0   0.8  raise
       3     0.8   0.2      2    1         0   0.8
       4     0.8   0.1      1    0         0   0.8  cut

    Args:
      lr: the base rate, above 0; `min_lr`, `max_lr` and `eps` become fractions of it.
      mode: "min" for a metric to minimise, "max" for one to maximise.
      factor: the factor of a cut and the divisor of a raise, above 0 and below 1.
      patience: the largest number of observations in a row that changes nothing, at least 0.
      threshold: the margin of an improvement, at least 0.
      threshold_mode: "rel" or "abs".
      cooldown: the number of observations to ignore after a cut.
      warmup: the number of observations to ignore after a raise.
      min_lr: the lowest rate that a cut makes, at least 0.
      max_lr: the highest rate that a raise makes, at least 0.
      eps: a change of the rate by this much or less is skipped.
      verbose: must be False; print the rate yourself.
      smooth: whether the mean of the latest `window_size` metrics is observed instead of each.
      window_size: a whole number of at least 1.
      reset_start: the number of cuts at `min_lr`, without a raise, after which the rate is `lr` again and
        earlier metrics are forgotten; a whole number of at least 0.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside its range.

    Source: `GreedyLR` of Transformers 5.23; arXiv:2512.14527. Deviations: with `smooth`, a metric that is NaN
    or infinite is forgotten after `window_size` others; the mean of the original stays NaN. `min_lr` and
    `max_lr` are one number: instead of a list, use a rule for each parameter group; each one resets on its
    own.
    """
    not_modelled(verbose=verbose)
    base = checked_number("lr", lr, above=0)
    limits = {"min_scale": ("min_lr", min_lr), "max_scale": ("max_lr", max_lr), "eps": ("eps", eps)}
    scales = {
        key: over(checked_number(name, value, at_least=0), "lr", base)
        for key, (name, value) in limits.items()
    }
    size = int(whole("window_size", window_size, at_least=1))
    return Greedy(
        factor=factor,
        patience=whole("patience", patience, at_least=0),
        cooldown=whole("cooldown", cooldown, at_least=0),
        warmup=whole("warmup", warmup, at_least=0),
        reset_after=whole("reset_start", reset_start, at_least=0),
        mode=mode,
        window=size if checked_flag("smooth", smooth) else 1,
        **scales,
        **margins(threshold, threshold_mode),
    )


def get_greedy_schedule(lr: Number, **kwargs: Any) -> Greedy:
    """`GreedyLR`: a rule for `jaxsched.scale_by_plateau`.

    Args:
      lr: the base rate, above 0.
      **kwargs: the other arguments of `GreedyLR`.

    Source: `get_greedy_schedule` of Transformers 5.23.
    """
    return GreedyLR(lr, **kwargs)


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "linear": get_linear_schedule_with_warmup,
    "cosine": get_cosine_schedule_with_warmup,
    "cosine_with_restarts": get_cosine_with_hard_restarts_schedule_with_warmup,
    "polynomial": get_polynomial_decay_schedule_with_warmup,
    "constant": get_constant_schedule,
    "constant_with_warmup": get_constant_schedule_with_warmup,
    "inverse_sqrt": get_inverse_sqrt_schedule,
    "cosine_with_min_lr": get_cosine_with_min_lr_schedule_with_warmup,
    "cosine_warmup_with_min_lr": get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
    "warmup_stable_decay": get_wsd_schedule,
}
"""The schedules of `get_scheduler`, by their names in `SchedulerType`."""

BY_METRIC = {
    "reduce_lr_on_plateau": "use the rule `jaxsched.ports.transformers.get_reduce_on_plateau_schedule`",
    "greedy": "use the rule `jaxsched.ports.transformers.get_greedy_schedule`",
}
"""Names in `SchedulerType` that follow a metric, and what to do instead."""


def get_scheduler(
    lr: Number,
    name: str,
    num_warmup_steps: Number | None = None,
    num_training_steps: Number | None = None,
    scheduler_specific_kwargs: dict[str, Any] | None = None,
) -> Schedule:
    """A schedule of this module by its name in `SchedulerType`.

    >>> from jaxsched.ports import transformers
    >>> transformers.get_scheduler(0.1, "linear", num_warmup_steps=100, num_training_steps=1000)
    warmup(Linear(0.1, 0, 900), 100)

    Args:
      lr: the base rate.
      name: `"linear"`, `"cosine"`, `"cosine_with_restarts"`, `"polynomial"`, `"constant"`,
        `"constant_with_warmup"`, `"inverse_sqrt"`, `"cosine_with_min_lr"`, `"cosine_warmup_with_min_lr"` or
        `"warmup_stable_decay"`.
      num_warmup_steps: see the module; ignored if the schedule does not take it.
      num_training_steps: see the module; ignored if the schedule does not take it.
      scheduler_specific_kwargs: the other arguments of the schedule. An argument that it does not take is
        refused.

    Source: `get_scheduler` of Transformers 5.23, which takes the name before the optimizer. Deviation: for
    constant schedules Transformers drops other arguments.
    """
    schedule = _named(name)
    steps = {"num_warmup_steps": num_warmup_steps, "num_training_steps": num_training_steps}
    parameters = inspect.signature(schedule).parameters
    steps = {key: value for key, value in steps.items() if key in parameters}
    for key, value in steps.items():
        if value is None and parameters[key].default is inspect.Parameter.empty:
            raise ValueError(f"`{key}` must be given for {name!r}, got None.")
    others = {} if scheduler_specific_kwargs is None else scheduler_specific_kwargs
    if not isinstance(others, Mapping):
        raise TypeError(f"`scheduler_specific_kwargs` must be a dict of arguments, got {describe(others)}.")
    known = [key for key in parameters if key not in ("lr", "num_warmup_steps", "num_training_steps")]
    for key in others:
        if key not in known:
            raise TypeError(f"`scheduler_specific_kwargs` for {name!r} must be among {known}, got {key!r}.")
    return schedule(lr, **steps, **others)


def _named(name: Any) -> Callable[..., Schedule]:
    if isinstance(name, str) and name in SCHEDULES:
        return SCHEDULES[name]
    if isinstance(name, str) and name in BY_METRIC:
        raise ValueError(
            f"`name` must name a function of the step, got {name!r}, which follows a metric: "
            f"{BY_METRIC[name]}."
        )
    near = difflib.get_close_matches(str(name), SCHEDULES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"`name` must be one of {list(SCHEDULES)}, got {name!r}{hint}")


def _warmup_steps(num_warmup_steps: Number) -> Any:
    return whole("num_warmup_steps", num_warmup_steps, at_least=0)


def _phases(num_warmup_steps: Number, num_training_steps: Number, at_least: float) -> tuple[Any, Any]:
    """The lengths of the warmup and of the rest, which is at least `at_least`."""
    warmup_steps = _warmup_steps(num_warmup_steps)
    total_steps = whole("num_training_steps", num_training_steps, at_least=0)
    return warmup_steps, larger(at_least, total_steps - warmup_steps)


def _is_positive(value: Any) -> bool:
    return is_concrete(value) and bool(value > 0)


def _warmed_up(
    lr: Any,
    warmup_steps: Any,
    rest: Schedule,
    begins_at_lr: bool,
    init_value: Any = 0.0,
    shape: Any = Linear,
) -> Schedule:
    """A ramp to `lr`, then the rest, which need not begin at `lr`."""
    if begins_at_lr:
        return warmup(rest, warmup_steps, init_value, shape)
    return join([shape(init_value, lr, warmup_steps), rest], [warmup_steps])


def _lowest(lr: Any, min_lr: Number | None, min_lr_rate: Number | None) -> Any:
    if min_lr is not None and min_lr_rate is not None:
        raise ValueError(
            f"`min_lr` or `min_lr_rate` must be given, not both, got {min_lr!r} and {min_lr_rate!r}."
        )
    if min_lr is not None:
        return checked_number("min_lr", min_lr, at_least=0)
    if min_lr_rate is not None:
        return lr * checked_number("min_lr_rate", min_lr_rate, at_least=0)
    raise ValueError("`min_lr` or `min_lr_rate` must be given, got neither.")


def _waves(lr: Any, lowest: Any, steps: Any, num_cycles: Number) -> Schedule:
    """A cosine with `num_cycles` periods in `steps` steps, and the same beyond them."""
    num_cycles = checked_number("num_cycles", num_cycles, at_least=0)
    if is_known(num_cycles, 0):
        return Constant(lr)
    half = over(steps / 2, "num_cycles", num_cycles)
    return reflect(Cosine(lr, lowest, half), 2 * half)


def _cosine_decay(lr: Any, lowest: Any, steps: Any, num_cycles: Number) -> Schedule:
    if is_known(num_cycles, 0.5):
        return Cosine(lr, lowest, steps)
    return join([_waves(lr, lowest, larger(1.0, steps), num_cycles), lowest], [steps])


def _hard_restarts(lr: Any, steps: Any, num_cycles: Any) -> Schedule:
    """`num_cycles` half cosines in `steps` steps, then 0."""
    if is_known(num_cycles, 1):
        return Cosine(lr, 0.0, steps)
    if is_known(num_cycles, 0):
        return Piecewise([lr, 0.0], [steps])
    length = over(steps, "num_cycles", num_cycles)
    restarts = cycle(Cosine(lr, 0.0, length), length)
    if is_concrete(steps, num_cycles):
        # Three times the float 5 / 3 may miss 5, so the cycles between two whole-step restarts form a cycle.
        whole_step = (Fraction(float(steps)) / Fraction(float(num_cycles))).numerator
        if length < whole_step < steps:
            restarts = cycle(restarts, whole_step)
    return join([restarts, 0.0], [steps])
