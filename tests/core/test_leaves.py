"""Leaves may be numbers of any kind in any form, and keep their values."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from processes import COMPILED_QUICKLY
from selection import by_default

import jaxsched as js
from catalogue.cases import CASES, SHORT
from catalogue.reference import worst, worst_in_float32
from jaxsched import ports
from jaxsched._core.versions import enable_x64
from jaxsched.testing import float32_path

DTYPES = [
    *("float32", "bfloat16", "float16"),
    *("int8", "int16", "int32", "uint8", "uint16", "uint32"),
]

EXAMPLES = {
    "linear": js.Linear(3.0, 1.0, 10.0),
    "cosine": js.Cosine(2.0, 0.0, 10.0, power=2.0),
    "exponential": js.Exponential(2.0, 1.0, 4.0),
    "inverse power": js.InversePower(2.0, 5.0, 1.0),
    "warmup": js.warmup(js.Linear(3.0, 1.0, 10.0), 4.0),
    "cycle": js.cycle(js.Linear(3.0, 1.0, 5.0), 5.0, 2.0, 1.0),
    "levels": js.Piecewise([3.0, 2.0, 1.0], [3.0, 5.0]),
    "table": js.Table([1.0, 2.0, 3.0]),
    "knots": js.knots([1.0, 3.0, 2.0], [0.0, 3.0, 7.0]),
    "join": js.join([1.0, js.Linear(3.0, 1.0, 5.0), 2.0], [2.0, 6.0]),
    "clip": js.clip(js.Linear(4.0, 0.0, 10.0), 1.0, 3.0),
    "tanh": js.Tanh(3.0, 1.0, 10.0, 0.0, 2.0),
    "warmup that starts at 1": js.warmup(3.0, 4.0, 1.0, first_step=1.0),
    "limited cycles": js.cycle(js.Linear(3.0, 1.0, 5.0), 5.0, cycles=2.0),
    "product and sum": js.Constant(100.0) * js.Constant(100.0) + js.Constant(100.0),
}
"""Their leaves are whole numbers, which every dtype can represent."""

STEPS = np.arange(24, dtype=np.int32)


def four_ways(schedules):
    """Eager, closed over, as an argument, and as an argument with the step closed over.

    Yields the name of the way and the rates of each schedule. To save time, the programs are compiled without
    optimizations; other tests cover optimized programs.
    """
    jit = functools.partial(jax.jit, compiler_options=COMPILED_QUICKLY)

    def every(schedules, steps):
        return [schedule(steps) for schedule in schedules]

    yield "eager", every(schedules, STEPS)
    yield "closed over", jit(lambda: every(schedules, STEPS))()
    yield "argument", jit(every)(schedules, STEPS)
    yield "argument alone", jit(lambda schedules: every(schedules, STEPS))(schedules)


def kinds():
    """Every library and dtype; some of each by default."""
    first = {"numpy int8"}
    for library in (np, jnp):
        for dtype in DTYPES:
            name = f"{'jax' if library is jnp else 'numpy'} {dtype}"
            marks = [] if name in first else pytest.mark.thorough
            yield pytest.param(library, dtype, id=name, marks=marks)


@pytest.mark.parametrize(("library", "dtype"), list(kinds()))
def test_leaves_of_every_dtype(library, dtype):
    typed = jax.tree.map(lambda leaf: library.asarray(leaf, jnp.dtype(dtype)), list(EXAMPLES.values()))
    for way, found in four_ways(typed):
        for (name, plain), rates in zip(EXAMPLES.items(), found, strict=True):
            assert worst(rates, plain, STEPS) <= 2, (name, way)


NEGATED = {
    name: EXAMPLES[name] for name in ("inverse power", "tanh", "warmup that starts at 1", "product and sum")
}
"""Examples whose formulas negate, subtract or multiply their numbers alone."""


@pytest.mark.parametrize("dtype", by_default(("uint32",), DTYPES))
def test_leaves_of_every_dtype_in_float32(dtype):
    typed = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.dtype(dtype)), list(NEGATED.values()))
    with float32_path():
        for way, found in four_ways(typed):
            for (name, plain), rates in zip(NEGATED.items(), found, strict=True):
                assert worst_in_float32(rates, plain, STEPS) <= 1, (name, way)


@pytest.mark.parametrize("large", [jnp.int32(2**31 - 1), jnp.uint32(2**32 - 1)], ids=["int32", "uint32"])
def test_large_integers_do_not_wrap_in_float32(large):
    """Rates, lengths and delays; what exceeds int32 is a float32."""
    number, end = js.Constant(large), float(large)
    schedules = (
        number * number,
        number + number,
        js.Linear(1.0, 0.0, large),
        js.shift(js.Linear(1.0, 0.0, 9), large),
    )
    with float32_path():
        rates = jax.jit(lambda schedules: [each(2**31 - 1) for each in schedules])(schedules)
    expected = [end**2, 2 * end, 1 - (2**31 - 1) / end, 1]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


def test_wider_integers_do_not_wrap_in_float32():
    with enable_x64(True), float32_path():
        line = js.Linear(1.0, 0.0, jnp.int64(2**42))
        for delay, expected in ((-(2**40), 0.75), (2**40, 1), (2**32 + 5, 1)):
            delayed = js.shift(line, jnp.int64(delay))
            np.testing.assert_allclose(jax.jit(lambda each: each(100))(delayed), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", by_default(("int8", "uint32", "float16"), DTYPES))
def test_numbers_of_every_dtype_are_taken(dtype):
    """The numbers are passed to a constructor, not put in place of its leaves."""
    plain = js.warmup(js.Cosine(3, 1, 100), 27)
    typed = [
        js.warmup(js.Cosine(number(3), number(1), number(100)), number(27))
        for number in (np.dtype(jnp.dtype(dtype)).type, functools.partial(jnp.asarray, dtype=dtype))
    ]
    for way, found in four_ways(typed):
        for rates in found:
            assert worst(rates, plain, STEPS) <= 2, way


def test_a_scalar_uint32_is_a_number():
    for way, (rates,) in four_ways([js.Linear(0.3, 0.0, jnp.uint32(10))]):
        assert worst(rates, js.Linear(0.3, 0.0, 10), STEPS) <= 1, way


@pytest.mark.parametrize("case", by_default(("cosine warped", "piecewise", "join", "cycle growing"), CASES))
def test_leaves_that_became_arrays(case):
    """Arrays as from a device, from a checkpoint, or from a map over the tree."""
    plain = CASES[case](SHORT)
    expected = np.asarray(plain(STEPS))
    on_device = jax.device_put(plain)
    rounded = np.asarray(on_device(STEPS))
    maps = {
        "device_get": (jax.device_get(plain), expected),
        "NumPy": (jax.tree.map(np.asarray, plain), expected),
        "NumPy scalars": (
            jax.tree.map(lambda leaf: np.float64(leaf) if np.ndim(leaf) == 0 else leaf, plain),
            expected,
        ),
        "device_put and back": (jax.device_get(on_device), rounded),
        "NumPy of JAX": (jax.tree.map(np.asarray, on_device), rounded),
    }
    for name, (schedule, rates) in maps.items():
        np.testing.assert_array_max_ulp(np.asarray(schedule(STEPS)), rates, 1)
        assert jax.tree.structure(schedule) == jax.tree.structure(plain), name
    schedule, rates = maps["NumPy of JAX"]
    np.testing.assert_array_max_ulp(np.asarray(jax.jit(lambda: schedule(STEPS))()), rates, 1)


SMALL = {
    "cyclic": (js.cyclic, 1, 3, 100),
    "cyclic_momentum": (js.cyclic_momentum, 3, 1, 100, 120),
    "one_cycle": (js.one_cycle, 1, 3, 0, 127),
    "step_decay": (js.step_decay, 3, 1, 100),
    "warmup_cosine": (js.warmup_cosine, 3, 120, 100),
    "warmup_stable_decay": (js.warmup_stable_decay, 3, 127, 100, 20),
    "warm_restarts": (js.warm_restarts, 3, 1, 100, 2),
    "inverse_sqrt": (js.inverse_sqrt, 3, 100),
    "noam": (js.noam, 100, 100),
    "CyclicLR": (ports.torch.CyclicLR, 1, 3, 100),
    "OneCycleLR": (ports.torch.OneCycleLR, 3, 100),
    "CosineAnnealingLR": (ports.torch.CosineAnnealingLR, 3, 100),
    "CosineAnnealingWarmRestarts": (ports.torch.CosineAnnealingWarmRestarts, 3, 100, 2),
    "get_cosine_schedule_with_warmup": (ports.transformers.get_cosine_schedule_with_warmup, 3, 100, 120),
    "CosineScheduler": (ports.d2l.CosineScheduler, 100, 3, 0, 90),
}
"""Presets and ports of numbers that fit in int8, but whose sums and products do not."""


@pytest.mark.parametrize("library", [np, pytest.param(jnp, marks=pytest.mark.thorough)], ids=["numpy", "jax"])
def test_small_integers_do_not_wrap(library):
    steps = np.array([0, 1, 50, 99, 100, 101, 119, 127, 150, 200, 201, 256, 300, 400, 1000], np.int32)
    typed = {name: build(*map(library.int8, numbers)) for name, (build, *numbers) in SMALL.items()}

    def every():
        return {name: schedule(steps) for name, schedule in typed.items()}

    for found in (every(), jax.jit(every, compiler_options=COMPILED_QUICKLY)()):
        for name, (build, *numbers) in SMALL.items():
            assert worst(found[name], build(*numbers), steps) <= 8, name


def test_a_sum_of_small_integers_does_not_wrap():
    assert js.cyclic(0.1, 0.3, jnp.int8(100)) == js.cyclic(0.1, 0.3, 100)


def test_array_leaves_print_at_their_own_precision():
    schedule = jax.jit(lambda: js.Cosine(jnp.float32(0.1), jnp.float32(0.01), jnp.int32(100)))()
    assert repr(schedule) == "Cosine(0.1, 0.01, 100)"
    assert repr(jax.device_get(schedule)) == "Cosine(0.1, 0.01, 100)"
    assert repr(js.Constant(jnp.bfloat16(0.1))) == "Constant(0.1)"
    assert repr(js.Piecewise(jnp.array([0.3, 0.1]), jnp.array([5]))) == "Piecewise([0.3, 0.1], [5])"
    assert repr(jax.device_put(js.Table([0.1, 0.7]))) == "Table([0.1, 0.7])"
    assert repr(js.Constant(0.10000000149011612)) == "Constant(0.10000000149011612)"
    assert "0.30000000000000004" in repr(js.Constant(0.1 + 0.2))


def test_a_gradient_that_is_not_finite_prints():
    gradient = jax.tree.map(lambda leaf: jnp.float32(leaf) * jnp.nan, js.Linear(0.3, 0.0, 10))
    assert repr(gradient) == "Linear(nan, nan, nan)"
    infinite = jax.tree.map(lambda leaf: leaf * np.inf, js.Table([0.1, 0.2]))
    assert repr(infinite) == "Table([inf, inf])"


RANKS = itertools.count()
THINGS = {
    "themselves": lambda leaf: js.Linear(0.3, 0.0, 10),
    "shapes and dtypes": lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), np.float32),
    "texts": lambda leaf: "a",
    "lists": lambda leaf: [1.0, "a"],
    "nothing": lambda leaf: None,
    "objects": lambda leaf: object(),
    "partitions": lambda leaf: jax.sharding.PartitionSpec("data"),
    "flags": np.isfinite,
    "sums": np.sum,
    "keys": lambda leaf: jax.random.key(0),
    "gradients of integers": lambda leaf: np.zeros(np.shape(leaf), jax.dtypes.float0),
    "complex numbers": lambda leaf: np.asarray(leaf) * 1j,
    "batches of none": lambda leaf: np.zeros((0, *np.shape(leaf))),
    "arrays of any rank": lambda leaf: np.ones((2,) * (next(RANKS) % 4)),
}
"""What `jax.tree.map` and the transformations of JAX leave in the place of a number."""


@pytest.mark.parametrize("name", THINGS)
def test_what_jax_makes_of_a_schedule_prints(name):
    for case in CASES.values():
        assert repr(jax.tree.map(THINGS[name], case(SHORT)))


def test_what_is_no_number_prints_in_angle_brackets():
    line = js.Linear(0.3, 0.0, 10)
    curvature = jax.tree.map(lambda leaf: line, js.Constant(0.1))  # as `jax.hessian` returns it
    assert repr(curvature) == "Constant(<Linear(0.3, 0, 10)>)"
    shapes = jax.eval_shape(lambda: js.warmup(js.Table(jnp.ones(3)), 5))
    assert repr(shapes) == "warmup(Table(<float32[3]>), <float32[]>, <float32[]>, Linear, <float32[]>)"
    assert repr(jax.tree.map(str, js.Plateau(patience=7))).startswith("Plateau(<'0.1'>, <'7.0'>, ")
    assert repr(js.warmup(js.Lambda(line), 5)) == "warmup(Lambda(<Linear(0.3, 0, 10)>), 5)"
