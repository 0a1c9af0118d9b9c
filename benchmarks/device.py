"""The speed of training on JAX's default device: `python -m benchmarks.device`.

This trains LeNet for thirty epochs on random images, as many and as large as those of Fashion-MNIST; speed
does not depend on what they show. Compilation is not timed. If PyTorch is installed, its plain loop runs on
its own device. A run with other options is printed but not saved.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

import jaxsched as js
from benchmarks.epoch import BATCH_SIZE, Epoch, ours, pytorch
from benchmarks.report import markdown, publish
from benchmarks.timing import in_words
from train.chapter import CHAPTER
from train.data import Data, Split
from train.many import train_many
from train.step import Plan, Trainer

EPOCHS = 30
IMAGES = 60_000
MANY = 64


def random_data(images: int) -> Data:
    """Random data with `images` training images and a sixth as many test images."""
    random = np.random.default_rng(0)
    return Data(
        *(
            Split(
                random.integers(0, 256, (count, 28, 28, 1), np.uint8),
                random.integers(0, 10, count, np.int32),
            )
            for count in (images, images // 6)
        )
    )


def measure(images: int, epochs: int, many: int) -> list[dict[str, Any]]:
    """The rows of the table.

    Args:
      images: the number of training images.
      epochs: the epochs of every run.
      many: the number of schedules that are trained at once.
    """
    data, steps = random_data(images), epochs * (images // BATCH_SIZE)
    peaks = np.geomspace(0.05, 0.5, many)
    runs = {
        "one schedule": one_run(ours(data)),
        f"the {len(CHAPTER)} schedules of `compare`": at_once(
            [run.plan(images // BATCH_SIZE, as_published=False) for run in CHAPTER], data
        ),
        f"{many} schedules": at_once([Plan(js.Cosine(peak, 0.0, steps)) for peak in peaks], data),
    }
    if importlib.util.find_spec("torch"):
        runs["PyTorch, the plain loop"] = one_run(pytorch(data))
    return [
        {"what": what, "epochs": epochs, "time": in_words(seconds(run, epochs))} for what, run in runs.items()
    ]


Run: TypeAlias = Callable[[int], Any]
"""Trains for a number of epochs."""


def one_run(epoch: Epoch) -> Run:
    """Trains epoch by epoch."""
    return lambda epochs: [epoch() for _ in range(epochs)]


def at_once(plans: Sequence[Plan], data: Data) -> Run:
    """Trains many plans in one compiled program."""
    return lambda epochs: list(train_many(plans, Trainer(0.0, BATCH_SIZE), data, epochs, seeds=[0]))


def seconds(run: Run, epochs: int) -> float:
    """The time of a run, without compilation."""
    run(1)
    began = time.perf_counter()
    run(epochs)
    return time.perf_counter() - began


def main() -> None:
    """Measures and prints the table; saves it if all options have their defaults."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--many", type=int, default=MANY, help="schedules trained at once")
    options = parser.parse_args()
    rows = measure(**vars(options))
    if vars(options) == {"images": IMAGES, "epochs": EPOCHS, "many": MANY}:
        publish("device", rows, "python -m benchmarks.device")
    else:
        print(markdown(rows))


if __name__ == "__main__":
    main()
