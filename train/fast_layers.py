"""LeNet's convolutions as products of matrices: the function of `train.model`, eight times as fast on a CPU.

An epoch of Fashion-MNIST takes 1.1 s on two cores with these layers, and 9.0 s with `nnx.Conv` and
`nnx.max_pool`: `python -m benchmarks.epoch --data-dir DIR` measures both. Most of the time of the plain
layers goes into two gradients, that of `max_pool` and that of the first convolution.

The idea: after a 5 x 5 convolution and 2 x 2 pooling, a result sees a 6 x 6 window of the image, and the
windows are 2 pixels apart. Each of the four positions that are pooled sees 25 of the 36 pixels. So one
matrix, with the kernel at its four offsets in the window, times the windows of all images gives all four,
and pooling is a maximum over them. The batch is the innermost axis, so that a slice of pixels is a run of
contiguous numbers.

On a GPU or a TPU, the trainer uses the plain layers. Read `train.checkpoint` next.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from train.model import LeNet


def lenet(model: LeNet, images: jax.Array) -> jax.Array:
    """The logits of `model(images)`, (batch, 10), to rounding."""
    return model.classify(conv_relu_pool(model.conv2, conv_relu_pool(model.conv1, images)))


def conv_relu_pool(conv: nnx.Conv, images: jax.Array) -> jax.Array:
    """A convolution, relu, and maxima over 2 x 2: `nnx.max_pool(nnx.relu(conv(images)), (2, 2), (2, 2))`.

    Args:
      conv: 5 x 5 with a bias, and its `padding` one number for all four sides.
      images: (batch, height, width, channels), of even height and width.

    Returns:
      Shape (batch, height / 2 - 2, width / 2 - 2, features), with the height and width of the padded images.
    """
    assert isinstance(conv.padding, int)
    assert conv.bias is not None
    kernel, bias, padding = conv.kernel[...], conv.bias[...], conv.padding
    # XLA gives one core to a product of this size, and runs what is independent side by side.
    halves = jnp.array_split(images, 2)
    return jnp.concatenate([_by_matrix_product(half, kernel, bias, padding) for half in halves])


def _by_matrix_product(images: jax.Array, kernel: jax.Array, bias: jax.Array, padding: int) -> jax.Array:
    pixels = jnp.pad(images.transpose(1, 2, 3, 0), ((padding,) * 2, (padding,) * 2, (0, 0), (0, 0)))
    windows = _windows(pixels)
    height, width, inputs, batch = windows.shape
    places, features = height * width, len(bias)
    # A copy of the matrix for each place lets the places stay the outermost axis of the products.
    matrices = jnp.broadcast_to(_four_offsets(kernel), (places, 4 * features, inputs))
    products = matrices @ windows.reshape(places, inputs, batch)
    maxima = _first_maximum(products.reshape(places, 4, features, batch))
    results = nnx.relu(maxima + bias[:, None])
    return results.reshape(places * features, batch).T.reshape(batch, height, width, features)


def _windows(pixels: jax.Array) -> jax.Array:
    """All 6 x 6 windows of stride 2 of pixels, (height, width, channels, batch).

    Returns:
      Shape (height / 2 - 2, width / 2 - 2, 36 channels, batch): three shifts down, of three shifts to the
      right, of the rows and of the columns of blocks of 2 x 2, of the channels.
    """
    height, width, channels, batch = pixels.shape
    blocks = pixels.reshape(height // 2, 2, width // 2, 2, channels, batch).transpose(0, 2, 1, 3, 4, 5)
    blocks = blocks.reshape(height // 2, width // 2, 4 * channels, batch)
    rows = jnp.concatenate([blocks[:, i : i + width // 2 - 2] for i in range(3)], axis=2)
    return jnp.concatenate([rows[i : i + height // 2 - 2] for i in range(3)], axis=2)


def _placements() -> np.ndarray:
    """Where the 25 numbers of a kernel lie in a 6 x 6 window, ordered as `_windows`, at its four offsets."""
    numbers = np.eye(25, dtype=np.float32).reshape(5, 5, 25)
    offsets = [(down, right) for down in (0, 1) for right in (0, 1)]
    placed = [np.pad(numbers, ((down, 1 - down), (right, 1 - right), (0, 0))) for down, right in offsets]
    return np.stack(placed).reshape(4, 3, 2, 3, 2, 25).transpose(0, 1, 3, 2, 4, 5).reshape(4 * 36, 25)


PLACEMENTS = _placements()


def _four_offsets(kernel: jax.Array) -> jax.Array:
    """A kernel at its four offsets in a 6 x 6 window, (4 features, 36 channels), ordered as `_windows`."""
    _, _, channels, features = kernel.shape
    placed = jnp.reshape(PLACEMENTS @ kernel.reshape(25, -1), (4, 36, channels, features))
    return placed.transpose(0, 3, 1, 2).reshape(4 * features, 36 * channels)


@jax.custom_jvp
def _first_maximum(x: jax.Array) -> jax.Array:
    """The maxima over the second axis, of length 4; among equals the first has the slope, as in pooling."""
    return x.max(1)


@_first_maximum.defjvp
def _slope_of_first_maximum(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (x,), (slopes,) = primals, tangents
    chosen = jax.nn.one_hot(x.argmax(1), 4, axis=1, dtype=bool)
    return _first_maximum(x), jnp.where(chosen, slopes, 0).sum(1)
