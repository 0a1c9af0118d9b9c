"""What a type checker sees of a schedule: `mypy` reads it with the library."""

from typing import assert_type

import jax
import jax.numpy as jnp
import optax

import jaxsched as js
from jaxsched import forecast

schedule = js.warmup(js.Cosine(0.3, 0.01, 15), 5)
assert_type(schedule(3), jax.Array)
assert_type(schedule(jnp.arange(30)), jax.Array)
assert_type(0.5 * schedule + 0.1, js.Schedule)
assert_type(js.parse("Cosine(0.3, 0.01, 15)"), js.Schedule)
assert_type(js.parse("Constant(rate)", rate=jnp.float32(0.3)), js.Schedule)
assert_type(js.from_dict(js.to_dict(schedule)), js.Schedule)
assert_type(forecast.bound(schedule, 20), forecast.Bound)
assert_type(forecast.refine(schedule, [2.0, 1.0]), js.Schedule)
transform: optax.GradientTransformation = js.scale_by_learning_rate(schedule)


class Halving(js.Schedule):
    """A shape of one's own."""

    init_value: js.Number = js.number()
    half_life: js.Number = js.number(above=0)

    def evaluate(self, t):  # type: ignore[no-untyped-def]  # as in the documentation
        return self.init_value * jnp.exp2(-t / self.half_life)


assert_type(Halving(0.4, half_life=100)(3), jax.Array)
