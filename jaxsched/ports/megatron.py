# ruff: noqa: N802 - the names are those of the originals.
r"""The scheduler of Megatron, `megatron.core.optimizer_param_scheduler`.

Megatron counts **samples**, not updates: after each update, its training loop adds the global batch size to
the scheduler's step. A port counts what the original counts. For an optimizer, which counts updates, put the
schedule on a clock of samples. With a batch size $b$ that stays the same over $n$ updates, that is
`jaxsched.reclock(schedule, jaxsched.Linear(0, b * n, n))`. If the batch grows, the clock is `jaxsched.knots`.

>>> import jaxsched as js
>>> from jaxsched.ports import megatron
>>> made = megatron.from_config(
...     {
...         "lr": 6e-5, "min_lr": 6e-6, "lr_decay_style": "cosine", "train_iters": 500_000,
...         "lr_decay_iters": 430_000, "lr_warmup_fraction": 0.001, "global_batch_size": 1536,
...         "weight_decay": 0.1, "num_layers": 96,
...     }
... )
>>> made.learning_rate
warmup(Cosine(6e-05, 6e-06, 659819520), 660480)
>>> made.weight_decay, made.ignored
(Constant(0.1), ('num_layers',))
>>> js.reclock(made.learning_rate, js.Linear(0, 1536 * 500_000, 500_000))(430)
Array(6.e-05, dtype=float32)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxsched._core.fields import Number, brief, checked_flag, checked_number, is_concrete, show
from jaxsched._core.schedule import Constant, Schedule
from jaxsched.combinators.clip import clip
from jaxsched.combinators.clocks import shift
from jaxsched.combinators.join import join
from jaxsched.combinators.ramps import warmup
from jaxsched.ports._checks import is_known, larger, one_of, whole, within
from jaxsched.ports._config import FromConfig, ignored, section
from jaxsched.presets import warmup_stable_decay
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.linear import Linear
from jaxsched.shapes.polynomial import OneMinusSqrt
from jaxsched.shapes.rational import InversePower
from jaxsched.shapes.sigmoid import Relaxation

STYLES = ("constant", "linear", "cosine", "inverse-square-root", "WSD")
"""What Megatron calls an `lr_decay_style`."""

TAILS: dict[str, Any] = {
    "linear": Linear,
    "cosine": Cosine,
    "exponential": functools.partial(Relaxation, rate=0.5),
    "minus_sqrt": OneMinusSqrt,
}
"""What it calls an `lr_wsd_decay_style`."""

INCREASES: dict[str, Callable[..., Schedule]] = {
    "constant": lambda start, end, steps: Constant(end),
    "linear": Linear,
    "cosine": Cosine,
}
"""What it calls a `wd_incr_style`."""


class Schedules(NamedTuple):
    """What `OptimizerParamScheduler` returns.

    Attributes:
      learning_rate: the schedule of the learning rate.
      weight_decay: the schedule of the weight decay.
    """

    learning_rate: Schedule
    weight_decay: Schedule


def OptimizerParamScheduler(
    init_lr: Number,
    max_lr: Number,
    min_lr: Number,
    lr_warmup_steps: Number,
    lr_decay_steps: Number,
    lr_decay_style: str,
    start_wd: Number,
    end_wd: Number,
    wd_incr_steps: Number,
    wd_incr_style: str,
    use_checkpoint_opt_param_scheduler: bool = True,
    override_opt_param_scheduler: bool = False,
    wsd_decay_steps: Number | None = None,
    lr_wsd_decay_style: str | None = None,
) -> Schedules:
    r"""The learning rate and the weight decay of a run, as two schedules.

    The rate warms up from `init_lr` to `max_lr` over $W$ steps, up to and including step $W$. Then

    $$f(t) = \text{min\_lr} + (\text{max\_lr} - \text{min\_lr}) \, d(t)$$

    until step $T$, and `min_lr` after it. $W$ is `lr_warmup_steps`, $T$ is `lr_decay_steps`, and $D$ is
    `wsd_decay_steps`. In terms of `p = (t - W) / (T - W)` and `q = (t - T + D) / D`,

    | `lr_decay_style`        | rate after the warmup                                          |
    |-------------------------|----------------------------------------------------------------|
    | `"constant"`            | `max_lr`, also after step $T$                                  |
    | `"linear"`              | $d$ is `1 - p`                                                 |
    | `"cosine"`              | $d$ is `0.5 * (1 + cos(pi * p))`                               |
    | `"inverse-square-root"` | `max(min_lr, max_lr * sqrt(max(W, 1) / max(t, 1)))`            |
    | `"WSD"`                 | $d$ is 1 until `q = 0`, then the curve of `lr_wsd_decay_style` |

    | `lr_wsd_decay_style` | $d$ over the last $D$ steps |
    |----------------------|-----------------------------|
    | `"linear"`           | `1 - q`                     |
    | `"cosine"`           | `0.5 * (1 + cos(pi * q))`   |
    | `"exponential"`      | `2 * 0.5**q - 1`            |
    | `"minus_sqrt"`       | `1 - sqrt(q)`               |

    The weight decay goes from `start_wd` to `end_wd` over `wd_incr_steps`, and stays there.

    >>> from jaxsched.ports import megatron
    >>> rate, weight_decay = megatron.OptimizerParamScheduler(
    ...     init_lr=0.0, max_lr=0.3, min_lr=0.03, lr_warmup_steps=100, lr_decay_steps=1000,
    ...     lr_decay_style="WSD", wsd_decay_steps=200, lr_wsd_decay_style="minus_sqrt",
    ...     start_wd=0.01, end_wd=0.1, wd_incr_steps=1000, wd_incr_style="linear",
    ... )
    >>> rate
    cooldown(warmup(0.3, 100), 800, 200, 0.03, OneMinusSqrt)
    >>> weight_decay
    Linear(0.01, 0.1, 1000)

    Args:
      init_lr: the rate at step 0, at most `max_lr`. Without a warmup it is not used.
      max_lr: the rate at the end of the warmup, at least `min_lr`. For a group of parameters with its own
        `max_lr` or `min_lr`, call the port again with these.
      min_lr: the last rate, at least 0.
      lr_warmup_steps: at least 0 and below `lr_decay_steps`; it need not be a whole number.
      lr_decay_steps: above 0. The warmup is part of it.
      lr_decay_style: see above.
      start_wd: the weight decay at step 0, at least 0.
      end_wd: the last weight decay, at least `start_wd`. With a constant style it is equal to `start_wd`.
      wd_incr_steps: the steps over which the weight decay grows, above 0; not used with a constant style.
      wd_incr_style: `"constant"`, `"linear"` or `"cosine"`.
      use_checkpoint_opt_param_scheduler: whether Megatron takes these arguments from a checkpoint that it
        loads. It does not change a schedule.
      override_opt_param_scheduler: whether it takes them from here instead. As in Megatron, the two are not
        True together.
      wsd_decay_steps: required for `"WSD"`, at least 0, and above 0 if traced. A decay that is longer than
        what follows the warmup begins part of the way down.
      lr_wsd_decay_style: required for `"WSD"`; see above.

    Deviations: Megatron accepts a negative `lr_warmup_steps` or `wsd_decay_steps`, and an unknown style until
    the step that uses it. Here they are refused.

    Source: `OptimizerParamScheduler` of Megatron core 0.16.1.
    """
    if checked_flag("override_opt_param_scheduler", override_opt_param_scheduler) and checked_flag(
        "use_checkpoint_opt_param_scheduler", use_checkpoint_opt_param_scheduler
    ):
        raise ValueError(
            "`override_opt_param_scheduler` must be False with `use_checkpoint_opt_param_scheduler=True`, "
            "got True. Neither changes the schedules."
        )
    low = checked_number("min_lr", min_lr, at_least=0)
    high = within("max_lr", max_lr, at_least=low)
    init = within("init_lr", init_lr, at_most=high)
    steps = checked_number("lr_decay_steps", lr_decay_steps, above=0)
    warmup_steps = within("lr_warmup_steps", lr_warmup_steps, at_least=0, below=steps)
    plan = one_of("lr_decay_style", lr_decay_style, dict.fromkeys(STYLES, lr_decay_style))
    if plan == "WSD":
        rate = _stable(init, high, low, warmup_steps, steps, wsd_decay_steps, lr_wsd_decay_style)
    elif plan == "inverse-square-root":
        rate = _inverse_sqrt(init, high, low, warmup_steps, steps)
    else:
        shape: Any = {"constant": lambda *ends: Constant(high), "linear": Linear, "cosine": Cosine}[plan]
        rate = shape(high, low, steps - warmup_steps)
        rate = rate if is_known(warmup_steps, 0) else warmup(rate, warmup_steps, init)
    return Schedules(rate, _weight_decay(start_wd, end_wd, wd_incr_steps, wd_incr_style))


def _stable(
    init: Any, high: Any, low: Any, warmup_steps: Any, steps: Any, decay_steps: Any, style: str | None
) -> Schedule:
    """A warmup, a constant, and a decay over the last `decay_steps`."""
    if decay_steps is None:
        raise ValueError("`wsd_decay_steps` must be a number for 'WSD', got None.")
    decay_steps = checked_number("wsd_decay_steps", decay_steps, at_least=0)
    curve = one_of("lr_wsd_decay_style", style, TAILS)
    if is_known(decay_steps, 0):  # The last step still has the highest rate.
        steps = _after(steps)
    if is_concrete(warmup_steps, steps, decay_steps) and warmup_steps + decay_steps <= steps:
        return warmup_stable_decay(high, steps, warmup_steps, decay_steps, init, low, curve)
    # The warmup covers the first part of the decay.
    decay, start = curve(high, low, decay_steps), steps - decay_steps
    if is_known(warmup_steps, 0):
        return shift(decay, start)
    begin = _after(warmup_steps) * (warmup_steps > 0)
    return join([Linear(init, high, warmup_steps), shift(decay, start - begin)], [begin])


def _inverse_sqrt(init: Any, high: Any, low: Any, warmup_steps: Any, steps: Any) -> Schedule:
    """A warmup, a decay by the inverse square root of the step, and `low` after `steps`."""
    # Without a warmup, the decay begins at step 1, and step 0 has the highest rate, too.
    begin = larger(warmup_steps, 1.0)
    known = is_concrete(warmup_steps)
    first = (init if warmup_steps > 0 else high) if known else jnp.where(warmup_steps > 0, init, high)
    decay = clip(InversePower(high, begin, 0.5), low)
    return join([warmup(decay, begin, first), low], [_after(steps)])


def _weight_decay(start_wd: Any, end_wd: Any, wd_incr_steps: Any, wd_incr_style: str) -> Schedule:
    """The weight decay, which grows or stays."""
    increase = one_of("wd_incr_style", wd_incr_style, INCREASES)
    start = checked_number("start_wd", start_wd, at_least=0)
    end = within("end_wd", end_wd, at_least=start)
    if wd_incr_style == "constant" and is_concrete(start, end) and start != end:
        raise ValueError(
            f"`end_wd` must be `start_wd`, {show(start)}, if `wd_incr_style` is 'constant', got {show(end)}."
        )
    limits: dict[str, float] = {} if wd_incr_style == "constant" else {"above": 0}
    return increase(start, end, checked_number("wd_incr_steps", wd_incr_steps, **limits))


def _after(step: Any) -> Any:
    """The first whole step after `step`."""
    return float(math.floor(step) + 1) if is_concrete(step) else jnp.floor(step) + 1


KEYS = (
    "lr",
    "min_lr",
    "lr_decay_style",
    "lr_wsd_decay_style",
    *(f"lr_{what}_{unit}" for what in ("decay", "wsd_decay", "warmup") for unit in ("iters", "samples")),
    "lr_warmup_fraction",
    "lr_warmup_init",
    "train_iters",
    "train_samples",
    "global_batch_size",
    "weight_decay",
    "start_weight_decay",
    "end_weight_decay",
    "weight_decay_incr_style",
    "use_checkpoint_opt_param_scheduler",
    "override_opt_param_scheduler",
)
"""The arguments of Megatron's command line that make a schedule."""

