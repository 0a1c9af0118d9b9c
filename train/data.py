"""The data sets: scikit-learn's digits, and Fashion-MNIST from files or TensorFlow Datasets.

Read `train.devices` next.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

DATASETS = ("digits", "fashion_mnist")

FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
"""The four files of Fashion-MNIST. Each may be compressed, with the suffix `.gz`."""


class DataError(Exception):
    """The data cannot be loaded or is invalid."""


class Split(NamedTuple):
    """Images, uint8 of shape (n, 28, 28, 1), and their labels, int32 of shape (n,), from 0 to 9.

    NumPy arrays when loaded, JAX arrays once they are on a device.
    """

    images: Any
    labels: Any


class Data(NamedTuple):
    """A data set.

    Attributes:
      train: training images.
      test: test images, evaluated after each epoch.
      held_out: validation images for a plateau, or `None`.
    """

    train: Split
    test: Split
    held_out: Split | None = None

    def with_held_out(self) -> Data:
        """Moves every tenth training image to `held_out`."""
        images, labels = self.train
        held = np.arange(len(labels)) % 10 == 9
        return Data(Split(images[~held], labels[~held]), self.test, Split(images[held], labels[held]))


def load(name: str, data_dir: Path | None = None) -> Data:
    """Loads a data set.

    Args:
      name: one of `DATASETS`.
      data_dir: the folder with the files of `fashion_mnist`. With `None`, TensorFlow Datasets loads them.

    Raises:
      DataError: the data cannot be loaded, or a file is missing, truncated or damaged.
    """
    if name == "digits":
        return digits()
    return fashion_mnist_from_files(data_dir) if data_dir else fashion_mnist_from_tfds()


def digits() -> Data:
    """Scikit-learn's 1,797 handwritten digits, scaled from 8 x 8 to 24 x 24 and padded to 28 x 28.

    Every fifth image is a test image.
    """
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    grey = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    large = np.pad(grey.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))
    test = np.arange(len(grey)) % 5 == 0
    return _checked(large[~test], bunch.target[~test], large[test], bunch.target[test])


def fashion_mnist_from_files(data_dir: Path) -> Data:
    """Fashion-MNIST from the four IDX files in a folder, compressed or not."""
    if not data_dir.is_dir():
        raise DataError(f"`--data-dir {data_dir}` must be an existing folder.")
    arrays = {name: read_idx(_find(data_dir, file)) for name, file in FILES.items()}
    for name, array in arrays.items():
        expected = (28, 28) if name.endswith("images") else ()
        if array.shape[1:] != expected:
            raise DataError(
                f"{FILES[name]} in {data_dir} must have items of shape {expected}, got {array.shape[1:]}."
            )
    return _checked(*arrays.values())


def _find(data_dir: Path, name: str) -> Path:
    for path in (data_dir / name, data_dir / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"There is no {name} or {name}.gz in {data_dir}.")


def read_idx(path: Path) -> np.ndarray:
    """Reads an IDX file of bytes.

    Its header is two zero bytes, the type (8 for bytes), the rank, and the lengths of the axes as big-endian
    32-bit integers.

    Raises:
      DataError: the file cannot be read, is not an IDX file of bytes, or does not match its header in length.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise DataError(
            f"{path} must be an IDX file of bytes, but it starts with {content[:4].hex(' ') or 'nothing'}."
        )
    rank = content[3]
    if len(content) < 4 + 4 * rank:
        raise DataError(
            f"{path} is truncated: its header of {rank} axes does not fit in {len(content)} bytes."
        )
    shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    items = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
    if items.size != np.prod(shape, dtype=object):
        raise DataError(f"{path} must hold {' x '.join(map(str, shape))} bytes, got {items.size}.")
    return items.reshape(shape)


def fashion_mnist_from_tfds() -> Data:
    """Fashion-MNIST from TensorFlow Datasets. The first call downloads it."""
    ways = (
        "There are three ways to get Fashion-MNIST: its four IDX files and `--data-dir DIR`; the Debian "
        "package dataset-fashion-mnist and `--data-dir /usr/share/datasets/fashion-mnist`; or "
        "`pip install '.[tfds]'` and a network connection. `--dataset digits` needs none of these."
    )
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DataError(f"TensorFlow Datasets is not installed. {ways}") from error
    try:
        splits = tfds.as_numpy(tfds.load("fashion_mnist", batch_size=-1, as_supervised=True))
    except Exception as error:  # TensorFlow Datasets raises many kinds
        raise DataError(f"TensorFlow Datasets could not load Fashion-MNIST: {error}\n{ways}") from error
    return _checked(*splits["train"], *splits["test"])


def _checked(
    train_images: np.ndarray, train_labels: np.ndarray, test_images: np.ndarray, test_labels: np.ndarray
) -> Data:
    """Checks that the four arrays are consistent, and gives them their shapes and dtypes."""
    for split, images, labels in (("train", train_images, train_labels), ("test", test_images, test_labels)):
        if len(images) != len(labels) or not len(images):
            raise DataError(f"The {split} set has {len(images)} images and {len(labels)} labels.")
        if labels.max() > 9:
            raise DataError(f"The {split} labels must be from 0 to 9, got {labels.max()}.")
    return Data(
        Split(train_images.reshape(-1, 28, 28, 1), train_labels.astype(np.int32)),
        Split(test_images.reshape(-1, 28, 28, 1), test_labels.astype(np.int32)),
    )
