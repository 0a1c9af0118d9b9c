"""The parts of OLMo-core's schedules: lengths, warmups, decays and stages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jaxsched._core.fields import checked_number, describe, is_concrete
from jaxsched._core.schedule import Constant, Schedule
from jaxsched._core.transition import Transition
from jaxsched.combinators.clocks import shift
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import cooldown, warmup
from jaxsched.ports._builders import delayed, endless
from jaxsched.ports._checks import checked, concrete, is_known, larger, one_of, within
from jaxsched.ports._config import check_keys, section
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.linear import Linear

Stage = Mapping[str, Any]

SHAPES: dict[str, type[Transition]] = {"linear": Linear, "cosine": Cosine}
RATES = ("start_lr", "start_lr_fraction", "end_lr", "end_lr_fraction")


def base_rate(initial_lr: Any, units: str) -> Any:
    """The base rate."""
    one_of("units", units, {"steps": None, "tokens": None})
    return checked_number("initial_lr", initial_lr)


def run_length(t_max: Any) -> Any:
    if t_max is None:
        raise ValueError("`t_max` must be given, the length of the run, got None.")
    return checked_number("t_max", t_max, at_least=0)


def known(name: str, value: Any) -> float:
    """A number on which the parts of a schedule depend."""
    return float(concrete(name, value, "it says which schedulers run"))


def length(name: str, value: Any, old: Any, fraction: Any, total: Any) -> Any:
    """The length of a warmup or a decay; `old` is its value under the deprecated name."""
    value = old if value is None else value
    if (value is None) == (fraction is None):
        raise ValueError(
            f"`{name}` or `{name}_fraction` must be given and the other one be None, "
            f"got {value!r} and {fraction!r}."
        )
    if value is not None:
        return checked_number(name, value, at_least=0)
    part = run_length(total) * checked_number(f"{name}_fraction", fraction, at_least=0, at_most=1)
    return float(round(float(part))) if is_concrete(part) else jnp.round(part)


def below(name: str, value: Any, peak: Any) -> Any:
    """A number from 0 to below `peak`."""
    return within(name, value, at_least=0, below=peak)


def warmed(schedule: Schedule, peak: Any, steps: Any, min_lr: Any) -> Schedule:
    """A warmup before a schedule that begins at `peak`."""
    min_lr = checked_number("warmup_min_lr", min_lr, at_least=0)
    if is_known(steps, 0):
        return schedule
    return warmup(schedule, steps, below("warmup_min_lr", min_lr, peak))


def annealed(
    shape: type[Transition],
    lr: Any,
    t_max: Any,
    steps: Any,
    min_lr: Any,
    alpha_f: Any,
    second_half: bool = False,
) -> Schedule:
    """A warmup, then a curve to a fraction of the base rate at `t_max`, or its second half."""
    (fraction,) = checked(alpha_f=alpha_f)
    end = lr * fraction
    peak = end + (lr - end) / 2 if second_half else lr
    left = larger(t_max - steps, 0.0)
    if is_known(left, 0):
        # The warmup goes to a rate that is not reached.
        return join([warmed(Constant(peak), peak, steps, min_lr), end], [steps])
    curve: Schedule = shape(lr, end, 2 * left if second_half else left)
    return warmed(shift(curve, -left) if second_half else curve, peak, steps, min_lr)


def decayed(schedule: Schedule, rate: Any, t_max: Any, steps: Any, min_lr: Any, rise: Any = 0.0) -> Schedule:
    """A schedule until a straight line from `rate` to `min_lr` at `t_max`, or until its warmup is over."""
    if is_known(steps, 0):
        return schedule
    line = endless(rate, below("decay_min_lr", min_lr, rate), steps)
    start = t_max - steps
    if is_concrete(start, rise):
        begin = start if start >= rise else math.floor(rise) + 1.0
    else:
        begin = jnp.where(start >= rise, start, jnp.floor(rise) + 1)
    return join([schedule, delayed(line, start - begin)], [begin])


def listed(name: str, value: Any) -> list[Stage]:
    """A list of at least one dict."""
    if not isinstance(value, list | tuple):
        raise TypeError(f"`{name}` must be a list of dicts, got {describe(value)}.")
    if not value:
        raise ValueError(f"`{name}` must have at least one entry, got none.")
    return [section(each, f"{name}[{i}]") for i, each in enumerate(value)]


def entries(name: str, config: Stage, *allowed: str) -> Stage:
    """The entries of a stage that are not None."""
    check_keys(name, [key for key in config if key not in ("_CLASS_", "type")], allowed)
    return {key: value for key, value in config.items() if value is not None}


def resolved(name: str, key: str, stage: Stage, lr: Any) -> Any:
    """The rate at the start or the end of a stage, given itself or as a fraction."""
    given = [each for each in (key, f"{key}_fraction") if each in stage]
    if len(given) != 1:
        raise ValueError(f"`{name}` must have one of `{key}` and `{key}_fraction`, got {given or 'neither'}.")
    value = checked_number(f"{name}.{given[0]}", stage[given[0]], at_least=0)
    return value if given[0] == key else lr * value


def overridden(schedule: Schedule, lr: Any, override_decay: Any) -> Schedule:
    """A schedule until the start of an `OverrideDecay`, then the decay."""
    if override_decay is None:
        return schedule
    name = "override_decay"
    stage = entries(name, section(override_decay, name), "start", "duration", "shape", *RATES[2:])
    return cooldown(
        schedule,
        checked_number(f"{name}.start", stage.get("start"), at_least=0),
        checked_number(f"{name}.duration", stage.get("duration"), above=0),
        resolved(name, "end_lr", stage, lr),
        shape=one_of(f"{name}.shape", stage.get("shape", "linear"), SHAPES),
    )
