"""The command line: `python -m jaxsched show "warmup(Cosine(0.3, 0.01, 15), 5)" --steps 30`.

Its other commands are `forecast` and `refine`.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.schedule import Schedule
from jaxsched._inspect.check import check
from jaxsched._inspect.horizon import horizon, rates_of
from jaxsched._inspect.plot import LOGS, SUFFIXES, labelled, sampled_steps, save
from jaxsched._inspect.timeline import boundaries
from jaxsched._text.parse import parse
from jaxsched.combinators.ramps import knots

EVERY = 2**20
"""The number of steps that are searched for the peak, evenly spread over a longer run."""

MOST_BOUNDARIES = 20
"""The most boundaries that are listed."""

MOST_FORECAST = 10**7
"""The most updates of a forecast, which holds every rate in memory."""

KNOTS = 20
"""The number of knots of a refined schedule."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line, and returns its exit status."""
    parser, commands = _parsers()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    run = {"show": _show, "forecast": _forecast, "refine": _refine}[options.command]
    return run(options, commands[options.command])


def _show(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if options.every != 1 and (not options.out or options.out.suffix.lower() != ".csv"):
        parser.error("argument --every: needs a table, --out FILE.csv")
    if options.log and not options.out:
        parser.error("argument --log: needs a picture, --out")
    warned = False
    for schedule in options.schedules:
        steps = options.steps or horizon(schedule)
        findings = check(schedule, steps)
        found = [str(each) for each in findings] or ["no findings"]
        if not _printed("\n".join([str(schedule), "", *_key_rates(schedule, steps), "", *found, ""]), parser):
            return 1
        warned = warned or any(finding.level == "warning" for finding in findings)
    if options.out:
        with _writing(options.out, parser):
            save(options.schedules, options.out, options.steps, log=options.log, every=options.every)
    return int(options.strict and warned)


def _forecast(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    # These imports take time that `show` and error messages do not need.
    from jaxsched.forecast import LossLaw, logs, report

    schedules = [schedule for each in options.schedules for schedule in each]
    if options.out and options.steps < 2:
        parser.error(f"argument --out: needs --steps of at least 2, got {options.steps}")
    fit = None
    if options.fit:
        found = [_read(functools.partial(logs.read, path), path, "--fit", parser) for path in options.fit]
        runs = [_read(log.run, path, "--fit", parser) for log, path in zip(found, options.fit, strict=True)]
        try:
            fit = report.Fit(LossLaw.fit(runs), max(log.lines[-1]["step"] for log in found))
        except ValueError as error:
            parser.error(f"argument --fit: {error}")
    try:
        told = report.in_words(schedules, options.steps, options.weight_decay, fit)
    except ValueError as error:
        parser.error(str(error))
    if not _printed(told, parser):
        return 1
    if options.out:
        with _writing(options.out, parser):
            report.save(schedules, options.steps, options.out, fit)
    return 0


def _refine(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from jaxsched.forecast import logs, refine

    log = _read(lambda: logs.read(options.run), options.run, "FILE", parser)
    norms = _read(log.gradient_norms, options.run, "FILE", parser)
    try:
        found: Any = refine(
            log.schedule,
            norms,
            options.optimizer,
            smoothing=options.smoothing,
            knots=options.knots or min(KNOTS, len(norms)),
        )
    except ValueError as error:
        parser.error(str(error))
    # Three digits are more than the norms tell.
    rounded = knots([float(f"{rate:.3g}") for rate in found.values], found.steps)
    return int(not _printed(repr(rounded), parser))


def _read(read: Callable[[], Any], path: Path, argument: str, parser: argparse.ArgumentParser) -> Any:
    """What is read from a file; an error names the argument and the file."""
    try:
        return read()
    except (OSError, ValueError) as error:
        reason = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else error
        parser.error(f"argument {argument}: {path}: {reason}")


def _printed(text: str, parser: argparse.ArgumentParser) -> bool:
    """Prints a text; false if nobody reads it."""
    try:
        print(text, flush=True)
    except OSError as error:
        # Python would try to write the rest when it ends, and end in a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # `| head` has what it wants.
            return False
        parser.error(f"the output cannot be written: {error.strerror}")
    return True


@contextlib.contextmanager
def _writing(path: Path, parser: argparse.ArgumentParser) -> Iterator[None]:
    """Turns errors of writing a file into a message."""
    try:
        yield
    except (ImportError, OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        parser.error(f"argument --out: {path} cannot be written: {reason}")


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of the command line, and those of its commands."""
    parser = argparse.ArgumentParser("python -m jaxsched", description="Learning-rate schedules for JAX.")
    commands = parser.add_subparsers(dest="command", title="commands")
    show = commands.add_parser(
        "show",
        help="show what a schedule does in a run",
        description="Prints the key rates and likely mistakes of a schedule, and draws it. The exit status "
        "is 2 for wrong arguments, 1 for a warning with --strict, and 0 otherwise.",
    )
    show.add_argument(
        "schedules",
        metavar="EXPR",
        type=_schedules,
        help='a schedule, such as "warmup(Cosine(0.3, 0.01, 15), 5)"; "stack([..., ...])" shows several',
    )
    show.add_argument(
        "--steps",
        metavar="N",
        type=_steps,
        help="the number of updates in the run; by default the run ends with the schedule",
    )
    show.add_argument(
        "--out",
        metavar="FILE",
        type=_file,
        help=f"write a picture or a table: {', '.join(SUFFIXES)} (.png needs Matplotlib)",
    )
    show.add_argument(
        "--every", metavar="K", type=_steps, default=1, help="the number of steps between lines of a table"
    )
    show.add_argument("--log", choices=LOGS[1:], default="", help="the logarithmic axes of the picture")
    show.add_argument("--strict", action="store_true", help="exit with status 1 if there is a warning")
    forecast = commands.add_parser(
        "forecast",
        help="compare schedules before a run",
        description="Prints what theory says about schedules and, with --fit, the loss that logs of runs "
        "predict.",
    )
    forecast.add_argument(
        "schedules", metavar="EXPR", type=_schedules, nargs="+", help="a schedule, as for `show`"
    )
    forecast.add_argument(
        "--steps",
        metavar="N",
        type=functools.partial(_steps, most=MOST_FORECAST),
        required=True,
        help="the number of updates in the run",
    )
    forecast.add_argument(
        "--fit",
        metavar="FILE",
        type=Path,
        nargs="+",
        default=[],
        help="the logs of runs, such as runs/*/metrics.jsonl, each next to a config.json with the schedule",
    )
    forecast.add_argument(
        "--weight-decay",
        metavar="X",
        type=_at_least_0,
        default=0.0,
        help="the weight decay of AdamW, which determines what the final weights remember; by default 0",
    )
    forecast.add_argument(
        "--out",
        metavar="FILE",
        type=_file,
        help=f"write the curves along the run: {', '.join(SUFFIXES)} (.png needs Matplotlib)",
    )
    refine = commands.add_parser(
        "refine",
        help="compute the next schedule from the gradient norms of a run",
        description="Prints, as text, the schedule that theory suggests for the gradients of a run.",
    )
    refine.add_argument(
        "run",
        metavar="FILE",
        type=Path,
        help="the log of the run, such as runs/digits-1/metrics.jsonl, next to its config.json",
    )
    refine.add_argument(
        "--optimizer",
        choices=("sgd", "adam"),
        default="sgd",
        help="sgd for Euclidean norms, which `python -m train` logs; adam for sums of absolute values",
    )
    refine.add_argument(
        "--smoothing",
        metavar="X",
        type=_at_least_0,
        default=0.1,
        help="the length of the median's window as a fraction of the run; by default 0.1",
    )
    refine.add_argument(
        "--knots",
        metavar="N",
        type=_steps,
        help=f"the number of knots of the schedule; by default {KNOTS}",
    )
    return parser, commands.choices


def _schedules(text: str) -> list[Schedule]:
    """The schedule in a text, or the members of a stack."""
    try:
        return [schedule for _, schedule in labelled(parse(text))[0]]
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _steps(text: str, most: int = LAST_STEP) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"must be an integer from 1 to {most}, got {text!r}")
    return int(text)


def _at_least_0(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a finite number of at least 0, got {text!r}")
    return number


def _file(text: str) -> Path:
    if Path(text).suffix.lower() not in SUFFIXES:
        raise argparse.ArgumentTypeError(f"must end in one of {', '.join(SUFFIXES)}, got {text!r}")
    return Path(text)


def _key_rates(schedule: Schedule, steps: int) -> list[str]:
    """A table of the first rate, the rates at boundaries, the peak and the last rate."""
    seen = sampled_steps(schedule, steps, EVERY)
    rates = rates_of(schedule, seen)
    turns = boundaries(schedule, steps)
    roles: dict[int, list[str]] = {0: ["first"]}
    for turn in turns[:MOST_BOUNDARIES]:
        roles.setdefault(turn, []).append("boundary")
    if np.isfinite(rates).any():
        roles.setdefault(int(seen[np.nanargmax(np.where(np.isfinite(rates), rates, np.nan))]), []).append(
            "peak"
        )
    roles.setdefault(steps - 1, []).append("last")
    at = sorted(roles)
    rows = [("step", "learning rate", "")]
    rows += [
        (str(step), str(rate), ", ".join(roles[step]))
        for step, rate in zip(at, rates_of(schedule, np.array(at)), strict=True)
    ]
    width = max(len(step) for step, _, _ in rows)
    lines = [f"{step:>{width}}  {rate:14}  {role}".rstrip() for step, rate, role in rows]
    return [*lines, "and more boundaries"] if len(turns) > MOST_BOUNDARIES else lines


if __name__ == "__main__":
    sys.exit(main())
