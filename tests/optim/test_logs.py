"""The examples of the page on logs, with the packages themselves."""

from __future__ import annotations

import doctest
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import jaxsched as js

WANTED = "tries another package: pip install '.[interop]'"
ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/how-to/logs.md").read_text(), re.DOTALL)
SCHEDULE = js.warmup_cosine(0.1, total_steps=100, warmup_steps=10)


def points_of_tensorboard(folder):
    from curves import curves

    return curves(folder / "logs")["learning_rate"]


def points_of_wandb(folder):
    """What is in the file of an offline run: records of LevelDB's log format, in blocks of 32 KiB."""
    from wandb.proto.wandb_internal_pb2 import Record

    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    content, at, parts, points = file.read_bytes(), 7, b"", []
    while at < len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        size, kind = struct.unpack_from("<HB", content, at + 4)
        parts += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or its last part
            history = Record.FromString(parts).history
            values = {item.key or "/".join(item.nested_key): item.value_json for item in history.item}
            if "learning_rate" in values:
                points.append((history.step.num, float(values["learning_rate"])))
            parts = b""
    return points


PACKAGES = {"tensorboardX": points_of_tensorboard, "wandb": points_of_wandb, "clu": points_of_tensorboard}


def run(package, script, folder):
    """Runs a script in its own process, because these packages set up the process that imports them."""
    pytest.importorskip(package, reason=WANTED)
    settings = {"HOME": str(folder), "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", script], cwd=folder, env=os.environ | settings, check=True)


@pytest.mark.thorough
@pytest.mark.parametrize("package", PACKAGES)
def test_the_rate_that_was_applied_is_in_the_log(package, tmp_path):
    setup = "".join(example.source for example in doctest.DocTestParser().get_examples(BLOCKS[0]))
    (example,) = [each for each in BLOCKS if re.search(rf"^(import|from) {package}\b", each, re.MULTILINE)]
    run(package, setup + example, tmp_path)
    steps, rates = zip(*PACKAGES[package](tmp_path), strict=True)
    assert steps == tuple(range(1, 100))
    np.testing.assert_array_equal(np.float32(rates), SCHEDULE(np.arange(1, 100)))


KERAS = """
import keras, numpy as np, jaxsched as js

def line():
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    return keras.Sequential([keras.layers.Input((1,)), layer])

class Updates(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.weights = [self.model.get_weights()[0].item()]

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self.model.get_weights()[0].item())

def train(optimizer, rate, epochs):
    # The slope of this loss is 1, so the weight falls by the rate.
    model, updates = line(), Updates()
    model.compile(optimizer, loss=lambda labels, outputs: keras.ops.mean(outputs))
    ones = np.ones((40, 1), np.float32)
    kept = model.fit(ones, ones, 4, epochs, 0, callbacks=[rate, updates], validation_data=(0 * ones, ones))
    return -np.diff(updates.weights), kept.history["learning_rate"]

def same(rates, expected):
    np.testing.assert_allclose(rates, expected, rtol=0, atol=1e-6)

schedule = js.warmup_cosine(0.1, total_steps=40, warmup_steps=10)
x, y = np.zeros((40, 1)), np.ones((40, 1))  # the loss stays as it is
model = line()
PAGE 0
same(history.history["learning_rate"], schedule(np.array([9, 19, 29])))
same(model.optimizer.learning_rate, schedule(30))
model.save("line.keras")
read = keras.models.load_model("line.keras")
same(read.fit(x, y, 4, verbose=0, callbacks=[LogRate(schedule)]).history["learning_rate"], [schedule(39)])

applied, logged = train(keras.optimizers.SGD(Rate(schedule)), LogRate(schedule), 2)
same(applied, schedule(np.arange(20)))
same(logged, schedule(np.array([9, 19])))

counted = keras.optimizers.SGD(Rate(js.per_epoch(schedule, 2)), gradient_accumulation_steps=2)
applied, logged = train(counted, LogRate(schedule), 2)
same(applied.reshape(10, 2), np.stack([np.zeros(10), schedule(np.arange(10))], axis=1))
same(logged, schedule(np.array([4, 9])))

PAGE 1
cut = [0.05, 0.1, 0.1, 0.05, 0.05, 0.025]
same(history.history["learning_rate"], cut)
applied, logged = train(keras.optimizers.SGD(0.1), PlateauRate(rate.schedule, rate.rule), 6)
same(applied, np.repeat(cut, 10))
same(logged, cut)
"""


@pytest.mark.thorough
def test_keras_trains_at_the_rate_that_it_logs(tmp_path):
    blocks = [block for block in BLOCKS if "keras.callbacks" in block]
    run("keras", re.sub(r"PAGE (\d)", lambda number: blocks[int(number[1])], KERAS), tmp_path)
