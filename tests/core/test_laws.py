"""Every case of the catalogue under every law."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from selection import by_default

import jaxsched as js
from catalogue.cases import CASES, OF_EACH_KIND, SHAPES, SHORT, TRANSITIONS
from jaxsched import testing
from jaxsched._core.clock import Clock
from jaxsched._core.versions import enable_x64
from jaxsched.testing import LAWS, check_laws, float32_path

FIRST = {"value"}
"""The law that every case takes by default: it is a value."""

UNDER_EVERY_LAW = {"cosine warped", "piecewise", "lambda", "warmup", "cycle growing"}
"""The cases that take every law by default: a formula, lists, a function, parts and a clock of its own."""


def marks(case, law):
    """Every set of versions takes one case of each kind under every law."""
    first = law in FIRST or case in UNDER_EVERY_LAW
    return [pytest.mark.smoke] * (case in OF_EACH_KIND) + [pytest.mark.thorough] * (not first)


@pytest.mark.parametrize(
    ("case", "law"),
    [pytest.param(case, law, marks=marks(case, law)) for case in CASES for law in LAWS],
)
def test_law(case, law):
    LAWS[law](CASES[case](SHORT))


@pytest.mark.parametrize("case", by_default({*SHAPES, *OF_EACH_KIND}, CASES))
def test_short_lengths_are_finite(case):
    for length in (0, 1):
        schedule = CASES[case](length)
        assert np.isfinite(schedule(testing.some_steps(schedule))).all(), length


@pytest.mark.thorough
@pytest.mark.parametrize("length", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_gradients_of_short_lengths_are_finite(case, length):
    schedule = CASES[case](length)
    steps = np.arange(5.0, dtype=np.float32)

    def total(schedule, steps):
        return jax.vmap(schedule)(steps).sum()

    slopes = jax.jit(jax.grad(total, argnums=(0, 1), allow_int=True))(schedule, steps)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


@pytest.mark.thorough
@pytest.mark.parametrize("length", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_short_lengths_are_total(case, length):
    LAWS["total"](CASES[case](length))


LENGTHS = [0, 1, 10, 41, 47, 55, 10**6, 16_777_259, 1_900_000_001, 2**31 - 1]
ENDS = [(0.3, 0.0123), (0.01234, 0.3), (3e38, 1e-37), (-1e-5, -0.7)]
"""Numbers that are not powers of two, and that no product or exponential hits by chance."""


def at_the_ends(schedules, wrap=lambda function: function):
    """The rates of the schedules at the start, at the end and after it."""
    steps = [
        np.array([0, each.transition_steps, min(each.transition_steps + 1, 2**31 - 1)]) for each in schedules
    ]

    @wrap
    def rates(steps):
        return [each(t) for each, t in zip(schedules, steps, strict=True)]

    return jax.device_get(rates([t.astype(np.int32) for t in steps]))


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.thorough] * (case not in SHAPES)) for case in TRANSITIONS],
)
def test_ends_are_exact(case):
    """On every path, the ends are selected: rounded to nearest in float32, the number itself in float64."""
    examples = [TRANSITIONS[case](length) for length in LENGTHS]
    if examples[0].init_value * examples[0].end_value >= 0:
        changes = [dict(zip(("init_value", "end_value"), ends, strict=True)) for ends in ENDS]
        examples += [dataclasses.replace(examples[4], **change) for change in changes]
    plain = at_the_ends(examples)
    with float32_path():
        # The numbers are constants of the compiled program, so one program is made for all schedules.
        narrow = at_the_ends(examples, jax.jit)
    with enable_x64(True):
        wide = at_the_ends(examples)
    for schedule, *rates in zip(examples, plain, narrow, wide, strict=True):
        end = schedule.end_value
        expected = [schedule.init_value if schedule.transition_steps else end, end, end]
        for found, dtype in zip(rates, (np.float32, np.float32, np.float64), strict=True):
            np.testing.assert_array_equal(found, np.array(expected, dtype), str(schedule), strict=True)


def _float(number):
    """A clock, or a field, as a float array."""
    return jnp.asarray(number)


class Sound(js.Schedule):
    """Keeps every law. Each broken schedule below differs from it in one respect."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return _float(self.init_value) / (1 + _float(t))


class OneStepAtATime(js.Schedule):
    """Flattens its steps."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return _float(self.init_value) / (1 + _float(t))

    def __call__(self, step):
        return super().__call__(jnp.ravel(jnp.asarray(step)))


class Unsteady(js.Schedule):
    """Infinite at its start."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return _float(self.init_value) / _float(t)


