"""The compiled functions: the initial state, an epoch, an evaluation.

Read `train.model` next.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jax.typing import ArrayLike

import jaxsched as js
from jaxsched._core.versions import pmean, varying
from train import devices, fast_layers
from train.data import Data, Split
from train.devices import AXIS
from train.model import LeNet


class Plan(NamedTuple):
    """The learning rate of a run. A pytree, so that many plans can be stacked and trained at once.

    Attributes:
      schedule: the learning rate, in optimizer steps.
      rule: a plateau that scales the schedule, or `None`.
    """

    schedule: js.Schedule
    rule: js.Plateau | None = None


class State(NamedTuple):
    """The training state: the model's parameters and the optimizer's state."""

    params: Any
    opt_state: Any


class Metrics(NamedTuple):
    """The metrics of an epoch.

    Attributes:
      loss: mean loss of the epoch's batches, each before its update.
      accuracy: mean accuracy of the epoch's batches, each before its update.
      learning_rate: learning rate of the latest update, or of update `first_bad` if there is one.
      first_bad: index in the epoch of the first update with a loss that is not finite, or -1. If only the
        parameters after the epoch are not finite, it is the number of updates.
      test_accuracy: accuracy over all test images, after the epoch.
      gradient_norms: Euclidean norm of the gradient at each update, shape (updates,).
    """

    loss: jax.Array
    accuracy: jax.Array
    learning_rate: jax.Array
    first_bad: jax.Array
    test_accuracy: jax.Array
    gradient_norms: jax.Array


@dataclass(frozen=True)
class Trainer:
    """Stochastic gradient descent on a LeNet. An epoch is one compiled program.

    Args:
      momentum: gradient momentum; 0 for none.
      batch_size: images per optimizer step.
    """

    momentum: float
    batch_size: int

    def optimizer(self, plan: Plan) -> optax.GradientTransformationExtraArgs:
        """The optimizer of a plan: momentum if it is not 0, the schedule, and the plateau if there is one."""
        chain = [optax.trace(self.momentum)] if self.momentum else []
        chain.append(js.scale_by_learning_rate(plan.schedule))
        if plan.rule is not None:
            chain.append(js.scale_by_plateau(plan.rule, metric=None))
        return optax.chain(*chain)

    def start(self, plan: Plan, seed: ArrayLike) -> State:
        """The state before the first update."""
        params = first_params(seed)
        return State(params, self.optimizer(plan).init(params))

    def epoch(
        self, state: State, plan: Plan, data: Data, order: jax.Array, axis: str | None = None
    ) -> tuple[State, Metrics]:
        """One pass over the training images in a given order, then the plateau's update and the test.

        With `axis`, the devices share the work: `order` is this device's share of every batch, and `data` has
        its share of the test and held-out images.
        """
        tx = self.optimizer(plan)
        images, labels = data.train

        def step(state: State, batch: jax.Array) -> tuple[State, tuple[jax.Array, ...]]:
            state, known = descend(tx, state, images[batch], labels[batch], axis)
            return state, (*known, js.learning_rate(state.opt_state))

        state, (losses, accuracies, norms, rates) = lax.scan(step, state, order)
        finite = jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params)]).all()
        bad = ~jnp.append(jnp.isfinite(losses), finite)
        first_bad = jnp.where(bad.any(), bad.argmax(), -1)
        if plan.rule is not None:
            assert data.held_out is not None
            watched = evaluate(state.params, data.held_out, axis)
            state = State(state.params, plan.rule.observe(state.opt_state, watched.loss))
        tested = evaluate(state.params, data.test, axis)
        # -1 is the last rate. So is the index after the epoch, by `clip`: that update has no rate yet.
        rate = rates.at[first_bad].get(mode="clip", wrap_negative_indices=True)
        return state, Metrics(losses.mean(), accuracies.mean(), rate, first_bad, tested.accuracy, norms)

    def order(self, key: jax.Array, images: int) -> jax.Array:
        """The indices of the images in each batch of an epoch. An incomplete last batch is dropped."""
        batches = images // self.batch_size
        order = shuffled(key, images)[: batches * self.batch_size]
        return order.reshape(batches, self.batch_size)

    @partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
    def epoch_on(
        self, mesh: Mesh, state: State, plan: Plan, data: Data, key: Any, number: Any
    ) -> tuple[State, Metrics]:
        """An epoch on many devices. The state is donated.

        Args:
          mesh: the devices.
          state: replicated, like the result.
          plan: replicated.
          data: sharded by `spread`.
          key: data of the run's random key, from `jax.random.key_data`.
          number: index of the epoch, from 0.
        """
        now = jax.random.fold_in(jax.random.wrap_key_data(key), number)
        epoch = jax.shard_map(
            partial(self.epoch, axis=AXIS),
            mesh=mesh,
            in_specs=(P(), P(), SPREAD, P(None, AXIS)),
            out_specs=P(),
        )
        return epoch(state, plan, data, self.order(now, len(data.train.labels)))

    def find_rate(
        self, train: Split, seed: int, min_value: float, max_value: float, steps: int
    ) -> js.RangeTest:
        """A range test on the training loss, with a new batch for each step."""
        images, labels = jax.device_put(train)
        batches = len(labels) // self.batch_size
        order = shuffled(jax.random.key(seed), len(labels))
        tx = self.optimizer(Plan(js.Constant(min_value)))

        def attempt(state: State, rate: jax.Array, i: jax.Array) -> tuple[State, jax.Array]:
            batch = lax.dynamic_slice_in_dim(order, i % batches * self.batch_size, self.batch_size)
            state, (loss, *_) = descend(tx, state, images[batch], labels[batch], schedule=js.Constant(rate))
            return state, loss

        first = self.start(Plan(js.Constant(min_value)), jnp.asarray(seed, jnp.uint32))
        return js.range_test(attempt, first, min_value=min_value, max_value=max_value, steps=steps)


def shuffled(key: jax.Array, count: int) -> jax.Array:
    """A random permutation of the indices below `count`, without a sort.

    For 54,000 images it compiles for a TPU v5e in 0.3 s of CPU time. `jax.random.permutation` takes 18 s
    there, and one sort of random numbers 8 s.

    This is the swap-or-not shuffle of Hoang, Morris and Rogaway, "An Enciphering Scheme Based on a Card
    Shuffle" (2012). Each round pairs the indices whose sum is the round's pivot, modulo `count`, and a random
    bit for each pair decides whether its two indices are swapped. So every round is a permutation.
    """

    def swap(index: jax.Array, drawn: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        pivot, salt = drawn
        partner = jnp.where(index > pivot, pivot + count - index, pivot - index)
        pair = jnp.maximum(index, partner).astype(jnp.uint32)
        return jnp.where(_mixed(pair ^ salt) >> 31, partner, index), None

    for_pivots, for_salts = jax.random.split(key)
    pivots = jax.random.randint(for_pivots, (ROUNDS,), 0, count)
    salts = jax.random.bits(for_salts, (ROUNDS,))
    return lax.scan(swap, jnp.arange(count), (pivots, salts))[0]


ROUNDS = 64
"""The rounds of a shuffle: four for each bit of an index, for up to 65,536 images."""


def _mixed(x: jax.Array) -> jax.Array:
    """A hash of uint32: the last steps of MurmurHash3."""
    x = (x ^ x >> 16) * jnp.uint32(0x85EBCA6B)
    x = (x ^ x >> 13) * jnp.uint32(0xC2B2AE35)
    return x ^ x >> 16


def descend(
    tx: optax.GradientTransformationExtraArgs,
    state: State,
    images: jax.Array,
    labels: jax.Array,
    axis: str | None = None,
    **extra_args: Any,
) -> tuple[State, tuple[jax.Array, jax.Array, jax.Array]]:
    """One optimizer step on a batch, or on this device's share of it.

    Returns the loss, the accuracy and the Euclidean norm of the gradient too, all of the whole batch.
    """

    def objective(params: Any) -> tuple[jax.Array, jax.Array]:
        if axis is None:
            return loss_and_accuracy(params, images, labels)
        # Mark the parameters as varying first. The sum over devices is then taken once, of their gradient,
        # and not of each copy that the layers make of them. The result is the whole batch's gradient.
        params = varying(params, axis)
        return pmean(loss_and_accuracy(params, images, labels), axis)

    (loss, accuracy), slopes = jax.value_and_grad(objective, has_aux=True)(state.params)
    updates, opt_state = tx.update(slopes, state.opt_state, state.params, **extra_args)
    state = State(optax.apply_updates(state.params, updates), opt_state)
    return state, (loss, accuracy, optax.tree.norm(slopes))


@jax.jit
def first_params(seed: ArrayLike) -> Any:
    """The parameters of an untrained LeNet."""
    return nnx.state(LeNet(nnx.Rngs(jax.random.key(seed))), nnx.Param)


GRAPH = nnx.graphdef(nnx.eval_shape(lambda: LeNet(nnx.Rngs(0))))


def apply(params: Any, images: jax.Array) -> jax.Array:
    """Maps uint8 images of shape (batch, 28, 28, 1) to logits of shape (batch, 10)."""
    return fast_layers.lenet(nnx.merge(GRAPH, params), images.astype(jnp.float32) / 255)


def losses_and_hits(params: Any, images: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The cross-entropy of each image, and whether its prediction is correct."""
    logits = apply(params, images)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses, logits.argmax(-1) == labels


