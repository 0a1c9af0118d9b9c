"""Forecasts of the chapter's seven runs beside what happened: `python -m benchmarks.choosing`.

`benchmarks/results/forecast/compare.json` is the log of these runs, as
`python -m train compare --as-published --seeds 3` leaves it: 30 epochs of scikit-learn's digits. What the
same runs gave on Fashion-MNIST is in `benchmarks/results/chapter.json`, the table of `docs/training.md`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

import jaxsched as js
from benchmarks.report import RESULTS, publish
from jaxsched import forecast
from train.chapter import CHAPTER

LOG = RESULTS / "forecast" / "compare.json"

STEPS, FASHION_STEPS = 20, 210
"""The updates of an epoch of the digits and of Fashion-MNIST, a tenth of the images held out."""

FASHION_EPOCHS = 30

DISTANCES = (1.0, 10.0, 100.0)
"""The distances to the solution, with gradients of norm 1, for which the bound ranks the runs."""

FITTED = ("constant", "cosine")
"""The runs that the law is fitted to."""

LEFT_OUT = 4
"""The law says nothing of the first epochs, in which the network begins to learn."""


class Logged(NamedTuple):
    """A run of the log.

    Attributes:
      schedules: the schedule of each seed, in updates. They differ only for the plateau, whose rates follow
        its losses.
      steps: the number of updates.
      losses: the mean training loss of each epoch, shape (seeds, epochs).
      errors: the fraction of the test images that is misread after each epoch, likewise.
    """

    schedules: Sequence[js.Schedule]
    steps: int
    losses: np.ndarray
    errors: np.ndarray

    def bounds(self, distance: float = 1.0) -> list[forecast.Bound]:
        """The convex bound of each seed's schedule, with gradients of norm 1."""
        return [forecast.bound(plan, self.steps, distance=distance) for plan in self.schedules]

    def run(self, seed: int) -> forecast.Run:
        """A seed's losses for a law. The mean over an epoch stands for the loss in the middle of it."""
        steps = STEPS * np.arange(self.losses.shape[1]) + STEPS // 2 - 1
        return forecast.Run(self.schedules[seed], steps[LEFT_OUT:], self.losses[seed, LEFT_OUT:])


def read() -> dict[str, Logged]:
    """The runs of the log, by name. The logged rates must be those of the schedules."""
    runs = {}
    for name, record in json.loads(LOG.read_text())["runs"].items():
        rates, text = record["learning_rate"], record["expression"]
        epochs = [js.Table(each) for each in rates] if "Plateau" in text else [js.parse(text)] * len(rates)
        plans = [js.per_epoch(each, STEPS) for each in epochs]
        for plan, logged in zip(plans, rates, strict=True):
            np.testing.assert_allclose(plan(STEPS * np.arange(len(logged))), logged, rtol=1e-6)
        losses, accuracies = (np.array(record[each]) for each in ("train_loss", "test_accuracy"))
        runs[name] = Logged(plans, STEPS * losses.shape[1], losses, 1 - accuracies)
    return runs


def published() -> dict[str, Logged]:
    """The runs of the README's table, on Fashion-MNIST: how they ended, as means over the seeds.

    The plateau is missing, because its rates were not kept.
    """
    plans = {
        run.name: run.plan(FASHION_STEPS, as_published=True).schedule for run in CHAPTER if run.rule is None
    }
    runs = {}
    for row in json.loads((RESULTS / "chapter.json").read_text())["rows"]:
        if row["run"] in plans:
            loss, accuracy = (float(row[each].split()[0]) for each in ("train loss", "test accuracy"))
            steps = FASHION_EPOCHS * FASHION_STEPS
            runs[row["run"]] = Logged(
                [plans[row["run"]]], steps, np.array([[loss]]), np.array([[1 - accuracy]])
            )
    return runs


def spread(values: Any, digits: int = 3) -> str:
    """The mean and the range over the seeds."""
    mean, low, high = (f"{each:.{digits}g}" for each in (np.mean(values), np.min(values), np.max(values)))
    return mean if low == high else f"{mean} ({low} to {high})"


def bound_rows(runs: dict[str, Logged]) -> list[dict[str, Any]]:
    """A row for each run: its bound, and how it ended."""
    rows = []
    for name, run in runs.items():
        bounds = run.bounds()
        rows.append(
            {
                "run": name,
                "bound": spread([each.value for each in bounds]),
                "best multiplier": spread([each.best_multiplier for each in bounds]),
                "bound with it": spread([each.best_value for each in bounds]),
                "training loss": spread(run.losses[:, -1]),
                "test error": spread(run.errors[:, -1]),
            }
        )
    return rows


