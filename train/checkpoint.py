"""Checkpoints of a run, written atomically in the background.

The newest two and the best one are kept, and on request one every few epochs. A checkpoint is a folder named
after its epoch. It holds what Orbax writes, and a manifest with the size and the hash of each of these files.
It has another name until all of them are written, and it is read only if all of them are still the same.

Read `train.events` next.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from train import devices
from train.config import write

MANIFEST = "manifest.json"
UNFINISHED = ".unfinished"
KEPT = "kept"
"""An empty file in a checkpoint that is kept by `keep_every`, also when a resume changes that number."""


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
      folder: the folder of the checkpoints.
      keep_every: the checkpoint of every epoch with a multiple of this number is kept, or `None`.
      only_read: leaves the folder as it is, for a run that another process may be writing. Otherwise the
        folder is created if it does not exist, and what a killed process has left is removed.

    Raises:
      CheckpointError: the folder is not writable.
    """

    def __init__(self, folder: Path, keep_every: int | None = None, only_read: bool = False) -> None:
        self.folder = folder.absolute()
        self.keep_every = keep_every
        self.writer = ThreadPoolExecutor(1)
        self.writing: Future[None] | None = None
        if not devices.is_first():
            return
        for name in ("absl", "asyncio"):  # Orbax logs the tracebacks of errors that it also raises
            logging.getLogger(name).setLevel(logging.CRITICAL)
        sys.unraisablehook = _unraisable
        # Only the first process takes part, so the processes need no shared file system.
        alone = {} if devices.alone() else {"active_processes": {0}, "barrier_sync_key_prefix": "first"}
        options = ocp.options.MultiprocessingOptions(primary_host=0, **alone)
        self.orbax = ocp.Checkpointer(
            ocp.CompositeCheckpointHandler(
                composite_options=ocp.CompositeOptions(multiprocessing_options=options)
            ),
            multiprocessing_options=options,
        )
        if only_read:
            return
        try:
            folder.mkdir(exist_ok=True)
            for path in _folders(folder, rf"[1-9][0-9]*{re.escape(UNFINISHED)}(\.orbax-checkpoint-tmp.*)?"):
                shutil.rmtree(path)
            tempfile.TemporaryFile(dir=folder).close()
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
        self.wait()
        self.writing = self.writer.submit(
            self._write, state, {**record, "digest": _digest(state)}, accuracies
        )

    def wait(self) -> None:
        """Waits until the checkpoint is written.

        Raises:
          CheckpointError: the checkpoint could not be written.
        """
        writing, self.writing = self.writing, None
        if writing is None:
            return
        try:
            writing.result()
        except Exception as error:  # Orbax and the file system raise many kinds
            good = self.epochs()
            kept = f"the checkpoint of epoch {good[0]} is intact" if good else "there is no earlier one"
            raise CheckpointError(
                f"A checkpoint could not be written to {self.folder}; {kept}: {_reason(error)}"
            ) from error

    def _write(self, state: Any, record: dict[str, Any], accuracies: Sequence[float]) -> None:
        """Writes a checkpoint. Then removes the ones that are not kept."""
        epoch = len(accuracies)
        if os.path.lexists(self.folder / str(epoch)):
            raise CheckpointError(f"`{epoch}` is in the way, and not a checkpoint. Move it to another place.")
        unfinished = self.folder / f"{epoch}{UNFINISHED}"
        items = ocp.args.Composite(state=ocp.args.StandardSave(state), record=ocp.args.JsonSave(record))
        self.orbax.save(unfinished, args=items)
        if self._is_kept(epoch):
            (unfinished / KEPT).touch()
        manifest = {"epoch": epoch, "files": _files(unfinished)}
        write(unfinished / MANIFEST, json.dumps(manifest))
        unfinished.rename(self.folder / str(epoch))
        kept = [each for each in self.epochs() if each <= epoch]
        best = max(kept, key=lambda each: accuracies[each - 1])
        # Two, in case the newest is damaged.
        for old in (each for each in kept[2:] if each != best and not self._is_kept(each)):
            # Renamed first: if the process is killed meanwhile, the next one removes the rest.
            shutil.rmtree((self.folder / str(old)).rename(self.folder / f"{old}{UNFINISHED}"))

    def _is_kept(self, epoch: int) -> bool:
        """Whether the checkpoint of an epoch is kept, or was to be when it was written."""
        now = self.keep_every is not None and epoch % self.keep_every == 0
        return now or (self.folder / str(epoch) / KEPT).exists()

    def restore(
        self, expected: Callable[[dict[str, Any]], Any], say: Callable[[str], None]
    ) -> Checkpoint | None:
        """Reads the newest checkpoint that is intact, and renames the damaged ones after it.

        Args:
          expected: maps a record to a state of the expected structure, shapes and dtypes.
          say: is called with a message for each damaged checkpoint.

        Returns:
          The checkpoint, or `None` if there is none.

        Raises:
          CheckpointError: there are checkpoints, but all are damaged, or there is no permission to read them.
        """
        damage = []
        for epoch in self.epochs():
            try:
                checkpoint = self._read(epoch, expected)
            except PermissionError as error:
                raise CheckpointError(f"A checkpoint cannot be read: {_reason(error)}") from error
            except Exception as error:  # damage raises errors of many kinds
                damage.append((epoch, _reason(error)))
                continue
            for bad, why in damage:
                names = (f"{bad}.damaged-{number}" for number in itertools.count(1))
                aside = next(path for path in map(self.folder.joinpath, names) if not os.path.lexists(path))
                (self.folder / str(bad)).rename(aside)
                say(f"The checkpoint of epoch {bad} is damaged; resuming from epoch {epoch}. {why}")
            return checkpoint
        if damage:
            reasons = "; ".join(f"epoch {epoch}: {why}" for epoch, why in damage)
            raise CheckpointError(f"All checkpoints in {self.folder} are damaged: {reasons}")
        return None

    def read(self, epoch: int, expected: Callable[[dict[str, Any]], Any]) -> Checkpoint:
        """Reads the checkpoint of an epoch.

        Args:
          epoch: one of `epochs()`.
          expected: as in `restore`.

        Raises:
          CheckpointError: the checkpoint is damaged or cannot be read.
        """
        try:
            return self._read(epoch, expected)
        except Exception as error:  # damage raises errors of many kinds
            raise CheckpointError(
                f"The checkpoint of epoch {epoch} in {self.folder} cannot be read. {_reason(error)}"
            ) from error

    def epochs(self) -> list[int]:
        """The epochs of all checkpoints, newest first. Call it in the first process only."""
        folders = _folders(self.folder, "[1-9][0-9]*")
        ours = [
            path for path in folders if any((path / part).exists() for part in (MANIFEST, "state", "record"))
        ]
        return sorted((int(path.name) for path in ours), reverse=True)

    def _read(self, epoch: int, expected: Callable[[dict[str, Any]], Any]) -> Checkpoint:
        path = self.folder / str(epoch)
        _check(path)
        record = self.orbax.restore(path, args=ocp.args.Composite(record=ocp.args.JsonRestore())).record
        items = ocp.args.Composite(state=ocp.args.StandardRestore(expected(record)))
        restored = self.orbax.restore(path, args=items).state
        if record["digest"] != _digest(restored):
            raise CheckpointError("Its arrays are not the ones that were saved.")
        return Checkpoint(restored, record)


