"""Nothing is lost when a run is killed, stopped by SIGTERM or out of disk space, and then resumed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click
import jax
import numpy as np
import pytest
from processes import HANG
from test_train import train

import jaxsched as js
import jaxsched.__main__
from train.__main__ import main
from train.checkpoint import MANIFEST, CheckpointError, Checkpoints
from train.config import Config, ConfigError
from train.data import load
from train.session import folder_for, lock

ROOT = Path(__file__).parents[2]
EPOCHS = 8
RUN = ["--epochs", str(EPOCHS), "--momentum", "0.9", "--plateau", "0.5", "0", "--batch-size", "128"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The user's cache folder, shared by the processes of these tests."""
    return tmp_path_factory.mktemp("cache")


SIGNALLED = """
import os, re, runpy, signal, sys
number, pattern, left = signal.Signals[sys.argv[1]], sys.argv[2], int(sys.argv[3])
def watch(event, values):
    global left
    if event in ("open", "os.mkdir", "os.remove", "os.rename") and re.search(pattern, f"{event} {values[0]}"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), number)
sys.addaudithook(watch)
sys.argv = ["train", *sys.argv[4:]]
runpy.run_module("train", run_name="__main__", alter_sys=True)
"""
"""Trains, and sends itself a signal at a given file operation, so that no timing is involved."""


