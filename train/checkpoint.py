"""Checkpoints of a run, written atomically in the background. The newest two and the best one are kept.

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
    """A checkpoint could not be written, or none of the existing ones can be read."""


class Checkpoint(NamedTuple):
    """Everything that a run needs to resume.

    Attributes:
      state: a tree of arrays.
      record: a dict that JSON can represent.
    """

    state: Any
    record: dict[str, Any]


class Checkpoints:
    """The checkpoints in a folder, by epoch.

    Of several processes, only the first reads and writes. In the others, the methods do nothing.

    Args:
      folder: the folder of the checkpoints; it is created if it does not exist.

    Raises:
      CheckpointError: the folder is not writable.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.accuracies: Sequence[float] = ()
        if not devices.is_first():
            return
        # Only the first process takes part, so the processes need no shared file system.
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
            raise CheckpointError(f"Checkpoints cannot be written to {folder}: {error.strerror}.") from error

    def save(self, state: Any, record: dict[str, Any], accuracies: Sequence[float]) -> None:
        """Starts to write a checkpoint, once the previous one is complete.

        Args:
          state: a tree of arrays.
          record: a dict that JSON can represent.
          accuracies: of all epochs so far; the best checkpoint is the one with the highest.

        Raises:
          CheckpointError: the previous checkpoint or this one could not be written.
        """
        if not devices.is_first():
            return
        # A copy, because the next epoch donates the buffers of the state.
        state = jax.tree.map(np.array, state)
        record = {**record, "digest": _digest(state)}
        items = ocp.args.Composite(state=ocp.args.StandardSave(state), record=ocp.args.JsonSave(record))
        self.wait()
        self.accuracies = accuracies
        self._try(lambda: self.orbax.save(self.folder / str(len(accuracies)), args=items))

    def wait(self) -> None:
        """Waits until the checkpoint is written. Removes all but the newest two and the best one.

        Raises:
          CheckpointError: the checkpoint could not be written.
        """
        if not devices.is_first():
            return
        self._try(self.orbax.wait_until_finished)
        kept = [epoch for epoch in self.epochs() if epoch <= len(self.accuracies)]
        best = max(kept, key=lambda epoch: self.accuracies[epoch - 1], default=0)
        for old in set(kept[2:]) - {best}:  # two, in case the newest is damaged
            shutil.rmtree(self.folder / str(old))

    def _try(self, write: Callable[[], Any]) -> None:
        try:
            write()
        except Exception as error:  # Orbax and the file system raise many kinds
            good = self.epochs()
            kept = f"the checkpoint of epoch {good[0]} is intact" if good else "there is no earlier one"
            raise CheckpointError(
                f"A checkpoint could not be written to {self.folder}; {kept}: {_first_line(error)}"
            ) from error

    def restore(
        self, expected: Callable[[dict[str, Any]], Any], say: Callable[[str], None]
    ) -> Checkpoint | None:
        """Reads the newest checkpoint that is intact, and removes the damaged ones after it.

        Args:
          expected: maps a record to a state of the expected structure, shapes and dtypes.
          say: is called with a message for each damaged checkpoint.

        Returns:
          The checkpoint, or `None` if there is none.

        Raises:
          CheckpointError: there are checkpoints, but all are damaged.
        """
        found = self.epochs()
        damage = []
        for epoch in found:
            try:
                checkpoint = self._read(epoch, expected)
            except Exception as error:  # damage raises errors of many kinds
                damage.append((epoch, _first_line(error)))
                continue
            for bad, why in damage:
                say(f"The checkpoint of epoch {bad} is damaged; resuming from epoch {epoch}. {why}")
                shutil.rmtree(self.folder / str(bad))
            return checkpoint
        if damage:
            reasons = "; ".join(f"epoch {epoch}: {why}" for epoch, why in damage)
            raise CheckpointError(f"All checkpoints in {self.folder} are damaged: {reasons}")
        return None

    def epochs(self) -> list[int]:
        """The epochs of all checkpoints, newest first. Call it in the first process only."""
        names = (path.name for path in self.folder.iterdir())
        return sorted((int(name) for name in names if name.isdigit()), reverse=True)

    def _read(self, epoch: int, expected: Callable[[dict[str, Any]], Any]) -> Checkpoint:
        path = self.folder / str(epoch)
        record = self.orbax.restore(path, args=ocp.args.Composite(record=ocp.args.JsonRestore())).record
        items = ocp.args.Composite(state=ocp.args.StandardRestore(expected(record)))
        restored = self.orbax.restore(path, args=items).state
        if record["digest"] != _digest(restored):
            raise ValueError("Its arrays are not the ones that were saved.")
        return Checkpoint(restored, record)


def _digest(state: Any) -> str:
    """A hash of a state: its structure, shapes, dtypes and every bit of its arrays."""
    result = hashlib.sha256()
    for path, leaf in jax.tree.leaves_with_path(state):
        array = np.asarray(leaf)
        result.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape} ".encode())
        result.update(array.tobytes())
    return result.hexdigest()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]}"
