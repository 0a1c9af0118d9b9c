# ruff: noqa: D417, N802, N803 - the module describes the arguments in common; the names are those of the originals.
r"""The parameter schedulers of MMEngine, `mmengine.optim.scheduler`.

A port takes the base rate `lr`, or the base `momentum`, in place of the optimizer. Its step is the number of
calls of the original's `step()`, so the first update is at step 0. All ports take these arguments:

- `begin`: the step at which the scheduler starts, a whole number of at least 0. Before, the rate is `lr`.
- `end`: the step at which it stops, a whole number above `begin`. From then on the rate stays where it is.
  `INF` is no end.
- `by_epoch`: whether the scheduler counts epochs, True by default. The step of a port counts the same,
  unless `epoch_length` is given.
- `convert_to_iter_based`: whether all numbers of epochs are converted to iterations, as in a configuration.
- `epoch_length`: the number of iterations in an epoch, a whole number of at least 1. If it is given, the step
  of a port counts iterations.
- `last_step`: must be -1, and `verbose` must be False.

In the formulas, $t$ is the number of steps since `begin`, $n$ is `end - begin`, and $v$ is the rate before
`begin`: `lr`, or in a list what the schedulers before have left. Rates and factors may be traced; numbers of
steps must be concrete.

Deviations: MMEngine divides by 0 with a `ConstantLR` of `factor=0` or a `LinearLR` of `start_factor=0`; the
ports follow the formulas. For others see the ports.

>>> from jaxsched.ports import mmengine
>>> mmengine.param_scheduler(
...     0.1,
...     [
...         dict(type="LinearLR", start_factor=0.5, by_epoch=True, end=5, convert_to_iter_based=True),
...         dict(type="CosineAnnealingLR", T_max=95, by_epoch=True, begin=5, convert_to_iter_based=True),
...     ],
...     epoch_length=10,
... )
join([Linear(0.05, 0.1, 49), reflect(Cosine(0.1, 0, 950), 1900)], [50])
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec

from jaxsched._core.fields import Number, Numbers, brief, checked_flag, checked_number, describe
from jaxsched._core.schedule import Schedule, as_schedule
from jaxsched.plateau import Plateau
from jaxsched.ports import _mmengine
from jaxsched.ports._builders import PYTORCH, margins, plateau
from jaxsched.ports._checks import checked, is_known, not_modelled, one_of
from jaxsched.ports._config import FromConfig, ignored, section
from jaxsched.ports._mmengine import count

INF = _mmengine.INF
"""The `end` of a scheduler that has none."""

SECTIONS = ("param_scheduler", "optim_wrapper", "train_cfg", "auto_scale_lr")
"""The keys of a configuration that `from_config` reads."""

Arguments = ParamSpec("Arguments")

MEMBERS: dict[str, Callable[..., _mmengine.Member]] = {}
"""The schedulers by the names of their ports."""


def _port(build: Callable[Arguments, _mmengine.Member]) -> Callable[Arguments, Schedule]:
    """A port from a function that returns its scheduler."""
    MEMBERS[build.__name__] = build

    @functools.wraps(build)
    def port(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Schedule:
        member = build(*args, **kwargs)
        return _mmengine.one_after_another([member], member.base)

    return port


@_port
def ConstantLR(
    lr: Number,
    factor: Number = 1.0 / 3,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""$v \cdot \text{factor}$, then $v$ from the last step, $n - 1$, on.

    >>> from jaxsched.ports import mmengine
    >>> mmengine.ConstantLR(0.4, factor=0.5, end=5)
    Piecewise([0.2, 0.4], [4])

    Args:
      lr: the base rate.
      factor: from 0 to 1.

    See the module for the other arguments. With $n = 1$ the rate stays at $v \cdot \text{factor}$.

    Source: `ConstantLR` of MMEngine 0.10.7.
    """
    when = _mmengine.window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _mmengine.constant(lr, when, factor)


