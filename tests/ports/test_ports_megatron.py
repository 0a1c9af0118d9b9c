"""The port of Megatron: refusals, tracing and configurations."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched.ports import megatron

RUN = {
    "init_lr": 0.0,
    "max_lr": 0.3,
    "min_lr": 0.03,
    "lr_warmup_steps": 10,
    "lr_decay_steps": 100,
    "lr_decay_style": "cosine",
    "start_wd": 0.1,
    "end_wd": 0.1,
    "wd_incr_steps": 100,
    "wd_incr_style": "constant",
}
WSD = {"lr_decay_style": "WSD", "wsd_decay_steps": 30, "lr_wsd_decay_style": "linear"}


def made(**more):
    return megatron.OptimizerParamScheduler(**RUN | more)


BLOOM = {
    "lr": 6e-5,
    "min_lr": 6e-6,
    "lr_decay_style": "cosine",
    "lr_decay_samples": 200_000_000,
    "lr_warmup_samples": 183_105,
    "train_samples": 220_000_000,
    "global_batch_size": 2048,
    "rampup_batch_size": [192, 16, 9_765_625],
    "weight_decay": 0.1,
    "adam_beta2": 0.95,
}
"""Of `tr11-176B-ml.slurm` in bigscience-workshop/bigscience, which trained BLOOM."""

SMALL = {"lr": 0.3, "train_iters": 50, "global_batch_size": 4}


def test_a_run_in_samples():
    run = megatron.from_config(BLOOM)
    half = 183_105 + 199_816_895 / 2
    steps = np.array([0, 100_000, 183_105, half, 200_000_000, 200_000_001, 220_000_000])
    expected = [0, 6e-5 * 100_000 / 183_105, 6e-5, 3.3e-5, 6e-6, 6e-6, 6e-6]
    np.testing.assert_allclose(run(steps), expected, rtol=1e-6)
    assert run.weight_decay == js.Constant(0.1)
    assert run.ignored == ("rampup_batch_size", "adam_beta2")


def test_a_run_in_iterations_counts_samples():
    more = {
        "lr_decay_iters": 40,
        "lr_warmup_fraction": 0.3,
        "lr_warmup_init": 0.1,
        "lr_decay_style": "cosine",
    }
    run = megatron.from_config(SMALL | more)
    # The fraction is one of the decay, 160 samples.
    steps = np.array([0, 24, 48, 104, 160, 200])
    np.testing.assert_allclose(run(steps), [0.1, 0.2, 0.3, 0.15, 0, 0], rtol=1e-6, atol=1e-9)


HALVES = {
    "linear": 0.5,
    "cosine": 0.5,
    "exponential": 2 * 0.5**0.5 - 1,
    "minus_sqrt": 1 - math.sqrt(0.5),
}
"""What is left in the middle of the decay."""


@pytest.mark.parametrize("style", by_default(("exponential",), HALVES))
def test_a_run_with_a_stable_phase(style):
    more = {"lr_decay_style": "WSD", "lr_wsd_decay_iters": 20, "lr_wsd_decay_style": style, "min_lr": 0.1}
    run = megatron.from_config(SMALL | {"lr_warmup_iters": 5} | more)
    steps = np.array([0, 10, 20, 119, 120, 160, 200, 201])
    expected = [0, 0.15, 0.3, 0.3, 0.3, 0.1 + 0.2 * HALVES[style], 0.1, 0.1]
    np.testing.assert_allclose(run(steps), expected, rtol=1e-6, atol=1e-9)


def test_the_weight_decay_grows_over_the_run_and_not_over_the_decay_of_the_rate():
    more = {"weight_decay_incr_style": "linear", "start_weight_decay": 0.1, "end_weight_decay": 0.3}
    run = megatron.from_config(SMALL | {"lr_decay_iters": 10, "weight_decay": 0.5} | more)
    np.testing.assert_allclose(
        run.weight_decay(np.array([0, 100, 200, 300])), [0.1, 0.2, 0.3, 0.3], rtol=1e-6
    )


def test_the_defaults_are_those_of_the_command_line():
    run = megatron.from_config(SMALL)
    np.testing.assert_allclose(run(np.array([0, 100, 200])), [0.3, 0.15, 0], rtol=1e-6)
    assert run.weight_decay == js.Constant(0.01)


def test_the_arguments_of_a_run_have_more_than_its_command_line():
    kept = {
        "lr_warmup_samples": 0,
        "lr_decay_samples": None,
        "train_samples": None,
        "decoupled_lr": None,
        "lr_decay_steps": None,
        "head_lr_mult": 1.0,
        "ft_num_warmup_iters": 5,
        "weight_decay": 0.1,
        "start_weight_decay": 0.1,
        "end_weight_decay": 0.1,
        "no_weight_decay_cond_type": None,
    }
    run = megatron.from_config(SMALL | kept)
    assert run.learning_rate == megatron.from_config(SMALL).learning_rate
    assert run.weight_decay == js.Constant(0.1)
    assert set(run.ignored) == {
        "decoupled_lr",
        "lr_decay_steps",
        "head_lr_mult",
        "ft_num_warmup_iters",
        "no_weight_decay_cond_type",
    }


VALUE_ERRORS = {
    "a dash": (
        lambda: megatron.from_config({"lr": 3e-4, "--train-iters": 10}),
        "`config` must have 'train_iters', got '--train-iters'.",
    ),
    "lowest": (lambda: made(min_lr=-1), "`min_lr` must be at least 0, got -1."),
    "highest": (lambda: made(max_lr=0.01), "`max_lr` must be at least 0.03, got 0.01."),
    "first": (lambda: made(init_lr=0.4), "`init_lr` must be at most 0.3, got 0.4."),
    "no length": (lambda: made(lr_decay_steps=0), "`lr_decay_steps` must be above 0, got 0."),
    "only a warmup": (
        lambda: made(lr_warmup_steps=100),
        "`lr_warmup_steps` must be at least 0 and below 100, got 100.",
    ),
    "a negative warmup": (
        lambda: made(lr_warmup_steps=-1),
        "`lr_warmup_steps` must be at least 0 and below 100, got -1.",
    ),
    "style": (
        lambda: made(lr_decay_style="wsd"),
        "`lr_decay_style` must be one of ['constant', 'linear', 'cosine', 'inverse-square-root', 'WSD'], "
        "got 'wsd'.",
    ),
    "a decay without a length": (
        lambda: made(lr_decay_style="WSD", lr_wsd_decay_style="linear"),
        "`wsd_decay_steps` must be a number for 'WSD', got None.",
    ),
    "a decay without a style": (
        lambda: made(lr_decay_style="WSD", wsd_decay_steps=3),
        "`lr_wsd_decay_style` must be one of ['linear', 'cosine', 'exponential', 'minus_sqrt'], got None.",
    ),
    "a negative decay": (
        lambda: made(**WSD | {"wsd_decay_steps": -1}),
        "`wsd_decay_steps` must be at least 0, got -1.",
    ),
    "weight decay": (lambda: made(start_wd=-1), "`start_wd` must be at least 0, got -1."),
    "a falling weight decay": (
        lambda: made(end_wd=0.01, wd_incr_style="linear"),
        "`end_wd` must be at least 0.1, got 0.01.",
    ),
    "a constant that grows": (
        lambda: made(end_wd=0.2),
        "`end_wd` must be `start_wd`, 0.1, if `wd_incr_style` is 'constant', got 0.2.",
    ),
    "growth": (
        lambda: made(wd_incr_style="exponential"),
        "`wd_incr_style` must be one of ['constant', 'linear', 'cosine'], got 'exponential'.",
    ),
    "growth over no steps": (
        lambda: made(wd_incr_style="linear", wd_incr_steps=0),
        "`wd_incr_steps` must be above 0, got 0.",
    ),
    "two flags": (
        lambda: made(override_opt_param_scheduler=True),
        "`override_opt_param_scheduler` must be False with `use_checkpoint_opt_param_scheduler=True`, "
        "got True.",
    ),
    "no rate": (
        lambda: megatron.from_config({"train_samples": 9}),
        "`config` must have `lr`, got only ['train_samples'].",
    ),
    "no run": (
        lambda: megatron.from_config({"lr": 0.1, "train_iters": None}),
        "`config` must have `train_iters` or `train_samples`, got neither.",
    ),
    "no batch size": (
        lambda: megatron.from_config({"lr": 0.1, "train_iters": 9}),
        "`config` must have `global_batch_size`, got only ['lr', 'train_iters'].",
    ),
    "two units": (
        lambda: megatron.from_config(SMALL | {"lr_decay_samples": 160}),
        "`lr_decay_samples` must be left out with `train_iters`, got 160.",
    ),
    "two units, in samples": (
        lambda: megatron.from_config(BLOOM | {"lr_warmup_iters": 5}),
        "`lr_warmup_iters` must be left out with `train_samples`, got 5.",
    ),
    "two warmups": (
        lambda: megatron.from_config(SMALL | {"lr_warmup_iters": 5, "lr_warmup_fraction": 0.1}),
        "`lr_warmup_iters` must be left out with `lr_warmup_fraction`, got 5.",
    ),
    "fraction": (
        lambda: megatron.from_config(SMALL | {"lr_warmup_fraction": 1.0}),
        "`lr_warmup_fraction` must be at least 0 and below 1, got 1.",
    ),
    "half an iteration": (
        lambda: megatron.from_config(SMALL | {"train_iters": 9.5}),
        "`train_iters` must be a whole number, got 9.5.",
    ),
    "a constant with a start": (
        lambda: megatron.from_config(SMALL | {"start_weight_decay": 0.1}),
        "`start_weight_decay` must be left out if `weight_decay_incr_style` is 'constant', got 0.1.",
    ),
    "growth without an end": (
        lambda: megatron.from_config(SMALL | {"weight_decay_incr_style": "cosine", "start_weight_decay": 0}),
        "`config` must have `end_weight_decay`, got only [",
    ),
    "the rate of a group": (
        lambda: megatron.from_config(BLOOM | {"decoupled_lr": 5e-4}),
        "got 'decoupled_lr', which looks like one and is not known.",
    ),
    "the rate of a head": (
        lambda: megatron.from_config(BLOOM | {"head_lr_mult": 10.0}),
        "got 'head_lr_mult', which looks like one and is not known.",
    ),
}

TYPE_ERRORS = {
    "rate": (lambda: made(max_lr="0.1"), "`max_lr` must be a number, got '0.1' (str)."),
    "flag": (
        lambda: made(override_opt_param_scheduler=1),
        "`override_opt_param_scheduler` must be True or False, got 1 (int).",
    ),
    "a path": (lambda: megatron.from_config("run.yaml"), "`config` must be a mapping, such as a dict, got"),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


NUMBERS = {name: value for name, value in RUN.items() if not isinstance(value, str)}
STYLES = {
    "cosine": ({}, {}),
    "inverse-square-root": ({}, {}),
    "inverse-square-root, no warmup": ({"lr_warmup_steps": 0}, {}),
    "WSD": ({"wsd_decay_steps": 30}, {"lr_wsd_decay_style": "exponential"}),
    "WSD, no warmup": ({"lr_warmup_steps": 0, "wsd_decay_steps": 110}, {"lr_wsd_decay_style": "cosine"}),
    "WSD, late": ({"lr_warmup_steps": 40.5, "wsd_decay_steps": 90}, {"lr_wsd_decay_style": "minus_sqrt"}),
}


@pytest.mark.parametrize("name", by_default(("cosine",), STYLES))
def test_arguments_may_be_traced(name):
    numbers, texts = STYLES[name]
    numbers = NUMBERS | {"end_wd": 0.2, "init_lr": 0.01} | numbers
    texts = texts | {"lr_decay_style": name.partition(",")[0], "wd_incr_style": "linear"}
    steps = np.arange(0, 120, 3, dtype=np.int32)

    def rates(numbers, steps):
        return [each(steps) for each in megatron.OptimizerParamScheduler(**numbers, **texts)]

    traced = jax.jit(rates)({key: float(value) for key, value in numbers.items()}, steps)
    for ours, expected in zip(traced, rates(numbers, steps), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=2e-6, atol=1e-8)
