"""The command line: `python -m jaxsched show "warmup(Cosine(0.3, 0.01, 15), 5)" --steps 30`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.schedule import Schedule
from jaxsched._inspect.check import check
from jaxsched._inspect.horizon import horizon, rates_of
from jaxsched._inspect.plot import LOGS, SUFFIXES, labelled, sampled_steps, save
from jaxsched._inspect.timeline import boundaries
from jaxsched._text.parse import parse

EVERY = 2**20
"""The number of steps that are searched for the peak, evenly spread over a longer run."""

MOST_BOUNDARIES = 20
"""The most boundaries that are listed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line, and returns its exit status."""
    parser, show = _parsers()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    if options.every != 1 and (not options.out or options.out.suffix.lower() != ".csv"):
        show.error("argument --every: needs a table, --out FILE.csv")
    if options.log and not options.out:
        show.error("argument --log: needs a picture, --out")
    warned = False
    for schedule in options.schedules:
        steps = options.steps or horizon(schedule)
        findings = check(schedule, steps)
        found = [str(each) for each in findings] or ["no findings"]
        try:
            print(schedule, "", *_key_rates(schedule, steps), "", *found, "", sep="\n", flush=True)
        except OSError as error:
            # Python would try to write the rest when it ends, and end in a traceback.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):  # `| head` has what it wants.
                return 1
            show.error(f"the output cannot be written: {error.strerror}")
        warned = warned or any(finding.level == "warning" for finding in findings)
    if options.out:
        try:
            save(options.schedules, options.out, options.steps, log=options.log, every=options.every)
        except (ImportError, OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            show.error(f"argument --out: {options.out} cannot be written: {reason}")
    return int(options.strict and warned)


def _parsers() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The parser of the command line, and that of its command `show`."""
    parser = argparse.ArgumentParser("python -m jaxsched", description="Learning-rate schedules for JAX.")
    commands = parser.add_subparsers(dest="command", title="commands")
    show = commands.add_parser(
        "show",
        help="show what a schedule does in a run",
        description="Prints the key rates of a schedule and its likely mistakes, and draws it. The exit "
        "status is 2 for wrong arguments, 1 for a warning with --strict, and otherwise 0.",
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
        "--every", metavar="K", type=_steps, default=1, help="the steps from one line of a table to the next"
    )
    show.add_argument("--log", choices=LOGS[1:], default="", help="the logarithmic axes of the picture")
    show.add_argument("--strict", action="store_true", help="exit with status 1 if there is a warning")
    return parser, show


def _schedules(text: str) -> list[Schedule]:
    """The schedule in a text, or the members of a stack."""
    try:
        return [schedule for _, schedule in labelled(parse(text))[0]]
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _steps(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LAST_STEP:
        raise argparse.ArgumentTypeError(f"must be an integer from 1 to {LAST_STEP}, got {text!r}")
    return int(text)


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
