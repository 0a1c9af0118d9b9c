"""The page on forecasts: its tables and figures are of the log, and the log is of the runs that it names."""

from __future__ import annotations

import itertools
import json
import math
import re
from pathlib import Path

import choosing as figures
import numpy as np
import pytest
from scipy import stats

from benchmarks import choosing
from benchmarks.report import RESULTS
from train.chapter import CHAPTER
from train.config import DEFAULTS
from train.data import load

PAGE = (Path(__file__).parents[2] / "docs" / "choosing.md").read_text()
RUNS = choosing.read()


def kept(name):
    return json.loads((RESULTS / "forecast" / f"{name}.json").read_text())["rows"]


def test_the_log_is_of_the_chapter():
    """`read` itself compares the logged rates with those of the schedules."""
    expressions = {
        name: run["expression"] for name, run in json.loads(choosing.LOG.read_text())["runs"].items()
    }
    assert expressions == {run.name: run.expression(as_published=True) for run in CHAPTER}
    assert {run.losses.shape for run in RUNS.values()} == {(3, DEFAULTS["digits"].epochs)}
    images = len(load("digits").with_held_out().train.labels)
    assert images // DEFAULTS["digits"].batch_size == choosing.STEPS


def test_the_bounds_are_those_of_the_log():
    assert choosing.bound_rows(RUNS) == kept("bounds")
    assert choosing.order_rows(RUNS) == kept("order")
    assert choosing.order_rows(choosing.published()) == kept("fashion-mnist")


@pytest.mark.thorough
def test_the_tables_of_the_law_are_those_of_the_log():
    rows = choosing.tables()
    for name in ("law", "pairs"):
        assert rows[name] == kept(name)


def test_rank_correlations():
    random = np.random.default_rng(0)
    one, other = random.normal(size=(2, 7, 3))
    other[3] = other[2]  # a tie
    expected = [stats.spearmanr(one[:, i], other[:, i]).statistic for i in range(3)]
    np.testing.assert_allclose(choosing.correlations(one, other), expected)


def test_the_share_of_all_orders():
    orders = list(itertools.permutations(range(4)))
    expected = [stats.spearmanr(range(4), order).statistic for order in orders]
    for correlation in (-1, -0.2, 0.4, 0.8, 1):
        share = np.mean([each > correlation - 1e-9 for each in expected])
        assert choosing.by_chance(correlation, 4) == pytest.approx(share)
    assert choosing.by_chance(1, 7) == 1 / math.factorial(7)


def test_the_page_shows_every_table_and_figure():
    assert re.findall(r"```\{benchmark\} forecast/([\w-]+)", PAGE) == [
        "bounds",
        "order",
        "fashion-mnist",
        "law",
        "pairs",
    ]
    assert re.findall(r"```\{forecast\} (\w+)", PAGE) == list(figures.FIGURES)


def test_the_figures_show_every_run():
    loss, bound = figures.bounds().axes
    assert [line.get_label() for line in loss.lines] == list(RUNS)
    assert len(bound.lines) == len(RUNS)
    for line, run in zip(loss.lines, RUNS.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), run.losses.mean(axis=0))


@pytest.mark.thorough
def test_the_figure_of_the_law_shows_every_run():
    panels = figures.law().axes
    assert [axes.get_title().removesuffix(" (fitted)") for axes in panels] == list(RUNS)
    for axes, run in zip(panels, RUNS.values(), strict=True):
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), run.losses[0, choosing.LEFT_OUT :])