def start(cache, *arguments, at=None, limit_file_size=None):
    """Starts a process that trains.

    With `at` it sends itself a signal. `at` holds the signal's name, a pattern of file operations, and the
    number of the matching operation before which it is sent.
    """
    how = ["-m", "train"] if at is None else ["-c", SIGNALLED, *at]
    command = [sys.executable, *map(str, (*how, *arguments))]
    if limit_file_size is not None:
        command = ["prlimit", f"--fsize={limit_file_size}", *command]
    environment = os.environ | {"XDG_CACHE_HOME": str(cache), "XLA_FLAGS": "", "COLUMNS": "200"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(process, code=0):
    output, _ = process.communicate(timeout=HANG)
    assert process.returncode == code, output
    return " ".join(output.split())


def lines(folder):
    path = folder / "metrics.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def result(folder):
    """Everything that a run writes: its metrics except the seconds, and the hash of its last state."""
    known = [json.loads(line) for line in lines(folder)]
    records = {int(path.parents[1].name): path for path in folder.glob("checkpoints/?/record/metadata")}
    last = json.loads(records[max(records)].read_text())
    for line in (*known, *last["epochs"]):
        assert line.pop("seconds") > 0
    assert last["epochs"] == known
    return known, last["digest"]


@pytest.fixture(scope="module")
def straight(cache, tmp_path_factory):
    """The result of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    finish(start(cache, *RUN, "--out", folder))
    known, digest = result(folder)
    assert [line["epoch"] for line in known] == list(range(1, EPOCHS + 1))
    assert known[-1]["learning_rate"] < known[1]["learning_rate"] / 2  # the plateau has cut the rate
    return known, digest


def kill_and_resume(cache, folder, moments):
    """Starts a run, kills it at each of the moments, and lets it end. Returns how often it was killed.

    A moment is either the last two items of `at` in `start`, or a number of seconds.
    """
    arguments, kills = [*RUN, "--out", folder], 0
    for moment in moments:
        timed = isinstance(moment, float)
        process = start(cache, *arguments, at=None if timed else ("SIGKILL", *moment))
        if timed:
            time.sleep(moment)
            process.kill()
        process.communicate(timeout=HANG)
        kills += process.returncode == -signal.SIGKILL
        if (folder / "config.json").exists():
            arguments = ["--resume", folder]
    finish(start(cache, *arguments))
    return kills


IN_THE_FIRST_SAVE = (r"os\.mkdir .*/1\.unfinished\.orbax-checkpoint-tmp/state", 1)
BEFORE_THE_THIRD_IS_IN_PLACE = (r"os\.rename .*/3\.unfinished$", 1)
IN_THE_SIXTH_SAVE = (r"os\.mkdir .*/6\.unfinished\.orbax-checkpoint-tmp$", 1)


@pytest.mark.thorough
def test_killed_twice_and_then_asked_to_end(cache, straight, tmp_path):
    """Killed in a save, and between a line and its checkpoint; then SIGTERM saves and exits."""
    folder = tmp_path / "run"
    arguments = [*RUN, "--out", folder]
    for moment in (IN_THE_FIRST_SAVE, BEFORE_THE_THIRD_IS_IN_PLACE):
        finish(start(cache, *arguments, at=("SIGKILL", *moment)), code=-signal.SIGKILL)
        arguments = ["--resume", folder]
    asked = start(cache, *arguments, at=("SIGTERM", *IN_THE_SIXTH_SAVE))
    output = finish(asked, code=128 + signal.SIGTERM)
    made = len(lines(folder))
    assert 6 <= made <= EPOCHS
    assert (
        f"Stopped by SIGTERM: {made} of {EPOCHS} epochs are saved. Continue with --resume {folder}" in output
    )
    assert f"Resuming after epoch {made}" in finish(start(cache, "--resume", folder))
    assert result(folder) == straight


@pytest.mark.thorough
def test_ctrl_c_saves_the_epoch_and_says_how_to_go_on(made, tmp_path):
    folder = copy(made, tmp_path)

    def interrupt():
        while len(lines(folder)) < 3:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    output = " ".join(train("--resume", folder, "--epochs", 10_000, code=128 + signal.SIGINT).split())
    thread.join()
    count = len(lines(folder))
    assert "Ctrl-C: stopping when this epoch is saved. Another Ctrl-C stops at once." in output
    assert f"Stopped by Ctrl-C: {count} of 10000 epochs are saved. Continue with --resume {folder}" in output
    assert f"Resuming after epoch {count}" in train("--resume", folder, "--epochs", count)


INTERRUPTED = """
import hashlib, os, signal, time
from rich.console import Console
from train.stop import stopping
with stopping(Console()) as asked:
    os.kill(os.getpid(), signal.SIGINT)
    while not asked():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # runs no handler, like an epoch
    print("too late")
"""


def test_a_second_ctrl_c_stops_at_once():
    result = subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (128 + signal.SIGINT, "")
    assert "too late" not in result.stdout


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments(cache, straight, tmp_path, seed):
    """Most moments are file operations of the run; an epoch has about 24."""
    draw = random.Random(seed)
    folder = tmp_path / "run"
    pattern = re.escape(str(folder))
    moments = [draw.uniform(0, 5), *((pattern, draw.randint(1, 100)) for _ in range(4))]
    draw.shuffle(moments)
    kill_and_resume(cache, folder, moments)
    assert result(folder) == straight


@pytest.mark.thorough
def test_the_compiled_programs_are_kept_for_the_next_time(cache, straight):
    assert any((cache / "jaxsched" / "compiled").glob("jit_epoch_on*"))


def state(value):
    return {"state": (np.full(3, value, np.float32), np.array(value)), "key": np.uint32([0, value])}


def save(checkpoints, epoch):
    """The first epoch is the best."""
    checkpoints.save(state(epoch), {"epochs": epoch}, [1.0, 0.5, *[0.2] * 7][:epoch])


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    checkpoints = Checkpoints(tmp_path_factory.mktemp("three") / "checkpoints")
    for epoch in (1, 2, 3):
        save(checkpoints, epoch)
    checkpoints.wait()
    return checkpoints.folder


@pytest.fixture
def three(original, tmp_path):
    """Checkpoints of epochs 1 to 3; the first is the best."""
    return Path(shutil.copytree(original, tmp_path / "checkpoints"))


def restored(folder):
    said = []
    checkpoints = Checkpoints(folder)
    return checkpoints, checkpoints.restore(lambda record: state(0), said.append), said


def test_the_newest_two_and_the_best_are_kept(three):
    checkpoints, newest, said = restored(three)
    assert (checkpoints.epochs(), newest.record["epochs"], said) == ([3, 2, 1], 3, [])
    for epoch in (4, 5):
        save(checkpoints, epoch)
    checkpoints.wait()
    assert checkpoints.epochs() == [5, 4, 1]


def test_every_second_checkpoint_is_kept_on_request(three):
    checkpoints = Checkpoints(three, keep_every=2)
    for epoch in (4, 5):
        save(checkpoints, epoch)
    checkpoints.wait()
    assert checkpoints.epochs() == [5, 4, 2, 1]


def test_what_was_kept_on_request_stays_when_the_number_changes(three):
    for keep_every, epochs in {2: (4, 5), 3: (6, 7), None: (8, 9)}.items():
        checkpoints = Checkpoints(three, keep_every)
        for epoch in epochs:
            save(checkpoints, epoch)
        checkpoints.wait()
    assert checkpoints.epochs() == [9, 8, 6, 4, 1]


def shorten(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def put_in(folder, part, other):
    """Replaces a part of a checkpoint by the intact part of another one, and makes its manifest fit."""
    shutil.rmtree(folder / part)
    shutil.copytree(other / part, folder / part)
    ours, theirs = (json.loads((each / MANIFEST).read_text()) for each in (folder, other))
    for files, keep in ((ours["files"], False), (theirs["files"], True)):
        within = {name: files.pop(name) for name in list(files) if name.startswith(f"{part}/")}
        if keep:
            ours["files"] |= within
    (folder / MANIFEST).write_text(json.dumps(ours))


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def largest(folder):
    return max(files(folder), key=lambda path: path.stat().st_size)


def replace_by_a_link(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def replace(folder, other):
    shutil.rmtree(folder)
    shutil.copytree(other, folder)


NOT_ITS_OWN = "Its arrays are not the ones that were saved."
"""The message for intact parts that do not belong together. Only the hash in the record can tell."""
DAMAGE = {
    "shortened": (lambda folder: shorten(largest(folder / "state")), r"Damaged: state/\S+"),
    "record shortened": (lambda folder: shorten(folder / "record/metadata"), "Damaged: record/metadata"),
    "all files empty": (lambda folder: [p.write_bytes(b"") for p in files(folder)], f"Damaged: {MANIFEST}"),
    "manifest nested": (lambda folder: (folder / MANIFEST).write_text("[" * 99_999), f"Damaged: {MANIFEST}"),
    "manifest gone": (lambda folder: (folder / MANIFEST).unlink(), f"Missing: {MANIFEST}"),
    "state gone": (lambda folder: shutil.rmtree(folder / "state"), r"Missing: state/_METADATA, .+"),
    "a file more": (lambda folder: (folder / "notes").write_text(""), "Surplus: notes"),
    "a link": (
        lambda folder: replace_by_a_link(folder / "record/metadata"),
        "Damaged: record/metadata; Surplus: record/elsewhere",
    ),
    "another epoch": (lambda folder: replace(folder, folder.with_name("1")), "It is that of epoch 1."),
    "state of another epoch": (lambda folder: put_in(folder, "state", folder.with_name("1")), NOT_ITS_OWN),
    "record of another epoch": (lambda folder: put_in(folder, "record", folder.with_name("1")), NOT_ITS_OWN),
}


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in files(folder)}


@pytest.mark.parametrize("kind", DAMAGE)
def test_before_a_damaged_checkpoint_the_previous_one_is_good(three, kind):
    """The damaged one is renamed, and its epoch is saved again."""
    damage, reason = DAMAGE[kind]
    damage(three / "3")
    left = contents(three / "3")
    checkpoints, previous, said = restored(three)
    assert previous.record["epochs"] == 2
    jax.tree.map(np.testing.assert_array_equal, previous.state, state(2))
    (line,) = said
    assert re.fullmatch(f"The checkpoint of epoch 3 is damaged; resuming from epoch 2. {reason}", line)
    assert contents(three / "3.damaged-1") == left
    save(checkpoints, 3)
    checkpoints.wait()
    assert restored(three)[1].record["epochs"] == 3


@pytest.mark.parametrize("places", [12, pytest.param(400, marks=pytest.mark.thorough)])
def test_a_flipped_bit_in_any_file_is_noticed(original, tmp_path, places):
    """The message is ours, so Orbax has not opened the file."""
    folder = Path(shutil.copytree(original / "3", tmp_path / "3"))
    checkpoints = Checkpoints(tmp_path)
    for path in files(folder):
        content, name = path.read_bytes(), path.relative_to(folder).as_posix()
        reason = "(Damaged|Missing|Surplus|It is that of epoch)" if name == MANIFEST else f"Damaged: {name}$"
        for at in range(0, len(content), 1 + len(content) // places):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
            with pytest.raises(CheckpointError, match=f"are damaged: epoch 3: {reason}"):
                checkpoints.restore(lambda record: state(0), print)
        path.write_bytes(content)
    assert checkpoints.restore(lambda record: state(0), print).record["epochs"] == 3


@pytest.mark.parametrize("leaf", range(3))
def test_every_array_must_be_that_of_the_record(tmp_path, leaf):
    """Two checkpoints differ in one array, and the newer one is given the state of the other."""
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    for epoch in (1, 2):
        leaves, structure = jax.tree.flatten(state(1))
        leaves[leaf] = leaves[leaf] + epoch
        checkpoints.save(jax.tree.unflatten(structure, leaves), {"epochs": epoch}, [0.5, 0.5][:epoch])
    checkpoints.wait()
    put_in(tmp_path / "checkpoints" / "2", "state", tmp_path / "checkpoints" / "1")
    _, newest, (line,) = restored(tmp_path / "checkpoints")
    assert newest.record["epochs"] == 1
    assert line.endswith(NOT_ITS_OWN)


def test_checkpoints_that_are_all_damaged_are_an_error_and_stay(three):
    for epoch in (1, 2, 3):
        shorten(largest(three / str(epoch) / "state"))
    with pytest.raises(CheckpointError, match="are damaged: epoch 3: ") as caught:
        restored(three)
    assert "epoch 1: " in str(caught.value)
    assert Checkpoints(three).epochs() == [3, 2, 1]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a run of two epochs."""
    folder = tmp_path_factory.mktemp("made") / "run"
    train("--schedule", "Cosine(0.2, 0.01, 66)", "--epochs", 2, "--out", folder)
    return folder


def copy(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "run"))


