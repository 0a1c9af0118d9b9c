"""The ports of Hugging Face Transformers: deliberate deviations, refusals and tracing."""

from __future__ import annotations

import inspect

import jax
import numpy as np
import pytest
from rates import rates
from refusals import refusals
from selection import by_default

from jaxsched.ports import transformers

NAMES = (
    "['linear', 'cosine', 'cosine_with_restarts', 'polynomial', 'constant', 'constant_with_warmup', "
    "'inverse_sqrt', 'cosine_with_min_lr', 'cosine_warmup_with_min_lr', 'warmup_stable_decay']"
)


DEVIATIONS = {
    # 22 * (30 / 44) is below 15 in floats, and 50 * (580 / 1000) below 29.
    "22 restarts": (
        lambda: transformers.get_cosine_with_hard_restarts_schedule_with_warmup(0.3, 0, 44, 22),
        {28: 0.3, 29: 0.15, 30: 0.3, 31: 0.15, 44: 0.0},
    ),
    "50 restarts": (
        lambda: transformers.get_cosine_with_hard_restarts_schedule_with_warmup(0.3, 100, 1100, 50),
        dict.fromkeys(range(100, 1100, 20), 0.3) | {1100: 0.0},
    ),
    "a polynomial of no length is at its end": (
        lambda: transformers.get_polynomial_decay_schedule_with_warmup(0.3, 4, 4, 0.01),
        {0: 0.0, 2: 0.15, 3: 0.225, 4: 0.01, 5: 0.01},
    ),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_deviations(name):
    build, expected = DEVIATIONS[name]
    np.testing.assert_allclose(rates(build(), list(expected)), list(expected.values()), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("steps", "cycles"), [(10, 6), (30, 7), (36, 15), (12, 4.5), (100, 60), (7, 20)])
def test_every_restart_at_a_whole_step_is_met(steps, cycles):
    schedule = transformers.get_cosine_with_hard_restarts_schedule_with_warmup(0.3, 0, steps, cycles)
    restarts = [step for step in range(steps) if (2 * step * cycles) % (2 * steps) == 0]
    assert rates(schedule, restarts).tolist() == [np.float32(0.3)] * len(restarts)


VALUE_ERRORS = {
    "warmup": (
        lambda: transformers.get_linear_schedule_with_warmup(0.1, -1, 10),
        "`num_warmup_steps` must be at least 0, got -1.",
    ),
    "a part of a step": (
        lambda: transformers.get_constant_schedule_with_warmup(0.1, 0.1),
        "`num_warmup_steps` must be a whole number, got 0.1.",
    ),
    "run": (
        lambda: transformers.get_cosine_schedule_with_warmup(0.1, 1, -10),
        "`num_training_steps` must be at least 0, got -10.",
    ),
    "cycles": (
        lambda: transformers.get_cosine_schedule_with_warmup(0.1, 1, 10, -1),
        "`num_cycles` must be at least 0, got -1.",
    ),
    "restarts": (
        lambda: transformers.get_cosine_with_hard_restarts_schedule_with_warmup(0.1, 1, 10, -1),
        "`num_cycles` must be at least 0, got -1.",
    ),
    "end": (
        lambda: transformers.get_polynomial_decay_schedule_with_warmup(1e-8, 1, 10),
        "`lr_end` must be below 1e-08, got 1e-07.",
    ),
    "power": (
        lambda: transformers.get_polynomial_decay_schedule_with_warmup(0.1, 1, 10, power=-1),
        "`power` must be at least 0 and at most 1000000, got -1.",
    ),
    "timescale": (
        lambda: transformers.get_inverse_sqrt_schedule(0.1, 1, 0),
        "`timescale` must be above 0, got 0.",
    ),
    "both": (
        lambda: transformers.get_cosine_with_min_lr_schedule_with_warmup(
            0.1, 1, 10, min_lr=0.01, min_lr_rate=0.1
        ),
        "`min_lr` or `min_lr_rate` must be given, not both, got 0.01 and 0.1.",
    ),
    "neither": (
        lambda: transformers.get_cosine_with_min_lr_schedule_with_warmup_lr_rate(0.1, 1, 10),
        "`min_lr` or `min_lr_rate` must be given, got neither.",
    ),
    "min_lr": (
        lambda: transformers.get_cosine_with_min_lr_schedule_with_warmup(0.1, 1, 10, min_lr=-0.01),
        "`min_lr` must be at least 0, got -0.01.",
    ),
    "warmup_lr_rate": (
        lambda: transformers.get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
            0.1, 1, 10, min_lr=0.01, warmup_lr_rate=-1
        ),
        "`warmup_lr_rate` must be at least 0, got -1.",
    ),
    "no length": (
        lambda: transformers.get_wsd_schedule(0.1, 1, 10),
        "`num_training_steps` or `num_stable_steps` must be given, got neither.",
    ),
    "warmup type": (
        lambda: transformers.get_wsd_schedule(0.1, 1, 10, 20, warmup_type="sqrt"),
        "`warmup_type` must be one of ['linear', 'cosine', '1-sqrt'], got 'sqrt'.",
    ),
    "decay type": (
        lambda: transformers.get_wsd_schedule(0.1, 1, 10, 20, decay_type="1-square"),
        "`decay_type` must be one of ['linear', 'cosine', '1-sqrt'], got '1-square'.",
    ),
    "typo": (
        lambda: transformers.get_scheduler(0.1, "cosin", 1, 10),
        f"`name` must be one of {NAMES}, got 'cosin'; did you mean 'cosine'?",
    ),
    "nothing near": (
        lambda: transformers.get_scheduler(0.1, "xyz", 1, 10),
        f"`name` must be one of {NAMES}, got 'xyz'.",
    ),
    "no text": (lambda: transformers.get_scheduler(0.1, [], 1), f"`name` must be one of {NAMES}, got []."),
    "no warmup given": (
        lambda: transformers.get_scheduler(0.1, "linear", num_training_steps=10),
        "`num_warmup_steps` must be given for 'linear', got None.",
    ),
    "no run given": (
        lambda: transformers.get_scheduler(0.1, "cosine", 1),
        "`num_training_steps` must be given for 'cosine', got None.",
    ),
    "plateau": (
        lambda: transformers.get_scheduler(0.1, "reduce_lr_on_plateau"),
        "`name` must name a function of the step, got 'reduce_lr_on_plateau', which follows a metric: "
        "use the rule `jaxsched.ports.transformers.get_reduce_on_plateau_schedule`.",
    ),
    "greedy": (
        lambda: transformers.get_scheduler(0.1, "greedy"),
        "got 'greedy', which follows a metric: use the rule "
        "`jaxsched.ports.transformers.get_greedy_schedule`.",
    ),
}

