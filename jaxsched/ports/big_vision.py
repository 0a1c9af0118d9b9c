r"""The schedule of big_vision, `big_vision.utils.create_learning_rate_schedule`.

>>> from jaxsched.ports import big_vision
>>> big_vision.create_learning_rate_schedule(90_000, base=0.001, decay_type="cosine", warmup_steps=10_000)
warmup(Cosine(0.001, 0, 80000), 10000)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.fields import (
    Number,
    as_numbers,
    brief,
    checked_flag,
    checked_number,
    is_concrete,
    show,
)
from jaxsched._core.schedule import Schedule
from jaxsched._core.transition import Transition
from jaxsched.combinators.clocks import shift
from jaxsched.combinators.cycle import reflect
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import warmup
from jaxsched.ports._builders import beyond, polynomial
from jaxsched.ports._checks import checked, is_known, larger, one_of, whole_steps
from jaxsched.ports._config import FromConfig, ignored, section
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.levels import Piecewise
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.rational import InversePower

_UNITS = ("steps", "examples", "epochs", "percent")
"""What a duration may be given in, as the end of its name."""

_OPTIONS = {
    *("power", "end", "linear_end", "timescale", "shift", "steps", "mults"),
    *(f"{name}_{unit}" for name in ("warmup", "cooldown", "timescale", "shift") for unit in _UNITS),
}
"""The arguments that depend on the decay, and the durations."""


def create_learning_rate_schedule(
    total_steps: Number,
    batch_size: Number | None = None,
    data_size: Number | None = None,
    base: Number = 1.0,
    decay_type: str = "stair",
    scale_with_batchsize: bool = False,
    **kw: Any,
) -> Schedule:
    r"""A decay, times a ramp at the start and one at the end.

    $$f(t) = d(t) \, \min(1, t / W) \, \min(1, (T - t) / C)$$

    where $T$ is `total_steps`, $W$ the warmup and $C$ the cooldown; a ramp of length 0 is left out. After $T$
    the cooldown goes on below 0. With $b$ = `base`, or $b = \text{base} \cdot \text{batch\_size} / 256$ with
    `scale_with_batchsize`, and $p = (t - W) / (T - W)$, limited to 0 and 1,

    | `decay_type`                 | $d$                                                             |
    |------------------------------|-----------------------------------------------------------------|
    | `"linear"` or `"polynomial"` | `end + (b - end) * (1 - p) ** power`                            |
    | `"cosine"`                   | `b * 0.5 * (1 + cos(pi * p))`                                   |
    | `"rsqrt"`                    | `b / sqrt(1 + (max(t - W, 0) + shift) / timescale)`             |
    | `"stair"`                    | `b`, times `mults[i]` from step `steps[i]` on, up to the next   |

    A duration is in steps, examples, epochs or a part of the run: `warmup_steps`, `warmup_examples`,
    `warmup_epochs` or `warmup_percent`, which is from 0 to 1. All except steps are rounded to whole steps,
    half to even, and to at least 1 if above 0.

    >>> from jaxsched.ports import big_vision
    >>> big_vision.create_learning_rate_schedule(
    ...     1000, 512, 25_600, 0.1, "linear", True, warmup_epochs=2, linear_end=0.01
    ... )
    warmup(Linear(0.2, 0.01, 900), 100)
    >>> big_vision.create_learning_rate_schedule(1000, base=0.1, steps=[500, 750], mults=[0.5, 0.25])
    Piecewise([0.1, 0.05, 0.025], [500, 750])
    >>> big_vision.create_learning_rate_schedule(1000, decay_type="cosine", cooldown_percent=0.1)
    Cosine(1, 0, 1000) * shift(Linear(1, 0, 100), 900)

    Args:
      total_steps: the length of the run, from 0 to 2,147,483,647.
      batch_size: the number of examples in a step, needed for durations in examples or epochs, and to scale.
      data_size: the number of examples in an epoch, needed for durations in epochs.
      base: the rate that is multiplied.
      decay_type: see above.
      scale_with_batchsize: whether `base` is for a batch of 256.
      **kw: any of the arguments below. Those that `decay_type` does not use are ignored. A duration that is
        negative or `None` counts as not given.

        - `warmup_*`: below `total_steps`, unless that is 0 or 1. By default 0.
        - `cooldown_*`: by default 0.
        - `power`: from 0 to 1,000,000; by default 1.
        - `end`, or `linear_end`: by default 0. It is not scaled by the batch.
        - `timescale`, or `timescale_*`: by default 10,000.
        - `shift`, or `shift_*`: above `-timescale`; by default 0.
        - `steps` and `mults`: sorted whole numbers, and a factor for each; further factors are not used. They
          multiply `b`, not the previous level.

    Deviations: the original ignores other arguments, and durations without the batch or data size that they
    need; the port refuses them. It also refuses a list of `mults` that is too short, for which the original
    gives NaN. If a run of 0 or 1 steps is as long as its warmup, the original divides by 0; the port's decay
    has ended there. If it is shorter, the decay goes back from its end to its start, in both.

    Source: `create_learning_rate_schedule` in `utils.py` of google-research/big_vision at commit 0127fb6.
    """
    for name in kw:
        if name not in _OPTIONS:
            raise TypeError(f"The arguments must be among {sorted(_OPTIONS)}, got {brief(name)}.")
    total = checked_number("total_steps", total_steps, at_least=0, at_most=LAST_STEP)
    sizes = _sizes(batch_size=batch_size, data_size=data_size) | {"total_steps": total}
    (peak,) = checked(base=base)
    if checked_flag("scale_with_batchsize", scale_with_batchsize):
        peak = peak * _needed("batch_size", "scale_with_batchsize", sizes) / 256
    rise, fall = (_steps(name, kw, sizes, 0.0) for name in ("warmup", "cooldown"))
    if is_concrete(rise, total) and rise >= total > 1:
        raise ValueError(f"`warmup_*` must be below `total_steps`, {show(total)}, got {show(rise)} steps.")
    decays = {"linear": _power, "polynomial": _power, "cosine": _cosine, "rsqrt": _rsqrt, "stair": _stair}
    left = total - rise
    backwards = is_concrete(left) and left < 0
    steps = -left if backwards else larger(left, 0.0)
    decay = one_of("decay_type", decay_type, decays)(peak, steps, kw, sizes)
    delayed = decay_type != "stair"
    if backwards and isinstance(decay, Transition):
        # It has ended where the run does, and is back at its start where the warmup ends.
        back = join([shift(reflect(decay, 2 * steps), -steps), peak], [steps])
        decay = join([decay.end_value, back], [total]) if total else back
        delayed = False
    schedule: Schedule = decay
    if not is_known(rise, 0):
        schedule = warmup(decay, rise) if delayed else Linear(0.0, 1.0, rise) * decay
    if is_known(fall, 0):
        return schedule
    ramp: Schedule = shift(Linear(1.0, 0.0, fall), total - fall)
    if not (isinstance(decay, Transition) and is_known(decay.end_value, 0)):
        ramp = join([ramp, beyond(1.0, 0.0, fall)], [total])
    return schedule * ramp


def from_config(
    config: Any, *, data_size: Number | None = None, total_steps: Number | None = None
) -> FromConfig:
    """The schedule of a configuration of big_vision, a `ConfigDict` as a dict: `config.to_dict()`.

    These keys are read:

    - `lr`: the rate that multiplies the schedule, also its `end`.
    - `schedule`: the arguments of `create_learning_rate_schedule` after `data_size`, with `mult` for `base`;
      or a list of pairs of a pattern and such a dict, or `None` for frozen parameters. The entries that are
      not frozen must be equal. If they differ, call this once for each.
    - `total_steps`, `total_examples` or `total_epochs`.
    - `input.batch_size`, or `batch_size` in older configurations.

    >>> from jaxsched.ports import big_vision
    >>> big_vision.from_config({
    ...     "total_steps": 90_000,
    ...     "input": {"batch_size": 1024},
    ...     "lr": 0.001,
    ...     "wd": 0.0001,
    ...     "schedule": {"warmup_steps": 10_000, "decay_type": "cosine"},
    ... })
    FromConfig(learning_rate=warmup(Cosine(0.001, 0, 80000), 10000), ignored=('wd',), weight_decay=None, \
momentum=None, plateau=None)

    Args:
      config: the configuration.
      data_size: the number of training examples, which is not in the configuration; needed for epochs.
      total_steps: the length of the run, in place of that of the configuration.

    Source: `make` in `optax.py` and `train.py` of google-research/big_vision at commit 0127fb6.
    """
    config = section(config)
    inputs = section(config.get("input", {}), "config.input")
    batch_size = inputs.get("batch_size", config.get("batch_size"))
    total = total_steps
    if total is None:
        total = _steps("total", config, _sizes(batch_size=batch_size, data_size=data_size), None)
    if total is None:
        raise ValueError(
            "`config` must have one of 'total_steps', 'total_examples' and 'total_epochs', got none; or give "
            "`total_steps`."
        )
    arguments = {**_only_schedule(config.get("schedule", {}))}
    lr = checked_number("config.lr", config.get("lr"))
    (mult,) = checked(mult=arguments.pop("mult", 1.0))
    for end in {"end", "linear_end"} & arguments.keys():
        arguments[end] = lr * checked_number(end, arguments[end])
    for name in ("total_steps", "batch_size", "data_size", "base"):
        if name in arguments:
            raise ValueError(f"`schedule` must have its rate as 'mult' and no size, got {name!r}.")
    used = {"lr", "schedule", "batch_size", *(f"total_{unit}" for unit in _UNITS)}
    return FromConfig(
        create_learning_rate_schedule(total, batch_size, data_size, base=lr * mult, **arguments),
        ignored(config, used | {"input"}) + ignored(inputs, {"batch_size"}, path="input."),
    )


def _only_schedule(schedule: Any) -> Mapping[str, Any]:
    """The schedule of a configuration, or the one that all entries of its list have."""
    if not isinstance(schedule, list | tuple):
        return section(schedule, "config.schedule")
    moving = [section(each, "config.schedule") for _, each in schedule if each is not None]
    if not moving or any(each != moving[0] for each in moving):
        raise ValueError(
            f"`config.schedule` must have one schedule besides None, got {brief(schedule)}. For several, "
            "call `from_config` with each of them."
        )
    return moving[0]


def _sizes(**sizes: Number | None) -> dict[str, Any]:
    return {
        name: None if size is None else checked_number(name, size, above=0) for name, size in sizes.items()
    }


def _needed(name: str, argument: str, sizes: Mapping[str, Any]) -> Any:
    if sizes.get(name) is None:
        raise ValueError(f"`{name}` must be given with `{argument}`, got None.")
    return sizes[name]


def _steps(name: str, kw: Mapping[str, Any], sizes: Mapping[str, Any], default: Any) -> Any:
    """A duration in steps, from the one argument that gives it."""
    arguments = {f"{name}_{unit}": kw.get(f"{name}_{unit}") for unit in _UNITS}
    given = {
        argument: value
        for argument, value in (
            (key, checked_number(key, value)) for key, value in arguments.items() if value is not None
        )
        if not is_concrete(value) or value >= 0
    }
    if len(given) > 1:
        raise ValueError(f"`{name}_*` must be given in one unit, got {sorted(given)}.")
    if not given:
        return default
    ((argument, value),) = given.items()
    unit = argument.rpartition("_")[2]
    if unit == "steps" or is_known(value, 0):
        return value
    if unit == "percent":
        steps = checked_number(argument, value, at_most=1) * _needed("total_steps", argument, sizes)
    elif unit == "examples":
        steps = value / _needed("batch_size", argument, sizes)
    else:
        # In the original's order, as the product of floats is rounded.
        epoch = _needed("data_size", argument, sizes) / _needed("batch_size", argument, sizes)
        steps = value * epoch
    if not is_concrete(steps):
        return jnp.where(steps > 0, jnp.maximum(jnp.round(steps), 1), 0)
    return float(max(1, round(float(steps)))) if steps else 0.0


def _power(peak: Any, steps: Any, kw: Mapping[str, Any], sizes: Mapping[str, Any]) -> Schedule:
    (power,) = checked(power=kw.get("power", 1))
    name = "end" if "end" in kw else "linear_end"
    end = checked_number(name, kw.get(name, 0))
    return Linear(peak, end, steps) if is_known(power, 1) else polynomial(peak, end, steps, power)


def _cosine(peak: Any, steps: Any, kw: Mapping[str, Any], sizes: Mapping[str, Any]) -> Schedule:
    return Cosine(peak, 0.0, steps)


def _rsqrt(peak: Any, steps: Any, kw: Mapping[str, Any], sizes: Mapping[str, Any]) -> Schedule:
    timescale = _steps("timescale", kw, sizes, kw.get("timescale", 10_000))
    timescale = checked_number("timescale", timescale, above=0)
    (ahead,) = checked(shift=_steps("shift", kw, sizes, kw.get("shift", 0)))
    if is_known(ahead, 0):
        return InversePower(peak, timescale, 0.5)
    shifted = timescale + ahead
    if is_concrete(shifted) and shifted <= 0:
        raise ValueError(f"`shift` must be above `-timescale`, {show(-timescale)}, got {show(ahead)}.")
    return InversePower(peak * (timescale / shifted) ** 0.5, shifted, 0.5)


def _stair(peak: Any, steps: Any, kw: Mapping[str, Any], sizes: Mapping[str, Any]) -> Schedule:
    cuts = whole_steps("steps", kw.get("steps", ()), at_least=0)
    mults = as_numbers("mults", kw.get("mults", ()))
    if len(mults) < len(cuts):
        raise ValueError(f"`mults` must have as many entries as `steps`, {len(cuts)}, got {len(mults)}.")
    return Piecewise([peak, *(peak * mult for mult in mults[: len(cuts)])], cuts)