@_port
def LinearLR(
    lr: Number,
    start_factor: Number = 1.0 / 3,
    end_factor: Number = 1.0,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""A straight line from $v \cdot \text{start\_factor}$ to $v \cdot \text{end\_factor}$ in $n - 1$ steps.

    >>> from jaxsched.ports import mmengine
    >>> mmengine.LinearLR(0.4, start_factor=0.5, end=5)
    Linear(0.2, 0.4, 4)

    Args:
      lr: the base rate.
      start_factor: from 0 to 1.
      end_factor: from 0 to 1.

    See the module for the other arguments. With $n = 1$ the rate stays at $v \cdot \text{start\_factor}$.

    Source: `LinearLR` of MMEngine 0.10.7.
    """
    when = _mmengine.window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _mmengine.linear(lr, when, start_factor, end_factor)


@_port
def ExponentialLR(
    lr: Number,
    gamma: Number,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""$v \cdot \text{gamma}^t$.

    Args:
      lr: the base rate.
      gamma: the factor of each step, at least 0. It is not converted by `convert_to_iter_based`.

    See the module for the other arguments.

    Source: `ExponentialLR` of MMEngine 0.10.7.
    """
    when = _mmengine.window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _mmengine.exponential(lr, when, gamma)


@_port
def StepLR(
    lr: Number,
    step_size: int,
    gamma: Number = 0.1,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""$v \cdot \text{gamma}^{\lfloor t / \text{step\_size} \rfloor}$.

    Args:
      lr: the base rate.
      step_size: the number of steps between cuts, a whole number of at least 1.
      gamma: the factor of each cut, at least 0.

    See the module for the other arguments.

    Source: `StepLR` of MMEngine 0.10.7.
    """
    when = _mmengine.window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _mmengine.steps(lr, when, step_size, gamma)


@_port
def MultiStepLR(
    lr: Number,
    milestones: Numbers,
    gamma: Number = 0.1,
    last_step: int = -1,
    begin: int = 0,
    end: int = INF,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""$v \cdot \text{gamma}^{\#\{m \in \text{milestones}:\ m \le t\}}$, for the milestones below $n$.

    >>> from jaxsched.ports import mmengine
    >>> mmengine.MultiStepLR(0.4, [8, 11], gamma=0.5, end=12)
    Piecewise([0.4, 0.2, 0.1], [8, 11])

    Args:
      lr: the base rate.
      milestones: the steps of the cuts, counted from `begin`: whole numbers of at least 0 in any order. A
        step listed twice cuts twice.
      gamma: the factor of each cut.

    See the module for the other arguments.

    Source: `MultiStepLR` of MMEngine 0.10.7.
    """
    when = _mmengine.window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _mmengine.multi_steps(lr, when, milestones, gamma)


@_port
def PolyLR(
    lr: Number,
    eta_min: Number = 0,
    power: Number = 1.0,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""$\text{eta\_min} + (v - \text{eta\_min}) \, (1 - t / (n - 1))^\text{power}$.

    >>> from jaxsched.ports import mmengine
    >>> mmengine.PolyLR(0.01, eta_min=1e-4, power=0.9, end=160_000, by_epoch=False)
    Polynomial(0.01, 0.0001, 159999, 0.9)

    Args:
      lr: the base rate.
      eta_min: the last rate.
      power: from 0 to 1,000,000; 0 gives a constant.

    See the module for the other arguments. With $n = 1$ the rate stays at $v$.

    Source: `PolyLR` of MMEngine 0.10.7.
    """
    when = _mmengine.window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _mmengine.poly(lr, when, eta_min, power)


@_port
def CosineAnnealingLR(
    lr: Number,
    T_max: int | None = None,
    eta_min: Number | None = None,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    eta_min_ratio: Number | None = None,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""A cosine, which rises again after `T_max`.

    $$f(t) = \text{eta\_min} + (v - \text{eta\_min}) \, \tfrac12 (1 + \cos(\pi t / \text{T\_max}))$$

    It rises to `lr`, not to $v$: after `T_max` the formula has `lr` in place of $v$. With the default
    `T_max`, the last step does not reach `eta_min`, and the rate stays a little above it.

    >>> from jaxsched.ports import mmengine
    >>> mmengine.CosineAnnealingLR(0.1, T_max=99, end=100)
    Cosine(0.1, 0, 99)

    Args:
      lr: the base rate.
      T_max: the step at which the rate is `eta_min`, a whole number of at least 1; $n$ by default or if 0.
      eta_min: the lowest rate, 0 by default.
      eta_min_ratio: the lowest rate as a fraction of `lr`, instead of `eta_min`.

    See the module for the other arguments.

    Source: `CosineAnnealingLR` of MMEngine 0.10.7.
    """
    when = _mmengine.window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _mmengine.cosine(lr, when, T_max, eta_min, eta_min_ratio)


@_port
def CosineRestartLR(
    lr: Number,
    periods: Sequence[int],
    restart_weights: Sequence[Number] = (1,),
    eta_min: Number | None = None,
    eta_min_ratio: Number | None = None,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    r"""One cosine after another. Period $i$ begins at $p_i = \text{lr} \cdot \text{restart\_weights}_i$.

    $$f(t) = \text{eta\_min} + (p_i - \text{eta\_min}) \, \tfrac12
    \left(1 + \cos(\pi t' / \text{periods}_i)\right)$$

    where $t'$ is the number of steps since its begin. No step reaches `eta_min`; after the last period the
    rate stays where it is.

    Args:
      lr: the base rate.
      periods: the number of steps of each period, whole numbers of at least 1.
      restart_weights: a factor for each period.
      eta_min: the lowest rate.
      eta_min_ratio: the lowest rate as a fraction of `lr`. Give exactly one of the two.

    See the module for the other arguments. In a list, the rate that earlier schedulers left does not matter.

    Source: `CosineRestartLR` of MMEngine 0.10.7.
    """
    when = _mmengine.window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    return _mmengine.restarts(lr, when, periods, restart_weights, eta_min, eta_min_ratio)


@_port
def OneCycleLR(
    lr: Number | None = None,
    eta_max: Number = 0,
    total_steps: int | None = None,
    pct_start: Number = 0.3,
    anneal_strategy: str = "cos",
    div_factor: Number = 25.0,
    final_div_factor: Number = 1e4,
    three_phase: bool = False,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
    *,
    convert_to_iter_based: bool = False,
    epoch_length: int | None = None,
) -> Any:
    """One cycle: up to `eta_max` and down again, to below the first rate.

    With `N` for `total_steps`, the knots are `eta_max / div_factor` at 0, `eta_max` at `pct_start * N - 1`,
    with three phases `eta_max / div_factor` again at `2 * pct_start * N - 2`, and
    `eta_max / div_factor / final_div_factor` at `N - 1`. Their steps need not be whole numbers.

    >>> from jaxsched.ports import mmengine
    >>> mmengine.OneCycleLR(eta_max=1.0, total_steps=11, pct_start=0.5, anneal_strategy="linear")
    knots([0.04, 1, 4e-06], [0, 4.5, 10])

    Args:
      lr: the base rate, which only matters before `begin`.
      eta_max: the highest rate.
      total_steps: the length of the cycle, a whole number of at least 1; $n$ by default.
      pct_start: the fraction of the cycle in which the rate rises, from 0 to 1.
      anneal_strategy: `"cos"` or `"linear"`.
      div_factor: the highest rate divided by the first, above 0.
      final_div_factor: the first rate divided by the last, above 0.
      three_phase: whether the rate first falls back to the first rate, as fast as it rose, and then to the
        last.

    See the module for the other arguments. In a list, `eta_max / div_factor` is the base rate of the
    schedulers after this one.

    Source: `OneCycleLR` of MMEngine 0.10.7. Deviations: MMEngine extrapolates at step `N` and raises after
    it; here the last rate stays. MMEngine divides by 0 in a phase of length 0; here it is skipped. Of several
    in a list MMEngine uses the rates of the last for all; here each has its own.
    """
    when = _mmengine.window(begin, end, last_step, by_epoch, verbose, convert_to_iter_based, epoch_length)
    if lr is None:
        if when.begin:
            raise ValueError(f"`lr` must be given, because it is the rate before `begin`, {begin}, got None.")
        lr = eta_max
    return _mmengine.one_cycle(
        lr,
        when,
        eta_max,
        total_steps,
        pct_start,
        anneal_strategy,
        div_factor,
        final_div_factor,
        three_phase,
    )


def ReduceOnPlateauLR(
    lr: Number,
    monitor: str = "loss",
    rule: str = "less",
    factor: Number = 0.1,
    patience: Number = 10,
    threshold: Number = 1e-4,
    threshold_rule: str = "rel",
    cooldown: Number = 0,
    min_value: Any = 0.0,
    eps: Number = 1e-8,
    begin: int = 0,
    end: int = INF,
    last_step: int = -1,
    by_epoch: bool = True,
    verbose: bool = False,
) -> Any:
    """A rule for `jaxsched.scale_by_plateau`, which scales any schedule when a metric stops improving.

    It follows PyTorch's plateau. As there, a relative threshold is a fraction of the best metric itself.

    Args:
      lr: the base rate, above 0, relative to which `min_value` and `eps` are taken.
      monitor: the name of the metric, which changes nothing: observe that metric.
      rule: "less" for a metric to minimise, "greater" for one to maximise.
      factor: the factor of each cut, at least 0 and below 1.
      patience: the number of observations without improvement that are tolerated.
      threshold: the margin of an improvement, at least 0.
      threshold_rule: "rel" or "abs".
      cooldown: the number of observations after a cut that do not count as bad.
      min_value: the floor of the rate, or a list of them.
      eps: a cut by this much or less is not made.
      begin: must be 0. Do not observe the metric before.
      end: must be `INF`. Do not observe the metric from then on.
      last_step: must be -1.
      by_epoch: must be True.
      verbose: must be False.

    Returns:
      A `Plateau`, or a list of them if `min_value` is a list.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside its range.

    Source: `ReduceOnPlateauLR` of MMEngine 0.10.7. Deviation: MMEngine's first best metric is 1e9 or -1e9, so
    a loss above that is no improvement; here it is infinite.
    """
    if not isinstance(monitor, str):
        raise TypeError(f"`monitor` must be the name of a metric, got {describe(monitor)}.")
    if not is_known(begin, 0) or not is_known(end, INF):
        raise ValueError(
            f"`begin` and `end` must be 0 and {INF}, got {brief(begin)} and {brief(end)}: a rule does not "
            "count epochs. Observe the metric only in these epochs."
        )
    not_modelled(last_step=last_step, verbose=verbose)
    if not checked_flag("by_epoch", by_epoch):
        raise ValueError("`by_epoch` must be True, got False: a metric is measured after an epoch.")
    one_of("threshold_rule", threshold_rule, {"rel": None, "abs": None})
    limits = {
        "mode": one_of("rule", rule, {"less": "min", "greater": "max"}),
        "factor": factor,
        "patience": patience,
        "cooldown": cooldown,
        **margins(threshold, threshold_rule),
    }
    base, eps = checked_number("lr", lr), checked_number("eps", eps, at_least=0)

    def one(least: Any) -> Plateau:
        floor = checked_number("min_value", least, at_least=0)
        return plateau(base, PYTORCH, min_lr=floor, eps=eps, **limits)

    return [one(each) for each in min_value] if isinstance(min_value, list | tuple) else one(min_value)


def _for_momentum(port: Callable[..., Any], what: str = "") -> Any:
    """The same port for the momentum, which is its first argument."""
    rate, name = port.__name__, port.__name__.replace("LR", "Momentum")

    def twin(momentum: Number, *args: Any, **kwargs: Any) -> Any:
        return port(checked_number("momentum", momentum), *args, **kwargs)

    lr, *others = inspect.signature(port).parameters.values()
    made: Any = twin
    made.__name__ = made.__qualname__ = name
    made.__doc__ = f"`{rate}` for the momentum{what}.\n\nSource: `{name}` of MMEngine 0.10.7."
    made.__signature__ = inspect.Signature([lr.replace(name="momentum"), *others], return_annotation="Any")
    made.__annotations__ = {each: of.annotation for each, of in made.__signature__.parameters.items()}
    if rate in MEMBERS:
        MEMBERS[name] = MEMBERS[rate]
    return made


ConstantMomentum = _for_momentum(ConstantLR)
LinearMomentum = _for_momentum(LinearLR)
ExponentialMomentum = _for_momentum(ExponentialLR)
StepMomentum = _for_momentum(StepLR)
MultiStepMomentum = _for_momentum(MultiStepLR)
PolyMomentum = _for_momentum(PolyLR)
CosineAnnealingMomentum = _for_momentum(CosineAnnealingLR)
CosineRestartMomentum = _for_momentum(CosineRestartLR)
ReduceOnPlateauMomentum = _for_momentum(ReduceOnPlateauLR, ": its scale is the factor of `momentum`")


def param_scheduler(
    lr: Number,
    schedulers: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    epoch_length: int | None = None,
) -> Schedule:
    """The `param_scheduler` of a configuration: schedulers that act on one rate.

    At each step, every scheduler between its `begin` and its `end` changes the rate that the previous one
    left. The change depends on that rate, not on `lr`:

    - Consecutive schedulers continue: each begins at the rate that the previous one left.
    - Schedulers that act at the same time and only multiply, such as a warmup and a `MultiStepLR`, give the
      product.
    - Otherwise their common steps are a table.

    A warmup and a step decay, as in the 1x schedule of MMDetection with 7,330 iterations an epoch:

    >>> from jaxsched.ports import mmengine
    >>> schedule = mmengine.param_scheduler(
    ...     0.02,
    ...     [
    ...         dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=500),
    ...         dict(type="MultiStepLR", begin=0, end=12, by_epoch=True, milestones=[8, 11], gamma=0.1),
    ...     ],
    ...     epoch_length=7330,
    ... )
    >>> [round(float(schedule(step)), 5) for step in (0, 499, 8 * 7330 - 1, 8 * 7330, 11 * 7330)]
    [2e-05, 0.02, 0.02, 0.002, 0.0002]

    Args:
      lr: the base rate, or the base momentum if the schedulers are for the momentum.
      schedulers: the arguments of a port and its name as `type`, or a list of them.
      epoch_length: the number of iterations in an epoch, needed if only some of the schedulers count epochs,
        or if one has `convert_to_iter_based=True`. If it is given, the step of the schedule counts
        iterations. Otherwise the step counts what the schedulers count.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: a scheduler is not known, an argument is outside its range, or `epoch_length` is missing.

    Source: `Runner.build_param_scheduler` and `ParamSchedulerHook` of MMEngine 0.10.7. An `end` is `INF`
    by default, as in the schedulers; `from_config` has the default of the runner.
    """
    (lr,) = checked(lr=lr)
    given = [schedulers] if isinstance(schedulers, Mapping) else schedulers
    if not isinstance(given, list | tuple) or not given:
        raise TypeError(f"`schedulers` must be a dict or a list of dicts, got {describe(schedulers)}.")
    members: list[_mmengine.Member] = []
    base, families = lr, set()
    for i, each in enumerate(given):
        name, arguments = _split(f"schedulers[{i}]", each)
        families.add(name.endswith("Momentum"))
        if len(families) > 1:
            raise ValueError(
                f"`schedulers` must all change the rate, or all the momentum, got {name!r} at index {i} "
                f"after {given[0]['type']!r}."
            )
        arguments.setdefault("epoch_length", epoch_length)
        members.append(_call(f"schedulers[{i}]", MEMBERS[name], base, arguments))
        base = members[-1].initial
    _mmengine.check_clock(member.window.in_epochs for member in members)
    return _mmengine.together(members, lr)


def from_config(config: Mapping[str, Any], epoch_length: int | None = None) -> FromConfig:
    """The schedules of a configuration of MMEngine, MMDetection, MMPretrain, MMSegmentation and others.

    | key                                   | use                                                      |
    |---------------------------------------|----------------------------------------------------------|
    | `param_scheduler`                     | a dict or a list of dicts, see `param_scheduler`         |
    | `optim_wrapper.optimizer.lr`          | the base rate                                            |
    | `optim_wrapper.optimizer.momentum`    | the base momentum, for a scheduler of the momentum       |
    | `optim_wrapper.optimizer.betas`       | its first entry is the momentum if there is no other     |
    | `train_cfg.max_epochs`, `.max_iters`  | the default `end` of schedulers that count epochs, iterations |
    | `auto_scale_lr.enable`                | must not be True: pass the scaled rate as `lr`           |
    | `optim_wrapper.paramwise_cfg`         | must have no `lr_mult` other than 1                      |

    The names `lr` and `base_lr` at the top, which MMEngine does not read, are ignored. A `ReduceOnPlateauLR`
    becomes the rule `plateau`.

    >>> from jaxsched.ports import mmengine
    >>> made = mmengine.from_config(
    ...     dict(
    ...         optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9)),
    ...         param_scheduler=dict(type="MultiStepLR", by_epoch=True, milestones=[30, 60, 90], gamma=0.5),
    ...         train_cfg=dict(by_epoch=True, max_epochs=100, val_interval=1),
    ...     )
    ... )
    >>> made.learning_rate
    Piecewise([0.1, 0.05, 0.025, 0.0125], [30, 60, 90])

    Args:
      config: the configuration.
      epoch_length: the number of iterations in an epoch, `len(runner.train_dataloader)`, needed as in
        `param_scheduler`. If it is given, the step of the schedules counts iterations.

    Raises:
      TypeError: a part of the configuration is of the wrong type.
      ValueError: a key is missing, is refused, or has a value outside its range.
    """
    config = section(config)
    wrapper = section(_entry(config, "optim_wrapper"), "optim_wrapper")
    optimizer = section(_entry(wrapper, "optimizer", "optim_wrapper."), "optim_wrapper.optimizer")
    loop = section(config.get("train_cfg") or {}, "train_cfg")
    scaling = section(config.get("auto_scale_lr") or {}, "auto_scale_lr")
    if scaling.get("enable"):
        raise ValueError(
            "`auto_scale_lr.enable` must be False, got True: the rate then depends on the number of GPUs. "
            "Multiply `optim_wrapper.optimizer.lr` by the batch size over `auto_scale_lr.base_batch_size`."
        )
    _check_multipliers("optim_wrapper.paramwise_cfg", wrapper.get("paramwise_cfg"))
    given = config.get("param_scheduler") or []
    given = [given] if isinstance(given, Mapping) and "type" in given else given
    if not isinstance(given, list | tuple):
        raise TypeError(
            f"`param_scheduler` must be a dict with a `type`, or a list of them, got {describe(given)}. "
            "If it has a list for each of several optimizers, call `from_config` with one at a time."
        )
    ends = _default_ends(loop, epoch_length)
    groups: dict[str, list[dict[str, Any]]] = {"lr": [], "momentum": [], "plateau": []}
    for i, each in enumerate(given):
        name, arguments = _split(f"param_scheduler[{i}]", each, plateaus=True)
        group = "plateau" if name == "ReduceOnPlateauLR" else "momentum" if name[-2:] != "LR" else "lr"
        by_epoch = arguments.get("by_epoch", True)
        if "end" not in arguments and group != "plateau" and by_epoch in ends:
            arguments["end"] = ends[by_epoch]
            if arguments["end"] is None:
                raise ValueError(
                    f"`epoch_length` must be given, because `param_scheduler[{i}].end` is the last "
                    "iteration, got None."
                )
        groups[group].append({"type": name, **arguments})
    if epoch_length is None:
        _mmengine.check_clock(each.get("by_epoch", True) for each in [*groups["lr"], *groups["momentum"]])
    (lr,) = checked(**{"optim_wrapper.optimizer.lr": _entry(optimizer, "lr", "optim_wrapper.optimizer.")})
    used = {"lr"}
    momentum = rule = None
    if groups["momentum"]:
        key = "betas" if "betas" in optimizer and "momentum" not in optimizer else "momentum"
        used.add(key)
        base = _entry(optimizer, key, "optim_wrapper.optimizer.")
        momentum = param_scheduler(base if key == "momentum" else base[0], groups["momentum"], epoch_length)
    if groups["plateau"]:
        if len(groups["plateau"]) > 1:
            raise ValueError("`param_scheduler` must have at most one 'ReduceOnPlateauLR', got several.")
        arguments = {key: value for key, value in groups["plateau"][0].items() if key != "type"}
        rule = _call("param_scheduler", ReduceOnPlateauLR, lr, arguments)
    rate = param_scheduler(lr, groups["lr"], epoch_length) if groups["lr"] else as_schedule("lr", lr)
    others = (
        *ignored(config, SECTIONS, {"base_lr", "lr"}),
        *ignored(wrapper, {"optimizer"}, path="optim_wrapper."),
        *ignored(optimizer, used, path="optim_wrapper.optimizer."),
        *ignored(loop, {"max_epochs", "max_iters"}, path="train_cfg."),
    )
    return FromConfig(rate, others, momentum=momentum, plateau=rule)


def _check_multipliers(name: str, value: Any) -> None:
    """Checks that no parameters have a rate of their own, which would need a schedule of its own."""
    for key, each in value.items() if isinstance(value, Mapping) else ():
        _check_multipliers(f"{name}.{key}", each)
        if str(key).endswith("lr_mult") and each != 1:
            raise ValueError(
                f"`{name}.{key}` must be 1 or left out, got {brief(each)}. "
                "Multiply the schedule for these parameters."
            )


def _split(name: str, scheduler: Any, plateaus: bool = False) -> tuple[str, dict[str, Any]]:
    """The name of a scheduler in a configuration, and its arguments."""
    arguments = dict(section(scheduler, name))
    kind = arguments.pop("type", None)
    kind = getattr(kind, "__name__", kind)
    kind = kind.removeprefix("mmengine.") if isinstance(kind, str) else kind
    if isinstance(kind, str) and kind.startswith("ReduceOnPlateau") and not (plateaus and kind[-2:] == "LR"):
        raise ValueError(
            f"`{name}.type` must name a function of the step, got {kind!r}, which follows a metric: use the "
            "rule `jaxsched.ports.mmengine.ReduceOnPlateauLR`."
        )
    one_of(f"{name}.type", kind, dict.fromkeys([*MEMBERS, *["ReduceOnPlateauLR"] * plateaus]))
    return kind, arguments


def _call(name: str, function: Callable[..., Any], base: Any, arguments: Mapping[str, Any]) -> Any:
    """A scheduler of a configuration, with its arguments after the base rate."""
    _, *parameters = inspect.signature(function).parameters.values()
    known = [each.name for each in parameters]
    for key in arguments:
        if key not in known:
            raise ValueError(f"`{name}` must have only these arguments, {known}, got {key!r}.")
    for each in parameters:
        if each.default is each.empty and each.name not in arguments:
            raise ValueError(f"`{name}.{each.name}` must be given, got {brief(dict(arguments))}.")
    return function(base, **arguments)


def _entry(config: Mapping[str, Any], key: str, path: str = "") -> Any:
    if key not in config:
        raise ValueError(f"`{path}{key}` must be given, got only {list(config)}.")
    return config[key]


def _default_ends(loop: Mapping[str, Any], epoch_length: int | None) -> dict[Any, int | None]:
    """The default `end` of schedulers, by whether they count epochs."""
    if loop.get("max_epochs") is not None:
        epochs = count("train_cfg.max_epochs", loop["max_epochs"], at_least=1)
        iterations = None if epoch_length is None else epochs * count("epoch_length", epoch_length, 1)
        return {True: epochs, False: iterations}
    if loop.get("max_iters") is not None:
        # For MMEngine such a run is one epoch.
        return {True: 1, False: count("train_cfg.max_iters", loop["max_iters"], at_least=1)}
    return {}
