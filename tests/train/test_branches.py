"""Decays that are branched off the checkpoints of a run: `python -m train cooldown`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import shlex
import shutil
import signal
from pathlib import Path

import click
import numpy as np
import pytest
from matplotlib.figure import Figure
from test_checkpoint import contents, largest, shorten
from test_devices import outputs, start_job
from test_train import config, train

import jaxsched as js
from train import report
from train.__main__ import main
from train.branches import Branch, Decay
from train.config import Config
from train.data import Data, Split, load
from train.loop import Epoch, Progress
from train.report_branches import Decays
from train.session import lock

ROOT = Path(__file__).parents[2]
RATE, STEPS_PER_EPOCH = 0.05, 5
COMMON = ["--batch-size", 32, "--momentum", 0.9]
CURVE = ["--shape", "OneMinusSqrt"]
AFTER_3, AFTER_4 = NAMES = ["at-15-steps-10-OneMinusSqrt", "at-20-steps-10-OneMinusSqrt"]


def lines(folder, but=("seconds",)):
    known = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: each for name, each in line.items() if name not in but} for line in known]


def trained_run(folder, *arguments):
    train("--schedule", RATE, "--epochs", 4, "--keep-every", 1, *COMMON, *arguments, "--out", folder)
    return folder


def cooldown(run, folder, *arguments, **how):
    decays = ("--at", 15, "--at", 20, "--steps", 10, *CURVE)
    return train("cooldown", run, *decays, *arguments, "--out", folder, **how)


@pytest.fixture(scope="module", autouse=True)
def few():
    """A ninth of the digits, for epochs of five steps."""
    train, test, _ = load("digits")
    part = Data(Split(*(each[:160] for each in train)), Split(*(each[:40] for each in test)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.session.load", lambda *_: part)
        yield


@pytest.fixture
def whole(few, monkeypatch):
    """All digits, as other processes have them."""
    monkeypatch.setattr("train.session.load", load)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of four epochs with all its checkpoints."""
    return trained_run(tmp_path_factory.mktemp("run") / "run")


@contextlib.contextmanager
def ctrl_c(branch, epochs):
    """Asks the command to end when a branch has so many epochs."""

    @contextlib.contextmanager
    def stopping(console):
        yield lambda: signal.SIGINT if len(lines(branch)) == epochs else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.branches.stopping", stopping)
        yield


@pytest.fixture(scope="module")
def decayed(run, tmp_path_factory):
    """The folder of decays from the last epochs of the run, and the outputs of the two commands that it took.

    The first one was asked to end in the last epoch of the first branch. Another process writes the run.
    """
    folder = tmp_path_factory.mktemp("cooldown") / "c"
    before = contents(run)
    with click.Context(main):
        lock(run, "--resume")
        with ctrl_c(folder / AFTER_3, epochs=5):
            output = cooldown(run, folder, code=128 + signal.SIGINT)
        outputs = output, cooldown(run, folder)
    assert contents(run) == before
    return folder, outputs


def planned(run, tmp_path, monkeypatch, *arguments, code=0):
    """The branches that a command would train, and its output."""
    found = []

    def train_none(session, branches, folder):
        found.extend(branches)
        raise SystemExit(0)

    with monkeypatch.context() as patch:
        patch.setattr("train.branches.train", train_none)
        output = train("cooldown", run, *arguments, "--out", tmp_path / "planned", code=code)
    return found, output


def same(branch, other, **tolerance):
    """Checks that the lines of two logs are equal up to rounding."""
    for a, b in zip(branch, other, strict=True):
        assert a["gradient_norms"] == pytest.approx(b["gradient_norms"], rel=1e-2)
        assert a | {"gradient_norms": 0} == pytest.approx(b | {"gradient_norms": 0}, **tolerance)


def test_a_branch_is_the_run_with_the_decay_in_its_schedule(run, decayed, tmp_path):
    schedule = f"cooldown({RATE}, 15, 10, shape=OneMinusSqrt)"
    train("--schedule", schedule, "--epochs", 5, *COMMON, "--out", tmp_path / "straight")
    branch, straight = lines(decayed[0] / AFTER_3), lines(tmp_path / "straight")
    assert branch[:3] == lines(run)[:3]
    same(branch, straight, rel=1e-4)
    rates = [line["learning_rate"] for line in branch]
    np.testing.assert_allclose(rates[2:], RATE * (1 - np.sqrt([0, 0.4, 0.9])), rtol=1e-6)


