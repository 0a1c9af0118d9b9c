"""The options of the commands: their types, those of a run, and those that all commands share.

Read `train.config` next.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.types import OptionHelpExtra

import jaxsched as js
from jaxsched._core.clock import LAST_STEP
from jaxsched._inspect.check import one_schedule
from jaxsched.optim.retarget import Policy
from train.config import DEFAULTS
from train.data import DATASETS
from train.sweep import Over


class Text(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """A value that is parsed from text.

    Args:
      name: the placeholder in the help.
      read: parses the text; raises a `ValueError` that says where the text is wrong and why.
    """

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self.read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parses the text."""
        try:
            return self.read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def read_schedule(text: str) -> js.Schedule:
    """Parses a single schedule.

    Raises:
      ValueError: the text is not a schedule, or a stack of several.
    """
    return one_schedule(js.parse(text))


def read_policy(text: str) -> Policy:
    """Parses a policy of `retarget`.

    Raises:
      ValueError: the text is not a policy.
    """
    match = re.fullmatch(
        r"(Continue|HoldToPlan)(\(\))?|Rewarmup\((?P<steps>\d+\.?\d*(e\d+)?)\)", text.strip()
    )
    if match is None:
        raise ValueError(f"{text!r} must be Continue, HoldToPlan or Rewarmup(STEPS).")
    if match["steps"]:
        return js.Rewarmup(float(match["steps"]))
    return js.Continue() if match[1] == "Continue" else js.HoldToPlan()


def read_shape(text: str) -> str:
    """Parses the curve of a cooldown, and returns its text.

    Raises:
      ValueError: the text is not a shape.
    """
    made = js.parse(f"cooldown(1, 0, 1, 0.5, shape={text})")
    if not isinstance(made, js.cooldown):
        raise ValueError(f"{text!r} must be a shape, such as Linear or partial(Polynomial, power=2).")
    # The same for each way to write it. The default, Linear, is not in the text of the cooldown.
    return repr(made).removeprefix("cooldown(1, 0, 1, 0.5").removeprefix(", ").removesuffix(")") or "Linear"


class Whole(click.IntRange):
    """A range of integers."""

    name = "integer"


class Finite(click.FloatRange):
    """A range of finite numbers."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parses the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class Option(click.Option):
    """An option whose help can describe its default in words, and does not show its range."""

    def get_help_extra(self, ctx: click.Context) -> OptionHelpExtra:
        """The text in brackets after the help."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        if isinstance(self.show_default, str):
            extra["default"] = self.show_default
        return extra


option = functools.partial(click.option, cls=Option, show_default=True)


def _by_dataset(name: str) -> str:
    """Describes the default of an option for each data set."""
    values = {dataset: str(getattr(defaults, name)) for dataset, defaults in DEFAULTS.items()}
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return ", ".join(f"{value} for {dataset}" for dataset, value in values.items())


def _with_tensorboardx(context: click.Context, param: click.Parameter, logdir: Path | None) -> Path | None:
    """Refuses `--logdir` without the package that writes its files."""
    if logdir is not None and importlib.util.find_spec("tensorboardX") is None:
        raise click.BadParameter(
            f"{logdir} must be left out, as tensorboardX is not installed: `pip install '.[tensorboard]'`."
        )
    return logdir