@pytest.mark.thorough
def test_a_disk_that_is_full_ends_the_run_and_keeps_what_was_good(cache, made, tmp_path):
    """A limit on the file size stands in for a full disk. Of the run's files, only a state exceeds it."""
    folder = copy(made, tmp_path)
    output = finish(start(cache, "--resume", folder, "--epochs", 4, limit_file_size=50_000), code=1)
    assert "A checkpoint could not be written to" in output
    assert f"the checkpoint of epoch 2 is intact: File too large. Continue with --resume {folder}" in output
    assert "Traceback" not in output
    assert "Resuming after epoch 2" in train("--resume", folder, "--epochs", 4)
    assert len(lines(folder)) == 4


def test_a_run_does_not_go_on_from_the_state_of_another_epoch(made, tmp_path):
    folder = copy(made, tmp_path)
    put_in(folder / "checkpoints" / "2", "state", folder / "checkpoints" / "1")
    output = " ".join(train("--resume", folder).split())
    assert f"The checkpoint of epoch 2 is damaged; resuming from epoch 1. {NOT_ITS_OWN}" in output
    assert result(folder) == result(made)


def test_another_schedule_is_an_error_that_shows_both(made, tmp_path):
    folder = copy(made, tmp_path)
    before = (folder / "metrics.jsonl").read_bytes()
    output = train("--resume", folder, "--schedule", "Cosine(0.2, 0.01, 88)", "--epochs", 4, code=1)
    assert "its schedule: Cosine(0.2, 0.01, 66)\n  requested:    Cosine(0.2, 0.01, 88)\n" in output
    assert (folder / "metrics.jsonl").read_bytes() == before


