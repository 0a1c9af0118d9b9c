"""What a run is made of."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jaxsched as js


class Defaults(NamedTuple):
    """What a run takes where nothing is said."""

    batch_size: int
    epochs: int
    peak_value: float


DEFAULTS = {
    # The digits are so few that batches of 256 would be five an epoch.
    "digits": Defaults(batch_size=64, epochs=30, peak_value=0.2),
    # As in the book's chapter.
    "fashion_mnist": Defaults(batch_size=256, epochs=30, peak_value=0.3),
}


@dataclass(frozen=True)
class Config:
    """A run: its data, its schedule as text, and the rest that decides what it gives.

    Args:
      dataset: one of `train.data.DATASETS`.
      schedule: the text form of a schedule, in optimizer steps or, with `per_epoch`, in epochs.
      per_epoch: whether the schedule's clock ticks once an epoch.
      momentum: of the gradients, at least 0 and below 1.
      seed: for the initial parameters and the order of the images.
      batch_size: images of one optimizer step.
      epochs: passes over the training images.
    """

    dataset: str
    schedule: str
    per_epoch: bool
    momentum: float
    seed: int
    batch_size: int
    epochs: int

    def save(self, path: Path) -> None:
        """Writes it as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")


def default_schedule(peak_value: float, length: int) -> js.Schedule:
    """A warmup over a sixth of the run and a cosine over the rest: the book's last figure, at any length."""
    warmup_steps = length // 6
    return js.warmup(js.Cosine(peak_value, 0.01, length - warmup_steps), warmup_steps)
