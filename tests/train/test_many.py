"""Many runs at once equal the single runs; the book's chapter, sweeps and the range test."""

from __future__ import annotations

import io
import json
import re
from html import unescape

import numpy as np
import pytest
from rich.console import Console
from test_train import config, few, run, train

import jaxsched as js
from train import many
from train.chapter import CHAPTER
from train.report_many import Comparison
from train.step import Plan, Trainer
from train.sweep import Over, grid


@pytest.mark.thorough
def test_each_run_is_what_it_would_be_alone():
    data = few(80, 20)
    schedules = [js.Constant(0.05), js.Cosine(0.1, 0.0, 20)]
    plans = [Plan(schedule) for schedule in schedules]
    rounds = list(many.train_many(plans, Trainer(0.5, 8), data, 2, [0, 7]))
    for i, schedule in enumerate(schedules):
        for j, seed in enumerate((0, 7)):
            alone = run(config(seed=seed, momentum=0.5), Plan(schedule), data)
            for each, together in zip(alone, rounds, strict=True):
                assert together.learning_rate[i, j] == np.float32(each.learning_rate)
                assert together.train_loss[i, j] == pytest.approx(each.train_loss, rel=1e-4)
                assert together.test_accuracy[i, j] == pytest.approx(each.test_accuracy, abs=0.051)


@pytest.mark.thorough
def test_a_plateau_sees_the_images_that_were_held_out():
    data = few(80, 20)
    plans = [Plan(js.Constant(0.1), js.Plateau(0.5, 0, atol=100.0)), Plan(js.Constant(0.1))]
    rounds = list(many.train_many(plans, Trainer(0.0, 8), data, 4, [0]))
    rates = np.stack([each.learning_rate[:, 0] for each in rounds], axis=1)
    np.testing.assert_array_equal(rates, np.float32([[0.1, 0.1, 0.05, 0.025], [0.1] * 4]))
    split = data.with_held_out()
    assert len(split.train.labels) == 72
    together = np.concatenate([split.train.images, split.held_out.images]).reshape(80, -1)
    assert sorted(map(bytes, together)) == sorted(map(bytes, data.train.images.reshape(80, -1)))


def test_the_chapter_as_it_should_be_and_as_published():
    plain = {run.name: np.asarray(run.schedule(np.arange(4)), float) for run in CHAPTER}
    late = {run.name: np.asarray(run.published()(np.arange(5)), float) for run in CHAPTER}
    np.testing.assert_allclose(plain["square root"], 0.1 / np.sqrt([1, 2, 3, 4]), rtol=1e-6)
    np.testing.assert_allclose(plain["factor"], 0.5 * 0.9 ** np.arange(4), rtol=1e-6)
    for name in ("square root", "factor", "cosine", "warmup and cosine"):
        np.testing.assert_array_equal(late[name], [np.float32(0.3), *plain[name]])
    for name in ("constant", "multi-factor", "plateau"):
        np.testing.assert_array_equal(late[name][:4], plain[name])
    assert [run.expression(False) for run in CHAPTER][-1] == "Constant(0.3) * Plateau(0.5, 3)"


@pytest.mark.thorough
def test_compare(tmp_path):
    output = train("compare", "--epochs", 2, "--seeds", 2, "--batch-size", 256, "--out", tmp_path / "c")
    record = json.loads((tmp_path / "c" / "compare.json").read_text())
    assert list(record["runs"]) == [run.name for run in CHAPTER]
    assert np.shape(record["runs"]["cosine"]["test_accuracy"]) == (2, 2)
    assert record["runs"]["cosine"]["expression"] == "Cosine(0.3, 0.01, 20)"
    assert (tmp_path / "c" / "compare.png").read_bytes().startswith(b"\x89PNG")
    rows = [line for line in output.splitlines() if line.startswith("│")]
    cells = (row.strip("│").split("│")[0].split() for row in rows)
    assert " ".join(word for cell in cells for word in cell) == " ".join(record["runs"])
    assert "rank correlation: " in output
    bounds = {name: run["bound"] for name, run in record["runs"].items() if "bound" in run}
    assert bounds.keys() == record["runs"].keys() - {"plateau"}
    ten_steps = js.forecast.bound(js.per_epoch(js.Cosine(0.3, 0.01, 20), 5), 10)
    assert bounds["cosine"] == ten_steps.best_value
    assert "epoch 2/2" in output


@pytest.mark.thorough
def test_a_run_that_diverges_is_marked_and_the_others_go_on(tmp_path):
    output = train(
        *("sweep", "--schedule", "Constant(0.1)", "--over", "value=0.01:1e20:2", "--epochs", 2),
        *("--batch-size", 256, "--out", tmp_path / "s"),
    )
    runs = json.loads((tmp_path / "s" / "sweep.json").read_text())["runs"]
    assert [run["diverged"] for run in runs.values()] == [[False], [True]]
    assert "diverged" in output


