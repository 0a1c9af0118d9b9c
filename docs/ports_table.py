"""Writes the table of `docs/ports.md` from the data of the tests: `python docs/ports_table.py`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
# Neither the tests nor the benchmarks are installed.
sys.path += [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "ports")]
from test_ports import CASES, GOLDENS, ported
from test_ports_plateau import GOLDENS as PLATEAUS

from benchmarks.report import markdown
from catalogue.ports import PORTS

TABLE = "<!-- table -->"


def worst_ulps(system: str, name: str) -> float:
    """The largest difference from the original over all cases, in units in the last place of float32.

    Differences below a billionth of the highest rate do not count: they are rounding errors of the original.
    """
    worst = 0.0
    for case in CASES[system, name]:
        truth = np.array(case["rates"])
        rates = np.asarray(ported(system, name, case)(np.array(case["steps"], np.int32)), np.float64)
        unit = np.spacing(np.abs(truth).astype(np.float32))
        far = np.abs(rates - truth) > 1e-9 * np.abs(truth).max()
        worst = max(worst, float(np.max(np.abs(rates - truth) / unit, where=far, initial=0.0)))
    return worst


def instance(system: str, name: str) -> str:
    """The expression of the port's first instance in the tests."""
    text = next(repr(build()) for key, build in PORTS.items() if key.split()[:2] == [system, name])
    return text if len(text) <= 100 else f"{text[:97]}..."


def rows() -> list[dict[str, str]]:
    """A row per scheduler and per plateau."""
    versions = {path.stem: json.loads(path.read_text())["version"] for path in GOLDENS.glob("*.json")}
    table = [
        {
            "system": f"{system} {versions[system]}",
            "scheduler": f"`{name}`",
            "for example": f"`{instance(system, name)}`",
            "cases": str(len(cases)),
            "worst difference": f"{worst_ulps(system, name):.2f} ulp",
        }
        for (system, name), cases in CASES.items()
    ]
    for system, path in PLATEAUS.items():
        record = json.loads(path.read_text())
        for name, count in Counter(trace["name"] for trace in record["traces"]).items():
            row = {
                "system": f"{system} {record['version']}",
                "scheduler": f"`{name}`",
                "for example": "a rule for `scale_by_plateau`",
                "cases": f"{count} traces",
                "worst difference": "the same cuts",
            }
            table.append(row)
    return sorted(table, key=lambda row: (row["system"], row["scheduler"]))


def main() -> None:
    """Replaces the table between the two marks."""
    page = ROOT / "docs" / "ports.md"
    before, _, after = page.read_text().split(TABLE)
    page.write_text(f"{before}{TABLE}\n\n{markdown(rows())}\n\n{TABLE}{after}")


if __name__ == "__main__":
    main()
