"""`python -m jaxsched forecast` and `refine`: what they print, write and refuse."""

from __future__ import annotations

import csv
import json
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from selection import by_default

import jaxsched as js
from jaxsched import forecast
from jaxsched.__main__ import main

STEPS = 400
TRUE = forecast.LossLaw("multi-power", L0=0.5, A=0.8, alpha=0.5, B=1.5, C=1.0, beta=0.5, gamma=0.5)
LOGGED = {
    "constant": {"schedule": "Constant(0.3)"},
    "cosine": {"schedule": "0.1", "trained": "Cosine(0.3, 0.02, 400)"},
    "jump": {"schedule": "Piecewise([0.3, 0.1], [20])", "per_epoch": True},
}
"""The configurations of three runs, the last of which counts epochs of ten updates."""
SCHEDULES = [js.Constant(0.3), js.Cosine(0.3, 0.02, 400), js.Piecewise([0.3, 0.1], [200])]


def refused(arguments, capsys):
    """The message with which `main` exits with status 2."""
    with pytest.raises(SystemExit) as error:
        main([*map(str, arguments)])
    assert error.value.code == 2
    return " ".join(capsys.readouterr().err.split())


def told(arguments, capsys):
    """The lines that `main` prints, none of which is too long."""
    assert main([*map(str, arguments)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def row(lines, start):
    """The cells of the line that starts with some words."""
    (found,) = [line for line in lines if re.match(rf"{start}\s", line)]
    return re.split(r"\s{2,}", found)


def write(folder, config, lines):
    """A run as it lies on the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    path = folder / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs whose losses follow a law. Each line has the mean of an epoch."""
    folder = tmp_path_factory.mktemp("runs")
    random = np.random.default_rng(0)
    paths = []
    for (name, settings), schedule in zip(LOGGED.items(), SCHEDULES, strict=True):
        losses = TRUE.predict(schedule, np.arange(STEPS)).loss.reshape(-1, 10)
        means = losses.mean(axis=1) * np.exp(2e-3 * random.standard_normal(len(losses)))
        lines = [
            {"epoch": i + 1, "step": 10 * (i + 1), "train_loss": float(mean)} for i, mean in enumerate(means)
        ]
        paths.append(write(folder / name, {"plateau": None} | settings, lines))
    return paths


def test_the_table_has_the_numbers_of_the_papers_code(capsys):
    """Constant and linear to 0, with 2,000 steps. All updates of a constant rate weigh the same."""
    lines = told(["forecast", "Constant(1)", "stack([Linear(1, 0, 2000)])", "--steps", 2000], capsys)
    assert lines[:2] == ["1  Constant(1)", "2  Linear(1, 0, 2000)"]
    (first, second) = (
        [*re.split(r"\s+", line)] for line in lines if re.match(r"[12] +[\d.]+ +[\d.]+ ", line)
    )
    np.testing.assert_allclose([float(x) for x in first[1:4]], [4.5892, 0.00738, 0.06774], rtol=5e-4)
    assert first[4:] == ["1000", "0.0%", "0.0%", "100.0%"]
    np.testing.assert_allclose([float(x) for x in second[1:4]], [1.0043, 0.02231, 0.0448], rtol=5e-4)
    assert second[4:] == ["1334", "0.0%", "100.0%", "100.0%"]


def test_the_table_has_what_the_weights_remember(capsys):
    text = "warmup_stable_decay(0.001, 10_000, 500, 2_000)"
    lines = told(["forecast", text, "--steps", 10_000, "--weight-decay", 0.1], capsys)
    # From the docstring of `memory`.
    assert lines[3].split()[-3:] == ["1.8%", "16.3%", "41.7%"]
    assert "weight decay of 0.1" in " ".join(" ".join(lines).split())


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("Linear(1, 0, 9)", "note: 1 has a rate of 0 from step 9 on, so the bound is infinite."),
        ("Constant(0)", "note: 1 has a rate of 0 at all steps."),
    ],
)
def test_a_bound_that_is_infinite_says_why(text, note, capsys):
    lines = told(["forecast", text, "--steps", 12], capsys)
    assert "inf" in row(lines, "1 +inf")
    assert note in lines


