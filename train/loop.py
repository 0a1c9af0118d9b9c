"""A run, epoch by epoch: training, recording, and restoring from checkpoints.

Read `train.step` next: it computes an epoch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from train import devices
from train.checkpoint import Checkpoint, Checkpoints
from train.config import Config, write
from train.data import Data
from train.events import Point, writing
from train.step import Plan, State, Trainer, spread
from train.stop import StoppedError


class DivergedError(Exception):
    """The loss is infinite or NaN."""


@dataclass(frozen=True)
class Epoch:
    """The metrics of an epoch.

    Args:
      epoch: number of completed epochs, including this one.
      step: number of completed optimizer updates.
      learning_rate: learning rate of the latest update.
      train_loss: mean loss of the epoch's batches, each before its update.
      train_accuracy: mean accuracy of the epoch's batches, each before its update.
      test_accuracy: accuracy over all test images, after the epoch.
      seconds: duration of the epoch, including its evaluation.
      gradient_norms: Euclidean norm of the gradient at each update of the epoch, with five digits; empty in
        epochs that an earlier version trained.
    """

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    test_accuracy: float
    seconds: float
    gradient_norms: Sequence[float] = ()

    def numbers(self) -> dict[str, Any]:
        """The metrics of the epoch by name, without those of its updates."""
        return {name: value for name, value in vars(self).items() if name != "gradient_norms"}


class Progress(NamedTuple):
    """The state of a run in memory.

    Attributes:
      state: the parameters and the optimizer's state.
      key: data of the random key for the order of the images, from `jax.random.key_data`.
      epochs: metrics of the completed epochs.
    """

    state: State
    key: np.ndarray
    epochs: tuple[Epoch, ...] = ()


def begin(config: Config, plan: Plan) -> Progress:
    """A run before its first epoch."""
    state = Trainer(config.momentum, config.batch_size).start(plan, np.uint32(config.seed))
    key = jax.random.key_data(jax.random.key(config.seed))
    # NumPy arrays, as restored from a checkpoint: new and resumed runs then share a compiled program.
    return Progress(jax.tree.map(np.array, state), np.array(key))


def run(config: Config, plan: Plan, data: Data, mesh: Mesh, progress: Progress) -> Iterator[Progress]:
    """Trains a LeNet.

    Args:
      config: configuration of the run.
      plan: the learning rate of `config`, in optimizer steps.
      data: the data set.
      mesh: the devices that share each batch.
      progress: the point to start from.

    Yields:
      The progress after each epoch. Asking for the next one consumes its state.

    Raises:
      DivergedError: a training loss is infinite or NaN.
    """
    data = spread(data if plan.rule is None else data.with_held_out(), mesh)
    trainer = Trainer(config.momentum, config.batch_size)
    steps_per_epoch = len(data.train.labels) // config.batch_size
    state, key, epochs = devices.replicated(mesh, progress.state), progress.key, progress.epochs
    for made in range(len(epochs), config.epochs):
        began = time.perf_counter()
        state, on_device = trainer.epoch_on(mesh, state, plan, data, key, np.uint32(made))
        metrics = jax.device_get(on_device)
        if metrics.first_bad >= 0:
            raise DivergedError(
                f"The loss is no longer finite in epoch {made + 1}, at step "
                f"{made * steps_per_epoch + metrics.first_bad} with a learning rate of "
                f"{metrics.learning_rate:.4g}: try a lower rate or a longer warmup."
            )
        known = Epoch(
            epoch=made + 1,
            step=(made + 1) * steps_per_epoch,
            learning_rate=float(metrics.learning_rate),
            train_loss=float(metrics.loss),
            train_accuracy=float(metrics.accuracy),
            test_accuracy=float(metrics.test_accuracy),
            seconds=time.perf_counter() - began,
            gradient_norms=[float(f"{norm:.5g}") for norm in metrics.gradient_norms],
        )
        epochs = (*epochs, known)
        yield Progress(state, key, epochs)


def record(
    run: Iterator[Progress],
    config: Config,
    folder: Path,
    checkpoints: Checkpoints,
    epochs: Sequence[Epoch],
    watch: Callable[[Epoch], None],
    asked: Callable[[], Signals | None],
    logdir: Path | None = None,
) -> Sequence[Epoch]:
    """Trains a run to its end. After each epoch, writes a line of JSON and a checkpoint.

    Args:
      run: the remaining epochs.
      config: configuration of the run. Each checkpoint contains it.
      folder: the folder of `config.json` and of `metrics.jsonl`, which starts with `epochs`.
      checkpoints: the checkpoints of the run.
      epochs: metrics of the completed epochs.
      watch: is called with the metrics of each epoch.
      asked: returns the signal that asked the process to end, if any.
      logdir: a folder for TensorBoard's event files, or `None`.

    Returns:
      The metrics of all epochs.

    Raises:
      StoppedError: the process was asked to end. Every completed epoch is saved.
      CheckpointError: a checkpoint could not be written.
    """
    with contextlib.ExitStack() as stack:
        lines = stack.enter_context(_lines(folder / "metrics.jsonl", epochs))
        points = stack.enter_context(_points(logdir, epochs))
        # Runs first on exit, so that the latest checkpoint is complete after an error too.
        stack.callback(checkpoints.wait)
        for number, progress in enumerate(run):
            epochs = progress.epochs
            lines(epochs[-1])
            points(epochs[-1])
            kept = {"config": dataclasses.asdict(config), "epochs": [dataclasses.asdict(e) for e in epochs]}
            checkpoints.save(_tree(progress), kept, [each.test_accuracy for each in epochs])
            if number == 0:
                # The file follows the first checkpoint with this configuration: a resume compares the two.
                checkpoints.wait()
                if devices.is_first():
                    config.save(folder / "config.json")
            watch(epochs[-1])
            cause = asked()
            if devices.any_process(cause is not None) and len(epochs) < config.epochs:
                raise StoppedError(cause, f"{len(epochs)} of {config.epochs} epochs are saved.")
    return epochs


def restore(
    read: Callable[[Callable[[dict[str, Any]], Any]], Checkpoint | None],
    fresh: Callable[[Config], Progress],
) -> tuple[Progress, Config] | None:
    """The progress and the configuration in a checkpoint, or `None` if there is none.

    The first process reads it and broadcasts it to the others.

    Args:
      read: reads the checkpoint, given what `Checkpoints.restore` and `Checkpoints.read` call `expected`.
      fresh: builds the progress at the start of a run from its configuration.

    Raises:
      CheckpointError: the checkpoint cannot be read.
    """

    def blank(record: dict[str, Any]) -> dict[str, Any]:
        return _tree(fresh(Config.of(record["config"])))

    checkpoint = read(blank) if devices.is_first() else None
    record = json.loads(devices.from_first(json.dumps(checkpoint and checkpoint.record)))
    if record is None:
        return None
    tree = devices.tree_from_first(checkpoint.state if checkpoint else blank(record))
    epochs = tuple(Epoch(**epoch) for epoch in record["epochs"])
    return Progress(tree["state"], tree["key"], epochs), Config.of(record["config"])


def _tree(progress: Progress) -> dict[str, Any]:
    """The arrays to checkpoint."""
    return {"state": progress.state, "key": progress.key}


@contextlib.contextmanager
def _lines(path: Path, epochs: Sequence[Epoch]) -> Iterator[Callable[[Epoch], None]]:
    """Writes the completed epochs as lines of JSON, and appends new ones. Only the first process writes."""
    if not devices.is_first():
        yield lambda epoch: None
        return
    write(path, "".join(map(_line, epochs)))
    with path.open("a") as file:

        def append(epoch: Epoch) -> None:
            file.write(_line(epoch))
            file.flush()

        yield append


def _line(epoch: Epoch) -> str:
    return json.dumps(dataclasses.asdict(epoch)) + "\n"


@contextlib.contextmanager
def _points(logdir: Path | None, epochs: Sequence[Epoch]) -> Iterator[Callable[[Epoch], None]]:
    """Writes what `_lines` does for TensorBoard, by step."""
    if logdir is None or not devices.is_first():
        yield lambda epoch: None
        return
    with writing(logdir) as write:
        write([_point(epoch) for epoch in epochs])
        yield lambda epoch: write([_point(epoch)])


def _point(epoch: Epoch) -> Point:
    metrics = epoch.numbers()
    return Point(metrics.pop("step"), epoch.seconds, metrics)
