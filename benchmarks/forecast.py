"""Forecasts of real runs beside what happened: `python -m benchmarks.forecast --data DIR`.

DIR holds one CSV file a run, with columns `step`, `lr` and `loss`, named `<size>_<schedule>.csv`: curves of
github.com/thu-yao-01-luo/MultiPowerLaw (MIT), as it publishes them under `loss_curve_repo/`.

Of each size the law is fitted to a cosine, a constant rate and a jump to 9e-5, and predicts the other runs.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import jaxsched as js
from benchmarks.report import publish
from jaxsched import forecast

PEAK, END, WARMUP = 3e-4, 3e-5, 2160
FITTED = ("cosine_24000", "constant_24000", "wsdcon_9")
NAMES = ("L0", "A", "alpha", "B", "C", "beta", "gamma")
PUBLISHED = {
    "25m": (3.04045406, 0.52468604, 0.50786857, 363.78751622, 2.06560812, 0.58279013, 0.64142257),
    "100m": (2.6514477, 0.60115152, 0.45295811, 437.9464276, 2.13245612, 0.59785199, 0.65523644),
    "400m": (2.37474466, 0.65421216, 0.42878731, 523.42464371, 2.02462735, 0.59350493, 0.63472457),
}
"""The constants that the authors of the multi-power law fitted to the same three runs."""


def schedule_of(name: str) -> tuple[js.Schedule, int]:
    """The schedule of a run by its name, and the step from which on it differs from a constant run."""
    kind, *numbers = name.split("_")
    last = int(numbers[-1])
    after: dict[str, Callable[[], tuple[Any, int]]] = {
        "constant": lambda: (js.Constant(PEAK), 0),
        "cosine": lambda: (js.Cosine(PEAK, END, last - WARMUP), 0),
        "wsdcon": lambda: (js.Piecewise([PEAK, last * 1e-5], [8000 - WARMUP]), 8000),
        "wsd": lambda: (js.join([PEAK, js.Geometric(PEAK, END, last - 20000)], [20000 - WARMUP]), 20000),
        "wsdld": lambda: (js.join([PEAK, js.Linear(PEAK, END, last - 20000)], [20000 - WARMUP]), 20000),
    }
    if kind not in after:
        raise ValueError(f"The name of a run must begin with one of {', '.join(after)}, got {name}.")
    rest, branch = after[kind]()
    return js.join([js.Linear(0, PEAK, WARMUP - 1), rest], [WARMUP]), branch


def read(path: Path) -> forecast.Run:
    """A run from its file; its rates must be those of the schedule that its name says."""
    with path.open(newline="") as file:
        rows = np.array(
            [[float(row[name]) for name in ("step", "lr", "loss")] for row in csv.DictReader(file)]
        )
    schedule, _ = schedule_of(path.stem.partition("_")[2])
    run = forecast.Run(schedule, rows[:, 0], rows[:, 2])
    np.testing.assert_allclose(np.asarray(schedule(run.steps)), rows[:, 1], rtol=1e-6)
    return run


def nearest(runs: dict[str, forecast.Run], name: str, steps: np.ndarray) -> np.ndarray:
    """The baseline: the loss at the end of the fitted run whose rates have the nearest sum."""
    sums = {
        each: float(np.sum(runs[each].schedule(np.arange(runs[each].steps[-1])))) for each in (*FITTED, name)
    }
    best = min(FITTED, key=lambda each: abs(sums[each] - sums[name]))
    return np.full(len(steps), runs[best].losses[-1])


def rows_of(size: str, runs: dict[str, forecast.Run]) -> list[dict[str, Any]]:
    """A row for each run that was not fitted and each way to predict it."""
    fitted = [runs[name] for name in FITTED]
    published: dict[str, Any] = dict(zip(NAMES, PUBLISHED[size], strict=True))
    laws = {
        "multi-power, fitted here": forecast.LossLaw.fit(fitted),
        "multi-power, published": forecast.LossLaw("multi-power", **published),
        "annealing, fitted here": forecast.LossLaw.fit(fitted, law="annealing"),
    }
    rows = []
    for name in sorted(runs.keys() - set(FITTED)):
        run = runs[name]
        later = run.steps >= schedule_of(name)[1]
        for what, law in laws.items():
            said = law.predict(run.schedule, run.steps)
            inside = (said.low <= run.losses) & (run.losses <= said.high) if law.fitted else None
            rows.append(row(size, name, what, said.loss, run, later, inside))
        rows.append(
            row(size, name, "last loss of the nearest", nearest(runs, name, run.steps), run, later, None)
        )
    return rows


def row(
    size: str, name: str, what: str, said: np.ndarray, run: forecast.Run, later: np.ndarray, inside: Any
) -> dict[str, Any]:
    """The errors of a prediction."""
    errors = said - run.losses
    return {
        "size": size,
        "run": name,
        "law": what,
        "mean absolute error": float(np.abs(errors).mean()),
        "after the branch": float(np.abs(errors[later]).mean()),
        "worst, %": float(100 * np.abs(errors / run.losses).max()),
        "worst after the branch, %": float(100 * np.abs(errors / run.losses)[later].max()),
        "error of the last loss": float(errors[-1]),
        "in the 90 % band": None if inside is None else f"{inside.sum()} of {len(inside)}",
        "in it after the branch": None if inside is None else f"{inside[later].sum()} of {later.sum()}",
    }


def means(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each law: the mean over the runs, the worst, and the share of all points in the band."""
    summary = []
    for law in dict.fromkeys(row["law"] for row in rows):
        own = [row for row in rows if row["law"] == law]
        columns = {name: [row[name] for row in own] for name in own[0]}
        summary.append(
            {
                "size": "all",
                "run": f"{len(own)} runs",
                "law": law,
                **{
                    name: float(np.mean(columns[name]))
                    for name in ("mean absolute error", "after the branch")
                },
                **{name: max(columns[name]) for name in ("worst, %", "worst after the branch, %")},
                "error of the last loss": max(columns["error of the last loss"], key=abs),
                **{name: shares(own, name) for name in ("in the 90 % band", "in it after the branch")},
            }
        )
    return summary


def shares(rows: list[dict[str, Any]], name: str) -> str | None:
    """The share of the points of all rows in the band, from texts such as `9 of 10`."""
    pairs = [[int(number) for number in row[name].split(" of ")] for row in rows if row[name]]
    inside, count = (sum(column) for column in zip(*pairs, strict=True)) if pairs else (0, 0)
    return f"{inside} of {count}, {inside / count:.0%}" if count else None


def main() -> None:
    """Prints and saves the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of CSV files")
    sizes: dict[str, dict[str, forecast.Run]] = {}
    for path in sorted(parser.parse_args().data.glob("*.csv")):
        size, _, name = path.stem.partition("_")
        sizes.setdefault(size, {})[name] = read(path)
    rows = [row for size, runs in sizes.items() for row in rows_of(size, runs)]
    publish("forecast/curves", [*rows, *means(rows)], "python -m benchmarks.forecast --data DIR")


if __name__ == "__main__":
    main()
