"""The compiled parts of training: the first state, one epoch, one evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import lax
from jax.typing import ArrayLike

import jaxsched as js
from train.model import LeNet


class Plan(NamedTuple):
    """What sets the learning rate: a value, so that many can be trained at once.

    Attributes:
      schedule: in optimizer steps.
      rule: the plateau that multiplies it, or `None`.
    """

    schedule: js.Schedule
    rule: js.Plateau | None = None


class State(NamedTuple):
    """What training changes: the model's parameters and the optimizer's state."""

    params: Any
    opt_state: Any


class Metrics(NamedTuple):
    """Means over the batches of an epoch, as they were trained."""

    loss: jax.Array
    accuracy: jax.Array


@dataclass(frozen=True)
class Trainer:
    """Stochastic gradient descent on a LeNet, one compiled program an epoch.

    Args:
      momentum: of the gradients.
      batch_size: images of one optimizer step.
    """

    momentum: float
    batch_size: int

    def optimizer(self, plan: Plan) -> optax.GradientTransformationExtraArgs:
        """Momentum if there is any, the schedule, and the plateau if there is one."""
        parts = [optax.trace(self.momentum)] if self.momentum else []
        parts.append(js.scale_by_learning_rate(plan.schedule))
        if plan.rule is not None:
            parts.append(js.scale_by_plateau(plan.rule, metric=None))
        return optax.chain(*parts)

    def start(self, plan: Plan, seed: ArrayLike) -> State:
        """The first state."""
        params = first_params(seed)
        return State(params, self.optimizer(plan).init(params))

    @partial(jax.jit, static_argnums=0, donate_argnums=1)
    def epoch(
        self, state: State, plan: Plan, images: jax.Array, labels: jax.Array, key: jax.Array
    ) -> tuple[State, Metrics]:
        """One pass over images that lie on the device, in the order that `key` says.

        The state is consumed. What is left over from the last whole batch is dropped.
        """
        batches = len(labels) // self.batch_size
        order = jax.random.permutation(key, len(labels))[: batches * self.batch_size]
        tx = self.optimizer(plan)

        def step(state: State, batch: jax.Array) -> tuple[State, Metrics]:
            return descend(tx, state, images[batch], labels[batch])

        state, metrics = lax.scan(step, state, order.reshape(batches, self.batch_size))
        return state, jax.tree.map(jnp.mean, metrics)

    def find_rate(
        self, images: Any, labels: Any, seed: int, min_value: float, max_value: float, steps: int
    ) -> js.RangeTest:
        """The range test on the loss, with another batch for each try."""
        images, labels = jax.device_put((images, labels))
        batches = len(labels) // self.batch_size
        order = jax.random.permutation(jax.random.key(seed), len(labels))
        tx = self.optimizer(Plan(js.Constant(min_value)))

        def attempt(state: State, rate: jax.Array, i: jax.Array) -> tuple[State, jax.Array]:
            batch = lax.dynamic_slice_in_dim(order, i % batches * self.batch_size, self.batch_size)
            state, metrics = descend(tx, state, images[batch], labels[batch], schedule=js.Constant(rate))
            return state, metrics.loss

        first = self.start(Plan(js.Constant(min_value)), jnp.asarray(seed, jnp.uint32))
        return js.range_test(attempt, first, min_value=min_value, max_value=max_value, steps=steps)


def descend(
    tx: optax.GradientTransformationExtraArgs,
    state: State,
    images: jax.Array,
    labels: jax.Array,
    **extra_args: Any,
) -> tuple[State, Metrics]:
    """One optimizer step on a batch."""
    gradient = jax.value_and_grad(loss_and_accuracy, has_aux=True)
    (loss, accuracy), slopes = gradient(state.params, images, labels)
    updates, opt_state = tx.update(slopes, state.opt_state, state.params, **extra_args)
    return State(optax.apply_updates(state.params, updates), opt_state), Metrics(loss, accuracy)


@jax.jit
def first_params(seed: ArrayLike) -> Any:
    """The parameters of an untrained LeNet."""
    return nnx.state(LeNet(nnx.Rngs(jax.random.key(seed))), nnx.Param)


GRAPH = nnx.graphdef(nnx.eval_shape(lambda: LeNet(nnx.Rngs(0))))


def apply(params: Any, images: jax.Array) -> jax.Array:
    """The logits for images of bytes, (batch, 28, 28, 1)."""
    model = nnx.merge(GRAPH, params)
    return model(images.astype(jnp.float32) / 255)


def losses_and_hits(params: Any, images: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The cross-entropy of each image, and whether its answer is right."""
    logits = apply(params, images)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses, logits.argmax(-1) == labels


def loss_and_accuracy(params: Any, images: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean cross-entropy, and the fraction that is right."""
    losses, hits = losses_and_hits(params, images, labels)
    return losses.mean(), hits.mean()


@partial(jax.jit, static_argnames="batch_size")
def evaluate(params: Any, images: jax.Array, labels: jax.Array, batch_size: int = 1000) -> Metrics:
    """The mean loss and the accuracy over all images, none left out."""
    missing = -len(labels) % batch_size
    padded = jnp.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)))
    answers = jnp.pad(labels, (0, missing))
    counts = jnp.arange(len(answers)) < len(labels)

    def totals(batch: tuple[jax.Array, jax.Array, jax.Array]) -> Metrics:
        images, labels, counts = batch
        losses, hits = losses_and_hits(params, images, labels)
        return Metrics(jnp.sum(losses, where=counts), jnp.sum(hits, where=counts))

    batches = (
        padded.reshape(-1, batch_size, 28, 28, 1),
        *(x.reshape(-1, batch_size) for x in (answers, counts)),
    )
    return jax.tree.map(lambda total: total.sum() / len(labels), lax.map(totals, batches))
