"""The port of torchtitan: the end of the run, configurations, refusals and tracing."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from rates import check_traced, rates
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched.ports import torchtitan

SHAPES = {"linear": js.Linear, "sqrt": js.OneMinusSqrt, "cosine": js.Cosine}


@pytest.mark.thorough
@pytest.mark.parametrize("decay_type", SHAPES)
def test_within_its_run_it_is_a_warmup_and_a_cooldown(decay_type):
    port = torchtitan.build_lr_schedulers(
        0.3, 50, 5, decay_ratio=0.3, decay_type=decay_type, min_lr_factor=0.1
    )
    ours = js.cooldown(js.warmup(0.3, 5, first_step=1), 35, 15, 0.03, SHAPES[decay_type])
    steps = np.arange(51)
    np.testing.assert_allclose(port(steps), ours(steps), rtol=1e-6)
    assert not js.check(port, total_steps=50)


BEYOND = {
    "linear": lambda p: 1 - p,
    "sqrt": lambda p: 1 - math.sqrt(p),
    "cosine": lambda p: 0.5 * (1 + math.cos(math.pi * p)),
}


@pytest.mark.parametrize("decay_type", by_default(("sqrt",), BEYOND))
def test_beyond_its_run_the_decay_goes_on(decay_type):
    port = torchtitan.build_lr_schedulers(
        0.3, 50, 0, decay_ratio=0.4, decay_type=decay_type, min_lr_factor=0.1
    )
    steps = [50, 51, 60, 109, 110, 111, 500, 10**6]
    fractions = [(step - 30) / 20 for step in steps]
    expected = [0.3 * (0.1 + 0.9 * BEYOND[decay_type](fraction)) for fraction in fractions]
    np.testing.assert_allclose(rates(port, steps), expected, rtol=1e-6, atol=1e-7)


def test_what_does_not_decay_stays():
    # torchtitan fails at step 51: there is no step to decay over.
    for ratio, warmup_steps in ((0.0, 5), (None, 50), (0.5, 99), (0.009, 5)):
        schedule = torchtitan.build_lr_schedulers(0.3, 50, warmup_steps, decay_ratio=ratio)
        assert rates(schedule, [50, 51, 1000]).tolist() == [np.float32(0.3)] * 3


# torchtitan's own configuration of DeepSeek-V3, `deepseek_v3_671b` in its `config_registry.py`.
DEEPSEEK = {
    "optimizer": {
        "param_groups": [
            {
                "pattern": ".*",
                "optimizer_name": "AdamW",
                "optimizer_kwargs": {"lr": 2.2e-4, "betas": (0.9, 0.95), "weight_decay": 0.1},
            }
        ],
        "implementation": "fused",
    },
    "lr_scheduler": {"warmup_steps": 2000, "decay_ratio": 0.8, "decay_type": "cosine", "min_lr_factor": 0.1},
    "training": {"local_batch_size": 4, "seq_len": 4096, "steps": 10000},
    "parallelism": {"pipeline_parallel_schedule": "Interleaved1F1B"},
}


def test_a_configuration_and_what_it_ignores():
    made = torchtitan.from_config(DEEPSEEK)
    assert made.learning_rate == torchtitan.build_lr_schedulers(
        2.2e-4, 10_000, 2000, decay_ratio=0.8, decay_type="cosine", min_lr_factor=0.1
    )
    assert made.ignored == (
        "parallelism",
        "optimizer.implementation",
        "training.local_batch_size",
        "training.seq_len",
        "optimizer.param_groups[0].optimizer_kwargs.betas",
        "optimizer.param_groups[0].optimizer_kwargs.weight_decay",
    )


def test_a_rate_from_elsewhere_and_the_defaults():
    default = torchtitan.build_lr_schedulers(0.1, 10_000)
    assert torchtitan.from_config({}, lr=0.1).learning_rate == default
    assert torchtitan.from_config({"optimizer": {"lr": 0.1}}).learning_rate == default
    groups = [{"optimizer_kwargs": {"lr": lr}} for lr in (0.1, 0.02)]
    assert torchtitan.from_config({"optimizer": {"param_groups": groups}}, lr=0.1).learning_rate == default
    steps = {"training": {"steps": 10}, "lr_scheduler": {"total_steps": 10_000}}
    assert torchtitan.from_config(steps, lr=0.1).learning_rate == default


VALUE_ERRORS = {
    "decay": (
        lambda: torchtitan.build_lr_schedulers(0.1, 100, decay_type="exp"),
        "`decay_type` must be one of ['linear', 'sqrt', 'cosine'], got 'exp'.",
    ),
    "length": (
        lambda: torchtitan.build_lr_schedulers(0.1, -1),
        "`training_steps` must be at least 0, got -1.",
    ),
    "total": (
        lambda: torchtitan.build_lr_schedulers(0.1, 10, total_steps=1.5),
        "`total_steps` must be a whole number, got 1.5.",
    ),
    "warmup": (
        lambda: torchtitan.build_lr_schedulers(0.1, 10, -1),
        "`warmup_steps` must be at least 0, got -1.",
    ),
    "ratio": (
        lambda: torchtitan.build_lr_schedulers(0.1, 10, decay_ratio=-0.1),
        "`decay_ratio` must be at least 0, got -0.1.",
    ),
    "no rate": (
        lambda: torchtitan.from_config({"training": {"steps": 10}}),
        "`lr` must be given, because `config` has no rate, got None.",
    ),
    "two rates": (
        lambda: torchtitan.from_config({"optimizer": {"lr": 0.1}}, lr=0.2),
        "`lr` must be left out, because `config` has the rate 0.1, got 0.2.",
    ),
    "an old key": (
        lambda: torchtitan.from_config({"lr_scheduler": {"lr_min": 0.1}}, lr=0.1),
        "`lr_scheduler` must have only the keys ['warmup_steps', 'total_steps', 'decay_ratio', 'decay_type', "
        "'min_lr_factor'], got 'lr_min'.",
    ),
    "a warmup elsewhere": (
        lambda: torchtitan.from_config({"training": {"warmup_steps": 200}}, lr=0.1),
        "got 'training.warmup_steps', which looks like one and is not known.",
    ),
}

TYPE_ERRORS = {
    "rate": (
        lambda: torchtitan.build_lr_schedulers("0.1", 10),
        "`lr` must be a number, got '0.1' (str).",
    ),
    "a group": (
        lambda: torchtitan.from_config({"optimizer": {"param_groups": [0.1]}}),
        "`optimizer.param_groups[0]` must be a mapping, such as a dict, got 0.1 (float).",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


@pytest.mark.thorough
@pytest.mark.thorough
@pytest.mark.parametrize("decay_type", SHAPES)
def test_arguments_may_be_traced(decay_type):
    port = functools.partial(torchtitan.build_lr_schedulers, decay_type=decay_type)
    check_traced(port, (0.3, 20.0, 3.0, 25.0, 0.3), np.arange(40, dtype=np.int32), 1e-7)
