"""The compiled parts of training: one epoch, and one evaluation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import lax

import jaxsched as js
from train.model import LeNet


class State(NamedTuple):
    """What training changes: the model's parameters and the optimizer's state."""

    params: Any
    opt_state: Any


class Metrics(NamedTuple):
    """Means over the batches of an epoch, as they were trained."""

    loss: jax.Array
    accuracy: jax.Array


def optimizer(schedule: js.Schedule, momentum: float) -> optax.GradientTransformationExtraArgs:
    """Stochastic gradient descent with momentum."""
    return optax.chain(optax.trace(momentum), js.scale_by_learning_rate(schedule))


def start(tx: optax.GradientTransformation, seed: int) -> State:
    """The first state."""
    params = nnx.state(LeNet(nnx.Rngs(seed)), nnx.Param)
    return State(params, tx.init(params))


def apply(params: Any, images: jax.Array) -> jax.Array:
    """The logits for images of bytes, (batch, 28, 28, 1)."""
    model = nnx.merge(GRAPH, params)
    return model(images.astype(jnp.float32) / 255)


GRAPH = nnx.graphdef(nnx.eval_shape(lambda: LeNet(nnx.Rngs(0))))


def loss_and_accuracy(params: Any, images: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean cross-entropy, and the fraction that is right."""
    logits = apply(params, images)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses.mean(), (logits.argmax(-1) == labels).mean()


def epoch_of(
    tx: optax.GradientTransformation, batch_size: int
) -> Callable[[State, jax.Array, jax.Array, jax.Array], tuple[State, Metrics]]:
    """One epoch as one compiled program, over data that lies on the device.

    Returns:
      A function of the state (which it consumes), the images, the labels and a key for their order. What is
      left over from the last whole batch is dropped.
    """

    @partial(jax.jit, donate_argnums=0)
    def train_epoch(
        state: State, images: jax.Array, labels: jax.Array, key: jax.Array
    ) -> tuple[State, Metrics]:
        batches = len(labels) // batch_size
        order = jax.random.permutation(key, len(labels))[: batches * batch_size]

        def step(state: State, batch: jax.Array) -> tuple[State, Metrics]:
            gradient = jax.value_and_grad(loss_and_accuracy, has_aux=True)
            (loss, accuracy), slopes = gradient(state.params, images[batch], labels[batch])
            updates, opt_state = tx.update(slopes, state.opt_state, state.params)
            return State(optax.apply_updates(state.params, updates), opt_state), Metrics(loss, accuracy)

        state, metrics = lax.scan(step, state, order.reshape(batches, batch_size))
        return state, jax.tree.map(jnp.mean, metrics)

    return train_epoch


@partial(jax.jit, static_argnames="batch_size")
def evaluate(params: Any, images: jax.Array, labels: jax.Array, batch_size: int = 1000) -> jax.Array:
    """The accuracy over all images, none left out."""
    missing = -len(labels) % batch_size
    padded = jnp.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)))
    answers = jnp.pad(labels, (0, missing), constant_values=-1)

    def right(batch: tuple[jax.Array, jax.Array]) -> jax.Array:
        batch_images, batch_labels = batch
        return (apply(params, batch_images).argmax(-1) == batch_labels).sum()

    counts = lax.map(right, (padded.reshape(-1, batch_size, 28, 28, 1), answers.reshape(-1, batch_size)))
    return counts.sum() / len(labels)
