"""How goldens are written: steps to look at, and one case a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

COUNT = 30


def steps_over(horizon: int) -> list[int]:
    """`COUNT` steps from 0 to past `horizon`: every one where it is short, else its ends and between."""
    if horizon <= COUNT - 6:
        return [*range(COUNT - 3), 40, 100, 1000]
    steps = {0, 1, 2, horizon - 1, horizon, horizon + 1, horizon + 2, 2 * horizon, 10 * horizon}
    between = COUNT - len(steps)
    return sorted(steps | {3 + (horizon - 5) * i // between for i in range(between)})


def write(system: str, version: str, cases: list[dict[str, Any]], **more: object) -> None:
    """Writes `cases` beside this file, by name and then in the order given."""
    head = json.dumps({"system": system, "version": version, **more}, separators=(",", ":"))
    lines = [json.dumps(case, separators=(",", ":")) for case in sorted(cases, key=lambda case: case["name"])]
    text = head[:-1] + ',"cases":[\n' + ",\n".join(lines) + "\n]}\n"
    (Path(__file__).parent / f"{system}.json").write_text(text)
