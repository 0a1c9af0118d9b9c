"""The training loop and its command line."""

from __future__ import annotations

import json

import jax
import numpy as np
import optax
import pytest
from click.testing import CliRunner
from test_data import REAL, files, write  # noqa: F401  # `files` is a fixture

import jaxsched as js
from train import devices, loop, step
from train.__main__ import main
from train.config import Config
from train.data import Data, Split
from train.step import Plan


def train(*arguments, code=0):
    result = CliRunner().invoke(main, _arguments(arguments))
    assert result.exit_code == code, result.output
    return result.output


def _arguments(given):
    """One device by default, and no compiled programs in the user's cache."""
    one = [] if "--devices" in given else ["--devices", "1"]
    return [*map(str, given), "--no-cache", *one]


def few(train_count, test_count, seed=0):
    random = np.random.default_rng(seed)
    return Data(
        *(
            Split(
                random.integers(0, 256, (count, 28, 28, 1)).astype(np.uint8),
                random.integers(0, 10, count).astype(np.int32),
            )
            for count in (train_count, test_count)
        )
    )


def config(**changes):
    plain = {"dataset": "digits", "data_dir": None, "schedule": "0.1", "trained": "0.1", "per_epoch": False}
    return Config(
        **(plain | {"plateau": None, "momentum": 0.0, "seed": 0, "batch_size": 8, "epochs": 2} | changes)
    )


def run(config, plan, data, mesh=None):
    """Trains a run from the beginning; returns its epochs."""
    rounds = loop.run(config, plan, data, mesh or devices.mesh(1), loop.begin(config, plan))
    return [progress.epochs[-1] for progress in rounds]


@pytest.mark.thorough
def test_digits_with_no_flags(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = train()
    folder = tmp_path / "runs" / "digits-1"
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["test_accuracy"] >= 0.95
    assert [line["epoch"] for line in lines] == list(range(1, 31))
    assert [line["step"] for line in lines] == [22 * line["epoch"] for line in lines]
    assert set(lines[0]) == {
        *("epoch", "step", "learning_rate", "train_loss", "train_accuracy", "test_accuracy", "seconds"),
        "gradient_norms",
    }
    written = json.loads((folder / "config.json").read_text())
    schedule = js.parse(written["schedule"])
    assert schedule == js.warmup(js.Cosine(0.2, 0.01, 550), 110, first_step=1)
    assert output.startswith(repr(schedule))
    for line in lines:
        assert line["learning_rate"] == pytest.approx(float(schedule(line["step"] - 1)), rel=1e-6)
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert len([line for line in output.splitlines() if line.startswith("epoch ")]) == 30
    assert f"{lines[-1]['test_accuracy']:.4f}" in output


@pytest.mark.fashion_mnist
def test_five_epochs_of_the_books_cosine_on_fashion_mnist(tmp_path):
    train(
        *("--dataset", "fashion_mnist", "--data-dir", REAL, "--out", tmp_path / "run"),
        *("--schedule", "Cosine(0.3, 0.01, 20)", "--per-epoch", "--epochs", 5),
    )
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["test_accuracy"] >= 0.85
    # Within one ulp: the schedule is an argument of the epoch, so its numbers are float32.
    assert last["learning_rate"] == pytest.approx(float(js.Cosine(0.3, 0.01, 20)(4)), rel=1.2e-7)
    assert last["step"] == 5 * 234


def test_per_epoch_trains_epoch_k_at_the_rate_of_k():
    schedule = js.per_epoch(js.Linear(0.3, 0.0, 3), 4)
    rates = [epoch.learning_rate for epoch in run(config(epochs=4), Plan(schedule), few(35, 5))]
    np.testing.assert_array_equal(rates, js.Linear(0.3, 0.0, 3)(np.arange(4)))


def test_a_run_is_what_its_seed_says():
    def losses(seed):
        epochs = run(config(seed=seed, momentum=0.9), Plan(js.Constant(0.01)), few(40, 10))
        return [epoch.train_loss for epoch in epochs]

    assert losses(2**32 - 1) == losses(2**32 - 1)
    assert losses(2**32 - 1) != losses(1)


@pytest.mark.thorough
@pytest.mark.smoke
def test_an_epoch_is_its_steps_one_by_one():
    """An epoch equals a plain Optax loop: its shuffling, whole batches only, momentum and schedule."""
    data, batch_size = few(35, 5), 8
    schedule = js.Linear(0.1, 0.02, 4)
    trainer, plan = step.Trainer(0.5, batch_size), Plan(schedule)
    plain = optax.sgd(schedule, momentum=0.5)
    params = trainer.start(plan, np.uint32(0)).params
    state = plain.init(params)

    @jax.jit
    def descend(params, state, images, labels):
        gradient = jax.value_and_grad(step.loss_and_accuracy, has_aux=True)
        (loss, _), slopes = gradient(params, images, labels)
        updates, state = plain.update(slopes, state)
        return optax.apply_updates(params, updates), state, loss, slopes

    mesh = devices.mesh(1)
    seed = jax.random.key_data(jax.random.key(3))
    on_devices = step.spread(data, mesh)
    result = trainer.start(plan, np.uint32(0))
    for number in range(2):
        losses, norms = [], []
        order = step.shuffled(jax.random.fold_in(jax.random.key(3), number), 35)
        for batch in order[:32].reshape(4, batch_size):
            images, labels = data.train.images[batch], data.train.labels[batch]
            params, state, loss, slopes = descend(params, state, images, labels)
            losses.append(loss)
            norms.append(np.linalg.norm(np.concatenate([np.ravel(each) for each in jax.tree.leaves(slopes)])))
        result, metrics = trainer.epoch_on(mesh, result, plan, on_devices, seed, np.uint32(number))
        assert js.learning_rate(result.opt_state) == schedule(4 * number + 3)
        np.testing.assert_allclose(metrics.loss, np.mean(losses), rtol=1e-5)
        np.testing.assert_allclose(metrics.gradient_norms, norms, rtol=1e-4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), result.params, params)


