"""A run is the same on one device, on eight, and on the devices of two processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from processes import HANG
from test_train import config, few, train

import jaxsched as js
from train import devices, loop, many
from train.step import Plan, Trainer

ROOT = Path(__file__).parents[2]


def ends(mesh, plan, data, **changes):
    """All epochs of a run, and its final state."""
    mine = config(batch_size=16, epochs=4, momentum=0.5, **changes)
    for progress in loop.run(mine, plan, data, mesh, loop.begin(mine, plan)):
        for leaf in jax.tree.leaves(progress.state):  # including the clock, the rate and the scale
            assert leaf.sharding.is_fully_replicated
            assert len(leaf.sharding.device_set) == mesh.size
        params = jax.tree.map(np.array, progress.state.params)
    return progress.epochs, params


@pytest.mark.smoke
@pytest.mark.thorough
def test_eight_devices_are_as_one():
    """With shared batches, test sets that do not divide evenly, and a plateau."""
    plan = Plan(js.Linear(0.2, 0.1, 12), js.Plateau(0.5, 0, rtol=0.05))
    data = few(75, 13)
    one, params = ends(devices.mesh(1), plan, data)
    eight, params_of_eight = ends(devices.mesh(8), plan, data)
    rates = [epoch.learning_rate for epoch in one]
    assert rates[-1] < 0.6 * float(plan.schedule(15))  # the plateau has cut the rate
    for a, b in zip(one, eight, strict=True):
        assert a.learning_rate == b.learning_rate
        assert a.train_loss == pytest.approx(b.train_loss, rel=1e-5)
        assert a.test_accuracy == b.test_accuracy
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), params, params_of_eight)


@pytest.mark.thorough
def test_a_sweep_spreads_over_devices():
    plans = [Plan(js.Constant(0.02 * (i + 1))) for i in range(3)]
    data = few(40, 10)

    def losses(mesh):
        rounds = many.train_many(plans, Trainer(0.0, 8), data, 2, [0, 1], mesh)
        return np.stack([each.train_loss for each in rounds])

    together = losses(devices.mesh(2))
    assert together.shape == (2, 3, 2)
    np.testing.assert_allclose(together, losses(devices.mesh(1)), rtol=1e-5)


MISTAKES = {
    "uneven": (
        ["--devices", 8, "--batch-size", 20],
        "--batch-size: 20 must be a multiple of 8, the number of devices.",
    ),
    "too many": (["--devices", 9], "--devices: 9 must be at most 8, the number of devices."),
    "none": (["--devices", 0], "0 is not in the range x>=1."),
    "half a job": (["--processes", 2], "must be given together."),
    "which": (
        ["--coordinator", "host:1", "--processes", 2, "--process", 2],
        "--process: 2 must be below --processes 2.",
    ),
    "no port": (
        ["--coordinator", "host", "--processes", 2, "--process", 0],
        "--coordinator: host must have the form HOST:PORT, where PORT is a number.",
    ),
    "both": (["--distributed", "--process", 0], "--distributed finds --coordinator, --processes and"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, message = MISTAKES[mistake]
    assert message in " ".join(train(*arguments, code=2).split())
    assert not list(tmp_path.iterdir())


def test_a_process_outside_of_a_job_is_told_how_to_join_one(monkeypatch):
    def no_cluster(*_, **__):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", no_cluster)
    output = " ".join(train("--distributed", code=1).split())
    assert "Cannot join the job: this process is not part of one that JAX knows" in output
    assert "Give --coordinator, --processes and --process." in output


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


RUN = ["--epochs", "4", "--batch-size", "128", "--plateau", "0.5", "0"]


def start(cache, *arguments, devices=1):
    environment = os.environ | {
        "XDG_CACHE_HOME": str(cache),
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "COLUMNS": "200",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "train", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def start_job(cache, first, second, *arguments):
    """Starts two processes of two devices, each with some arguments of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = ["--coordinator", f"127.0.0.1:{port}", "--processes", 2, *arguments]
    return [start(cache, *mine, *job, "--process", i, devices=2) for i, mine in enumerate((first, second))]


def outputs(processes):
    try:
        return [process.communicate(timeout=HANG)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.thorough
def test_two_processes_are_as_one(cache, tmp_path):
    """The second half of the run is a resume."""
    schedule = ["--schedule", "Linear(0.05, 0.01, 40)"]
    train(*RUN, *schedule, "--out", tmp_path / "alone")
    outputs(start_job(cache, [], [], *RUN, *schedule, "--epochs", 2, "--out", tmp_path / "job"))
    # The second process has no such folder: it gets everything from the first.
    processes = start_job(
        cache, ["--resume", tmp_path / "job"], ["--resume", tmp_path / "none"], "--epochs", 4
    )
    first, second = outputs(processes)
    assert [process.returncode for process in processes] == [0, 0], first + second
    assert "on 4 devices (cpu)" in first
    assert "epoch 4/4" in first
    assert "epoch" not in second
    alone, job = lines(tmp_path / "alone"), lines(tmp_path / "job")
    for a, b in zip(alone, job, strict=True):
        assert a["learning_rate"] == b["learning_rate"]
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-4)
        assert a["test_accuracy"] == pytest.approx(b["test_accuracy"], abs=0.006)


@pytest.mark.thorough
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_job_with_a_message(cache, tmp_path, victim):
    processes = start_job(cache, [], [], *RUN[2:], "--epochs", 100_000, "--out", tmp_path / "job")
    try:
        began = time.monotonic()
        while not (tmp_path / "job" / "metrics.jsonl").exists() or len(lines(tmp_path / "job")) < 2:
            assert time.monotonic() - began < HANG
            assert all(process.poll() is None for process in processes)
            time.sleep(0.01)
        processes[victim].kill()
        output, _ = processes[1 - victim].communicate(timeout=HANG)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert processes[1 - victim].returncode not in (0, -signal.SIGKILL)
    # Our message if a transfer from the dead process fails; JAX's if its heartbeat is missed first.
    assert "Another process of the job has stopped" in output or "another task died" in output
    assert victim == 0 or f"restart all with --resume {tmp_path / 'job'}" in " ".join(output.split())
