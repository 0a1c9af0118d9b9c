"""The laws that every schedule keeps, as checks for this library's shapes and for yours; a check of chains.

>>> import jaxsched as js
>>> from jaxsched.testing import check_laws
>>> check_laws(js.Linear(0.3, 0.0, 10))
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export, lax

from jaxsched._core.clock import LAST_STEP
from jaxsched._core.evaluate import force_float32
from jaxsched._core.fields import describe
from jaxsched._core.schedule import Constant, Lambda, Schedule
from jaxsched._core.versions import enable_x64
from jaxsched._text.parse import parse
from jaxsched.combinators.stack import stack

Law = Callable[[Schedule], None]


STEP_DTYPES = (
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("bfloat16", "float16", "float32", "float64"),
)

LEAF_DTYPES = ("int8", "bfloat16", "uint32", "float16", "int32", "uint8", "int16", "uint16")


@contextlib.contextmanager
def float32_path() -> Iterator[None]:
    """Evaluates as on a backend without float64, on any backend.

    It does not affect functions that are already compiled.
    """
    token = force_float32.set(True)
    try:
        yield
    finally:
        force_float32.reset(token)


def check_laws(schedule: Schedule) -> None:
    """Checks the laws of `LAWS` on a schedule.

    Args:
      schedule: an example, with concrete numbers.

    Raises:
      AssertionError: it breaks a law; the message says which one and how.
    """
    for name, law in LAWS.items():
        try:
            law(schedule)
        except AssertionError as error:
            raise AssertionError(f"{schedule!r} breaks the law `{name}`: {error}") from error


def check_descends(tx: Any, params: Any = None, *, steps: int = 10) -> None:
    """Checks that an optimizer descends: that its chain flips the sign exactly once.

    `optax.adamw(1.0)` flips the sign of its updates, and so does a `scale_by_learning_rate` after it, unless
    it has `flip_sign=False`. Together they climb. For each parameter, the sum of the updates for a constant
    gradient must point against the gradient.

    >>> import optax
    >>> import jaxsched as js
    >>> from jaxsched.testing import check_descends
    >>> check_descends(optax.chain(optax.adamw(1.0), js.scale_by_learning_rate(0.1, flip_sign=False)))
    >>> check_descends(optax.chain(optax.adamw(1.0), js.scale_by_learning_rate(0.1)))
    Traceback (most recent call last):
        ...
    AssertionError: The updates of parameters['matrix'] and parameters['vector'] go up along ...

    Args:
      tx: an Optax transformation. It gets the extra arguments `value`, `grad`, `value_fn` and `obj_fn`.
      params: the parameters, for an optimizer with groups or masks; by default a small tree. Only their
        structure, shapes and dtypes matter.
      steps: the number of updates. It must reach the first rate that is not 0.

    Raises:
      AssertionError: the updates of a parameter go up or are not finite, or all are 0.
      TypeError: `tx` is not an Optax transformation.
    """
    if not hasattr(tx, "init") or not hasattr(tx, "update"):
        raise TypeError(
            f"`tx` must be an Optax transformation, such as `optax.sgd(0.1)`, got {describe(tx)}."
        )
    if params is None:
        params = {"matrix": np.zeros((4, 3), np.float32), "vector": np.zeros(3, np.float32)}
    # Near 0, where no weight decay outweighs the gradient.
    params = jax.tree.map(lambda leaf: jnp.full_like(leaf, 0.01), params)
    gradient = jax.tree.map(
        lambda leaf: jnp.linspace(0.5, 1.5, leaf.size).reshape(leaf.shape).astype(leaf.dtype), params
    )

    def loss(params: Any, obj_fn: Any = None) -> jax.Array:
        terms = jax.tree.map(lambda leaf, slope: (leaf * slope).sum(), params, gradient)
        return sum(jax.tree.leaves(terms), start=jnp.float32(0))

    takes_more = len(inspect.signature(tx.update).parameters) > 3
    extra = {"grad": gradient, "value_fn": loss, "obj_fn": loss} if takes_more else {}

    @jax.jit
    def update(state: Any) -> Any:
        value = {"value": loss(params)} if takes_more else {}
        return tx.update(gradient, state, params, **value, **extra)

    state, total = tx.init(params), jax.tree.map(jnp.zeros_like, params)
    for _ in range(steps):
        updates, state = update(state)
        total = jax.tree.map(jnp.add, total, updates)
    along = jax.tree.map(lambda update, slope: float((update * slope).sum().real), total, gradient)
    paths = jax.tree.leaves_with_path(along)
    slopes = {f"parameters{jax.tree_util.keystr(path)}": slope for path, slope in paths}
    unknown = [name for name, slope in slopes.items() if not np.isfinite(slope)]
    _require(not unknown, f"The updates of {' and '.join(unknown)} are not finite.")
    up = [name for name, slope in slopes.items() if slope > 0]
    _require(
        not up,
        f"The updates of {' and '.join(up)} go up along their gradients: a sign is flipped twice, or never. "
        "An optimizer such as `optax.adamw(1.0)` flips it: put `jaxsched.scale_by_learning_rate(schedule, "
        "flip_sign=False)` behind it, or use `jaxsched.with_schedule(optax.adamw, schedule)`. Behind "
        "`optax.scale_by_adam()` leave `flip_sign` out.",
    )
    _require(any(slopes.values()), f"All {steps} updates are 0: pass more `steps`, up to a rate above 0.")


def some_steps(schedule: Schedule) -> np.ndarray:
    """48 steps near the numbers of a schedule and their sums, where it may change: int32, sorted."""
    numbers = _numbers(schedule)
    numbers = numbers[(numbers >= 0) & (numbers < 2**30)][-12:]
    about = np.concatenate([[0, 1, 7, 1000], numbers, np.add.outer(numbers, numbers).ravel()])
    events = list(dict.fromkeys(np.floor(np.add.outer(about, [-1, 0, 1])).ravel()))
    steps = [step for step in events if 0 <= step <= LAST_STEP] + list(range(48))
    return np.sort(np.array(list(dict.fromkeys(steps))[:48], np.int32))


def shape_and_dtype(schedule: Schedule) -> None:
    """The result has the shape of the step and JAX's float dtype, and the same value for any type of step."""
    expected = np.asarray(schedule(np.arange(48)))
    for name in STEP_DTYPES:
        steps = np.arange(48).astype(jnp.dtype(name))
        _same(schedule(steps), expected, f"NumPy steps of {name}")
        _same(schedule(steps[3]), expected[3], f"a NumPy scalar of {name}")
        if jax.dtypes.canonicalize_dtype(name) == name:
            _same(schedule(jnp.asarray(steps)), expected, f"JAX steps of {name}")
    _same(schedule(3), expected[3], "an int")
    _same(schedule(3.0), expected[3], "a float")
    for shape, x64 in (((0, 3), False), ((2, 1, 3), True)):
        with enable_x64(x64):
            result = jax.eval_shape(schedule, jax.ShapeDtypeStruct(shape, np.int32))
        _require(result.shape == shape, f"for steps of shape {shape} the shape is {result.shape}")
        dtype = np.float64 if x64 else np.float32
        _require(result.dtype == dtype, f"with x64 mode {x64} the dtype is {result.dtype}")


