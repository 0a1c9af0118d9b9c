"""Fits the constants of a law to logged runs, and measures how far they can be trusted."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from jaxsched.forecast.formulas import Formula
from jaxsched.forecast.runs import Run, changes

STAGES = (0.1, 0.01, 0.003)
"""Huber's thresholds before the last one. A fit that starts at a threshold below its residuals stalls."""

BLOCKS = 4
"""The blocks of a run within which its residuals are taken to be dependent."""

UNSEEN = 1e6
"""The relative error of a constant that the logs do not depend on. Others have at most a tenth of it."""

NORMAL_90 = 1.6449
"""The normal quantile within which 90 % lie on both sides."""


class LogLosses:
    """Logged runs, prepared for fits.

    Attributes:
      rates: the rates of each run, up to its last step.
      groups: the changes of the rate of each run.
      logs: the logarithms of the losses of each run.
      count: the number of losses in all runs.
      least: what a loss is taken for that is below it.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.rates = [run.rates for run in runs]
        self.groups = [[*changes(each, run.steps)] for each, run in zip(self.rates, runs, strict=True)]
        self.logs = [np.log(run.losses) for run in runs]
        self.count = sum(map(len, self.logs))
        self.least = 1e-6 * min(float(run.losses.min()) for run in runs)

    def errors(self, formula: Formula, constants: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`log(predicted / loss)` at all steps, and its derivatives by the logarithms of the constants."""
        pairs = [formula.loss(constants, each) for groups in self.groups for each in groups]
        loss = np.concatenate([loss for loss, _ in pairs])
        slopes = np.concatenate([slopes for _, slopes in pairs])
        # A trial of the fit may leave the losses that are possible.
        loss = np.maximum(loss, self.least)
        return np.log(loss) - np.concatenate(self.logs), slopes / loss[:, None]

    def residuals(self, formula: Formula, constants: np.ndarray) -> list[np.ndarray]:
        """`log(loss / predicted)` of each run."""
        return self.split(-self.errors(formula, constants)[0])

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """Values at all steps, by run."""
        return np.split(values, np.cumsum([len(each) for each in self.logs])[:-1])

    def starts(self, formula: Formula) -> list[list[float]]:
        """Where a fit starts."""
        logs = np.concatenate(self.logs)
        total = max(float(rates.sum()) for rates in self.rates)
        peak = max(float(rates.max()) for rates in self.rates)
        return formula.starts(float(np.exp(logs.max())), float(np.exp(logs.min())), total, peak)


def fit_constants(formula: Formula, logs: LogLosses, delta: float) -> np.ndarray:
    """The constants with the least Huber loss of the residuals, the best of several starts."""
    thresholds = [*(each for each in STAGES if each > delta), delta]
    starts = logs.starts(formula)
    limits = _limits(formula, starts)
    found = []
    for start in starts:
        point, cost = np.log(start), math.inf
        for each in thresholds:
            point, cost = _minimise(formula, logs, point, limits, each)
        found.append((cost, point))
    return np.exp(min(found, key=lambda pair: pair[0])[1])


def held_out(formula: Formula, logs: LogLosses, constants: np.ndarray, delta: float) -> tuple[float, float]:
    """The scatter of the log loss about the law in runs left out of the fit, and the residuals' correlation.

    Each run is left out in turn; of a single run, its second half. A fit without it starts at the constants
    of the whole fit, so a constant that is not identified any more stays near its value.
    """
    limits = _limits(formula, logs.starts(formula))
    sizes = [len(each) for each in logs.logs]
    runs = np.repeat(np.arange(len(sizes)), sizes)
    folds = [runs == i for i in range(len(sizes))]
    if len(sizes) == 1:
        folds = [np.arange(logs.count) >= logs.count // 2]
    whole = logs.errors(formula, constants)[0]
    left_out = []
    for fold in folds:
        point, _ = _minimise(formula, logs, np.log(constants), limits, delta, ~fold)
        left_out.append(logs.errors(formula, np.exp(point))[0][fold])
    spans = [float(np.quantile(np.abs(each), 0.9)) for each in (whole, np.concatenate(left_out))]
    by_run = logs.split(whole)
    products = sum(float(each[1:] @ each[:-1]) for each in by_run)
    squares = sum(float(each[1:] @ each[1:] + each[:-1] @ each[:-1]) / 2 for each in by_run)
    return max(spans) / NORMAL_90, float(np.clip(products / squares, 0, 1)) if squares > 0 else 0.0


def standard_errors(
    formula: Formula, logs: LogLosses, constants: np.ndarray, delta: float
) -> tuple[float, ...]:
    """The standard error of each constant's logarithm; residuals are dependent within blocks of a run."""
    errors, slopes = logs.errors(formula, constants)
    scale = np.sqrt(np.square(slopes).sum(0))
    silent = scale == 0
    slopes = slopes / np.where(silent, 1.0, scale)
    near = slopes[np.abs(errors) <= delta]
    values, vectors = np.linalg.eigh(near.T @ near)
    inverse = vectors / np.maximum(values, 1e-12) @ vectors.T
    pull = np.clip(errors, -delta, delta)
    lengths = [len(each) for each in logs.logs]
    blocks = np.array(
        [
            (pull[:, None] * slopes)[start + i * size // BLOCKS : start + (i + 1) * size // BLOCKS].sum(0)
            for start, size in zip(np.cumsum([0, *lengths[:-1]]), lengths, strict=True)
            for i in range(BLOCKS)
        ]
    )
    # Blocks do not pull along a direction that the logs do not see, so independent residuals count there.
    dependent, independent = inverse @ blocks.T @ blocks @ inverse, np.mean(pull**2) * inverse
    variance = np.maximum(np.diag(dependent), np.diag(independent))
    sizes = np.sqrt(variance) / np.where(silent, 1.0, scale)
    return tuple(map(float, np.where(silent, UNSEEN, np.minimum(sizes, UNSEEN / 10))))


def _limits(formula: Formula, starts: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """The bounds of the logarithms of the constants; those with a unit may be a million times off."""
    lowest, highest = np.min(starts, axis=0), np.max(starts, axis=0)
    low = [formula.lowest.get(name, each * 1e-6) for name, each in zip(formula.names, lowest, strict=True)]
    high = [formula.highest.get(name, each * 1e6) for name, each in zip(formula.names, highest, strict=True)]
    return np.log(low), np.log(high)


def _minimise(
    formula: Formula, logs: LogLosses, point: np.ndarray, limits: Any, delta: float, kept: Any = slice(None)
) -> tuple[np.ndarray, float]:
    """The logarithms of the constants with the least Huber loss, from a start, and that loss."""

    @functools.lru_cache(maxsize=2)
    def at(logarithms: bytes) -> tuple[np.ndarray, np.ndarray]:
        errors, slopes = logs.errors(formula, np.exp(np.frombuffer(logarithms)))
        return errors[kept], slopes[kept]

    inside = np.clip(point, limits[0] + 1e-9, limits[1] - 1e-9)
    found = least_squares(
        lambda each: at(each.tobytes())[0],
        inside,
        lambda each: at(each.tobytes())[1],
        bounds=limits,
        loss="huber",
        f_scale=delta,
        x_scale="jac",
        max_nfev=200,
    )
    return found.x, float(found.cost)
