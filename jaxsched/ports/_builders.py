"""The schedules and rules that several systems have under different names."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from jaxsched._core.fields import Number, checked_number, describe, is_concrete
from jaxsched._core.schedule import Constant, Lambda, Schedule
from jaxsched._core.transition import Transition
from jaxsched.combinators.clocks import per_epoch, shift
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
"""How the plateau of PyTorch, and so that of timm, differs from ours."""


def step_function(
    name: str, fn: Callable[[Any], Any], total_steps: int | None = None, first: int = 0
) -> Schedule:
    """A user's function of the step plus `first`: traced, or a table of `total_steps` if that is given.

    Raises:
      TypeError: `fn` is not callable, does not give a number, or needs `total_steps`.
      ValueError: `total_steps` is no whole number of at least 1.
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
            f"`{name}` must be written with `jax.numpy` and give a number, unless `total_steps` is given; "
            f"then it is called once with each step, a Python integer. {error}"
        ) from error
    return shift(traced, -first) if first else traced


def running_product(name: str, fn: Callable[[int], Any], total_steps: int) -> Schedule:
    """The product of `fn(1)` to `fn(t)`, a table of `total_steps` that holds its last.

    Raises:
      TypeError: `fn` is not callable, or does not give a number.
      ValueError: `total_steps` is no whole number of at least 1.
    """
    if not callable(fn):
        raise TypeError(f"`{name}` must be a function, got {describe(fn)}.")
    steps = int(whole("total_steps", total_steps, at_least=1))
    factors = [checked_number(f"{name}({i})", fn(i)) for i in range(1, steps)]
    return Table(list(itertools.accumulate(factors, lambda a, b: a * b, initial=1.0)))


def polynomial(init_value: Number, end_value: Number, steps: Number, power: Number) -> Schedule:
    """`Polynomial`, but where the power is 0 constant, as `0 ** 0` is 1."""
    return Constant(init_value) if is_known(power, 0) else Polynomial(init_value, end_value, steps, power)


def growing_polynomials(init_value: Number, end_value: Number, steps: Number, power: Number) -> Schedule:
    r"""A polynomial decay that begins again, each time as if it had begun at 0 and were longer.

    $$f(t) = \text{end} + (\text{init} - \text{end}) \left(1 - \frac{t}{k N}\right)^\text{power},
    \quad k = \max(1, \lceil t / N \rceil)$$

    where $N$ is `steps`. What is left, $(k N - t) / (k N)$, is what is left of one decay over $N$ times
    $1 / k$; after step 0 these decays take the steps 1 to $N$, $N + 1$ to $2 N$ and so on.
    """
    decays = cycle(shift(Polynomial(1.0, 0.0, steps, power), -1), steps)
    heights = per_epoch(InversePower(1.0, 1.0, power), steps)
    return join([init_value, end_value + (init_value - end_value) * decays * heights], [1])


def one_cycle(values: Sequence[Number], ends: Sequence[Number], shape: type[Transition]) -> Schedule:
    """The phases of a `OneCycleLR`: from one value to the next, until the step at which it is reached.

    A phase that would end at or before step 0 is skipped, but the next one begins where it ended; so is a
    last phase that would end before it begins.

    Args:
      values: one more than there are phases.
      ends: as many: 0, and the ends of the phases.
      shape: the curve.
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
    """The rate of a `CyclicLR`, in whose modes or scaled by a user's function of the cycle or of the step."""
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
    """A plateau with the machine of another system, whose absolute limits become fractions of `lr`.

    What has another name there was checked under that name.

    Raises:
      TypeError: an argument is no number.
      ValueError: an argument is outside of its range.
    """
    base = checked_number("lr", lr, above=0)
    return Plateau(
        factor=factor,
        patience=whole("patience", patience, at_least=0),
        rtol=rtol,
        atol=atol,
        cooldown=whole("cooldown", cooldown, at_least=0),
        # A rate that is below the floor from the start stays where it is.
        min_scale=smaller(min_lr / base, 1.0),
        eps=eps / base,
        mode=mode,
        machine=machine,
    )


def margins(threshold: Any, threshold_mode: str) -> dict[str, Any]:
    """A threshold as the relative or the absolute margin, whichever its mode says.

    Raises:
      TypeError: `threshold` is no number.
      ValueError: it is negative, or `threshold_mode` is neither "rel" nor "abs".
    """
    if threshold_mode not in ("rel", "abs"):
        raise ValueError(f"`threshold_mode` must be 'rel' or 'abs', got {threshold_mode!r}.")
    value = checked_number("threshold", threshold, at_least=0)
    return {"rtol": value, "atol": 0.0} if threshold_mode == "rel" else {"rtol": 0.0, "atol": value}
