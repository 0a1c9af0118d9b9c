"""What `python -m train` prints: on wide and narrow terminals, without one, and in words."""

from __future__ import annotations

import io
import math
import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
from rich.console import Console
from rich.text import Text
from test_many import compared
from test_train import train

import jaxsched as js
from train import report, report_many
from train.__main__ import main
from train.config import DEFAULTS, default_schedule
from train.loop import Epoch

ROOT = Path(__file__).parents[2]


def epoch(number, **changes):
    plain = {"learning_rate": 0.1849, "train_loss": 2.1953, "train_accuracy": 0.2067, "test_accuracy": 0.1694}
    return Epoch(epoch=number, step=22 * number, seconds=12.34, **(plain | changes))


def watched(console, epochs, made=0):
    with report.watching(console, epochs, made) as watch:
        for number in range(made + 1, epochs + 1):
            watch(epoch(number))
    return console.file.getvalue()


@pytest.mark.parametrize("epochs", [3, 1000])
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_progress_fits_a_terminal(columns, epochs):
    terminal = Console(width=columns, force_terminal=True, file=io.StringIO(), legacy_windows=False)
    text = watched(terminal, epochs, made=epochs - 2)
    lines = [Text.from_ansi(line).plain for line in re.split("[\r\n]", text)]
    assert max(map(len, lines)) <= columns
    assert "…" not in text
    (last,) = [line for line in lines if f"{epochs}/{epochs}" in line][-1:]
    assert "loss 2.195" in last
    assert "test 0.1694" in last
    if columns >= 80:
        assert "rate 0.185" in last
        assert "━━━" in last
    assert f"{epochs - 2}/{epochs}" in text
    assert f"0/{epochs}" not in text.replace(f"{epochs}/{epochs}", "")


@pytest.mark.parametrize("columns", [40, 80])
def test_without_a_terminal_an_epoch_is_a_line(columns):
    lines = watched(Console(width=columns, file=io.StringIO()), 3).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all("train loss 2.1953" in line and "12.34 s" in line for line in lines)


def test_a_comparison_on_a_narrow_terminal_keeps_each_number():
    console = Console(width=40, file=io.StringIO())
    comparison = compared(seeds=1)
    console.print(comparison.table())
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 40
    cells = [line.strip("│").split("│") for line in text.splitlines() if line.startswith("│")]
    joined = ["".join(column).replace(" ", "") for column in zip(*cells, strict=True)]
    for row in comparison.rows():
        for column, cell in zip(joined, row.values(), strict=False):
            assert cell.replace(" ", "") in column


def test_the_lines_of_a_comparison_have_one_colour_and_no_breaks():
    terminal = Console(width=40, force_terminal=True, file=io.StringIO(), legacy_windows=False)
    comparison = compared(seeds=1)
    expressions = {"schedule.init_value=0.05": "warmup(Cosine(0.05, 0.01, 37), 7, first_step=1)"}
    report_many.watched(terminal, expressions, comparison.rounds, 10)
    first, *rest = terminal.file.getvalue().splitlines()
    assert first == "schedule.init_value=0.05: warmup(Cosine(0.05, 0.01, 37), 7, first_step=1)"
    assert [line.split("  ")[0] for line in rest] == [f"epoch {each.epoch}/10" for each in comparison.rounds]


def test_brackets_are_printed(tmp_path):
    text = "join([warmup(Cosine(0.2, 0, 9), 9), 0.1], [900])"
    output = train("--schedule", text, "--epochs", 1, "--strict", "--out", tmp_path / "r", code=1)
    assert f"in `{js.parse(text)!r}` is never reached" in output


def test_findings_count_epochs_where_the_schedule_does(tmp_path):
    output = train(
        *("--schedule", "warmup(Cosine(0.2, 0, 25), 50)", "--per-epoch", "--epochs", 30),
        *("--strict", "--out", tmp_path / "r"),
        code=1,
    )
    assert "note at epoch 0: The first epoch does nothing, because the rate is 0 at epoch 0. Use " in output
    assert "`first_step=1` in `warmup` to start above 0." in output
    assert "warning at epoch 29: `Cosine(0.2, 0, 25)` in `warmup(Cosine(0.2, 0, 25), 50)` is never" in output
    assert "it would start at epoch 50, but the run ends at epoch 30" in output
    assert not re.search(r"\bsteps?\b", output)


