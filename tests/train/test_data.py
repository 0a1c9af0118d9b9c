"""The data sets are read correctly, and damaged files are refused."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import jax
import numpy as np
import pytest
from processes import HANG

from train.data import FILES, Data, DataError, Split, digits, load, read_idx
from train.step import Trainer, shuffled

REAL = Path("/usr/share/datasets/fashion-mnist")

"""The real files, from the Debian package dataset-fashion-mnist."""


def idx(array, kind=8):
    lengths = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, kind, array.ndim]) + lengths + array.astype(np.uint8).tobytes()


def arrays(train=20, test=10):
    random = np.random.default_rng(0)
    return {
        "train_images": random.integers(0, 256, (train, 28, 28)),
        "train_labels": random.integers(0, 10, train),
        "test_images": random.integers(0, 256, (test, 28, 28)),
        "test_labels": random.integers(0, 10, test),
    }


def write(folder, contents=None, **changes):
    for name, content in ((contents or arrays()) | changes).items():
        content = content if isinstance(content, bytes) else idx(content)
        (folder / FILES[name]).write_bytes(content)
    return folder


@pytest.fixture
def files(tmp_path):
    return write(tmp_path)


@pytest.mark.parametrize("compressed", [False, True])
def test_four_files_are_read(tmp_path, compressed):
    contents = arrays()
    write(tmp_path, contents)
    if compressed:
        for name in FILES.values():
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
            (tmp_path / name).unlink()
    data = load("fashion_mnist", tmp_path)
    for name, content in contents.items():
        read = attrgetter(name.replace("_", "."))(data)
        np.testing.assert_array_equal(read.reshape(content.shape), content)
        assert read.dtype == (np.uint8 if name.endswith("images") else np.int32)
    assert data.train.images.shape == (20, 28, 28, 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train_images", None, r"There is no train-images-idx3-ubyte or train-images-idx3-ubyte.gz in"),
        (
            "train_images",
            b"",
            "train-images-idx3-ubyte must be an IDX file of bytes, but it starts with nothing.",
        ),
        (
            "test_labels",
            b"hello",
            "t10k-labels-idx1-ubyte must be an IDX file of bytes, but it starts with 68 65 6c 6c.",
        ),
        (
            "train_labels",
            idx(np.zeros(20), kind=9),
            "must be an IDX file of bytes, but it starts with 00 00 09 01.",
        ),
        ("train_images", b"\0\0\x08\x03\0\0", "is truncated: its header of 3 axes does not fit in 6 bytes."),
        ("train_images", idx(np.zeros((20, 28, 28)))[:-1], "must hold 20 x 28 x 28 bytes, got 15679."),
        ("train_labels", idx(np.zeros(20)) + b"\0", "must hold 20 bytes, got 21."),
        (
            "test_images",
            np.zeros((10, 32, 32)),
            r"t10k-images-idx3-ubyte in .* must have items of shape \(28, 28\), got \(32, 32\).",
        ),
        ("test_labels", np.zeros((10, 1)), r"must have items of shape \(\), got \(1,\)."),
        ("train_labels", np.zeros(19), "The train set has 20 images and 19 labels."),
        ("train_labels", np.full(20, 10), "The train labels must be from 0 to 9, got 10."),
    ],
)
def test_a_bad_file_is_refused(files, name, content, message):
    if content is None:
        (files / FILES[name]).unlink()
    else:
        write(files, {name: content})
    with pytest.raises(DataError, match=message):
        load("fashion_mnist", files)


def test_no_images_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"The test set has 0 images and 0 labels."):
        load("fashion_mnist", write(tmp_path, arrays(test=0)))


@pytest.mark.parametrize("cut", [5, 100])
def test_a_damaged_compressed_file_is_refused(files, cut):
    name = FILES["train_images"]
    content = gzip.compress((files / name).read_bytes())
    (files / name).unlink()
    (files / f"{name}.gz").write_bytes(content[:cut])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz cannot be read: "):
        load("fashion_mnist", files)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"`--data-dir .*nowhere` must be an existing folder."):
        load("fashion_mnist", tmp_path / "nowhere")


def test_digits():
    data = digits()
    assert data.train.images.shape == (1437, 28, 28, 1)
    assert data.test.images.shape == (360, 28, 28, 1)
    assert data.train.images.max() == 255
    assert np.bincount(data.test.labels).min() > 25


def test_every_fifth_digit_is_for_testing_and_the_first_is():
    """Each image has pixels enlarged to 3 x 3, a margin of 2 pixels, and its own label."""
    from sklearn.datasets import load_digits

    data, source = digits(), load_digits()
    own = {"test": range(0, 1797, 5), "train": [i for i in range(1797) if i % 5]}
    for split, indices in own.items():
        images, labels = getattr(data, split)
        assert labels.tolist() == source.target[list(indices)].tolist()
        for image, index in zip(images[..., 0], indices, strict=True):
            pixels = image[2:-2, 2:-2].reshape(8, 3, 8, 3)
            grey = np.round(source.images[index] / 16 * 255)
            assert (pixels == grey[:, None, :, None]).all(), (split, index)
    framed = np.concatenate([data.train.images, data.test.images])[..., 0]
    framed[:, 2:-2, 2:-2] = 0
    assert not framed.any()


def numbered(count):
    """Images in which every pixel is the image's number, with labels that cycle from 0 to 6."""
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 28, 28, 1))
    return Split(images, np.arange(count, dtype=np.int32) % 7)