class OtherwiseCompiled(js.Schedule):
    """Returns another rate if its step is traced."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return _float(self.init_value) / (1 + _float(t))

    def __call__(self, step):
        return super().__call__(step) * (2 if isinstance(step, jax.core.Tracer) else 1)


class Accumulated(js.Schedule):
    """Counts its calls. In a loop it is called only once, however many steps the loop has."""

    init_value: js.Number = js.number()
    calls = 0

    def evaluate(self, t):
        return _float(self.init_value) / (1 + _float(t))

    def __call__(self, step):
        type(self).calls += 1
        return super().__call__(step) * 0.9**self.calls


class OtherwiseAsAnArgument(js.Schedule):
    """Returns another rate if its number is traced."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return _float(self.init_value) / (1 + _float(t))

    def __call__(self, step):
        return super().__call__(step) * (2 if isinstance(self.init_value, jax.core.Tracer) else 1)


class OfOtherNumbers(js.Schedule):
    """Keeps its number as a NumPy scalar; a schedule keeps Python floats."""

    init_value: js.Number = js.number()

    def check(self):
        object.__setattr__(self, "init_value", np.float32(self.init_value))

    def evaluate(self, t):
        return _float(self.init_value) / (1 + _float(t))


class Forgetful(js.Schedule):
    """Stops the gradient of its number."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return jax.lax.stop_gradient(_float(self.init_value)) * _float(t)


class NowhereSmooth(js.Schedule):
    """Oscillates so fast in its number that finite differences find no slope."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return 1 + jnp.sin(1e7 * _float(self.init_value) * (1.1 + _float(t)))


class Regional(js.Schedule):
    """Returns another rate on every device."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return _float(self.init_value) / (1 + _float(t))

    def __call__(self, step):
        rate = super().__call__(step)
        try:
            return rate * (1 + jax.lax.axis_index("devices"))
        except NameError:
            return rate


class Wide(js.Schedule):
    """Uses float64, which a TPU does not have."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return _float(self.init_value) / (1 + _float(t))

    def __call__(self, step):
        rate = super().__call__(step)
        with enable_x64(True):
            return (rate.astype(np.float64) * 1).astype(np.float32)


class Cancelling(js.Schedule):
    """Loses its significant digits without float64."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return _float(self.init_value) * (1 - jnp.cos(1e-3 * _float(t)))


class AllTheSame(js.Schedule):
    """Equals schedules with other numbers."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return _float(self.init_value) / (1 + _float(t))

    def __eq__(self, other):
        return isinstance(other, AllTheSame)

    def __hash__(self):
        return 0


BROKEN = {
    "shape_and_dtype": (OneStepAtATime, "the shape is"),
    "total": (Unsteady, "the rates at steps"),
    "compiled": (OtherwiseCompiled, "vmap: the rates are"),
    "carried": (Accumulated, "scan: the rates are"),
    "argument": (OtherwiseAsAnArgument, "jit: the rates are"),
    "one_trace": (OfOtherNumbers, "a leaf is"),
    "differentiable": (Forgetful, "the slope for leaf 0"),
    "stacked": (OtherwiseAsAnArgument, "vmap over a stack: the rates are"),
    "sharded": (Regional, "shard_map: the rates are"),
    "exported": (Wide, "it computes in float64"),
    "narrow": (Cancelling, "at steps"),
    "value": (AllTheSame, "it is equal to"),
}


@pytest.mark.parametrize("law", LAWS)
def test_a_broken_schedule_is_found_out(law):
    """Each law finds the schedule that breaks it, with its own message."""
    broken, message = BROKEN[law]
    with pytest.raises(AssertionError, match=message):
        LAWS[law](broken(0.3))


class OfFloats(js.Schedule):
    """Returns another rate if its number is an integer."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return _float(self.init_value) / (1 + _float(t))

    def __call__(self, step):
        integer = jnp.issubdtype(jnp.result_type(self.init_value), jnp.integer)
        return super().__call__(step) * (2 if integer else 1)


class OfFloatsInFloat32(js.Schedule):
    """Returns another rate if its number is an integer in float32, where it stays one."""

    init_value: js.Number = js.number()

    def evaluate(self, t):
        return _float(self.init_value) / (1 + _float(t)) * (2 if isinstance(self.init_value, Clock) else 1)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (OfFloats, "jit, with numbers of other dtypes"),
        (OfFloatsInFloat32, "in float32, with numbers of other"),
    ],
)
def test_a_law_of_arguments_looks_at_dtypes(broken, message):
    with pytest.raises(AssertionError, match=message):
        LAWS["argument"](broken(2))


def test_a_law_of_smoothness_wants_to_see_some():
    with pytest.raises(AssertionError, match="it is smooth in leaf 0 at"):
        LAWS["differentiable"](NowhereSmooth(0.3))


def test_what_is_found_is_said():
    with pytest.raises(AssertionError, match=r"Unsteady\(0.3\) breaks the law `total`"):
        check_laws(Unsteady(0.3))


def test_a_schedule_of_ones_own_keeps_every_law():
    check_laws(Sound(0.3))


def test_check_laws_runs_every_law(monkeypatch):
    ran = []
    recorders = {law: lambda schedule, law=law: ran.append((law, schedule)) for law in LAWS}
    monkeypatch.setattr(testing, "LAWS", recorders)
    schedule = Sound(0.3)
    check_laws(schedule)
    assert ran == [(law, schedule) for law in recorders]
