"""What a run is made of, as `config.json` has it, and the defaults of each data set.

Read `train.session` next.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jaxsched as js


class Defaults(NamedTuple):
    """What a run takes unless it is told otherwise."""

    batch_size: int
    epochs: int
    peak_value: float


DEFAULTS = {
    # There are so few digits that an epoch would have five batches of 256.
    "digits": Defaults(batch_size=64, epochs=30, peak_value=0.2),
    # As in the book's chapter.
    "fashion_mnist": Defaults(batch_size=256, epochs=30, peak_value=0.3),
}


class ConfigError(Exception):
    """The file with the configuration of a run is missing or damaged."""


@dataclass(frozen=True)
class Config:
    """A run: its data, its schedule as text, and everything else that decides its result.

    Args:
      dataset: one of `train.data.DATASETS`.
      data_dir: the folder with its files, if it has any.
      schedule: the text of the schedule that was asked for, in optimizer steps or, with `per_epoch`, epochs.
      trained: the text of what is trained: the same, until a resume goes over to another schedule.
      per_epoch: whether the schedule's clock ticks once an epoch.
      plateau: factor and patience, in epochs, of a plateau that watches held-out images, or `None`.
      momentum: of the gradients, at least 0 and below 1.
      seed: for the initial parameters and the order of the images.
      batch_size: images of one optimizer step.
      epochs: passes over the training images.
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

    def save(self, path: Path) -> None:
        """Writes it as JSON."""
        write(path, json.dumps(dataclasses.asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Config:
        """Reads what `save` wrote.

        Raises:
          ConfigError: there is no such file, or it is damaged.
        """
        try:
            return cls.of(json.loads(path.read_text()))
        except OSError as error:
            raise ConfigError(f"{path.parent} holds no run: {path.name}: {error.strerror}.") from error
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{path} is no configuration of a run: {error}.") from error

    @classmethod
    def of(cls, record: dict[str, Any]) -> Config:
        """A configuration from its JSON."""
        for name in ("schedule", "trained"):
            js.parse(record[name])
        plateau = record["plateau"]
        return cls(**record | {"plateau": plateau and tuple(plateau)})


def write(path: Path, text: str) -> None:
    """Writes a file in whole or not at all, whenever the process is killed."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def default_schedule(peak_value: float, length: int) -> js.Schedule:
    """A warmup over a sixth of the run and a cosine over the rest: the book's last figure, at any length."""
    warmup_steps = length // 6
    return js.warmup(js.Cosine(peak_value, 0.01, length - warmup_steps), warmup_steps)
