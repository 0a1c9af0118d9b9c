"""Training and rates on the accelerator of this machine: `python -m benchmarks.device`.

It trains LeNet for thirty epochs with one schedule, with the seven of `compare`, and with 64 at once. It
compares a step with a schedule and with a constant rate. It measures the error of every case of the catalogue
against mpmath, in units in the last place. And it resumes a run in its middle. The images are random, as many
and as large as those of Fashion-MNIST, since speed does not depend on what they show. Runs are timed without
compilation. If PyTorch is installed, its plain loop runs on its own device.

Without an accelerator the defaults are refused. A run with other options is printed but not saved.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np

import jaxsched as js
from benchmarks import overhead
from benchmarks.accuracy import TELLS_APART
from benchmarks.epoch import BATCH_SIZE, Epoch, ours, pytorch
from benchmarks.report import markdown, publish
from benchmarks.timing import in_words
from catalogue.cases import EVERY
from catalogue.reference import some_steps, worst
from train import devices
from train.chapter import CHAPTER
from train.data import Data, Split
from train.many import train_many
from train.step import Plan, State, Trainer, spread

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


def measure(images: int, epochs: int, many: int) -> list[dict[str, str]]:
    """The rows of the table.

    Args:
      images: the number of training images.
      epochs: the epochs of every run.
      many: the number of schedules that are trained at once.
    """
    data = random_data(images)
    rows = training(data, epochs, many) + in_a_step(images // BATCH_SIZE)
    return [*rows, accuracy(EVERY), resuming(data)]


def training(data: Data, epochs: int, many: int) -> list[dict[str, str]]:
    """The time of whole runs, and the steps a second of all their schedules together."""
    steps_per_epoch = len(data.train.labels) // BATCH_SIZE
    steps = epochs * steps_per_epoch
    seven = [run.plan(steps_per_epoch, as_published=False) for run in CHAPTER]
    more = [Plan(js.Cosine(peak, 0.0, steps)) for peak in np.geomspace(0.05, 0.5, many)]
    runs = {
        "one schedule": (1, one_run(ours(data))),
        f"the {len(seven)} schedules of `compare`": (len(seven), at_once(seven, data)),
        f"{many} schedules": (many, at_once(more, data)),
    }
    if importlib.util.find_spec("torch"):
        runs["PyTorch, the plain loop"] = (1, one_run(pytorch(data)))
    rows = []
    for what, (count, run) in runs.items():
        spent = seconds(run, epochs)
        result = f"{in_words(spent)}, {count * steps / spent:,.0f} steps a second"
        rows.append(row(f"{what}, {epochs} epochs", result))
    return rows


def in_a_step(steps: int) -> list[dict[str, str]]:
    """The time of a step with a schedule, and of the schedule alone."""
    step, alone = overhead.training(steps, rounds=5, alone=100 * steps)
    both = f"{step['ours']}, with {step['peer']} {step['theirs']}"
    return [row(step["what"], both), row(alone["what"], alone["ours"])]


def accuracy(names: Iterable[str], horizon: int = 10**6) -> dict[str, str]:
    """The largest error of the catalogue's schedules, at steps that float32 can tell apart."""
    steps = some_steps(horizon)
    steps = steps[steps <= TELLS_APART]
    errors = {}
    for name in names:
        schedule = EVERY[name](horizon)
        errors[name] = worst(schedule(steps), schedule, steps)
    name = max(errors, key=lambda name: errors[name])
    return row(f"error of {len(errors)} schedules", f"at most {errors[name]:.2g} ulp ({name})")


def resuming(data: Data, epochs: int = 4) -> dict[str, str]:
    """Whether a run that goes through host memory and another compilation ends with the same bits."""
    mesh, trainer = devices.mesh(1), Trainer(0.9, BATCH_SIZE)
    plan, key = Plan(js.Cosine(0.01, 0.0, 1000)), np.zeros(2, np.uint32)
    spread_out = spread(data, mesh)

    def after(state: State, first: int, last: int) -> State:
        state = devices.replicated(mesh, state)
        for number in range(first, last):
            state, _ = trainer.epoch_on(mesh, state, plan, spread_out, key, np.uint32(number))
        on_host: State = jax.device_get(state)
        return on_host

    start: State = jax.device_get(trainer.start(plan, np.uint32(0)))
    whole, half = after(start, 0, epochs), after(start, 0, epochs // 2)
    jax.clear_caches()
    resumed = after(half, epochs // 2, epochs)
    same = all(map(np.array_equal, jax.tree.leaves(whole), jax.tree.leaves(resumed)))
    return row("a resumed run ends with the same bits", "yes" if same else "no")


def row(what: str, result: str) -> dict[str, str]:
    """A row of the table."""
    return {"what": what, "result": result}


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
    defaults = vars(options) == {"images": IMAGES, "epochs": EPOCHS, "many": MANY}
    if jax.default_backend() == "cpu":
        if defaults:
            parser.exit(1, "JAX finds no accelerator here, only a CPU. Nothing was measured.\n")
        print("JAX finds no accelerator here: these are the numbers of a CPU.\n")
    began = time.perf_counter()
    rows = measure(**vars(options))
    rows.append(row("all of this, with compilation", in_words(time.perf_counter() - began)))
    if defaults:
        publish("device", rows, "python -m benchmarks.device")
    else:
        print(markdown(rows))


if __name__ == "__main__":
    main()
