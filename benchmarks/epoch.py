"""An epoch of LeNet on Fashion-MNIST, timed: `python -m benchmarks.epoch --data-dir DIR`.

Batches of 256, in float32. Each peer trains on all images in a new order, records loss and accuracy, and
then runs the test. PyTorch's plain loop has its images in memory, as floats. Plain Flax is `nnx.Conv` and
`nnx.max_pool` in a jitted step in a Python loop; it runs a tenth of an epoch, and its time is multiplied by
ten. Ours takes turns with each of them. The ratio is their time divided by ours, the median of all rounds,
with its lowest and highest. Compilation is not timed. The machine must be idle: PyTorch's threads wait for
each other, so they lose more when other processes use the cores. This needs `pip install torch`.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np
import optax
from flax import nnx

import jaxsched as js
from benchmarks.report import publish, row
from benchmarks.timing import Times, in_words, paired
from train import devices
from train.data import Data, load
from train.model import LeNet
from train.step import Plan, Trainer, spread

RATE = 0.1
BATCH_SIZE = 256
TEST_BATCH_SIZE = 1000

Epoch: TypeAlias = Callable[[], tuple[float, float]]
"""Trains for an epoch; returns the mean loss of its batches and the test accuracy after it."""


def ours(data: Data) -> Epoch:
    """The epoch of `python -m train`, on one device."""
    mesh, plan = devices.mesh(1), Plan(js.Constant(RATE))
    trainer = Trainer(momentum=0.0, batch_size=BATCH_SIZE)
    spread_out = spread(data, mesh)
    state = devices.replicated(mesh, trainer.start(plan, np.uint32(0)))
    key, made = np.array(jax.random.key_data(jax.random.key(0))), 0

    def epoch() -> tuple[float, float]:
        nonlocal state, made
        state, metrics = trainer.epoch_on(mesh, state, plan, spread_out, key, np.uint32(made))
        made += 1
        return float(metrics.loss), float(metrics.test_accuracy)

    return epoch


def plain_flax(data: Data) -> Epoch:
    """A jitted step in a Python loop."""
    model = LeNet(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.sgd(RATE), wrt=nnx.Param)
    images, labels = data.train.images.astype(np.float32) / 255, data.train.labels
    test_images, test_labels = data.test.images.astype(np.float32) / 255, data.test.labels
    random = np.random.default_rng(0)

    @nnx.jit
    def step(model: LeNet, optimizer: Any, images: Any, labels: Any) -> tuple[jax.Array, jax.Array]:
        def objective(model: LeNet) -> tuple[jax.Array, jax.Array]:
            logits = model(images)
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
            return loss, (logits.argmax(1) == labels).mean()

        (loss, accuracy), gradient = nnx.value_and_grad(objective, has_aux=True)(model)
        optimizer.update(model, gradient)
        return loss, accuracy

    @nnx.jit
    def hits(model: LeNet, images: Any, labels: Any) -> jax.Array:
        return (model(images).argmax(1) == labels).sum()

    def epoch() -> tuple[float, float]:
        metrics = [
            step(model, optimizer, images[b], labels[b]) for b in batches(random.permutation(len(labels)))
        ]
        loss, _ = np.mean(jax.device_get(metrics), axis=0)
        counts = [hits(model, test_images[few], test_labels[few]) for few in some_at_a_time(len(test_labels))]
        return float(loss), sum(map(int, counts)) / len(test_labels)

    return epoch


def torch_lenet() -> Any:
    """LeNet in PyTorch's layers."""
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(400, 120), nn.ReLU()),
        *(nn.Linear(120, 84), nn.ReLU()),
        nn.Linear(84, 10),
    )


def pytorch(data: Data) -> Epoch:
    """A plain loop over tensors in memory, on the GPU if there is one."""
    import torch

    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    images, test_images = (
        torch.tensor(each.transpose(0, 3, 1, 2) / np.float32(255), device=device)
        for each in (data.train.images, data.test.images)
    )
    labels, test_labels = (
        torch.tensor(each, dtype=torch.int64, device=device) for each in (data.train.labels, data.test.labels)
    )
    model, objective = torch_lenet().to(device), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), RATE)

    def epoch() -> tuple[float, float]:
        losses, accuracies = [], []
        for batch in batches(torch.randperm(len(labels), device=device)):
            answers = labels[batch]
            optimizer.zero_grad()
            logits = model(images[batch])
            loss = objective(logits, answers)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            accuracies.append((logits.argmax(1) == answers).float().mean().item())
        with torch.no_grad():
            counts = [
                (model(test_images[few]).argmax(1) == test_labels[few]).sum().item()
                for few in some_at_a_time(len(test_labels))
            ]
        return float(np.mean(losses)), sum(counts) / len(test_labels)

    return epoch


def batches(order: Any) -> Any:
    """The full batches of an epoch."""
    return order[: len(order) // BATCH_SIZE * BATCH_SIZE].reshape(-1, BATCH_SIZE)


def some_at_a_time(count: int) -> list[slice]:
    """Slices of the test images, one for each test batch."""
    return [slice(first, first + TEST_BATCH_SIZE) for first in range(0, count, TEST_BATCH_SIZE)]


def share(data: Data, divisor: int) -> Data:
    """The first images of each split."""
    first: Data = jax.tree.map(lambda array: array[: len(array) // divisor], data)
    return first


def measure(data: Data, rounds: int, divisor: int) -> list[dict[str, Any]]:
    """The rows of the table.

    Args:
      data: the data of an epoch.
      rounds: the number of rounds in which ours and theirs take turns.
      divisor: plain Flax trains on 1 / `divisor` of an epoch.
    """
    mine = ours(data)
    few = share(data, divisor)
    more = len(batches(data.train.labels)) / len(batches(few.train.labels))
    torch = paired(mine, pytorch(data), rounds=rounds)
    flax = paired(mine, plain_flax(few), rounds=rounds)
    flax = Times(
        flax.ours, flax.theirs * more, flax.ratio * more, (flax.spread[0] * more, flax.spread[1] * more)
    )
    return [
        row("an epoch of LeNet on Fashion-MNIST", in_words(times.ours), in_words(times.theirs), peer, times)
        for peer, times in (("PyTorch, the plain loop", torch), ("Flax, `nnx.Conv` and `nnx.max_pool`", flax))
    ]


def main() -> None:
    """Measures, then prints and saves the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data-dir", type=Path, required=True, help="the folder with the files of Fashion-MNIST"
    )
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    if importlib.util.find_spec("torch") is None:
        parser.error("PyTorch is missing: pip install torch")
    rows = measure(load("fashion_mnist", options.data_dir), options.rounds, divisor=10)
    publish("epoch", rows, "python -m benchmarks.epoch --data-dir DIR")


if __name__ == "__main__":
    main()
