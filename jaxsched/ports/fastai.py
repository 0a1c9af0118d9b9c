# ruff: noqa: D417, N802 - the module describes the arguments in common; the names are those of the originals.
r"""The schedules of fastai, `fastai.callback.schedule`.

In fastai a schedule is a function of the position, the fraction of training completed. `Sched...` and
`combine...` take `total_steps`, the number of updates in the training, and give a function of the step, which
counts them from 0. Without it, they give a function of the position: a schedule over 1 step, for
`combine_scheds`.

The ports of the methods of a `Learner` take the length of an epoch, `batches_per_epoch`, by name. They have
these arguments in common:

- `n_epoch`: a whole number of at least 1.
- `lr_max` or `lr`: the highest rate, 0.001 by default, as for a `Learner`. For a list with a rate for each
  parameter group, the result is a list of schedules for `jaxsched.param_labels`.
- `start_epoch`: must be 0. To resume, call the schedule with the step of the whole run.
- `wd`, `cbs` and `reset_opt` do not change the schedule, and may have any value.

Deviations: fastai rounds the position to float32. Its rates are off by a few millionths of the highest; the
ports' are not. But if this rounding makes a part of `combine_scheds` begin a batch late, as in `fit_sgdr`,
the port does the same if the arguments are concrete.

>>> from jaxsched.ports import fastai
>>> fastai.combine_scheds([0.3, 0.7], [fastai.SchedNo(0.1, 0.1), fastai.SchedExp(0.1, 0.001)], total_steps=10)
join([0.1, stretch(Exponential(0.1, 0.01), 7)], [3])
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxsched._core.fields import Number, Numbers, as_numbers, brief, checked_number, is_concrete, show
from jaxsched._core.schedule import Constant, Schedule, ScheduleLike, as_schedules
from jaxsched.combinators.cycle import reflect
from jaxsched.combinators.join import join
from jaxsched.ports._builders import delayed, each_group, endless, joined, stretched
from jaxsched.ports._checks import MOST_PARTS, checked, is_known, larger, not_modelled, over, whole
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Exponential, Geometric

LEARNER_LR = 0.001
MOMENTA = (0.95, 0.85, 0.95)
"""The rate and the momenta of a `Learner` that was not given any."""


def SchedNo(start: Number, end: Number, *, total_steps: Number | None = None) -> Schedule:
    """The constant `start`.

    Args:
      start: the rate.
      end: no effect.
      total_steps: no effect.

    Source: `SchedNo` of fastai 2.8.12.
    """
    _steps(total_steps)
    start, _ = checked(start=start, end=end)
    return Constant(start)


def SchedLin(start: Number, end: Number, *, total_steps: Number | None = None) -> Schedule:
    r"""$\text{start} + (\text{end} - \text{start}) \, t / \text{total\_steps}$, a straight line.

    >>> from jaxsched.ports import fastai
    >>> [float(fastai.SchedLin(1.0, 0.0, total_steps=4)(step)) for step in (0, 1, 4, 6)]
    [1.0, 0.75, 0.0, -0.5]

    Args:
      start: the rate at step 0.
      end: the rate at step `total_steps`. The line goes on after it.
      total_steps: the updates in the training, above 0; see the module.

    Source: `SchedLin` of fastai 2.8.12.
    """
    start, end = checked(start=start, end=end)
    return endless(start, end, _steps(total_steps))


def SchedCos(start: Number, end: Number, *, total_steps: Number | None = None) -> Schedule:
    r"""Half a cosine, which goes on past its end.

    $$f(t) = \text{start} + (\text{end} - \text{start}) \, \tfrac12
    \left(1 - \cos\left(\pi \, t / \text{total\_steps}\right)\right)$$

    >>> from jaxsched.ports import fastai
    >>> fastai.SchedCos(0.1, 0.01, total_steps=100)
    reflect(Cosine(0.1, 0.01, 100), 200)

    Args:
      start: the rate at step 0.
      end: the rate at step `total_steps`. After it the rate goes back to `start`, and so on.
      total_steps: the updates in the training, above 0; see the module.

    Source: `SchedCos` of fastai 2.8.12.
    """
    start, end = checked(start=start, end=end)
    return _cosine(start, end, _steps(total_steps))


def SchedExp(start: Number, end: Number, *, total_steps: Number | None = None) -> Schedule:
    r"""$\text{start} \cdot (\text{end} / \text{start})^{t / \text{total\_steps}}$, also past its end.

    >>> from jaxsched.ports import fastai
    >>> fastai.SchedExp(0.1, 0.001, total_steps=100)
    Exponential(0.1, 0.01, 100)

    Args:
      start: the rate at step 0, not 0.
      end: the rate at step `total_steps`, with the sign of `start`, or 0.
      total_steps: the updates in the training, above 0; see the module.

    Source: `SchedExp` of fastai 2.8.12.
    """
    start, end = checked(start=start, end=end)
    if is_known(start, 0):
        raise ValueError(f"`start` must not be 0 on an exponential path, got {show(start)}.")
    if is_concrete(start, end) and end / start < 0:
        raise ValueError(f"`end` must have the sign of `start` ({show(start)}), got {show(end)}.")
    growth, steps = over(end, "start", start), _steps(total_steps)
    if is_concrete(growth) and growth > 1:
        # The peak of a growing `Exponential` alone would be its start.
        return join([Geometric(start, end, steps), Exponential(end, growth, steps)], [steps])
    return Exponential(start, growth, steps)


def SchedPoly(start: Number, end: Number, power: Number, *, total_steps: Number | None = None) -> Schedule:
    r"""A power of the position, which goes on past its end.

    $$f(t) = \text{start} + (\text{end} - \text{start}) \left(t / \text{total\_steps}\right)^\text{power}$$

    With `power` above 1 the rate stays near `start` at first, unlike the polynomial decays of other systems.

    Args:
      start: the rate at step 0.
      end: the rate at step `total_steps`.
      power: from 0 to 1,000,000. With 0 the rate is `end`.
      total_steps: the updates in the training, above 0; see the module.

    Source: `SchedPoly` of fastai 2.8.12.
    """
    start, end = checked(start=start, end=end)
    power = checked_number("power", power, at_least=0, at_most=1e6)
    steps = _steps(total_steps)
    return Constant(end) if is_known(power, 0) else endless(start, end, steps, power)


def combine_scheds(
    pcts: Numbers, scheds: Sequence[ScheduleLike], *, total_steps: Number | None = None
) -> Schedule:
    r"""One schedule after another, each over its fraction of the training.

    $$f(t) = s_i\left(\frac{t - b_i}{b_{i+1} - b_i}\right), \quad b_i \le t < b_{i+1}, \quad
    b_i = \text{total\_steps} \sum_{j < i} \text{pcts}_j$$

    The last one goes on past the end. One with a fraction of 0 is left out.

    >>> from jaxsched.ports import fastai
    >>> scheds = [fastai.SchedExp(0.01, 0.1), fastai.SchedNo(0.1, 0.1)]
    >>> fastai.combine_scheds([0.3, 0.7], scheds, total_steps=200)
    join([stretch(join([Geometric(0.01, 0.1, 1), Exponential(0.1, 10)], [1]), 60), 0.1], [60])

    Args:
      pcts: the fractions, each at least 0, with a sum of 1.
      scheds: schedules made without `total_steps`, or functions of the position in `jax.numpy`; as many as
        `pcts`.
      total_steps: the updates in the training, above 0; see the module.

    Deviations: see the module. fastai asserts that the floats add up to exactly 1; a millionth is allowed
    here. If the last fraction is 0, the schedule before it goes on past the end, where fastai gives NaN.

    Source: `combine_scheds` of fastai 2.8.12.
    """
    parts = as_schedules("scheds", scheds)
    fractions: Any = as_numbers("pcts", pcts)
    if len(parts) != len(fractions):
        raise ValueError(f"`scheds` must have as many entries as `pcts`, {len(fractions)}, got {len(parts)}.")
    if is_concrete(fractions):
        fractions = [checked_number(f"pcts[{i}]", pct, at_least=0) for i, pct in enumerate(fractions)]
        if abs(sum(fractions) - 1) > 1e-6:
            raise ValueError(f"`pcts` must have a sum of 1, got {show(sum(fractions))}.")
    return _combined(
        [*fractions], [functools.partial(stretched, part) for part in parts], _steps(total_steps)
    )


def combined_cos(
    pct: Number, start: Number, middle: Number, end: Number, *, total_steps: Number | None = None
) -> Schedule:
    """Half a cosine from `start` to `middle`, then one to `end`.

    >>> from jaxsched.ports import fastai
    >>> fastai.combined_cos(0.25, 0.004, 0.1, 1e-6, total_steps=100)
    join([Cosine(0.004, 0.1, 25), reflect(Cosine(0.1, 1e-06, 75), 150)], [25])

    Args:
      pct: the fraction of the first, from 0 to 1.
      start: the rate at step 0.
      middle: the rate between them.
      end: the rate at step `total_steps`. After it the rate goes back to `middle`, and so on. With a `pct` of
        1 it stays at `middle`, where fastai gives NaN.
      total_steps: the updates in the training, above 0; see the module.

    Source: `combined_cos` of fastai 2.8.12.
    """
    start, middle, end = checked(start=start, middle=middle, end=end)
    return _two_cosines("pct", pct, start, middle, end, _steps(total_steps))


def fit_one_cycle(
    n_epoch: Number,
    lr_max: Any = None,
    div: Number = 25.0,
    div_final: Number = 1e5,
    pct_start: Number = 0.25,
    wd: Any = None,
    moms: Any = None,
    cbs: Any = None,
    reset_opt: bool = False,
    start_epoch: int = 0,
    *,
    batches_per_epoch: Number,
) -> Any:
    """The rate of a 1cycle: half a cosine from `lr_max / div` to `lr_max`, then one to `lr_max / div_final`.

    >>> from jaxsched.ports import fastai
    >>> fastai.fit_one_cycle(4, 0.1, batches_per_epoch=25)
    join([Cosine(0.004, 0.1, 25), reflect(Cosine(0.1, 1e-06, 75), 150)], [25])

    Args:
      div: `lr_max` divided by the first rate, above 0.
      div_final: `lr_max` divided by the last rate, above 0.
      pct_start: the fraction of the training before the peak, from 0 to 1.
      moms: no effect; see `fit_one_cycle_momentum`.

    See the module for the other arguments. Past the end, which fastai does not reach, the rate rises again.

    Source: `Learner.fit_one_cycle` of fastai 2.8.12.
    """
    steps = _training(n_epoch, batches_per_epoch, start_epoch)
    div = checked_number("div", div, above=0)
    div_final = checked_number("div_final", div_final, above=0)

    def one(peak: Any) -> Schedule:
        start, end = over(peak, "div", div), over(peak, "div_final", div_final)
        return _two_cosines("pct_start", pct_start, start, peak, end, steps)

    return _each_group("lr_max", lr_max, one)


def fit_one_cycle_momentum(
    n_epoch: Number,
    lr_max: Any = None,
    div: Number = 25.0,
    div_final: Number = 1e5,
    pct_start: Number = 0.25,
    wd: Any = None,
    moms: Sequence[Number] | None = None,
    cbs: Any = None,
    reset_opt: bool = False,
    start_epoch: int = 0,
    *,
    batches_per_epoch: Number,
) -> Schedule:
    """The momentum of a 1cycle, or its first beta: half a cosine down while the rate rises, then one up.

    >>> from jaxsched.ports import fastai
    >>> fastai.fit_one_cycle_momentum(4, batches_per_epoch=25)
    join([Cosine(0.95, 0.85, 25), reflect(Cosine(0.85, 0.95, 75), 150)], [25])

    Args:
      lr_max: no effect, like `div` and `div_final`.
      pct_start: the fraction of the training before the peak of the rate, from 0 to 1.
      moms: the momenta at the start, at the peak of the rate and at the end; (0.95, 0.85, 0.95) by default,
        as for a `Learner`.

    See the module for the other arguments.

    Source: `Learner.fit_one_cycle` of fastai 2.8.12.
    """
    steps = _training(n_epoch, batches_per_epoch, start_epoch)
    start, middle, end = _momenta(moms)
    return _two_cosines("pct_start", pct_start, start, middle, end, steps)


def fit_flat_cos(
    n_epoch: Number,
    lr: Any = None,
    div_final: Number = 1e5,
    pct_start: Number = 0.75,
    wd: Any = None,
    cbs: Any = None,
    reset_opt: bool = False,
    start_epoch: int = 0,
    *,
    batches_per_epoch: Number,
) -> Any:
    """A constant rate, then half a cosine to `lr / div_final`.

    >>> from jaxsched.ports import fastai
    >>> fastai.fit_flat_cos(4, 0.1, batches_per_epoch=25)
    join([0.1, reflect(Cosine(0.1, 1e-06, 25), 50)], [75])

    Args:
      div_final: `lr` divided by the last rate, above 0.
      pct_start: the fraction of the training at the constant rate, from 0 to 1.
      start_epoch: no effect, as in fastai, which leaves it out.

    See the module for the other arguments. Past the end, which fastai does not reach, the rate rises again.

    Source: `Learner.fit_flat_cos` of fastai 2.8.12.
    """
    steps = _training(n_epoch, batches_per_epoch)
    div_final = checked_number("div_final", div_final, above=0)

    def one(rate: Any) -> Schedule:
        return _two_cosines("pct_start", pct_start, rate, rate, over(rate, "div_final", div_final), steps)

    return _each_group("lr", lr, one)


def fit_sgdr(
    n_cycles: int,
    cycle_len: Number,
    lr_max: Any = None,
    cycle_mult: Number = 2,
    cbs: Any = None,
    reset_opt: bool = False,
    wd: Any = None,
    start_epoch: int = 0,
    *,
    batches_per_epoch: Number,
) -> Any:
    r"""Warm restarts: half cosines from `lr_max` to 0, each `cycle_mult` times as long as the one before.

    With $N$ = `cycle_len * batches_per_epoch`, cycle $i$ begins at step $N \sum_{j<i} \text{cycle\_mult}^j$,
    or a step later where fastai's floats miss it: with 3 cycles of 1, 2 and 4 epochs, the first batch of the
    last cycle is still at the 0 of the one before.

    >>> from jaxsched.ports import fastai
    >>> schedule = fastai.fit_sgdr(3, 1, 0.1, batches_per_epoch=100)
    >>> [round(float(schedule(step)), 5) for step in (0, 99, 100, 299, 300, 301)]
    [0.1, 2e-05, 0.1, 1e-05, 0.0, 0.1]

    Args:
      n_cycles: the number of cycles, a whole number from 1 to 10,000.
      cycle_len: the epochs in the first cycle, a whole number of at least 1.
      cycle_mult: a whole number of at least 0.

    See the module for the other arguments. The momentum is that of the optimizer. Past the end, which fastai
    does not reach, the rate rises again.

    Deviations: a `cycle_mult` of 1 gives cycles of the same length, where fastai divides by 0.

    Source: `Learner.fit_sgdr` of fastai 2.8.12.
    """
    if not is_concrete(n_cycles, cycle_mult):
        raise TypeError(
            "`n_cycles` and `cycle_mult` must be concrete, got a traced number: the number of parts "
            "depends on them."
        )
    cycles = int(whole("n_cycles", n_cycles, at_least=1, at_most=MOST_PARTS))
    mult = whole("cycle_mult", cycle_mult, at_least=0)
    try:
        weights = [mult**i for i in range(cycles)]
    except OverflowError:
        raise ValueError(f"`n_cycles` must be lower with `cycle_mult={show(mult)}`, got {cycles}.") from None
    epochs = whole("cycle_len", cycle_len, at_least=1)
    steps = _training(epochs * sum(weights), batches_per_epoch, start_epoch)
    pcts = [weight / sum(weights) for weight in weights]

    def one(peak: Any) -> Schedule:
        curves: list[Callable[[Any], Schedule]] = [functools.partial(Cosine, peak, 0.0)] * cycles
        curves[-1 if mult else 0] = functools.partial(_cosine, peak, 0.0)
        return _combined(pcts, curves, steps)

    return _each_group("lr_max", lr_max, one)


def fine_tune(
    epochs: Number,
    base_lr: Number = 2e-3,
    freeze_epochs: Number = 1,
    lr_mult: Number = 100,
    pct_start: Number = 0.3,
    div: Number = 5.0,
    *,
    batches_per_epoch: Number,
    **kwargs: Any,
) -> Schedule:
    """The rate of the head in both phases: a 1cycle while the body is frozen, then one with all of the model.

    The first is `fit_one_cycle(freeze_epochs, base_lr, pct_start=0.99)`, and the second
    `fit_one_cycle(epochs, base_lr / 2, pct_start=pct_start, div=div)`. In it, fastai spreads the peaks of the
    other parameter groups over a geometric series from `base_lr / 2 / lr_mult`. Multiply the second phase by
    their factors.

    Args:
      epochs: the epochs of the second phase, a whole number of at least 1.
      base_lr: the highest rate of the head in the first phase. It is half of that in the second.
      freeze_epochs: the epochs of the first phase, a whole number of at least 1.
      lr_mult: no effect on the head.
      pct_start: the fraction of the second phase before its peak, from 0 to 1.
      div: in the second phase, the highest rate divided by the first, above 0.
      batches_per_epoch: see the module.
      **kwargs: `div_final`, for both phases; and what does not change the rate: `wd`, `moms`, `cbs` and
        `reset_opt`.

    Source: `Learner.fine_tune` of fastai 2.8.12.
    """
    (base_lr,) = checked(base_lr=base_lr)
    phase: Callable[..., Schedule] = functools.partial(
        fit_one_cycle, batches_per_epoch=batches_per_epoch, **kwargs
    )
    head = phase(freeze_epochs, base_lr, pct_start=0.99)
    return join(
        [head, phase(epochs, base_lr / 2, pct_start=pct_start, div=div)], [freeze_epochs * batches_per_epoch]
    )


def fine_tune_momentum(
    epochs: Number,
    base_lr: Number = 2e-3,
    freeze_epochs: Number = 1,
    lr_mult: Number = 100,
    pct_start: Number = 0.3,
    div: Number = 5.0,
    *,
    batches_per_epoch: Number,
    **kwargs: Any,
) -> Schedule:
    """The momentum in both phases of `fine_tune`: two of `fit_one_cycle_momentum`.

    The arguments are those of `fine_tune`, with `moms` for both phases in the others.

    Source: `Learner.fine_tune` of fastai 2.8.12.
    """
    phase: Callable[..., Schedule] = functools.partial(
        fit_one_cycle_momentum, batches_per_epoch=batches_per_epoch, **kwargs
    )
    head = phase(freeze_epochs, pct_start=0.99)
    return join([head, phase(epochs, pct_start=pct_start)], [freeze_epochs * batches_per_epoch])


def LRFinder(
    start_lr: Number = 1e-7, end_lr: Number = 10, num_it: Number = 100, stop_div: bool = True
) -> Schedule:
    """The rates that `Learner.lr_find` tries: an exponential from `start_lr` to `end_lr`.

    For the test itself use `jaxsched.range_test`.

    >>> from jaxsched.ports import fastai
    >>> fastai.LRFinder()
    join([Geometric(1e-07, 10, 100), Exponential(10, 100000000, 100)], [100])

    Args:
      start_lr: the first rate, not 0.
      end_lr: the rate that comes next after the last batch, with the sign of `start_lr`.
      num_it: the number of batches, a whole number; below 6 it is 6, as in fastai.
      stop_div: no effect. The test decides when to stop.

    Source: `LRFinder` of fastai 2.8.12.
    """
    batches = larger(6.0, whole("num_it", num_it))
    return SchedExp(*checked(start_lr=start_lr, end_lr=end_lr), total_steps=batches)


def _steps(total_steps: Number | None) -> Any:
    """The length of a schedule of the step, or of the position."""
    return 1.0 if total_steps is None else checked_number("total_steps", total_steps, above=0)


def _training(n_epoch: Any, batches_per_epoch: Any, start_epoch: Any = 0) -> Any:
    """The number of updates in a training."""
    not_modelled(start_epoch=start_epoch)
    batches = whole("batches_per_epoch", batches_per_epoch, at_least=1)
    return whole("n_epoch", n_epoch, at_least=1) * batches


def _momenta(moms: Any) -> list[Any]:
    values = MOMENTA if moms is None else moms
    if not isinstance(values, Sequence) or len(values) != 3:
        raise ValueError(f"`moms` must have 3 entries, got {brief(values)}.")
    return [checked_number(f"moms[{i}]", value) for i, value in enumerate(values)]


def _each_group(name: str, lr: Any, build: Callable[[Any], Schedule]) -> Any:
    """`build` of a rate, or of each in a list."""
    if isinstance(lr, slice):
        raise TypeError(f"`{name}` must be a rate, or a list with one for each parameter group, got {lr}.")
    return each_group(name, LEARNER_LR if lr is None else lr, build)


def _cosine(start: Any, end: Any, steps: Any) -> Schedule:
    if is_known(start, end):
        return Constant(start)
    return reflect(Cosine(start, end, steps), 2 * steps)


def _two_cosines(name: str, pct: Any, start: Any, middle: Any, end: Any, steps: Any) -> Schedule:
    pct = checked_number(name, pct, at_least=0, at_most=1)

    def first(length: Any) -> Schedule:
        return Constant(start) if is_known(start, middle) else Cosine(start, middle, length)

    return _combined([pct, 1 - pct], [first, functools.partial(_cosine, middle, end)], steps)


def _combined(pcts: list[Any], curves: Sequence[Callable[[Any], Schedule]], steps: Any) -> Schedule:
    """Curves, each a function of its length, one after another."""
    starts = [_tidy(fraction * steps) for fraction in itertools.accumulate(pcts, initial=0.0)]
    begins = list(starts)
    if is_concrete(pcts, steps) and float(steps).is_integer() and steps > 1:
        edges = np.cumsum(np.array(pcts, np.float32), dtype=np.float64).tolist()
        begins[1:-1] = [
            _seen(start, edge, int(steps)) for start, edge in zip(starts[1:], edges[:-1], strict=False)
        ]
    parts, boundaries = [], []
    for i, curve in enumerate(curves):
        if not is_known(pcts[i], 0):
            parts.append(delayed(curve(starts[i + 1] - starts[i]), starts[i] - begins[i]))
            boundaries.append(begins[i])
    return joined(parts, boundaries)


def _tidy(step: Any) -> Any:
    """A step without the rounding errors of its last digits, so that a whole step is whole."""
    return float(f"{step:.12g}") if is_concrete(step) else step


def _seen(start: float, edge: float, steps: int) -> float:
    """The step from which fastai sees that the position is past `edge`: both are rounded to float32."""

    def reached(step: int) -> bool:
        return bool(np.float32(step / steps) >= np.float32(edge))

    first = math.ceil(start)
    step = first
    while step > 0 and reached(step - 1):
        step -= 1
    while not reached(step):
        step += 1
    return start if step == first else float(step)
