"""A run, epoch by epoch."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

import jaxsched as js
from train.config import Config
from train.data import Data
from train.step import Plan, Trainer, evaluate


class DivergedError(Exception):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch.

    Args:
      epoch: epochs made so far, this one included.
      step: optimizer updates made so far.
      learning_rate: what the latest update applied.
      train_loss: the mean over the epoch's batches, as they were trained.
      train_accuracy: the same of the accuracy.
      test_accuracy: over all test images, after the epoch.
      seconds: that the epoch and its evaluation took.
    """

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    test_accuracy: float
    seconds: float


def run(config: Config, plan: Plan, data: Data) -> Iterator[Epoch]:
    """Trains a LeNet.

    Args:
      config: of the run; its `schedule` is what `plan` says in text.
      plan: the learning rate, in optimizer steps.
      data: to train and to test on.

    Yields:
      What is known after each epoch.

    Raises:
      DivergedError: the loss of an epoch is infinite or not a number.
    """
    images, labels, test_images, test_labels = jax.device_put(dataclasses.astuple(data))
    trainer = Trainer(config.momentum, config.batch_size)
    state = trainer.start(plan, np.uint32(config.seed))
    key = jax.random.key(config.seed)
    steps_per_epoch = len(labels) // config.batch_size
    for epoch in range(config.epochs):
        began = time.perf_counter()
        state, metrics = trainer.epoch(state, plan, images, labels, jax.random.fold_in(key, epoch))
        tested = evaluate(state.params, test_images, test_labels)
        known = Epoch(
            epoch=epoch + 1,
            step=(epoch + 1) * steps_per_epoch,
            learning_rate=float(js.learning_rate(state.opt_state)),
            train_loss=float(metrics.loss),
            train_accuracy=float(metrics.accuracy),
            test_accuracy=float(tested.accuracy),
            seconds=time.perf_counter() - began,
        )
        if not abs(known.train_loss) < float("inf"):
            raise DivergedError(
                f"The loss of epoch {known.epoch} is {known.train_loss}, at step {known.step} and a learning "
                f"rate of {known.learning_rate:.4g}: try a smaller rate or a longer warmup."
            )
        yield known


def record(epochs: Iterator[Epoch], path: Path, watch: Callable[[Epoch], None]) -> list[Epoch]:
    """Writes each epoch as a line of JSON as soon as it is known, and shows it to `watch`."""
    known = []
    with path.open("w") as file:
        for epoch in epochs:
            file.write(json.dumps(dataclasses.asdict(epoch)) + "\n")
            file.flush()
            known.append(epoch)
            watch(epoch)
    return known
