"""A single run: started from its configuration, or resumed from a checkpoint.

Read `train.stop` next.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import Signals

import click
import jax

import jaxsched as js
from jaxsched.optim.retarget import Policy
from train import devices, loop, report
from train.checkpoint import CheckpointError, Checkpoints
from train.config import Config
from train.loop import Epoch, Progress
from train.session import Session
from train.step import Plan
from train.stop import StoppedError, stopping

PATIENCE = 2
"""After this many epochs a run that has learned nothing is told so."""


def train(session: Session, config: Config, folder: Path) -> None:
    """Trains a run from the beginning."""
    if devices.is_first():
        config.save(folder / "config.json")
    follow(session, config, folder, loop.begin(config, plan(session, config)), opened(config, folder))


def plan(session: Session, config: Config) -> Plan:
    """The learning rate of a configuration, in optimizer steps."""
    rule = None if config.plateau is None else js.Plateau(*config.plateau)
    return Plan(session.in_steps(js.parse(config.trained), config.per_epoch), rule)


def follow(
    session: Session, config: Config, folder: Path, progress: Progress, checkpoints: Checkpoints
) -> None:
    """Trains the remaining epochs of a run, and shows and writes its results."""
    again = f"--resume {folder}" + (f" --logdir {session.logdir}" if session.logdir else "")
    with stopping(session.console) as asked:
        known = trained(session, config, folder, progress, checkpoints, asked, again)
    if devices.is_first():
        session.console.print(report.table(known))
        report.figure(known, plan(session, config).schedule, config.trained, folder / "figure.png")
    session.wrote(folder, "config.json", "metrics.jsonl", "figure.png", "checkpoints")


def trained(
    session: Session,
    config: Config,
    folder: Path,
    progress: Progress,
    checkpoints: Checkpoints,
    asked: Callable[[], Signals | None],
    again: str,
) -> Sequence[Epoch]:
    """Trains the remaining epochs of a run, and shows and writes each of them.

    Args:
      session: the session of this command.
      config: the configuration of the run.
      folder: the folder of the run.
      progress: the point to start from.
      checkpoints: the checkpoints of the run.
      asked: returns the signal that asked the process to end, if any.
      again: what continues the run, if it does not get to its end.

    Returns:
      The metrics of all epochs.
    """
    mine = plan(session, config)
    unit = "epochs" if config.per_epoch else "steps"
    rule = "" if mine.rule is None else f" * {mine.rule!r}"
    length = f"{config.epochs} epoch{'s' * (config.epochs > 1)}"
    session.say(f"{config.trained}{rule} in {unit}, {length}, on {_name(session)}")
    if not devices.alone():
        session.say(
            f"If another process of the job dies, this one ends within {2 * devices.HEARTBEAT_SECONDS} s; "
            f"then restart all with {again}"
        )
    session.say_curves()
    rounds = loop.run(config, mine, session.data, session.mesh, progress)
    try:
        with report.watching(session.console, config.epochs, len(progress.epochs)) as show:

            def watch(epoch: Epoch) -> None:
                show(epoch)
                if epoch.epoch == PATIENCE:
                    usual = session.defaults.peak_value * (1 - config.momentum)
                    steps = config.epochs * session.steps_per_epoch
                    if advice := report.at_chance(epoch, mine.schedule, steps, usual):
                        session.say(advice)

            return loop.record(
                rounds, config, folder, checkpoints, progress.epochs, watch, asked, session.logdir
            )
    except StoppedError as error:
        session.say(f"{error} Continue with {again}")
        raise SystemExit(error.status) from error
    except CheckpointError as error:
        raise click.ClickException(f"{error} Continue with {again}") from error
    except loop.DivergedError as error:
        raise click.ClickException(f"{error}{_kept(checkpoints)}") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(
            f"Results cannot be written to {error.filename or folder}: {error.strerror}.{_kept(checkpoints)}"
        ) from error
    except jax.errors.JaxRuntimeError as error:
        if devices.alone():
            raise
        raise click.ClickException(
            f"Another process of the job has stopped; restart all with {again}. {error}"
        ) from error


def resume(
    session: Session,
    began: Config,
    config: Config,
    folder: Path,
    schedule: js.Schedule | None,
    policy: Policy | None,
    strict: bool,
) -> None:
    """Resumes a run from its newest intact checkpoint.

    Args:
      session: the session of this command.
      began: the configuration stored in the folder.
      config: `began` with the options that this resume changes, except the schedule.
      folder: the folder of the run.
      schedule: the schedule requested now, or `None` to keep the stored one.
      policy: how to switch to another schedule, or `None`.
      strict: whether a warning about the schedule is an error.
    """
    checkpoints = opened(config, folder)
    try:
        found = loop.restore(
            lambda expected: checkpoints.restore(expected, session.say),
            lambda config: loop.begin(config, plan(session, config)),
        )
    except CheckpointError as error:
        raise click.ClickException(str(error)) from error
    progress, before = found or (loop.begin(began, plan(session, began)), began)
    check_same_run(began, before, folder)
    asked = repr(schedule) if schedule is not None else began.schedule
    trained = before.trained
    if asked != before.schedule:
        if policy is None:
            raise click.ClickException(
                f"The run in {folder} has another schedule.\n  its schedule: {before.schedule}\n"
                f"  requested:    {asked}\n"
                "Leave out --schedule, or use --retarget to say how to switch: Continue, HoldToPlan or "
                "Rewarmup(STEPS)."
            )
        trained = _retargeted(before.trained, asked, config.per_epoch, progress, policy)
    config = dataclasses.replace(config, schedule=asked, trained=trained)
    made = len(progress.epochs)
    if config.epochs < made:
        raise click.BadParameter(
            f"{config.epochs} must be at least {made}, the number of epochs that are done.",
            param_hint="--epochs",
        )
    session.preview(js.parse(trained), config.epochs, config.per_epoch, strict)
    if devices.is_first() and config == before != began:
        # An earlier resume was killed after its first checkpoint, before it saved its configuration.
        config.save(folder / "config.json")
    if made == config.epochs:
        session.say(f"Resuming after epoch {made}, the last one: --epochs N trains on, up to epoch N")
    else:
        session.say(f"Resuming after epoch {made}" if made else "No checkpoint found: starting anew")
    follow(session, config, folder, progress, checkpoints)


def check_same_run(stored: Config, trained: Config, folder: Path) -> None:
    """Compares the `config.json` of a run with the configuration in one of its checkpoints."""
    for field in ("dataset", "momentum", "batch_size", "per_epoch", "plateau", "seed"):
        if getattr(trained, field) != getattr(stored, field):
            raise click.ClickException(
                f"{folder / 'config.json'} has {field} {getattr(stored, field)}, but the run was trained "
                f"with {getattr(trained, field)}."
            )


def _retargeted(old: str, new: str, per_epoch: bool, progress: Progress, policy: Policy) -> str:
    """The text of the schedule that is trained from here on."""
    made = progress.epochs[-1] if progress.epochs else None
    step = 0 if made is None else made.epoch if per_epoch else made.step
    try:
        return repr(js.retarget(js.parse(old), js.parse(new), step, policy))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--retarget") from error


def _kept(checkpoints: Checkpoints) -> str:
    epochs = checkpoints.epochs() if devices.is_first() else []
    return f" The checkpoint of epoch {epochs[0]} is kept in {checkpoints.folder}." if epochs else ""


def opened(config: Config, folder: Path) -> Checkpoints:
    """The checkpoints of a run, to write them."""
    try:
        return Checkpoints(folder / "checkpoints", config.keep_every)
    except CheckpointError as error:
        raise click.ClickException(str(error)) from error


def _name(session: Session) -> str:
    count, kind = session.mesh.size, session.mesh.devices.flat[0].device_kind
    return f"{count} device{'s' * (count > 1)} ({kind})"
