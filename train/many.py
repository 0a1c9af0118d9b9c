"""Many runs at once, side by side in one compiled program: `compare` and `sweep`.

Read `train.report_many` next.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

import jaxsched as js
from train import devices
from train.data import Data
from train.devices import AXIS
from train.step import Metrics, Plan, State, Trainer

NEVER = js.Plateau(patience=2.0**31)
"""The rule of a run without a plateau. With it, all runs have the same structure and can be stacked."""


@dataclass(frozen=True)
class Round:
    """The metrics of all runs in an epoch. All arrays have shape (runs, seeds).

    Args:
      epoch: number of completed epochs, including this one.
      learning_rate: learning rate of the latest update.
      train_loss: mean loss of the epoch's batches, each before its update.
      train_accuracy: mean accuracy of the epoch's batches, each before its update.
      test_accuracy: accuracy over all test images, after the epoch.
      seconds: duration of the epoch for all runs together, including the evaluations.
    """

    epoch: int
    learning_rate: np.ndarray
    train_loss: np.ndarray
    train_accuracy: np.ndarray
    test_accuracy: np.ndarray
    seconds: float


def train_many(
    plans: Sequence[Plan],
    trainer: Trainer,
    data: Data,
    epochs: int,
    seeds: Sequence[int],
    mesh: Mesh | None = None,
) -> Iterator[Round]:
    """Trains every plan with every seed, all at once. For a given seed, all plans see the same batches.

    If any plan has a plateau, a tenth of the training images is held out for it in all runs. The plans are
    spread over the devices of `mesh`, by default all.

    Yields:
      The metrics after each epoch. A run whose loss is no longer finite does not stop the others.
    """
    mesh = mesh or devices.mesh()
    with_plateau = any(plan.rule for plan in plans)
    data = devices.replicated(mesh, data.with_held_out() if with_plateau else data)
    # Every device takes equally many: copies of the last plan pad the list, and their results are dropped.
    filled = [*plans, *[plans[-1]] * (-len(plans) % mesh.size)]
    rules = [plan.rule or NEVER for plan in filled] if with_plateau else None
    together = Plan(
        js.stack([plan.schedule for plan in filled]),
        None if rules is None else jax.tree.map(lambda *leaves: jnp.stack(leaves), *rules),
    )
    together = jax.tree.map(np.array, together)
    numbers = np.asarray(seeds, np.uint32)
    states = _start(trainer, mesh, together, numbers)
    for epoch in range(epochs):
        began = time.perf_counter()
        states, on_device = _epoch(trainer, mesh, states, together, data, numbers, np.uint32(epoch))
        known = jax.tree.map(lambda each: each[: len(plans)], jax.device_get(on_device))
        yield Round(
            epoch + 1,
            known.learning_rate,
            known.loss,
            known.accuracy,
            known.test_accuracy,
            time.perf_counter() - began,
        )


@partial(jax.jit, static_argnums=(0, 1))
def _start(trainer: Trainer, mesh: Mesh, plans: Plan, seeds: jax.Array) -> State:
    def share(plans: Plan, seeds: jax.Array) -> State:
        return jax.vmap(lambda plan: jax.vmap(lambda seed: trainer.start(plan, seed))(seeds))(plans)

    return jax.shard_map(share, mesh=mesh, in_specs=(P(AXIS), P()), out_specs=P(AXIS))(plans, seeds)


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _epoch(
    trainer: Trainer,
    mesh: Mesh,
    states: State,
    plans: Plan,
    data: Data,
    seeds: Any,
    number: Any,
) -> tuple[State, Metrics]:
    """One epoch of all runs, spread over the devices. Every device gets all metrics."""

    def one(state: State, plan: Plan, data: Data, order: jax.Array) -> tuple[State, Metrics]:
        return trainer.epoch(state, plan, data, order)

    def share(states: State, plans: Plan, data: Data, seeds: jax.Array) -> tuple[State, Metrics]:
        keys = jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(seed), number))(seeds)
        orders = jax.vmap(lambda key: trainer.order(key, len(data.train.labels)))(keys)
        over_seeds = jax.vmap(one, in_axes=(0, None, None, 0))
        over_runs = jax.vmap(over_seeds, in_axes=(0, 0, None, None))
        states, metrics = over_runs(states, plans, data, orders)
        return states, lax.all_gather(metrics, AXIS, tiled=True)

    specs = (P(AXIS), P(AXIS), P(), P())
    shared = jax.shard_map(share, mesh=mesh, in_specs=specs, out_specs=(P(AXIS), P()), check_vma=False)
    return shared(states, plans, data, seeds)