@pytest.mark.parametrize("length", [1, 5, 6, 30, 660, 7020])
@pytest.mark.parametrize("peak", [0.2, 0.3, 0.004])
def test_the_default_has_no_finding(peak, length):
    schedule = default_schedule(peak, length)
    assert js.check(schedule, length) == []
    assert schedule.peak() == peak


def test_the_retarget_of_the_page_trains_on_with_more_than_the_last_rate():
    found = re.search(
        r'--resume runs/digits-1 --epochs (\d+) --schedule "(.*)" --retarget "?(.*?)"?$',
        (ROOT / "docs" / "training.md").read_text(),
        re.MULTILINE,
    )
    epochs, text, policy = found.groups()
    old = default_schedule(0.2, 660)
    parsed = main.make_context(None, ["--resume", "x", "--retarget", policy], resilient_parsing=False)
    schedule = js.retarget(old, js.parse(text), 660, parsed.params["retarget"])
    rates = np.asarray(schedule(np.arange(660, 22 * int(epochs))))
    assert rates[0] == old(660)
    assert rates.max() > 5 * rates[0]
    assert rates[-1] < 1.1 * rates[0]
    assert not [each for each in js.check(schedule, 22 * int(epochs)) if each.level == "warning"]


def ramped(metrics, **changes):
    rates = np.geomspace(1e-3, 10, len(metrics))
    metrics = np.asarray(metrics, np.float32)
    known = np.isfinite(metrics)
    best = rates[np.argmin(np.where(known, metrics, np.inf))] if known.any() else np.nan
    falls = (metrics[1:] < metrics[:-1]).any()
    return js.RangeTest(
        rates,
        metrics,
        metrics,
        np.int32(len(metrics)),
        np.bool(True),
        *(np.float32(rates[0] if falls else np.nan), np.float32(best / 10)),
        "min",
        True,
    )


def test_a_range_test_ends_in_one_suggestion_its_reason_and_a_command():
    words = report.suggestion(ramped([2.3, 2.2, 0.5, 4.0]), ["--momentum", "0.5"], 660)
    assert re.findall(r"Suggested learning rate: (\S+),", words) == ["0.046"]
    assert "a tenth of 0.464, the rate with the lowest loss" in words
    command = words.splitlines()[-1].partition("python -m train")[2]
    context = main.make_context(None, shlex.split(command))
    assert isinstance(context, click.Context)
    assert context.params["schedule"] == default_schedule(0.046, 660)
    assert context.params["momentum"] == 0.5


@pytest.mark.parametrize("metrics", [[math.nan] * 4, [2.3, 2.4, 2.5, math.inf]])
def test_a_range_test_that_learned_nothing_suggests_nothing(metrics):
    words = report.suggestion(ramped(metrics), [], 660)
    assert words == (
        "No learning rate can be suggested: the loss never fell. Try a lower --min-value than 0.001."
    )


@pytest.mark.parametrize(
    ("schedule", "changes", "advice"),
    [
        (js.Constant(2.0), {"train_loss": 2.3121}, "below 2."),
        (js.Constant(0.614), {"train_loss": 2.3491}, "below 0.614."),
        (js.Constant(1e-4), {"train_loss": 2.3151}, "above 0.0001."),
        (js.warmup(0.2, 400), {"train_loss": 2.30}, None),
        (js.Constant(0.01), {"train_loss": 2.2553, "train_accuracy": 0.2521}, None),
        (js.Constant(0.2), {"train_loss": 1.8}, None),
    ],
)
def test_a_run_at_chance_is_told_so(schedule, changes, advice):
    seen = epoch(2, **({"train_accuracy": 0.1} | changes))
    said = report.at_chance(seen, schedule, steps=660, usual=DEFAULTS["digits"].peak_value)
    assert said == (advice and f"The loss has not moved from 2.30 = log 10: try a rate {advice}")
