"""How fast training is on the device that is there: `python -m benchmarks.device`.

Thirty epochs of LeNet, on as many images of the same size as Fashion-MNIST has, random ones, because speed
does not depend on what they show; each program is compiled before. PyTorch's plain loop, where it is
installed, runs on its own device. A run with other numbers is printed and not kept.
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
    """As many images to train on, and a sixth to test on."""
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
      images: to train on.
      epochs: of every run.
      many: how many schedules are trained at once.
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
"""Trains for some epochs."""


def one_run(epoch: Epoch) -> Run:
    """Epoch by epoch."""
    return lambda epochs: [epoch() for _ in range(epochs)]


def at_once(plans: Sequence[Plan], data: Data) -> Run:
    """Many plans in one compiled program."""
    return lambda epochs: list(train_many(plans, Trainer(0.0, BATCH_SIZE), data, epochs, seeds=[0]))


def seconds(run: Run, epochs: int) -> float:
    """The time of a run whose programs are compiled."""
    run(1)
    began = time.perf_counter()
    run(epochs)
    return time.perf_counter() - began


def main() -> None:
    """Measures, prints the table and, if it is the whole measurement, keeps it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--many", type=int, default=MANY, help="schedules at once")
    options = parser.parse_args()
    rows = measure(**vars(options))
    if vars(options) == {"images": IMAGES, "epochs": EPOCHS, "many": MANY}:
        publish("device", rows, "python -m benchmarks.device")
    else:
        print(markdown(rows))


if __name__ == "__main__":
    main()