@pytest.mark.parametrize("count", [9, 10, 11, 75])
def test_every_tenth_training_image_is_held_out_and_the_tenth_is_the_first(count):
    data = Data(numbered(count), numbered(13))
    own = {"test": range(13), "held_out": range(9, count, 10)}
    own["train"] = [i for i in range(count) if i not in own["held_out"]]
    for name, split in data.with_held_out()._asdict().items():
        assert split.images.shape == (len(own[name]), 28, 28, 1)
        assert split.images[:, 3, 5, 0].tolist() == list(own[name])
        assert split.labels.tolist() == [i % 7 for i in own[name]]
    assert data.held_out is None


def shuffles(seed, runs, count):
    keys = jax.random.split(jax.random.key(seed), runs)
    return np.array(jax.jit(jax.vmap(lambda key: shuffled(key, count)))(keys))


@pytest.mark.parametrize("count", [1, 2, 7, 1437, 60_000])
def test_a_shuffle_has_every_index_once(count):
    for order in shuffles(0, 3, count):
        assert sorted(order.tolist()) == list(range(count))


def test_the_batches_of_an_epoch_are_the_first_of_a_shuffle():
    key = jax.random.key(0)
    assert Trainer(0.0, 8).order(key, 35).tolist() == shuffled(key, 35)[:32].reshape(4, 8).tolist()


def assert_uniform(counts):
    """Pearson's statistic of equally likely counts is within five standard deviations of its mean."""
    expected, freedom = counts.sum() / counts.size, counts.size - 1
    statistic = ((counts - expected) ** 2).sum() / expected
    assert abs(statistic - freedom) < 5 * np.sqrt(2 * freedom)


def test_all_orders_of_five_are_equally_likely():
    digits = shuffles(1, 24_000, 5) @ 5 ** np.arange(5)
    counts = np.unique(digits, return_counts=True)[1]
    assert len(counts) == 120
    assert_uniform(counts)


def test_a_shuffle_of_many_leaves_no_trace_of_the_order_before():
    count, runs, groups = 54_000, 12, 10
    orders = shuffles(2, runs, count).astype(np.int64)
    group, before = orders * groups // count, np.arange(count) * groups // count
    assert_uniform(np.bincount((before * groups + group).ravel(), minlength=groups**2))
    for gap in (1, 256):  # the next image, and the same place in the next batch
        pairs = group[:, gap:] * groups + group[:, :-gap]
        assert_uniform(np.bincount(pairs.ravel(), minlength=groups**2))
    steps = np.diff(orders) % count * groups // count
    assert_uniform(np.bincount(steps.ravel(), minlength=groups))
    fixed = (orders == np.arange(count)).sum()  # one each on average
    assert abs(fixed - runs) < 5 * np.sqrt(runs)


def run_python(code, *arguments, **environment):
    """Runs code in its own process, because TensorFlow starts threads and warns about other packages."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=HANG,
        cwd=Path(__file__).parents[2],
        env=os.environ | environment,
        check=False,
    )


def test_without_tensorflow_datasets_the_three_ways_are_told():
    code = """
import sys
sys.modules["tensorflow_datasets"] = None
from train.__main__ import main
main(["--dataset", "fashion_mnist"])
"""
    result = run_python(code)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    message = " ".join(result.stderr.split())
    assert "TensorFlow Datasets is not installed. There are three ways to get Fashion-MNIST" in message
    for way in ("--data-dir DIR", "dataset-fashion-mnist", "pip install '.[tfds]'", "--dataset digits"):
        assert way in message


SERVE = """
import functools, http.server, sys, threading
import numpy as np
import tensorflow_datasets as tfds
from pathlib import Path
from train.data import DataError, load

handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
tfds.image_classification.FashionMNIST.URL = f"http://127.0.0.1:{server.server_port}/"
"""


@pytest.mark.fashion_mnist
def test_tensorflow_datasets_gives_the_images_of_the_files(tmp_path):
    code = (
        SERVE
        + """
def in_order(images, labels):
    flat = np.concatenate([labels[:, None].astype(np.uint8), images.reshape(len(images), -1)], 1)
    return flat[np.lexsort(flat.T[::-1])]

loaded, read = load("fashion_mnist"), load("fashion_mnist", Path(sys.argv[1]))
for split in ("train", "test"):
    ours, theirs = (in_order(*getattr(data, split)) for data in (loaded, read))
    np.testing.assert_array_equal(ours, theirs)
    print(split, len(ours))
"""
    )
    result = run_python(code, REAL, TFDS_DATA_DIR=str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[-4:] == ["train", "60000", "test", "10000"]


def test_without_a_network_the_three_ways_are_told(tmp_path):
    code = (
        SERVE
        + """
try:
    load("fashion_mnist")
except DataError as error:
    print(error)
"""
    )
    result = run_python(code, tmp_path, TFDS_DATA_DIR=str(tmp_path / "data"))
    assert result.returncode == 0, result.stderr
    assert "TensorFlow Datasets could not load Fashion-MNIST: " in result.stdout
    assert "three ways to get Fashion-MNIST" in result.stdout
