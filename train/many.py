"""Many runs at once, side by side in one compiled program: `compare` and `sweep`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import jaxsched as js
from train.data import Data
from train.step import Metrics, Plan, State, Trainer, evaluate

NEVER = js.Plateau(patience=2.0**31)
"""The rule of a run that has none, so that all runs are of one kind."""


@dataclass(frozen=True)
class Round:
    """What is known of all runs after an epoch.

    Args:
      epoch: epochs made so far, this one included.
      learning_rate: what the latest update applied, shape (runs, seeds), as all arrays here.
      train_loss: the mean over the epoch's batches, as they were trained.
      train_accuracy: the same of the accuracy.
      test_accuracy: over all test images, after the epoch.
      seconds: that the epoch and its evaluations took, all runs together.
    """

    epoch: int
    learning_rate: np.ndarray
    train_loss: np.ndarray
    train_accuracy: np.ndarray
    test_accuracy: np.ndarray
    seconds: float


@partial(jax.jit, static_argnums=0)
def _start(trainer: Trainer, plans: Plan, seeds: jax.Array) -> State:
    return jax.vmap(lambda plan: jax.vmap(lambda seed: trainer.start(plan, seed))(seeds))(plans)


@partial(jax.jit, static_argnums=0, donate_argnums=1)
def _epoch(
    trainer: Trainer, states: State, plans: Plan, data: dict[str, jax.Array], keys: jax.Array
) -> tuple[State, Metrics, jax.Array, jax.Array]:
    """One epoch of all runs; then each plateau observes the loss over the images that were held out."""

    def one(state: State, plan: Plan, key: jax.Array) -> tuple[State, Metrics, jax.Array, jax.Array]:
        state, metrics = trainer.epoch(state, plan, data["train_images"], data["train_labels"], key)
        rate = js.learning_rate(state.opt_state)
        if plan.rule is not None:
            held_out = evaluate(state.params, data["held_images"], data["held_labels"])
            state = State(state.params, plan.rule.observe(state.opt_state, held_out.loss))
        tested = evaluate(state.params, data["test_images"], data["test_labels"])
        return state, metrics, rate, tested.accuracy

    over_seeds = jax.vmap(one, in_axes=(0, None, 0))
    return jax.vmap(over_seeds, in_axes=(0, 0, None))(states, plans, keys)


def train_many(
    plans: Sequence[Plan], trainer: Trainer, data: Data, epochs: int, seeds: Sequence[int]
) -> Iterator[Round]:
    """Trains every plan with every seed, all at once, on the same images in the same order.

    Where a plan has a plateau, a tenth of the training images is held out for it, from all runs alike.

    Yields:
      What is known after each epoch. A run whose loss is no longer finite goes on beside the others.
    """
    arrays = hold_out(data) if any(plan.rule for plan in plans) else vars(data)
    on_device = jax.device_put(dict(arrays))
    rules = [plan.rule or NEVER for plan in plans] if any(plan.rule for plan in plans) else None
    together = Plan(
        js.stack([plan.schedule for plan in plans]),
        None if rules is None else jax.tree.map(lambda *leaves: jnp.stack(leaves), *rules),
    )
    states = _start(trainer, together, jnp.asarray(seeds, jnp.uint32))
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))
    for epoch in range(epochs):
        began = time.perf_counter()
        now = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, epoch)
        states, metrics, rates, accuracy = _epoch(trainer, states, together, on_device, now)
        rate, loss, train_accuracy, test_accuracy = jax.device_get(
            (rates, metrics.loss, metrics.accuracy, accuracy)
        )
        seconds = time.perf_counter() - began
        yield Round(epoch + 1, rate, loss, train_accuracy, test_accuracy, seconds)


def hold_out(data: Data) -> Mapping[str, np.ndarray]:
    """The data with every tenth training image taken out, as `held_images` and `held_labels`."""
    held = np.arange(len(data.train_labels)) % 10 == 9
    return {
        "train_images": data.train_images[~held],
        "train_labels": data.train_labels[~held],
        "held_images": data.train_images[held],
        "held_labels": data.train_labels[held],
        "test_images": data.test_images,
        "test_labels": data.test_labels,
    }
