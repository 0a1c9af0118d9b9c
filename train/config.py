"""The configuration of a run, as stored in `config.json`, and the defaults of each data set.

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
    """The configuration file of a run is missing or damaged."""


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
        """Writes the configuration as JSON."""
        write(path, json.dumps(dataclasses.asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Config:
        """Reads a file that `save` wrote.

        Raises:
          ConfigError: the file does not exist or is damaged.
        """
        try:
            return cls.of(json.loads(path.read_text()))
        except OSError as error:
            raise ConfigError(f"{path.parent} contains no run: {path.name}: {error.strerror}.") from error
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{path} is not the configuration of a run: {error}.") from error

    @classmethod
    def of(cls, record: dict[str, Any]) -> Config:
        """Builds a configuration from the dict of its JSON."""
        for name in ("schedule", "trained"):
            js.parse(record[name])
        plateau = record["plateau"]
        return cls(**record | {"plateau": plateau and tuple(plateau)})


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