def test_the_configuration_of_another_run_is_an_error_that_shows_both(made, tmp_path):
    folder = copy(made, tmp_path)
    config = Config.load(folder / "config.json")
    dataclasses.replace(config, schedule="Cosine(0.2, 0.01, 88)").save(folder / "config.json")
    assert "requested:    Cosine(0.2, 0.01, 88)" in train("--resume", folder, "--epochs", 4, code=1)
    for field, other in {"momentum": 0.5, "batch_size": 32}.items():
        dataclasses.replace(config, **{field: other}).save(folder / "config.json")
        output = " ".join(train("--resume", folder, "--epochs", 4, code=1).split())
        assert f"has {field} {other}, but the run was trained with {getattr(config, field)}." in output


def test_only_one_run_writes_to_a_folder(made, tmp_path):
    folder = copy(made, tmp_path)
    (tmp_path / "new").mkdir()
    before = contents(tmp_path)
    for option, mine in {"--out": tmp_path / "new", "--resume": folder}.items():
        with click.Context(main):
            lock(mine, option)
            output = " ".join(train(option, mine, code=2).split())
        assert f"Invalid value for {option}: another run is writing to {mine}." in output
    assert contents(tmp_path) == before | {Path("new/.lock"): b"", Path("run/.lock"): b""}
    assert "Resuming after epoch 2" in train("--resume", folder)