SCHEDULE = option(
    "--schedule",
    type=Text("EXPR", read_schedule),
    show_default="warmup and cosine",
    help="Learning-rate schedule, in optimizer steps.",
)
PER_EPOCH = option("--per-epoch", is_flag=True, help="The schedule counts epochs, not steps.")
PLATEAU = option(
    "--plateau",
    type=(Finite(0, 1, min_open=True, max_open=True), Whole(0)),
    metavar="FACTOR PATIENCE",
    help="Multiply the rate by FACTOR after more than PATIENCE epochs without a lower validation loss.",
)
EPOCHS = option(
    "--epochs",
    type=Whole(1),
    metavar="N",
    show_default=_by_dataset("epochs"),
    help="Passes over the training images.",
)
SEED = option(
    "--seed",
    type=Whole(0, 2**32 - 1),
    metavar="N",
    default=0,
    help="Random seed.",
)
RETARGET = option(
    "--retarget",
    type=Text("POLICY", read_policy),
    help="How to switch to another --schedule: Continue, HoldToPlan or Rewarmup(STEPS).",
)
KEEP_EVERY = option(
    "--keep-every",
    type=Whole(1),
    metavar="N",
    help="Keep the checkpoint of every Nth epoch, for `cooldown`.",
)
AT = option(
    "--at",
    "ats",
    type=Whole(1),
    metavar="STEP",
    multiple=True,
    required=True,
    help="Step at which a decay starts. The run must have a checkpoint there.",
)
DECAY_STEPS = option(
    "--steps",
    "lengths",
    type=Whole(1, LAST_STEP),
    metavar="N",
    multiple=True,
    required=True,
    help="Length of a decay in steps, a multiple of an epoch.",
)
SHAPE = option(
    "--shape",
    "shapes",
    type=Text("NAME", read_shape),
    multiple=True,
    show_default="Linear",
    help="Curve of a decay, such as Linear or OneMinusSqrt.",
)
END_VALUE = option(
    "--end-value", type=Finite(0), metavar="X", default=0.0, help="Rate at the end of the decays."
)
IN_EPOCHS = option("--per-epoch", is_flag=True, help="--at and --steps count epochs, not steps.")
OVER = option(
    "--over",
    "overs",
    type=Text("NAME=VALUES", Over.read),
    multiple=True,
    required=True,
    help="A number of the schedule and its values, LOW:HIGH:COUNT or LOW:HIGH:COUNT:log.",
)
LOGDIR = option(
    "--logdir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    callback=_with_tensorboardx,
    help="Folder for TensorBoard's event files.",
)
SEEDS = option("--seeds", type=Whole(1), metavar="N", default=1, help="Runs of each schedule, from seed 0.")


@dataclass(frozen=True)
class Shared:
    """The options that every command has."""

    dataset: str
    data_dir: Path | None
    batch_size: int | None
    momentum: float
    out: Path | None
    cache: bool
    devices: int | None
    distributed: bool
    coordinator: str | None
    processes: int | None
    process: int | None


def shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of `Shared` to a command, which takes them as its first argument."""
    options = [
        option(
            "--dataset",
            type=click.Choice(DATASETS),
            metavar="NAME",
            default="digits",
            help=f"{' or '.join(DATASETS)}.",
        ),
        option(
            "--data-dir",
            type=click.Path(path_type=Path),
            metavar="DIR",
            show_default="from TensorFlow Datasets",
            help="Folder with the four IDX files of fashion_mnist.",
        ),
        option(
            "--batch-size",
            type=Whole(1),
            metavar="N",
            show_default=_by_dataset("batch_size"),
            help="Images per step.",
        ),
        option(
            "--momentum",
            type=Finite(0, 1, max_open=True),
            metavar="X",
            default=0.0,
            help="Gradient momentum, below 1.",
        ),
        option(
            "--out",
            type=click.Path(path_type=Path),
            metavar="DIR",
            show_default="under runs/",
            help="Folder for the results.",
        ),
        option("--cache/--no-cache", default=True, help="Cache compiled programs."),
        option(
            "--devices",
            type=Whole(1),
            metavar="N",
            show_default="all",
            help="Number of devices to use.",
        ),
        option("--distributed", is_flag=True, help="Join the job that the cluster launched."),
        option("--coordinator", metavar="HOST:PORT", help="Join a job by hand: address of process 0."),
        option(
            "--processes",
            type=Whole(1),
            metavar="N",
            help="Join a job by hand: number of processes.",
        ),
        option(
            "--process",
            type=Whole(0),
            metavar="I",
            help="Join a job by hand: process index, from 0.",
        ),
    ]

    @functools.wraps(command)
    def call(**given: Any) -> Any:
        mine = Shared(**{name: given.pop(name) for name in Shared.__dataclass_fields__})
        return command(mine, **given)

    for each in reversed(options):
        call = each(call)
    return call


def examples(*lines: str) -> str:
    """Examples for the end of a command's help. click does not rewrap them."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))
