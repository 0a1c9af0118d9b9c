r"""The learning rate of torchtitan, `torchtitan.components.optimizer.LRSchedulersContainer`.

The port takes the base rate `lr` in place of the optimizers, and the fields of the original's `Config` as
arguments. Its step is the number of updates made so far. The first update is one step up the warmup.
`from_config` reads a whole configuration.

>>> from jaxsched.ports import torchtitan
>>> schedule = torchtitan.build_lr_schedulers(3e-4, training_steps=1000, decay_ratio=0.1)
>>> [f"{schedule(step):.2e}" for step in (0, 199, 900, 950, 999)]
['1.50e-06', '3.00e-04', '3.00e-04', '1.50e-04', '3.00e-06']
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jaxsched._core.fields import Number, checked_number, is_concrete
from jaxsched._core.schedule import Schedule
from jaxsched._core.transition import Transition
from jaxsched.combinators.clocks import shift
from jaxsched.combinators.cycle import reflect
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import cooldown, warmup
from jaxsched.ports._builders import beyond
from jaxsched.ports._checks import checked, is_known, one_of, smaller, whole
from jaxsched.ports._config import FromConfig, check_keys, ignored, section
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.polynomial import OneMinusSqrt

_CURVES: dict[str, type[Transition]] = {"linear": Linear, "sqrt": OneMinusSqrt, "cosine": Cosine}

_FIELDS = ("warmup_steps", "total_steps", "decay_ratio", "decay_type", "min_lr_factor")
"""The keys of `lr_scheduler`."""


def build_lr_schedulers(
    lr: Number,
    training_steps: Number,
    warmup_steps: Number = 200,
    total_steps: Number | None = None,
    decay_ratio: Number | None = None,
    decay_type: str = "linear",
    min_lr_factor: Number = 0.0,
) -> Schedule:
    r"""A linear warmup, a constant rate, and a decay over the last steps of the run.

    With $T$ = `total_steps` or else `training_steps`, $W$ = `warmup_steps`, but at most $T$,
    $D$ = `round(decay_ratio * total_steps)`, but at most $T - W$, and $m$ = `min_lr_factor`,

    $$f(t) = \text{lr} \cdot \begin{cases}(t + 1) / W & t < W \\ 1 & W \le t < T - D \\
    m + (1 - m) \, d\left(\frac{t - T + D}{D}\right) & t \ge T - D\end{cases}$$

    | `decay_type` | $d$ after a fraction $p$ of the decay  |
    |--------------|----------------------------------------|
    | `"linear"`   | `1 - p`                                |
    | `"sqrt"`     | `1 - sqrt(p)`                          |
    | `"cosine"`   | `0.5 * (1 + cos(pi * p))`              |

    The last update, at step $T - 1$, is still above the last rate. In a run longer than $T$, $p$ grows above
    1, as in the original: linear and square-root decays fall below 0, and a cosine rises again.
    `jaxsched.warmup_stable_decay` stays at its last rate.

    >>> from jaxsched.ports import torchtitan
    >>> torchtitan.build_lr_schedulers(1, 100, 10, decay_ratio=0.2)
    join([cooldown(warmup(1, 10, first_step=1), 80, 20), 1 + cycle(Linear(-1, -2, 20), 20, 2, 2)], [100])

    The part from step 100 on, an endless line below 0, matters only if the run is longer than the schedule.

    Args:
      lr: the base rate, that of the optimizer.
      training_steps: the length of the run, a whole number of at least 0. It has no effect with
        `total_steps`.
      warmup_steps: the length $W$ of the warmup, a whole number of at least 0.
      total_steps: the length $T$ of the schedule, a whole number of at least 0; by default `training_steps`.
      decay_ratio: the fraction of the schedule that decays, at least 0; by default all that follows the
        warmup.
      decay_type: see above.
      min_lr_factor: the last rate as a fraction of `lr`.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: an argument is outside its range.

    Source: `LRSchedulersContainer.Config.build` of torchtitan 0.3.0, which was `build_lr_schedulers` before.
    Deviation: without steps to decay, the original fails after step $T$. The port stays at `lr`.
    """
    lr, least = checked(lr=lr, min_lr_factor=min_lr_factor)
    curve = one_of("decay_type", decay_type, _CURVES)
    total = whole("training_steps", training_steps, at_least=0)
    if total_steps is not None:
        total = whole("total_steps", total_steps, at_least=0)
    up = smaller(whole("warmup_steps", warmup_steps, at_least=0), total)
    down = total - up
    if decay_ratio is not None:
        share = total * checked_number("decay_ratio", decay_ratio, at_least=0)
        down = smaller(float(round(share)) if is_concrete(share) else jnp.round(share), down)
    constant = warmup(lr, up, first_step=1)
    if is_known(down, 0):
        return constant
    run = cooldown(constant, total - down, down, least * lr, curve)
    return join([run, _beyond(curve, lr, least * lr, down)], [total])


def from_config(config: Mapping[str, Any], *, lr: Number | None = None) -> FromConfig:
    """The schedule of a configuration of torchtitan, a TOML or a `Trainer.Config` as a dict.

    | key                                              | what it says                                   |
    |--------------------------------------------------|------------------------------------------------|
    | `lr_scheduler`                                   | the arguments of `build_lr_schedulers`         |
    | `training.steps`                                 | its `training_steps`, 10,000 by default        |
    | `optimizer.lr`                                   | the base rate, in a TOML                       |
    | `optimizer.param_groups[i].optimizer_kwargs.lr`  | the base rate of each group of parameters      |

    >>> from jaxsched.ports import torchtitan
    >>> made = torchtitan.from_config(
    ...     {
    ...         "optimizer": {"name": "AdamW", "lr": 3e-4},
    ...         "lr_scheduler": {"warmup_steps": 2, "decay_ratio": 0.5},
    ...         "training": {"steps": 10, "seq_len": 2048},
    ...     }
    ... )
    >>> [f"{made(step):.2e}" for step in (0, 1, 5, 6, 9)]
    ['1.50e-04', '3.00e-04', '3.00e-04', '2.40e-04', '6.00e-05']
    >>> made.ignored
    ('optimizer.name', 'training.seq_len')

    Args:
      config: the configuration.
      lr: the base rate, if `config` has none or has several. Call this once for each group.

    Returns:
      The schedule.

    Raises:
      TypeError: `config` is not a dict, or a value in it is of the wrong type.
      ValueError: a value is outside its range, a key of the schedule is not known, or the rate is not.

    Source: `Trainer.Config` of torchtitan 0.3.0, and the TOML of earlier versions. In these, `lr_scheduler`
    has no `total_steps`.
    """
    config = section(config)
    optimizer, training, arguments = (
        section(config.get(name, {}), name) for name in ("optimizer", "training", "lr_scheduler")
    )
    check_keys("lr_scheduler", arguments, _FIELDS)
    rest = (
        *ignored(config, {"optimizer", "training", "lr_scheduler"}),
        *ignored(optimizer, {"lr", "param_groups"}, path="optimizer."),
        *ignored(training, {"steps"}, path="training."),
    )
    rates = [optimizer["lr"]] if "lr" in optimizer else []
    for i, group in enumerate(optimizer.get("param_groups", ())):
        path = f"optimizer.param_groups[{i}]"
        keywords = section(section(group, path).get("optimizer_kwargs", {}), f"{path}.optimizer_kwargs")
        rest += ignored(keywords, {"lr"}, {"adjust_lr_fn"}, f"{path}.optimizer_kwargs.")
        rates += [keywords["lr"]] if "lr" in keywords else []
    one_rate = bool(rates) and all(rate == rates[0] for rate in rates)
    if one_rate and lr is not None:
        raise ValueError(f"`lr` must be left out, because `config` has the rate {rates[0]}, got {lr}.")
    if not one_rate and lr is None:
        raise ValueError(
            f"`lr` must be given, because `config` has {'several rates' if rates else 'no rate'}, got None."
        )
    base: Any = rates[0] if one_rate else lr
    schedule = build_lr_schedulers(base, training.get("steps", 10_000), **arguments)
    return FromConfig(schedule, rest)


def _beyond(curve: type[Transition], start: Any, end: Any, steps: Any) -> Schedule:
    """A decay from its end on, where the fraction of it that has passed goes on above 1."""
    if curve is Cosine:
        return shift(reflect(Cosine(start, end, steps), 2 * steps), -steps)
    return beyond(start, end, steps, 1.0 if curve is Linear else 0.5)
