"""The schedules and rules that several systems have under different names."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxsched._core.fields import Number, checked_number, describe, is_concrete
from jaxsched._core.schedule import Constant, Lambda, Schedule, ScheduleLike, as_schedule
from jaxsched._core.transition import Transition
from jaxsched._core.versions import enable_x64
from jaxsched.combinators.clocks import per_epoch, shift, stretch
from jaxsched.combinators.cycle import cycle
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import knots
from jaxsched.plateau import Machine, Plateau
from jaxsched.ports._checks import is_known, one_of, smaller, whole
from jaxsched.presets import cyclic
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.levels import Table
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.polynomial import Polynomial
from jaxsched.shapes.rational import InversePower

ANNEALINGS: dict[str, type[Transition]] = {"cos": Cosine, "linear": Linear}
"""What PyTorch and Paddle call an `anneal_strategy`."""

PYTORCH = Machine(signed_margin=True, infinities=True)
"""How the plateau of PyTorch, which timm uses too, differs from ours."""


def step_function(
    name: str, fn: Callable[[Any], Any], total_steps: int | None = None, first: int = 0
) -> Schedule:
    """`fn(step + first)` as a schedule: traced, or tabulated over `total_steps` if that is given.

    Raises:
      TypeError: `fn` is not callable, does not return a number, or cannot be traced without `total_steps`.
      ValueError: `total_steps` is not a whole number of at least 1.
    """
    if not callable(fn):
        raise TypeError(f"`{name}` must be a function, got {describe(fn)}.")
    if total_steps is not None:
        steps = int(whole("total_steps", total_steps, at_least=1))
        return Table([checked_number(f"{name}({i})", fn(i)) for i in range(first, first + steps)])
    try:
        traced = Lambda(fn)
    except TypeError as error:
        raise TypeError(
            f"`{name}` must return a number and be written with `jax.numpy`, or `total_steps` must be given: "
            f"then it is called once for each step, with a Python integer. {error}"
        ) from error
    return shift(traced, -first) if first else traced


def running_product(name: str, fn: Callable[[int], Any], total_steps: int) -> Schedule:
    """The product of `fn(1)` to `fn(t)`, tabulated over `total_steps`; the last value stays.

    Raises:
      TypeError: `fn` is not callable, or does not return a number.
      ValueError: `total_steps` is not a whole number of at least 1.
    """
    if not callable(fn):
        raise TypeError(f"`{name}` must be a function, got {describe(fn)}.")
    steps = int(whole("total_steps", total_steps, at_least=1))
    factors = [checked_number(f"{name}({i})", fn(i)) for i in range(1, steps)]
    return Table(list(itertools.accumulate(factors, lambda a, b: a * b, initial=1.0)))


def polynomial(init_value: Number, end_value: Number, steps: Number, power: Number) -> Schedule:
    """`Polynomial`, or a constant if the power is 0, since `0 ** 0` is 1."""
    power = checked_number("power", power)
    return Constant(init_value) if is_known(power, 0) else Polynomial(init_value, end_value, steps, power)


def growing_polynomials(init_value: Number, end_value: Number, steps: Number, power: Number) -> Schedule:
    r"""Polynomial decays, each over `steps` steps: the last part of a longer decay that began at step 0.

    $$f(t) = \text{end} + (\text{init} - \text{end}) \left(1 - \frac{t}{k N}\right)^\text{power},
    \quad k = \max(1, \lceil t / N \rceil)$$

    where $N$ is `steps`. The remaining fraction $(k N - t) / (k N)$ is $1 / k$ times that of a decay over
    $N$. After step 0, the decays cover the steps 1 to $N$, $N + 1$ to $2 N$ and so on.
    """
    decays = cycle(shift(Polynomial(1.0, 0.0, steps, power), -1), steps)
    heights = per_epoch(InversePower(1.0, 1.0, power), steps)
    return join([init_value, end_value + (init_value - end_value) * decays * heights], [1])


def endless(init_value: Any, end_value: Any, steps: Any, power: Any = 1.0) -> Schedule:
    r"""A power of the elapsed time, or a line, which goes on past its end for ever.

    $$f(t) = \text{init} + (\text{end} - \text{init}) \left(\frac{t}{N}\right)^\text{power}$$

    where $N$ is `steps`. At step $N$ it is exactly `end_value`.
    """
    curve: Any = Linear if is_known(power, 1) else functools.partial(Polynomial, warp=power)
    return join([curve(init_value, end_value, steps), beyond(init_value, end_value, steps, power)], [steps])


def beyond(init_value: Any, end_value: Any, steps: Any, power: Any = 1.0) -> Schedule:
    r"""What `endless` is from its end on, on its own clock.

    The part from step $N$ to $2 N$, twice as long and $2^\text{power}$ times as high, is the part from step
    $2 N$ to $4 N$, and so on.
    """
    rise = end_value - init_value
    if is_known(power, 1):
        part: Schedule = Linear(rise, 2 * rise, steps)
        onward = cycle(part, steps, 2.0, 2.0)
    else:
        # With a large power the parts are shorter, so that each is at most 2**80 times as high.
        factor = 2.0 ** smaller(1.0, 80.0 / power)
        height = factor**power
        part = shift(Polynomial(0.0, rise * height, factor * steps, warp=power), -steps)
        onward = cycle(part, (factor - 1) * steps, factor, height)
    return onward if is_known(init_value, 0) else init_value + onward


def joined(parts: Sequence[ScheduleLike], starts: Sequence[Any]) -> Schedule:
    """Parts from the steps at which they start; the first is 0, and what follows the last is not used."""
    return join(parts, starts[1 : len(parts)]) if len(parts) > 1 else as_schedule("schedule", parts[0])


def stretched(schedule: Schedule, factor: Any) -> Schedule:
    """`stretch`, where it does something."""
    return schedule if isinstance(schedule, Constant) or is_known(factor, 1) else stretch(schedule, factor)


def delayed(schedule: Schedule, steps: Any) -> Schedule:
    """`shift`, where it does something."""
    return schedule if isinstance(schedule, Constant) or is_known(steps, 0) else shift(schedule, steps)


def rate_at(schedule: Schedule, step: Any) -> Any:
    """The rate at a step, in float64 where concrete."""
    if not is_concrete(schedule, step):
        return schedule(step)
    with jax.ensure_compile_time_eval(), enable_x64(True):
        return float(schedule(np.float64(step)))


def each_group(name: str, lr: Any, build: Callable[[Any], Schedule]) -> Any:
    """`build` of a rate, or of each in a list."""
    if isinstance(lr, list | tuple):
        return [build(checked_number(f"{name}[{i}]", each)) for i, each in enumerate(lr)]
    return build(checked_number(name, lr))


def one_cycle(values: Sequence[Number], ends: Sequence[Number], shape: type[Transition]) -> Schedule:
    """The phases of a `OneCycleLR`: each goes from one value to the next.

    A phase that ends at or before step 0 is skipped, and the next one begins where it ended. A last phase
    that does not end after it begins is left out.

    Args:
      values: the first value, and the one at the end of each phase.
      ends: the step of each value: 0, and the end of each phase.
      shape: the curve of every phase.
    """
    begin, end = 0, len(ends)
    if is_concrete(ends):
        begin = max(i for i, step in enumerate(ends[:-1]) if step <= 0)
        if ends[-2] >= ends[-1] and end - begin > 2:
            end -= 1
    start = ends[begin]
    curve = knots(values[begin:end], [step - start for step in ends[begin:end]], shape)
    return shift(curve, start) if begin else curve


def triangles(
    base: Number,
    peak: Number,
    rise_steps: Number,
    fall_steps: Number,
    mode: str,
    gamma: Number,
    scale_fn: Callable[[Any], Any] | None,
    scale_mode: str,
    total_steps: int | None,
) -> Schedule:
    """The rate of a `CyclicLR`, scaled by its mode or by a user's function of the cycle or of the step."""
    if total_steps is not None:
        total_steps = int(whole("total_steps", total_steps, at_least=1))
    if scale_fn is None:
        scaling: dict[str, Any] = one_of(
            "mode",
            mode,
            {"triangular": {}, "triangular2": {"value_factor": 0.5}, "exp_range": {"decay_rate": gamma}},
        )
        return cyclic(base, peak, rise_steps, fall_steps, **scaling)
    period = rise_steps + fall_steps
    if one_of("scale_mode", scale_mode, {"cycle": True, "iterations": False}):
        cycles = None if total_steps is None else math.ceil(total_steps / period)
        scale: Schedule = per_epoch(step_function("scale_fn", scale_fn, cycles, first=1), period)
    else:
        scale = step_function("scale_fn", scale_fn, total_steps)
    triangle = knots([0.0, 1.0, 0.0], [0, rise_steps, period])
    return base + (peak - base) * cycle(triangle, period) * scale


