r"""The schedule of Levanter's optimizers, `OptimizerConfig.lr_scheduler`.

The step is Optax's count of the updates made so far: the **first update is at step 0**. The rate there is 0
if there is a warmup.

A run is a number of cycles, by default one. Each is a warmup, then the learning rate until the decay begins,
and a decay at its end, which `lr_schedule` names. A length is a number of steps if it is above 1, and a
fraction of its cycle, rounded down, if it is at most 1. So `warmup=1` is the whole cycle.

>>> from jaxsched.ports import levanter
>>> levanter.lr_scheduler(750_000, learning_rate=3e-4, warmup=2000, min_lr_ratio=0.0)
warmup(Cosine(0.0003, 0, 748000), 2000)
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxsched._core.fields import Number, brief, checked_flag, checked_number, describe, is_concrete, show
from jaxsched._core.schedule import Constant, Schedule
from jaxsched._core.transition import Transition
from jaxsched.combinators.clip import clip
from jaxsched.combinators.clocks import shift
from jaxsched.combinators.cycle import cycle
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import warmup as ramped
from jaxsched.ports._builders import joined
from jaxsched.ports._checks import MOST_PARTS, concrete, is_known, larger, one_of, smaller, whole
from jaxsched.ports._config import FromConfig, check_keys, ignored, section, yaml_value
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.polynomial import Polynomial
from jaxsched.shapes.rational import InversePower

Decay = tuple[Schedule, Any]
"""A decay on its own clock, and the rate at its end."""


def lr_scheduler(
    num_train_steps: int,
    override_lr: Number | None = None,
    learning_rate: Number = 6e-4,
    min_lr_ratio: Number = 0.1,
    warmup: float = 0.01,
    decay: float | None = None,
    rewarmup: float = 0.0,
    cooldown: float | None = None,
    cycle_length: float | Sequence[int] | None = None,
    cycles: int | Sequence[int] | None = None,
    lr_schedule: str | Mapping[str, Any] = "cosine",
    haps: Sequence[int] | None = None,
) -> Schedule:
    r"""Cycles of a warmup, a constant rate and a decay.

    With $b$ the learning rate, $m$ = `min_lr_ratio` $\cdot\, b$, $W$ and $D$ the lengths of the warmup and
    the decay of the cycle, and $n$ the steps since the decay began, it is

    | `lr_schedule`      | the decay                                                                |
    |--------------------|--------------------------------------------------------------------------|
    | `"constant"`       | $b$                                                                      |
    | `"cosine"`         | $m + (b - m) \, (\tfrac12 (1 + \cos(\pi n / D)))^\text{exponent}$        |
    | `"linear"`         | $b - (b - m) \, n / D$                                                   |
    | `"inv"`            | $\max(m,\, b / (1 + (b / m - 1) \max(n, 1) / D))$                        |
    | `"inv_sqrt"`       | $\max(m,\, b \min(1, \sqrt{\text{timescale} / \max(n + W, 1)}))$         |
    | `"power"`          | $\min(b,\, B a \, (n B L)^\text{b})$, with batch size $B$, sequence $L$  |
    | `"polynomial"`     | $m + (b - m) \, (1 - n / D)^\text{power}$                                |
    | `"inv_sqrt_decay"` | $\max(m,\, b / \sqrt{1 + \text{decay\_constant} \cdot n / D})$           |

    The first three stay at their ends. The last two are those of newer versions.

    >>> from jaxsched.ports import levanter
    >>> levanter.lr_scheduler(900, learning_rate=0.5, warmup=0, decay=0.2, cycles=3, min_lr_ratio=0.0)
    cycle(join([0.5, Cosine(0.5, 0, 60)], [240]), 300, cycles=3)

    Args:
      num_train_steps: the length of the run, a whole number of at least 1.
      override_lr: the learning rate, if it is not that of the configuration.
      learning_rate: the highest rate, at least 0.
      min_lr_ratio: the last rate of a decay as a fraction of the highest, at least 0; above 0 for `"inv"`.
      warmup: the length of the warmup of the first cycle, from 0.
      decay: the length of each decay. By default it begins when the warmup ends. A decay that does not fit
        after the warmup cuts it short. One that is longer than its cycle also cuts the cycles before it.
      rewarmup: the length of the warmup of each other cycle, from where the cycle before ended. With 0 the
        rate jumps up.
      cooldown: the length of a line to the lowest rate after all cycles, in steps or as a fraction of the
        run. Deprecated in Levanter.
      cycle_length: the length of each cycle, as a number of steps or a fraction of the run. The last one is
        longer if the run is no multiple of it. Or a list of lengths; the rest of the run is one more.
      cycles: the number of cycles, or a list of the steps at which they end, ascending, from 1 to the length
        of the run. The rest of the run is one more. Not together with `cycle_length`.
      lr_schedule: one of the first five names above, or a dict with the name in `type` and its arguments:
        `exponent=1.0`; `timescale=10000`; `batch_size` and `seq_length`, `a=4.6` and `b=-0.51`; `power=2.0`;
        `decay_constant=28.6`.
      haps: the old name of a list of `cycles`, which it replaces.

    Only `override_lr`, `learning_rate` and `min_lr_ratio` may be traced.

    Source: `OptimizerConfig.lr_scheduler` of Levanter at 9263f81e; `polynomial` and `inv_sqrt_decay` of
    `lib/levanter` in Marin at 0f45aa1c. Newer versions shorten a decay that does not fit after the warmup.
    Deviations: `"cosine"` and `"power"` take a decay of 0 and are at the highest rate; in Levanter they fail.
    The tokens of `"power"` do not overflow int32.
    """
    name = "learning_rate" if override_lr is None else "override_lr"
    lr = checked_number(name, learning_rate if override_lr is None else override_lr, at_least=0)
    low = lr * checked_number("min_lr_ratio", min_lr_ratio, at_least=0)
    total = int(_known("num_train_steps", whole("num_train_steps", num_train_steps, at_least=1)))
    last = 0 if cooldown is None else _steps("cooldown", cooldown, total)
    ends = _ends(total - last, cycle_length, cycles, haps)
    kind, arguments = _kind(lr_schedule)

    parts: list[tuple[int, Any, Schedule]] = []
    rate: Any = 0.0
    before: Any = None
    for i, (start, end) in enumerate(itertools.pairwise([0, *ends])):
        length = end - start
        rise = _steps("rewarmup", rewarmup, length) if i else _steps("warmup", warmup, length)
        fall = length - rise if decay is None else _steps("decay", decay, length)
        if fall < 0 and kind in (_cosine, _inv, _polynomial, _inv_sqrt_decay):
            raise ValueError(f"`warmup` must be at most the {length} steps of the cycle, got {rise}.")
        schedule, bottom = kind(lr, low, fall, rise, **arguments)
        if i and fall > length:
            begin = end - fall
            parts = [each for each in parts if each[0] < begin]
            parts.append((max(begin, 0), (length, i), shift(schedule, begin) if begin < 0 else schedule))
        else:
            part = _cycle(rate, lr, rise, length - fall, schedule)
            # Cycles are the same if their lengths are, and the rates at which their warmups begin.
            parts.append((start, (length, rise, fall, before if rise else None), part))
        rate, before = bottom, (rise, fall)
    # What goes on falling after its end must be a cycle of its own at the end of the run.
    single = [parts.pop()] if kind in (_inv_sqrt, _power, _inv_sqrt_decay) else []
    kept: list[Schedule] = []
    starts: list[int] = []
    for group in (parts, single):
        for (length, *_), same in itertools.groupby(group, key=lambda each: each[1]):
            (start, _, part), *others = same
            kept.append(cycle(part, length, cycles=1 + len(others)) if others else part)
            starts.append(start)
    if last:
        kept.append(Linear(rate, low, last))
        starts.append(total - last)
    return joined(kept, starts)


def from_config(config: Mapping[str, Any], *, num_train_steps: int | None = None) -> FromConfig:
    """The schedule of a run from Levanter's YAML, as a dict.

    `config` is that of the whole run or its `optimizer` section alone. These keys are read:

    - `optimizer`: `learning_rate`, `min_lr_ratio`, `warmup`, `decay`, `rewarmup`, `cooldown`, `cycle_length`,
      `cycles`, `lr_schedule` and `haps`, the arguments of `lr_scheduler` with the same defaults. With
      `adamc_weight_decay`, also `weight_decay`, for its schedule;
    - `trainer.num_train_steps`: 400,000 by default.

    An optimizer with a second rate, such as Muon's `adam_lr`, is refused: call `lr_scheduler` for each.

    >>> from jaxsched.ports import levanter
    >>> optimizer = {"learning_rate": 3e-4, "weight_decay": 0.1, "min_lr_ratio": 0.0, "warmup": 2000}
    >>> run = levanter.from_config({"trainer": {"num_train_steps": 750_000}, "optimizer": optimizer})
    >>> run.learning_rate, run.ignored
    (warmup(Cosine(0.0003, 0, 748000), 2000), ('optimizer.weight_decay',))

    Args:
      config: see above.
      num_train_steps: the length of the run, where `config` is the `optimizer` section alone.

    Returns:
      The schedule, and with `adamc_weight_decay` that of the weight decay, which is `weight_decay` at the
      highest rate; and the keys that do not matter to them.

    Raises:
      TypeError: a part of `config` is not a mapping, or has a value of the wrong type.
      ValueError: `config` has an unknown key that looks schedule-related, or its length is not known; or
        `lr_scheduler` refuses a value.

    Source: `levanter.optim.AdamConfig` and `TrainerConfig` of Levanter at 9263f81e.
    """
    config = section(config)
    others: tuple[str, ...] = ()
    optimizer, path = config, ""
    if "optimizer" in config or "trainer" in config:
        others += ignored(config, ("optimizer", "trainer"))
        optimizer, path = section(config.get("optimizer", {}), "optimizer"), "optimizer."
        trainer = section(config.get("trainer", {}), "trainer")
        others += ignored(trainer, ("num_train_steps",), path="trainer.")
        if num_train_steps is None:
            num_train_steps = trainer.get("num_train_steps", 400_000)
    if num_train_steps is None:
        raise ValueError("`num_train_steps` must be given where `config` has no `trainer`, got None.")
    names = {*inspect.signature(lr_scheduler).parameters} - {"num_train_steps", "override_lr"}
    adamc = checked_flag(f"{path}adamc_weight_decay", optimizer.get("adamc_weight_decay", False))
    used = names | {"adamc_weight_decay"} | ({"weight_decay"} if adamc else set())
    others += ignored(optimizer, used, path=path)
    read = {key: yaml_value(value) for key, value in optimizer.items()}
    schedule = lr_scheduler(num_train_steps, **{key: read[key] for key in read if key in names})
    if not adamc:
        return FromConfig(schedule, others)
    peak = checked_number(f"{path}learning_rate", read.get("learning_rate", 6e-4), above=0)
    weight_decay = checked_number(f"{path}weight_decay", read.get("weight_decay", 0.1), at_least=0)
    return FromConfig(schedule, others, weight_decay / peak * schedule)


def _known(name: str, value: Any) -> float:
    """A number on which the parts of a schedule depend."""
    return float(concrete(name, value, "it says how long the parts are"))


def _steps(name: str, value: Any, length: int) -> int:
    """A number of steps, from itself or from a fraction of a length."""
    kept = _known(name, checked_number(name, value, at_least=0))
    if kept > 1 and not kept.is_integer():
        raise ValueError(
            f"`{name}` must be a fraction of at most 1 or a whole number of steps, got {show(kept)}."
        )
    return int(kept * length) if kept <= 1 else int(kept)


def _ends(total: int, cycle_length: Any, cycles: Any, haps: Any) -> list[int]:
    """The steps at which the cycles end; the last one is `total`."""
    if total < 1:
        raise ValueError(f"`cooldown` must leave at least 1 step, got one that leaves {total}.")
    if cycle_length is not None and (cycles is not None or haps is not None):
        raise ValueError(
            f"`cycle_length` must be None with `cycles` or `haps`, got {brief(cycle_length)}; "
            "leave one of them out."
        )
    listed = haps if haps is not None else cycles
    if cycle_length is not None and not isinstance(cycle_length, Sequence):
        length = _steps("cycle_length", cycle_length, total)
        if length < 1:
            raise ValueError(f"`cycle_length` must be at least 1 step, got {show(float(cycle_length))}.")
        ends = [i * length for i in range(1, total // length)]
    elif cycle_length is not None:
        ends = list(itertools.accumulate(_whole_list("cycle_length", cycle_length)))
    elif isinstance(listed, Sequence):
        ends = _whole_list("cycles" if haps is None else "haps", listed)
    elif listed is not None:
        count = int(_known("cycles", whole("cycles", listed, at_least=0, at_most=min(total, MOST_PARTS))))
        ends = [int(total / count * (i + 1)) for i in range(count - 1)]
    else:
        ends = []
    name = "cycle_length" if cycle_length is not None else "cycles" if haps is None else "haps"
    for before, end in itertools.pairwise([0, *ends]):
        if not before < end <= total:
            raise ValueError(f"`{name}` must have ends that ascend to {total}, got {end} after {before}.")
    return ends if ends and ends[-1] == total else [*ends, total]


def _whole_list(name: str, values: Any) -> list[int]:
    """A list of whole numbers of at least 1."""
    if isinstance(values, str):
        raise TypeError(f"`{name}` must be a number or a list of numbers, got {describe(values)}.")
    checks = (whole(f"{name}[{i}]", value, at_least=1) for i, value in enumerate(values))
    return [int(_known(f"{name}[{i}]", value)) for i, value in enumerate(checks)]


def _cycle(first: Any, lr: Any, rise: int, begin: int, fall: Schedule) -> Schedule:
    """A warmup from `first` over `rise` steps, the highest rate, and a decay from step `begin` on."""
    flat = isinstance(fall, Constant) and fall.value is lr
    if flat:
        begin = min(begin, rise)
    if rise and begin == rise and (flat or isinstance(fall, Transition)):
        return ramped(fall, rise, first)
    parts: list[Any] = []
    starts: list[int] = []
    if rise and begin > 0:
        parts, starts = [Linear(first, lr, rise)], [0]
    if begin > rise:
        parts, starts = [*parts, lr], [*starts, rise]
    if not parts:
        return shift(fall, begin) if begin < 0 else fall
    return join([*parts, fall], [*starts[1:], begin])


def _kind(lr_schedule: Any) -> tuple[Callable[..., Decay], dict[str, Any]]:
    """The function that makes the decays, and its arguments."""
    if isinstance(lr_schedule, str):
        return one_of("lr_schedule", lr_schedule, {name: KINDS[name] for name in BY_NAME}), {}
    config = section(lr_schedule, "lr_schedule")
    kind = one_of("lr_schedule.type", config.get("type"), KINDS)
    allowed = [*inspect.signature(kind).parameters][4:]
    arguments = {}
    check_keys("lr_schedule", config, ["type", *allowed])
    for key, value in config.items():
        if key != "type":
            arguments[key] = _known(f"lr_schedule.{key}", checked_number(f"lr_schedule.{key}", value))
    return kind, arguments


def _constant(lr: Any, low: Any, steps: int, rise: int) -> Decay:
    return Constant(lr), lr


def _cosine(lr: Any, low: Any, steps: int, rise: int, exponent: float = 1.0) -> Decay:
    exponent = checked_number("lr_schedule.exponent", exponent, at_least=0, at_most=1e6)
    return _shaped(lambda: Cosine(lr, low, steps, exponent), lr, low, steps if exponent else 0)


def _linear(lr: Any, low: Any, steps: int, rise: int) -> Decay:
    return _shaped(lambda: Linear(lr, low, steps), lr, low, steps)


def _polynomial(lr: Any, low: Any, steps: int, rise: int, power: float = 2.0) -> Decay:
    power = checked_number("lr_schedule.power", power, at_least=0, at_most=1e6)
    return _shaped(lambda: Polynomial(lr, low, steps, power), lr, low, steps if power else 0)


def _shaped(make: Callable[[], Schedule], lr: Any, low: Any, steps: int) -> Decay:
    """A transition, or a constant if it has no length, as in Optax."""
    return (make(), low) if steps > 0 else (Constant(lr), lr)


def _inv(lr: Any, low: Any, steps: int, rise: int) -> Decay:
    for name, value in (("learning_rate", lr), ("min_lr_ratio", low)):
        if is_known(value, 0):
            raise ValueError(f"`{name}` must be above 0 for 'inv', which divides by it, got 0.")
    if steps == 0 or (is_concrete(lr, low) and low >= lr):
        return Constant(low), low
    timescale = steps * low / (lr - low)
    # Its clock begins at 1, and stays there for another step.
    first = lr * timescale / (timescale + 1)
    return clip(shift(InversePower(first, timescale + 1, 1.0), 1), low), low


def _inv_sqrt(lr: Any, low: Any, steps: int, rise: int, timescale: float = 10000.0) -> Decay:
    timescale = checked_number("lr_schedule.timescale", timescale, above=0)
    end = lr * min(1.0, math.sqrt(timescale / max(steps + rise, 1)))
    schedule = shift(InversePower(lr, timescale, 0.5), timescale - max(rise, 1))
    return _above(schedule if rise else shift(schedule, 1), low), larger(end, low)


def _power(
    lr: Any,
    low: Any,
    steps: int,
    rise: int,
    batch_size: Any = None,
    seq_length: Any = None,
    a: float = 4.6,
    b: float = -0.51,
) -> Decay:
    for name, value in (("batch_size", batch_size), ("seq_length", seq_length), ("a", a)):
        checked_number(f"lr_schedule.{name}", value, above=0)
    checked_number("lr_schedule.b", b, below=0, at_least=-1e6)
    lr = checked_number("learning_rate", lr, above=0)
    first = batch_size * a * (batch_size * seq_length) ** b
    # The step at which the power falls below the highest rate.
    timescale = (lr / first) ** (1 / b)
    end = smaller(lr, first * max(steps, 1) ** b)
    return shift(InversePower(lr, timescale, -b), timescale), end if steps > 0 else lr


def _inv_sqrt_decay(lr: Any, low: Any, steps: int, rise: int, decay_constant: float = 28.6) -> Decay:
    constant = checked_number("lr_schedule.decay_constant", decay_constant, above=0)
    if steps == 0:
        return Constant(lr), lr
    end = larger(lr / math.sqrt(1 + constant), low)
    return _above(InversePower(lr, steps / constant, 0.5), low), end


def _above(schedule: Schedule, low: Any) -> Schedule:
    """A schedule that does not go below a rate."""
    return schedule if is_known(low, 0) else clip(schedule, low)


BY_NAME = ("constant", "cosine", "linear", "inv_sqrt", "inv")
"""The decays that need no dict."""

KINDS: dict[str, Callable[..., Decay]] = {
    "constant": _constant,
    "cosine": _cosine,
    "linear": _linear,
    "inv_sqrt": _inv_sqrt,
    "inv": _inv,
    "power": _power,
    "polynomial": _polynomial,
    "inv_sqrt_decay": _inv_sqrt_decay,
}
