"""LeNet as in *Dive into Deep Learning*, with relu and max pooling: 61,706 parameters.

The trainer computes the same function with faster layers, from the same parameters.
Read `train.fast_layers` next.
"""

from __future__ import annotations

import jax
from flax import nnx


class LeNet(nnx.Module):
    """Two convolutions with pooling and three dense layers, for 28 x 28 grayscale images of ten classes."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(1, 6, (5, 5), padding=2, rngs=rngs)
        self.conv2 = nnx.Conv(6, 16, (5, 5), padding=0, rngs=rngs)
        self.dense1 = nnx.Linear(400, 120, rngs=rngs)
        self.dense2 = nnx.Linear(120, 84, rngs=rngs)
        self.dense3 = nnx.Linear(84, 10, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps images of shape (batch, 28, 28, 1) to logits of shape (batch, 10)."""
        x = nnx.max_pool(nnx.relu(self.conv1(images)), (2, 2), (2, 2))
        x = nnx.max_pool(nnx.relu(self.conv2(x)), (2, 2), (2, 2))
        return self.classify(x)

    def classify(self, features: jax.Array) -> jax.Array:
        """Maps the convolutions' features, shape (batch, 5, 5, 16), to logits, shape (batch, 10)."""
        x = features.reshape(len(features), -1)
        x = nnx.relu(self.dense1(x))
        x = nnx.relu(self.dense2(x))
        return self.dense3(x)
