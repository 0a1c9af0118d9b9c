# ruff: noqa: D417, N802 - the module describes the arguments in common; the names are those of the originals.
r"""The schedulers of MosaicML Composer, `composer.optim.scheduler`.

A port takes the base rate `lr` first, then the arguments of the original. Its step is the number of batches
before the update, `state.timestamp.batch`. Composer's trainer asks its scheduler for the next rate before it
counts the batch. So update $n$, from 0, uses the rate of step $\max(n - 1, 0)$, as with
`jaxsched.shift(schedule, 1)`.

A time is a string: a whole number of epochs (`"10ep"`), batches (`"500ba"`), samples (`"4096sp"`) or tokens
(`"1e9tok"`), or a fraction of the run (`"0.1dur"`). You pass what the original learns from its trainer by
name. It must be concrete:

- `max_duration`: the length of the run before it is scaled, a time, or a number of epochs. It is needed for
  times in `"dur"`.
- `dataloader_len`: the number of batches in an epoch, at least 1. It is needed for times in `"ep"`.
- `scale_schedule_ratio`: the factor on the length of the run and on the times of its schedule, above 0; by
  default 1.
- `samples_per_batch`, `tokens_per_batch`: needed for times in `"sp"` and `"tok"`, above 0. All batches have
  the same number, including the last of an epoch.

As in the original, times are rounded down to whole batches, samples or tokens after they are scaled; epochs
are scaled as batches.

The ports that warm up also take the arguments below. The rate rises from 0 on a straight line over
`t_warmup`, and what follows fills the rest of `t_max`, which must not be shorter than the run.

- `t_warmup`: the length of the warmup, in the unit of `t_max`; epochs count as batches. If it is not below
  `t_max`, the rate stays where the warmup ends.
- `t_max`: the end of the schedule, warmup included; from then on it stays at its last rate.
- `scale_warmup`: whether `scale_schedule_ratio` also changes the slope of the warmup. Its end stays where it
  is: with a ratio below 1 the rate waits there, and with one above 1 it jumps.

Deviations: a time that comes out as 0 is refused if the original divides by it. Wall-clock times (`"sec"`),
iterations (`"iter"`), negative times and a negative `gamma` are refused too.

>>> from jaxsched.ports import composer
>>> composer.CosineAnnealingWithWarmupScheduler(0.2, "10ba", max_duration="3ep", dataloader_len=30)
warmup(Cosine(0.2, 0, 80), 10)
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypedDict, Unpack

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.fields import Number, brief, checked_flag, checked_number, describe
from jaxsched._core.schedule import Constant, Schedule
from jaxsched.combinators.cycle import cycle
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import knots, warmup
from jaxsched.ports._builders import polynomial
from jaxsched.ports._checks import checked, concrete, is_known, one_of, whole
from jaxsched.ports._config import FromConfig, ignored, section
from jaxsched.presets import multi_step, step_decay
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.exponential import Exponential
from jaxsched.shapes.levels import Piecewise
from jaxsched.shapes.linear import Linear


class Run(TypedDict, total=False):
    """What a scheduler learns from its trainer; see the module."""

    max_duration: str | int | None
    dataloader_len: int | None
    scale_schedule_ratio: float
    samples_per_batch: float | None
    tokens_per_batch: float | None


def StepScheduler(lr: Number, step_size: str, gamma: Number = 0.1, **run: Unpack[Run]) -> Schedule:
    r"""$\text{lr} \cdot \text{gamma}^{\lfloor t / \text{step\_size} \rfloor}$.

    >>> from jaxsched.ports import composer
    >>> composer.StepScheduler(0.1, "30ep", dataloader_len=100)
    staircase(Exponential(0.1, 0.1, 3000), 3000)

    Args:
      lr: the base rate.
      step_size: the time between two cuts.
      gamma: the factor of each cut, at least 0.

    See the module for the other arguments.

    Source: `StepScheduler` of mosaicml 0.32.1.
    """
    every = _Trainer(**run).time("step_size", step_size, at_least=1)
    (lr,) = checked(lr=lr)
    return step_decay(lr, checked_number("gamma", gamma, at_least=0), every.period)


def MultiStepScheduler(
    lr: Number, milestones: Sequence[str], gamma: Number = 0.1, **run: Unpack[Run]
) -> Schedule:
    r"""$\text{lr} \cdot \text{gamma}^x$ after $x$ milestones.

    >>> from jaxsched.ports import composer
    >>> composer.MultiStepScheduler(0.1, ["0.5dur", "0.75dur"], gamma=0.5, max_duration="90ba")
    Piecewise([0.1, 0.05, 0.025], [45, 67])

    Args:
      lr: the base rate.
      milestones: the times of the cuts, in any order.
      gamma: the factor of each cut.

    See the module for the other arguments.

    Source: `MultiStepScheduler` of mosaicml 0.32.1.
    """
    return _levels(lr, gamma, _Trainer(**run).times("milestones", milestones))


def ConstantScheduler(lr: Number, alpha: Number = 1.0, t_max: str = "1dur", **run: Unpack[Run]) -> Schedule:
    r"""$\text{lr} \cdot \text{alpha}$ before `t_max`, and then `lr`.

    >>> from jaxsched.ports import composer
    >>> composer.ConstantScheduler(0.1, 0.5, "20ba")
    Piecewise([0.05, 0.1], [20])

    Args:
      lr: the base rate.
      alpha: the factor before `t_max`.
      t_max: how long.

    See the module for the other arguments.

    Source: `ConstantScheduler` of mosaicml 0.32.1.
    """
    lr, alpha = checked(lr=lr, alpha=alpha)
    end = _Trainer(**run).time("t_max", t_max).batches
    return Constant(lr) if is_known(alpha, 1) else Piecewise([alpha * lr, lr], [end])


def LinearScheduler(
    lr: Number, alpha_i: Number = 1.0, alpha_f: Number = 0.0, t_max: str = "1dur", **run: Unpack[Run]
) -> Schedule:
    r"""A straight line.

    $$f(t) = \text{lr} \, (\text{alpha\_i} + \tau \, (\text{alpha\_f} - \text{alpha\_i})),
    \quad \tau = \min(t / \text{t\_max}, 1)$$

    >>> from jaxsched.ports import composer
    >>> composer.LinearScheduler(0.1, max_duration="1e6sp", samples_per_batch=500)
    Linear(0.1, 0, 2000)

    Args:
      lr: the base rate.
      alpha_i: the first factor.
      alpha_f: the last factor.
      t_max: the time of the last factor.

    See the module for the other arguments.

    Source: `LinearScheduler` of mosaicml 0.32.1.
    """
    lr, alpha_i, alpha_f = checked(lr=lr, alpha_i=alpha_i, alpha_f=alpha_f)
    return Linear(alpha_i * lr, alpha_f * lr, _Trainer(**run).time("t_max", t_max, at_least=1).batches)


def ExponentialScheduler(
    lr: Number, gamma: Number, decay_period: str = "1ep", **run: Unpack[Run]
) -> Schedule:
    r"""$\text{lr} \cdot \text{gamma}^{t / \text{decay\_period}}$, at every batch.

    >>> from jaxsched.ports import composer
    >>> composer.ExponentialScheduler(0.1, 0.9, dataloader_len=100)
    Exponential(0.1, 0.9, 100)

    Args:
      lr: the base rate.
      gamma: the factor over each period, at least 0.
      decay_period: the time for one factor.

    See the module for the other arguments.

    Source: `ExponentialScheduler` of mosaicml 0.32.1.
    """
    period = _Trainer(**run).time("decay_period", decay_period, at_least=1)
    (lr,) = checked(lr=lr)
    return Exponential(lr, checked_number("gamma", gamma, at_least=0), period.batches)


def CosineAnnealingScheduler(
    lr: Number, t_max: str = "1dur", alpha_f: Number = 0.0, **run: Unpack[Run]
) -> Schedule:
    r"""Half a cosine.

    $$f(t) = \text{lr} \left(\text{alpha\_f} + (1 - \text{alpha\_f}) \,
    \tfrac12 (1 + \cos(\pi \tau))\right), \quad \tau = \min(t / \text{t\_max}, 1)$$

    >>> from jaxsched.ports import composer
    >>> composer.CosineAnnealingScheduler(0.1, max_duration="60ba", dataloader_len=10)
    Cosine(0.1, 0, 60)

    Args:
      lr: the base rate.
      t_max: the time of the last rate.
      alpha_f: the last factor.

    See the module for the other arguments.

    Source: `CosineAnnealingScheduler` of mosaicml 0.32.1.
    """
    lr, alpha_f = checked(lr=lr, alpha_f=alpha_f)
    return Cosine(lr, alpha_f * lr, _Trainer(**run).time("t_max", t_max, at_least=1).batches)


def CosineAnnealingWarmRestartsScheduler(
    lr: Number, t_0: str, t_mult: float = 1.0, alpha_f: Number = 0.0, **run: Unpack[Run]
) -> Schedule:
    r"""Half cosines, each `t_mult` times as long as the one before, rounded down.

    In cycle $i$, with the length $T_0 = \text{t\_0}$, $T_i = \lfloor \text{t\_mult} \, T_{i-1} \rfloor$ and
    $t'$ of it passed,

    $$f(t) = \text{lr} \left(\text{alpha\_f} + (1 - \text{alpha\_f}) \,
    \tfrac12 (1 + \cos(\pi \, t' / T_i))\right)$$

    >>> from jaxsched.ports import composer
    >>> composer.CosineAnnealingWarmRestartsScheduler(0.1, "10ba", t_mult=2)
    cycle(Cosine(0.1, 0, 10), 10, 2)
    >>> composer.CosineAnnealingWarmRestartsScheduler(0.1, "10ba", t_mult=0.4)
    knots([0.1, 0, 0.1, 0, 0.1, 0], [0, 10, 10, 14, 14, 15], Cosine)

    Args:
      lr: the base rate.
      t_0: the length of the first cycle.
      t_mult: the factor on the length, at least 0 and concrete. Below 1, the cycles must cover the run, if
        `max_duration` is given. After them the original fails; the port stays at the last rate.
      alpha_f: the last factor of a cycle.

    See the module for the other arguments.

    Source: `CosineAnnealingWarmRestartsScheduler` of mosaicml 0.32.1.
    """
    trainer = _Trainer(**run)
    first = trainer.time("t_0", t_0, at_least=1)
    growth = _known("t_mult", t_mult, at_least=0)
    lr, alpha_f = checked(lr=lr, alpha_f=alpha_f)
    if growth >= 1 and (growth.is_integer() or int(growth * first.value) == first.value):
        factor = growth if growth.is_integer() else 1.0
        return cycle(Cosine(lr, alpha_f * lr, first.batches), first.period, factor)
    length, ends = first.value, [0]
    while length and ends[-1] < LAST_STEP * first.per_batch:
        ends.append(ends[-1] + length)
        length = int(growth * length)
    run_length = trainer.run()
    if run_length is not None and run_length.unit == first.unit and ends[-1] < run_length.value:
        raise ValueError(
            f"`t_mult` must be larger, so that the cycles cover the run of {run_length}, "
            f"got {growth:g}: they end after {ends[-1]}{first.unit}."
        )
    steps = [ends[0], *(end for end in ends[1:-1] for _ in range(2)), ends[-1]]
    return knots([lr, alpha_f * lr] * (len(ends) - 1), [step / first.per_batch for step in steps], Cosine)


def PolynomialScheduler(
    lr: Number, power: Number, t_max: str = "1dur", alpha_f: Number = 0.0, **run: Unpack[Run]
) -> Schedule:
    r"""A power of the remaining fraction.

    $$f(t) = \text{lr} \left(\text{alpha\_f} + (1 - \text{alpha\_f}) (1 - \tau)^\text{power}\right),
    \quad \tau = \min(t / \text{t\_max}, 1)$$

    >>> from jaxsched.ports import composer
    >>> composer.PolynomialScheduler(0.1, 2, "2ep", dataloader_len=50)
    Polynomial(0.1, 0, 100, 2)

    Args:
      lr: the base rate.
      power: from 0 to 1,000,000.
      t_max: the time of the last rate.
      alpha_f: the last factor.

    See the module for the other arguments.

    Source: `PolynomialScheduler` of mosaicml 0.32.1.
    """
    lr, alpha_f = checked(lr=lr, alpha_f=alpha_f)
    return polynomial(lr, alpha_f * lr, _Trainer(**run).time("t_max", t_max, at_least=1).batches, power)


def MultiStepWithWarmupScheduler(
    lr: Number,
    t_warmup: str,
    milestones: Sequence[str],
    gamma: Number = 0.1,
    scale_warmup: bool = False,
    **run: Unpack[Run],
) -> Schedule:
    r"""A warmup, and then $\text{lr} \cdot \text{gamma}^x$ after $x$ milestones.

    >>> from jaxsched.ports import composer
    >>> composer.MultiStepWithWarmupScheduler(0.1, "10ba", ["30ba", "60ba"], gamma=0.5)
    join([Linear(0, 0.1, 10), Piecewise([0.1, 0.05, 0.025], [20, 50])], [10])

    Args:
      lr: the base rate.
      milestones: the times of the cuts, in any order, from the start of the warmup. Those within it take
        effect when it ends.
      gamma: the factor of each cut.

    See the module for the other arguments. The units of the times may differ.

    Source: `MultiStepWithWarmupScheduler` of mosaicml 0.32.1.
    """
    trainer = _Trainer(**run)
    ramp, stop = trainer.warmup(t_warmup, scale_warmup)
    start = stop.batches
    levels = _levels(lr, gamma, [max(cut - start, 0) for cut in trainer.times("milestones", milestones)])
    return join([Linear(0.0, lr, ramp.batches), levels], [start]) if start else levels


def ConstantWithWarmupScheduler(
    lr: Number,
    t_warmup: str,
    alpha: Number = 1.0,
    t_max: str = "1dur",
    scale_warmup: bool = False,
    **run: Unpack[Run],
) -> Schedule:
    r"""A warmup to $\text{lr} \cdot \text{alpha}$, which is kept.

    >>> from jaxsched.ports import composer
    >>> composer.ConstantWithWarmupScheduler(0.1, "10ba", max_duration="90ba")
    warmup(0.1, 10)

    Args:
      lr: the base rate.
      alpha: the factor.

    See the module for the other arguments. The original's documentation says that the factor is 1 after
    `t_max`; it stays at `alpha`.

    Source: `ConstantWithWarmupScheduler` of mosaicml 0.32.1.
    """
    lr, alpha = checked(lr=lr, alpha=alpha)
    return _warmed_up(lambda steps: Constant(alpha * lr), alpha * lr, t_warmup, t_max, scale_warmup, run)


def LinearWithWarmupScheduler(
    lr: Number,
    t_warmup: str,
    alpha_i: Number = 1.0,
    alpha_f: Number = 0.0,
    t_max: str = "1dur",
    scale_warmup: bool = False,
    **run: Unpack[Run],
) -> Schedule:
    r"""A warmup to $\text{lr} \cdot \text{alpha\_i}$, and then a straight line.

    $$f(t) = \text{lr} \, (\text{alpha\_i} + \tau \, (\text{alpha\_f} - \text{alpha\_i})),
    \quad \tau = \min\left(\frac{t - \text{t\_warmup}}{\text{t\_max} - \text{t\_warmup}}, 1\right)$$

    >>> from jaxsched.ports import composer
    >>> composer.LinearWithWarmupScheduler(0.1, "0.1dur", max_duration="90ba")
    warmup(Linear(0.1, 0, 81), 9)

    Args:
      lr: the base rate.
      alpha_i: the factor after the warmup.
      alpha_f: the last factor.

    See the module for the other arguments.

    Source: `LinearWithWarmupScheduler` of mosaicml 0.32.1.
    """
    lr, alpha_i, alpha_f = checked(lr=lr, alpha_i=alpha_i, alpha_f=alpha_f)

    def line(steps: Any) -> Schedule:
        return Linear(alpha_i * lr, alpha_f * lr, steps)

    return _warmed_up(line, alpha_i * lr, t_warmup, t_max, scale_warmup, run)


def CosineAnnealingWithWarmupScheduler(
    lr: Number,
    t_warmup: str,
    t_max: str = "1dur",
    alpha_f: Number = 0.0,
    scale_warmup: bool = False,
    **run: Unpack[Run],
) -> Schedule:
    r"""A warmup to `lr`, and then half a cosine.

    $$f(t) = \text{lr} \left(\text{alpha\_f} + (1 - \text{alpha\_f}) \, \tfrac12 (1 + \cos(\pi \tau))\right),
    \quad \tau = \min\left(\frac{t - \text{t\_warmup}}{\text{t\_max} - \text{t\_warmup}}, 1\right)$$

    >>> from jaxsched.ports import composer
    >>> composer.CosineAnnealingWithWarmupScheduler(1.2e-4, "100ba", alpha_f=0.1, max_duration="63900ba")
    warmup(Cosine(0.00012, 1.2e-05, 63800), 100)

    Args:
      lr: the base rate.
      alpha_f: the last factor.

    See the module for the other arguments.

    Source: `CosineAnnealingWithWarmupScheduler` of mosaicml 0.32.1.
    """
    lr, alpha_f = checked(lr=lr, alpha_f=alpha_f)
    return _warmed_up(lambda steps: Cosine(lr, alpha_f * lr, steps), lr, t_warmup, t_max, scale_warmup, run)


def PolynomialWithWarmupScheduler(
    lr: Number,
    t_warmup: str,
    power: Number = 2.0,
    t_max: str = "1dur",
    alpha_f: Number = 0.0,
    scale_warmup: bool = False,
    **run: Unpack[Run],
) -> Schedule:
    r"""A warmup to `lr`, and then a power of the remaining fraction.

    $$f(t) = \text{lr} \left(\text{alpha\_f} + (1 - \text{alpha\_f}) (1 - \tau)^\text{power}\right),
    \quad \tau = \min\left(\frac{t - \text{t\_warmup}}{\text{t\_max} - \text{t\_warmup}}, 1\right)$$

    >>> from jaxsched.ports import composer
    >>> composer.PolynomialWithWarmupScheduler(0.1, "10ba", max_duration="90ba")
    warmup(Polynomial(0.1, 0, 80, 2), 10)

    Args:
      lr: the base rate.
      power: from 0 to 1,000,000.
      alpha_f: the last factor.

    See the module for the other arguments.

    Source: `PolynomialWithWarmupScheduler` of mosaicml 0.32.1.
    """
    lr, alpha_f = checked(lr=lr, alpha_f=alpha_f)

    def power_of_rest(steps: Any) -> Schedule:
        return polynomial(lr, alpha_f * lr, steps, power)

    return _warmed_up(power_of_rest, lr, t_warmup, t_max, scale_warmup, run)


_NAMES: dict[str, Callable[..., Schedule]] = {
    "constant_with_warmup": ConstantWithWarmupScheduler,
    "cosine_with_warmup": CosineAnnealingWithWarmupScheduler,
    "linear_decay_with_warmup": LinearWithWarmupScheduler,
}
"""The schedulers of Composer by their names in LLM Foundry."""


def from_config(
    config: Any, *, dataloader_len: int | None = None, tokens_per_batch: float | None = None
) -> FromConfig:
    """The schedule of a configuration of Composer, such as a YAML of LLM Foundry, read into a dict.

    These keys are read:

    - `optimizer.lr`: the base rate.
    - `scheduler.name`: `"constant_with_warmup"`, `"cosine_with_warmup"` or `"linear_decay_with_warmup"`; the
      other keys of `scheduler` are the arguments of that scheduler.
    - `max_duration` and `scale_schedule_ratio`.
    - `global_train_batch_size`, the number of samples in a batch, and `max_seq_len`, the number of tokens in
      a sample: needed for times in `"sp"` and `"tok"`.

    >>> from jaxsched.ports import composer
    >>> composer.from_config({
    ...     "scheduler": {"name": "cosine_with_warmup", "t_warmup": "100ba", "alpha_f": 0.1},
    ...     "optimizer": {"name": "decoupled_adamw", "lr": 1.2e-4, "betas": [0.9, 0.95]},
    ...     "max_duration": "63900ba",
    ...     "seed": 17,
    ... })
    FromConfig(learning_rate=warmup(Cosine(0.00012, 1.2e-05, 63800), 100), \
ignored=('seed', 'optimizer.name', 'optimizer.betas'), weight_decay=None, momentum=None, plateau=None)

    Args:
      config: the configuration. Resolve references such as `${max_seq_len}` first.
      dataloader_len: the number of batches in an epoch, which is not in the configuration.
      tokens_per_batch: by default the product of `global_train_batch_size` and `max_seq_len`. Composer does
        not count padding, so if there is much, give the mean number.

    Source: `llmfoundry.optim` of LLM Foundry at commit 0c923c2, and `composer.Trainer` of mosaicml 0.32.1.
    """
    config = section(config)
    scheduler = section(config.get("scheduler"), "scheduler")
    optimizer = section(config.get("optimizer"), "optimizer")
    port = one_of("scheduler.name", scheduler.get("name"), _NAMES)
    arguments = {key: value for key, value in scheduler.items() if key != "name"}
    known = [name for name in inspect.signature(port).parameters if name not in ("lr", "run")]
    for key in arguments:
        if key not in known:
            raise ValueError(
                f"`scheduler` must have only the keys {['name', *known]} for {scheduler['name']!r}, "
                f"got {brief(key)}."
            )
    if "t_warmup" not in arguments:
        raise ValueError("`scheduler.t_warmup` must be given, such as '100ba', got none.")
    samples, length = config.get("global_train_batch_size"), config.get("max_seq_len")
    if tokens_per_batch is None and samples is not None and length is not None:
        batch, tokens = checked(global_train_batch_size=samples, max_seq_len=length)
        tokens_per_batch = batch * tokens
    used = {
        "scheduler",
        "optimizer",
        "max_duration",
        "scale_schedule_ratio",
        "global_train_batch_size",
        "max_seq_len",
    }
    return FromConfig(
        port(
            checked_number("optimizer.lr", optimizer.get("lr")),
            **arguments,
            max_duration=config.get("max_duration"),
            scale_schedule_ratio=config.get("scale_schedule_ratio", 1.0),
            dataloader_len=dataloader_len,
            samples_per_batch=samples,
            tokens_per_batch=tokens_per_batch,
        ),
        ignored(config, used) + ignored(optimizer, {"lr"}, path="optimizer."),
    )


class _Time(NamedTuple):
    """A whole number of batches, samples or tokens, and how many of them a batch has."""

    value: int
    unit: str
    per_batch: float = 1.0

    def __str__(self) -> str:
        return f"{self.value}{self.unit}"

    @property
    def batches(self) -> float:
        return self.value / self.per_batch

    @property
    def period(self) -> float:
        """As `batches`, but rounded down, so that a cut is not late at a step at which it falls exactly."""
        batches = self.batches
        return batches if batches.is_integer() else math.nextafter(batches, 0.0)


_UNITS = re.compile("(.+)(ep|ba|sp|tok|dur)", re.IGNORECASE)
"""A time string; Composer takes capitals too."""


class _Trainer:
    """What a scheduler reads from Composer's trainer to resolve its times."""

    def __init__(
        self,
        *,
        max_duration: str | int | None = None,
        dataloader_len: int | None = None,
        scale_schedule_ratio: float = 1.0,
        samples_per_batch: float | None = None,
        tokens_per_batch: float | None = None,
    ) -> None:
        self.ratio = _known("scale_schedule_ratio", scale_schedule_ratio, above=0)
        self.sizes: dict[str, tuple[str, float | None]] = {
            unit: (name, None if size is None else _known(name, size, above=0))
            for unit, name, size in (
                ("ep", "dataloader_len", dataloader_len),
                ("sp", "samples_per_batch", samples_per_batch),
                ("tok", "tokens_per_batch", tokens_per_batch),
            )
        }
        if dataloader_len is not None:
            whole("dataloader_len", dataloader_len, at_least=1)
        self.max_duration: tuple[int, str] | None = None
        if max_duration is not None:
            if not isinstance(max_duration, str):
                epochs = _known("max_duration", whole("max_duration", max_duration))
                max_duration = f"{epochs:.0f}ep"
            value, unit = _parsed("max_duration", max_duration)
            scaled = int(value * self.ratio)
            if unit == "dur" or scaled < 1:
                raise ValueError(
                    "`max_duration` must be at least 1 in 'ep', 'ba', 'sp' or 'tok' after it is scaled by "
                    f"{self.ratio:g}, got {max_duration!r}."
                )
            self.max_duration = scaled, unit

    def time(self, name: str, text: Any, *, ratio: float | None = None, at_least: int = 0) -> _Time:
        """A time string, scaled by the ratio or by another one."""
        value, unit = _parsed(name, text)
        if unit == "dur":
            if self.max_duration is None:
                raise ValueError(f"`max_duration` must be given for `{name}` {text!r}, got None.")
            most, unit = self.max_duration
            # In the original's order, since products of floats are rounded before they are truncated.
            scaled = value * self._size(unit, name, text) * most if unit == "ep" else value * most
        else:
            if unit == "ep":
                value *= self._size(unit, name, text)
            scaled = value * (self.ratio if ratio is None else ratio)
        unit = "ba" if unit == "ep" else unit
        time = _Time(int(scaled), unit, self._size(unit, name, text))
        if time.value < at_least:
            raise ValueError(f"`{name}` must be at least {at_least}{unit}, got {text!r}, which is {time}.")
        return time

    def times(self, name: str, texts: Any) -> list[float]:
        """The times of a list, in batches and sorted."""
        if not isinstance(texts, Sequence) or isinstance(texts, str):
            raise TypeError(
                f"`{name}` must be a list of times, such as ['10ep', '20ep'], got {describe(texts)}."
            )
        return sorted(self.time(f"{name}[{i}]", text).batches for i, text in enumerate(texts))

    def warmup(self, t_warmup: str, scale_warmup: bool) -> tuple[_Time, _Time]:
        """The time in which the warmup would rise to its end, and the time at which it stops."""
        stop = self.time("t_warmup", t_warmup, ratio=1.0)
        if not checked_flag("scale_warmup", scale_warmup) or not stop.value:
            return stop, stop
        return self.time("t_warmup", t_warmup, at_least=1), stop

    def run(self) -> _Time | None:
        """The length of the run, in batches if it is given in epochs, or `None` if it is not known."""
        if self.max_duration is None:
            return None
        value, unit = self.max_duration
        _, epoch = self.sizes["ep"]
        if unit == "ep":
            return None if epoch is None else _Time(int(value * epoch), "ba")
        return _Time(value, unit)

    def _size(self, unit: str, name: str, text: str) -> float:
        """The number of batches in an epoch, or of samples or tokens in a batch."""
        argument, size = self.sizes.get(unit, ("", 1.0))
        if size is None:
            raise ValueError(f"`{argument}` must be given for `{name}` {text!r}, got None.")
        return size


def _parsed(name: str, text: Any) -> tuple[float, str]:
    """The number and the unit of a time string."""
    if not isinstance(text, str):
        raise TypeError(f"`{name}` must be a time string, such as '10ep' or '0.1dur', got {describe(text)}.")
    matched = _UNITS.fullmatch(text)
    try:
        value = float(matched[1]) if matched else math.nan
    except ValueError:
        value = math.nan
    unit = matched[2].lower() if matched else ""
    if not 0 <= value < math.inf or (unit != "dur" and not value.is_integer()):
        raise ValueError(
            f"`{name}` must be a whole number of 'ep', 'ba', 'sp' or 'tok' or a fraction in 'dur', at least "
            f"0, such as '10ep' or '0.1dur', got {text!r}."
        )
    return value, unit


def _known(name: str, value: Any, **limits: float) -> float:
    """`checked_number` for a value that must be concrete."""
    return float(checked_number(name, concrete(name, value, "times are rounded with it"), **limits))


def _levels(lr: Number, gamma: Number, milestones: list[float]) -> Schedule:
    lr, gamma = checked(lr=lr, gamma=gamma)
    return multi_step(lr, gamma, milestones) if milestones else Constant(lr)


def _warmed_up(
    decay: Callable[[float], Schedule], peak: Any, t_warmup: str, t_max: str, scale_warmup: bool, run: Run
) -> Schedule:
    """A warmup to `peak`, and then a decay over the rest of `t_max`."""
    trainer = _Trainer(**run)
    ramp, stop = trainer.warmup(t_warmup, scale_warmup)
    end, least = trainer.time("t_max", t_max), trainer.run()
    if stop.unit != end.unit:
        raise ValueError(
            f"`t_warmup` must be in the unit of `t_max` {t_max!r}, which is {end}, got {t_warmup!r}, "
            f"which is {stop}."
        )
    if least is not None and least.unit == end.unit and end.value < least.value:
        raise ValueError(
            f"`t_max` must be at least `max_duration`, which is {least}, got {t_max!r}, which is {end}."
        )
    rest = end.value - stop.value
    curve = decay(rest / end.per_batch) if rest > 0 else Constant(peak)
    if not stop.value:
        return curve
    if ramp == stop:
        return warmup(curve, stop.batches)
    return join([Linear(0.0, peak, ramp.batches), curve], [stop.batches])