def plateau(
    lr: Any,
    machine: Machine,
    *,
    mode: str,
    factor: Any,
    patience: Any,
    rtol: Any,
    atol: Any,
    cooldown: Any,
    min_lr: Any,
    eps: Any,
) -> Plateau:
    """A plateau with the machine of another system; absolute limits become fractions of `lr`.

    Arguments with another name in the original are checked by the caller, under that name.

    Raises:
      TypeError: an argument is not a number.
      ValueError: an argument is outside its range.
    """
    base = checked_number("lr", lr, above=0)
    return Plateau(
        factor=factor,
        patience=whole("patience", patience, at_least=0),
        rtol=rtol,
        atol=atol,
        cooldown=whole("cooldown", cooldown, at_least=0),
        # A rate that starts below the floor stays where it is.
        min_scale=smaller(min_lr / base, 1.0),
        eps=eps / base,
        mode=mode,
        machine=machine,
    )


def margins(threshold: Any, threshold_mode: str) -> dict[str, Any]:
    """The threshold as a relative or an absolute margin.

    Raises:
      TypeError: `threshold` is not a number.
      ValueError: it is negative, or `threshold_mode` is neither "rel" nor "abs".
    """
    if threshold_mode not in ("rel", "abs"):
        raise ValueError(f"`threshold_mode` must be 'rel' or 'abs', got {threshold_mode!r}.")
    value = checked_number("threshold", threshold, at_least=0)
    return {"rtol": value, "atol": 0.0} if threshold_mode == "rel" else {"rtol": 0.0, "atol": value}
