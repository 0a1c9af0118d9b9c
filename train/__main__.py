"""The command line: `python -m train --help`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

import jaxsched as js
from jaxsched.optim.retarget import Policy
from train import devices
from train.config import Config, ConfigError
from train.job import Job, folder_for, join, shared_config
from train.options import (
    EPOCHS,
    PER_EPOCH,
    PLATEAU,
    SCHEDULE,
    SEED,
    SEEDS,
    Finite,
    PolicyText,
    Shared,
    shared,
)


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@shared
@SCHEDULE
@PER_EPOCH
@PLATEAU
@click.option("--seed", type=SEED, default=0, show_default=True)
@EPOCHS
@click.option("--strict", is_flag=True, help="Do not train where the schedule gives a warning.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Go on with the run in DIR.")
@click.option(
    "--retarget",
    type=PolicyText(),
    help="How a resumed run goes over to another --schedule: Continue, HoldToPlan or Rewarmup(STEPS).",
)
@click.pass_context
def main(
    context: click.Context,
    options: Shared,
    *,
    schedule: js.Schedule | None,
    per_epoch: bool,
    plateau: tuple[float, int] | None,
    seed: int,
    epochs: int | None,
    strict: bool,
    resume: Path | None,
    retarget: Policy | None,
) -> None:
    """Trains a LeNet with a learning-rate schedule; the commands below train many at once."""
    given = [name for name in context.params if _is_given(context, name)]
    if context.invoked_subcommand is not None:
        if given:
            command, option = context.invoked_subcommand, _option(given[0])
            takes = {each.name for each in main.commands[command].params}
            advice = f"write it behind `{command}`" if given[0] in takes else f"`{command}` takes none"
            raise click.UsageError(f"{option} is for a single run: {advice}.")
        return
    if resume is not None:
        _resume(context.params, given, options, resume)
        return
    if retarget is not None:
        raise click.UsageError("--retarget is for a run that goes on: it needs --resume DIR.")

    job = Job(options, held_out=plateau is not None, shares_batches=True)
    epochs = epochs or job.defaults.epochs
    plan = job.schedule(schedule, epochs, per_epoch)
    job.preview(plan, epochs, per_epoch, strict)
    text = repr(plan)
    config = Config(
        dataset=options.dataset,
        data_dir=None if options.data_dir is None else str(options.data_dir),
        schedule=text,
        trained=text,
        per_epoch=per_epoch,
        plateau=plateau,
        momentum=options.momentum,
        seed=seed,
        batch_size=job.batch_size,
        epochs=epochs,
    )
    folder = folder_for(options.out, options.dataset, "config.json", "metrics.jsonl", "checkpoints")
    # Here, as it takes seconds to import: `--help` and mistakes answer at once.
    from train import single

    single.train(job, config, folder)


def _resume(params: dict[str, Any], given: list[str], options: Shared, folder: Path) -> None:
    """Goes on with a run, as it began but for what may change."""
    if "out" in given:
        raise click.UsageError("A resumed run goes on in its own folder: leave out --out.")
    join(options)
    try:
        config = shared_config(folder / "config.json")
    except ConfigError as error:
        raise click.BadParameter(str(error), param_hint="--resume") from error
    for name in ("dataset", "momentum", "batch_size", "per_epoch", "plateau", "seed"):
        if name in given and params[name] != getattr(config, name):
            raise click.BadParameter(
                f"{params[name]} is not what the run in {folder} has: {getattr(config, name)}.",
                param_hint=_option(name),
            )
    began = config
    config = dataclasses.replace(
        config,
        data_dir=str(options.data_dir) if options.data_dir else config.data_dir,
        epochs=params["epochs"] or config.epochs,
    )
    options = dataclasses.replace(
        options,
        dataset=config.dataset,
        data_dir=None if config.data_dir is None else Path(config.data_dir),
        momentum=config.momentum,
        batch_size=config.batch_size,
    )
    job = Job(options, held_out=config.plateau is not None, shares_batches=True)
    from train import single

    single.resume(job, began, config, folder, params["schedule"], params["retarget"], params["strict"])


@main.command()
@shared
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True)
@SEEDS
@click.option(
    "--as-published", is_flag=True, help="One epoch late, as the book's loop sets its own schedulers."
)
def compare(
    options: Shared,
    *,
    epochs: int,
    seeds: int,
    as_published: bool,
) -> None:
    """Trains the book's chapter: seven schedules side by side."""
    job = Job(options, held_out=True)
    folder = folder_for(options.out, f"compare-{options.dataset}", "compare.json")
    from train.chapter import CHAPTER

    expressions = {run.name: run.expression(as_published) for run in CHAPTER}
    plans = [run.plan(job.steps_per_epoch, as_published) for run in CHAPTER]
    _train_many(job, folder, "compare", expressions, plans, epochs, seeds)