HARMLESS = (
    "cuda_graph_warmup_steps",
    "dino_warmup_teacher_temp",
    "dino_warmup_teacher_temp_epochs",
    "ft_num_warmup_iters",
    "inference_dynamic_batching_async_sched_mode",
    "overlap_p2p_comm_warmup_flush",
    "overlap_p2p_communication_warmup_flush",
)
"""Those that only look as if they did."""


def from_config(config: Mapping[str, Any]) -> FromConfig:
    """The two schedules of a run from the arguments of Megatron's command line, in samples.

    Write the names without dashes: `--min-lr 6e-6` is `{"min_lr": 6e-6}`. You can also pass the `vars(args)`
    of a run, without the `train_iters` that a run in samples adds. Missing keys, and keys that are None, have
    Megatron's defaults. These keys are read:

    - `lr`, which is required, `min_lr`, `lr_decay_style`, `lr_wsd_decay_style` and `lr_warmup_init`;
    - `train_iters`, with `lr_decay_iters`, `lr_wsd_decay_iters`, `lr_warmup_iters` and `global_batch_size`,
      by which all of these are multiplied;
    - or `train_samples`, with `lr_decay_samples`, `lr_wsd_decay_samples` and `lr_warmup_samples`;
    - `lr_warmup_fraction`, a fraction of the decay and not of the run, in place of a length of the warmup;
    - `weight_decay`, or `weight_decay_incr_style` with `start_weight_decay` and `end_weight_decay`;
    - `use_checkpoint_opt_param_scheduler` and `override_opt_param_scheduler`, which change nothing.

    Args:
      config: the arguments by name.

    Returns:
      The schedules `learning_rate` and `weight_decay`, and the keys that were `ignored`.

    Raises:
      TypeError: a value is of the wrong type.
      ValueError: a value is outside its range, a required key is missing, two keys contradict each other, or
        an unknown key looks schedule-related. `decoupled_lr` does: it is the rate of some parameter groups.
        For these, call this again with that rate as `lr`.

    Source: `get_optimizer_param_scheduler` and `validate_args` of Megatron-LM core_v0.16.1.
    """
    config = section(config)
    for key in config:
        if "-" in key:
            raise ValueError(f"`config` must have {key.strip('-').replace('-', '_')!r}, got {key!r}.")
    given = {key: value for key, value in config.items() if value is not None}
    unit, other = ("iters", "samples") if given.get("train_iters") else ("samples", "iters")
    if not given.get(f"train_{unit}"):
        raise ValueError("`config` must have `train_iters` or `train_samples`, got neither.")
    for key in ("train", "lr_decay", "lr_wsd_decay", "lr_warmup"):
        if given.get(f"{key}_{other}"):
            raise ValueError(
                f"`{key}_{other}` must be left out with `train_{unit}`, got {brief(given[f'{key}_{other}'])}."
            )
    batch: Any = 1
    if unit == "iters":
        batch = whole("global_batch_size", _required(given, "global_batch_size"), at_least=1)

    def length(key: str, default: Any, **limits: float) -> Any:
        if (count := given.get(f"{key}_{unit}", default)) is None:
            return None
        return batch * whole(f"{key}_{unit}", count, **limits)

    total = length("train", None, at_least=1)
    steps = total if f"lr_decay_{unit}" not in given else length("lr_decay", None, at_least=1)
    warmup_steps = length("lr_warmup", 0, at_least=0)
    if "lr_warmup_fraction" in given:
        if warmup_steps:
            raise ValueError(
                f"`lr_warmup_{unit}` must be left out with `lr_warmup_fraction`, "
                f"got {brief(given[f'lr_warmup_{unit}'])}."
            )
        fraction = checked_number("lr_warmup_fraction", given["lr_warmup_fraction"], at_least=0, below=1)
        warmup_steps = fraction * steps
    start, end, style = _weight_decays(given)
    made = OptimizerParamScheduler(
        init_lr=given.get("lr_warmup_init", 0.0),
        max_lr=_required(given, "lr"),
        min_lr=given.get("min_lr", 0.0),
        lr_warmup_steps=warmup_steps,
        lr_decay_steps=steps,
        lr_decay_style=given.get("lr_decay_style", "linear"),
        start_wd=start,
        end_wd=end,
        wd_incr_steps=total,
        wd_incr_style=style,
        use_checkpoint_opt_param_scheduler=given.get("use_checkpoint_opt_param_scheduler", False),
        override_opt_param_scheduler=given.get("override_opt_param_scheduler", False),
        wsd_decay_steps=length("lr_wsd_decay", None, at_least=0),
        lr_wsd_decay_style=given.get("lr_wsd_decay_style", "exponential"),
    )
    # The factor of the rate of a classifier's head, which is 1 in every `vars(args)`.
    alone = ("head_lr_mult",) if given.get("head_lr_mult") == 1 else ()
    harmless = {*HARMLESS, *alone, *(key for key in config if key not in given)}
    return FromConfig(made.learning_rate, ignored(config, KEYS, harmless), made.weight_decay)


def _required(given: Mapping[str, Any], key: str) -> Any:
    """The value of a key without which Megatron has no schedule."""
    if key not in given:
        raise ValueError(f"`config` must have `{key}`, got only {brief(sorted(given))}.")
    return given[key]


def _weight_decays(given: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """The first weight decay, the last, and the style."""
    style = given.get("weight_decay_incr_style", "constant")
    if style != "constant":
        return _required(given, "start_weight_decay"), _required(given, "end_weight_decay"), style
    kept = given.get("weight_decay", 0.01)
    for key in ("start_weight_decay", "end_weight_decay"):
        # A run sets both to `weight_decay` in its own arguments.
        if given.get(key, kept) != kept:
            raise ValueError(
                f"`{key}` must be left out if `weight_decay_incr_style` is 'constant', "
                f"got {brief(given[key])}."
            )
    return kept, kept, style
