# ruff: noqa: D417, N802 - the module describes the arguments in common; the names are those of the originals.
r"""The schedulers of DeepSpeed, `deepspeed.runtime.lr_schedules`, and its JSON.

A port leaves out the optimizer. Its step $t$ is the number of updates made so far, that is the original's
`last_batch_iteration + 1`. The first update uses the rate that the constructor writes into the optimizer, so
a warmup has one more step at its minimum.

In all ports, `last_batch_iteration` must be -1: to resume a run, call the schedule with the step of the whole
run. Where the original takes a list with an entry for each parameter group, call the port once for each.

The ports with a warmup take these arguments:

- `warmup_num_steps`: the length $W$ of the warmup, a whole number of at least 1; 1 counts as 2.
- `warmup_type`: the curve of the warmup, `"log"` or `"linear"`. The original treats any other text as
  `"log"`, with a warning; the ports refuse it.

At steps 0 and 1 the warmup is at its lowest rate. Later it has gone the fraction

$$g(t) = \begin{cases}\ln t / \ln W & \text{for "log"} \\ (t - 1) / W & \text{for "linear"}\end{cases}$$

of its way up, until step $W$. What comes after it begins at step $W + 1$.

>>> from jaxsched.ports import deepspeed
>>> deepspeed.WarmupLR(0.0, 0.001, 500, warmup_type="linear")
shift(Linear(0, 0.001, 500), 1)
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from jaxsched._core.fields import Number, checked_flag, checked_number, is_concrete
from jaxsched._core.powers import log
from jaxsched._core.schedule import Constant, Schedule
from jaxsched.combinators.clocks import shift, staircase
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import knots, warmup
from jaxsched.ports._builders import beyond
from jaxsched.ports._checks import (
    MOST_PARTS,
    checked,
    concrete,
    is_known,
    larger,
    not_modelled,
    one_of,
    over,
    whole,
)
from jaxsched.ports._config import FromConfig, check_keys, ignored, section
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.levels import Piecewise
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.polynomial import Polynomial
from jaxsched.shapes.rational import InversePower

_SMALL_POWER = 1e-12
"""For a power $k$ as small as this, $1 - p^k$ is $-k \\ln p$ to 11 digits."""


def WarmupLR(
    warmup_min_lr: Number = 0.0,
    warmup_max_lr: Number | None = None,
    warmup_num_steps: Number = 1000,
    warmup_type: str = "log",
    last_batch_iteration: int = -1,
    *,
    lr: Number | None = None,
) -> Schedule:
    r"""A warmup, then a constant rate.

    $$f(t) = \text{warmup\_min\_lr} + (\text{warmup\_max\_lr} - \text{warmup\_min\_lr}) \, g(t)$$

    with $g$ as in the module, and 1 after the warmup.

    >>> from jaxsched.ports import deepspeed
    >>> deepspeed.WarmupLR(warmup_max_lr=0.1, warmup_num_steps=8)
    join([0, shift(warmup(0.1, 8, -48089834696.19879, partial(Polynomial, warp=1e-12)), -2)], [2])

    A power with a tiny exponent stands in for the logarithm. The large number is the rate at which it would
    begin at step 0; no step uses it.

    Args:
      warmup_min_lr: the first rate.
      warmup_max_lr: the last rate; `lr` by default.
      lr: the rate of the optimizer. It has no effect with `warmup_max_lr`.

    See the module for the other arguments.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside its range, or neither `warmup_max_lr` nor `lr` is given.

    Source: `WarmupLR` of DeepSpeed 0.19.8.
    """
    not_modelled(last_batch_iteration=last_batch_iteration)
    if warmup_max_lr is None:
        if lr is None:
            raise ValueError("`warmup_max_lr` must be given, or `lr`, the optimizer's rate, got None.")
        (warmup_max_lr,) = checked(lr=lr)
    low, high = checked(warmup_min_lr=warmup_min_lr, warmup_max_lr=warmup_max_lr)
    return _ramp(low, high, _warmup_steps(warmup_num_steps), warmup_type)


def WarmupDecayLR(
    total_num_steps: Number,
    warmup_min_lr: Number = 0.0,
    warmup_max_lr: Number = 0.001,
    warmup_num_steps: Number = 1000,
    warmup_type: str = "log",
    last_batch_iteration: int = -1,
) -> Schedule:
    r"""A warmup, then a straight line back to the first rate.

    With $a$ and $b$ = `warmup_min_lr` and `warmup_max_lr`, $W$ and $g$ as in the module, and
    $T$ = `total_num_steps`,

    $$f(t) = \begin{cases}a + (b - a) \, g(t) & t \le W \\
    a + (b - a) \max\left(0, \frac{T + 1 - t}{T - W}\right) & t > W\end{cases}$$

    If $T$ is at most $W$, the rate is $a$ after the warmup.

    >>> from jaxsched.ports import deepspeed
    >>> deepspeed.WarmupDecayLR(10_000, 0.0, 3e-5, 500, "linear")
    join([shift(Linear(0, 3e-05, 500), 1), Linear(3e-05, 0, 9500)], [501])

    Args:
      total_num_steps: the length $T$, a whole number of at least 0. The line ends at step $T + 1$, after the
        last update of a run of that length.
      warmup_min_lr: the first and the last rate.
      warmup_max_lr: the highest rate.

    See the module for the other arguments.

    Source: `WarmupDecayLR` of DeepSpeed 0.19.8.
    """
    not_modelled(last_batch_iteration=last_batch_iteration)
    low, high = checked(warmup_min_lr=warmup_min_lr, warmup_max_lr=warmup_max_lr)
    steps = _warmup_steps(warmup_num_steps)
    left = larger(whole("total_num_steps", total_num_steps, at_least=0) - steps, 0.0)
    return join([_ramp(low, high, steps, warmup_type), Linear(high, low, left)], [steps + 1])


def WarmupCosineLR(
    lr: Number,
    total_num_steps: Number,
    warmup_min_ratio: Number = 0.0,
    warmup_num_steps: Number = 1000,
    cos_min_ratio: Number = 0.0001,
    warmup_type: str = "log",
    last_batch_iteration: int = -1,
) -> Schedule:
    r"""A warmup, then half a cosine.

    With $r$ and $c$ = `warmup_min_ratio` and `cos_min_ratio`, $W$ and $g$ as in the module, and
    $T$ = `total_num_steps`,

    $$f(t) = \text{lr} \cdot \begin{cases}0 & t = 0 \\
    r + (1 - r) \, g(t) & 1 \le t \le W \\
    c + (1 - c) \, \tfrac12 (1 + \cos \pi p), \quad p = \min\left(1, \frac{t - W}{T - W}\right) & t > W
    \end{cases}$$

    If $T$ is at most $W$, $p$ is 1. The rate at step 0 is 0, whatever $r$ is.

    >>> from jaxsched.ports import deepspeed
    >>> deepspeed.WarmupCosineLR(0.1, 100, warmup_num_steps=10, warmup_type="linear")
    join([shift(Linear(0, 0.1, 10), 1), shift(Cosine(0.1, 1e-05, 90), -1)], [11])

    Args:
      lr: the rate of the optimizer, which is the highest rate.
      total_num_steps: the length $T$, a whole number of at least 0.
      warmup_min_ratio: the first rate of the warmup as a fraction of `lr`.
      cos_min_ratio: the last rate as a fraction of `lr`, at least 0.

    See the module for the other arguments.

    Source: `WarmupCosineLR` of DeepSpeed 0.19.8.
    """
    not_modelled(last_batch_iteration=last_batch_iteration)
    lr, first = checked(lr=lr, warmup_min_ratio=warmup_min_ratio)
    last = checked_number("cos_min_ratio", cos_min_ratio, at_least=0)
    steps = _warmup_steps(warmup_num_steps)
    left = larger(whole("total_num_steps", total_num_steps, at_least=0) - steps, 1.0)
    ramp = _ramp(first * lr, lr, steps, warmup_type)
    decay = shift(Cosine(lr, last * lr, left), -1)
    if is_known(first, 0):
        return join([ramp, decay], [steps + 1])
    return join([0.0, shift(ramp, -1), decay], [1, steps + 1])


def LRRangeTest(
    lr_range_test_min_lr: Number = 0.001,
    lr_range_test_step_size: Number = 2000,
    lr_range_test_step_rate: Number = 1.0,
    lr_range_test_staircase: bool = False,
    last_batch_iteration: int = -1,
) -> Schedule:
    r"""A rate that grows along a line, to see where training diverges.

    $$f(t) = \text{min} \left(1 + \text{rate} \cdot t / S\right)$$

    where $\text{min}$, $S$ and $\text{rate}$ are the first three arguments. With
    `lr_range_test_staircase`, $t / S$ is rounded down.

    >>> from jaxsched.ports import deepspeed
    >>> deepspeed.LRRangeTest(0.0001, 200)
    cycle(Linear(0.0001, 0.0002, 200), 200, 2, 2)

    The endless line is written as cycles that are twice as long and twice as high each time.

    Args:
      lr_range_test_min_lr: the first rate.
      lr_range_test_step_size: the number of steps $S$ over which the rate grows by `rate * min`, a whole
        number of at least 1.
      lr_range_test_step_rate: the growth.
      lr_range_test_staircase: whether the rate grows once every $S$ steps.

    See the module for the other argument, and `jaxsched.range_test` for a test that finds the rate too.

    Source: `LRRangeTest` of DeepSpeed 0.19.8.
    """
    not_modelled(last_batch_iteration=last_batch_iteration)
    low, growth = checked(
        lr_range_test_min_lr=lr_range_test_min_lr, lr_range_test_step_rate=lr_range_test_step_rate
    )
    steps = whole("lr_range_test_step_size", lr_range_test_step_size, at_least=1)
    line = beyond(low - low * growth, low, steps)
    return (
        staircase(line, steps) if checked_flag("lr_range_test_staircase", lr_range_test_staircase) else line
    )


def OneCycle(
    cycle_min_lr: Number,
    cycle_max_lr: Number,
    decay_lr_rate: Number = 0.0,
    cycle_first_step_size: Number = 2000,
    cycle_second_step_size: Number | None = None,
    cycle_first_stair_count: int = 0,
    cycle_second_stair_count: int | None = None,
    decay_step_size: Number = 0,
    cycle_momentum: bool = True,
    cycle_min_mom: Number = 0.8,
    cycle_max_mom: Number = 0.9,
    decay_mom_rate: Number = 0.0,
    last_batch_iteration: int = -1,
) -> Schedule:
    r"""Up and down once, then decay from the lowest rate.

    The rate rises from `cycle_min_lr` to `cycle_max_lr` over $A$ = `cycle_first_step_size` steps and falls
    back over $B$ = `cycle_second_step_size` steps. Then, for $t \ge A + B$,

    $$f(t) = \frac{\text{cycle\_min\_lr}}
    {1 + \text{decay\_lr\_rate} \, (t - A - B) / \text{decay\_step\_size}}$$

    >>> from jaxsched.ports import deepspeed
    >>> deepspeed.OneCycle(0.01, 0.1, decay_lr_rate=0.5, cycle_first_step_size=100, decay_step_size=50)
    join([knots([0.01, 0.1, 0.01], [0, 100, 200]), InversePower(0.01, 100, 1)], [200])

    Args:
      cycle_min_lr: the lowest rate.
      cycle_max_lr: the highest rate.
      decay_lr_rate: the decay after the cycle, at least 0; 0 is none.
      cycle_first_step_size: the number of steps $A$ up, a whole number of at least 1.
      cycle_second_step_size: the number of steps $B$ down, a whole number of at least 0; by default $A$. With
        0, the rate is at its lowest at step $A$, where it would be at its highest.
      cycle_first_stair_count: the number of stairs on the way up; without any, which is 0 or less, a line.
        A stair is at its level once the line has reached it.
      cycle_second_stair_count: the number of stairs on the way down; by default that of the way up. The rate
        leaves the top after one step.
      decay_step_size: the unit of the decay in steps, at least 0; 0 is no decay.
      cycle_momentum: no effect on the rate; see `OneCycleMomentum`.
      cycle_min_mom: no effect on the rate.
      cycle_max_mom: no effect on the rate.
      decay_mom_rate: no effect on the rate.

    See the module for the other argument. With stairs, $A$ and $B$ must be concrete. A traced
    `decay_lr_rate` or `decay_step_size` must be above 0.

    Source: `OneCycle` of DeepSpeed 0.19.8. Its documentation does not say that the decay starts from the
    lowest rate.
    """
    not_modelled(last_batch_iteration=last_batch_iteration)
    low, high = checked(cycle_min_lr=cycle_min_lr, cycle_max_lr=cycle_max_lr)
    rate = checked_number("decay_lr_rate", decay_lr_rate, at_least=0)
    every = checked_number("decay_step_size", decay_step_size, at_least=0)
    cycle, length = _cycle(
        low,
        high,
        cycle_first_step_size,
        cycle_second_step_size,
        cycle_first_stair_count,
        cycle_second_stair_count,
    )
    if is_known(rate, 0) or is_known(every, 0):
        return cycle
    return join([cycle, InversePower(low, over(every, "decay_lr_rate", rate), 1.0)], [length])


def OneCycleMomentum(
    cycle_min_lr: Number,
    cycle_max_lr: Number,
    decay_lr_rate: Number = 0.0,
    cycle_first_step_size: Number = 2000,
    cycle_second_step_size: Number | None = None,
    cycle_first_stair_count: int = 0,
    cycle_second_stair_count: int | None = None,
    decay_step_size: Number = 0,
    cycle_momentum: bool = True,
    cycle_min_mom: Number = 0.8,
    cycle_max_mom: Number = 0.9,
    decay_mom_rate: Number = 0.0,
    last_batch_iteration: int = -1,
) -> Schedule:
    r"""The momentum of `OneCycle`, Adam's first beta: down and up once, then along a line.

    The momentum falls from `cycle_max_mom` to `cycle_min_mom` while the rate rises, and rises back while it
    falls. Then, for $t \ge A + B$,

    $$f(t) = \text{cycle\_max\_mom}
    \left(1 + \text{decay\_mom\_rate} \, (t - A - B) / \text{decay\_step\_size}\right)$$

    Step 0 is at `cycle_min_mom`, because the original's constructor leaves it there, not at the momentum with
    which the cycle begins.

    >>> from jaxsched.ports import deepspeed
    >>> deepspeed.OneCycleMomentum(0.01, 0.1, cycle_first_step_size=100)
    join([0.8, shift(knots([0.9, 0.8, 0.9], [0, 100, 200]), -1)], [1])

    Args:
      cycle_min_lr: no effect on the momentum.
      cycle_max_lr: no effect on the momentum.
      decay_lr_rate: no effect on the momentum.
      cycle_first_step_size: as in `OneCycle`, and so are the four arguments after it.
      cycle_momentum: must be True. Otherwise the original leaves the momentum to the optimizer.
      cycle_min_mom: the lowest momentum.
      cycle_max_mom: the highest momentum of the cycle.
      decay_mom_rate: the growth after the cycle, despite its name. A momentum above 1 is not refused.

    Source: `OneCycle` of DeepSpeed 0.19.8, which also sets Adam's second beta to 0.99.
    """
    not_modelled(last_batch_iteration=last_batch_iteration)
    if not checked_flag("cycle_momentum", cycle_momentum):
        raise ValueError("`cycle_momentum` must be True for a cycled momentum, got False.")
    low, high, rate = checked(
        cycle_min_mom=cycle_min_mom, cycle_max_mom=cycle_max_mom, decay_mom_rate=decay_mom_rate
    )
    every = checked_number("decay_step_size", decay_step_size, at_least=0)
    momentum, length = _cycle(
        high,
        low,
        cycle_first_step_size,
        cycle_second_step_size,
        cycle_first_stair_count,
        cycle_second_stair_count,
    )
    if not is_known(rate, 0) and not is_known(every, 0):
        start = high - high * rate * length / every
        momentum = join([momentum, beyond(start, high, length)], [length])
    return join([low, shift(momentum, -1)], [1])


_SCHEDULERS: dict[str, Callable[..., Schedule]] = {
    "LRRangeTest": LRRangeTest,
    "OneCycle": OneCycle,
    "WarmupLR": WarmupLR,
    "WarmupDecayLR": WarmupDecayLR,
    "WarmupCosineLR": WarmupCosineLR,
}
"""The names in `scheduler.type`."""

_HAS_BETAS = re.compile("adam|lamb|lion", re.IGNORECASE)
"""What the names of the optimizers with `betas` have in them, the only ones whose momentum is cycled."""


def from_config(config: Mapping[str, Any], *, lr: Number | None = None) -> FromConfig:
    """The schedule of a DeepSpeed configuration, the JSON as a dict.

    | key                   | what it says                                            |
    |-----------------------|---------------------------------------------------------|
    | `optimizer.type`      | whether `OneCycle` cycles the momentum                  |
    | `optimizer.params.lr` | the rate, where the scheduler has none of its own       |
    | `scheduler.type`      | the name of a port; without `scheduler` the rate stays  |
    | `scheduler.params`    | the arguments of the port, of which none is ignored     |

    The schedulers without a rate of their own are `WarmupCosineLR` and a `WarmupLR` without
    `warmup_max_lr`. The momentum is cycled with optimizers that have betas: the families of Adam, LAMB and
    Lion.

    >>> from jaxsched.ports import deepspeed
    >>> made = deepspeed.from_config(
    ...     {
    ...         "train_batch_size": 512,
    ...         "optimizer": {"type": "AdamW", "params": {"lr": 3e-5, "betas": [0.9, 0.95]}},
    ...         "scheduler": {
    ...             "type": "WarmupLR",
    ...             "params": {"warmup_max_lr": 3e-5, "warmup_num_steps": 500, "warmup_type": "linear"},
    ...         },
    ...     }
    ... )
    >>> made.learning_rate
    shift(Linear(0, 3e-05, 500), 1)
    >>> made.ignored
    ('train_batch_size', 'optimizer.params.lr', 'optimizer.params.betas')

    Args:
      config: the configuration. An `"auto"`, which Transformers fills in, is refused: write the number.
      lr: the rate of the optimizer, if `config` has none because the program makes the optimizer.

    Returns:
      The schedule, and that of the momentum for a `OneCycle` that cycles it.

    Raises:
      TypeError: `config` is not a dict, or a value in it is of the wrong type.
      ValueError: a value is outside its range, a key of the schedule is not known, or a rate is missing.

    Source: `DeepSpeedEngine` of DeepSpeed 0.19.8, which also takes the names of PyTorch's schedulers; these
    are in `jaxsched.ports.torch`.
    """
    config = section(config)
    optimizer = section(config.get("optimizer", {}), "optimizer")
    of_optimizer = section(optimizer.get("params", {}), "optimizer.params")
    rest = (
        *ignored(config, {"optimizer", "scheduler"}),
        *ignored(optimizer, {"type", "params"}, path="optimizer."),
    )
    if "lr" in of_optimizer:
        if lr is not None:
            raise ValueError(f"`lr` must be left out if `config` has `optimizer.params.lr`, got {lr!r}.")
        lr = of_optimizer["lr"]
    if "scheduler" not in config:
        schedule: Schedule = Constant(*checked(lr=_rate(lr)))
        return FromConfig(schedule, (*rest, *ignored(of_optimizer, {"lr"}, path="optimizer.params.")))

    scheduler = section(config["scheduler"], "scheduler")
    rest += ignored(scheduler, {"type", "params"}, path="scheduler.")
    port = one_of("scheduler.type", scheduler.get("type"), _SCHEDULERS)
    params = section(scheduler.get("params", {}), "scheduler.params")
    arguments = {key: _number_at(f"scheduler.params.{key}", value) for key, value in params.items()}
    parameters = inspect.signature(port).parameters
    known = [name for name in parameters if name != "lr"]
    check_keys("scheduler.params", arguments, known)
    for name in known:
        if parameters[name].default is inspect.Parameter.empty and name not in arguments:
            raise ValueError(f"`scheduler.params` must have the key {name!r}, got {sorted(arguments)}.")
    needs_rate = "lr" in parameters and arguments.get("warmup_max_lr") is None
    schedule = port(**arguments, **({"lr": _rate(lr)} if needs_rate else {}))
    rest += ignored(of_optimizer, {"lr"} if needs_rate else (), {"lr"}, "optimizer.params.")
    cycles = port is OneCycle and arguments.get("cycle_momentum", True)
    has_betas = "type" not in optimizer or _HAS_BETAS.search(str(optimizer["type"]))
    momentum = OneCycleMomentum(**arguments) if cycles and has_betas else None
    return FromConfig(schedule, rest, momentum=momentum)


def _rate(lr: Any) -> Any:
    """The rate of the optimizer, where a schedule needs it.

    Raises:
      ValueError: it is not known.
    """
    if lr is None:
        raise ValueError("`lr` must be given, or `optimizer.params.lr` in `config`, got neither.")
    return _number_at("optimizer.params.lr", lr)


def _number_at(path: str, value: Any) -> Any:
    """`value`, unless it is left to Transformers.

    Raises:
      ValueError: it is.
    """
    if isinstance(value, str) and value == "auto":
        raise ValueError(f"`{path}` must be a value, got 'auto': write what Transformers fills in there.")
    return value


def _warmup_steps(warmup_num_steps: Number) -> Any:
    return larger(whole("warmup_num_steps", warmup_num_steps, at_least=1), 2.0)


def _ramp(low: Any, high: Any, steps: Any, warmup_type: str) -> Schedule:
    """A warmup over some steps, on the clock of the port, and then `high`."""
    if one_of("warmup_type", warmup_type, {"log": False, "linear": True}):
        return shift(Linear(low, high, steps), 1)
    # At step 1 a power of the fraction `1 / steps` is at `low`, and at step 0 it would be here.
    start = high - (high - low) / (_SMALL_POWER * log(1.0 * steps))
    logarithm = functools.partial(Polynomial, warp=_SMALL_POWER)
    return join([low, shift(warmup(high, steps, start, logarithm), -2)], [2])


def _cycle(
    start: Any,
    top: Any,
    first_step_size: Number,
    second_step_size: Number | None,
    first_stair_count: int,
    second_stair_count: int | None,
) -> tuple[Schedule, Any]:
    """From `start` to `top` and back, in lines or stairs, and the number of steps that it takes."""
    first = whole("cycle_first_step_size", first_step_size, at_least=1)
    second = first
    if second_step_size is not None:
        second = whole("cycle_second_step_size", second_step_size, at_least=0)
    length = first + second
    up_stairs = _stairs("cycle_first_stair_count", first_stair_count)
    down_stairs = up_stairs
    if second_stair_count is not None:
        down_stairs = _stairs("cycle_second_stair_count", second_stair_count)
    if not up_stairs and not down_stairs:
        return knots([start, top, start], [0, first, length]), length
    if not is_concrete(first, second):
        raise TypeError(
            "`cycle_first_step_size` and `cycle_second_step_size` must be concrete with stairs, got a traced "
            "number: the steps of the stairs depend on them."
        )
    up: Schedule = Linear(start, top, first)
    if up_stairs:
        up = Piecewise(_levels(start, top, up_stairs), _ends(first, up_stairs))
    down: Schedule = Linear(top, start, second)
    if down_stairs and second > 0:
        ends = [second + 1 - end for end in reversed(_ends(second, down_stairs))]
        down = Piecewise(_levels(top, start, down_stairs), ends)
    return join([up, down], [first]), length


def _stairs(name: str, count: Any) -> int:
    """The number of stairs; none for a number below 1.

    Raises:
      TypeError: it is not a concrete number.
      ValueError: it is not whole, or above `MOST_PARTS`.
    """
    return max(int(concrete(name, whole(name, count, at_most=MOST_PARTS), "the stairs depend on it")), 0)


def _levels(start: Any, end: Any, stairs: int) -> list[Any]:
    return [start * ((stairs - i) / stairs) + end * (i / stairs) for i in range(stairs + 1)]


def _ends(steps: Any, stairs: int) -> list[int]:
    """The first steps at which a line over `steps` has reached each of the stairs."""
    return [-(-i * int(steps) // stairs) for i in range(1, stairs + 1)]