def correlations(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of each seed; the arguments have shape (runs, seeds)."""
    return np.array(
        [
            np.corrcoef(rankdata(said), rankdata(was))[0, 1]
            for said, was in zip(predicted.T, measured.T, strict=True)
        ]
    )


def by_chance(correlation: float, count: int) -> float:
    """The share of all orders of `count` runs whose rank correlation is at least as large."""
    ranks = np.arange(count) - (count - 1) / 2
    orders = np.array([*itertools.permutations(ranks)])
    return float(np.mean(orders @ ranks / (ranks @ ranks) >= correlation - 1e-9))


def order_rows(runs: dict[str, Logged]) -> list[dict[str, Any]]:
    """A row for each way to rank the runs by their bound: its rank correlation with what was measured."""
    # The bound of a constant rate is lowest at its best multiplier, which goes with the distance.
    tuned = 1 / runs["constant"].bounds()[0].best_multiplier
    ways = {f"bound, distance {each:g}": each for each in DISTANCES}
    ways[f"bound, distance {tuned:.3g}: 0.3 is the best constant rate"] = tuned
    ranks = {
        way: [[each.value for each in run.bounds(distance)] for run in runs.values()]
        for way, distance in ways.items()
    }
    ranks["bound with the best multiplier"] = [
        [each.best_value for each in run.bounds()] for run in runs.values()
    ]
    last = np.array([run.losses[:, -1] for run in runs.values()])
    wrong = np.array([run.errors[:, -1] for run in runs.values()])
    rows = []
    for way, predicted in ranks.items():
        with_loss, with_error = (correlations(np.array(predicted), each) for each in (last, wrong))
        rows.append(
            {
                "ranked by": way,
                "with the training loss": spread(with_loss, 2),
                "by chance": f"{by_chance(float(with_loss.mean()), len(runs)):.0%}",
                "with the test error": spread(with_error, 2),
                "likewise": f"{by_chance(float(with_error.mean()), len(runs)):.0%}",
            }
        )
    pairs = [*itertools.combinations(range(last.shape[1]), 2)]
    if not pairs:
        return rows
    by_loss, by_error = (
        spread([correlations(each[:, [i]], each[:, [j]])[0] for i, j in pairs], 2) for each in (last, wrong)
    )
    other = {"ranked by": "the same of another seed", "with the training loss": by_loss}
    other["with the test error"] = by_error
    return [*rows, {name: other.get(name) for name in rows[0]}]


def fit(runs: dict[str, Logged], seed: int) -> forecast.LossLaw:
    """The law fitted to two runs of a seed."""
    return forecast.LossLaw.fit([runs[name].run(seed) for name in FITTED])


def _factor(said: Any, was: Any) -> Any:
    """By what factor a prediction is off; infinite if it is not above 0."""
    ratio = np.where(said > 0, said, np.nan) / was
    return np.where(np.isnan(ratio), np.inf, np.maximum(ratio, 1 / ratio))


def _nearest(runs: dict[str, Logged], log: forecast.Run, seed: int) -> float:
    """The last loss of the fitted run whose rates have the nearest sum."""
    fitted = [runs[name].run(seed) for name in FITTED]
    return float(min(fitted, key=lambda each: abs(each.rates.sum() - log.rates.sum())).losses[-1])


def law_rows(runs: dict[str, Logged], laws: Sequence[forecast.LossLaw]) -> list[dict[str, Any]]:
    """A row for each run that was not fitted: what the law of the same seed said of it."""
    rows = []
    for name, run in runs.items():
        if name in FITTED:
            continue
        logs = [run.run(seed) for seed in range(len(laws))]
        said = [law.predict(log.schedule, log.steps) for law, log in zip(laws, logs, strict=True)]
        factors = np.array([_factor(each.loss, log.losses) for each, log in zip(said, logs, strict=True)])
        nearest = [_factor(_nearest(runs, log, seed), log.losses[-1]) for seed, log in enumerate(logs)]
        inside = [
            (each.low <= log.losses) & (log.losses <= each.high) for each, log in zip(said, logs, strict=True)
        ]
        rows.append(
            {
                "run": name,
                "last loss": spread([log.losses[-1] for log in logs]),
                "predicted": spread([each.loss[-1] for each in said]),
                "off by a factor of": spread(factors[:, -1]),
                "over the run": spread(np.exp(np.log(factors).mean(axis=1))),
                "at worst": spread(factors.max(axis=1)),
                "last loss of the nearest run": spread(nearest),
                "in the 90 % band": f"{np.mean(inside):.0%}",
                "where it leaves the fit": "; ".join(said[0].extrapolates) or None,
            }
        )
    return rows


def pair_rows(runs: dict[str, Logged], laws: Sequence[forecast.LossLaw]) -> list[dict[str, Any]]:
    """What the laws said of each pair of runs that were not fitted, against the order of their losses."""
    others = [run for name, run in runs.items() if name not in FITTED]
    told = {"told apart, rightly": 0, "told apart, wrongly": 0, "not distinguishable": 0}
    sign = 0
    for a, b in itertools.combinations(others, 2):
        for seed, law in enumerate(laws):
            one, other = a.run(seed), b.run(seed)
            found = law.compare(one.schedule, other.schedule, int(one.steps[-1]))
            right = (found.difference < 0) == (one.losses[-1] < other.losses[-1])
            sign += right
            said = "rightly" if right else "wrongly"
            told[f"told apart, {said}" if found.distinguishable else "not distinguishable"] += 1
    return [{"pairs": sum(told.values()), **told, "right if it had to say": int(sign)}]


def tables() -> dict[str, list[dict[str, Any]]]:
    """The rows of each table, by the name of its file."""
    runs = read()
    laws = [fit(runs, seed) for seed in range(len(runs[FITTED[0]].losses))]
    return {
        "bounds": bound_rows(runs),
        "order": order_rows(runs),
        "fashion-mnist": order_rows(published()),
        "law": law_rows(runs, laws),
        "pairs": pair_rows(runs, laws),
    }


def main() -> None:
    """Prints and saves the tables."""
    for name, rows in tables().items():
        publish(f"forecast/{name}", rows, "python -m benchmarks.choosing")


if __name__ == "__main__":
    main()