def test_logs_predict_the_loss_of_another_schedule(runs, tmp_path, capsys):
    texts = ["Cosine(0.3, 0.03, 400)", "Linear(0.3, 0.03, 400)", "Cosine(0.3, 0.03, 401)"]
    out = tmp_path / "forecast.csv"
    lines = told(["forecast", *texts, "--steps", STEPS, "--fit", *runs, "--out", out], capsys)
    assert "The loss after 395 steps, by the multi-power law fitted to 3 runs:" in lines
    (head,) = [i for i, line in enumerate(lines) if "90% band" in line]
    for name, text, line in zip("123", texts, lines[head + 1 :], strict=False):
        found, loss, band, *_ = re.split(r"\s{2,}", line)
        low, high = map(float, band.split(" to "))
        true = TRUE.predict(js.parse(text), [394]).loss[0]
        assert found == name
        assert float(loss) == pytest.approx(true, rel=0.01)
        assert low < float(loss) < high
    assert sum("not distinguishable" in line for line in lines[head + 1 : head + 4]) >= 1
    assert lines[head + 4 :] == []
    with out.open() as file:
        header, *rows = csv.reader(file)
    names = ["learning_rate", "bound", "loss", "low", "high"]
    assert header == ["step", *(f"{name} of {text}" for text in texts for name in names)]
    table = np.array(rows, float)
    np.testing.assert_array_equal(table[:, 0], np.arange(2, 401, 2))
    np.testing.assert_allclose(table[:, 1], np.asarray(js.parse(texts[0])(np.arange(1, 400, 2))), rtol=1e-6)
    bounds = forecast.bound(js.parse(texts[1]), STEPS).curve().values
    np.testing.assert_allclose(table[:, 7], bounds)
    loss, low, high = table[:, 3:6].T
    assert (low < loss).all()
    assert (loss < high).all()


def test_a_schedule_beyond_the_fit_is_said_to_be_so(runs, capsys):
    lines = told(["forecast", "Constant(3)", "--steps", STEPS, "--fit", *runs], capsys)
    assert "note: 1 is beyond the fit: a peak of 3 is outside the fitted peaks, 0.3 to 0.3." in " ".join(
        lines
    )


@pytest.mark.thorough
def test_one_run_at_a_constant_rate_says_nothing_of_a_decay(runs, tmp_path, capsys):
    out = tmp_path / "forecast.svg"
    texts = ["Cosine(0.3, 0.03, 400)", "0.3"]
    lines = told(["forecast", *texts, "--steps", STEPS, "--fit", runs[0], "--out", out], capsys)
    assert "The loss after 395 steps, by the multi-power law fitted to 1 run:" in lines
    assert any("0 to inf" in line for line in lines)
    assert any("± inf, not distinguishable" in line for line in lines)
    ET.fromstring(out.read_bytes())


@pytest.mark.parametrize("suffix", by_default([".svg"], [".svg", ".png"]))
def test_the_picture_has_the_bound_the_loss_and_the_rate(suffix, runs, tmp_path):
    """A warmup has no loss and no bound while its rate is 0."""
    out = tmp_path / f"forecast{suffix}"
    text = "warmup(0.3, 50)"
    assert main(["forecast", text, "--steps", "100", "--fit", *map(str, runs), "--out", str(out)]) == 0
    content = out.read_bytes()
    if suffix == ".png":
        assert content.startswith(b"\x89PNG")
        return
    panels = ET.fromstring(content).findall("{http://www.w3.org/2000/svg}g")
    words = [" ".join(panel.itertext()) for panel in panels]
    assert [name in each for name, each in zip(["bound", "loss", "learning rate"], words, strict=True)] == [
        True
    ] * 3
    assert text in words[-1]


def test_the_examples_of_refine(tmp_path, capsys):
    """The norms of its docstring, with Adam; with SGD the weights are their squares."""
    path = write(
        tmp_path, {"schedule": "Cosine(0.75, 0, 5)"}, [{"step": 5, "gradient_norms": [4, 2, 2, 2, 2]}]
    )
    (line,) = told(["refine", path, "--optimizer", "adam"], capsys)
    assert line == "knots([0.5, 0.75, 0.5, 0.25, 0], [0, 1, 2, 3, 4])"
    (line,) = told(["refine", path], capsys)
    assert line == "knots([0.25, 0.75, 0.5, 0.25, 0], [0, 1, 2, 3, 4])"
    (line,) = told(["refine", path, "--optimizer", "adam", "--knots", 3], capsys)
    assert line == "knots([0.5, 0.5, 0], [0, 2, 4])"


def test_an_outlier_among_the_norms_is_smoothed_away(tmp_path, capsys):
    """What is left is the linear decay of norms that stay the same, from the highest rate of the run."""
    lines = [{"epoch": 2, "step": 4, "gradient_norms": [2, 2, 8, 2]}, {"step": 5, "gradient_norms": [2]}]
    path = write(tmp_path, {"schedule": "Linear(0.8, 0, 3)", "per_epoch": True}, lines)
    assert told(["refine", path, "--smoothing", 0.6], capsys) == [
        "knots([0.8, 0.6, 0.4, 0.2, 0], [0, 1, 2, 3, 4])"
    ]