def total(schedule: Schedule) -> None:
    """Every step has a finite rate, which is constant before 0 and beyond 2**53; that of NaN is NaN.

    A JAX integer beyond int32 counts as the last int32.
    """
    steps = np.concatenate([some_steps(schedule), np.array([LAST_STEP - 1, LAST_STEP], np.int32)])
    rates = np.asarray(schedule(steps))
    _require(np.isfinite(rates).all(), f"the rates at steps {steps} are {rates}")
    between = np.asarray(schedule(steps[:-1] + 0.3))
    _require(np.isfinite(between).all(), f"the rates 0.3 after steps {steps} are {between}")
    for early in (-1, -(2**40), -0.5, -np.inf, np.int8(-3), jnp.float32(-np.inf), jnp.int32(-7)):
        _same(schedule(early), rates[0], f"step {early!r}")
    last = np.asarray(schedule(2**53))
    _require(bool(np.isfinite(last)), f"the rate at step 2**53 is {last}")
    for late in (10**30, np.inf, np.uint64(2**63), np.float64(1e300), np.int64(2**62), jnp.float32(np.inf)):
        _same(schedule(late), last, f"step {late!r}")
    _same(schedule(jnp.uint32(2**32 - 1)), rates[-1], "a JAX step beyond int32")
    for unknown in (np.nan, jnp.float32(np.nan)):
        _require(bool(np.isnan(schedule(unknown))), f"the rate at step {unknown!r} is {schedule(unknown)}")


