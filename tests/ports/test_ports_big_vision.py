"""The port of big_vision: durations, deviations, refusals, tracing and configurations."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched.ports import big_vision

make = big_vision.create_learning_rate_schedule
cosine = functools.partial(make, decay_type="cosine")

DURATIONS = {
    "steps": ({"warmup_steps": 30}, 30),
    "examples": ({"warmup_examples": 320}, 10),
    "half a step, to the even one below": ({"warmup_examples": 80}, 2),
    "half a step, to the even one above": ({"warmup_examples": 112}, 4),
    "a little is a step": ({"warmup_examples": 1}, 1),
    "epochs": ({"warmup_epochs": 2}, 62),
    "percent": ({"warmup_percent": 0.3}, 30),
    "a negative one is not given": ({"warmup_steps": -1, "warmup_epochs": 2}, 62),
    "None is not given": ({"warmup_steps": None, "warmup_percent": 0.5}, 50),
}


@pytest.mark.parametrize("name", DURATIONS)
def test_a_duration_is_so_many_steps(name):
    given, steps = DURATIONS[name]
    expected = js.warmup(js.Cosine(1.0, 0.0, 100 - steps), steps)
    assert cosine(100, batch_size=32, data_size=1000, **given) == expected


@pytest.mark.thorough
def test_the_cooldown_goes_on_below_0():
    schedule = make(20, base=0.3, cooldown_steps=8)
    steps = np.array([0, 11, 12, 13, 19, 20, 21, 28, 100, 20_000, 2_000_000])
    np.testing.assert_allclose(schedule(steps), 0.3 * np.minimum(1, (20 - steps) / 8), rtol=1e-6, atol=1e-9)


SHORT_RUNS = {
    "of a step, after a warmup of one": (1, 1, [0.0, 0.01, 0.01]),
    "of no step": (0, 0, [0.01, 0.01, 0.01]),
}


@pytest.mark.parametrize("name", SHORT_RUNS)
def test_a_run_that_is_not_longer_than_its_warmup_ends_its_decay(name):
    total_steps, warmup_steps, rates = SHORT_RUNS[name]
    schedule = make(total_steps, base=0.3, decay_type="linear", end=0.01, warmup_steps=warmup_steps)
    np.testing.assert_allclose(schedule(np.array([0, 1, 10])), rates, rtol=1e-6)


@pytest.mark.parametrize("total_steps", [0, 1])
@pytest.mark.parametrize("arguments", [{"end": 0.01}, {"end": 0.01, "power": 2, "cooldown_steps": 3}])
def test_a_run_that_is_shorter_than_its_warmup_goes_back_to_the_start_of_its_decay(total_steps, arguments):
    """As the formula has it: the original lets such a run pass for debugging."""
    schedule = make(total_steps, base=0.3, decay_type="linear", warmup_steps=5, **arguments)
    steps = np.arange(12)
    progress = np.clip((steps - 5) / (total_steps - 5), 0, 1)
    expected = (0.01 + 0.29 * (1 - progress) ** arguments.get("power", 1)) * np.minimum(1, steps / 5)
    if "cooldown_steps" in arguments:
        expected *= np.minimum(1, (total_steps - steps) / 3)
    np.testing.assert_allclose(schedule(steps), expected, rtol=1e-6, atol=1e-8)


VIT_G = {
    "dataset": "jft_3b",
    "batch_size": 16_384,
    "log_training_steps": 50,
    "optax_name": "big_vision.scale_by_adafactor",
    "grad_clip_norm": 1.0,
    "lr": 8e-4,
    "wd": 0.03 * 8e-4,
    "wd_mults": [(".*head/kernel", 100.0), (".*/kernel", 1.0)],
    "schedule": {
        "decay_type": "rsqrt",
        "timescale": 10_000,
        "warmup_steps": 10_000,
        "cooldown_steps": 50_000,
    },
    "total_steps": 1_000_000,
}
"""`configs/proj/scaling_laws/train_vit_g.py`, without what has nothing to do with a rate."""

MIXER = {
    "total_epochs": 300,
    "input": {"data": {"name": "imagenet2012"}, "batch_size": 4096},
    "lr": 0.001,
    "wd": 1e-4,
    "schedule": {"decay_type": "linear", "warmup_steps": 10_000, "linear_end": 1e-5},
}
"""`configs/mlp_mixer_i1k.py`, likewise."""


def test_a_published_configuration():
    made = big_vision.from_config(VIT_G)
    steps = np.array([0, 5000, 10_000, 500_000, 950_000, 999_999])
    decay = 8e-4 / np.sqrt(1 + np.maximum(steps - 10_000, 0) / 10_000)
    ramps = np.minimum(1, steps / 10_000) * np.minimum(1, (1_000_000 - steps) / 50_000)
    np.testing.assert_allclose(made(steps), decay * ramps, rtol=1e-6)
    assert made.ignored == (
        "dataset",
        "log_training_steps",
        "optax_name",
        "grad_clip_norm",
        "wd",
        "wd_mults",
    )


def test_the_rate_multiplies_the_end_too():
    made = big_vision.from_config(MIXER, data_size=1_281_167)
    assert made.learning_rate == js.warmup(js.Linear(0.001, 1e-8, 93_835 - 10_000), 10_000)
    assert made.ignored == ("wd", "input.data")


def test_frozen_parameters_have_no_schedule():
    both = [
        ("img/.*", None),
        (".*", MIXER["schedule"] | {"mult": 0.5}),
        ("b", MIXER["schedule"] | {"mult": 0.5}),
    ]
    made = big_vision.from_config(MIXER | {"schedule": both}, total_steps=20_000)
    assert made.learning_rate == js.warmup(js.Linear(0.0005, 1e-8, 10_000), 10_000)
    constant = {key: value for key, value in MIXER.items() if key != "schedule"}
    assert big_vision.from_config(constant, total_steps=20_000)(5) == np.float32(0.001)


VALUE_ERRORS = {
    "decay": (
        lambda: make(9, decay_type="exp"),
        "`decay_type` must be one of ['linear', 'polynomial', 'cosine', 'rsqrt', 'stair'], got 'exp'.",
    ),
    "length": (lambda: make(-1), "`total_steps` must be at least 0 and at most 2147483647, got -1."),
    "warmup": (lambda: make(9, warmup_steps=9), "`warmup_*` must be below `total_steps`, 9, got 9 steps."),
    "two units": (
        lambda: make(9, warmup_steps=3, warmup_percent=0.1),
        "`warmup_*` must be given in one unit, got ['warmup_percent', 'warmup_steps'].",
    ),
    "percent": (lambda: make(9, cooldown_percent=10), "`cooldown_percent` must be at most 1, got 10."),
    "no batch": (
        lambda: make(9, warmup_examples=10),
        "`batch_size` must be given with `warmup_examples`, got None.",
    ),
    "no data": (
        lambda: make(9, 32, warmup_epochs=1),
        "`data_size` must be given with `warmup_epochs`, got None.",
    ),
    "no batch to scale with": (
        lambda: make(9, scale_with_batchsize=True),
        "`batch_size` must be given with `scale_with_batchsize`, got None.",
    ),
    "batch": (lambda: make(9, 0), "`batch_size` must be above 0, got 0."),
    "data": (lambda: make(9, 32, 0), "`data_size` must be above 0, got 0."),
    "power": (
        lambda: make(9, decay_type="linear", power=-1),
        "`power` must be at least 0 and at most 1000000, got -1.",
    ),
    "timescale": (lambda: make(9, decay_type="rsqrt", timescale=0), "`timescale` must be above 0, got 0."),
    "shift": (
        lambda: make(9, decay_type="rsqrt", timescale=5, shift=-5),
        "`shift` must be above `-timescale`, -5, got -5.",
    ),
    "unsorted": (
        lambda: make(9, steps=[5, 3], mults=[1, 1]),
        "`steps` must be sorted, got 5 before 3 at index 0.",
    ),
    "too few factors": (
        lambda: make(9, steps=[3, 5], mults=[0.5]),
        "`mults` must have as many entries as `steps`, 2, got 1.",
    ),
    "no length": (
        lambda: big_vision.from_config({"lr": 0.1}),
        "`config` must have one of 'total_steps', 'total_examples' and 'total_epochs', got none; or give",
    ),
    "no size of the data": (
        lambda: big_vision.from_config(MIXER),
        "`data_size` must be given with `total_epochs`, got None.",
    ),
    "two schedules": (
        lambda: big_vision.from_config(VIT_G | {"schedule": [("a", {}), ("b", {"mult": 0.5})]}),
        "`config.schedule` must have one schedule besides None, got [('a', {}), ('b', {'mult': 0.5})].",
    ),
    "a base": (
        lambda: big_vision.from_config(VIT_G | {"schedule": {"base": 0.1}}),
        "`schedule` must have its rate as 'mult' and no size, got 'base'.",
    ),
    "rates of groups": (
        lambda: big_vision.from_config(VIT_G | {"lr_mults": [("head", 0.1)]}),
        "got 'lr_mults', which looks like one and is not known.",
    ),
}

TYPE_ERRORS = {
    "an unknown argument": (lambda: make(9, warmup_step=3), "got 'warmup_step'."),
    "rate": (lambda: make(9, base="0.1"), "`base` must be a number, got '0.1' (str)."),
    "flag": (
        lambda: make(9, 256, scale_with_batchsize=1),
        "`scale_with_batchsize` must be True or False, got 1 (int).",
    ),
    "a list of one": (lambda: make(9, steps=3), "`steps` must be a list of numbers, got 3 (int)."),
    "no rate": (
        lambda: big_vision.from_config({"total_steps": 9}),
        "`config.lr` must be a number, got None (NoneType).",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


TRACED = {
    "linear": {"warmup_steps": 3.0, "end": 0.1, "power": 2.0},
    "cosine": {"warmup_percent": 0.2, "cooldown_steps": 4.0},
    "rsqrt": {"warmup_examples": 60.0, "timescale": 7.0, "shift": 2.0, "cooldown_steps": 4.0},
    "stair": {"warmup_epochs": 0.1, "steps": np.array([3.0, 7.0]), "mults": np.array([0.5, 0.1])},
}


@pytest.mark.parametrize("decay_type", by_default(("cosine",), TRACED))
def test_arguments_may_be_traced(decay_type):
    def rates(args, kw, steps):
        return make(*args, decay_type=decay_type, **kw)(steps)

    args, steps = (20.0, 32.0, 1000.0, 0.3), np.arange(30, dtype=np.int32)
    traced = jax.jit(rates)(args, TRACED[decay_type], steps)
    np.testing.assert_allclose(traced, rates(args, TRACED[decay_type], steps), rtol=2e-6, atol=1e-7)