LINE = {"step": 4, "gradient_norms": [1, 1, 1, 1]}
EPOCH = {"epoch": 2, "step": 4, "train_loss": 0.5}
MISTAKES = {
    "no line": ({"schedule": "0.1"}, [], "run", "it must have at least one line, got none."),
    "no object": ({"schedule": "0.1"}, [3], "run", "line 1 must be an object of JSON, got 3."),
    "no step": (
        {"schedule": "0.1"},
        [{}],
        "run",
        "line 1 must have `step`, a whole number above 0, got None.",
    ),
    "no later step": (
        {"schedule": "0.1"},
        [LINE, LINE],
        "run",
        "line 2 must have `step`, a whole number above 4, got 4.",
    ),
    "no loss": ({"schedule": "0.1"}, [LINE], "run", "line 1 must have `loss`, finite and above 0, got None."),
    "an endless loss": (
        {"schedule": "0.1"},
        [{"step": 4, "loss": np.inf}],
        "run",
        "line 1 must have `loss`, finite and above 0, got inf.",
    ),
    "no schedule": (
        {"schedule": 3},
        [LINE],
        "run",
        "config.json, beside it: `schedule` must be the text of a schedule, got 3.",
    ),
    "a typo": (
        {"schedule": "Cosin(1, 0, 1)"},
        [LINE],
        "run",
        "config.json, beside it: Unknown schedule `Cosin`",
    ),
    "a plateau": (
        {"schedule": "0.1", "plateau": [0.5, 3]},
        [LINE],
        "run",
        "`plateau` must be null, as a plateau changes the rates, got [0.5, 3].",
    ),
    "no epoch": (
        {"schedule": "0.1", "per_epoch": True},
        [LINE],
        "run",
        "`per_epoch` needs `epoch` in the first line, a divisor of its `step`, 4, got None.",
    ),
    "no norms": (
        {"schedule": "0.1"},
        [EPOCH],
        "norms",
        "line 1 must have `gradient_norms`, a list of 4 numbers, one for each update since the line before, "
        "got None.",
    ),
    "too few norms": (
        {"schedule": "0.1"},
        [LINE, LINE | {"step": 9}],
        "norms",
        "line 2 must have `gradient_norms`, a list of 5 numbers, one for each update since the line before, "
        "got 4.",
    ),
    "a norm of 0": (
        {"schedule": "0.1"},
        [LINE | {"gradient_norms": [1, 0, 1, 1]}],
        "norms",
        "line 1 must have `gradient_norms`, finite and above 0, got 0.",
    ),
    "no run to fit": ({"schedule": "0.1"}, [EPOCH], "run", "`runs` must have more than 7 losses, got 1."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_log_that_cannot_be_used(mistake, tmp_path, capsys):
    config, lines, what, message = MISTAKES[mistake]
    path = write(tmp_path / "run", config, lines)
    of = ["refine", path] if what == "norms" else ["forecast", "0.1", "--steps", 9, "--fit", path]
    said = refused(of, capsys)
    assert f"argument {'FILE' if what == 'norms' else '--fit'}: " in said
    assert message in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0.1"], "the following arguments are required: --steps"),
        (["0.1", "--steps", 10**7 + 1], "--steps: must be an integer from 1 to 10000000, got '10000001'"),
        (["0.1", "--steps", 9, "--weight-decay", -1], "must be a finite number of at least 0, got '-1'"),
        (["0.1", "--steps", 9, "--weight-decay", 20], "`weight_decay` must be at most 1 / 0.1, the inverse"),
        (
            ["0.1", "Linear(1, -1, 4)", "--steps", 9],
            "2, Linear(1, -1, 4): `schedule` must have finite rates of",
        ),
        (["0.1", "--steps", 9, "--fit", "no.jsonl"], "--fit: no.jsonl: cannot be read: No such file"),
        (["0.1", "--steps", 9, "--out", "x.pdf"], "--out: must end in one of .svg, .png, .csv, got 'x.pdf'"),
        (["0.1", "--steps", 1, "--out", "x.svg"], "--out: needs --steps of at least 2, got 1"),
        (["0.1", "--steps", 9, "--out", "no/x.csv"], "no/x.csv cannot be written: No such file or directory"),
    ],
)
def test_a_mistake_in_the_arguments(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert message in refused(["forecast", *arguments], capsys)
