"""LeNet: the fast layers equal the plain ones, up to rounding."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from selection import by_default

from jaxsched._core.versions import enable_x64
from train import fast_layers, step
from train.fast_layers import conv_relu_pool
from train.model import LeNet


def plain(conv, images):
    return nnx.max_pool(nnx.relu(conv(images)), (2, 2), (2, 2))


def convolution(channels, features, padding):
    """A convolution with a random bias; Flax initializes it with 0."""
    conv = nnx.Conv(channels, features, (5, 5), padding=padding, rngs=nnx.Rngs(0))
    conv.bias[...] = jax.random.normal(jax.random.key(1), conv.bias.shape)
    return conv


def lenet():
    model = LeNet(nnx.Rngs(0))
    for layer in (model.conv1, model.conv2, model.dense1, model.dense2, model.dense3):
        layer.bias[...] = 0.1 * jax.random.normal(jax.random.key(1), layer.bias.shape)
    return model


CASES = {
    "first": (lambda: convolution(1, 6, 2), (3, 28, 28, 1), conv_relu_pool, plain),
    "second": (lambda: convolution(6, 16, 0), (3, 14, 14, 6), conv_relu_pool, plain),
    "flat": (lambda: convolution(2, 3, 0), (2, 6, 10, 2), conv_relu_pool, plain),
    "one image": (lambda: convolution(3, 2, 1), (1, 8, 8, 3), conv_relu_pool, plain),
    "LeNet": (lenet, (3, 28, 28, 1), fast_layers.lenet, LeNet.__call__),
}


def results_and_gradients(params, images, graph, forward):
    """The output, and gradients of a weighted sum of it by the parameters and the images."""

    def total(params, images):
        results = forward(nnx.merge(graph, params), images)
        return jnp.vdot(results, jnp.cos(jnp.arange(results.size, dtype=results.dtype))), results

    gradients, results = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))(params, images)
    return *map(nnx.to_pure_dict, gradients[:1]), gradients[1], results


@pytest.mark.parametrize("name", by_default(("LeNet",), CASES))
def test_the_fast_layers_equal_the_plain_ones(name):
    """The plain ones are in float64. Both use the same parameters, so they can share a checkpoint."""
    build, shape, fast, slow = CASES[name]
    graph, params = nnx.split(build())
    images = jax.random.normal(jax.random.key(2), shape)
    actual = results_and_gradients(params, images, graph, fast)
    with enable_x64(True):
        exact = results_and_gradients(*jax.tree.map(jnp.float64, (params, images)), graph, slow)
    jax.tree.map(assert_equal_to_rounding, actual, exact)


def assert_equal_to_rounding(actual, exact):
    """Equal up to a few ulps of the largest number that may have been added."""
    np.testing.assert_allclose(actual, exact, rtol=0, atol=2e-6 * np.abs(exact).max())


def test_among_equal_pixels_the_first_has_the_gradient():
    conv = convolution(1, 2, 2)
    conv.bias[...] = jnp.ones(2)
    images = jnp.zeros((2, 8, 8, 1))
    fast, slow = (
        jax.jit(jax.grad(lambda images, layer=layer: layer(conv, images).sum()))(images)
        for layer in (conv_relu_pool, plain)
    )
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-6)


def test_derivatives_go_forward_too():
    conv = convolution(1, 2, 2)
    images, direction = jax.random.normal(jax.random.key(0), (2, 3, 8, 8, 1))
    fast, slow = (
        jax.jit(lambda *each, layer=layer: jax.jvp(lambda x: layer(conv, x), *each))((images,), (direction,))
        for layer in (conv_relu_pool, plain)
    )
    jax.tree.map(assert_equal_to_rounding, fast, slow)


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_the_trainer_has_no_convolution_on_any_platform(platform):
    """The compiler for a TPU finds no end with the gradient of the first one."""
    params, images = step.first_params(np.uint32(0)), np.zeros((2, 28, 28, 1), np.uint8)
    program = jax.jit(lambda *arguments: step.apply(*arguments)).trace(params, images)
    assert "convolution" not in program.lower(lowering_platforms=(platform,)).as_text()


def test_lenet_has_its_parameters():
    params = nnx.to_pure_dict(nnx.state(LeNet(nnx.Rngs(0)), nnx.Param))
    assert jax.tree.map(np.shape, params) == {
        "conv1": {"kernel": (5, 5, 1, 6), "bias": (6,)},
        "conv2": {"kernel": (5, 5, 6, 16), "bias": (16,)},
        "dense1": {"kernel": (400, 120), "bias": (120,)},
        "dense2": {"kernel": (120, 84), "bias": (84,)},
        "dense3": {"kernel": (84, 10), "bias": (10,)},
    }
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 61_706


def test_lenet_gives_ten_logits():
    assert jax.eval_shape(LeNet(nnx.Rngs(0)), jnp.zeros((3, 28, 28, 1))).shape == (3, 10)
