"""The logs of runs on the disk, as `python -m train` and many other scripts write them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsched._core.fields import brief
from jaxsched._core.schedule import Schedule
from jaxsched._inspect.check import one_schedule
from jaxsched._text.parse import parse
from jaxsched.combinators.clocks import per_epoch
from jaxsched.forecast.runs import Run


class Log(NamedTuple):
    """A run on the disk.

    Attributes:
      schedule: its schedule, in steps.
      lines: its lines; `step` in each is the number of updates that were made.
    """

    schedule: Schedule
    lines: list[dict[str, Any]]

    def run(self) -> Run:
        """The losses. A mean over several updates is taken for the loss after the middle one.

        Raises:
          ValueError: a line has no loss, or one that is not finite and above 0.
        """
        steps, losses, before = [], [], 0
        for i, line in enumerate(self.lines):
            mean = "train_loss" in line
            losses.append(_number(line, "train_loss" if mean else "loss", i))
            steps.append((before + line["step"] - 1) // 2 if mean else line["step"] - 1)
            before = line["step"]
        return Run(self.schedule, steps, losses)

    def gradient_norms(self) -> np.ndarray:
        """The norm of the gradient at each update.

        Raises:
          ValueError: not every update has one.
        """
        norms: list[float] = []
        for i, line in enumerate(self.lines):
            found, count = line.get("gradient_norms"), line["step"] - len(norms)
            if not isinstance(found, list) or len(found) != count:
                had = len(found) if isinstance(found, list) else brief(found)
                raise ValueError(
                    f"line {i + 1} must have `gradient_norms`, a list of {count} numbers, one for each "
                    f"update since the line before, got {had}."
                )
            norms += [_number({"gradient_norms": norm}, "gradient_norms", i) for norm in found]
        return np.array(norms)


def read(path: Path) -> Log:
    """Reads the lines of a run, and its schedule from `config.json` in the same folder.

    A line is an object of JSON with `step`, the number of updates made. A configuration has `trained` or
    `schedule`, the text of the schedule, and `per_epoch`, whether it counts epochs. Then the lines have
    `epoch` too, the number of epochs made.

    Raises:
      OSError: a file cannot be read.
      ValueError: a file is not as described, or a plateau changed the rate.
    """
    lines = [_object(text, f"line {i + 1}") for i, text in enumerate(path.read_text().splitlines())]
    if not lines:
        raise ValueError("it must have at least one line, got none.")
    made = 0
    for i, line in enumerate(lines):
        step = line.get("step")
        if type(step) is not int or step <= made:
            raise ValueError(
                f"line {i + 1} must have `step`, a whole number above {made}, got {brief(step)}."
            )
        made = step
    beside = path.with_name("config.json")
    try:
        return Log(_schedule(_object(beside.read_text(), "it"), lines[0]), lines)
    except ValueError as error:
        raise ValueError(f"{beside}, beside it: {error}") from error


def _schedule(config: dict[str, Any], first: dict[str, Any]) -> Schedule:
    """The schedule of a configuration, in steps."""
    if config.get("plateau") is not None:
        raise ValueError(
            f"`plateau` must be null, as a plateau changes the rates, got {brief(config['plateau'])}."
        )
    text = config.get("trained", config.get("schedule"))
    if not isinstance(text, str):
        raise ValueError(f"`schedule` must be the text of a schedule, got {brief(text)}.")
    schedule = one_schedule(parse(text))
    if not config.get("per_epoch"):
        return schedule
    epoch = first.get("epoch")
    if type(epoch) is not int or epoch < 1 or first["step"] % epoch:
        raise ValueError(
            f"`per_epoch` needs `epoch` in the first line, a divisor of its `step`, {first['step']}, "
            f"got {brief(epoch)}."
        )
    return per_epoch(schedule, first["step"] // epoch)


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text
    if not isinstance(found, dict):
        raise ValueError(f"{what} must be an object of JSON, got {brief(found)}.")
    return found


def _number(line: dict[str, Any], name: str, i: int) -> float:
    value: Any = line.get(name)
    if type(value) not in (int, float) or not math.isfinite(value) or not value > 0:
        raise ValueError(f"line {i + 1} must have `{name}`, finite and above 0, got {brief(value)}.")
    return float(value)