@pytest.mark.parametrize("count", [1, 8, 23])
def test_evaluation_leaves_no_image_out(count):
    data = few(count, 1)
    params = step.first_params(np.uint32(0))
    logits = np.asarray(jax.jit(step.apply)(params, data.train.images), np.float64)
    guesses = logits.argmax(-1)
    labels = np.where(np.arange(count) == count - 1, guesses, (guesses + 1) % 10)
    evaluate = jax.jit(step.evaluate, static_argnames="batch_size")
    tested = evaluate(params, Split(data.train.images, labels), batch_size=8)
    assert tested.accuracy == np.float32(1 / count)
    losses = np.log(np.exp(logits).sum(-1)) - logits[np.arange(count), labels]
    np.testing.assert_allclose(tested.loss, losses.mean(), rtol=1e-5)


def test_a_run_that_diverges_says_so_and_keeps_its_lines(tmp_path):
    schedule = "Piecewise([0.05, 1e30], [30])"
    output = train("--schedule", schedule, "--epochs", 3, "--out", tmp_path / "run", code=1)
    # An epoch has 22 steps. The first loss after the update at step 30 is that of step 31.
    assert (
        "The loss is no longer finite in epoch 2, at step 31 with a learning rate of 1e+30: try a lower "
        "rate or a longer warmup. The checkpoint of epoch 1 is kept in"
    ) in " ".join(output.split())
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 1


@pytest.mark.thorough
def test_a_run_on_a_terminal_shows_a_bar(monkeypatch, tmp_path):
    monkeypatch.setenv("FORCE_COLOR", "1")
    output = train("--epochs", 1, "--out", tmp_path)
    assert "━" in output


