"""Schedules among the types and the tools of other libraries."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsched as js

LINE = js.Linear(0.3, 0.0, 10)


class Variable:
    """What holds an array and says so, as the variables of Keras and Flax do."""

    def __init__(self, value):
        self.value = value

    def __jax_array__(self):
        return self.value


@pytest.mark.parametrize("step", [jnp.int32(3), np.int64(3), 3, jnp.arange(4), jnp.float32(2.5)])
def test_a_variable_is_a_step(step):
    np.testing.assert_array_equal(LINE(Variable(step)), LINE(step))


def test_a_traced_variable_is_a_step():
    assert jax.jit(lambda step: LINE(Variable(step)))(3) == LINE(3)
    with pytest.raises(TypeError, match="`step` must be an integer or floating number or array"):
        LINE(Variable(jnp.array(True)))
