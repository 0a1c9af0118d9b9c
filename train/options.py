"""What the commands take: the types of their options, and the options that all have."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import jaxsched as js
from jaxsched.optim.retarget import Policy
from train.config import DEFAULTS
from train.data import DATASETS


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


class PolicyText(click.ParamType[Policy]):
    """A policy of `retarget` in its text form."""

    name = "POLICY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Policy:
        """Reads the text."""
        if isinstance(value, Policy):
            return value
        match = re.fullmatch(r"(Continue|HoldToPlan)(?:\(\))?|Rewarmup\(([0-9.e]+)\)", value.strip())
        if match is None:
            self.fail(f"{value!r} must be Continue, HoldToPlan or Rewarmup(STEPS).", param, ctx)
        kind, steps = match.groups()
        if kind is not None:
            return js.Continue() if kind == "Continue" else js.HoldToPlan()
        try:
            return js.Rewarmup(float(steps))
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


@dataclass(frozen=True)
class Shared:
    """The options that every command has."""

    dataset: str
    data_dir: Path | None
    momentum: float
    batch_size: int | None
    out: Path | None
    cache: bool
    devices: int | None
    distributed: bool
    coordinator: str | None
    processes: int | None
    process: int | None


def shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options of `Shared`, as its first argument."""
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
        click.option(
            "--cache/--no-cache",
            default=True,
            help="Keep compiled programs in your cache folder, for the next time.  [default: cache]",
        ),
        click.option("--devices", type=click.IntRange(1), help="How many to use.  [default: all]"),
        click.option("--distributed", is_flag=True, help="Join the job that the cluster started."),
        click.option("--coordinator", metavar="HOST:PORT", help="Join a job: its first process."),
        click.option("--processes", type=click.IntRange(1), help="Join a job: how many processes it has."),
        click.option("--process", type=click.IntRange(0), help="Join a job: which this is, from 0."),
    ]

    @functools.wraps(command)
    def call(**given: Any) -> Any:
        mine = Shared(**{name: given.pop(name) for name in Shared.__dataclass_fields__})
        return command(mine, **given)

    for option in reversed(options):
        call = option(call)
    return call


PLATEAU = click.option(
    "--plateau",
    type=(Finite(0, 1, min_open=True, max_open=True), click.IntRange(0)),
    metavar="FACTOR PATIENCE",
    help="Multiply the rate by FACTOR after more than PATIENCE epochs without a better loss on a tenth of "
    "the images, which is held out.",
)
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