def test_the_results(run, decayed):
    folder, (_, output) = decayed
    assert sorted(path.name for path in folder.iterdir()) == [
        ".lock",
        *NAMES,
        "cooldown.json",
        "cooldown.png",
    ]
    assert (folder / "cooldown.png").read_bytes().startswith(b"\x89PNG")
    record = json.loads((folder / "cooldown.json").read_text())
    assert record["run"] == {"schedule": f"Constant({RATE})", "epochs": lines(run, but=("gradient_norms",))}
    rows = [line.strip("│").split("│") for line in output.splitlines() if line.startswith("│")]
    for at, name, row in zip((15, 20), NAMES, rows, strict=True):
        epochs = lines(folder / name, but=("gradient_norms",))
        assert record["branches"][name] == {
            "at": at,
            "steps": 10,
            "shape": "OneMinusSqrt",
            "end_value": 0.0,
            "schedule": f"cooldown({RATE}, {at}, 10, shape=OneMinusSqrt)",
            "epochs": epochs[at // STEPS_PER_EPOCH :],
        }
        before, last = epochs[at // STEPS_PER_EPOCH - 1], epochs[-1]
        accuracies = f"{last['test_accuracy']:.4f}", f"{before['test_accuracy']:.4f}"
        expected = str(at), "10", "OneMinusSqrt", f"{last['train_loss']:.4f}", *accuracies, ""
        assert [cell.strip() for cell in row] == list(expected)
    assert max(len(line) for line in output.splitlines() if line[:1] in set("┏┃┡│└")) <= 80


def test_the_figure_shows_applied_rates_and_all_accuracies_from_the_first_branch_on(monkeypatch, tmp_path):
    """The accuracy falls in the last epoch, and is low before the first branch. A plateau halves the rate."""
    accuracies = [0.1, 0.2, 0.9, 0.92, 0.93, 0.7]
    rates = [RATE, RATE, RATE, RATE / 2, RATE / 2, RATE / 2]
    both = enumerate(zip(rates, accuracies, strict=True), 1)
    run = [Epoch(i, 5 * i, rate, 1.0, 0.5, accuracy, 1.0) for i, (rate, accuracy) in both]
    branches, results = [], []
    for at in (20, 15):
        decay, made = Decay(at, 5, "Linear", 0.0), at // 5
        trained = config(trained=repr(decay.of(js.Constant(RATE))))
        branches.append(Branch(decay, trained, Progress(None, None, tuple(run[:made]))))
        last = dataclasses.replace(run[made], learning_rate=0.5 * RATE / 5, test_accuracy=0.99)
        results.append([*run[:made], last])
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: figures.append(figure))
    Decays(run, js.Constant(RATE), branches, results).figure(tmp_path / "cooldown.png")
    accuracy = figures[0].axes[2]
    drawn = [line.get_ydata() for line in figures[0].axes[0].lines]
    np.testing.assert_allclose(drawn[0], [RATE] * 15 + [RATE / 2] * 16, rtol=1e-6)
    for decay in drawn[1:]:
        np.testing.assert_allclose(decay, RATE / 2 * (1 - np.arange(6) / 5), rtol=1e-6)
    report.figure(run, js.Constant(RATE), "", tmp_path / "figure.png")
    np.testing.assert_allclose(figures[1].axes[2].lines[0].get_ydata(), drawn[0][:-1])
    low, high = accuracy.get_ylim()
    assert low < 0.7 < 0.99 < high
    assert accuracy.get_xlim() == pytest.approx((15, 30), abs=1)
    curves = [list(zip(*line.get_data(), strict=True)) for line in accuracy.lines]
    assert curves == [
        [(15, 0.9), (20, 0.92), (25, 0.93), (30, 0.7)],
        [(20, 0.92), (25, 0.99)],
        [(15, 0.9), (20, 0.99)],
    ]


def test_epochs_may_be_counted_instead(run, decayed, tmp_path, monkeypatch):
    how = ("--per-epoch", "--at", 3, "--steps", 2, *CURVE)
    (branch,), output = planned(run, tmp_path, monkeypatch, *how)
    assert branch.decay.folder == AFTER_3
    assert branch.config == Config.load(decayed[0] / AFTER_3 / "config.json")
    assert not output


def test_every_combination_is_a_branch_once(run, tmp_path, monkeypatch):
    shapes = ("--shape", "partial(Polynomial, power=2)", "--shape", "Linear", "--shape", "Linear")
    shapes += ("--shape", "partial(Polynomial,power=2.0)")
    how = ("--at", 5, "--at", 20, "--at", 5, "--steps", 5, "--steps", 50, "--end-value", 0.01)
    found, _ = planned(run, tmp_path, monkeypatch, *how, *shapes)
    assert [branch.config.trained for branch in found] == [
        f"cooldown({RATE}, {at}, {steps}, 0.01{shape})"
        for at in (5, 20)
        for steps in (5, 50)
        for shape in (", partial(Polynomial, power=2)", "")
    ]
    assert [branch.config.epochs for branch in found] == [2, 2, 11, 11, 5, 5, 14, 14]
    names = [branch.decay.folder for branch in found]
    assert names[:2] == ["at-5-steps-5-partial-Polynomial-power-2", "at-5-steps-5-Linear"]


def test_curves_with_opposite_numbers_have_a_folder_each():
    lower = (Decay(5, 5, f"partial(Tanh, lower={number})", 0.0).folder for number in (-2, 2))
    assert list(lower) == ["at-5-steps-5-partial-Tanh-lower--2", "at-5-steps-5-partial-Tanh-lower-2"]


def test_a_run_that_decays_anyway_is_branched_with_a_note(decayed, tmp_path, monkeypatch):
    """A branch is a run, whose rate falls."""
    (branch,), output = planned(decayed[0] / AFTER_3, tmp_path, monkeypatch, "--at", 20, "--steps", 5)
    rate = RATE * (1 - 0.5**0.5)
    assert output == (
        f"note at step 20: The run does not hold its rate of {rate:.4g} here. "
        "Without a decay it would be 0 at step 25.\n"
    )
    assert branch.config.trained == f"cooldown(cooldown({RATE}, 15, 10, shape=OneMinusSqrt), 20, 5)"


def stopped(saved, folder):
    return f"Stopped by Ctrl-C: {saved}. Continue with the same command and --out {folder}"


def test_a_command_that_is_stopped_between_branches_goes_on_with_the_next(decayed):
    folder, (first, second) = decayed
    assert " ".join(first.split()).endswith(stopped("1 of 2 decays are complete", folder))
    assert "epoch 5/5 " in first
    assert "epoch 5/5 " not in second
    assert "epoch 6/6 " in second


@pytest.mark.thorough
def test_a_command_that_is_stopped_in_a_branch_goes_on_there(run, decayed, tmp_path):
    folder = tmp_path / "c"
    with ctrl_c(folder / AFTER_3, epochs=4):
        output = " ".join(cooldown(run, folder, code=128 + signal.SIGINT).split())
    assert output.endswith(stopped("4 of 5 epochs are saved", folder))
    assert "epoch 4/5 " not in cooldown(run, folder)
    cooldown(run, tmp_path / "straight")
    for name in NAMES:
        assert lines(folder / name) == lines(decayed[0] / name) == lines(tmp_path / "straight" / name)


def test_a_damaged_checkpoint_is_named_and_stays(run, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    shorten(largest(folder / "checkpoints" / "3" / "state"))
    before = contents(folder)
    _, output = planned(
        folder, tmp_path, monkeypatch, "--per-epoch", "--at", 4, "--at", 3, "--steps", 1, code=1
    )
    message = r"The checkpoint of epoch 3 in \S+ cannot be read. Damaged: state/\S+ Leave out --at 3."
    assert re.search(message, " ".join(output.split()))
    assert contents(folder) == before
    (branch,), _ = planned(folder, tmp_path, monkeypatch, "--at", 20, "--steps", 5)
    assert branch.progress.epochs[-1].step == 20


def test_a_run_without_a_checkpoint_has_no_branches(run, tmp_path):
    folder = Path(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints")))
    output = " ".join(train("cooldown", folder, "--at", 5, "--steps", 5, code=2).split())
    assert "has a checkpoint: there is none." in output


def test_a_folder_with_another_branch_of_that_name_is_refused(run, decayed, tmp_path):
    folder = tmp_path / "c" / AFTER_3
    folder.mkdir(parents=True)
    other = Config.load(decayed[0] / AFTER_3 / "config.json")
    dataclasses.replace(other, seed=1).save(folder / "config.json")
    output = cooldown(run, folder.parent, code=2)
    assert f"Invalid value for --out: {folder} already contains another run." in " ".join(output.split())


MISTAKES = {
    "no run": (["none"], "Invalid value for RUN: none contains no run: config.json: No such file"),
    "no checkpoint": (
        ["run", "--at", 7],
        "--at: 7 must be one of the steps at which run has a checkpoint: 5, 10, 15, 20. A run with --keep-",
    ),
    "no such epoch": (
        ["run", "--per-epoch", "--at", 5],
        "--at: 5 must be one of the epochs at which run has a checkpoint: 1, 2, 3, 4. A run",
    ),
    "length 0": (["run", "--steps", 0], "'--steps': 0 is not in the range 1<=x<=2147483647."),
    "half an epoch": (["run", "--steps", 8], "--steps: 8 must be a multiple of 5, the steps of an epoch."),
    "too long": (
        ["run", "--steps", 2_147_483_645],
        "--steps: 2147483645 must be lower, for fewer than 2^31 steps.",
    ),
    "another batch": (["run", "--batch-size", 64], "--batch-size: 64 must be 32, as in the run in run."),
    "a rise": (
        ["run", "--end-value", RATE],
        f"--end-value: {RATE} must be below {RATE}, the rate of the run at step 5.",
    ),
    "a curve without that end": (["run", "--shape", "Geometric"], "Invalid value for --shape: "),
    "no shape": (["run", "--shape", "Linea"], "`Linea`; did you mean `Linear`?"),
    "not a shape": (
        ["run", "--shape", "Linear) * Constant(2"],
        "'Linear) * Constant(2' must be a shape, such as Linear or partial(Polynomial, power=2).",
    ),
    "out is the run": (["run", "--out", "run"], "Invalid value for --out: run already contains a run."),
    "out is taken": (["run", "--out", "c"], "Invalid value for --out: c already contains a run."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_with_status_2_before_a_folder_is_made(run, decayed, tmp_path, monkeypatch, mistake):
    monkeypatch.chdir(tmp_path)
    for name, folder in {"run": run, "c": decayed[0]}.items():
        Path(name).symlink_to(folder)
    arguments, message = MISTAKES[mistake]
    others = [] if "--at" in arguments else ["--at", 5]
    others += [] if "--steps" in arguments else ["--steps", 5]
    before = contents(run)
    assert message in " ".join(train("cooldown", *arguments, *others, code=2).split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "run"]
    assert contents(run) == before


@pytest.mark.thorough
def test_a_run_with_a_plateau_keeps_its_factor(tmp_path):
    """The rate is too high to learn anything. An epoch has four steps: some images are held out."""
    run, plateau, rate = tmp_path / "run", ("--plateau", 0.5, 0), 0.3
    trained_run(run, *plateau, "--schedule", rate)
    train("cooldown", run, "--per-epoch", "--at", 4, "--steps", 2, "--out", tmp_path / "c")
    schedule = f"cooldown({rate}, 16, 8)"
    train("--schedule", schedule, *plateau, "--epochs", 6, *COMMON, "--out", tmp_path / "straight")
    branch, straight = lines(tmp_path / "c" / "at-16-steps-8-Linear"), lines(tmp_path / "straight")
    assert branch[3]["learning_rate"] < 0.9 * rate
    same(branch, straight, rel=1e-4)


@pytest.mark.thorough
def test_devices_that_share_the_batches_of_a_branch_are_as_one(run, decayed, tmp_path):
    cooldown(run, tmp_path / "c", "--devices", 8)
    for name in NAMES:
        same(lines(tmp_path / "c" / name), lines(decayed[0] / name), rel=1e-3, abs=0.006)


@pytest.mark.thorough
def test_two_processes_are_as_one(whole, tmp_path):
    run = trained_run(tmp_path / "run", "--batch-size", 256, "--epochs", 1)
    how = ["--at", 5, "--steps", 5, "--out"]
    train("cooldown", run, *how, tmp_path / "alone")
    how.append(tmp_path / "job")
    # The second process has no such folder: it gets everything from the first.
    processes = start_job(tmp_path, ["cooldown", run, *how], ["cooldown", "none", *how])
    first, second = outputs(processes)
    assert [process.returncode for process in processes] == [0, 0], first + second
    assert "Wrote" in first
    assert "epoch" not in second
    name = "at-5-steps-5-Linear"
    same(lines(tmp_path / "job" / name), lines(tmp_path / "alone" / name), rel=1e-3, abs=0.006)


@pytest.mark.thorough
def test_the_commands_of_the_page(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "how-to" / "branches.md").read_text()
    commands = "".join(re.findall(r"```bash\n(.*?)```", page, re.DOTALL)).splitlines()
    outputs = [train(*shlex.split(command)[3:]) for command in commands]
    assert len(commands) == 3

    def rows(text):
        return [line[: line.index("0.")] for line in text.splitlines() if re.match(r"│ +\d", line)]

    assert rows(page) == rows(outputs[1])
    rates = [line["learning_rate"] for line in lines(Path("runs/cooldown-digits-1/at-132-steps-66-Linear"))]
    np.testing.assert_allclose(
        rates, [0.2] * 6 + [0.2 * (1 - k / 66) for k in (21, 43, 65)] + [0.2] * 3, rtol=1e-6
    )
