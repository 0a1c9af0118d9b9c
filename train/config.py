"""The configuration of a run, as stored in `config.json`, and the defaults of each data set.

Read `train.session` next.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jaxsched as js


class Defaults(NamedTuple):
    """The defaults of a data set."""

    batch_size: int
    epochs: int
    peak_value: float


DEFAULTS = {
    # With batches of 256, an epoch would have only five steps.
    "digits": Defaults(batch_size=64, epochs=30, peak_value=0.2),
    # The values of the book's chapter.
    "fashion_mnist": Defaults(batch_size=256, epochs=30, peak_value=0.3),
}


class ConfigError(Exception):
    """The configuration file of a run is missing, damaged or edited."""


@dataclass(frozen=True)
class Config:
    """A run: its data, its schedule as text, and everything else that determines its result.

    Args:
      dataset: one of `train.data.DATASETS`.
      data_dir: the folder with the files of the data set, or `None`.
      schedule: text of the requested schedule, in optimizer steps, or in epochs with `per_epoch`.
      trained: text of the schedule that is trained; differs from `schedule` after a resume with `--retarget`.
      per_epoch: whether the schedule counts epochs instead of steps.
      plateau: factor and patience, in epochs, of a plateau on the loss over held-out images, or `None`.
      momentum: gradient momentum, at least 0 and below 1.
      seed: seed of the initial parameters and of the order of the images.
      batch_size: images per optimizer step.
      epochs: passes over the training images.
      keep_every: the checkpoint of every epoch with a multiple of this number is kept, or `None`.
    """

    dataset: str
    data_dir: str | None
    schedule: str
    trained: str
    per_epoch: bool
    plateau: tuple[float, int] | None
    momentum: float
    seed: int
    batch_size: int
    epochs: int
    keep_every: int | None = None

    def save(self, path: Path) -> None:
        """Writes the configuration as JSON, with a hash of it."""
        record = dataclasses.asdict(self)
        write(path, json.dumps(record | {"sha256": _sha256(record)}, indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Config:
        """Reads a file that `save` wrote.

        Raises:
          ConfigError: the file cannot be read, or is not as `save` wrote it.
        """
        try:
            record = json.loads(path.read_bytes())
            written = record.pop("sha256", None) if isinstance(record, dict) else None
            config = cls.of(record)
        except OSError as error:
            raise ConfigError(f"{path.parent} contains no run: {path.name}: {error.strerror}.") from error
        except (ConfigError, ValueError, RecursionError) as error:
            raise ConfigError(f"{path} is not the configuration of a run: {error}.") from error
        if written != _sha256(record):
            raise ConfigError(
                f"{path} is not as the run wrote it. Undo the change; to change a run, give --resume options."
            )
        return config

    @classmethod
    def of(cls, record: Any) -> Config:
        """Builds a configuration from its JSON.

        Raises:
          ConfigError: a key is missing or surplus, or a value is not allowed.
        """
        if not isinstance(record, dict):
            raise ConfigError("it must be an object")
        record = {"keep_every": None} | record  # which runs of earlier versions lack
        for name in sorted(ALLOWED.keys() | record.keys()):
            if name not in ALLOWED:
                raise ConfigError(f"`{name}` must be left out, as there is no such key")
            if name not in record:
                raise ConfigError(f"`{name}` is missing")
            is_allowed, words = ALLOWED[name]
            if not is_allowed(record[name]):
                raise ConfigError(f"`{name}` must be {words}, got {json.dumps(record[name])[:80]}")
        plateau = record["plateau"]
        return cls(**record | {"plateau": plateau and tuple(plateau)})


def _is_whole(value: Any, low: int, high: float = math.inf) -> bool:
    return type(value) is int and low <= value <= high


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_schedule(value: Any) -> bool:
    try:
        return isinstance(value, str) and js.parse(value) is not None
    except ValueError:
        return False


def _is_plateau(value: Any) -> bool:
    pair = isinstance(value, (list, tuple)) and len(value) == 2
    return pair and _is_number(value[0]) and 0 < value[0] < 1 and _is_whole(value[1], 0)


ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "dataset": (lambda value: value in list(DEFAULTS), " or ".join(DEFAULTS)),
    "data_dir": (lambda value: value is None or isinstance(value, str), "a path or null"),
    "schedule": (_is_schedule, "the text of a schedule"),
    "trained": (_is_schedule, "the text of a schedule"),
    "per_epoch": (lambda value: type(value) is bool, "true or false"),
    "plateau": (
        lambda value: value is None or _is_plateau(value),
        "null, or a factor above 0 and below 1 and a patience, a whole number of at least 0",
    ),
    "momentum": (lambda value: _is_number(value) and 0 <= value < 1, "a number of at least 0 and below 1"),
    "seed": (lambda value: _is_whole(value, 0, 2**32 - 1), "a whole number from 0 to 4294967295"),
    "batch_size": (lambda value: _is_whole(value, 1), "a whole number of at least 1"),
    "epochs": (lambda value: _is_whole(value, 1), "a whole number of at least 1"),
    "keep_every": (
        lambda value: value is None or _is_whole(value, 1),
        "null or a whole number of at least 1",
    ),
}
"""The keys of a configuration, and for each a test of its value and what is allowed in words."""


def _sha256(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def write(path: Path, text: str) -> None:
    """Writes a file atomically: if the process is killed, the file is complete or unchanged."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def default_schedule(peak_value: float, length: int) -> js.Schedule:
    """Warmup over a sixth of the run, then a cosine: the book's last figure, at any length.

    Unlike there the first rate is above 0, and a peak below 0.1 ends at a tenth of itself.
    """
    warmup_steps = length // 6
    cosine = js.Cosine(peak_value, min(0.01, peak_value / 10), length - warmup_steps)
    return js.warmup(cosine, warmup_steps, first_step=1)