def test_runs_that_start_at_once_get_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        with click.Context(main):
            assert folder_for(None, "digits", "config.json") == Path(f"runs/digits-{number}")


@pytest.mark.thorough
def test_a_killed_run_leaves_no_lock(cache, straight, tmp_path):
    folder = tmp_path / "run"
    stopped = start(cache, *RUN, "--out", folder, at=("SIGSTOP", *BEFORE_THE_THIRD_IS_IN_PLACE))
    os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert f"another run is writing to {folder}." in finish(start(cache, "--resume", folder), code=2)
    stopped.kill()
    finish(stopped, code=-signal.SIGKILL)
    finish(start(cache, "--resume", folder))
    assert result(folder) == straight


WRONG = {
    "epochs": ('"5"', "2.5", "-1", "0", "null", "true", "[]"),
    "batch_size": ('"5"', "2.5", "-1", "null"),
    "seed": ('"5"', "2.5", "-1", "4294967296", "null"),
    "momentum": ('"0.5"', "-0.5", "1.0", "NaN", "Infinity", "null", "false"),
    "dataset": ('"fashion"', "5", "null", "[]", "{}"),
    "data_dir": ("5", "[]", "false"),
    "schedule": ('"Cosine(0.2)"', '"Cosin(0.2, 0.01, 66)"', '""', "0.2", "null"),
    "trained": ('"Cosine(0.2)"', "null"),
    "per_epoch": ("0", '"no"', "null"),
    "keep_every": ('"5"', "2.5", "0", "false"),
    "plateau": ("0.5", "[0.5]", "[1.5, 3]", "[0.5, -1]", "[0.5, 2.5]", '["0.5", 3]', '"05"', "false"),
}


@pytest.fixture
def config_file(made, tmp_path):
    return Path(shutil.copy(made / "config.json", tmp_path))


@pytest.mark.parametrize("field", WRONG)
def test_a_value_that_a_configuration_cannot_have_is_named(config_file, field):
    text = config_file.read_text()
    for value in WRONG[field]:
        config_file.write_text(re.sub(rf'"{field}": [^\n]*\n', f'"{field}": {value},\n', text))
        with pytest.raises(ConfigError) as caught:
            Config.load(config_file)
        assert f"{config_file} is not the configuration of a run: `{field}` must be " in str(caught.value)
        assert str(caught.value).endswith(f", got {value}.")


NOT_WRITTEN = {
    "a key less": (lambda text: text.replace('  "seed": 0,\n', ""), "`seed` is missing."),
    "a key more": (lambda text: text.replace("{", '{"sed": 0,'), "`sed` must be left out"),
    "a list": (lambda text: f"[{text}]", "it must be an object."),
    "cut": (lambda text: text[:-40], "Unterminated string"),
    "empty": (lambda text: "", "Expecting value"),
    "not text": (lambda text: text.replace("digits", "\udcff"), "is not the configuration of a run"),
    "nested": (lambda text: "[" * 100_000, "is not the configuration of a run"),
    "edited": (lambda text: text.replace('"epochs": 2', '"epochs": 4'), "is not as the run wrote it."),
    "no hash": (lambda text: re.sub(',\n  "sha256".*', "", text), "is not as the run wrote it."),
}


@pytest.mark.parametrize("kind", NOT_WRITTEN)
def test_a_configuration_must_be_as_the_run_wrote_it(config_file, kind):
    edit, message = NOT_WRITTEN[kind]
    config_file.write_text(edit(config_file.read_text()), errors="surrogateescape")
    with pytest.raises(ConfigError, match=message):
        Config.load(config_file)


def test_a_configuration_from_before_keep_every_is_read(config_file):
    config, record = Config.load(config_file), json.loads(config_file.read_text())
    del record["keep_every"], record["sha256"]
    written = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    config_file.write_text(json.dumps(record | {"sha256": written}))
    assert Config.load(config_file) == config


def test_a_flipped_bit_in_a_configuration_is_noticed(config_file):
    content = config_file.read_bytes()
    for at in range(0, len(content.rstrip()), 3):
        config_file.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        with pytest.raises(ConfigError, match=re.escape(str(config_file))):
            Config.load(config_file)


