"""LeNet's convolutions as matrix products: the same function as `train.model`, eight times as fast on a CPU.

An epoch of Fashion-MNIST takes 1.1 s on two cores with these layers, and 9.0 s with `nnx.Conv` and
`nnx.max_pool`; `python -m benchmarks.epoch --data-dir DIR` measures both. The plain layers spend most of
their time on two gradients: that of `max_pool` and that of the first convolution.

The idea: after a 5 x 5 convolution and 2 x 2 pooling, each output depends on a 6 x 6 window of the image, and
the windows are 2 pixels apart. Each of the four pooled positions covers 25 of the 36 pixels. One matrix
holds the kernel at its four offsets in the window. Its product with the windows of all images gives all four
positions, and pooling is their maximum. The batch is the innermost axis, so slices of pixels are contiguous.

The trainer uses these layers on every platform. Compiling a step for a TPU v5e takes 4 s of CPU time. With
`nnx.Conv` it was stopped after 150 s: for one channel and 256 images, the compiler finds no end with the
gradient by the kernel, which takes 2 s for 8 images and 3 s for 8 channels. Other products of matrices took
6 s. For an H100, a step with these layers compiles in 2 s and has 81 instructions, with the plain ones in
1.5 s and 60. No GPU or TPU has run either yet. `python -m benchmarks.compiling` compiles for both.

Read `train.checkpoint` next.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from train.model import LeNet


def lenet(model: LeNet, images: jax.Array) -> jax.Array:
    """Computes `model(images)`, shape (batch, 10), up to rounding."""
    return model.classify(conv_relu_pool(model.conv2, conv_relu_pool(model.conv1, images)))


def conv_relu_pool(conv: nnx.Conv, images: jax.Array) -> jax.Array:
    """Convolution, relu and 2 x 2 max pooling: `nnx.max_pool(nnx.relu(conv(images)), (2, 2), (2, 2))`.

    Args:
      conv: a 5 x 5 convolution with a bias, whose `padding` is one number for all four sides.
      images: shape (batch, height, width, channels), with even height and width.

    Returns:
      Shape (batch, height / 2 - 2, width / 2 - 2, features), with the height and width of the padded images.
    """
    assert isinstance(conv.padding, int)
    assert conv.bias is not None
    kernel, bias, padding = conv.kernel[...], conv.bias[...], conv.padding
    # XLA computes a product of this size on one core, and independent products in parallel.
    halves = jnp.array_split(images, 2)
    return jnp.concatenate([_by_matrix_product(half, kernel, bias, padding) for half in halves])


def _by_matrix_product(images: jax.Array, kernel: jax.Array, bias: jax.Array, padding: int) -> jax.Array:
    pixels = jnp.pad(images.transpose(1, 2, 3, 0), ((padding,) * 2, (padding,) * 2, (0, 0), (0, 0)))
    windows = _windows(pixels)
    height, width, inputs, batch = windows.shape
    places, features = height * width, len(bias)
    # With a copy of the matrix for each place, places stay the outermost axis of the products.
    matrices = jnp.broadcast_to(_four_offsets(kernel), (places, 4 * features, inputs))
    products = matrices @ windows.reshape(places, inputs, batch)
    maxima = _first_maximum(products.reshape(places, 4, features, batch))
    results = nnx.relu(maxima + bias[:, None])
    return results.reshape(places * features, batch).T.reshape(batch, height, width, features)


def _windows(pixels: jax.Array) -> jax.Array:
    """Extracts all 6 x 6 windows at stride 2 from pixels of shape (height, width, channels, batch).

    Returns:
      Shape (height / 2 - 2, width / 2 - 2, 36 * channels, batch). The third axis is (3, 3, 2, 2, channels)
      flattened: the block's row and column in the window, the pixel's row and column in its 2 x 2 block, and
      the channel.
    """
    height, width, channels, batch = pixels.shape
    blocks = pixels.reshape(height // 2, 2, width // 2, 2, channels, batch).transpose(0, 2, 1, 3, 4, 5)
    blocks = blocks.reshape(height // 2, width // 2, 4 * channels, batch)
    rows = jnp.concatenate([blocks[:, i : i + width // 2 - 2] for i in range(3)], axis=2)
    return jnp.concatenate([rows[i : i + height // 2 - 2] for i in range(3)], axis=2)


def _placements() -> np.ndarray:
    """One-hot positions of a kernel's 25 entries in a window at four offsets, ordered as in `_windows`."""
    numbers = np.eye(25, dtype=np.float32).reshape(5, 5, 25)
    offsets = [(down, right) for down in (0, 1) for right in (0, 1)]
    placed = [np.pad(numbers, ((down, 1 - down), (right, 1 - right), (0, 0))) for down, right in offsets]
    return np.stack(placed).reshape(4, 3, 2, 3, 2, 25).transpose(0, 1, 3, 2, 4, 5).reshape(4 * 36, 25)


PLACEMENTS = _placements()


def _four_offsets(kernel: jax.Array) -> jax.Array:
    """The kernel at its four offsets in a window, shape (4 * features, 36 * channels)."""
    _, _, channels, features = kernel.shape
    placed = jnp.reshape(PLACEMENTS @ kernel.reshape(25, -1), (4, 36, channels, features))
    return placed.transpose(0, 3, 1, 2).reshape(4 * features, 36 * channels)


@jax.custom_jvp
def _first_maximum(x: jax.Array) -> jax.Array:
    """The maximum over axis 1, of length 4. The first of equal maxima gets the gradient, as in pooling."""
    return x.max(1)


@_first_maximum.defjvp
def _slope_of_first_maximum(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (x,), (slopes,) = primals, tangents
    chosen = jax.nn.one_hot(x.argmax(1), 4, axis=1, dtype=bool)
    return _first_maximum(x), jnp.where(chosen, slopes, 0).sum(1)
