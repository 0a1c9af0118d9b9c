"""Well-known schedules, as compositions. Each prints as the expression that it expands to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jaxsched._core.fields import Number, as_numbers, checked_flag, checked_number, is_concrete
from jaxsched._core.schedule import Schedule
from jaxsched._core.transition import EasingLike
from jaxsched.combinators.clocks import shift, staircase
from jaxsched.combinators.cycle import cycle
from jaxsched.combinators.ramps import cooldown, knots, warmup
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Exponential
from jaxsched.shapes.levels import Piecewise
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.rational import InversePower


def step_decay(init_value: Number, decay_rate: Number, transition_steps: Number) -> Schedule:
    r"""Multiplies by `decay_rate` every `transition_steps`.

    $$f(t) = \text{init\_value} \cdot \text{decay\_rate}^{\lfloor t / \text{transition\_steps} \rfloor}$$

    | step                       | 0   | 9   | 10   | 11   |
    |----------------------------|-----|-----|------|------|
    | `step_decay(0.3, 0.5, 10)` | 0.3 | 0.3 | 0.15 | 0.15 |

    >>> import jaxsched as js
    >>> js.step_decay(0.1, 0.5, 30)
    staircase(Exponential(0.1, 0.5, 30), 30)

    Args:
      init_value: the first rate.
      decay_rate: the factor of each cut, at least 0.
      transition_steps: the steps between two cuts, above 0.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is not finite or out of range.

    Source: `StepLR` of PyTorch, `exponential_decay(staircase=True)` of Optax.
    """
    return staircase(Exponential(init_value, decay_rate, transition_steps), transition_steps)


def multi_step(init_value: Number, decay_rate: Number, boundaries: Sequence[float]) -> Schedule:
    r"""Multiplies by `decay_rate` at each boundary.

    $$f(t) = \text{init\_value} \cdot \text{decay\_rate}^{\#\{b \in \text{boundaries}:\ b \le t\}}$$

    | step                             | 0   | 29  | 30   | 31   |
    |----------------------------------|-----|-----|------|------|
    | `multi_step(0.3, 0.1, [30, 60])` | 0.3 | 0.3 | 0.03 | 0.03 |

    >>> import jaxsched as js
    >>> js.multi_step(0.1, 0.5, [30, 60])
    Piecewise([0.1, 0.05, 0.025], [30, 60])

    Args:
      init_value: the first rate.
      decay_rate: the factor of each cut.
      boundaries: the steps of the cuts, sorted; one listed twice cuts twice.

    Raises:
      TypeError: an argument is not a number, or `boundaries` is not a list of numbers.
      ValueError: a number or a rate is not finite, or a boundary is negative or below the previous one.

    Source: `MultiStepLR` of PyTorch.
    """
    init_value, decay_rate = _numbers(init_value=init_value, decay_rate=decay_rate)
    cuts = len(as_numbers("boundaries", boundaries))

    def level(cut: int) -> Any:
        try:
            value = init_value * decay_rate**cut
        except OverflowError:
            value = math.inf
        return checked_number(f"init_value * decay_rate ** {cut}", value)

    return Piecewise([level(cut) for cut in range(cuts + 1)], boundaries)


def warmup_cosine(
    peak_value: Number,
    total_steps: Number,
    warmup_steps: Number,
    init_value: Number = 0.0,
    end_value: Number = 0.0,
) -> Schedule:
    r"""A linear warmup, then a half cosine to the end of the run.

    With $W$ = `warmup_steps` and $T$ = `total_steps`,

    $$f(t) = \begin{cases}
    \text{init} + (\text{peak} - \text{init}) \, t / W & t < W \\
    \text{end} + (\text{peak} - \text{end}) \, \tfrac12 (1 + \cos(\pi (t - W) / (T - W))) & W \le t < T \\
    \text{end} & t \ge T
    \end{cases}$$

    | step                                        | 0 | 29      | 30   | 31   |
    |---------------------------------------------|---|---------|------|------|
    | `warmup_cosine(0.3, 30, 5, end_value=0.01)` | 0 | 0.01114 | 0.01 | 0.01 |

    >>> import jaxsched as js
    >>> js.warmup_cosine(0.3, 30, 5, end_value=0.01)
    warmup(Cosine(0.3, 0.01, 25), 5)

    Args:
      peak_value: the rate at step `warmup_steps`.
      total_steps: the length of the run, warmup included.
      warmup_steps: the length of the warmup, at most `total_steps`.
      init_value: the first rate.
      end_value: the last rate.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is not finite or out of range.

    Source: Loshchilov and Hutter, *SGDR*, arXiv:1608.03983; Goyal et al., *Accurate, Large Minibatch SGD*,
    arXiv:1706.02677.
    """
    peak_value = checked_number("peak_value", peak_value)
    total_steps = checked_number("total_steps", total_steps, at_least=0)
    warmup_steps = _steps_of("warmup_steps", warmup_steps, total_steps)
    return warmup(Cosine(peak_value, end_value, total_steps - warmup_steps), warmup_steps, init_value)


def warmup_stable_decay(
    peak_value: Number,
    total_steps: Number,
    warmup_steps: Number,
    cooldown_steps: Number,
    init_value: Number = 0.0,
    end_value: Number = 0.0,
    shape: EasingLike = Linear,
) -> Schedule:
    r"""A linear warmup, a constant rate, and a cooldown over the last steps of the run.

    With $W$, $C$ and $T$ the warmup, cooldown and total steps, and $w$ the weight of the start of `shape`,

    $$f(t) = \begin{cases}
    \text{init} + (\text{peak} - \text{init}) \, t / W & t < W \\
    \text{peak} & W \le t < T - C \\
    \text{end} + (\text{peak} - \text{end}) \, w((t - T + C) / C) & T - C \le t < T \\
    \text{end} & t \ge T
    \end{cases}$$

    | step                                       | 0 | 999    | 1000 | 1001 |
    |--------------------------------------------|---|--------|------|------|
    | `warmup_stable_decay(0.3, 1000, 100, 200)` | 0 | 0.0015 | 0    | 0    |

    >>> import jaxsched as js
    >>> js.warmup_stable_decay(0.3, 1000, 100, 200, shape=js.OneMinusSqrt)
    cooldown(warmup(0.3, 100), 800, 200, shape=OneMinusSqrt)

    Args:
      peak_value: the constant rate.
      total_steps: the length of the run.
      warmup_steps: the length of the warmup, at most `total_steps - cooldown_steps`.
      cooldown_steps: the length of the cooldown, at most `total_steps`. Its start is a leaf, so you can move
        it without another trace.
      init_value: the first rate.
      end_value: the last rate.
      shape: the shape of the cooldown: `Linear`, `Cosine`, `OneMinusSqrt` or any other transition.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is not finite or out of range, or `shape` refuses its ends.

    Source: Hu et al., *MiniCPM*, arXiv:2404.06395; the tails, Hägele et al., *Scaling Laws and
    Compute-Optimal Training Beyond Fixed Training Durations*, arXiv:2405.18392.
    """
    peak_value = checked_number("peak_value", peak_value)
    total_steps = checked_number("total_steps", total_steps, at_least=0)
    cooldown_steps = _steps_of("cooldown_steps", cooldown_steps, total_steps)
    start_step = total_steps - cooldown_steps
    warmup_steps = _steps_of("warmup_steps", warmup_steps, start_step)
    return cooldown(
        warmup(peak_value, warmup_steps, init_value), start_step, cooldown_steps, end_value, shape
    )


def one_cycle(
    init_value: Number,
    peak_value: Number,
    end_value: Number,
    total_steps: Number,
    peak_fraction: Number = 0.3,
    shape: EasingLike = Cosine,
    *,
    three_phases: bool = False,
) -> Schedule:
    r"""Rises to a peak and falls again over one run, usually to below the first rate.

    With $T$ = `total_steps`, $P$ = `peak_fraction` times $T$ and $w$ the weight of the start of `shape`,

    $$f(t) = \begin{cases}
    \text{peak} + (\text{init} - \text{peak}) \, w(t / P) & t < P \\
    \text{end} + (\text{peak} - \text{end}) \, w((t - P) / (T - P)) & P \le t < T \\
    \text{end} & t \ge T
    \end{cases}$$

    With three phases the rate falls to `init_value` from step $P$ to $2 P$, and from there to `end_value`.

    | step                            | 0    | 99        | 100   | 101   |
    |---------------------------------|------|-----------|-------|-------|
    | `one_cycle(0.04, 1, 4e-6, 100)` | 0.04 | 0.0005075 | 4e-06 | 4e-06 |

    >>> import jaxsched as js
    >>> js.one_cycle(0.04, 1.0, 4e-6, 100)
    knots([0.04, 1, 4e-06], [0, 30, 100], Cosine)

    Args:
      init_value: the first rate; `peak_value / 25` is common.
      peak_value: the highest rate.
      end_value: the last rate; `init_value / 10_000` is common.
      total_steps: the length of the run.
      peak_fraction: the fraction of the run before the peak, from 0 to 1; with three phases at most 0.5.
      shape: `Cosine`, `Linear` or any other transition.
      three_phases: whether the rate first falls back to `init_value`, in as many steps as it rose.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is not finite or out of range, or `shape` refuses its ends.

    Source: Smith and Topin, *Super-Convergence*, arXiv:1708.07120; `OneCycleLR` of PyTorch, whose last
    knot is at `total_steps - 1`.
    """
    first, highest, last = _numbers(init_value=init_value, peak_value=peak_value, end_value=end_value)
    return _up_and_down(first, highest, last, total_steps, peak_fraction, shape, three_phases)


def one_cycle_momentum(
    init_value: Number,
    trough_value: Number,
    total_steps: Number,
    peak_fraction: Number = 0.3,
    shape: EasingLike = Cosine,
    *,
    three_phases: bool = False,
) -> Schedule:
    r"""The momentum for `one_cycle`: it falls while the rate rises, and rises again.

    With $T$ = `total_steps`, $P$ = `peak_fraction` times $T$ and $w$ the weight of the start of `shape`,

    $$f(t) = \begin{cases}
    \text{trough} + (\text{init} - \text{trough}) \, w(t / P) & t < P \\
    \text{init} + (\text{trough} - \text{init}) \, w((t - P) / (T - P)) & P \le t < T \\
    \text{init} & t \ge T
    \end{cases}$$

    With three phases the momentum is back at `init_value` at step $2 P$, and stays there.

    | step                                  | 0    | 99     | 100  | 101  |
    |---------------------------------------|------|--------|------|------|
    | `one_cycle_momentum(0.95, 0.85, 100)` | 0.95 | 0.9499 | 0.95 | 0.95 |

    >>> import jaxsched as js
    >>> js.one_cycle_momentum(0.95, 0.85, 100)
    knots([0.95, 0.85, 0.95], [0, 30, 100], Cosine)

    Args:
      init_value: the first and the last momentum.
      trough_value: the momentum at the peak of the rate.
      total_steps: the length of the run.
      peak_fraction: as in `one_cycle`.
      shape: as in `one_cycle`.
      three_phases: as in `one_cycle`.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is not finite or out of range, or `shape` refuses its ends.

    Source: Smith, *A disciplined approach to neural network hyper-parameters*, arXiv:1803.09820.
    """
    first, lowest = _numbers(init_value=init_value, trough_value=trough_value)
    return _up_and_down(first, lowest, first, total_steps, peak_fraction, shape, three_phases)


def _up_and_down(
    init_value: Number,
    peak_value: Number,
    end_value: Number,
    total_steps: Number,
    peak_fraction: Number,
    shape: EasingLike,
    three_phases: bool,
) -> Schedule:
    most = 0.5 if checked_flag("three_phases", three_phases) else 1.0
    peak_fraction = checked_number("peak_fraction", peak_fraction, at_least=0, at_most=most)
    total_steps = checked_number("total_steps", total_steps, at_least=0)
    peak = peak_fraction * total_steps
    if three_phases:
        return knots([init_value, peak_value, init_value, end_value], [0, peak, 2 * peak, total_steps], shape)
    return knots([init_value, peak_value, end_value], [0, peak, total_steps], shape)


def cyclic(
    init_value: Number,
    peak_value: Number,
    rise_steps: Number,
    fall_steps: Number | None = None,
    *,
    value_factor: Number = 1.0,
    decay_rate: Number | None = None,
) -> Schedule:
    r"""An endless triangle wave between two rates.

    With $P$ = `rise_steps + fall_steps`, $k = \lfloor t / P \rfloor$ and $h$ a triangle that rises
    from 0 to 1 and falls back to 0,

    $$f(t) = \text{init} + (\text{peak} - \text{init}) \, h(t - k P) \, \text{value\_factor}^k \,
    \text{decay\_rate}^t$$

    The default is PyTorch's mode `triangular`; `value_factor=0.5` is `triangular2`, and `decay_rate=gamma` is
    `exp_range`.

    | step                                     | 0   | 9    | 10  | 11   |
    |------------------------------------------|-----|------|-----|------|
    | `cyclic(0.1, 0.3, 10, value_factor=0.5)` | 0.1 | 0.28 | 0.3 | 0.28 |

    >>> import jaxsched as js
    >>> triangles = js.cyclic(0.1, 0.3, 10, value_factor=0.5)
    >>> float(triangles(10)), float(triangles(30))
    (0.30000001192092896, 0.20000000298023224)

    Args:
      init_value: the rate at which every triangle starts and ends.
      peak_value: the rate at its peak.
      rise_steps: the steps from start to peak, at least 0.
      fall_steps: the steps from peak to end, at least 0; by default `rise_steps`.
      value_factor: the ratio of a triangle's height to the one before, above 0.
      decay_rate: the factor of the height per step, above 0; by default none.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is not finite or out of range, or `rise_steps` and `fall_steps` are both 0.

    Source: Smith, *Cyclical Learning Rates for Training Neural Networks*, arXiv:1506.01186.
    """
    rise_steps = checked_number("rise_steps", rise_steps, at_least=0)
    fall_steps = rise_steps if fall_steps is None else checked_number("fall_steps", fall_steps, at_least=0)
    init_value, peak_value = _numbers(init_value=init_value, peak_value=peak_value)
    period = checked_number("rise_steps + fall_steps", rise_steps + fall_steps)
    if is_concrete(period) and not period > 0:
        raise ValueError("`rise_steps` or `fall_steps` must be above 0, got 0 for both.")
    triangle = knots([0.0, 1.0, 0.0], [0, rise_steps, period])
    rise = checked_number("peak_value - init_value", peak_value - init_value)
    height = rise * cycle(triangle, period, value_factor=value_factor)
    return init_value + (height if decay_rate is None else height * Exponential(1.0, decay_rate))


def cyclic_momentum(
    init_value: Number,
    trough_value: Number,
    rise_steps: Number,
    fall_steps: Number | None = None,
    *,
    value_factor: Number = 1.0,
    decay_rate: Number | None = None,
) -> Schedule:
    r"""The momentum for `cyclic`: it falls while the rate rises, and rises again.

    With $P$, $k$ and $h$ as in `cyclic`,

    $$f(t) = \text{init} + (\text{trough} - \text{init}) \, h(t - k P) \, \text{value\_factor}^k \,
    \text{decay\_rate}^t$$

    | step                            | 0   | 9    | 10  | 11   |
    |---------------------------------|-----|------|-----|------|
    | `cyclic_momentum(0.9, 0.8, 10)` | 0.9 | 0.81 | 0.8 | 0.81 |

    >>> import jaxsched as js
    >>> js.cyclic_momentum(0.9, 0.8, 10)(10)
    Array(0.8, dtype=float32)

    Args:
      init_value: the momentum at which every triangle starts and ends; 0.9 is common.
      trough_value: the momentum at the peak of the rate; 0.8 is common.
      rise_steps: the steps in which the rate rises and the momentum falls, at least 0.
      fall_steps: the steps in which the rate falls and the momentum rises, at least 0; by default
        `rise_steps`.
      value_factor: as in `cyclic`.
      decay_rate: as in `cyclic`.

    Raises:
      TypeError: an argument is not a number.
      ValueError: as in `cyclic`.

    Source: `CyclicLR` of PyTorch.
    """
    trough_value = checked_number("trough_value", trough_value)
    return cyclic(
        init_value, trough_value, rise_steps, fall_steps, value_factor=value_factor, decay_rate=decay_rate
    )


def warm_restarts(
    peak_value: Number,
    end_value: Number,
    cycle_steps: Number,
    length_factor: Number = 1,
    value_factor: Number = 1.0,
    cycles: int | None = None,
) -> Schedule:
    r"""Cosine annealing with warm restarts.

    Each cycle is `length_factor` times as long as the one before. After a fraction $p$ of cycle $k$, with
    $w = \tfrac12 (1 + \cos \pi p)$,

    $$f = \text{peak} \cdot \text{value\_factor}^k \, w + \text{end} \, (1 - w)$$

    | step                                   | 0   | 9      | 10   | 11     |
    |----------------------------------------|-----|--------|------|--------|
    | `warm_restarts(0.3, 0.01, 10, 2, 0.8)` | 0.3 | 0.0171 | 0.24 | 0.2386 |

    >>> import jaxsched as js
    >>> js.warm_restarts(0.3, 0.01, 10, 2, 0.8)
    cycle(Cosine(0.3, 0, 10), 10, 2, 0.8) + cycle(Cosine(0, 0.01, 10), 10, 2)

    Args:
      peak_value: the rate at step 0.
      end_value: the rate at which each cycle ends.
      cycle_steps: the length of the first cycle, above 0.
      length_factor: the ratio of a cycle's length to the one before, above 0; below 1 it needs `cycles`.
      value_factor: the ratio of a peak to the one before, above 0.
      cycles: the number of cycles, after which the rate is constant; by default they are endless.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is not finite or out of range, `cycles` is not a whole number, or it is `None`
        and `length_factor` is below 1.

    Source: Loshchilov and Hutter, *SGDR*, arXiv:1608.03983; the decaying peak, timm's `CosineLRScheduler`.
    """
    peak_value = checked_number("peak_value", peak_value)
    cycle_steps = checked_number("cycle_steps", cycle_steps, above=0)
    down = cycle(Cosine(peak_value, 0.0, cycle_steps), cycle_steps, length_factor, value_factor, cycles)
    return down + cycle(Cosine(0.0, end_value, cycle_steps), cycle_steps, length_factor, cycles=cycles)


def inverse_sqrt(
    peak_value: Number, warmup_steps: Number, init_value: Number = 0.0, timescale: Number | None = None
) -> Schedule:
    r"""A linear warmup, then endless decay by the inverse square root of the step.

    With $W$ = `warmup_steps` and $\tau$ = `timescale`, for $t \ge W$

    $$f(t) = \text{peak\_value} \, \left(1 + \frac{t - W}{\tau}\right)^{-1/2}$$

    With the default $\tau = W$ this is `peak_value * sqrt(W / t)`.

    | step                     | 0 | 99    | 100 | 101    |
    |--------------------------|---|-------|-----|--------|
    | `inverse_sqrt(0.1, 100)` | 0 | 0.099 | 0.1 | 0.0995 |

    >>> import jaxsched as js
    >>> js.inverse_sqrt(0.1, 100)
    warmup(InversePower(0.1, 100, 0.5), 100)

    Args:
      peak_value: the rate at step `warmup_steps`.
      warmup_steps: the length of the warmup, above 0 without `timescale`.
      init_value: the first rate.
      timescale: the steps in which the rate falls to 0.71 of its peak; by default `warmup_steps`.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is not finite or out of range.

    Source: Vaswani et al., *Attention Is All You Need*, arXiv:1706.03762, in the form of Raffel et al., *T5*,
    arXiv:1910.10683.
    """
    peak_value = checked_number("peak_value", peak_value)
    if timescale is None:
        timescale = warmup_steps = checked_number("warmup_steps", warmup_steps, above=0)
    return warmup(InversePower(peak_value, timescale, 0.5), warmup_steps, init_value)


def noam(model_size: Number, warmup_steps: Number, scale: Number = 1.0) -> Schedule:
    r"""The rate of the first Transformer; the paper counts its updates from 1.

    $$f(t) = \text{scale} \cdot \text{model\_size}^{-1/2} \min\left((t + 1)^{-1/2},\
    (t + 1) \, \text{warmup\_steps}^{-3/2}\right)$$

    | step              | 0         | 3999      | 4000      | 4001      |
    |-------------------|-----------|-----------|-----------|-----------|
    | `noam(512, 4000)` | 1.747e-07 | 0.0006988 | 0.0006987 | 0.0006986 |

    >>> import jaxsched as js
    >>> js.noam(512, 4000)(3999)
    Array(0.00069877, dtype=float32)

    Args:
      model_size: the width of the model, above 0.
      warmup_steps: the length of the warmup, above 0.
      scale: a factor on the rate.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is not finite or out of range.

    Source: Vaswani et al., *Attention Is All You Need*, arXiv:1706.03762, section 5.3.
    """
    scale = checked_number("scale", scale)
    model_size = checked_number("model_size", model_size, above=0)
    warmup_steps = checked_number("warmup_steps", warmup_steps, above=0)
    product = checked_number("model_size * warmup_steps", 1.0 * model_size * warmup_steps, above=0)
    peak_value = checked_number("scale * (model_size * warmup_steps) ** -0.5", scale * product**-0.5)
    return shift(inverse_sqrt(peak_value, warmup_steps), -1)


def _numbers(**values: Number) -> list[Any]:
    """Checks the arguments of a preset under their own names, before a part renames them."""
    return [checked_number(name, value) for name, value in values.items()]


def _steps_of(name: str, steps: Number, total_steps: Number) -> Any:
    """Checks the length of a part of a run; it is at most that of the run."""
    if is_concrete(total_steps):
        return checked_number(name, steps, at_least=0, at_most=float(total_steps))
    return checked_number(name, steps, at_least=0)