def loss_and_accuracy(params: Any, images: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean cross-entropy and the accuracy."""
    losses, hits = losses_and_hits(params, images, labels)
    return losses.mean(), hits.mean()


class Tested(NamedTuple):
    """The mean loss and the accuracy over a set of images."""

    loss: jax.Array
    accuracy: jax.Array


def evaluate(params: Any, split: Split, axis: str | None = None, batch_size: int = 1000) -> Tested:
    """Evaluates a split or, with `axis`, this device's share of it. Images labelled -1 do not count."""
    batch_size = min(batch_size, len(split.labels))
    images, labels = filled_up(split, batch_size)

    def totals(batch: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        losses, hits = losses_and_hits(params, *batch)
        counts = batch[1] >= 0
        return jnp.sum(losses, where=counts), jnp.sum(hits, where=counts), jnp.sum(counts)

    batches = images.reshape(-1, batch_size, 28, 28, 1), labels.reshape(-1, batch_size)
    sums = jax.tree.map(jnp.sum, lax.map(totals, batches))
    loss, hits, count = sums if axis is None else lax.psum(sums, axis)
    return Tested(loss / count, hits / count)


def filled_up(split: Split, multiple: int) -> Split:
    """Pads a split to a multiple of a number of images. The padding is labelled -1."""
    missing = -len(split.labels) % multiple
    return Split(
        jnp.pad(split.images, ((0, missing), (0, 0), (0, 0), (0, 0))),
        jnp.pad(split.labels, (0, missing), constant_values=-1),
    )


COPIED: Any = P()
SHARED: Any = P(AXIS)
SPREAD = Data(train=COPIED, test=SHARED, held_out=SHARED)
"""Every device has all training images, and its share of the others."""


def spread(data: Data, mesh: Mesh) -> Data:
    """Puts the data on the devices, sharded by `SPREAD`."""
    test = jax.device_get(filled_up(data.test, mesh.size))
    held_out = None
    if data.held_out is not None:
        held_out = jax.device_get(filled_up(data.held_out, mesh.size))
    result: Data = devices.put(mesh, Data(data.train, test, held_out), SPREAD)
    return result