def _folders(folder: Path, pattern: str) -> list[Path]:
    """The folders with such a name. Links and files with these names are not ours."""
    found = [path for path in folder.iterdir() if re.fullmatch(pattern, path.name)]
    return [path for path in found if path.is_dir() and not path.is_symlink()]


def _files(folder: Path) -> dict[str, Any]:
    """The size and the SHA-256 of each file except the manifest, and `None` for a link or a device."""
    known: dict[str, Any] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            known[name] = None
        elif path.is_file() and name != MANIFEST:
            with path.open("rb") as file:
                known[name] = [path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()]
    return known


def _check(folder: Path) -> None:
    """Compares a checkpoint with its manifest.

    Raises:
      CheckpointError: a file is damaged, missing or surplus.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        epoch, listed = manifest["epoch"], dict(manifest["files"])
    except FileNotFoundError as error:
        raise CheckpointError(f"Missing: {MANIFEST}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CheckpointError(f"Damaged: {MANIFEST}") from error
    there = _files(folder)
    wrong = {
        "Damaged": [name for name in there.keys() & listed.keys() if there[name] != listed[name]],
        "Missing": listed.keys() - there.keys(),
        "Surplus": there.keys() - listed.keys(),
    }
    if any(wrong.values()):
        raise CheckpointError(
            "; ".join(f"{how}: {', '.join(sorted(names))}" for how, names in wrong.items() if names)
        )
    if epoch != int(folder.name):
        raise CheckpointError(f"It is that of epoch {epoch}.")


def _digest(state: Any) -> str:
    """A hash of a state: its structure, shapes, dtypes and every bit of its arrays."""
    result = hashlib.sha256()
    for path, leaf in jax.tree.leaves_with_path(state):
        array = np.asarray(leaf)
        result.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape} ".encode())
        result.update(array.tobytes())
    return result.hexdigest()


def _unraisable(found: Any, show: Callable[[Any], Any] = sys.unraisablehook) -> None:
    """Leaves out what TensorStore prints after a failed write, whose error Orbax raises."""
    if str(found.exc_value) != "Event loop is closed":
        show(found)


def _reason(error: Exception) -> str:
    from_file_system = re.search(r"os_error_code='(\d+)'", str(error))
    if from_file_system:  # in a long message of TensorStore, which Orbax writes with
        return f"{os.strerror(int(from_file_system[1]))}."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}." if error.filename else f"{error.strerror}."
    lines = str(error).strip().splitlines() or [""]
    kind = "" if isinstance(error, CheckpointError) else f"{type(error).__name__}: "
    return f"{kind}{lines[0][:300]}"
