"""Setup of a command: checked options, devices, data, and a folder to write to.

Read `train.data` next.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import jax
import platformdirs
from rich.console import Console

import jaxsched as js
from jaxsched._core.clock import LAST_STEP
from train import devices
from train.config import DEFAULTS, Config, default_schedule
from train.data import Data, DataError, load
from train.options import Shared

IN_STEPS = re.compile(r"\bstep(?=s?\b)|\bupdate(?=s? do(es)?\b)")
"""What a finding calls a step; with `--per-epoch` it is an epoch."""


class Session:
    """The devices, the data, the batch size and the console of a command.

    Args:
      options: the options of the command.
      held_out: whether a tenth of the training images is held out.
      shares_batches: whether the devices share each batch.
      logdir: folder for TensorBoard's event files, or `None`.
    """

    def __init__(
        self,
        options: Shared,
        held_out: bool = False,
        shares_batches: bool = False,
        logdir: Path | None = None,
    ) -> None:
        if options.cache:
            _keep_compiled_programs()
        join(options)
        self.mesh = devices.mesh(_device_count(options))
        self.dataset = options.dataset
        self.logdir = logdir
        self.defaults = DEFAULTS[options.dataset]
        self.momentum = options.momentum
        self.batch_size = options.batch_size or self.defaults.batch_size
        if shares_batches and self.batch_size % self.mesh.size:
            raise click.BadParameter(
                f"{self.batch_size} must be a multiple of {self.mesh.size}, the number of devices.",
                param_hint="--batch-size",
            )
        self.data = _data(options.dataset, options.data_dir)
        images = len((self.data.with_held_out() if held_out else self.data).train.labels)
        self.steps_per_epoch = images // self.batch_size
        if not self.steps_per_epoch:
            raise click.BadParameter(
                f"{self.batch_size} must be at most {images}, the number of training images.",
                param_hint="--batch-size",
            )
        # Without markup: the text of a schedule has brackets.
        self.console = Console(quiet=not devices.is_first(), markup=False, emoji=False)

    def epochs(self, given: int | None) -> int:
        """The given number of epochs, or the default one."""
        epochs = given or self.defaults.epochs
        most = LAST_STEP // self.steps_per_epoch
        if epochs > most:
            raise click.BadParameter(
                f"{epochs} must be at most {most}, for fewer than 2^31 steps.", param_hint="--epochs"
            )
        return epochs

    def schedule(self, given: js.Schedule | None, epochs: int, per_epoch: bool) -> js.Schedule:
        """The given schedule, or the default one for a run of this length."""
        length = epochs if per_epoch else epochs * self.steps_per_epoch
        return given or default_schedule(self.defaults.peak_value, length)

    def in_steps(self, schedule: js.Schedule, per_epoch: bool) -> js.Schedule:
        """Converts a schedule to optimizer steps."""
        return js.per_epoch(schedule, self.steps_per_epoch) if per_epoch else schedule

    def preview(self, schedule: js.Schedule, epochs: int, per_epoch: bool, strict: bool) -> None:
        """Prints what may be a mistake in a schedule. With `strict`, a warning is an error."""
        findings = js.check(schedule, epochs if per_epoch else epochs * self.steps_per_epoch)
        for finding in findings:
            self.say(IN_STEPS.sub("epoch", str(finding)) if per_epoch else str(finding))
        if strict and any(finding.level == "warning" for finding in findings):
            raise click.ClickException("The schedule has a warning, and --strict allows none.")

    def say(self, text: str) -> None:
        """Prints a line. Only the first process prints."""
        self.console.print(text, soft_wrap=True, highlight=False)

    def wrote(self, folder: Path, *names: str) -> None:
        """Prints which results were written to the folder."""
        self.say(f"Wrote {folder}: {', '.join(names)}")

    def say_curves(self) -> None:
        """Prints the command that shows what is written for TensorBoard, if anything is."""
        if self.logdir is not None:
            self.say(f"See the curves with: tensorboard --logdir {self.logdir}")

    def open_logdir(self, files: str, resumed: bool = False) -> None:
        """Creates the folder for TensorBoard.

        Args:
          files: what names event files in it; only a resumed run may find some there.
          resumed: whether the run is resumed.
        """
        if self.logdir is None or not devices.is_first():
            return
        try:
            self.logdir.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.logdir).close()
        except OSError as error:
            raise _not_writable(self.logdir, error, "--logdir") from error
        if any(self.logdir.glob(files)):
            if not resumed:
                raise click.BadParameter(f"{self.logdir} already contains a run.", param_hint="--logdir")
            self.say(f"The curves in {self.logdir} are replaced with those of this run.")


def _keep_compiled_programs() -> None:
    """Caches them in the user's cache folder, or in the one that JAX's environment variable names."""
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        folder = platformdirs.user_cache_path("jaxsched") / "compiled"
        jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def join(options: Shared) -> None:
    """Joins the job that the options name, if any, unless it is already joined."""
    coordinator, processes, process = options.coordinator, options.processes, options.process
    missing = (coordinator, processes, process).count(None)
    if jax.distributed.is_initialized() or (missing == 3 and not options.distributed):
        return
    if missing < 3 and options.distributed:
        raise click.UsageError(
            "--distributed finds --coordinator, --processes and --process itself: leave them out."
        )
    if missing in (1, 2):
        raise click.UsageError("--coordinator, --processes and --process must be given together.")
    if processes is not None and process is not None and process >= processes:
        raise click.BadParameter(f"{process} must be below --processes {processes}.", param_hint="--process")
    if coordinator is not None and not re.fullmatch(r".+:[0-9]+", coordinator):
        raise click.BadParameter(
            f"{coordinator} must have the form HOST:PORT, where PORT is a number.", param_hint="--coordinator"
        )
    try:
        devices.join_job(coordinator, processes, process)
    except RuntimeError as error:
        raise click.ClickException(f"Cannot join the job: {error}") from error


def _device_count(options: Shared) -> int | None:
    there = jax.device_count()
    if options.devices is None or options.devices == there:
        return None
    if options.devices > there:
        raise click.BadParameter(
            f"{options.devices} must be at most {there}, the number of devices.", param_hint="--devices"
        )
    if not devices.alone():
        raise click.BadParameter(
            f"{options.devices} must be {there}: a job of several processes uses all its devices.",
            param_hint="--devices",
        )
    return options.devices


def _data(dataset: str, data_dir: Path | None) -> Data:
    if data_dir is not None and dataset != "fashion_mnist":
        raise click.BadParameter(
            f"{data_dir} must be left out, as {dataset} needs no files.", param_hint="--data-dir"
        )
    try:
        return load(dataset, data_dir)
    except DataError as error:
        raise click.UsageError(str(error)) from error


def shared_config(path: Path) -> Config:
    """Reads a configuration in the first process and broadcasts it to the others.

    Raises:
      ConfigError: the file is missing or damaged. Only the first process raises it.
    """
    mine = Config.load(path) if devices.is_first() else None
    return Config.of(json.loads(devices.from_first(json.dumps(mine and dataclasses.asdict(mine)))))


def folder_for(out: Path | None, name: str, *results: str) -> Path:
    """Creates the folder of a run: `out`, or the next free one. It must not contain any of `results` yet."""
    numbered = (Path("runs") / f"{name}-{number}" for number in itertools.count(1))
    if not devices.is_first():
        return out or next(path for path in numbered if not path.exists())
    try:
        if out is None:
            Path("runs").mkdir(exist_ok=True)
        folder = out or next(filter(_is_created, numbered))
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(out or Path("runs"), error, "--out") from error
    _refuse_a_run(folder, results)
    lock(folder, "--out")
    _refuse_a_run(folder, results)  # again, since one may have started and ended meanwhile
    return folder


def _refuse_a_run(folder: Path, results: Sequence[str]) -> None:
    if any((folder / result).exists() for result in results):
        raise click.BadParameter(f"{folder} already contains a run.", param_hint="--out")


def _is_created(folder: Path) -> bool:
    """Creates a folder. False if something of that name exists, perhaps since a moment ago."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def lock(folder: Path, option: str) -> None:
    """Keeps other runs from writing to a folder until this command ends, even if it is killed.

    Raises:
      click.BadParameter: another run writes to the folder, or it is not writable.
    """
    try:
        file = (folder / ".lock").open("a")
    except OSError as error:
        raise _not_writable(folder, error, option) from error
    click.get_current_context().call_on_close(file.close)
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise click.BadParameter(f"another run is writing to {folder}.", param_hint=option) from error
    except (ImportError, OSError):  # Windows, or a file system without locks
        click.echo(f"{folder} cannot be locked: let no other run write to it meanwhile.", err=True)


def _not_writable(folder: Path, error: OSError, option: str) -> click.BadParameter:
    return click.BadParameter(f"{folder} must be a writable folder: {error.strerror}.", param_hint=option)
