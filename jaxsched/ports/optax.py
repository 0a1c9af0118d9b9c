"""The schedules of Optax, `optax.schedules`, exact where the originals compute in float32.

The step is the number of updates made so far. For an impossible length or decay rate Optax logs a message
and returns a constant, and it takes a negative `transition_begin` for 0; the ports refuse both. With a
length of 0 a port is at its end at once; Optax stays at the start.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxsched._core.fields import Number, Numbers, checked_flag, checked_number, describe, is_concrete, show
from jaxsched._core.schedule import Constant, Schedule, ScheduleLike
from jaxsched._core.transition import Transition
from jaxsched.combinators.clip import clip
from jaxsched.combinators.clocks import staircase as stairs
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import knots, warmup
from jaxsched.plateau import Averaged, Machine, Plateau, Rule
from jaxsched.ports._builders import polynomial
from jaxsched.ports._checks import checked, is_known, one_of, over, whole
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Exponential
from jaxsched.shapes.levels import Piecewise
from jaxsched.shapes.linear import Linear

INTERPOLATIONS: dict[str, type[Transition]] = {"linear": Linear, "cosine": Cosine}
"""The curves of `piecewise_interpolate_schedule`."""


def constant_schedule(value: Number) -> Schedule:
    """The same rate at every step.

    >>> from jaxsched.ports import optax
    >>> optax.constant_schedule(0.3)
    Constant(0.3)

    Args:
      value: the rate.

    Source: `constant_schedule` of Optax 0.2.8.
    """
    return Constant(value)


def polynomial_schedule(
    init_value: Number,
    end_value: Number,
    power: Number,
    transition_steps: Number,
    transition_begin: Number = 0,
) -> Schedule:
    r"""A polynomial decay, after `transition_begin` steps at its start.

    With $B$ = `transition_begin` and $T$ = `transition_steps`,

    $$f(t) = \text{end} + (\text{init} - \text{end}) (1 - p)^\text{power},
    \quad p = \min(\max(t - B, 0) / T, 1)$$

    >>> from jaxsched.ports import optax
    >>> optax.polynomial_schedule(0.3, 0.01, power=2, transition_steps=100, transition_begin=10)
    join([0.3, Polynomial(0.3, 0.01, 100, 2)], [10])

    Args:
      init_value: the first rate.
      end_value: the last rate.
      power: at least 0; 0 gives a constant.
      transition_steps: the length of the decay, at least 0.
      transition_begin: the step at which it begins, at least 0.

    Source: `polynomial_schedule` of Optax 0.2.8. Deviation: with `transition_steps=0` the rate is `end_value`
    from `transition_begin` on; in Optax it stays at `init_value`.
    """
    return _begun(init_value, polynomial(init_value, end_value, transition_steps, power), transition_begin)


def linear_schedule(
    init_value: Number, end_value: Number, transition_steps: Number, transition_begin: Number = 0
) -> Schedule:
    r"""A straight line, after `transition_begin` steps at its start.

    With $B$ = `transition_begin` and $T$ = `transition_steps`,

    $$f(t) = \text{init} + (\text{end} - \text{init}) \, p, \quad p = \min(\max(t - B, 0) / T, 1)$$

    >>> from jaxsched.ports import optax
    >>> optax.linear_schedule(0.3, 0.01, 100)
    Linear(0.3, 0.01, 100)

    Args:
      init_value: the first rate.
      end_value: the last rate.
      transition_steps: the length of the line, at least 0.
      transition_begin: the step at which it begins, at least 0.

    Source: `linear_schedule` of Optax 0.2.8. Deviation: that of `polynomial_schedule`.
    """
    return _begun(init_value, Linear(init_value, end_value, transition_steps), transition_begin)


def piecewise_constant_schedule(
    init_value: Number, boundaries_and_scales: Mapping[int, Number] | None = None
) -> Schedule:
    r"""Multiplies by a factor at each boundary.

    $$f(t) = \text{init\_value} \prod_{b \le t} \text{scale}_b$$

    >>> from jaxsched.ports import optax
    >>> optax.piecewise_constant_schedule(0.5, {100: 0.5, 200: 0.1})
    Piecewise([0.5, 0.25, 0.025], [100, 200])

    Args:
      init_value: the first rate.
      boundaries_and_scales: a dict from steps to factors, all at least 0.

    Source: `piecewise_constant_schedule` of Optax 0.2.8.
    """
    boundaries, values = _levels(init_value, boundaries_and_scales)
    return Piecewise(values, boundaries)


def exponential_decay(
    init_value: Number,
    transition_steps: Number,
    decay_rate: Number,
    transition_begin: Number = 0,
    staircase: bool = False,
    end_value: Number | None = None,
) -> Schedule:
    r"""An exponential decay: a constant factor every `transition_steps`, after `transition_begin` steps.

    With $B$ = `transition_begin` and $T$ = `transition_steps`,

    $$f(t) = \text{init\_value} \cdot \text{decay\_rate}^{\max(t - B, 0) / T}$$

    With `staircase`, the exponent is rounded down. `end_value` is a floor, or a ceiling if `decay_rate` is 1
    or more; it applies from step 0 on.

    >>> from jaxsched.ports import optax
    >>> optax.exponential_decay(0.5, 1000, 0.9, staircase=True, end_value=0.1)
    clip(staircase(Exponential(0.5, 0.9, 1000), 1000), 0.1)

    Args:
      init_value: the first rate.
      transition_steps: the number of steps per factor, above 0.
      decay_rate: the factor, above 0. It cannot be traced if `end_value` is given.
      transition_begin: the step at which the decay begins, at least 0.
      staircase: whether the rate changes in steps.
      end_value: the limit, or `None` for no limit.

    Source: `exponential_decay` of Optax 0.2.8.
    """
    decay_rate = checked_number("decay_rate", decay_rate, above=0)
    decay: Schedule = Exponential(init_value, decay_rate, transition_steps)
    if checked_flag("staircase", staircase):
        decay = stairs(decay, transition_steps)
    decay = _begun(init_value, decay, transition_begin)
    if end_value is None:
        return decay
    (end_value,) = checked(end_value=end_value)
    return clip(decay, end_value) if decay_rate < 1 else clip(decay, max_value=end_value)


def cosine_decay_schedule(
    init_value: Number, decay_steps: Number, alpha: Number = 0.0, exponent: Number = 1.0
) -> Schedule:
    r"""Half a cosine.

    $$f(t) = \text{init\_value} \left(\alpha + (1 - \alpha) \left(\tfrac12 \left(1 + \cos\left(\pi
    \min\left(\tfrac{t}{\text{decay\_steps}}, 1\right)\right)\right)\right)^\text{exponent}\right)$$

    >>> from jaxsched.ports import optax
    >>> optax.cosine_decay_schedule(0.3, 100, alpha=0.1)
    Cosine(0.3, 0.03, 100)

    Args:
      init_value: the first rate.
      decay_steps: the length of the decay, above 0.
      alpha: the last rate as a fraction of the first.
      exponent: the exponent of the cosine, at least 0; 0 gives a constant.

    Source: `cosine_decay_schedule` of Optax 0.2.8.
    """
    init_value, alpha = checked(init_value=init_value, alpha=alpha)
    decay_steps = checked_number("decay_steps", decay_steps, above=0)
    return _cosine(init_value, init_value * alpha, decay_steps, exponent)


def piecewise_interpolate_schedule(
    interpolate_type: str, init_value: Number, boundaries_and_scales: Mapping[int, Number] | None = None
) -> Schedule:
    """Straight lines or half cosines between the levels of `piecewise_constant_schedule`.

    The first level is at step 0; each later one is reached at its boundary.

    >>> from jaxsched.ports import optax
    >>> optax.piecewise_interpolate_schedule("cosine", 0.5, {100: 0.5, 200: 0.1})
    knots([0.5, 0.25, 0.025], [0, 100, 200], Cosine)

    Args:
      interpolate_type: `"linear"` or `"cosine"`.
      init_value: the first rate.
      boundaries_and_scales: a dict from steps to factors, all at least 0. Each factor multiplies the level
        before it.

    Source: `piecewise_interpolate_schedule` of Optax 0.2.8.
    """
    shape = one_of("interpolate_type", interpolate_type, INTERPOLATIONS)
    boundaries, values = _levels(init_value, boundaries_and_scales)
    return knots(values, [0, *boundaries], shape)


def linear_onecycle_schedule(
    transition_steps: int,
    peak_value: Number,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: Number = 25.0,
    final_div_factor: Number = 1e4,
) -> Schedule:
    """Straight lines up to a peak, back down to the first rate, and on to a lower one.

    The rate is `peak_value / div_factor` at step 0, `peak_value` at `int(pct_start * transition_steps)`, the
    first rate again at `int(pct_final * transition_steps)`, and that divided by `final_div_factor` at the
    end. In a very short run two of these steps may coincide; as in Optax, the later knot then replaces the
    earlier.

    >>> from jaxsched.ports import optax
    >>> optax.linear_onecycle_schedule(100, 1.0, div_factor=4, final_div_factor=10)
    knots([0.25, 1, 0.25, 0.025], [0, 30, 85, 100])

    Args:
      transition_steps: the length of the run, above 0.
      peak_value: the highest rate.
      pct_start: the fraction of the run at which the peak is reached.
      pct_final: the fraction of the run at which the first rate is reached again.
      div_factor: the peak divided by the first rate, above 0.
      final_div_factor: the first rate divided by the last, above 0.

    Source: `linear_onecycle_schedule` of Optax 0.2.8.
    """
    (peak_value,) = checked(peak_value=peak_value)
    first = checked_number("div_factor", div_factor, above=0)
    last = checked_number("final_div_factor", final_div_factor, above=0)
    steps = {
        _part("pct_start", pct_start, transition_steps): first,
        _part("pct_final", pct_final, transition_steps): over(1.0, "div_factor", first),
        transition_steps: over(1.0, "final_div_factor", last),
    }
    return piecewise_interpolate_schedule("linear", over(peak_value, "div_factor", first), steps)


def cosine_onecycle_schedule(
    transition_steps: int,
    peak_value: Number,
    pct_start: float = 0.3,
    div_factor: Number = 25.0,
    final_div_factor: Number = 1e4,
) -> Schedule:
    """Half a cosine up to a peak, and half a cosine down to below the first rate.

    The rate is `peak_value / div_factor` at step 0, `peak_value` at `int(pct_start * transition_steps)`, and
    `peak_value / (div_factor * final_div_factor)` at the end.

    >>> from jaxsched.ports import optax
    >>> optax.cosine_onecycle_schedule(100, 1.0, div_factor=4, final_div_factor=10)
    knots([0.25, 1, 0.025], [0, 30, 100], Cosine)

    Args:
      transition_steps: the length of the run, above 0.
      peak_value: the highest rate.
      pct_start: the fraction of the run at which the peak is reached.
      div_factor: the peak divided by the first rate, above 0.
      final_div_factor: the first rate divided by the last, above 0.

    Source: `cosine_onecycle_schedule` of Optax 0.2.8.
    """
    (peak_value,) = checked(peak_value=peak_value)
    first = checked_number("div_factor", div_factor, above=0)
    last = checked_number("final_div_factor", final_div_factor, above=0)
    steps = {
        _part("pct_start", pct_start, transition_steps): first,
        transition_steps: over(1.0, "div_factor * final_div_factor", first * last),
    }
    return piecewise_interpolate_schedule("cosine", over(peak_value, "div_factor", first), steps)


def warmup_constant_schedule(init_value: Number, peak_value: Number, warmup_steps: Number) -> Schedule:
    """A linear warmup to a constant rate.

    >>> from jaxsched.ports import optax
    >>> optax.warmup_constant_schedule(0.0, 0.3, 5)
    warmup(0.3, 5)

    Args:
      init_value: the first rate.
      peak_value: the rate from `warmup_steps` on.
      warmup_steps: the length of the warmup, at least 0.

    Source: `warmup_constant_schedule` of Optax 0.2.8. Deviation: with `warmup_steps=0` the rate is
    `peak_value`; in Optax it stays at `init_value`.
    """
    init_value, peak_value = checked(init_value=init_value, peak_value=peak_value)
    return warmup(peak_value, warmup_steps, init_value)


def warmup_cosine_decay_schedule(
    init_value: Number,
    peak_value: Number,
    warmup_steps: Number,
    decay_steps: Number,
    end_value: Number = 0.0,
    exponent: Number = 1.0,
) -> Schedule:
    r"""A linear warmup, then half a cosine to the end of the run.

    With $W$ = `warmup_steps` and $T$ = `decay_steps`,

    $$f(t) = \begin{cases}
    \text{init} + (\text{peak} - \text{init}) \, t / W & t < W \\
    \text{end} + (\text{peak} - \text{end}) \left(\tfrac12 \left(1 + \cos\left(\pi
    \min\left(\tfrac{t - W}{T - W}, 1\right)\right)\right)\right)^\text{exponent} & t \ge W
    \end{cases}$$

    >>> from jaxsched.ports import optax
    >>> optax.warmup_cosine_decay_schedule(0.0, 0.3, 5, 20, end_value=0.01)
    warmup(Cosine(0.3, 0.01, 15), 5)

    Args:
      init_value: the first rate.
      peak_value: the rate at `warmup_steps`. If it is 0, so is the last rate.
      warmup_steps: the length of the warmup, at least 0.
      decay_steps: the length of the run, warmup included, above `warmup_steps`.
      end_value: the last rate.
      exponent: the exponent of the cosine, at least 0; 0 gives a constant.

    Source: `warmup_cosine_decay_schedule` of Optax 0.2.8.
    """
    init_value, peak_value, end_value, decay_steps = checked(
        init_value=init_value, peak_value=peak_value, end_value=end_value, decay_steps=decay_steps
    )
    warmup_steps = checked_number("warmup_steps", warmup_steps, at_least=0)
    if is_concrete(decay_steps, warmup_steps) and decay_steps <= warmup_steps:
        raise ValueError(
            f"`decay_steps` must be above `warmup_steps` ({show(warmup_steps)}), got {show(decay_steps)}."
        )
    end_value = 0.0 if is_known(peak_value, 0) else end_value
    decay = _cosine(peak_value, end_value, decay_steps - warmup_steps, exponent)
    return warmup(decay, warmup_steps, init_value)


def warmup_exponential_decay_schedule(
    init_value: Number,
    peak_value: Number,
    warmup_steps: Number,
    transition_steps: Number,
    decay_rate: Number,
    transition_begin: Number = 0,
    staircase: bool = False,
    end_value: Number | None = None,
) -> Schedule:
    """A linear warmup to `peak_value`, then `exponential_decay` on its own clock.

    >>> from jaxsched.ports import optax
    >>> optax.warmup_exponential_decay_schedule(0.0, 0.3, 5, 1000, 0.9)
    join([Linear(0, 0.3, 5), Exponential(0.3, 0.9, 1000)], [5])

    Args:
      init_value: the first rate.
      peak_value: the rate after the warmup.
      warmup_steps: the length of the warmup, at least 0.
      transition_steps: see `exponential_decay`; does not include the warmup.
      decay_rate: see `exponential_decay`.
      transition_begin: the number of steps at the peak before the decay, at least 0.
      staircase: see `exponential_decay`.
      end_value: the limit of the decay; the warmup is not limited.

    Source: `warmup_exponential_decay_schedule` of Optax 0.2.8.
    """
    init_value, peak_value = checked(init_value=init_value, peak_value=peak_value)
    warmup_steps = checked_number("warmup_steps", warmup_steps, at_least=0)
    decay = exponential_decay(
        peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value
    )
    return join([Linear(init_value, peak_value, warmup_steps), decay], [warmup_steps])


def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Schedule:
    """One `warmup_cosine_decay_schedule` after another, each over its own `decay_steps`.

    >>> from jaxsched.ports import optax
    >>> cycle = {"init_value": 0.0, "peak_value": 0.3, "warmup_steps": 5, "decay_steps": 20}
    >>> optax.sgdr_schedule([cycle, cycle | {"peak_value": 0.1}])
    join([warmup(Cosine(0.3, 0, 15), 5), warmup(Cosine(0.1, 0, 15), 5)], [20])

    Args:
      cosine_kwargs: the keyword arguments of each cycle, at least one.

    Source: `sgdr_schedule` of Optax 0.2.8.
    """
    if not isinstance(cosine_kwargs, Iterable):
        raise TypeError(
            f"`cosine_kwargs` must be a list of dicts of keyword arguments, got {describe(cosine_kwargs)}."
        )
    cycles = list(cosine_kwargs)
    for i, cycle in enumerate(cycles):
        if not isinstance(cycle, Mapping):
            raise TypeError(
                f"`cosine_kwargs[{i}]` must be a dict of keyword arguments, got {describe(cycle)}."
            )
    schedules = [warmup_cosine_decay_schedule(**cycle) for cycle in cycles]
    ends = itertools.accumulate(cycle["decay_steps"] for cycle in cycles[:-1])
    return join(schedules, list(ends))


def join_schedules(schedules: Sequence[ScheduleLike], boundaries: Numbers) -> Schedule:
    """One schedule after another, each on its own clock; a boundary is the first step of the next one.

    >>> from jaxsched.ports import optax
    >>> optax.join_schedules([optax.constant_schedule(0.1), optax.linear_schedule(0.3, 0.0, 10)], [5])
    join([0.1, Linear(0.3, 0, 10)], [5])

    Args:
      schedules: at least one schedule or callable.
      boundaries: the steps at which the others begin, sorted and at least 0, one fewer than the schedules.

    Source: `join_schedules` of Optax 0.2.8.
    """
    return join(schedules, boundaries)


def _begun(init_value: Number, schedule: Schedule, transition_begin: Number) -> Schedule:
    """The schedule after `transition_begin` steps at `init_value`."""
    begin = checked_number("transition_begin", transition_begin, at_least=0)
    return schedule if is_known(begin, 0) else join([init_value, schedule], [begin])


def _cosine(init_value: Number, end_value: Number, steps: Number, exponent: Number) -> Schedule:
    """`Cosine`, or a constant if the exponent is 0, since `0 ** 0` is 1."""
    power = checked_number("exponent", exponent, at_least=0, at_most=1e6)
    return Constant(init_value) if is_known(power, 0) else Cosine(init_value, end_value, steps, power)


def _part(name: str, fraction: float, steps: Number) -> int:
    """The step at a fraction of the run."""
    steps = whole("transition_steps", steps, above=0)
    return int(checked_number(name, fraction, at_least=0) * steps)


def _levels(init_value: Number, factors: Mapping[int, Number] | None) -> tuple[list[Any], list[Any]]:
    """The sorted boundaries, and the levels between them: the running products of the factors."""
    name, factors = "boundaries_and_scales", {} if factors is None else factors
    if not isinstance(factors, Mapping):
        raise TypeError(f"`{name}` must be a dict from steps to factors, got {describe(factors)}.")
    boundaries, values = [], [checked_number("init_value", init_value)]
    for step in sorted(factors, key=lambda step: checked_number(f"{name} (a step)", step, at_least=0)):
        boundaries.append(float(step))
        values.append(values[-1] * checked_number(f"{name}[{step!r}]", factors[step], at_least=0))
    return boundaries, values


def reduce_on_plateau(
    factor: Number = 0.1,
    patience: Number = 10,
    rtol: Number = 1e-4,
    atol: Number = 0.0,
    cooldown: Number = 0,
    accumulation_size: int = 1,
    min_scale: Number = 0.0,
) -> Rule:
    """A rule for `jaxsched.scale_by_plateau`, which scales any schedule when a metric stops improving.

    As in Optax, it cuts after `patience` metrics in a row without improvement, one sooner than PyTorch. The
    relative margin is a fraction of the best metric itself, not of its absolute value. A `patience` of 0 is
    refused: the original then cuts only after improvements.

    Args:
      factor: the factor of each cut, at least 0 and below 1.
      patience: the number of observations without improvement before a cut, at least 1.
      rtol: the relative margin of an improvement, at least 0.
      atol: the absolute margin of an improvement, at least 0.
      cooldown: the number of observations after a cut that do not count as bad.
      accumulation_size: the number of metrics averaged into one observation, at least 1.
      min_scale: the smallest scale.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside its range.

    Source: `optax.contrib.reduce_on_plateau` of Optax 0.2.8.
    """
    rule = Plateau(
        factor,
        whole("patience", patience, at_least=1),
        rtol,
        atol,
        cooldown,
        min_scale,
        machine=Machine(signed_margin=True, infinities=True, trigger="equal"),
    )
    size = whole("accumulation_size", accumulation_size, at_least=1)
    return rule if is_concrete(size) and size == 1 else Averaged(rule, size)
