"""Prints and saves the results of the benchmarks."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from benchmarks.timing import Times, in_ratio, in_words, paired

RESULTS = Path(__file__).parent / "results"


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table whose columns are the keys of the first row; None gives an empty cell.

    A cell is a number, a text, or times as in `benchmarks.cost`, with their factor and its spread.
    """
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([cell(row[name]) for name in head] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: Any) -> str:
    """The text of a value in a table."""
    if value is None:
        return ""
    if value == float("inf"):
        return "∞"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    if isinstance(value, Mapping):
        ratio = in_ratio(value["factor"], value["spread"])
        return f"{in_words(value['ours'])} to {in_words(value['theirs'])}: {ratio}"
    return str(value)


def row(what: str, ours: str, theirs: str, peer: str, times: Times | None = None) -> dict[str, Any]:
    """A row of a table of comparisons, with the ratio of `times` and its lowest and highest."""
    ratio = in_ratio(times.ratio, times.spread) if times else None
    return {"what": what, "ours": ours, "theirs": theirs, "peer": peer, "ratio": ratio}


def timed(
    what: str, peer: str, ours: Callable[[], Any], theirs: Callable[[], Any], calls: int = 1, rounds: int = 9
) -> dict[str, Any]:
    """A row with the times of two functions."""
    times = paired(ours, theirs, calls, rounds)
    return row(what, in_words(times.ours), in_words(times.theirs), peer, times)


def publish(name: str, rows: Sequence[Mapping[str, Any]], command: str, device: str | None = None) -> None:
    """Prints the rows as a table, and saves them in `results/<name>.json` with versions and device.

    Args:
      name: the name of the file, with an optional folder.
      rows: the rows of the table.
      command: the command that measures them again.
      device: the device that the programs were compiled for, if it is not JAX's own.
    """
    print(markdown(rows))
    packages = [
        each for each in ("jax", "libtpu", "optax", "flax", "torch") if importlib.util.find_spec(each)
    ]
    record = {
        "command": command,
        "versions": {each: importlib.metadata.version(each) for each in packages},
        "python": platform.python_version(),
        "device": device or jax.devices()[0].device_kind,
        "cores": len(os.sched_getaffinity(0)),
        "rows": list(rows),
    }
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
