# ruff: noqa: D417, N802 - the module describes the arguments in common; the names are those of the originals.
"""The schedules of Keras, `keras.optimizers.schedules`, and its callback `LearningRateScheduler`.

The step is the number of updates made so far, or the epoch in `LearningRateScheduler`. `name` may be
anything: only a TensorFlow graph shows it. `verbose` must be 0: a port prints nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from jaxsched._core.fields import Number, Numbers, checked_flag, checked_number, describe
from jaxsched._core.schedule import Constant, Schedule
from jaxsched.combinators.clocks import staircase as stairs
from jaxsched.combinators.cycle import cycle as restarted
from jaxsched.combinators.ramps import warmup
from jaxsched.plateau import Machine, Plateau
from jaxsched.ports._builders import growing_polynomials, plateau, polynomial
from jaxsched.ports._checks import checked, is_known, not_modelled, over, whole, whole_steps
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Exponential
from jaxsched.shapes.levels import Piecewise, Table
from jaxsched.shapes.rational import InversePower


def ExponentialDecay(
    initial_learning_rate: Number,
    decay_steps: Number,
    decay_rate: Number,
    staircase: bool = False,
    name: str = "ExponentialDecay",
) -> Schedule:
    r"""An exponential decay: a constant factor every `decay_steps`.

    $$f(t) = \text{initial\_learning\_rate} \cdot \text{decay\_rate}^{t / \text{decay\_steps}}$$

    With `staircase`, the exponent is rounded down.

    >>> from jaxsched.ports import keras
    >>> keras.ExponentialDecay(0.1, 1000, 0.96, staircase=True)
    staircase(Exponential(0.1, 0.96, 1000), 1000)

    Args:
      initial_learning_rate: the first rate.
      decay_steps: the number of steps per factor, above 0.
      decay_rate: the factor, at least 0.
      staircase: whether the rate falls in steps.

    Source: `ExponentialDecay` of Keras 3.15.1.
    """
    (initial_learning_rate,) = checked(initial_learning_rate=initial_learning_rate)
    decay_steps = checked_number("decay_steps", decay_steps, above=0)
    decay = Exponential(initial_learning_rate, decay_rate, decay_steps)
    return stairs(decay, decay_steps) if checked_flag("staircase", staircase) else decay


def PiecewiseConstantDecay(boundaries: Numbers, values: Numbers, name: str = "PiecewiseConstant") -> Schedule:
    r"""Constant levels. A level lasts through its boundary; the next one begins a step later.

    $$f(t) = \text{values}[\#\{b \in \text{boundaries}:\ b < t\}]$$

    >>> from jaxsched.ports import keras
    >>> keras.PiecewiseConstantDecay([100, 110], [1.0, 0.5, 0.1])
    Piecewise([1, 0.5, 0.1], [101, 111])

    Args:
      boundaries: the last step of each level except the last, sorted whole numbers of at least 0.
      values: the levels, one more than there are boundaries.

    Source: `PiecewiseConstantDecay` of Keras 3.15.1.
    """
    return Piecewise(values, whole_steps("boundaries", boundaries, at_least=0) + 1)


def PolynomialDecay(
    initial_learning_rate: Number,
    decay_steps: Number,
    end_learning_rate: Number = 0.0001,
    power: Number = 1.0,
    cycle: bool = False,
    name: str = "PolynomialDecay",
) -> Schedule:
    r"""A polynomial decay, once or, with `cycle`, again and again.

    $$f(t) = \text{end} + (\text{initial} - \text{end}) \left(1 - \frac{t}{N}\right)^\text{power}$$

    where $N$ is `decay_steps`. Afterwards the rate stays at `end_learning_rate`. With `cycle`, $N$ is the
    smallest multiple of `decay_steps` that is at least $t$. The rate then reaches `end_learning_rate` every
    `decay_steps` steps, and each restart is lower than the one before.

    >>> from jaxsched.ports import keras
    >>> keras.PolynomialDecay(0.1, 10000, 0.01, power=0.5)
    Polynomial(0.1, 0.01, 10000, 0.5)
    >>> saw = keras.PolynomialDecay(1.0, 4, 0.0, cycle=True)
    >>> [float(saw(step)) for step in (0, 3, 4, 5, 8, 9)]
    [1.0, 0.25, 0.0, 0.375, 0.0, 0.25]

    Args:
      initial_learning_rate: the first rate.
      decay_steps: the length of the decay, above 0; with `cycle`, a whole number.
      end_learning_rate: the last rate.
      power: at least 0; 0 gives a constant.
      cycle: whether the decay restarts.

    Source: `PolynomialDecay` of Keras 3.15.1.
    """
    initial_learning_rate, end_learning_rate = checked(
        initial_learning_rate=initial_learning_rate, end_learning_rate=end_learning_rate
    )
    check = whole if checked_flag("cycle", cycle) else checked_number
    decay_steps = check("decay_steps", decay_steps, above=0)
    if cycle and not is_known(power, 0):
        return growing_polynomials(initial_learning_rate, end_learning_rate, decay_steps, power)
    return polynomial(initial_learning_rate, end_learning_rate, decay_steps, power)


def InverseTimeDecay(
    initial_learning_rate: Number,
    decay_steps: Number,
    decay_rate: Number,
    staircase: bool = False,
    name: str = "InverseTimeDecay",
) -> Schedule:
    r"""An inverse time decay.

    $$f(t) = \frac{\text{initial\_learning\_rate}}{1 + \text{decay\_rate} \cdot t / \text{decay\_steps}}$$

    With `staircase`, `t / decay_steps` is rounded down.

    >>> from jaxsched.ports import keras
    >>> keras.InverseTimeDecay(0.1, 10, 0.5)
    InversePower(0.1, 20, 1)

    Args:
      initial_learning_rate: the first rate.
      decay_steps: above 0.
      decay_rate: at least 0.
      staircase: whether the rate falls in steps, every `decay_steps`.

    Source: `InverseTimeDecay` of Keras 3.15.1.
    """
    (initial_learning_rate,) = checked(initial_learning_rate=initial_learning_rate)
    decay_steps = checked_number("decay_steps", decay_steps, above=0)
    decay_rate = checked_number("decay_rate", decay_rate, at_least=0)
    if is_known(decay_rate, 0):
        return Constant(initial_learning_rate)
    decay = InversePower(initial_learning_rate, over(decay_steps, "decay_rate", decay_rate), 1.0)
    return stairs(decay, decay_steps) if checked_flag("staircase", staircase) else decay


def CosineDecay(
    initial_learning_rate: Number,
    decay_steps: Number,
    alpha: Number = 0.0,
    name: str = "CosineDecay",
    warmup_target: Number | None = None,
    warmup_steps: Number = 0,
) -> Schedule:
    r"""Half a cosine, after a linear warmup if `warmup_target` is given.

    With $W$ = `warmup_steps`, $N$ = `decay_steps` and `target` = `warmup_target`,

    $$f(t) = \begin{cases}
    \text{initial} + (\text{target} - \text{initial}) \, t / W & t < W \\
    \text{target} \left(\alpha + (1 - \alpha) \,
    \tfrac12 \left(1 + \cos\left(\pi \min\left(\tfrac{t - W}{N}, 1\right)\right)\right)\right) & t \ge W
    \end{cases}$$

    Without a target there is no warmup, whatever `warmup_steps` is: the cosine begins at
    `initial_learning_rate`.

    >>> from jaxsched.ports import keras
    >>> keras.CosineDecay(0.0, 1000, alpha=0.1, warmup_target=0.3, warmup_steps=100)
    warmup(Cosine(0.3, 0.03, 1000), 100)

    Args:
      initial_learning_rate: the first rate.
      decay_steps: the length of the cosine, without the warmup, above 0.
      alpha: the last rate as a fraction of the highest.
      warmup_target: the rate after the warmup, or `None` for no warmup.
      warmup_steps: the length of the warmup, at least 0.

    Source: `CosineDecay` of Keras 3.15.1.
    """
    decay_steps = checked_number("decay_steps", decay_steps, above=0)
    initial_learning_rate, alpha = checked(initial_learning_rate=initial_learning_rate, alpha=alpha)
    if warmup_target is None:
        return Cosine(initial_learning_rate, initial_learning_rate * alpha, decay_steps)
    (warmup_target,) = checked(warmup_target=warmup_target)
    decay = Cosine(warmup_target, warmup_target * alpha, decay_steps)
    return warmup(decay, warmup_steps, initial_learning_rate)


def CosineDecayRestarts(
    initial_learning_rate: Number,
    first_decay_steps: Number,
    t_mul: Number = 2.0,
    m_mul: Number = 1.0,
    alpha: Number = 0.0,
    name: str = "SGDRDecay",
) -> Schedule:
    r"""Half cosines with warm restarts.

    Cosine number $k$, counted from 0, is `t_mul`$^k$ times as long as the first. After a fraction $p$ of it,

    $$f = \text{initial} \left(\alpha + (1 - \alpha) \, \text{m\_mul}^k \,
    \tfrac12 (1 + \cos \pi p)\right)$$

    >>> from jaxsched.ports import keras
    >>> keras.CosineDecayRestarts(0.3, 10, m_mul=0.8, alpha=0.5)
    0.15 + cycle(Cosine(0.15, 0, 10), 10, 2, 0.8)

    Args:
      initial_learning_rate: the first rate.
      first_decay_steps: the length of the first cosine, above 0.
      t_mul: the ratio of each cosine's length to the one before, at least 1.
      m_mul: the ratio of each cosine's height to the one before, at least 0.
      alpha: the rate at the end of each cosine, as a fraction of `initial_learning_rate`.

    Source: `CosineDecayRestarts` of Keras 3.15.1. Deviations: every restart is exact; the original takes a
    logarithm, and its rounding error misses some. A `t_mul` below 1 is refused; the original gives NaN.
    """
    initial_learning_rate, alpha = checked(initial_learning_rate=initial_learning_rate, alpha=alpha)
    steps = checked_number("first_decay_steps", first_decay_steps, above=0)
    t_mul = checked_number("t_mul", t_mul, at_least=1)
    m_mul = checked_number("m_mul", m_mul, at_least=0)
    floor = initial_learning_rate * alpha
    falls = restarted(Cosine(initial_learning_rate - floor, 0.0, steps), steps, t_mul, m_mul)
    return falls if is_known(alpha, 0) else floor + falls


def LearningRateScheduler(
    schedule: Callable[..., Any], verbose: bool | int = 0, *, epochs: int, learning_rate: Number | None = None
) -> Schedule:
    """A table of a Python function of the epoch.

    The function is called once for each epoch, in order, with a Python integer. If it takes two arguments,
    it is called as `schedule(epoch, learning_rate)`, where `learning_rate` is its last result, so it may be
    a recurrence. After `epochs` the last rate stays, even for a recurrence. The clock is in epochs:
    `jaxsched.per_epoch` puts it on steps.

    >>> from jaxsched.ports import keras
    >>> def halve_later(epoch, rate):
    ...     return rate if epoch < 2 else rate / 2
    >>> keras.LearningRateScheduler(halve_later, epochs=4, learning_rate=0.1)
    Table([0.1, 0.1, 0.05, 0.025])

    Args:
      schedule: a function that returns the rate of an epoch.
      epochs: the number of epochs, a whole number of at least 1.
      learning_rate: the optimizer's rate in epoch 0; required if `schedule` takes two arguments.

    Source: `LearningRateScheduler` of Keras 3.15.1, which keeps the rate in Keras's `floatx`; here it is in
    float64. Deviation: the function may also return an integer.
    """
    not_modelled(verbose=verbose)
    if not callable(schedule):
        raise TypeError(f"`schedule` must be a function, got {describe(schedule)}.")
    epochs = int(whole("epochs", epochs, at_least=1))
    recurrent = _takes_two(schedule)
    if recurrent and learning_rate is None:
        raise TypeError("`learning_rate` must be a number when `schedule` takes two arguments, got None.")
    rate: Any = None if learning_rate is None else checked_number("learning_rate", learning_rate)
    rates = []
    for epoch in range(epochs):
        rate = schedule(epoch, rate) if recurrent else schedule(epoch)
        rate = checked_number(f"schedule({epoch})", rate)
        rates.append(rate)
    return Table(rates)


def _takes_two(fn: Callable[..., Any]) -> bool:
    try:
        inspect.signature(fn).bind(0, 0.0)
    except (TypeError, ValueError):  # Some built-in functions have no signature.
        return False
    return True


def ReduceLROnPlateau(
    lr: Number,
    monitor: str = "val_loss",
    factor: Number = 0.1,
    patience: Number = 10,
    verbose: bool | int = 0,
    mode: str = "auto",
    min_delta: Number = 1e-4,
    cooldown: Number = 0,
    min_lr: Number = 0.0,
) -> Plateau:
    """A rule for `jaxsched.scale_by_plateau`, which scales any schedule when a metric stops improving.

    As in Keras, it cuts after `patience` metrics in a row without improvement, one sooner than PyTorch. The
    first metric counts as the best, even if it is NaN. The last epoch of a cooldown counts again, so a
    cooldown of 1 has no effect.

    Args:
      lr: the base rate, above 0, relative to which `min_lr` is taken.
      monitor: the name of the metric, used by `mode="auto"` only.
      factor: the factor of each cut, at least 0 and below 1.
      patience: the number of observations without improvement before a cut.
      mode: "min", "max", or "auto", which means "min" for a loss.
      min_delta: the smallest change that counts as an improvement, absolute, at least 0.
      cooldown: the number of observations after a cut that do not count, except the last.
      min_lr: the floor of the rate.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside its range, or `mode` is "auto" for a metric that is not a loss.

    Source: `keras.callbacks.ReduceLROnPlateau` of Keras 3.
    """
    not_modelled(verbose=verbose)
    if mode == "auto":
        if not isinstance(monitor, str) or "loss" not in monitor:
            raise ValueError(f"`mode` must be 'min' or 'max' for `monitor={monitor!r}`, got 'auto'.")
        mode = "min"
    machine = Machine(infinities=True, first=True, trigger="at", cooldown="hold", keeps_counting=True)
    return plateau(
        lr,
        machine,
        mode=mode,
        factor=factor,
        patience=patience,
        rtol=0.0,
        atol=checked_number("min_delta", min_delta, at_least=0),
        cooldown=cooldown,
        min_lr=checked_number("min_lr", min_lr, at_least=0),
        eps=0.0,
    )
