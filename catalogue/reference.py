"""The formulas of the docstrings in arbitrary precision, as references for the tests.

They are written in `mpmath` from the docstrings alone, and share only the names of the fields with the
library.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from mpmath import mp, mpf

import jaxsched as js
from jaxsched._core.schedule import Product, Sum
from jaxsched._core.transition import Easing

mp.prec = 200

LARGEST = mpf(float(np.finfo(np.float32).max))


def exact(x: object) -> mpf:
    """A leaf as an `mpf`, without rounding."""
    return mpf(float(np.asarray(x, np.float64)))


def exact_list(values: object) -> list[mpf]:
    """An array as a list of `mpf`, without rounding."""
    return [exact(x) for x in np.asarray(values, np.float64)]


def rate(schedule: js.Schedule, step: Any) -> mpf:
    """The rate of `schedule` at `step`, in real arithmetic."""
    t = mpf(float(step)) if not isinstance(step, mpf) else step
    formula = _FORMULAS.get(type(schedule))
    if formula is None:
        raise LookupError(f"catalogue/reference.py has no formula for `{type(schedule).__name__}`")
    return formula(schedule, max(t, mpf(0)))


def _transition(curve: Callable[[Any, mpf, mpf, mpf], mpf]) -> Callable[[Any, mpf], mpf]:
    """The formula of a transition, given its curve between two values at the elapsed fraction p."""

    def formula(s: Any, t: mpf) -> mpf:
        init, end, length = exact(s.init_value), exact(s.end_value), exact(s.transition_steps)
        if t >= length:
            return end
        return curve(s, init, end, t / length)

    return formula


def _blend(weight: Callable[[Any, mpf], mpf]) -> Callable[[Any, mpf], mpf]:
    return _transition(lambda s, init, end, p: weight(s, p) * init + (1 - weight(s, p)) * end)


def _ramp(shape: Easing, init: mpf, end: mpf, length: mpf, t: mpf) -> mpf:
    if t >= length:
        return end
    example = shape.cls(1.0, 0.5, 1.0, **shape.keywords)
    if shape.cls is js.Geometric:
        return init * (end / init) ** (t / length)
    weight = rate(_unit(example), t / length)
    return weight * init + (1 - weight) * end


def _unit(example: js.Schedule) -> js.Schedule:
    """The transition from 1 to 0 over 1 step, of the class and keywords of `example`."""
    leaves = {"init_value": 1.0, "end_value": 0.0, "transition_steps": 1.0}
    names = [name for name in example.__dict__ if name not in leaves]
    return type(example)(**leaves, **{name: getattr(example, name) for name in names})


def _warmup(s: Any, t: mpf) -> mpf:
    length = exact(s.warmup_steps)
    if t >= length:
        return rate(s.schedule, t - length)
    return _ramp(s.shape, exact(s.init_value), rate(s.schedule, 0), length, t + exact(s.first_step))


def _cooldown(s: Any, t: mpf) -> mpf:
    start = exact(s.start_step)
    if t < start:
        return rate(s.schedule, t)
    return _ramp(s.shape, rate(s.schedule, start), exact(s.end_value), exact(s.cooldown_steps), t - start)


def _knots(s: Any, t: mpf) -> mpf:
    values, steps = exact_list(s.values), exact_list(s.steps)
    i = bisect.bisect_right(steps, t)
    if i == 0:
        return values[0]
    if i == len(steps):
        return values[-1]
    return _ramp(s.shape, values[i - 1], values[i], steps[i] - steps[i - 1], t - steps[i - 1])


def _join(s: Any, t: mpf) -> mpf:
    starts = [mpf(0), *exact_list(s.boundaries)]
    k = bisect.bisect_right(starts, t) - 1
    return rate(s.schedules[k], t - starts[k])


def _cycle(s: Any, t: mpf) -> mpf:
    length, factor, fade = exact(s.cycle_steps), exact(s.length_factor), exact(s.value_factor)

    def start(k: int) -> mpf:
        if factor == 1:
            return k * length
        value = length * (factor**k - 1) / (factor - 1)
        nearest = mp.floor(value + mpf(1) / 2)
        return nearest if abs(value - nearest) <= value * mpf(2) ** -22 else value

    if factor == 1:
        k = int(mp.floor(t / length))
    else:
        # The logarithm is only a guess; the comparisons below correct it.
        k = int(mp.log(max(1 + t * (factor - 1) / length, mpf(2) ** -40)) / mp.log(factor))
        k = max(0, k - 2)
        while start(k + 1) <= t and (s.cycles is None or k + 1 < exact(s.cycles)):
            k += 1
    if s.cycles is not None:
        most = int(exact(s.cycles))
        k = min(k, most - 1)
        if factor < 1 and t >= start(most):
            return fade**k * rate(s.schedule, length)
    return fade**k * rate(s.schedule, min((t - start(k)) / factor**k, length))


def _reflect(s: Any, t: mpf) -> mpf:
    period = exact(s.period)
    u = t - period * mp.floor(t / period)
    return rate(s.schedule, min(u, period - u))


def _clip(s: Any, t: mpf) -> mpf:
    value = rate(s.schedule, t)
    if s.min_value is not None:
        value = max(value, exact(s.min_value))
    return value if s.max_value is None else min(value, exact(s.max_value))


def _tanh(s: Any, p: mpf) -> mpf:
    low, up = exact(s.lower), exact(s.upper)
    return (mp.tanh(up) - mp.tanh((1 - p) * low + p * up)) / (mp.tanh(up) - mp.tanh(low))


def _geometric(s: Any, init: mpf, end: mpf, p: mpf) -> mpf:
    return mp.sign(init) * abs(init) ** (1 - p) * abs(end) ** p


def _limited(x: mpf) -> mpf:
    return max(-LARGEST, min(LARGEST, x))


def _product(s: Any, t: mpf) -> mpf:
    value = mpf(1)
    for each in s.schedules:
        value = _limited(value * rate(each, t))
    return value


_FORMULAS: dict[type, Callable[[Any, mpf], mpf]] = {
    js.Constant: lambda s, t: exact(s.value),
    js.Linear: _blend(lambda s, p: 1 - p),
    js.Polynomial: _blend(lambda s, p: (1 - p ** exact(s.warp)) ** exact(s.power)),
    js.OneMinusSqrt: _blend(lambda s, p: 1 - mp.sqrt(p)),
    js.Cosine: _blend(lambda s, p: ((1 + mp.cos(mp.pi * p ** exact(s.warp))) / 2) ** exact(s.power)),
    js.Geometric: _transition(_geometric),
    js.Rex: _blend(lambda s, p: (1 - p) / (exact(s.beta) + (1 - exact(s.beta)) * (1 - p))),
    js.Tanh: _blend(_tanh),
    js.Relaxation: _blend(lambda s, p: (exact(s.rate) ** p - exact(s.rate)) / (1 - exact(s.rate))),
    js.Exponential: lambda s, t: _limited(
        exact(s.init_value) * exact(s.decay_rate) ** (t / exact(s.transition_steps))
    ),
    js.InversePower: lambda s, t: exact(s.init_value) * (1 + t / exact(s.timescale)) ** -exact(s.power),
    js.Logistic: lambda s, t: (
        exact(s.init_value)
        + (exact(s.end_value) - exact(s.init_value))
        / (1 + mp.exp(-(t - exact(s.midpoint)) / exact(s.timescale)))
    ),
    js.Piecewise: lambda s, t: exact_list(s.values)[bisect.bisect_right(exact_list(s.boundaries), t)],
    js.Table: lambda s, t: exact(s.values[min(int(mp.floor(t)), len(s.values) - 1)]),
    js.Lambda: lambda s, t: mpf(float(s.fn(float(t)))),
    Product: _product,
    Sum: lambda s, t: _limited(mp.fsum(rate(each, t) for each in s.schedules)),
    js.warmup: _warmup,
    js.cooldown: _cooldown,
    js.knots: _knots,
    js.join: _join,
    js.cycle: _cycle,
    js.reflect: _reflect,
    js.staircase: lambda s, t: rate(s.schedule, exact(s.every) * mp.floor(t / exact(s.every))),
    js.stretch: lambda s, t: rate(s.schedule, t / exact(s.factor)),
    js.per_epoch: lambda s, t: rate(s.schedule, mp.floor(t / exact(s.steps_per_epoch))),
    js.reclock: lambda s, t: rate(s.schedule, rate(s.clock, t)),
    js.shift: lambda s, t: rate(s.schedule, t - exact(s.steps)),
    js.clip: _clip,
}


def without_shortcuts(schedule: Any) -> Any:
    """The same schedule with arrays as leaves, so that calls with different numbers share a compiled program.

    A Python number with a shorter formula, such as 0 or 1, makes a call compile a program of its own.
    """
    return jax.tree.map(np.asarray, schedule)


def as_argument(schedule: js.Schedule) -> js.Schedule:
    """The schedule as a compiled function sees its argument: with leaves rounded to float32."""

    def through_float32(x: object) -> object:
        rounded = np.asarray(x, np.float32).astype(np.float64)
        return float(rounded) if rounded.ndim == 0 else rounded

    return jax.tree.map(through_float32, schedule)


def unit(truth: mpf) -> mpf:
    """The unit in the last place of `truth` as a float32."""
    _, exponent = mp.frexp(abs(truth))
    return mpf(2) ** (exponent - 24)


def ulps(value: Any, truth: mpf) -> float:
    """The distance of a float32 `value` from `truth`, in units in the last place of `truth`.

    Subnormal numbers all count as equal, and so do numbers above 1e37, where a growing schedule may stop.
    """
    scale = abs(truth)
    if scale > mpf(10) ** 37:
        return 0.0 if mpf(10) ** 37 <= abs(mpf(float(value))) <= LARGEST else float("inf")
    if scale < mpf(2) ** -126:
        return 0.0 if abs(mpf(float(value))) <= mpf(2) ** -126 else float("inf")
    return float(abs(mpf(float(value)) - truth) / unit(truth))


def some_steps(horizon: int) -> np.ndarray:
    """120 steps: many near both ends and near the boundaries of parts, the rest spread in between.

    The number is fixed, so that every horizon uses the same compiled program.
    """
    near = [horizon * share + step for share in (0, 1 / 4, 1 / 3, 1 / 2, 3 / 4) for step in (-1, 0, 1)]
    ends = [*range(20), *range(horizon - 20, horizon + 3), *(horizon >> np.arange(31)), 2**31 - 1]
    spread = np.random.default_rng(0).integers(0, min(2 * horizon, 2**31 - 1), 200)
    steps = np.unique(np.concatenate([np.floor(near), ends]))
    steps = np.concatenate([steps[(steps >= 0) & (steps < 2**31)], spread])[:120]
    return np.sort(steps).astype(np.int32)


@functools.lru_cache(2000)
def truths(schedule: js.Schedule, steps: tuple[float, ...]) -> list[mpf]:
    """The formula at each of `steps`."""
    return [rate(schedule, step) for step in steps]


def _pairs(rates: object, schedule: js.Schedule, steps: Any) -> list[tuple[float, float, mpf]]:
    """Each step with its rate and the rate of the formula."""
    known = tuple(np.asarray(steps).tolist())
    rates = np.asarray(rates)
    assert rates.shape == np.shape(steps)
    return list(zip(known, rates.tolist(), truths(schedule, known), strict=True))


def worst(rates: object, schedule: js.Schedule, steps: Any) -> float:
    """The largest distance of `rates` from the formula, in units in the last place."""
    return max(ulps(value, truth) for _, value, truth in _pairs(rates, schedule, steps))


def worst_in_x64(rates: object, schedule: js.Schedule, steps: Any, fractions: bool = False) -> float:
    """The largest distance of float64 `rates` from the formula, as a multiple of 1e-13 of its rate.

    With `fractions`, times are fractions of steps and are rounded too. The tolerance then also includes the
    change of the formula within one float64 spacing of the step.
    """
    assert np.asarray(rates).dtype == np.float64
    most = 0.0
    for step, value, truth in _pairs(rates, schedule, steps):
        if ulps(value, truth) == 0:
            continue
        allowed = abs(truth) / mpf(10) ** 13
        if fractions:
            allowed += _change(schedule, step, float(np.spacing(float(step))), truth)
        most = max(most, float(abs(mpf(value) - truth) / allowed))
    return most


def _change(schedule: js.Schedule, step: float, width: float, truth: mpf) -> mpf:
    """The largest change of the formula from `truth`, its rate at `step`, within `width` on either side."""
    around = [rate(schedule, step + mpf(share * width)) for share in (-1, -0.5, 0.5, 1)]
    return max(abs(each - truth) for each in around)


def _within(schedule: Any) -> Iterator[js.Schedule]:
    """A schedule and all schedules in it."""
    if isinstance(schedule, js.Schedule):
        yield schedule
        for value in vars(schedule).values():
            yield from _within(value)
    elif isinstance(schedule, Sequence) and not isinstance(schedule, str):
        for value in schedule:
            yield from _within(value)


def _runs_in_fractions(schedule: js.Schedule) -> bool:
    if isinstance(schedule, js.cycle):
        return bool(schedule.length_factor != 1)
    if isinstance(schedule, js.stretch):
        return not float(schedule.factor).is_integer()
    return isinstance(schedule, js.reclock)


def worst_in_float32(rates: object, schedule: js.Schedule, steps: Any, speed: float = 1) -> float:
    """The largest distance of `rates` from the formula, as a multiple of the tolerance of the float32 path.

    The tolerance is 16 + 2k units in the last place, where k is the logarithm of the ratio between the rate
    and the rate at step 0 (or the largest rate, if that is 0). Beyond step 2^24 float32 cannot represent
    every step, so the tolerance also includes the change of the formula within half a float32 spacing of the
    step. Growing cycles, schedules stretched by a factor that is not whole, and those on the clock of another
    have clocks in fractions of a step, which float32 rounds. Their tolerance includes the change within two
    spacings, at every step.

    Args:
      rates: the rates of the library.
      schedule: the schedule.
      steps: the steps of the rates.
      speed: the ratio of the fastest clock in the schedule to the steps. Float32 cannot represent every time
        of this clock beyond 2^24. With 0, rounding of the step is not tolerated.
    """
    pairs = _pairs(rates, schedule, steps)
    first = abs(rate(schedule, 0)) or max(abs(truth) for _, _, truth in pairs)
    fractional = any(_runs_in_fractions(each) for each in _within(schedule))
    most = 0.0
    for step, value, truth in pairs:
        off = ulps(value, truth)
        if off == 0:
            continue
        allowed = mpf(16)
        if truth and first:
            allowed += 2 * abs(mp.log(abs(truth) / first))
        if step * speed > 2**24 or fractional:
            half = float(np.spacing(np.float32(step))) * (2 if fractional else 0.5)
            allowed += _change(schedule, step, half, truth) / unit(truth)
        most = max(most, float(off / allowed))
    return most
