"""A run, epoch by epoch: trained, written down, and restored from its checkpoints.

Read `train.step` next: it is what an epoch computes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from train import devices
from train.checkpoint import Checkpoints
from train.config import Config, write
from train.data import Data
from train.step import Plan, State, Trainer, spread


class DivergedError(Exception):
    """The loss is no longer a number."""


class StoppedError(Exception):
    """The process was asked to end."""


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


class Progress(NamedTuple):
    """Where a run stands, in the memory of this process.

    Attributes:
      state: the parameters and the optimizer's state.
      key: for the order of the images, as `jax.random.key_data` gives it.
      epochs: what is known of those that are made.
    """

    state: State
    key: np.ndarray
    epochs: tuple[Epoch, ...] = ()


def begin(config: Config, plan: Plan) -> Progress:
    """A run of which nothing is made."""
    state = Trainer(config.momentum, config.batch_size).start(plan, np.uint32(config.seed))
    key = jax.random.key_data(jax.random.key(config.seed))
    # NumPy's arrays, as a checkpoint gives them back, so that one program serves both.
    return Progress(jax.tree.map(np.array, state), np.array(key))


def run(config: Config, plan: Plan, data: Data, mesh: Mesh, progress: Progress) -> Iterator[Progress]:
    """Trains a LeNet.

    Args:
      config: of the run.
      plan: the learning rate, in optimizer steps, as `config` says it in text.
      data: to train and to test on.
      mesh: the devices that share each batch.
      progress: where to go on.

    Yields:
      Where it stands after each epoch. The state is consumed when the next one is asked for.

    Raises:
      DivergedError: a loss of an epoch is infinite or not a number.
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
                f"In epoch {made + 1} the loss is no longer finite, at step "
                f"{made * steps_per_epoch + metrics.first_bad} and a learning rate of "
                f"{metrics.learning_rate:.4g}: try a smaller rate or a longer warmup."
            )
        known = Epoch(
            epoch=made + 1,
            step=(made + 1) * steps_per_epoch,
            learning_rate=float(metrics.learning_rate),
            train_loss=float(metrics.loss),
            train_accuracy=float(metrics.accuracy),
            test_accuracy=float(metrics.test_accuracy),
            seconds=time.perf_counter() - began,
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
) -> Sequence[Epoch]:
    """Follows a run: a line of JSON and a checkpoint an epoch, as soon as it is known.

    Args:
      run: what is left of it.
      config: of the run, kept in each checkpoint.
      folder: has `metrics.jsonl`, which is begun with `epochs`, and `config.json`.
      checkpoints: of the run.
      epochs: made so far.
      watch: is shown each epoch.

    Returns:
      All epochs.

    Raises:
      StoppedError: the process was asked to end by SIGTERM; all is saved.
      CheckpointError: a checkpoint could not be written.
    """
    with contextlib.ExitStack() as stack:
        asked = stack.enter_context(_asked_to_end())
        lines = stack.enter_context(_lines(folder / "metrics.jsonl", epochs))
        # Last in, first out: also on an error the latest checkpoint is complete.
        stack.callback(checkpoints.wait)
        for number, progress in enumerate(run):
            epochs = progress.epochs
            lines(epochs[-1])
            kept = {"config": dataclasses.asdict(config), "epochs": [dataclasses.asdict(e) for e in epochs]}
            checkpoints.save(_tree(progress), kept, [each.test_accuracy for each in epochs])
            if number == 0:
                # Not before a checkpoint says the same: a resume compares the two.
                checkpoints.wait()
                if devices.is_first():
                    config.save(folder / "config.json")
            watch(epochs[-1])
            if devices.any_process(asked()) and len(epochs) < config.epochs:
                raise StoppedError(f"Asked to end: {len(epochs)} of {config.epochs} epochs are saved.")
    return epochs


def restore(
    checkpoints: Checkpoints, fresh: Callable[[Config], Progress], say: Callable[[str], None]
) -> tuple[Progress, Config] | None:
    """Where the newest good checkpoint stands and its configuration, or `None` without any.

    Of several processes the first one reads it.

    Args:
      checkpoints: of the run.
      fresh: begins a run.
      say: takes a line for each damaged checkpoint.

    Raises:
      CheckpointError: there are checkpoints, but all are damaged.
    """

    def blank(record: dict[str, Any]) -> dict[str, Any]:
        return _tree(fresh(Config.of(record["config"])))

    checkpoint = checkpoints.restore(blank, say) if devices.is_first() else None
    record = json.loads(devices.from_first(json.dumps(checkpoint and checkpoint.record)))
    if record is None:
        return None
    tree = devices.tree_from_first(checkpoint.state if checkpoint else blank(record))
    epochs = tuple(Epoch(**epoch) for epoch in record["epochs"])
    return Progress(tree["state"], tree["key"], epochs), Config.of(record["config"])


def _tree(progress: Progress) -> dict[str, Any]:
    """The arrays of a checkpoint."""
    return {"state": progress.state, "key": progress.key}


@contextlib.contextmanager
def _lines(path: Path, epochs: Sequence[Epoch]) -> Iterator[Callable[[Epoch], None]]:
    """Writes epochs as lines of JSON, after those that are made; the first process does."""
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
def _asked_to_end() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM has come since; it does not end the process meanwhile."""
    signals: list[Any] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: signals.append(number))
    try:
        yield lambda: bool(signals)
    finally:
        signal.signal(signal.SIGTERM, before)
