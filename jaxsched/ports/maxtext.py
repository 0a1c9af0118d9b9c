r"""The schedule of MaxText, `maxtext.utils.maxtext_utils`.

>>> from jaxsched.ports import maxtext
>>> made = maxtext.from_config({"learning_rate": 0.01, "steps": 10_000, "adam_b2": 0.95})
>>> made.learning_rate
join([Linear(0, 0.01, 1000), reflect(Cosine(0.01, 0.001, 8999), 17998)], [1000])
>>> made.ignored
('adam_b2',)
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from jaxsched._core.fields import Number, checked_number, show
from jaxsched._core.schedule import Constant, Schedule
from jaxsched.combinators.cycle import reflect
from jaxsched.ports._builders import joined
from jaxsched.ports._checks import concrete, one_of, whole
from jaxsched.ports._config import FromConfig, ignored, section, yaml_value
from jaxsched.shapes.cosine import Cosine
from jaxsched.shapes.linear import Linear

KEYS = (
    "learning_rate",
    "steps",
    "learning_rate_schedule_steps",
    "warmup_steps_fraction",
    "lr_schedule_type",
    "learning_rate_final_fraction",
    "wsd_decay_steps_fraction",
    "wsd_decay_style",
)
"""The keys of the configuration that make the schedule, which are the arguments of the port."""

HARMLESS = (
    "async_scheduling",
    "diloco_outer_lr",
    "distill_alpha_schedule",
    "distill_beta_schedule",
    "distill_temperature_schedule",
    "enable_model_warmup",
    "local_use_splash_scheduler",
    "use_batch_split_schedule",
    "use_splash_scheduler",
)
"""Those that only look as if they did, or are for another optimizer."""


def create_learning_rate_schedule(
    learning_rate: Number = 3e-5,
    steps: int = 150_001,
    learning_rate_schedule_steps: int = -1,
    warmup_steps_fraction: float = 0.1,
    lr_schedule_type: str = "cosine",
    learning_rate_final_fraction: Number = 0.1,
    wsd_decay_steps_fraction: float = 0.1,
    wsd_decay_style: str = "linear",
) -> Schedule:
    r"""A warmup from 0, then a cosine, or a constant with a decay at its end.

    $S$ is `learning_rate_schedule_steps`. The warmup is a straight line over
    $W = \lfloor S \cdot \text{warmup\_steps\_fraction} \rfloor$ steps. A decay over the last $n$ steps goes
    from `learning_rate` to `learning_rate * learning_rate_final_fraction`, which it reaches at step $S - 1$.
    With $x = (t - S + n) / (n - 1)$, for each `lr_schedule_type` and, with `"wsd"`, each `wsd_decay_style`,

    | schedule            | $n$                                 | what is left              |
    |---------------------|-------------------------------------|---------------------------|
    | `"cosine"`          | `S - W`                             | `0.5 * (1 + cos(pi * x))` |
    | `"wsd"`, `"cosine"` | `int(S * wsd_decay_steps_fraction)` | `0.5 * (1 + cos(pi * x))` |
    | `"wsd"`, `"linear"` | `int(S * wsd_decay_steps_fraction)` | `1 - x`                   |

    With a run longer than the schedule, the rate is 0 from step $S$ on. Otherwise the formulas go on: a
    cosine rises again, and a line stays at its end. A cosine over one step is at its end, but a line over one
    step stays at `learning_rate`, as in MaxText.

    >>> from jaxsched.ports import maxtext
    >>> maxtext.create_learning_rate_schedule(
    ...     learning_rate=0.3, steps=120, learning_rate_schedule_steps=100, lr_schedule_type="wsd"
    ... )
    join([Linear(0, 0.3, 10), 0.3, Linear(0.3, 0.03, 9), 0], [10, 90, 100])

    Args:
      learning_rate: the rate at the end of the warmup, at least 0.
      steps: the length of the run, a whole number; -1 is `learning_rate_schedule_steps`.
      learning_rate_schedule_steps: the length of the schedule, a whole number of at least 0; -1 is `steps`.
      warmup_steps_fraction: from 0 to 1.
      lr_schedule_type: `"cosine"` or `"wsd"`.
      learning_rate_final_fraction: see above.
      wsd_decay_steps_fraction: from 0 to 1. With `"wsd"`, the two fractions have a sum of at most 1.
      wsd_decay_style: see above.

    The lengths and the fractions of them must be concrete. `learning_rate` and `learning_rate_final_fraction`
    may be traced.

    Source: `create_learning_rate_schedule` of MaxText, commit e591f30cb. The defaults, and what -1 means, are
    those of its configuration.
    """
    high = checked_number("learning_rate", learning_rate, at_least=0)
    low = high * checked_number("learning_rate_final_fraction", learning_rate_final_fraction)
    run = whole("steps", _known("steps", steps, at_least=-1))
    length = _known("learning_rate_schedule_steps", learning_rate_schedule_steps, at_least=-1)
    length = run if length == -1 else whole("learning_rate_schedule_steps", length)
    run = length if run == -1 else run
    if max(run, length) <= 0:
        raise ValueError(
            "`steps` or `learning_rate_schedule_steps` must be above 0, "
            f"got {show(steps)} and {show(learning_rate_schedule_steps)}."
        )
    warmup_fraction = _known("warmup_steps_fraction", warmup_steps_fraction, at_least=0, at_most=1)
    decay_fraction = _known("wsd_decay_steps_fraction", wsd_decay_steps_fraction, at_least=0, at_most=1)
    kind = one_of("lr_schedule_type", lr_schedule_type, {"cosine": "cosine", "wsd": "wsd"})
    style = one_of("wsd_decay_style", wsd_decay_style, {"linear": "linear", "cosine": "cosine"})
    if kind == "wsd" and warmup_fraction + decay_fraction > 1:
        raise ValueError(
            "`warmup_steps_fraction + wsd_decay_steps_fraction` must be at most 1, "
            f"got {show(warmup_fraction + decay_fraction)}."
        )
    warmup_steps = int(length * warmup_fraction)
    decay_steps = length - warmup_steps if kind == "cosine" else int(length * decay_fraction)
    decay: Schedule = Constant(high)
    if kind == "wsd" and style == "linear":
        if decay_steps > 1:
            decay = Linear(high, low, decay_steps - 1)
    else:
        decay = Cosine(high, low, max(decay_steps - 1, 0))
        if run <= length and decay_steps > 1:
            decay = reflect(decay, 2 * (decay_steps - 1))
    phases = [
        (Linear(0.0, high, warmup_steps), warmup_steps),
        (Constant(high), length - warmup_steps - decay_steps),
        (decay, decay_steps),
        (Constant(0.0), run - length),
    ]
    parts, lengths = zip(*(phase for phase in phases if phase[1] > 0), strict=True)
    return joined(parts, [*itertools.accumulate(lengths, initial=0)])


def _known(name: str, value: Any, **limits: float) -> float:
    """A number on which the parts of the schedule depend."""
    return float(concrete(name, checked_number(name, value, **limits)))


def from_config(config: Mapping[str, Any]) -> FromConfig:
    """The schedule of a run from its configuration, the YAML as a dict.

    These keys are read, and have the defaults of `base.yml`: `learning_rate`, `steps`,
    `learning_rate_schedule_steps`, `warmup_steps_fraction`, `lr_schedule_type`,
    `learning_rate_final_fraction`, `wsd_decay_steps_fraction` and `wsd_decay_style`.

    Args:
      config: the configuration by key. If its `base_config` is not `base.yml`, merge the two first.

    Returns:
      The schedule `learning_rate`, and the keys that were `ignored`.

    Raises:
      TypeError: a value is of the wrong type.
      ValueError: a value is outside its range, or an unknown key looks schedule-related.
    """
    config = section(config)
    names = ignored(config, KEYS, HARMLESS)
    given = {key: yaml_value(config[key]) for key in KEYS if key in config}
    return FromConfig(create_learning_rate_schedule(**given), names)
