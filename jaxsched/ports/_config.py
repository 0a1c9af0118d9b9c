"""From the configuration of a system to schedules, and to the keys that do not matter to them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from jax import Array

from jaxsched._core.fields import brief, describe
from jaxsched._core.schedule import Schedule
from jaxsched.plateau import Plateau

OF_A_SCHEDULE = re.compile(
    r"(?<![a-z])lr(?![a-z])|(?<![A-Z])LR(?![A-Z])|(?i:learning_?rate|warm_?up|decay|sched|anneal)"
)
"""What the name of a key has in it if the key looks like one of a schedule."""

OF_THE_WEIGHTS = re.compile(r"weight_?decay", re.IGNORECASE)
"""The optimizer's own decay, which is no schedule."""


class FromConfig(NamedTuple):
    """The result of a system's `from_config`. Call it with a step for the learning rate.

    Attributes:
      learning_rate: the schedule.
      ignored: the keys of the configuration that do not change a schedule, nested ones with dots.
      weight_decay: the schedule of the weight decay, where the system has one.
      momentum: the schedule of the momentum, where the configuration has one.
      plateau: the rule for `jaxsched.scale_by_plateau`, where the configuration has one.
    """

    learning_rate: Schedule
    ignored: tuple[str, ...]
    weight_decay: Schedule | None = None
    momentum: Schedule | None = None
    plateau: Plateau | None = None

    def __call__(self, step: Any) -> Array:
        """The learning rate at `step`, as `learning_rate(step)`."""
        return self.learning_rate(step)


def section(config: Any, name: str = "config") -> Mapping[str, Any]:
    """`config`, or a part of it called `name`, as a mapping.

    Raises:
      TypeError: it is not a mapping with texts as keys.
    """
    if not isinstance(config, Mapping):
        raise TypeError(f"`{name}` must be a mapping, such as a dict, got {describe(config)}.")
    for key in config:
        if not isinstance(key, str):
            raise TypeError(f"`{name}` must have texts as keys, got {describe(key)}.")
    return config


def check_keys(
    name: str, config: Collection[str], known: Sequence[str], others: Collection[str] = ()
) -> None:
    """Checks that a part of a configuration has only known keys.

    Args:
      name: what the part is called.
      config: its keys.
      known: those that the message lists.
      others: more that are known.

    Raises:
      ValueError: it has another one.
    """
    for key in config:
        if key not in known and key not in others:
            raise ValueError(f"`{name}` must have only the keys {[*known]}, got {key!r}.")


def yaml_value(value: Any) -> Any:
    """A value of a YAML. Some readers take a number without a point, such as 3e-6, for a text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def ignored(
    config: Mapping[str, Any], used: Collection[str], harmless: Collection[str] = (), path: str = ""
) -> tuple[str, ...]:
    """The keys of `config` that are not `used`, in its order, each after `path`.

    Args:
      config: a mapping with texts as keys.
      used: the keys that a schedule is made from.
      harmless: keys that look like those of a schedule, and do not change one.
      path: where `config` is in the whole configuration, such as `"scheduler.params."`.

    Raises:
      ValueError: an unknown key looks schedule-related.
    """
    others = [key for key in config if key not in used]
    for key in others:
        if key not in harmless and OF_A_SCHEDULE.search(OF_THE_WEIGHTS.sub("", key)):
            raise ValueError(
                f"`config` must have only these keys of a schedule, {sorted(used)}, "
                f"got {brief(path + key)}, which looks like one and is not known."
            )
    return tuple(path + key for key in others)
