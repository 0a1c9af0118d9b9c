"""The command line: `python -m train --help`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import click
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


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--dataset", type=click.Choice(DATASETS), default="digits", show_default=True)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder with the four IDX files of fashion_mnist; without it TensorFlow Datasets loads it.",
)
@click.option(
    "--schedule",
    type=ScheduleText(),
    help='Learning rate in optimizer steps, as "warmup(Cosine(0.3, 0.01, 15), 5)".  '
    "[default: such a warmup-cosine over the run]",
)
@click.option("--per-epoch", is_flag=True, help="The schedule counts epochs, not steps.")
@click.option("--momentum", type=Finite(0, 1, max_open=True), default=0.0, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--batch-size", type=click.IntRange(1), help=_defaults("batch_size"))
@click.option("--epochs", type=click.IntRange(1), help=_defaults("epochs"))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for metrics.jsonl, config.json and figure.png.  [default: runs/<dataset>-<number>]",
)
def main(
    *,
    dataset: str,
    data_dir: Path | None,
    schedule: js.Schedule | None,
    per_epoch: bool,
    momentum: float,
    seed: int,
    batch_size: int | None,
    epochs: int | None,
    out: Path | None,
) -> None:
    """Trains a LeNet with a learning-rate schedule."""
    defaults = DEFAULTS[dataset]
    batch_size = batch_size or defaults.batch_size
    epochs = epochs or defaults.epochs
    data = _data(dataset, data_dir)
    steps_per_epoch = len(data.train_labels) // batch_size
    if not steps_per_epoch:
        raise click.BadParameter(
            f"{batch_size} is more than the {len(data.train_labels)} images to train on.",
            param_hint="--batch-size",
        )
    if schedule is None:
        length = epochs if per_epoch else epochs * steps_per_epoch
        schedule = default_schedule(defaults.peak_value, length)
    folder = _folder(out, dataset)

    # Here, as both take seconds to import: `--help` and mistakes answer at once.
    from train import loop, report

    config = Config(dataset, repr(schedule), per_epoch, momentum, seed, batch_size, epochs)
    config.save(folder / "config.json")
    console = Console()
    console.print(
        f"{config.schedule} in {'epochs' if per_epoch else 'steps'}, {epochs} epochs", highlight=False
    )
    in_steps = js.per_epoch(schedule, steps_per_epoch) if per_epoch else schedule
    with report.watching(console, epochs) as watch:
        try:
            known = loop.record(loop.run(config, in_steps, data), folder / "metrics.jsonl", watch)
        except loop.DivergedError as error:
            raise click.ClickException(str(error)) from error
    console.print(report.table(known))
    report.figure(known, in_steps, config.schedule, folder / "figure.png")
    console.print(f"Wrote {folder}: config.json, metrics.jsonl, figure.png", soft_wrap=True, highlight=False)


def _data(dataset: str, data_dir: Path | None) -> Data:
    if data_dir is not None and dataset != "fashion_mnist":
        raise click.BadParameter(f"{dataset} comes without files.", param_hint="--data-dir")
    try:
        return load(dataset, data_dir)
    except DataError as error:
        raise click.UsageError(str(error)) from error


def _folder(out: Path | None, dataset: str) -> Path:
    """Makes the folder of the run: `out`, or the next free one of the data set."""
    numbered = (Path("runs") / f"{dataset}-{number}" for number in itertools.count(1))
    folder = out or next(path for path in numbered if not path.exists())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = (folder / "metrics.jsonl").exists()
    except OSError as error:
        raise click.BadParameter(
            f"{folder} cannot be a folder: {error.strerror}.", param_hint="--out"
        ) from error
    if taken:
        raise click.BadParameter(f"{folder} already holds a run.", param_hint="--out")
    return folder


if __name__ == "__main__":
    main(prog_name="python -m train")
