"""Checkpoints of a run: written while it goes on, whole or not at all; the newest two and the best are kept.

Read `train.report` next.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from train import devices


class CheckpointError(Exception):
    """A checkpoint cannot be written, or none of those that are there can be read."""


class Checkpoint(NamedTuple):
    """What a run needs to go on.

    Attributes:
      state: a tree of arrays.
      record: what JSON can hold.
    """

    state: Any
    record: dict[str, Any]


class Checkpoints:
    """The checkpoints in a folder, by epoch.

    Of several processes the first one reads and writes, and the others do nothing.

    Args:
      folder: where they are; it is made if it is not there.

    Raises:
      CheckpointError: that is no folder to write to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.accuracies: Sequence[float] = ()
        if not devices.is_first():
            return
        # Of several processes, only this one takes part, so that they need no file system in common.
        alone = {} if devices.alone() else {"active_processes": {0}, "barrier_sync_key_prefix": "first"}
        options = ocp.options.MultiprocessingOptions(primary_host=0, **alone)
        self.orbax = ocp.AsyncCheckpointer(
            ocp.CompositeCheckpointHandler(
                composite_options=ocp.CompositeOptions(multiprocessing_options=options)
            ),
            multiprocessing_options=options,
        )
        try:
            folder.mkdir(exist_ok=True)
            for unfinished in folder.glob("*.orbax-checkpoint-tmp*"):
                shutil.rmtree(unfinished)
            (folder / ".writable").touch()
            (folder / ".writable").unlink()
        except OSError as error:
            raise CheckpointError(f"{folder} takes no checkpoints: {error.strerror}.") from error

    def save(self, state: Any, record: dict[str, Any], accuracies: Sequence[float]) -> None:
        """Begins to write a checkpoint, once the one before is complete.

        Args:
          state: a tree of arrays.
          record: what JSON can hold.
          accuracies: of all epochs so far; the highest is that of the best checkpoint.

        Raises:
          CheckpointError: that one could not be written, or this one cannot.
        """
        if not devices.is_first():
            return
        # A copy: the next epoch reuses the memory of the state.
        state = jax.tree.map(np.array, state)
        record = {**record, "digest": _digest(state)}
        items = ocp.args.Composite(state=ocp.args.StandardSave(state), record=ocp.args.JsonSave(record))
        self.wait()
        self.accuracies = accuracies
        self._try(lambda: self.orbax.save(self.folder / str(len(accuracies)), args=items))

    def wait(self) -> None:
        """Waits until all is written, and removes what is neither among the newest two nor the best.

        Raises:
          CheckpointError: it could not be written.
        """
        if not devices.is_first():
            return
        self._try(self.orbax.wait_until_finished)
        kept = [epoch for epoch in self.epochs() if epoch <= len(self.accuracies)]
        best = max(kept, key=lambda epoch: self.accuracies[epoch - 1], default=0)
        for old in set(kept[2:]) - {best}:  # two, so that there is one where the newest is damaged
            shutil.rmtree(self.folder / str(old))

    def _try(self, write: Callable[[], Any]) -> None:
        try:
            write()
        except Exception as error:  # whatever stands between Orbax and the disk
            good = self.epochs()
            kept = f"that of epoch {good[0]} is good" if good else "there is none before it"
            raise CheckpointError(
                f"A checkpoint could not be written to {self.folder}; {kept}: {_first_line(error)}"
            ) from error

    def restore(
        self, expected: Callable[[dict[str, Any]], Any], say: Callable[[str], None]
    ) -> Checkpoint | None:
        """The newest checkpoint that is whole; damaged ones after it are removed.

        Args:
          expected: gives a state of the shapes that are expected, from a record.
          say: takes a line for each damaged one.

        Returns:
          `None` where there is no checkpoint.

        Raises:
          CheckpointError: there are checkpoints, but all are damaged.
        """
        found = self.epochs()
        damage = []
        for epoch in found:
            try:
                checkpoint = self._read(epoch, expected)
            except Exception as error:  # damage shows in many ways
                damage.append((epoch, _first_line(error)))
                continue
            for bad, why in damage:
                say(f"The checkpoint of epoch {bad} is damaged; going on from epoch {epoch}. {why}")
                shutil.rmtree(self.folder / str(bad))
            return checkpoint
        if damage:
            reasons = "; ".join(f"epoch {epoch}: {why}" for epoch, why in damage)
            raise CheckpointError(f"All checkpoints in {self.folder} are damaged: {reasons}")
        return None

    def epochs(self) -> list[int]:
        """Of the checkpoints, the newest first; in the first process."""
        names = (path.name for path in self.folder.iterdir())
        return sorted((int(name) for name in names if name.isdigit()), reverse=True)

    def _read(self, epoch: int, expected: Callable[[dict[str, Any]], Any]) -> Checkpoint:
        path = self.folder / str(epoch)
        record = self.orbax.restore(path, args=ocp.args.Composite(record=ocp.args.JsonRestore())).record
        items = ocp.args.Composite(state=ocp.args.StandardRestore(expected(record)))
        restored = self.orbax.restore(path, args=items).state
        if record["digest"] != _digest(restored):
            raise ValueError("Its numbers are not those that were written.")
        return Checkpoint(restored, record)


def _digest(state: Any) -> str:
    """A digest of every bit of a state."""
    result = hashlib.sha256()
    for path, leaf in jax.tree.leaves_with_path(state):
        array = np.asarray(leaf)
        result.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape} ".encode())
        result.update(array.tobytes())
    return result.hexdigest()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]}"
