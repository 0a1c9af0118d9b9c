"""The ports of DeepSpeed: the extra step, stairs, configurations, refusals and tracing."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from rates import check_traced, rates
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched.ports import deepspeed


@pytest.mark.parametrize("warmup_type", ["log", "linear"])
def test_a_warmup_has_one_more_step_at_its_minimum(warmup_type):
    schedule = deepspeed.WarmupLR(0.01, 0.3, 10, warmup_type)
    first, second, third = rates(schedule, [0, 1, 2])
    assert first == second == np.float32(0.01) < third


def test_the_logarithm_is_one():
    schedule = deepspeed.WarmupLR(0.1, 0.4, 100_000)
    steps = np.array([1, 2, 3, 10, 316, 1000, 99_999, 100_000, 100_001], np.int32)
    expected = 0.1 + 0.3 * np.minimum(np.log(steps) / np.log(100_000), 1)
    np.testing.assert_allclose(rates(schedule, steps), expected, rtol=1e-7)


def test_what_has_no_stairs_and_no_decay_is_what_it_looks_like():
    assert deepspeed.OneCycle(0.1, 0.3, 0.5, 10, 20) == js.knots([0.1, 0.3, 0.1], [0, 10, 30])
    assert deepspeed.OneCycle(0.1, 0.3, 0, 10, decay_step_size=5) == js.knots([0.1, 0.3, 0.1], [0, 10, 20])
    assert deepspeed.WarmupLR(0, 0.3, 10, "linear") == js.shift(js.Linear(0, 0.3, 10), 1)


@pytest.mark.parametrize("growth", by_default((0.37,), (1.0, 0.37, -0.01, 0)))
def test_a_range_test_goes_on_for_ever(growth):
    schedule = deepspeed.LRRangeTest(0.001, 10, growth)
    steps = np.array([0, 1, 10, 29, 30, 31, 1000, 123_456_789, 2**31 - 1], np.int32)
    np.testing.assert_allclose(rates(schedule, steps), 0.001 * (1 + growth * (steps / 10)), 2e-7, 1e-12)


# The numbers of Databricks' Dolly: https://github.com/databrickslabs/dolly, `config/a100_config.json` with
# `--lr 5e-6 --warmup-steps 50` in `train_dolly.py`.
DOLLY = {
    "bf16": {"enabled": True},
    "optimizer": {"type": "AdamW", "params": {"lr": 5e-6, "betas": [0.9, 0.999], "eps": 1e-8}},
    "scheduler": {
        "type": "WarmupLR",
        "params": {"warmup_min_lr": 0, "warmup_max_lr": 5e-6, "warmup_num_steps": 50},
    },
    "zero_optimization": {"stage": 3},
}


def with_scheduler(kind, **params):
    return DOLLY | {"scheduler": {"type": kind, "params": params}}


def test_a_configuration_and_what_it_ignores():
    made = deepspeed.from_config(DOLLY)
    assert made.learning_rate == deepspeed.WarmupLR(0, 5e-6, 50)
    assert made.momentum is None
    assert made.ignored == (
        "bf16",
        "zero_optimization",
        "optimizer.params.lr",
        "optimizer.params.betas",
        "optimizer.params.eps",
    )


def test_the_rate_of_the_optimizer_where_a_scheduler_needs_it():
    cosine = deepspeed.from_config(with_scheduler("WarmupCosineLR", total_num_steps=200, warmup_num_steps=10))
    assert cosine.learning_rate == deepspeed.WarmupCosineLR(5e-6, 200, warmup_num_steps=10)
    assert "optimizer.params.lr" not in cosine.ignored
    flat = deepspeed.from_config(with_scheduler("WarmupLR", warmup_num_steps=10))
    assert flat.learning_rate == deepspeed.WarmupLR(0, 5e-6, 10)
    assert deepspeed.from_config({}, lr=0.1) == (js.Constant(0.1), (), None, None, None)
    auto = DOLLY | {"optimizer": {"params": {"lr": "auto"}}}
    assert deepspeed.from_config(auto).learning_rate == deepspeed.WarmupLR(0, 5e-6, 50)
    outside = {"scheduler": {"type": "WarmupLR", "params": {"warmup_type": "linear"}}}
    assert deepspeed.from_config(outside, lr=0.1).learning_rate == js.shift(js.Linear(0, 0.1, 1000), 1)


@pytest.mark.parametrize(
    ("optimizer", "cycled"), [("AdamW", True), ("OneBitLamb", True), ("SGD", False), (None, True)]
)
def test_the_momentum_of_optimizers_that_have_betas(optimizer, cycled):
    config = with_scheduler("OneCycle", cycle_min_lr=0.1, cycle_max_lr=0.3, cycle_first_step_size=10)
    config["optimizer"] = {} if optimizer is None else {"type": optimizer}
    made = deepspeed.from_config(config)
    assert made.learning_rate == deepspeed.OneCycle(0.1, 0.3, cycle_first_step_size=10)
    assert (made.momentum == deepspeed.OneCycleMomentum(0.1, 0.3, cycle_first_step_size=10)) == cycled
    config["scheduler"]["params"]["cycle_momentum"] = False
    assert deepspeed.from_config(config).momentum is None


VALUE_ERRORS = {
    "resume": (
        lambda: deepspeed.WarmupLR(0, 0.1, 10, last_batch_iteration=5),
        "`last_batch_iteration` must be -1, got 5: a schedule has no state",
    ),
    "no rate": (
        lambda: deepspeed.WarmupLR(0, warmup_num_steps=10),
        "`warmup_max_lr` must be given, or `lr`, the optimizer's rate, got None.",
    ),
    "no warmup": (
        lambda: deepspeed.WarmupDecayLR(100, warmup_num_steps=0),
        "`warmup_num_steps` must be at least 1, got 0.",
    ),
    "half a step": (
        lambda: deepspeed.WarmupLR(0, 0.1, 2.5),
        "`warmup_num_steps` must be a whole number, got 2.5.",
    ),
    "another warmup": (
        lambda: deepspeed.WarmupLR(0, 0.1, 10, "cosine"),
        "`warmup_type` must be one of ['log', 'linear'], got 'cosine'.",
    ),
    "length": (
        lambda: deepspeed.WarmupCosineLR(0.1, -1),
        "`total_num_steps` must be at least 0, got -1.",
    ),
    "last ratio": (
        lambda: deepspeed.WarmupCosineLR(0.1, 100, cos_min_ratio=-0.1),
        "`cos_min_ratio` must be at least 0, got -0.1.",
    ),
    "every": (
        lambda: deepspeed.LRRangeTest(lr_range_test_step_size=0),
        "`lr_range_test_step_size` must be at least 1, got 0.",
    ),
    "no way up": (
        lambda: deepspeed.OneCycle(0.1, 0.3, cycle_first_step_size=0),
        "`cycle_first_step_size` must be at least 1, got 0.",
    ),
    "way down": (
        lambda: deepspeed.OneCycle(0.1, 0.3, cycle_second_step_size=-1),
        "`cycle_second_step_size` must be at least 0, got -1.",
    ),
    "stairs": (
        lambda: deepspeed.OneCycle(0.1, 0.3, cycle_first_stair_count=1.5),
        "`cycle_first_stair_count` must be a whole number, got 1.5.",
    ),
    "growth": (
        lambda: deepspeed.OneCycle(0.1, 0.3, -0.1),
        "`decay_lr_rate` must be at least 0, got -0.1.",
    ),
    "unit of the decay": (
        lambda: deepspeed.OneCycleMomentum(0.1, 0.3, decay_step_size=-1),
        "`decay_step_size` must be at least 0, got -1.",
    ),
    "momentum": (
        lambda: deepspeed.OneCycleMomentum(0.1, 0.3, cycle_momentum=False),
        "`cycle_momentum` must be True for a cycled momentum, got False.",
    ),
    "auto": (
        lambda: deepspeed.from_config(with_scheduler("WarmupLR", warmup_max_lr="auto")),
        "`scheduler.params.warmup_max_lr` must be a value, got 'auto': write what Transformers fills in",
    ),
    "a scheduler of PyTorch": (
        lambda: deepspeed.from_config(with_scheduler("StepLR", step_size=30)),
        "`scheduler.type` must be one of ['LRRangeTest', 'OneCycle', 'WarmupLR', 'WarmupDecayLR', "
        "'WarmupCosineLR'], got 'StepLR'.",
    ),
    "an unknown argument": (
        lambda: deepspeed.from_config(with_scheduler("WarmupDecayLR", total_num_steps=9, end=1)),
        "'warmup_type', 'last_batch_iteration'], got 'end'.",
    ),
    "a missing argument": (
        lambda: deepspeed.from_config(with_scheduler("WarmupDecayLR", warmup_max_lr=0.1)),
        "`scheduler.params` must have the key 'total_num_steps', got ['warmup_max_lr'].",
    ),
    "no optimizer": (
        lambda: deepspeed.from_config({}),
        "`lr` must be given, or `optimizer.params.lr` in `config`, got neither.",
    ),
    "two rates": (
        lambda: deepspeed.from_config(DOLLY, lr=0.1),
        "`lr` must be left out if `config` has `optimizer.params.lr`, got 0.1.",
    ),
    "a second rate": (
        lambda: deepspeed.from_config({"optimizer": {"type": "Muon", "params": {"muon_lr": 0.1}}}, lr=0.1),
        "which looks like one and is not known",
    ),
    "another schedule": (
        lambda: deepspeed.from_config(DOLLY | {"lr_scheduler": {}}),
        "got 'lr_scheduler', which looks like one and is not known.",
    ),
}

TYPE_ERRORS = {
    "groups": (
        lambda: deepspeed.WarmupLR([0, 0], 0.1),
        "`warmup_min_lr` must be a number, got [0, 0] (list).",
    ),
    "flag": (
        lambda: deepspeed.LRRangeTest(lr_range_test_staircase=1),
        "`lr_range_test_staircase` must be True or False, got 1 (int).",
    ),
    "traced stairs": (
        lambda: jax.jit(lambda count: deepspeed.OneCycle(0.1, 0.3, cycle_first_stair_count=count)(0))(3),
        "`cycle_first_stair_count` must be concrete, got a traced number: the stairs depend on it.",
    ),
    "a traced cycle of stairs": (
        lambda: jax.jit(
            lambda size: deepspeed.OneCycle(0.1, 0.3, cycle_first_step_size=size, cycle_second_stair_count=3)(
                0
            )
        )(9),
        "`cycle_first_step_size` and `cycle_second_step_size` must be concrete with stairs, got a traced",
    ),
    "a path": (
        lambda: deepspeed.from_config("ds_config.json"),
        "`config` must be a mapping, such as a dict, got 'ds_config.json' (str).",
    ),
    "no section": (
        lambda: deepspeed.from_config({"optimizer": {"params": 0.1}}),
        "`optimizer.params` must be a mapping, such as a dict, got 0.1 (float).",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


TRACED = {
    "WarmupLR": (deepspeed.WarmupLR, (0.01, 0.3, 8.0)),
    "WarmupDecayLR": (deepspeed.WarmupDecayLR, (12.0, 0.01, 0.3, 4.0)),
    "WarmupCosineLR": (deepspeed.WarmupCosineLR, (0.3, 12.0, 0.1, 4.0, 0.01)),
    "LRRangeTest": (deepspeed.LRRangeTest, (0.1, 4.0, 0.5)),
    "OneCycle": (
        lambda low, high, rate, first, second, every: deepspeed.OneCycle(
            low, high, rate, first, second, decay_step_size=every
        ),
        (0.1, 0.3, 0.5, 4.0, 6.0, 2.0),
    ),
    "OneCycleMomentum": (
        lambda low, high, growth: deepspeed.OneCycleMomentum(
            0.1,
            0.3,
            cycle_first_step_size=4,
            cycle_second_stair_count=3,
            decay_step_size=2,
            cycle_min_mom=low,
            cycle_max_mom=high,
            decay_mom_rate=growth,
        ),
        (0.8, 0.9, 0.01),
    ),
}


@pytest.mark.parametrize("name", by_default(("WarmupLR",), TRACED))
def test_arguments_may_be_traced(name):
    check_traced(*TRACED[name], np.arange(20, dtype=np.int32), 1e-7)