TYPE_ERRORS = {
    "flag": (
        lambda: transformers.get_adafactor_schedule(warmup_init=1),
        "`warmup_init` must be True or False, got 1 (int).",
    ),
    "rate": (lambda: transformers.get_constant_schedule("0.1"), "`lr` must be a number, got '0.1' (str)."),
    "steps": (
        lambda: transformers.get_linear_schedule_with_warmup(0.1, None, 10),
        "`num_warmup_steps` must be a number, got None (NoneType).",
    ),
    "an argument of another schedule": (
        lambda: transformers.get_scheduler(0.1, "linear", 1, 10, {"num_cycles": 2}),
        "'num_cycles'",
    ),
    "an argument of none": (
        lambda: transformers.get_scheduler(0.1, "constant", 1, 10, {"num_cycles": 2}),
        "'num_cycles'",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


def test_numbers_that_are_not_looked_at():
    assert transformers.get_scheduler(0.1, "constant", 5, 10) == transformers.get_constant_schedule(0.1)
    by_name = transformers.get_scheduler(0.1, "inverse_sqrt", 5, 10)
    assert by_name == transformers.get_inverse_sqrt_schedule(0.1, 5)


TRACED = {
    "get_adafactor_schedule": [(0.3,)],
    "get_linear_schedule_with_warmup": [(0.3, 4.0, 12.0), (0.3, 4.0, 4.0), (0.3, 4.0, 2.0)],
    "get_cosine_schedule_with_warmup": [(0.3, 4.0, 12.0, 1.5), (0.3, 4.0, 4.0, 0.5)],
    "get_cosine_with_hard_restarts_schedule_with_warmup": [(0.3, 4.0, 12.0, 2.0), (0.3, 0.0, 12.0, 1.0)],
    "get_polynomial_decay_schedule_with_warmup": [(0.3, 4.0, 12.0, 0.01, 2.0), (0.3, 4.0, 4.0, 0.01, 2.0)],
    "get_inverse_sqrt_schedule": [(0.3, 4.0), (0.3, 4.0, 9.0)],
    "get_cosine_with_min_lr_schedule_with_warmup": [(0.3, 4.0, 12.0, 0.5, 0.01)],
    "get_cosine_with_min_lr_schedule_with_warmup_lr_rate": [
        (0.3, 4.0, 12.0, 0.5, 0.01),
        (0.3, 1.0, 12.0, 0.5, 0.01, None, 0.2),
        (0.3, 0.0, 12.0, 0.5, 0.01),
    ],
    "get_wsd_schedule": [(0.3, 4.0, 3.0, 12.0), (0.3, 4.0, 0.0, 4.0), (0.3, 0.0, 3.0, None, 5.0)],
}


@pytest.mark.parametrize(
    "name",
    by_default(("get_wsd_schedule", "get_cosine_with_min_lr_schedule_with_warmup_lr_rate"), TRACED),
)
def test_arguments_may_be_traced(name):
    port = getattr(transformers, name)
    names = [each for each in inspect.signature(port).parameters if each != "last_epoch"]
    traced = jax.jit(lambda args, steps: port(**args)(steps))
    steps = np.arange(20, dtype=np.int32)
    for values in TRACED[name]:
        args = dict(zip(names, values, strict=False))
        np.testing.assert_allclose(traced(args, steps), port(**args)(steps), rtol=2e-6, atol=1e-8)


def test_the_gradient_with_respect_to_the_rate():
    def rate_at_8(lr):
        return transformers.get_cosine_schedule_with_warmup(lr, 4, 12)(8)

    np.testing.assert_allclose(jax.grad(rate_at_8)(0.3), 0.5, rtol=1e-6)