def compiled(schedule: Schedule) -> None:
    """Compiled or not, for one step or many, the rates are the same; strict modes work, and nothing leaks."""
    steps = some_steps(schedule)
    expected = np.asarray(schedule(steps))
    _same(np.stack([schedule(step) for step in steps[:8]]), expected[:8], "one by one", ulps=1)
    _same(jax.vmap(schedule)(steps), expected, "vmap", ulps=1)
    with (
        jax.numpy_dtype_promotion("strict"),
        jax.numpy_rank_promotion("raise"),
        jax.checking_leaks(),
        jax.debug_nans(True),
    ):
        _same(jax.jit(lambda step: schedule(step))(steps), expected, "jit in strict modes", ulps=1)


def carried(schedule: Schedule) -> None:
    """The rates are the same inside `scan` and `while_loop`."""
    steps = jnp.asarray(some_steps(schedule))
    expected = np.asarray(schedule(steps))
    _, rates = lax.scan(lambda carry, step: (carry, schedule(step)), None, steps)
    _same(rates, expected, "scan", ulps=1)

    def body(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        i, rates = carry
        return i + 1, rates.at[i].set(schedule(steps[i]))

    start = jnp.int32(0), jnp.zeros(len(steps))
    _same(lax.while_loop(lambda carry: carry[0] < len(steps), body, start)[1], expected, "while_loop", ulps=1)


def argument(schedule: Schedule) -> None:
    """As an argument of a compiled function it is exact for its numbers, rounded to float32.

    Its numbers may also be arrays, NumPy's or JAX's, of any dtype that holds them, compiled or not.
    """
    steps = some_steps(schedule)
    rounded = jax.tree.map(_through_float32, schedule)
    expected = np.asarray(rounded(steps))

    def rates(*schedules: Schedule) -> list[jax.Array]:
        return jax.jit(lambda *schedules: [each(steps) for each in schedules])(*schedules)

    typed = _typed(rounded)
    plain, mixed = rates(schedule, typed)
    _same(plain, expected, "jit", ulps=1)
    closed = jax.jit(lambda step: typed(step))(steps)
    for way, found in {"jit": mixed, "closed over": closed, "eager": typed(steps)}.items():
        _same(found, expected, f"{way}, with numbers of other dtypes", ulps=1)
    with float32_path():
        plain, mixed = rates(schedule, typed)
    _same(mixed, plain, "in float32, with numbers of other dtypes", ulps=16)


def one_trace(schedule: Schedule) -> None:
    """Its numbers are leaves, each of one type, and changing them does not retrace."""
    leaves, structure = jax.tree.flatten(schedule)
    for leaf in leaves:
        plain = type(leaf) is float or isinstance(leaf, jax.Array)
        frozen = isinstance(leaf, np.ndarray) and leaf.dtype == np.float64 and not leaf.flags.writeable
        _require(plain or frozen, f"a leaf is {leaf!r} ({type(leaf).__name__})")
    traces = []

    @jax.jit
    def rate(schedule: Schedule) -> jax.Array:
        traces.append(1)
        return schedule(3)

    for factor in np.linspace(0.5, 2, 100):
        rate(jax.tree.unflatten(structure, [leaf * float(factor) for leaf in leaves]))
    _require(len(traces) == 1, f"{len(traces)} traces for 100 schedules")


def differentiable(schedule: Schedule) -> None:
    """The gradient for every number is finite, and where the rate is smooth finite differences agree."""
    leaves, structure = jax.tree.flatten(jax.tree.map(_through_float32, schedule))
    steps = some_steps(schedule)

    def rates(leaves: list[Any], steps: Any) -> jax.Array:
        return jax.tree.unflatten(structure, leaves)(steps)

    slopes = jax.jit(jax.grad(lambda leaves, steps, weights: (weights * rates(leaves, steps)).sum()))
    for shift in (0.0, 0.37):
        for slope in slopes(leaves, steps + shift, np.ones(len(steps))):
            _require(np.isfinite(slope).all(), f"a gradient at steps {steps} + {shift} is {slope}")
    between, weights = steps + 0.37, np.random.default_rng(0).uniform(0.5, 1.5, len(steps))
    with enable_x64(True):
        middle = np.asarray(rates(leaves, between))
    for i, leaf in enumerate(leaves):
        width = 1e-5 * np.where(np.asarray(leaf) == 0, 1e-2, np.abs(leaf))
        with enable_x64(True):
            right, left = (
                np.asarray(rates([*leaves[:i], _plain(leaf + change), *leaves[i + 1 :]], between)) - middle
                for change in (width, -width)
            )
        # Where the two one-sided differences disagree, a kink or a jump is near.
        noise = 1e-12 * np.abs(middle) + 1e-30
        smooth = weights * (np.abs(right + left) <= 1e-3 * (np.abs(right) + np.abs(left)) + noise)
        share = np.count_nonzero(smooth) / np.size(smooth)
        _require(bool(share >= 0.1), f"it is smooth in leaf {i} at {share:.0%} of the steps")
        predicted = np.sum(np.asarray(slopes(leaves, between, smooth)[i], np.float64) * width)
        actual = np.sum(smooth * (right - left) / 2)
        tolerance = np.sum(smooth * (2e-3 * (np.abs(right) + np.abs(left)) + noise))
        _require(
            np.abs(predicted - actual) <= tolerance,
            f"the slope for leaf {i} is {predicted / width}, by finite differences {actual / width}",
        )


def stacked(schedule: Schedule) -> None:
    """A stack under `vmap` gives the rates of its members."""
    first = jax.tree.map(_through_float32, schedule)
    second = jax.tree.map(lambda leaf: _through_float32(leaf * 0.9), schedule)
    for members in ([first, second, first], [first, Constant(0.25)]):
        together = jax.vmap(lambda member: member(7))(stack(members))
        _same(together, np.stack([member(7) for member in members]), "vmap over a stack", ulps=1)


def sharded(schedule: Schedule) -> None:
    """The rates are the same inside `shard_map` over all devices."""
    devices = jax.sharding.Mesh(np.array(jax.devices()), ("devices",))
    steps = np.arange(2 * devices.size, dtype=np.int32)
    over = jax.sharding.PartitionSpec("devices")
    rates = jax.jit(jax.shard_map(lambda step: schedule(step), mesh=devices, in_specs=over, out_specs=over))
    _same(rates(steps), np.asarray(schedule(steps)), "shard_map", ulps=1)


def exported(schedule: Schedule) -> None:
    """The rates are the same after `jax.export`; an export for TPU has no float64."""
    structure = jax.tree.structure(schedule)
    steps, leaves = jnp.arange(8), [np.asarray(leaf, np.float32) for leaf in jax.tree.leaves(schedule)]
    functions = {
        lambda steps: schedule(steps): (steps,),
        lambda steps, *leaves: jax.tree.unflatten(structure, leaves)(steps): (steps, *leaves),
    }
    rounded = jax.tree.map(_through_float32, schedule)
    for (function, arguments), expected in zip(functions.items(), (schedule, rounded), strict=True):
        here = export.export(jax.jit(function))(*arguments)
        _same(here.call(*arguments), np.asarray(expected(steps)), "export", ulps=1)
        there = export.export(jax.jit(function), platforms=["tpu"])(*arguments)
        _require("f64" not in there.mlir_module(), "lowered for TPU it computes in float64")


def narrow(schedule: Schedule) -> None:
    """The float32 path agrees with the float64 path to 16 + 2k units in the last place.

    k is the absolute value of log(rate / rate at step 0). After step 2^24 the change of the rate within half
    a float32 spacing of the step is allowed as well.
    """
    steps = some_steps(schedule)
    expected = np.asarray(schedule(steps), np.float64)
    first = np.abs(np.asarray(schedule(0), np.float64)) or np.abs(expected).max()
    with float32_path():
        rates = np.asarray(schedule(steps), np.float64)
    _require(bool(np.isfinite(rates).all()), f"the rates at steps {steps} are {rates}")
    # Near a zero of a sum the relative error has no bound.
    scale = np.maximum(np.abs(expected), 1e-6 * np.abs(expected).max())
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        turns = np.nan_to_num(np.abs(np.log(scale / first)), posinf=0.0)
        allowed = (16 + 2 * turns) * np.spacing(scale.astype(np.float32))
    if (steps > 2**24).any():
        half = np.where(steps > 2**24, np.spacing(steps.astype(np.float32)) / 2, 0)
        around = [schedule(steps + share * half) for share in (-1, -0.5, 0.5, 1)]
        allowed += np.abs(np.asarray(around, np.float64) - expected).max(0)
    off = np.abs(rates - expected) > allowed
    _require(not off.any(), f"at steps {steps[off]} the rates are {rates[off]}, not {expected[off]}")


def value(schedule: Schedule) -> None:
    """It is a value: frozen, compared and hashed by its numbers, copied, pickled and read from its text."""
    leaves, structure = jax.tree.flatten(schedule)
    for specifier in dataclasses.fields(schedule):
        with contextlib.suppress(dataclasses.FrozenInstanceError):
            setattr(schedule, specifier.name, None)
            raise AssertionError(f"`{specifier.name}` can be set")
    copies = [jax.tree.unflatten(structure, leaves), copy.copy(schedule), copy.deepcopy(schedule)]
    classes = set(_classes(schedule))
    if Lambda not in classes:
        copies.append(parse(repr(schedule)))
        # Python pickles a class by name; a class made inside a function cannot be found by its name.
        if all(getattr(sys.modules[cls.__module__], cls.__name__, None) is cls for cls in classes):
            copies.append(pickle.loads(pickle.dumps(schedule)))
    for other in copies:
        _require(other == schedule, f"{other!r} is not equal to it")
        _require(hash(other) == hash(schedule), f"{other!r} has another hash")
        arrays = [leaf for leaf in jax.tree.leaves(other) if isinstance(leaf, np.ndarray)]
        _require(not any(leaf.flags.writeable for leaf in arrays), f"{other!r} can be written to")
    for i, leaf in enumerate(leaves):
        other = np.where(np.asarray(leaf) == 0, 1, 2 * leaf)
        changed = jax.tree.unflatten(structure, [*leaves[:i], other, *leaves[i + 1 :]])
        _require(changed != schedule or np.size(leaf) == 0, f"it is equal to {changed!r}")


LAWS: dict[str, Law] = {
    law.__name__: law
    for law in (
        shape_and_dtype,
        total,
        compiled,
        carried,
        argument,
        one_trace,
        differentiable,
        stacked,
        sharded,
        exported,
        narrow,
        value,
    )
}
"""Every law by its name."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _same(actual: Any, expected: Any, what: str, ulps: int = 0) -> None:
    """Requires equal shapes and dtypes, and values equal to `ulps` units in the last place."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    _require(actual.shape == expected.shape, f"{what}: the shape is {actual.shape}, not {expected.shape}")
    _require(actual.dtype == expected.dtype, f"{what}: the dtype is {actual.dtype}, not {expected.dtype}")
    with np.errstate(all="ignore"):
        close = (actual == expected) | (np.abs(actual - expected) <= ulps * np.spacing(np.abs(expected)))
    _require(bool(close.all()), f"{what}: the rates are {actual}, not {expected}")


def _numbers(schedule: Schedule) -> np.ndarray:
    leaves = [np.ravel(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(schedule)]
    return np.unique(np.concatenate([np.zeros(1), *leaves]))


def _through_float32(leaf: Any) -> Any:
    return _plain(np.asarray(leaf, np.float32).astype(np.float64))


def _typed(schedule: Schedule) -> Schedule:
    """The schedule with arrays as numbers: of `LEAF_DTYPES` in turn, or float32 for what does not fit."""
    leaves, structure = jax.tree.flatten(schedule)
    typed = []
    for i, leaf in enumerate(leaves):
        with np.errstate(all="ignore"):
            kept = np.asarray(leaf, np.float64).astype(jnp.dtype(LEAF_DTYPES[i % len(LEAF_DTYPES)]))
        kept = kept if np.array_equal(kept.astype(np.float64), leaf) else np.asarray(leaf, np.float32)
        typed.append(kept if i % 2 else jnp.asarray(kept))
    return jax.tree.unflatten(structure, typed)


def _plain(leaf: Any) -> Any:
    """A leaf in the form that schedules keep: a Python float, or an array."""
    return float(leaf) if np.ndim(leaf) == 0 else leaf


def _classes(node: Any) -> Iterator[type]:
    """The class of every schedule in a schedule."""
    if isinstance(node, Schedule):
        yield type(node)
        for value in vars(node).values():
            yield from _classes(value)
    elif isinstance(node, tuple):
        for value in node:
            yield from _classes(value)
