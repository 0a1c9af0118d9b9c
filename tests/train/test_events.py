"""The event files of `--logdir`, as TensorBoard's own reader shows them."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import sys

import numpy as np
import pytest
from curves import curves, times
from test_train import config, train

from train import loop, many
from train.loop import Epoch, Progress
from train.many import Round
from train.report_many import METRICS


def expected(epochs):
    """What should be shown: all of an epoch that a line of `metrics.jsonl` has, in float32."""
    names = epochs[0].keys() - {"step", "gradient_norms"}
    return {name: [(epoch["step"], np.float32(epoch[name])) for epoch in epochs] for name in names}


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def epochs(count, loss):
    """The metrics of a run."""
    plain = {"learning_rate": 0.1, "train_accuracy": 0.2, "test_accuracy": 0.3}
    return [Epoch(i, 22 * i, train_loss=loss / i, seconds=60.0 * i, **plain) for i in range(1, count + 1)]


@pytest.fixture
def untrained(monkeypatch):
    """Runs whose epochs take no time."""

    def run(config, plan, data, mesh, progress):
        for made in range(len(progress.epochs), config.epochs):
            yield progress._replace(epochs=epochs(made + 1, 2.0))

    nothing = Progress({"params": np.zeros(1)}, np.zeros(2))
    monkeypatch.setattr(loop, "begin", lambda config, plan: nothing)
    monkeypatch.setattr(loop, "run", run)


def test_a_run_and_its_resume_are_one_curve(untrained, tmp_path):
    run, logs = tmp_path / "run", tmp_path / "logs" / "run"
    output = train("--epochs", 1, "--out", run, "--logdir", logs)
    assert f"See the curves with: tensorboard --logdir {logs}" in " ".join(output.split())
    assert curves(logs) == expected(lines(run))
    output = train("--resume", run, "--epochs", 2, "--logdir", logs)
    assert f"The curves in {logs} are replaced with those of this run." in " ".join(output.split())
    assert len(lines(run)) == 2
    assert curves(logs) == expected(lines(run))
    output = train("--epochs", 1, "--out", tmp_path / "other", "--logdir", logs, code=2)
    assert f"Invalid value for --logdir: {logs} already contains a run." in " ".join(output.split())
    assert not (tmp_path / "other").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(untrained, tmp_path):
    train("--epochs", 1, "--out", tmp_path / "run")
    (tmp_path / "file").touch()
    output = train("--resume", tmp_path / "run", "--epochs", 2, "--logdir", tmp_path / "file", code=2)
    message = f"Invalid value for --logdir: {tmp_path / 'file'} must be a writable folder: File exists."
    assert message in " ".join(output.split())


def test_a_full_disk_is_a_message(untrained, tmp_path, monkeypatch):
    def flush(writer):
        writer.close()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as a buffered file raises it

    monkeypatch.setattr("tensorboardX.record_writer.RecordWriter.flush", flush)
    output = train("--epochs", 1, "--out", tmp_path / "run", "--logdir", tmp_path / "logs", code=1)
    message = f"Results cannot be written to {tmp_path / 'logs'}: No space left on device."
    assert message in " ".join(output.split())


class NoCheckpoints:
    def save(self, *_):
        pass

    def wait(self):
        pass


def record(folder, known, made, watch=lambda epoch: None):
    """Trains the epochs after the first `made`."""
    run = (Progress(None, None, known[: i + 1]) for i in range(made, len(known)))
    loop.record(run, config(), folder, NoCheckpoints(), known[:made], watch, lambda: None, folder / "logs")


def test_a_killed_run_loses_no_point(tmp_path):
    """It is killed after epoch 3, in the middle of a write, when the checkpoint of epoch 2 is the newest."""

    def watch(epoch):
        assert curves(tmp_path / "logs")["epoch"][-1] == (epoch.step, epoch.epoch)  # on the disk at once

    record(tmp_path, epochs(3, 2.0), 0, watch)
    (file,) = (tmp_path / "logs").iterdir()
    file = file.rename(file.with_name(file.name.replace("tfevents.", "tfevents.0")))  # from an earlier second
    file.write_bytes(file.read_bytes()[:-9])
    again = [*epochs(2, 2.0), *epochs(4, 1.0)[2:]]
    record(tmp_path, again, 2, watch)
    assert curves(tmp_path / "logs") == expected([dataclasses.asdict(epoch) for epoch in again])


def test_the_time_of_an_epoch_that_is_written_again_is_that_of_training(tmp_path):
    known = epochs(4, 2.0)
    record(tmp_path, known, len(known))
    durations = np.diff(times(tmp_path / "logs", "epoch"))
    np.testing.assert_allclose(durations, [epoch.seconds for epoch in known[1:]], atol=1e-3)


def test_many_runs_have_a_folder_each(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    rounds = [Round(i + 1, *random.random((4, 2, 3)).astype(np.float32), seconds=1.0) for i in range(2)]
    rounds[1].train_loss[0, 1] = np.nan  # it diverged
    monkeypatch.setattr(many, "train_many", lambda *_: rounds)
    logs = tmp_path / "logs"
    sweep = ["sweep", "--schedule", "0.1", "--over", "value=0.1:0.2:2", "--seeds", 3, "--epochs", 2]
    output = train(*sweep, "--logdir", logs, "--out", tmp_path / "sweep")
    assert f"See the curves with: tensorboard --logdir {logs}" in " ".join(output.split())
    names = [f"{run}, seed {seed}" for run in ("value=0.1", "value=0.2") for seed in range(3)]
    assert sorted(path.name for path in logs.iterdir()) == names
    for k, name in enumerate(names):
        found = curves(logs / name)
        assert found.keys() == set(METRICS)
        for what, curve in found.items():
            values = [getattr(each, what)[divmod(k, 3)] for each in rounds]
            np.testing.assert_array_equal(curve, list(zip([22, 44], values, strict=True)))
    output = train(*sweep, "--logdir", logs, "--out", tmp_path / "other", code=2)
    assert f"Invalid value for --logdir: {logs} already contains a run." in " ".join(output.split())


@pytest.mark.parametrize("command", [[], ["compare"], ["sweep", "--over", "init_value=0:1:2"]])
def test_without_tensorboardx_the_command_that_installs_it_is_named(command, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.chdir(tmp_path)
    output = " ".join(train(*command, "--logdir", "logs", code=2).split())
    assert "Invalid value for '--logdir': logs must be left out, as tensorboardX is not installed" in output
    assert "pip install '.[tensorboard]'" in output
    assert not list(tmp_path.iterdir())
