# ruff: noqa: D417, N802 - the module describes the arguments in common; the names are those of the originals.
"""The schedules of Keras, `keras.optimizers.schedules`, and its callback `LearningRateScheduler`.

The step is the number of updates made, for `LearningRateScheduler` the epoch. `name` may be anything, as only
a graph of TensorFlow shows it; `verbose` must be 0, as a port prints nothing.
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
from jaxsched.ports._checks import checked, is_known, not_modelled, whole, whole_steps
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
    r"""A constant factor every `decay_steps`, for ever.

    $$f(t) = \text{initial\_learning\_rate} \cdot \text{decay\_rate}^{t / \text{decay\_steps}}$$

    with the exponent rounded down where `staircase` is set.

    >>> from jaxsched.ports import keras
    >>> keras.ExponentialDecay(0.1, 1000, 0.96, staircase=True)
    staircase(Exponential(0.1, 0.96, 1000), 1000)

    Args:
      initial_learning_rate: the first rate.
      decay_steps: steps that one factor takes, above 0.
      decay_rate: the factor, at least 0.
      staircase: whether it falls all at once.

    Source: `ExponentialDecay` of Keras 3.15.1.
    """
    (initial_learning_rate,) = checked(initial_learning_rate=initial_learning_rate)
    decay_steps = checked_number("decay_steps", decay_steps, above=0)
    decay = Exponential(initial_learning_rate, decay_rate, decay_steps)
    return stairs(decay, decay_steps) if checked_flag("staircase", staircase) else decay


def PiecewiseConstantDecay(boundaries: Numbers, values: Numbers, name: str = "PiecewiseConstant") -> Schedule:
    r"""Constant levels, the next of which comes one step after its boundary.

    $$f(t) = \text{values}[\#\{b \in \text{boundaries}:\ b < t\}]$$

    >>> from jaxsched.ports import keras
    >>> keras.PiecewiseConstantDecay([100, 110], [1.0, 0.5, 0.1])
    Piecewise([1, 0.5, 0.1], [101, 111])

    Args:
      boundaries: the last step of each level but the last, whole numbers of at least 0, sorted.
      values: the levels, one more.

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
    r"""A polynomial of what is left, once or in ever slower saw teeth.

    $$f(t) = \text{end} + (\text{initial} - \text{end}) \left(1 - \frac{t}{N}\right)^\text{power}$$

    where $N$ is `decay_steps`, after which it stays at `end_learning_rate`. With `cycle` $N$ is instead the
    first multiple of `decay_steps` that is at least $t$: every `decay_steps` it is at its end, and begins
    again where a decay that is as long as all until then would be.

    >>> from jaxsched.ports import keras
    >>> keras.PolynomialDecay(0.1, 10000, 0.01, power=0.5)
    Polynomial(0.1, 0.01, 10000, 0.5)
    >>> saw = keras.PolynomialDecay(1.0, 4, 0.0, cycle=True)
    >>> [float(saw(step)) for step in (0, 3, 4, 5, 8, 9)]
    [1.0, 0.25, 0.0, 0.375, 0.0, 0.25]

    Args:
      initial_learning_rate: the first rate.
      decay_steps: above 0, with `cycle` a whole number.
      end_learning_rate: the rate at the end.
      power: at least 0; 0 is constant.
      cycle: whether it begins again.

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
    r"""The inverse of a straight line, for ever.

    $$f(t) = \frac{\text{initial\_learning\_rate}}{1 + \text{decay\_rate} \cdot t / \text{decay\_steps}}$$

    with the fraction rounded down where `staircase` is set.

    >>> from jaxsched.ports import keras
    >>> keras.InverseTimeDecay(0.1, 10, 0.5)
    InversePower(0.1, 20, 1)

    Args:
      initial_learning_rate: the first rate.
      decay_steps: above 0.
      decay_rate: at least 0.
      staircase: whether it falls all at once, every `decay_steps`.

    Source: `InverseTimeDecay` of Keras 3.15.1.
    """
    (initial_learning_rate,) = checked(initial_learning_rate=initial_learning_rate)
    decay_steps = checked_number("decay_steps", decay_steps, above=0)
    decay_rate = checked_number("decay_rate", decay_rate, at_least=0)
    if is_known(decay_rate, 0):
        return Constant(initial_learning_rate)
    decay = InversePower(initial_learning_rate, decay_steps / decay_rate, 1.0)
    return stairs(decay, decay_steps) if checked_flag("staircase", staircase) else decay


def CosineDecay(
    initial_learning_rate: Number,
    decay_steps: Number,
    alpha: Number = 0.0,
    name: str = "CosineDecay",
    warmup_target: Number | None = None,
    warmup_steps: Number = 0,
) -> Schedule:
    r"""Half a cosine, after a linear warmup where there is a `warmup_target`.

    With $W$ = `warmup_steps`, $N$ = `decay_steps` and `target` = `warmup_target`,

    $$f(t) = \begin{cases}
    \text{initial} + (\text{target} - \text{initial}) \, t / W & t < W \\
    \text{target} \left(\alpha + (1 - \alpha) \,
    \tfrac12 \left(1 + \cos\left(\pi \min\left(\tfrac{t - W}{N}, 1\right)\right)\right)\right) & t \ge W
    \end{cases}$$

    Without a target the cosine begins at `initial_learning_rate` at once, whatever `warmup_steps` is.

    >>> from jaxsched.ports import keras
    >>> keras.CosineDecay(0.0, 1000, alpha=0.1, warmup_target=0.3, warmup_steps=100)
    warmup(Cosine(0.3, 0.03, 1000), 100)

    Args:
      initial_learning_rate: the first rate.
      decay_steps: of the cosine alone, above 0.
      alpha: the last rate as a fraction of the highest.
      warmup_target: the rate after the warmup, or `None` for none.
      warmup_steps: at least 0.

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
    r"""Half cosines with warm restarts, for ever.

    After a fraction $p$ of the cosine number $k$, which is `t_mul`$^k$ times as long as the first,

    $$f = \text{initial} \left(\alpha + (1 - \alpha) \, \text{m\_mul}^k \,
    \tfrac12 (1 + \cos \pi p)\right)$$

    >>> from jaxsched.ports import keras
    >>> keras.CosineDecayRestarts(0.3, 10, m_mul=0.8, alpha=0.5)
    0.15 + cycle(Cosine(0.15, 0, 10), 10, 2, 0.8)

    Args:
      initial_learning_rate: the first rate.
      first_decay_steps: of the first cosine, above 0.
      t_mul: of a cosine's length to the one before, at least 1.
      m_mul: of a cosine's height to the one before, at least 0.
      alpha: the rate at the end of each cosine, as a fraction of the first one.

    Source: `CosineDecayRestarts` of Keras 3.15.1. Deviations: every restart is exact, where the original's
    logarithm misses some by a rounding error; a `t_mul` below 1, with which it ends in NaN, is refused.
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
    """A Python function of the epoch, tabulated once.

    `schedule(epoch, learning_rate)`, where the function takes two arguments, is given its own last result,
    in epoch 0 `learning_rate`; so it may be a recurrence. One of a single argument is `schedule(epoch)`.
    It is called once for each epoch, in order, with a Python integer. After `epochs` the last rate stays;
    a recurrence is not continued. Its clock is epochs: for one of steps see `jaxsched.per_epoch`.

    >>> from jaxsched.ports import keras
    >>> def halve_later(epoch, rate):
    ...     return rate if epoch < 2 else rate / 2
    >>> keras.LearningRateScheduler(halve_later, epochs=4, learning_rate=0.1)
    Table([0.1, 0.1, 0.05, 0.025])

    Args:
      schedule: gives the rate of an epoch.
      epochs: how many there are, a whole number of at least 1.
      learning_rate: that of the optimizer, which a `schedule` of two arguments needs.

    Source: `LearningRateScheduler` of Keras 3.15.1. It keeps the rate in Keras's `floatx`, this one in
    float64. Deviation: an integer is a rate too.
    """
    not_modelled(verbose=verbose)
    if not callable(schedule):
        raise TypeError(f"`schedule` must be a function, got {describe(schedule)}.")
    epochs = int(whole("epochs", epochs, at_least=1))
    recurrent = _takes_two(schedule)
    if recurrent and learning_rate is None:
        raise TypeError("`learning_rate` must be a number where `schedule` takes two arguments, got None.")
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
    """The rule for `jaxsched.scale_by_plateau`; a plateau is a factor on any schedule.

    As in Keras, it cuts when as many metrics in a row as `patience` are no better, one sooner than PyTorch;
    the first metric is the best whatever it is, NaN included; and the last epoch of a cooldown counts
    again, so that a cooldown of 1 is none.

    Args:
      lr: the base rate, above 0, of which `min_lr` is made a fraction.
      monitor: the name of the metric, for `mode="auto"`; it is not looked up here.
      factor: of each cut, at least 0 and below 1.
      patience: observations without improvement at which it cuts.
      mode: "min", "max", or "auto", which is "min" for a loss.
      min_delta: the margin of an improvement, absolute, at least 0.
      cooldown: observations after a cut in which none is counted, but for the last.
      min_lr: the floor of the rate.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside of its range, or `mode` is "auto" for a metric that is no loss.

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
