"""The command line: `python -m train --help`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

import jaxsched as js
from train.config import DEFAULTS, Config, default_schedule
from train.data import DATASETS, Data, DataError, load


class ScheduleText(click.ParamType[js.Schedule]):
    """A schedule in its text form."""

    name = "EXPR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> js.Schedule:
        """Reads the text; where it is wrong, says where and why."""
        if isinstance(value, js.Schedule):
            return value
        try:
            return js.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Finite(click.FloatRange):
    """A range of numbers that holds no NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Reads the number."""
        number: float = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


def _defaults(name: str) -> str:
    values = [f"{getattr(defaults, name)} for {dataset}" for dataset, defaults in DEFAULTS.items()]
    return f"[default: {', '.join(values)}]"


def shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every command has."""
    options = [
        click.option("--dataset", type=click.Choice(DATASETS), default="digits", show_default=True),
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path),
            help="Folder with the four IDX files of fashion_mnist; without it TensorFlow Datasets loads it.",
        ),
        click.option("--momentum", type=Finite(0, 1, max_open=True), default=0.0, show_default=True),
        click.option("--batch-size", type=click.IntRange(1), help=_defaults("batch_size")),
        click.option(
            "--out", type=click.Path(path_type=Path), help="Folder for what it writes.  [default: runs/...]"
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


SEED = click.IntRange(0, 2**32 - 1)
PER_EPOCH = click.option("--per-epoch", is_flag=True, help="The schedule counts epochs, not steps.")
EPOCHS = click.option("--epochs", type=click.IntRange(1), help=_defaults("epochs"))
SEEDS = click.option(
    "--seeds", type=click.IntRange(1), default=1, show_default=True, help="Runs of each, with other seeds."
)
SCHEDULE = click.option(
    "--schedule",
    type=ScheduleText(),
    help='Learning rate in optimizer steps, as "warmup(Cosine(0.3, 0.01, 15), 5)".  '
    "[default: such a warmup-cosine over the run]",
)


class Job:
    """What the shared options say, checked: the data, how it is cut into batches, and where to write."""

    def __init__(
        self,
        dataset: str,
        data_dir: Path | None,
        momentum: float,
        batch_size: int | None,
        held_out: bool = False,
    ) -> None:
        self.dataset = dataset
        self.defaults = DEFAULTS[dataset]
        self.momentum = momentum
        self.batch_size = batch_size or self.defaults.batch_size
        self.data = _data(dataset, data_dir)
        images = len(self.data.train_labels)
        images -= images // 10 if held_out else 0
        self.steps_per_epoch = images // self.batch_size
        if not self.steps_per_epoch:
            raise click.BadParameter(
                f"{self.batch_size} is more than the {images} images to train on.", param_hint="--batch-size"
            )

    def schedule(self, given: js.Schedule | None, epochs: int, per_epoch: bool) -> js.Schedule:
        """The schedule that was given, or the default over the run."""
        length = epochs if per_epoch else epochs * self.steps_per_epoch
        return given or default_schedule(self.defaults.peak_value, length)

    def in_steps(self, schedule: js.Schedule, per_epoch: bool) -> js.Schedule:
        """A schedule on the clock of the optimizer."""
        return js.per_epoch(schedule, self.steps_per_epoch) if per_epoch else schedule


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@shared
@SCHEDULE
@PER_EPOCH
@click.option("--seed", type=SEED, default=0, show_default=True)
@EPOCHS
@click.pass_context
def main(
    context: click.Context,
    *,
    dataset: str,
    data_dir: Path | None,
    momentum: float,
    batch_size: int | None,
    out: Path | None,
    schedule: js.Schedule | None,
    per_epoch: bool,
    seed: int,
    epochs: int | None,
) -> None:
    """Trains a LeNet with a learning-rate schedule; the commands below train many at once."""
    if context.invoked_subcommand is not None:
        given = [name for name in context.params if _is_given(context, name)]
        if given:
            command, option = context.invoked_subcommand, f"--{given[0].replace('_', '-')}"
            takes = {each.name for each in main.commands[command].params}
            advice = f"write it behind `{command}`" if given[0] in takes else f"`{command}` takes none"
            raise click.UsageError(f"{option} is for a single run: {advice}.")
        return
    job = Job(dataset, data_dir, momentum, batch_size)
    epochs = epochs or job.defaults.epochs
    schedule = job.schedule(schedule, epochs, per_epoch)
    folder = _folder(out, dataset, "metrics.jsonl")

    # Here, as they take seconds to import: `--help` and mistakes answer at once.
    from train import loop, report
    from train.step import Plan

    config = Config(dataset, repr(schedule), per_epoch, momentum, seed, job.batch_size, epochs)
    config.save(folder / "config.json")
    console = Console()
    unit = "epochs" if per_epoch else "steps"
    console.print(f"{config.schedule} in {unit}, {epochs} epochs", highlight=False)
    in_steps = job.in_steps(schedule, per_epoch)
    with report.watching(console, epochs) as watch:
        try:
            known = loop.record(loop.run(config, Plan(in_steps), job.data), folder / "metrics.jsonl", watch)
        except loop.DivergedError as error:
            raise click.ClickException(str(error)) from error
    console.print(report.table(known))
    report.figure(known, in_steps, config.schedule, folder / "figure.png")
    _wrote(console, folder, "config.json", "metrics.jsonl", "figure.png")


@main.command()
@shared
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True)
@SEEDS
@click.option(
    "--as-published", is_flag=True, help="One epoch late, as the book's loop sets its own schedulers."
)
def compare(
    *,
    dataset: str,
    data_dir: Path | None,
    momentum: float,
    batch_size: int | None,
    out: Path | None,
    epochs: int,
    seeds: int,
    as_published: bool,
) -> None:
    """Trains the book's chapter: seven schedules side by side."""
    job = Job(dataset, data_dir, momentum, batch_size, held_out=True)
    folder = _folder(out, f"compare-{dataset}", "compare.json")
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
    *,
    dataset: str,
    data_dir: Path | None,
    momentum: float,
    batch_size: int | None,
    out: Path | None,
    schedule: js.Schedule | None,
    per_epoch: bool,
    epochs: int | None,
    seeds: int,
    overs: tuple[str, ...],
) -> None:
    """Trains a grid of schedules at once, as with --over schedule.init_value=0.05:0.5:16."""
    from train.step import Plan
    from train.sweep import Over, grid

    job = Job(dataset, data_dir, momentum, batch_size)
    epochs = epochs or job.defaults.epochs
    try:
        members = grid(job.schedule(schedule, epochs, per_epoch), [Over.read(text) for text in overs])
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--over") from error
    folder = _folder(out, f"sweep-{dataset}", "sweep.json")
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
    *,
    dataset: str,
    data_dir: Path | None,
    momentum: float,
    batch_size: int | None,
    out: Path | None,
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
    job = Job(dataset, data_dir, momentum, batch_size)
    folder = _folder(out, f"find-lr-{dataset}", "find-lr.json")
    from train import report
    from train.step import Trainer

    console = Console()
    trainer = Trainer(job.momentum, job.batch_size)
    found = trainer.find_rate(job.data.train_images, job.data.train_labels, seed, min_value, max_value, steps)
    report.range_test(found, folder)
    console.print(
        f"steepest at {float(found.steepest):.3g}, a tenth of the best {float(found.tenth_of_best):.3g}"
    )
    _wrote(console, folder, "find-lr.json", "find-lr.png")


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

    console = Console()
    rounds = many.train_many(plans, Trainer(job.momentum, job.batch_size), job.data, epochs, range(seeds))
    known = report_many.watched(console, rounds, epochs)
    result = report_many.Comparison(expressions, known)
    console.print(result.table())
    result.figure(folder / f"{name}.png")
    result.save(folder / f"{name}.json")
    _wrote(console, folder, f"{name}.json", f"{name}.png")


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT


def _wrote(console: Console, folder: Path, *names: str) -> None:
    console.print(f"Wrote {folder}: {', '.join(names)}", soft_wrap=True, highlight=False)


def _data(dataset: str, data_dir: Path | None) -> Data:
    if data_dir is not None and dataset != "fashion_mnist":
        raise click.BadParameter(f"{dataset} comes without files.", param_hint="--data-dir")
    try:
        return load(dataset, data_dir)
    except DataError as error:
        raise click.UsageError(str(error)) from error


def _folder(out: Path | None, name: str, result: str) -> Path:
    """Makes the folder of a run: `out`, or the next free one; `result` is what a run leaves there."""
    numbered = (Path("runs") / f"{name}-{number}" for number in itertools.count(1))
    folder = out or next(path for path in numbered if not path.exists())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = (folder / result).exists()
    except OSError as error:
        raise click.BadParameter(
            f"{folder} cannot be a folder: {error.strerror}.", param_hint="--out"
        ) from error
    if taken:
        raise click.BadParameter(f"{folder} already holds a run.", param_hint="--out")
    return folder


if __name__ == "__main__":
    main(prog_name="python -m train")