MISTAKES = {
    "data set": (
        ["--dataset", "fashion"],
        "Invalid value for '--dataset': 'fashion' is not one of 'digits', 'fashion_mnist'.",
    ),
    "epochs": (["--epochs", 0], "Invalid value for '--epochs': 0 is not in the range x>=1."),
    "too many epochs": (
        ["--epochs", 97_612_894],
        "Invalid value for --epochs: 97612894 must be at most 97612893, for fewer than 2^31 steps.",
    ),
    "batch size": (["--batch-size", 0], "Invalid value for '--batch-size': 0 is not in the range x>=1."),
    "batch too large": (
        ["--batch-size", 1438],
        "Invalid value for --batch-size: 1438 must be at most 1437, the number of training images.",
    ),
    "momentum": (["--momentum", 1], "Invalid value for '--momentum': 1.0 is not in the range 0<=x<1."),
    "momentum not a number": (
        ["--momentum", "nan"],
        "Invalid value for '--momentum': 'nan' is not a finite number.",
    ),
    "seed too large": (["--seed", 2**32], "Invalid value for '--seed': 4294967296 is not in the range"),
    "seed": (["--seed", -1], "Invalid value for '--seed': -1 is not in the range"),
    "schedule": (
        ["--schedule", "Cosin(0.3, 0.01, 20)"],
        "Unknown schedule `Cosin`; did you mean `Cosine`?\n  Cosin(0.3, 0.01, 20)\n  ^",
    ),
    "schedule's argument": (["--schedule", "Cosine(0.3, 0.01, -20)"], "`transition_steps` must be"),
    "option": (["--epoch", 3], "No such option '--epoch'. (Did you mean"),
    "folder of digits": (
        ["--data-dir", "."],
        "Invalid value for --data-dir: . must be left out, as digits needs no files.",
    ),
    "no folder": (
        ["--dataset", "fashion_mnist", "--data-dir", "nowhere"],
        "`--data-dir nowhere` must be an existing folder.",
    ),
    "empty folder": (
        ["--dataset", "fashion_mnist", "--data-dir", "."],
        "There is no train-images-idx3-ubyte",
    ),
    "out is a file": (
        ["--out", "file"],
        "Invalid value for --out: file must be a writable folder: File exists.",
    ),
    "out is in a file": (
        ["--out", "file/run"],
        "Invalid value for --out: file/run must be a writable folder: Not a directory.",
    ),
    "out holds a run": (["--out", "taken"], "Invalid value for --out: taken already contains a run."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_with_status_2_before_anything_is_written(mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "metrics.jsonl").write_text("{}\n")
    arguments, message = MISTAKES[mistake]
    output = train(*arguments, code=2)
    assert message in output
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "metrics.jsonl", "taken"]
    assert (tmp_path / "taken" / "metrics.jsonl").read_text() == "{}\n"


def test_a_corrupt_file_ends_with_status_2(files, tmp_path):  # noqa: F811
    write(files, {"test_images": b"corrupt"})
    output = train("--dataset", "fashion_mnist", "--data-dir", files, code=2)
    assert "must be an IDX file of bytes, but it starts with 63 6f 72 72." in " ".join(output.split())


def test_a_mistake_in_the_schedule_is_found_before_the_run(tmp_path):
    schedule = ("--schedule", "warmup(Cosine(0.2, 0.0, 100), 500)", "--epochs", 1, "--out", tmp_path / "run")
    output = " ".join(train(*schedule, "--strict", code=1).split())
    assert "note at step 0: The first update does nothing" in output
    assert "warning at step" in output
    assert "The schedule has a warning, and --strict allows none." in output
    assert not (tmp_path / "run").exists()
    output = train(*schedule)
    assert "warning at step" in output
    assert "in steps, 1 epoch, on 1 device" in output


@pytest.mark.thorough
def test_runs_are_numbered_and_told_after_two_epochs_that_they_are_at_chance(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 3):
        (tmp_path / "runs" / f"digits-{number}").mkdir(parents=True)
    output = train("--schedule", "Constant(3.0)", "--epochs", 3)
    assert "Wrote runs/digits-2" in output
    lines = output.splitlines()
    (at,) = [i for i, line in enumerate(lines) if line.startswith("The loss has not moved from 2.30")]
    assert lines[at - 1].startswith("epoch 2/3")
    assert lines[at + 1].startswith("epoch 3/3")