@pytest.mark.thorough
def test_find_lr(tmp_path):
    output = train(
        "find-lr", "--steps", 40, "--max-value", 1000, "--batch-size", 128, "--out", tmp_path / "f"
    )
    record = json.loads((tmp_path / "f" / "find-lr.json").read_text())
    assert record["diverged"]
    assert 0.001 < record["steepest"] < 1
    assert f"Suggested learning rate: {record['tenth_of_best']:.2g}, a tenth of " in output
    assert "python -m train --batch-size 128 --schedule" in output
    assert (tmp_path / "f" / "find-lr.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("losses", "correlation"),
    [
        ([[0.1], [0.2], [0.3]], "1.0000"),
        ([[0.1, 0.2], [0.2, np.nan], [0.3, 0.1]], "0.2500 (-0.5000 to 1.0000)"),
    ],
)
def test_the_order_of_the_bounds_stands_beside_that_of_the_losses(losses, correlation, tmp_path):
    """Of three runs and a plateau. The second diverged with the second seed, so its loss is the highest."""
    losses = np.array([*losses, [0.01] * len(losses[0])])
    both = [many.Round(1, *[losses] * 4, seconds=1.0)]
    names = dict.fromkeys(("a", "b", "c", "plateau"), "Constant(0.3)")
    comparison = Comparison(names, both, {"a": 1.0, "b": 2.25, "c": 12.0})
    head, *rows, last = comparison.forecast().splitlines()
    assert head.split() == ["bound", "run", "train", "loss", "run"]
    said, by_bound, found, by_loss = zip(*(row.split() for row in rows), strict=True)
    assert (said, by_bound) == (("1", "2.25", "12"), ("a", "b", "c"))
    means = losses[:3].mean(axis=1)
    measured = [0, 1, 2] if losses.shape[1] == 1 else [0, 2, 1]
    assert by_loss == tuple("abc"[i] for i in measured)
    assert found == tuple(f"{means[i]:.4f}".replace("nan", "inf") for i in measured)
    assert last == f"rank correlation: {correlation}"
    comparison.save(tmp_path / "c.json")
    saved = json.loads((tmp_path / "c.json").read_text())["runs"]
    assert [saved[name].get("bound") for name in names] == [1.0, 2.25, 12.0, None]


def compared(seeds):
    """Two runs, of which the second diverged."""
    shape = (2, seeds)
    losses = np.array([[0.5] * seeds, [np.nan] * seeds])
    accuracies = np.linspace(0.6, 0.9, 2 * seeds).reshape(shape)
    rounds = [
        many.Round(epoch, np.full(shape, 0.3), losses, accuracies, accuracies / epoch, 1.25)
        for epoch in (1, 2)
    ]
    return Comparison({"a <b> & [c]": "Constant(0.3)", "falls": "Constant(30)"}, rounds)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_comparison_is_the_same_table_in_a_notebook_and_as_text(seeds):
    comparison = compared(seeds)
    text, html = repr(comparison), comparison._repr_html_()
    seen = unescape(re.sub("<[^>]*>", " ", html))
    assert seen.split() == text.split()
    console = Console(width=200, file=io.StringIO())
    console.print(comparison.table())
    assert set(text.split()) <= set(console.file.getvalue().split())
    assert "a <b> & [c]" in text
    assert text.endswith(f"{2 * seeds} runs side by side in 2.5 s, {2.5 / (2 * seeds):.1f} s per run")


def test_a_grid_takes_every_combination():
    schedule = js.warmup(js.Cosine(0.3, 0.01, 15), 5)
    members = grid(
        schedule, [Over.read("warmup_steps=0:4:2"), Over.read("schedule.init_value=0.1:0.4:3:log")]
    )
    assert list(members)[:2] == [
        "warmup_steps=0, schedule.init_value=0.1",
        "warmup_steps=0, schedule.init_value=0.2",
    ]
    close = grid(js.Constant(1.0), [Over.read("value=0.1:0.10001:5")])
    assert len(close) == 5
    assert list(members.values())[4] == js.warmup(js.Cosine(0.2, 0.01, 15), 4)


MISTAKES = {
    "sweep over nothing": (["sweep"], "Missing option '--over'."),
    "sweep over lists": (
        ["sweep", "--schedule", "Piecewise([0.1, 0.01], [9])", "--over", "rates=0:1:2"],
        "has no number named `rates`; it has only lists.",
    ),
    "sweep over no number": (["sweep", "--over", "rate=0:1:2"], "has no number named `rate`; it has"),
    "sweep over several": (
        ["sweep", "--schedule", "0.1 * Constant(0.2)", "--over", "value=0:1:2"],
        "has several numbers named `value`; it has `.schedules.0.value`, `.schedules.1.value`",
    ),
    "sweep of words": (["sweep", "--over", "init_value=a:b:3"], "must have two numbers and an integer"),
    "sweep cut short": (["sweep", "--over", "init_value"], "must be NAME=LOW:HIGH:COUNT"),
    "sweep beyond the range": (
        ["sweep", "--over", "warmup_steps=-1:3:2"],
        "`warmup_steps` must be at least 0",
    ),
    "sweep of logarithms": (["sweep", "--over", "init_value=0:1:2:log"], "must have ends above 0"),
    "option before the command": (
        ["--epochs", 3, "compare"],
        "--epochs is for a single run: write it after `compare`.",
    ),
    "option that the command has not": (
        ["--seed", 3, "compare"],
        "--seed is for a single run: `compare` does not take it.",
    ),
    "sweep twice over one": (
        ["sweep", "--over", "warmup_steps=0:1:2", "--over", ".warmup_steps=0:1:2"],
        "Each number can be varied only once",
    ),
    "sweep over the first of two": (
        ["sweep", "--over", "init_value=0:1:2"],
        "it has `.schedule.init_value`, `.init_value`",
    ),
    "batch too large with some held out": (
        ["compare", "--batch-size", 1300],
        "1300 must be at most 1294, the number",
    ),
    "range upside down": (
        ["find-lr", "--min-value", 1, "--max-value", 0.1],
        "0.1 must be above --min-value 1.0.",
    ),
    "unknown command": (["compar"], "No such command 'compar'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_with_status_2_before_anything_is_written(mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, message = MISTAKES[mistake]
    assert message in " ".join(train(*arguments, code=2).split())
    assert not list(tmp_path.iterdir())
