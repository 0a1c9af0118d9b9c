"""LeNet, with relu and max pooling, in Flax NNX: 61,706 parameters."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


class ConvReluPool(nnx.Module):
    """A 5 x 5 convolution, relu, and maxima over 2 x 2: three layers in one, because on a CPU they are a
    product of matrices and a maximum (`_by_matrix_product`). On a GPU or TPU they are the three layers.

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
        """Maps images, (batch, height, width, channels), of even height and width, to half of these."""
        if jax.default_backend() == "cpu":
            assert self.conv.bias is not None  # `nnx.Conv` has one unless told otherwise
            kernel, bias = self.conv.kernel[...], self.conv.bias[...]
            # XLA gives one core to a product of this size, and runs what is independent side by side.
            halves = jnp.array_split(images, 2)
            return jnp.concatenate([_by_matrix_product(half, kernel, bias, self.padding) for half in halves])
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
    """Convolution, relu and pooling as a product of matrices and a maximum, for each place of the result.

    What a result sees is a 6 x 6 window of stride 2; each of the four positions that it is the maximum of
    sees 25 of its 36 pixels. So a matrix that holds the kernel at its four offsets in the window, times the
    windows of all images, gives all four. The batch is the innermost axis, where every slice of pixels is a
    run of numbers.
    """
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