def test_fewer_epochs_than_are_done_are_refused(made, tmp_path):
    folder = copy(made, tmp_path)
    before = contents(folder)
    output = " ".join(train("--resume", folder, "--epochs", 1, code=2).split())
    assert "Invalid value for --epochs: 1 must be at least 2, the number of epochs that are done." in output
    assert contents(folder) == before | {Path(".lock"): b""}


def test_a_retarget_killed_before_its_configuration_is_saved_goes_on(made, tmp_path):
    """With the same command, also if no epoch is left. Afterwards plain --resume is enough."""
    folder = copy(made, tmp_path)
    new = Config.load(folder / "config.json")
    dataclasses.replace(new, schedule="0.2", trained="0.2", epochs=1).save(folder / "config.json")
    train("--resume", folder, "--schedule", new.schedule, "--retarget", "Continue", "--epochs", 2)
    assert Config.load(folder / "config.json") == new
    train("--resume", folder)
    assert result(folder) == result(made)


@pytest.mark.thorough
@pytest.mark.parametrize("policy", ["Continue()", "HoldToPlan"])
def test_a_policy_goes_over_to_another_schedule(made, tmp_path, policy):
    folder = copy(made, tmp_path)
    arguments = ("--resume", folder, "--schedule", "Cosine(0.2, 0.01, 88)", "--retarget", policy)
    train(*arguments, "--epochs", 3)
    config = json.loads((folder / "config.json").read_text())
    assert config["schedule"] == "Cosine(0.2, 0.01, 88)"
    assert config["trained"].startswith("join([Cosine(0.2, 0.01, 66), ")
    at = np.array([44.0, 65.0])
    old, new = (0.01 + 0.19 * (1 + np.cos(np.pi * at / length)) / 2 for length in (66, 88))
    expected = 0.01 + (new - 0.01) * ((old - 0.01) / (new - 0.01))[0] if policy == "Continue()" else new
    assert json.loads(lines(folder)[-1])["learning_rate"] == pytest.approx(expected[1], rel=1e-6)
    # The same command again, as a restarted job would give it, does not switch a second time.
    train(*arguments, "--epochs", 4)
    assert json.loads((folder / "config.json").read_text())["trained"] == config["trained"]
    assert len(lines(folder)) == 4


def test_the_gradient_norms_of_a_run_make_the_next_schedule(made, capsys):
    """The first rates are what the last norms ask for, and the peak is that of the run."""
    known = [json.loads(line) for line in lines(made)]
    assert [len(line["gradient_norms"]) for line in known] == [22, 22]
    assert jaxsched.__main__.main(["refine", str(made / "metrics.jsonl"), "--knots", "44"]) == 0
    schedule = js.parse(capsys.readouterr().out)
    norms = np.concatenate([line["gradient_norms"] for line in known])
    refined = js.forecast.refine(js.Cosine(0.2, 0.01, 66), norms, "sgd")
    np.testing.assert_allclose(schedule(np.arange(44)), refined(np.arange(44)), rtol=5e-3)


def test_a_run_that_is_complete_stays_as_it_is(made, tmp_path):
    folder = copy(made, tmp_path)
    before = (folder / "metrics.jsonl").read_bytes()
    assert "Resuming after epoch 2, the last one: --epochs N trains on" in train("--resume", folder)
    assert (folder / "metrics.jsonl").read_bytes() == before


