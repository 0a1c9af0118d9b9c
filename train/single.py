"""A single run from its configuration: begun, or resumed.

Read `train.loop` next: it trains the epochs that are left.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
import jax

import jaxsched as js
from jaxsched.optim.retarget import Policy
from train import devices, loop, report
from train.checkpoint import CheckpointError, Checkpoints
from train.config import Config
from train.loop import Progress
from train.session import Session
from train.step import Plan

ASKED_TO_END = 128 + 15
"""The exit status of a process that SIGTERM ended."""


def train(session: Session, config: Config, folder: Path) -> None:
    """Trains from the beginning."""
    if devices.is_first():
        config.save(folder / "config.json")
    follow(session, config, folder, loop.begin(config, plan(session, config)), _checkpoints(folder))


def plan(session: Session, config: Config) -> Plan:
    """The learning rate that a configuration says, in steps."""
    rule = None if config.plateau is None else js.Plateau(*config.plateau)
    return Plan(session.in_steps(js.parse(config.trained), config.per_epoch), rule)


def follow(
    session: Session, config: Config, folder: Path, progress: Progress, checkpoints: Checkpoints
) -> None:
    """Trains what is left of a run, and shows and writes its results."""
    mine = plan(session, config)
    unit = "epochs" if config.per_epoch else "steps"
    rule = "" if mine.rule is None else f" * {mine.rule!r}"
    session.say(f"{config.trained}{rule} in {unit}, {config.epochs} epochs, on {_name(session)}")
    if not devices.alone():
        session.say(
            f"When another process of the job dies, this one ends within {2 * devices.HEARTBEAT_SECONDS} s; "
            f"then start all with --resume {folder}"
        )
    rounds = loop.run(config, mine, session.data, session.mesh, progress)
    try:
        with report.watching(session.console, config.epochs) as watch:
            known = loop.record(rounds, config, folder, checkpoints, progress.epochs, watch)
    except loop.StoppedError as error:
        session.say(f"{error} Go on with --resume {folder}")
        raise SystemExit(ASKED_TO_END) from error
    except (loop.DivergedError, CheckpointError) as error:
        raise click.ClickException(f"{error} {_kept(checkpoints)}") from error
    except OSError as error:
        raise click.ClickException(
            f"{folder} takes no more: {error.strerror}. {_kept(checkpoints)}"
        ) from error
    except jax.errors.JaxRuntimeError as error:
        if devices.alone():
            raise
        raise click.ClickException(
            f"Another process of the job has stopped; start all with --resume {folder}. {error}"
        ) from error
    if devices.is_first():
        session.console.print(report.table(known))
        report.figure(known, mine.schedule, config.trained, folder / "figure.png")
    session.wrote(folder, "config.json", "metrics.jsonl", "figure.png", "checkpoints")


def resume(
    session: Session,
    began: Config,
    config: Config,
    folder: Path,
    schedule: js.Schedule | None,
    policy: Policy | None,
    strict: bool,
) -> None:
    """Goes on from the newest good checkpoint.

    Args:
      session: of this command.
      began: the configuration in the folder.
      config: the same with what this resume changes, but for the schedule.
      folder: of the run.
      schedule: that is asked for now, or `None` for the same.
      policy: how to go over to it, or `None`.
      strict: whether a warning about it is an error.
    """
    checkpoints = _checkpoints(folder)
    try:
        found = loop.restore(
            checkpoints, lambda config: loop.begin(config, plan(session, config)), session.say
        )
    except CheckpointError as error:
        raise click.ClickException(str(error)) from error
    progress, before = found or (loop.begin(began, plan(session, began)), began)
    for field in ("dataset", "momentum", "batch_size", "per_epoch", "plateau", "seed"):
        if getattr(before, field) != getattr(began, field):
            raise click.ClickException(
                f"{folder / 'config.json'} says {field} {getattr(began, field)}, but the run was made with "
                f"{getattr(before, field)}."
            )
    asked = repr(schedule) if schedule is not None else began.schedule
    trained = before.trained
    if asked != before.schedule:
        if policy is None:
            raise click.ClickException(
                f"The run in {folder} has another schedule.\n  it has:    {before.schedule}\n"
                f"  asked for: {asked}\n"
                "Leave out --schedule, or say with --retarget how to go over: Continue, HoldToPlan or "
                "Rewarmup(STEPS)."
            )
        trained = _retargeted(before.trained, asked, config.per_epoch, progress, policy)
    config = dataclasses.replace(config, schedule=asked, trained=trained)
    session.preview(js.parse(trained), config.epochs, config.per_epoch, strict)
    made = len(progress.epochs)
    session.say(f"Going on after epoch {made}" if made else "No checkpoint: beginning anew")
    follow(session, config, folder, progress, checkpoints)


def _retargeted(old: str, new: str, per_epoch: bool, progress: Progress, policy: Policy) -> str:
    """The text of the schedule from here on."""
    made = progress.epochs[-1] if progress.epochs else None
    step = 0 if made is None else made.epoch if per_epoch else made.step
    try:
        return repr(js.retarget(js.parse(old), js.parse(new), step, policy))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--retarget") from error


def _kept(checkpoints: Checkpoints) -> str:
    epochs = checkpoints.epochs()
    return f"The checkpoint of epoch {epochs[0]} is kept in {checkpoints.folder}." if epochs else ""


def _checkpoints(folder: Path) -> Checkpoints:
    try:
        return Checkpoints(folder / "checkpoints")
    except CheckpointError as error:
        raise click.ClickException(str(error)) from error


def _name(session: Session) -> str:
    count, kind = session.mesh.size, session.mesh.devices.flat[0].device_kind
    return f"{count} device{'s' * (count > 1)} ({kind})"
