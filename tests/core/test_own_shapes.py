"""Shapes of a user's own, wherever they stand: what a formula may do with its fields and with its clock."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsched as js
from jaxsched._core.versions import enable_x64
from jaxsched.testing import float32_path

STEPS = np.array([0, 1, 4, 5, 7, 9, 10, 12, 14, 15, 19], np.int32)


class Bent(js.Schedule):
    """Everything that a number can do: with operators, comparisons and functions."""

    a: js.Number = js.number()
    b: js.Number = js.number(default=2.0)

    def evaluate(self, t):
        high = jnp.where(self.b > 1, self.a**2, abs(-self.a)) + jnp.exp2(-self.b) / (1 + self.b)
        low = jnp.minimum(self.a - 2, jnp.sqrt(self.b)) + 2**self.a * (3 - self.a) * jnp.where(t == 4, 1, 0.5)
        late = jnp.where(t >= 5, t % 4, -t // 3) * self.b + jnp.log1p(t) * jnp.where(self.a <= 0.7, 1, 2)
        return high + low + late + jnp.maximum(t, 3) / self.b + t**2 + 2 ** (-t) + (7 - t) * t


def truth(a, b, t):
    high = (a**2 if b > 1 else a) + 2**-b / (1 + b)
    low = min(a - 2, b**0.5) + 2**a * (3 - a) * (1 if t == 4 else 0.5)
    late = (t % 4 if t >= 5 else -t // 3) * b + np.log1p(t) * (1 if a <= 0.7 else 2)
    return high + low + late + max(t, 3) / b + float(t) ** 2 + 2.0**-t + (7 - t) * t


NUMBERS = [(0.3, 2.0), (0.5, 1.0), (0.9, 3.0)]
JOINED = js.join([Bent(*pair) for pair in NUMBERS], [5, 10])
EXPECTED = [truth(*NUMBERS[min(t // 5, 2)], int(t - 5 * min(t // 5, 2))) for t in STEPS]


@pytest.mark.parametrize("shape", [js.Linear, js.Cosine])
def test_large_ends_of_opposite_signs(shape):
    """Their difference is more than a float32 holds."""
    with float32_path():
        for schedule in (shape(3e38, -3e38, 4), js.knots([3e38, -3e38, 3e38], [0, 4, 8], shape)):
            np.testing.assert_allclose(schedule(np.array([0, 2, 4])), [3e38, 0, -3e38], 1e-6, atol=1e32)


@pytest.mark.parametrize("narrow", [False, True])
def test_in_a_join_of_its_kind(narrow):
    with float32_path() if narrow else enable_x64(False):
        np.testing.assert_allclose(JOINED(STEPS), EXPECTED, rtol=2e-6)
        np.testing.assert_allclose(jax.jit(lambda t: JOINED(t))(STEPS), EXPECTED, rtol=2e-6)
        np.testing.assert_allclose(jax.jit(lambda s, t: s(t))(JOINED, STEPS), EXPECTED, rtol=2e-6)