MISTAKES = {
    "no folder": (
        ["--resume", "nowhere"],
        "nowhere contains no run: config.json: No such file or directory.",
    ),
    "no configuration": (["--resume", "."], "config.json is not the configuration of a run:"),
    "another seed": (["--resume", "run", "--seed", 3], "--seed: 3 must be 0, as in the run in run."),
    "another folder": (["--resume", "run", "--out", "b"], "writes to its own folder: leave out --out."),
    "a policy alone": (["--retarget", "Continue"], "it needs --resume DIR."),
    "a policy for no other schedule": (
        ["--resume", "run", "--retarget", "Continue"],
        "--retarget is for another schedule: it needs --schedule EXPR.",
    ),
    "another plateau": (
        ["--resume", "run", "--plateau", 0.5, 3],
        "--plateau: 0.5 3 must be left out, as in the run in run.",
    ),
    "another clock": (
        ["--resume", "run", "--per-epoch"],
        "--per-epoch: it must be left out, as in the run in run.",
    ),
    "no policy": (
        ["--resume", "run", "--retarget", "Go()"],
        "must be Continue, HoldToPlan or Rewarmup(STEPS).",
    ),
    "a plateau": (["--plateau", 0.5, -1], "-1 is not in the range x>=0."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(made, tmp_path, monkeypatch, mistake):
    monkeypatch.chdir(tmp_path)
    copy(made, tmp_path)
    (tmp_path / "config.json").write_text('{"schedule": 3}')
    arguments, message = MISTAKES[mistake]
    assert message in " ".join(train(*arguments, code=2).split())


def test_what_is_not_ours_is_left_alone(three):
    """It is not read, counted or removed, whatever its name. A name that is needed is an error."""
    (three / "5").write_text("a file")
    (three / "8").symlink_to("8")
    (three / "9").symlink_to("3", target_is_directory=True)
    for name in ("7", "007", "\u0663", "notes", "3.unfinished-thoughts", "3.orbax-checkpoint-tmp"):
        (three / name).mkdir()
        (three / name / "mine").write_text(name)
    (three / "6.unfinished").write_text("a file")
    foreign = {path.name for path in three.iterdir()} - {"1", "2", "3"}
    checkpoints, newest, said = restored(three)
    assert (checkpoints.epochs(), newest.record["epochs"], said) == ([3, 2, 1], 3, [])
    save(checkpoints, 4)
    save(checkpoints, 5)
    with pytest.raises(CheckpointError, match="epoch 4 is intact: `5` is in the way, and not a checkpoint."):
        checkpoints.wait()
    assert {path.name for path in three.iterdir()} == foreign | {"1", "3", "4"}
    assert all(path.read_text() == path.parent.name for path in three.glob("*/mine"))
    assert len(list(three.glob("*/mine"))) == 6


def test_a_file_that_cannot_be_written_is_named(made, tmp_path):
    folder = copy(made, tmp_path)
    for name, code in {"figure.png": 1, "metrics.jsonl": 1, ".lock": 2}.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()
        output = train("--resume", folder, code=code)
        assert "Is a directory" in output
        assert name in output or name == ".lock"
        (folder / name).rmdir()
    shutil.rmtree(folder / "checkpoints")
    (folder / "checkpoints").symlink_to("checkpoints")
    assert "Checkpoints cannot be written to" in train("--resume", folder, code=1)


@pytest.fixture
def nobody(made, monkeypatch):
    """A copy of a run that belongs to a user without privileges, who runs the test.

    That user may not be able to read the environment, and so neither the digits.
    """
    data = load("digits")
    monkeypatch.setattr("train.session.load", lambda *_: data)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(shutil.copytree(made, Path(parent) / "run"))
        (folder / ".lock").touch()
        if os.geteuid() != 0:
            yield folder
            return
        for path in (Path(parent), folder, *folder.rglob("*")):
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(0)


FORBIDDEN = {
    ".": (0o500, 1, "Results cannot be written to"),
    ".lock": (0o400, 2, "run must be a writable folder: Permission denied."),
    "checkpoints": (0o500, 1, "Checkpoints cannot be written to"),
    "checkpoints/2": (0o000, 1, "checkpoints/2/manifest.json: Permission denied."),
    "checkpoints/2/record/metadata": (0o000, 1, "cannot be read: Permission denied:"),
    "config.json": (0o000, 2, "contains no run: config.json: Permission denied."),
    "figure.png": (0o400, 1, "figure.png: Permission denied."),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_no_permission_is_a_message(nobody, name):
    mode, code, message = FORBIDDEN[name]
    (nobody / name).chmod(mode)
    output = " ".join(train("--resume", nobody, code=code).split())
    (nobody / name).chmod(0o700)
    assert message in output
    assert sorted(path.name for path in (nobody / "checkpoints").iterdir()) == ["1", "2"]


def test_a_folder_that_takes_no_checkpoints(tmp_path):
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(CheckpointError, match=r"Checkpoints cannot be written to .*checkpoints: File exists"):
        Checkpoints(tmp_path / "checkpoints")


@pytest.mark.skipif(not os.access("/proc", os.X_OK), reason="there is no folder that even root cannot write")
@pytest.mark.parametrize("option", ["--out", "--logdir"])
def test_a_folder_that_is_read_only(option):
    output = " ".join(train(option, "/proc", code=2).split())
    assert f"Invalid value for {option}: /proc must be a writable folder" in output
