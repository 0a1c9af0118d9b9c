"""The benchmarks run, and compare what is the same: small sizes, so that no time here means anything."""

from __future__ import annotations

import jax
import numpy as np
import optax
import pytest
from flax import nnx

from benchmarks import device, epoch, overhead
from benchmarks.report import markdown
from train.model import LeNet


def bright(count, seed=0):
    """Images whose brightness is their label."""
    labels = np.random.default_rng(seed).integers(0, 10, count, np.int32)
    return np.broadcast_to((25 * labels.astype(np.uint8))[:, None, None, None], (count, 28, 28, 1)), labels


DATA = epoch.Data(*bright(600), *bright(60, seed=1))
PEERS = ("ours", "plain_flax", "pytorch")


@pytest.fixture
def peer(request):
    if request.param == "pytorch":
        pytest.importorskip("torch")
    return getattr(epoch, request.param)


@pytest.mark.parametrize("peer", PEERS, indirect=True)
def test_an_epoch_is_the_whole_batches_and_the_test(peer):
    one = peer(DATA)
    results = [one() for _ in range(4)]
    losses = [loss for loss, _ in results]
    assert losses[0] == pytest.approx(np.log(10), rel=0.1)
    assert losses[-1] < losses[0]
    assert all(0 <= accuracy <= 1 for _, accuracy in results)


LAYERS = ("conv1", "conv2", "dense1", "dense2", "dense3")


def plain_flax_logits(ours, images):
    """Plain Flax's, with our parameters, and how many these are."""
    plain = epoch.PlainLeNet(nnx.Rngs(1))
    for name in LAYERS:
        layer = getattr(ours, name)
        nnx.update(getattr(plain, name), nnx.state(getattr(layer, "conv", layer)))
    return nnx.jit(plain)(images), sum(leaf.size for leaf in jax.tree.leaves(nnx.state(plain, nnx.Param)))


def pytorch_logits(ours, images):
    """PyTorch's, with our parameters, and how many these are."""
    torch = pytest.importorskip("torch")
    theirs = epoch.torch_lenet()
    layers = [layer for layer in theirs if list(layer.parameters())]
    with torch.no_grad():
        for name, layer in zip(LAYERS, layers, strict=True):
            mine = getattr(ours, name)
            mine = getattr(mine, "conv", mine)
            kernel = np.array(mine.kernel[...])
            if name == "dense1":  # PyTorch's pixels are in the order of channel, row, column
                kernel = kernel.reshape(5, 5, 16, 120).transpose(2, 0, 1, 3).reshape(400, 120)
            layer.weight.copy_(torch.tensor(np.moveaxis(kernel, (-1, -2), (0, 1))))
            layer.bias.copy_(torch.tensor(np.array(mine.bias[...])))
        logits = theirs(torch.tensor(np.array(images).transpose(0, 3, 1, 2))).numpy()
    return logits, sum(each.numel() for each in theirs.parameters())


@pytest.mark.parametrize("logits_of", [plain_flax_logits, pytorch_logits])
def test_the_models_are_one(logits_of):
    ours = LeNet(nnx.Rngs(0))
    for name in LAYERS:
        layer = getattr(ours, name)
        bias = getattr(layer, "conv", layer).bias
        bias[...] = jax.random.normal(jax.random.key(0), bias.shape)
    images = jax.random.uniform(jax.random.key(1), (64, 28, 28, 1))
    labels = np.arange(64) % 10
    logits, count = logits_of(ours, images)
    assert count == 61_706
    losses = [
        optax.softmax_cross_entropy_with_integer_labels(np.asarray(each), labels).mean()
        for each in (nnx.jit(ours)(images), logits)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-6)


@pytest.mark.thorough
def test_the_table_of_epochs():
    pytest.importorskip("torch")
    rows = epoch.measure(DATA, rounds=1, divisor=2)
    assert [row["peer"].split(",")[0] for row in rows] == ["PyTorch", "Flax"]
    assert "None" not in markdown(rows)


def test_a_share_is_the_first_images():
    part = epoch.share(DATA, 10)
    assert [len(array) for array in vars(part).values()] == [60, 60, 6, 6]
    np.testing.assert_array_equal(part.train_labels, DATA.train_labels[:60])


def test_the_table_of_overheads():
    rows = overhead.training(steps=2, rounds=1, alone=10) + overhead.one_after_another(3)
    assert [row["peer"] for row in rows] == ["a constant rate"] * 2 + ["Optax"] * 3
    assert [(row["ours"], row["theirs"]) for row in rows[-2:]] == [("1", "3"), ("1", "3")]


def test_one_trace_serves_all_seven_kinds():
    kinds = [kind(i) for i, kind in enumerate(overhead.KINDS)]
    assert len({type(kind) for kind in kinds}) == 7
    stacked = overhead.picked(kinds)
    assert overhead.traces_of_arguments(stacked) == 1
    np.testing.assert_array_equal([each(7) for each in stacked], [each(7) for each in kinds])


@pytest.mark.thorough
def test_the_table_of_a_device():
    rows = device.measure(images=600, epochs=1, many=2)
    assert [row["what"] for row in rows][:3] == [
        "one schedule",
        "the 7 schedules of `compare`",
        "2 schedules",
    ]


def test_random_data_has_the_form_of_the_real():
    data = device.random_data(60)
    assert data.train_images.shape == (60, 28, 28, 1)
    assert data.test_images.shape == (10, 28, 28, 1)
    assert (data.train_images.dtype, data.train_labels.dtype) == (np.uint8, np.int32)
