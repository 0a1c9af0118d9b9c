"""LeNet, with relu and max pooling, in Flax NNX: 61,706 parameters."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


class ConvReluPool(nnx.Module):
    """A 5 x 5 convolution, relu, and maxima over 2 x 2: three layers in one, because on a CPU they are one
    matrix product and a maximum (`_by_matrix_product`). On a GPU or TPU they are the three layers.

    Args:
      channels: of the images.
      features: of the result.
      padding: of the images, on all four sides.
      rngs: for the initial parameters.
    """  # noqa: D205

    def __init__(self, channels: int, features: int, *, padding: int, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(channels, features, (5, 5), padding=padding, rngs=rngs)
        self.padding = padding

    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps images, (batch, height, width, channels), to half their height and width."""
        if jax.default_backend() == "cpu":
            assert self.conv.bias is not None  # `nnx.Conv` has one unless told otherwise
            return _by_matrix_product(images, self.conv.kernel[...], self.conv.bias[...], self.padding)
        return nnx.max_pool(nnx.relu(self.conv(images)), (2, 2), (2, 2))


class LeNet(nnx.Module):
    """LeNet for 28 x 28 grey images of ten classes."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1 = ConvReluPool(1, 6, padding=2, rngs=rngs)
        self.conv2 = ConvReluPool(6, 16, padding=0, rngs=rngs)
        self.dense1 = nnx.Linear(400, 120, rngs=rngs)
        self.dense2 = nnx.Linear(120, 84, rngs=rngs)
        self.dense3 = nnx.Linear(84, 10, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps images, (batch, 28, 28, 1), to logits, (batch, 10)."""
        x = self.conv2(self.conv1(images))
        x = x.reshape(x.shape[0], -1)
        x = nnx.relu(self.dense1(x))
        x = nnx.relu(self.dense2(x))
        return self.dense3(x)


def _by_matrix_product(images: jax.Array, kernel: jax.Array, bias: jax.Array, padding: int) -> jax.Array:
    """Convolution, relu and pooling as one product of matrices and a maximum.

    What a result sees is a 6 x 6 window of stride 2; each of the four positions that it is the maximum of
    sees 25 of its 36 pixels. So a matrix that holds the kernel at its four offsets in the window, times the
    matrix of all windows, gives all four. The batch is the innermost axis, where every slice of pixels is a
    run of numbers.
    """
    pixels = jnp.pad(images.transpose(3, 1, 2, 0), ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)))
    windows = _windows(pixels)
    inputs, height, width, batch = windows.shape
    features = kernel.shape[-1]
    products = _four_offsets(kernel) @ windows.reshape(inputs, -1)
    maxima = _first_maximum(products.reshape(4, features, height, width, batch))
    return nnx.relu(maxima + bias[:, None, None, None]).transpose(3, 1, 2, 0)


def _windows(pixels: jax.Array) -> jax.Array:
    """All 6 x 6 windows of stride 2 of pixels, (channels, height, width, batch).

    Returns:
      Shape (36 channels, height / 2 - 2, width / 2 - 2, batch): three shifts down, of three shifts to the
      right, of the channels, of the rows and of the columns of blocks of 2 x 2.
    """
    channels, height, width, batch = pixels.shape
    blocks = pixels.reshape(channels, height // 2, 2, width // 2, 2, batch).transpose(0, 2, 4, 1, 3, 5)
    blocks = blocks.reshape(4 * channels, height // 2, width // 2, batch)
    rows = jnp.concatenate([blocks[:, :, i : i + width // 2 - 2] for i in range(3)])
    return jnp.concatenate([rows[:, i : i + height // 2 - 2] for i in range(3)])


def _four_offsets(kernel: jax.Array) -> jax.Array:
    """A kernel at its four offsets in a 6 x 6 window, (4 features, 36 channels), ordered as `_windows`."""
    _, _, channels, features = kernel.shape
    offsets = [(down, right) for down in (0, 1) for right in (0, 1)]
    placed = [
        jnp.pad(kernel, ((down, 1 - down), (right, 1 - right), (0, 0), (0, 0))) for down, right in offsets
    ]
    blocks = jnp.stack(placed).reshape(4, 3, 2, 3, 2, channels, features)
    return blocks.transpose(0, 6, 1, 3, 5, 2, 4).reshape(4 * features, 36 * channels)


def _first_maximum(x: jax.Array) -> jax.Array:
    """The maxima over the first axis, of length 4; among equals the first has the gradient, as in pooling."""
    upper = jnp.where(x[0] >= x[1], x[0], x[1])
    lower = jnp.where(x[2] >= x[3], x[2], x[3])
    return jnp.where(upper >= lower, upper, lower)