@main.command()
@shared
@SCHEDULE
@PER_EPOCH
@EPOCHS
@SEEDS
@click.option(
    "--over",
    "overs",
    multiple=True,
    required=True,
    metavar="NAME=LOW:HIGH:COUNT[:log]",
    help="A number of the schedule and its values; several make a grid.",
)
def sweep(
    options: Shared,
    *,
    schedule: js.Schedule | None,
    per_epoch: bool,
    epochs: int | None,
    seeds: int,
    overs: tuple[str, ...],
) -> None:
    """Trains a grid of schedules at once, as with --over schedule.init_value=0.05:0.5:16."""
    from train.step import Plan
    from train.sweep import Over, grid

    job = Job(options)
    epochs = epochs or job.defaults.epochs
    try:
        members = grid(job.schedule(schedule, epochs, per_epoch), [Over.read(text) for text in overs])
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--over") from error
    folder = folder_for(options.out, f"sweep-{options.dataset}", "sweep.json")
    expressions = {name: repr(member) for name, member in members.items()}
    plans = [Plan(job.in_steps(member, per_epoch)) for member in members.values()]
    _train_many(job, folder, "sweep", expressions, plans, epochs, seeds)


@main.command("find-lr")
@shared
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--min-value", type=Finite(0, min_open=True), default=1e-3, show_default=True)
@click.option("--max-value", type=Finite(0, min_open=True), default=10.0, show_default=True)
@click.option("--steps", type=click.IntRange(2), default=100, show_default=True)
def find_lr(
    options: Shared,
    *,
    seed: int,
    min_value: float,
    max_value: float,
    steps: int,
) -> None:
    """Trains at a growing rate until the loss diverges, and suggests rates: the range test."""
    if not min_value < max_value:
        raise click.BadParameter(
            f"{max_value} must be above --min-value {min_value}.", param_hint="--max-value"
        )
    job = Job(options)
    folder = folder_for(options.out, f"find-lr-{options.dataset}", "find-lr.json")
    from train import report
    from train.step import Trainer

    trainer = Trainer(job.momentum, job.batch_size)
    found = trainer.find_rate(job.data.train_images, job.data.train_labels, seed, min_value, max_value, steps)
    if devices.is_first():
        report.range_test(found, folder)
    job.say(f"steepest at {float(found.steepest):.3g}, a tenth of the best {float(found.tenth_of_best):.3g}")
    job.wrote(folder, "find-lr.json", "find-lr.png")


def _train_many(
    job: Job,
    folder: Path,
    name: str,
    expressions: dict[str, str],
    plans: list[Any],
    epochs: int,
    seeds: int,
) -> None:
    """Trains plans side by side, and writes their table, figure and numbers."""
    from train import many, report_many
    from train.step import Trainer

    trainer = Trainer(job.momentum, job.batch_size)
    rounds = many.train_many(plans, trainer, job.data, epochs, range(seeds), job.mesh)
    known = report_many.watched(job.console, expressions, rounds, epochs)
    result = report_many.Comparison(expressions, known)
    job.console.print(result.table())
    if devices.is_first():
        result.figure(folder / f"{name}.png")
        result.save(folder / f"{name}.json")
    job.wrote(folder, f"{name}.json", f"{name}.png")


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


if __name__ == "__main__":
    main(prog_name="python -m train")
