"""Decays branched off the checkpoints of a run: `cooldown`.

A branch is a run in a folder of its own, which begins with the epochs of the run that it leaves. That run is
only read, so it may go on meanwhile. Read `train.report_branches` next.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import Signals
from typing import NamedTuple

import click
import numpy as np

import jaxsched as js
from jaxsched._core.clock import LAST_STEP
from train import devices, loop, single
from train.checkpoint import CheckpointError, Checkpoints
from train.config import Config, ConfigError
from train.loop import Epoch, Progress
from train.session import Session, lock
from train.stop import StoppedError, stopping


class Decay(NamedTuple):
    """A decay to the end of a run.

    Attributes:
      at: the step at which it leaves the run.
      steps: its length in steps.
      shape: the text of its curve, such as `Linear`.
      end_value: the rate at its end.
    """

    at: int
    steps: int
    shape: str
    end_value: float

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return re.sub(r"[^\w.-]+", "-", f"at-{self.at}-steps-{self.steps}-{self.shape}").strip("-")

    def of(self, schedule: js.Schedule) -> js.Schedule:
        """The schedule of a run with this decay.

        Raises:
          ValueError: the curve does not take these ends.
        """
        return js.parse(
            f"cooldown({schedule!r}, {self.at}, {self.steps}, {self.end_value!r}, shape={self.shape})"
        )


class Branch(NamedTuple):
    """A decay that can be trained.

    Attributes:
      decay: the decay.
      config: the configuration of a run that ends with it.
      progress: the state of the run at its first step.
    """

    decay: Decay
    config: Config
    progress: Progress


def branches(session: Session, config: Config, run: Path, decays: Sequence[Decay], unit: int) -> list[Branch]:
    """Reads the checkpoints that decays leave from.

    Args:
      session: the session of this command.
      config: the configuration of the run.
      run: the folder of the run.
      decays: the decays.
      unit: the steps in what the user counts: 1, or those of an epoch.
    """
    epoch, counted = session.steps_per_epoch, "steps" if unit == 1 else "epochs"
    checkpoints = Checkpoints(run / "checkpoints", only_read=True)
    if devices.is_first():
        made = checkpoints.epochs()[::-1] if checkpoints.folder.is_dir() else []
        known = [each * epoch for each in made]
        for decay in decays:
            if decay.at not in known:
                raise click.BadParameter(
                    f"{decay.at // unit} must be one of the {counted} at which {run} has a checkpoint: "
                    f"{', '.join(str(each // unit) for each in known) or 'there is none'}. A run with "
                    "--keep-every N keeps that of every Nth epoch.",
                    param_hint="--at",
                )
    for decay in decays:
        if decay.steps % epoch:
            raise click.BadParameter(
                f"{decay.steps} must be a multiple of {epoch}, the steps of an epoch.", param_hint="--steps"
            )
        if decay.at + decay.steps > LAST_STEP:
            raise click.BadParameter(
                f"{decay.steps // unit} must be lower, for fewer than 2^31 steps.", param_hint="--steps"
            )
    points = {
        at: _point(session, config, run, checkpoints, at, unit)
        for at in dict.fromkeys(decay.at for decay in decays)
    }
    for at, steps in dict.fromkeys((decay.at, decay.steps) for decay in decays):
        _, then = points[at]
        plain = session.in_steps(js.parse(then.trained), then.per_epoch)
        rates = np.asarray(plain(np.linspace(at, at + steps, 1000).astype(np.int32)))
        if np.ptp(rates):
            session.say(
                f"note at step {at}: The run does not hold its rate of {rates[0]:.4g} here. "
                f"Without a decay it would be {rates[-1]:.4g} at step {at + steps}."
            )
    return [_branch(session, decay, *points[decay.at]) for decay in decays]


def _point(
    session: Session, config: Config, run: Path, checkpoints: Checkpoints, at: int, unit: int
) -> tuple[Progress, Config]:
    """The run as it was at a step."""
    epoch = at // session.steps_per_epoch
    try:
        found = loop.restore(lambda expected: checkpoints.read(epoch, expected), _begin(session))
    except CheckpointError as error:
        raise click.ClickException(f"{error} Leave out --at {at // unit}.") from error
    assert found is not None
    progress, then = found
    single.check_same_run(config, then, run)
    return progress, dataclasses.replace(then, data_dir=config.data_dir)


def _branch(session: Session, decay: Decay, progress: Progress, config: Config) -> Branch:
    plain = session.in_steps(js.parse(config.trained), config.per_epoch)
    end = decay.at + decay.steps
    rate = float(plain(decay.at))
    if not np.float32(decay.end_value) < np.float32(rate):
        raise click.BadParameter(
            f"{decay.end_value:g} must be below {rate:.4g}, the rate of the run at step {decay.at}.",
            param_hint="--end-value",
        )
    try:
        text = repr(decay.of(plain))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--shape") from error
    return Branch(
        decay,
        dataclasses.replace(
            config,
            schedule=text,
            trained=text,
            per_epoch=False,
            epochs=end // session.steps_per_epoch,
            keep_every=None,
        ),
        progress,
    )


def train(session: Session, found: Sequence[Branch], folder: Path) -> list[Sequence[Epoch]]:
    """Trains branches one after another, each on all devices. Returns the metrics of each.

    What an interrupted command has trained in the same folder is taken over.
    """
    results: list[Sequence[Epoch]] = []
    again = f"the same command and --out {folder}"
    with stopping(session.console) as asked:
        for branch in found:
            results.append(_train(session, branch, folder / branch.decay.folder, asked, again))
            cause = asked()
            if devices.any_process(cause is not None) and len(results) < len(found):
                error = StoppedError(cause, f"{len(results)} of {len(found)} decays are complete.")
                session.say(f"{error} Continue with {again}")
                raise SystemExit(error.status)
    return results


def _train(
    session: Session, branch: Branch, folder: Path, asked: Callable[[], Signals | None], again: str
) -> Sequence[Epoch]:
    if devices.is_first():
        folder.mkdir(exist_ok=True)
        lock(folder, "--out")
        path = folder / "config.json"
        try:
            if path.exists() and Config.load(path) != branch.config:
                raise ConfigError(f"{folder} already contains another run.")
        except ConfigError as error:
            raise click.BadParameter(str(error), param_hint="--out") from error
        branch.config.save(path)
    checkpoints = single.opened(branch.config, folder)
    try:
        found = loop.restore(lambda expected: checkpoints.restore(expected, session.say), _begin(session))
    except CheckpointError as error:
        raise click.ClickException(str(error)) from error
    progress = found[0] if found else branch.progress
    return single.trained(session, branch.config, folder, progress, checkpoints, asked, again)


def history(run: Path, found: Sequence[Branch]) -> Sequence[Epoch]:
    """The metrics of the run so far: all epochs, if its file goes on from those of the checkpoints."""
    known = max((branch.progress.epochs for branch in found), key=len)
    with contextlib.suppress(OSError, ValueError, TypeError):  # what a damaged file raises
        lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
        # A run that is being written may have a last line without an end.
        longer = tuple(Epoch(**json.loads(line)) for line in lines if line.endswith("\n"))
        if longer[: len(known)] == known:
            return longer
    return known


def _begin(session: Session) -> Callable[[Config], Progress]:
    return lambda config: loop.begin(config, single.plan(session, config))
