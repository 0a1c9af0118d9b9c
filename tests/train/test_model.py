"""LeNet: the fast layers are the plain ones."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxsched._core.versions import enable_x64
from train import model
from train.model import ConvReluPool, LeNet


def plain(layer, images):
    return nnx.max_pool(nnx.relu(layer.conv(images)), (2, 2), (2, 2))


LAYERS = {
    "first": ((3, 28, 28, 1), {"channels": 1, "features": 6, "padding": 2}),
    "second": ((3, 14, 14, 6), {"channels": 6, "features": 16, "padding": 0}),
    "flat": ((2, 6, 10, 2), {"channels": 2, "features": 3, "padding": 0}),
    "one image": ((1, 8, 8, 3), {"channels": 3, "features": 2, "padding": 1}),
}


def results_and_slopes(params, images, graph, forward):
    """What comes out, and the slopes of some sum of it along the parameters and the images."""

    def total(params, images):
        results = forward(nnx.merge(graph, params), images)
        return jnp.vdot(results, jnp.cos(jnp.arange(results.size, dtype=results.dtype))), results

    slopes, results = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))(params, images)
    return *map(nnx.to_pure_dict, slopes[:1]), slopes[1], results


@pytest.mark.parametrize("name", LAYERS)
def test_the_fast_layers_equal_the_plain_ones(name):
    shape, arguments = LAYERS[name]
    layer = ConvReluPool(**arguments, rngs=nnx.Rngs(0))
    layer.conv.bias[...] = jax.random.normal(jax.random.key(1), layer.conv.bias.shape)
    images = jax.random.normal(jax.random.key(2), shape)
    graph, params = nnx.split(layer)
    fast = results_and_slopes(params, images, graph, lambda layer, images: layer(images))
    with enable_x64(True):
        exact = results_and_slopes(*jax.tree.map(jnp.float64, (params, images)), graph, plain)
    jax.tree.map(assert_equal_to_rounding, fast, exact)


def assert_equal_to_rounding(actual, exact):
    """Up to a few units in the last place of the largest number that may have been added."""
    np.testing.assert_allclose(actual, exact, rtol=0, atol=2e-6 * np.abs(exact).max())


def test_among_equal_pixels_the_first_has_the_gradient():
    layer = ConvReluPool(1, 2, padding=2, rngs=nnx.Rngs(0))
    layer.conv.bias[...] = jnp.ones(2)
    images = jnp.zeros((2, 8, 8, 1))
    fast = jax.jit(jax.grad(lambda images: layer(images).sum()))(images)
    slow = jax.jit(jax.grad(lambda images: plain(layer, images).sum()))(images)
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-6)


def test_slopes_go_forward_too():
    layer = ConvReluPool(1, 2, padding=2, rngs=nnx.Rngs(0))
    images, direction = jax.random.normal(jax.random.key(0), (2, 3, 8, 8, 1))
    fast = jax.jit(lambda *each: jax.jvp(layer, *each))((images,), (direction,))
    slow = jax.jit(lambda *each: jax.jvp(partial(plain, layer), *each))((images,), (direction,))
    jax.tree.map(assert_equal_to_rounding, fast, slow)


def test_elsewhere_the_plain_layers_run(monkeypatch):
    layer = ConvReluPool(1, 6, padding=2, rngs=nnx.Rngs(0))
    images = jax.random.normal(jax.random.key(0), (2, 28, 28, 1))
    monkeypatch.setattr(model.jax, "default_backend", lambda: "gpu")
    np.testing.assert_array_equal(layer(images), plain(layer, images))


def test_lenet_has_its_parameters():
    params = nnx.to_pure_dict(nnx.state(LeNet(nnx.Rngs(0)), nnx.Param))
    sizes = {
        path: np.shape(leaf)
        for path, leaf in (
            (jax.tree_util.keystr(p, simple=True), x) for p, x in jax.tree.leaves_with_path(params)
        )
    }
    assert sum(map(np.prod, sizes.values())) == 61_706
    assert sizes["conv1conv" + "kernel"] == (5, 5, 1, 6)
    assert sizes["conv2conv" + "kernel"] == (5, 5, 6, 16)


def test_lenet_gives_ten_logits():
    assert jax.eval_shape(LeNet(nnx.Rngs(0)), jnp.zeros((3, 28, 28, 1))).shape == (3, 10)
