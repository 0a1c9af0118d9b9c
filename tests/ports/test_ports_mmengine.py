"""The ports of MMEngine: deviations, refusals, tracing, and published configurations."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
from rates import rates
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched.ports import mmengine

DEVIATIONS = {
    "a factor of 0": (lambda: mmengine.ConstantLR(0.3, 0, end=3), {0: 0.0, 1: 0.0, 2: 0.3, 9: 0.3}),
    "a line from 0": (lambda: mmengine.LinearLR(0.4, 0, end=5), {0: 0.0, 1: 0.1, 4: 0.4, 5: 0.4}),
    "a cycle after its last step": (
        lambda: mmengine.OneCycleLR(eta_max=1.0, total_steps=11, pct_start=0.5, anneal_strategy="linear"),
        {0: 0.04, 10: 4e-6, 11: 4e-6, 100: 4e-6},
    ),
    "two cycles": (
        lambda: mmengine.param_scheduler(
            0.1,
            [
                {"type": "OneCycleLR", "eta_max": 1.0, "end": 10},
                {"type": "OneCycleLR", "eta_max": 2.0, "begin": 10, "end": 20},
            ],
        ),
        {0: 0.04, 2: 1.0, 9: 4e-6, 10: 0.08, 12: 2.0, 19: 8e-6, 99: 8e-6},
    ),
}


@pytest.mark.parametrize("name", by_default(["two cycles"], DEVIATIONS))
def test_deviations(name):
    build, expected = DEVIATIONS[name]
    np.testing.assert_allclose(rates(build(), list(expected)), list(expected.values()), rtol=1e-6, atol=1e-12)


LINE = {"type": "LinearLR", "start_factor": 0.5, "end": 5}


def test_what_lists_become():
    cuts = {"type": "MultiStepLR", "milestones": [4, 8], "gamma": 0.5}
    down = {"type": "PolyLR", "begin": 5, "end": 15, "eta_min": 0.01}
    later = {"type": "CosineAnnealingLR", "T_max": 10, "begin": 8}
    assert mmengine.param_scheduler(0.2, [LINE, cuts]) == js.Linear(0.1, 0.2, 4) * js.Piecewise(
        [1, 0.5, 0.25], [4, 8]
    )
    assert mmengine.param_scheduler(0.2, [down, LINE]) == js.join(
        [js.Linear(0.1, 0.2, 4), js.Polynomial(0.2, 0.01, 9)], [5]
    )
    assert (
        mmengine.param_scheduler(0.2, [LINE, later])
        == js.join([js.Linear(0.1, 0.2, 4), js.reflect(js.Cosine(0.2, 0, 10), 20)], [8])
        == js.join([mmengine.param_scheduler(0.2, LINE), mmengine.CosineAnnealingLR(0.2, 10)], [8])
    )


def test_a_cosine_rises_to_the_base_rate():
    cosine = {"type": "CosineAnnealingLR", "T_max": 10, "begin": 1}
    half = {"type": "ConstantLR", "factor": 0.5, "end": 1}
    schedule = mmengine.param_scheduler(0.4, [half, cosine])
    np.testing.assert_allclose(rates(schedule, [0, 1, 11, 21]), [0.2, 0.2, 0.0, 0.4], rtol=1e-6, atol=1e-9)


def test_an_epoch_is_a_number_of_iterations():
    steps = np.arange(40)
    by_epoch = mmengine.LinearLR(0.4, 0.5, end=5)
    each = mmengine.LinearLR(0.4, 0.5, end=5, epoch_length=4)
    smooth = mmengine.LinearLR(0.4, 0.5, end=5, epoch_length=4, convert_to_iter_based=True)
    np.testing.assert_array_equal(each(steps), by_epoch(steps // 4))
    assert smooth == js.Linear(0.2, 0.4, 19)
    assert mmengine.MultiStepLR(0.4, [1.5], 0.5, epoch_length=4, convert_to_iter_based=True) == js.Piecewise(
        [0.4, 0.2], [6]
    )


RTMDET = {
    "base_lr": 0.004,
    "train_cfg": {"max_epochs": 300, "val_interval": 10, "dynamic_intervals": [(280, 1)]},
    "optim_wrapper": {
        "type": "OptimWrapper",
        "optimizer": {"type": "AdamW", "lr": 0.004, "weight_decay": 0.05},
        "paramwise_cfg": {"norm_decay_mult": 0, "bias_decay_mult": 0, "bypass_duplicate": True},
    },
    "param_scheduler": [
        {"type": "LinearLR", "start_factor": 1e-5, "by_epoch": False, "begin": 0, "end": 1000},
        {
            "type": "CosineAnnealingLR",
            "eta_min": 0.0002,
            "begin": 150,
            "end": 300,
            "T_max": 150,
            "by_epoch": True,
            "convert_to_iter_based": True,
        },
    ],
}
"""configs/rtmdet/rtmdet_l_8xb32-300e_coco.py of MMDetection, whose epoch on COCO has 459 iterations."""


def test_the_configuration_of_a_detector():
    made = mmengine.from_config(RTMDET, epoch_length=459)
    half, last = 150 * 459, 300 * 459 - 1
    expected = {
        0: 4e-8,
        1: 0.004 * (1e-5 + (1 - 1e-5) / 999),
        999: 0.004,
        half: 0.004,
        half + 100: 0.0002 + 0.0038 * 0.5 * (1 + math.cos(math.pi * 100 / half)),
        last: 0.0002 + 0.0038 * 0.5 * (1 + math.cos(math.pi * (half - 1) / half)),
    }
    np.testing.assert_allclose(rates(made, list(expected)), list(expected.values()), rtol=1e-6)
    assert made.ignored == (
        "base_lr",
        "optim_wrapper.type",
        "optim_wrapper.paramwise_cfg",
        "optim_wrapper.optimizer.type",
        "optim_wrapper.optimizer.weight_decay",
        "train_cfg.val_interval",
        "train_cfg.dynamic_intervals",
    )


def up_and_down(kind, first, second):
    epochs = {"by_epoch": True, "convert_to_iter_based": True}
    return [
        {"type": kind, "T_max": 16, "eta_min": first, "begin": 0, "end": 16, **epochs},
        {"type": kind, "T_max": 24, "eta_min": second, "begin": 16, "end": 40, **epochs},
    ]


def test_a_configuration_with_a_momentum():
    """configs/_base_/schedules/cyclic-40e.py of MMDetection3D."""
    config = {
        "lr": 0.0018,
        "optim_wrapper": {"optimizer": {"type": "AdamW", "lr": 0.0018, "betas": (0.95, 0.99)}},
        "param_scheduler": [
            *up_and_down("CosineAnnealingLR", 0.018, 1.8e-7),
            *up_and_down("CosineAnnealingMomentum", 0.85 / 0.95, 1),
        ],
        "auto_scale_lr": {"enable": False, "base_batch_size": 48},
    }
    made = mmengine.from_config(config, epoch_length=100)
    assert made.ignored == ("lr", "optim_wrapper.optimizer.type")
    np.testing.assert_allclose(rates(made, [0, 800]), [0.0018, 0.0099], rtol=1e-6)
    np.testing.assert_allclose(rates(made.momentum, [0, 800]), [0.95, (0.95 + 0.85 / 0.95) / 2], rtol=1e-6)


def config(*schedulers, **more):
    wrapper = {"optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.9}}
    return {"optim_wrapper": wrapper, "param_scheduler": list(schedulers), **more}


def test_a_scheduler_ends_with_the_run():
    cosine = {"type": "CosineAnnealingLR"}
    made = mmengine.from_config(config(cosine, train_cfg={"by_epoch": True, "max_epochs": 100}))
    assert made.learning_rate == mmengine.CosineAnnealingLR(0.1, end=100)
    poly = {"type": "PolyLR", "by_epoch": False}
    loop = {"type": "IterBasedTrainLoop", "max_iters": 80_000}
    assert mmengine.from_config(config(poly, train_cfg=loop)).learning_rate == js.Polynomial(0.1, 0, 79_999)
    loop = {"max_epochs": 8}
    made = mmengine.from_config(config(poly, train_cfg=loop), epoch_length=1000)
    assert made.learning_rate == js.Polynomial(0.1, 0, 7_999)
    assert mmengine.from_config(config()).learning_rate == js.Constant(0.1)


def test_a_configuration_with_a_plateau():
    rule = {"type": "ReduceOnPlateauLR", "monitor": "acc", "rule": "greater", "min_value": 0.01}
    made = mmengine.from_config(config({**LINE, "type": "mmengine.LinearLR"}, rule))
    assert made.learning_rate == js.Linear(0.05, 0.1, 4)
    assert made.plateau == mmengine.ReduceOnPlateauLR(0.1, rule="greater", min_value=0.01)
    assert made.plateau.min_scale == pytest.approx(0.1)
    floors = [each.min_scale for each in mmengine.ReduceOnPlateauMomentum(0.5, min_value=[0.1, 0.25])]
    assert floors == pytest.approx([0.2, 0.5])


VALUE_ERRORS = {
    "a rate of its own": (
        lambda: mmengine.from_config(
            {
                "optim_wrapper": {
                    "optimizer": {"lr": 0.1},
                    "paramwise_cfg": {"bias_lr_mult": 1.0, "custom_keys": {"backbone": {"lr_mult": 0.1}}},
                }
            }
        ),
        "`optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult` must be 1 or left out, got 0.1.",
    ),
    "a momentum of nothing": (
        lambda: mmengine.from_config(
            {
                "optim_wrapper": {"optimizer": {"lr": 0.1}},
                "param_scheduler": {"type": "StepMomentum", "step_size": 3},
            }
        ),
        "`optim_wrapper.optimizer.momentum` must be given",
    ),
    "window": (lambda: mmengine.LinearLR(0.1, begin=5, end=5), "`end` must be above `begin`, 5, got 5."),
    "begin": (lambda: mmengine.LinearLR(0.1, begin=-1), "`begin` must be at least 0, got -1."),
    "resumed": (
        lambda: mmengine.LinearLR(0.1, last_step=5),
        "`last_step` must be -1, got 5: a schedule has no state",
    ),
    "verbose": (lambda: mmengine.PolyLR(0.1, verbose=True), "`verbose` must be False, got True"),
    "converted iterations": (
        lambda: mmengine.StepLR(0.1, 3, by_epoch=False, convert_to_iter_based=True, epoch_length=9),
        "`by_epoch` must be True with `convert_to_iter_based`, got False.",
    ),
    "no length of an epoch": (
        lambda: mmengine.StepLR(0.1, 3, convert_to_iter_based=True),
        "`epoch_length` must be given with `convert_to_iter_based`, got None.",
    ),
    "factor": (
        lambda: mmengine.ConstantLR(0.1, 1.5),
        "`factor` must be at least 0 and at most 1, got 1.5.",
    ),
    "end_factor": (
        lambda: mmengine.LinearLR(0.1, end_factor=2),
        "`end_factor` must be at least 0 and at most 1, got 2.",
    ),
    "size": (lambda: mmengine.StepLR(0.1, 0), "`step_size` must be at least 1, got 0."),
    "a part of an epoch": (
        lambda: mmengine.MultiStepLR(0.1, [1.5], convert_to_iter_based=True, epoch_length=3),
        "`milestones[0] * epoch_length` must be a whole number, got 4.5.",
    ),
    "power": (lambda: mmengine.PolyLR(0.1, power=-1), "`power` must be at least 0 and at most 1000000"),
    "two floors": (
        lambda: mmengine.CosineAnnealingLR(0.1, 9, 0.01, eta_min_ratio=0.1),
        "Either `eta_min` or `eta_min_ratio` must be given, got 0.01 and 0.1.",
    ),
    "no floor": (
        lambda: mmengine.CosineRestartMomentum(0.9, [5]),
        "Either `eta_min` or `eta_min_ratio` must be given, got None and None.",
    ),
    "weights": (
        lambda: mmengine.CosineRestartLR(0.1, [5, 5], eta_min=0),
        "`restart_weights` must have an entry for each of the periods, [5, 5], got (1,).",
    ),
    "strategy": (
        lambda: mmengine.OneCycleLR(eta_max=0.1, end=9, anneal_strategy="cosine"),
        "`anneal_strategy` must be one of ['cos', 'linear'], got 'cosine'.",
    ),
    "before a cycle": (
        lambda: mmengine.OneCycleLR(eta_max=0.1, begin=5, end=9),
        "`lr` must be given, because it is the rate before `begin`, 5, got None.",
    ),
    "rule": (
        lambda: mmengine.ReduceOnPlateauLR(0.1, rule="min"),
        "`rule` must be one of ['less', 'greater'], got 'min'.",
    ),
    "threshold_rule": (
        lambda: mmengine.ReduceOnPlateauLR(0.1, threshold_rule="absolute"),
        "`threshold_rule` must be one of ['rel', 'abs'], got 'absolute'.",
    ),
    "a rule for some epochs": (
        lambda: mmengine.ReduceOnPlateauLR(0.1, end=50),
        "`begin` and `end` must be 0 and 1000000000, got 0 and 50: a rule does not count epochs.",
    ),
    "a rule by iteration": (
        lambda: mmengine.ReduceOnPlateauLR(0.1, by_epoch=False),
        "`by_epoch` must be True, got False: a metric is measured after an epoch.",
    ),
    "unknown scheduler": (
        lambda: mmengine.param_scheduler(0.1, {"type": "QuadraticWarmupLR"}),
        "`schedulers[0].type` must be one of ['ConstantLR', 'LinearLR', ",
    ),
    "plateau in a list": (
        lambda: mmengine.param_scheduler(0.1, [LINE, {"type": "ReduceOnPlateauLR"}]),
        "`schedulers[1].type` must name a function of the step, got 'ReduceOnPlateauLR', which follows",
    ),
    "unknown argument": (
        lambda: mmengine.param_scheduler(0.1, [LINE | {"warmup": 3}]),
        "`schedulers[0]` must have only these arguments, ['start_factor', 'end_factor', 'begin', 'end',",
    ),
    "missing argument": (
        lambda: mmengine.param_scheduler(0.1, [LINE, {"type": "ExponentialLR"}]),
        "`schedulers[1].gamma` must be given, got {",
    ),
    "rate and momentum": (
        lambda: mmengine.param_scheduler(0.1, [LINE, {"type": "LinearMomentum"}]),
        "`schedulers` must all change the rate, or all the momentum, got 'LinearMomentum' at index 1",
    ),
    "two clocks": (
        lambda: mmengine.param_scheduler(0.1, [LINE, {"type": "PolyLR", "by_epoch": False}]),
        "`epoch_length` must be given if some schedulers count epochs and others iterations, got None.",
    ),
    "too long together": (
        lambda: mmengine.param_scheduler(
            0.1, [{"type": "PolyLR", "eta_min": 0.1}, {"type": "ExponentialLR", "gamma": 0.9}]
        ),
        "`schedulers` must follow each other, or only multiply the rate, or act together for at most 100000",
    ),
    "scaled rate": (
        lambda: mmengine.from_config(config(auto_scale_lr={"enable": True})),
        "`auto_scale_lr.enable` must be False, got True: the rate then depends on the number of GPUs.",
    ),
    "key of MMCV": (
        lambda: mmengine.from_config(config(LINE, lr_config={})),
        "got 'lr_config', which looks like one and is not known.",
    ),
    "key of the optimizer": (
        lambda: mmengine.from_config({"optim_wrapper": {"optimizer": {"lr": 0.1, "lr_decay": 0.1}}}),
        "got 'optim_wrapper.optimizer.lr_decay', which looks like one and is not known.",
    ),
    "no rate": (
        lambda: mmengine.from_config({"optim_wrapper": {"optimizer": {"type": "Adam"}}}),
        "`optim_wrapper.optimizer.lr` must be given, got only ['type'].",
    ),
    "two clocks in a configuration": (
        lambda: mmengine.from_config(config(LINE, {"type": "LinearMomentum", "by_epoch": False})),
        "`epoch_length` must be given if some schedulers count epochs and others iterations, got None.",
    ),
    "the last iteration": (
        lambda: mmengine.from_config(
            config({"type": "PolyLR", "by_epoch": False}, train_cfg={"max_epochs": 9})
        ),
        "`epoch_length` must be given, because `param_scheduler[0].end` is the last iteration, got None.",
    ),
    "two plateaus": (
        lambda: mmengine.from_config(config(*[{"type": "ReduceOnPlateauLR"}] * 2)),
        "`param_scheduler` must have at most one 'ReduceOnPlateauLR', got several.",
    ),
}

TYPE_ERRORS = {
    "rate": (lambda: mmengine.LinearLR("0.1"), "`lr` must be a number, got '0.1' (str)."),
    "momentum": (
        lambda: mmengine.LinearMomentum("0.9"),
        "`momentum` must be a number, got '0.9' (str).",
    ),
    "list": (
        lambda: mmengine.param_scheduler(0.1, "LinearLR"),
        "`schedulers` must be a dict or a list of dicts, got 'LinearLR' (str).",
    ),
    "monitor": (
        lambda: mmengine.ReduceOnPlateauLR(0.1, 3),
        "`monitor` must be the name of a metric, got 3 (int).",
    ),
    "several optimizers": (
        lambda: mmengine.from_config(config() | {"param_scheduler": {"generator": [LINE]}}),
        "`param_scheduler` must be a dict with a `type`, or a list of them, got {'generator'",
    ),
    "a traced length": (
        lambda: jax.jit(lambda end: mmengine.LinearLR(0.1, end=end)(0))(9),
        "`end` must be concrete, got a traced number: the parts of the schedule depend on it.",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


TRACED = {
    "ConstantLR": (lambda lr, factor: mmengine.ConstantLR(lr, factor, 2, 6), (0.3, 0.5)),
    "LinearLR": (lambda lr, first, last: mmengine.LinearLR(lr, first, last, end=6), (0.3, 0.1, 0.9)),
    "ExponentialLR": (lambda lr, gamma: mmengine.ExponentialLR(lr, gamma, 2, 9), (0.3, 0.9)),
    "StepLR": (lambda lr, gamma: mmengine.StepLR(lr, 3, gamma, end=10), (0.3, 0.5)),
    "MultiStepLR": (lambda lr, gamma: mmengine.MultiStepLR(lr, [4, 8], gamma), (0.3, 0.5)),
    "PolyLR": (lambda lr, least, power: mmengine.PolyLR(lr, least, power, 2, 12), (0.3, 0.01, 2.0)),
    "CosineAnnealingLR": (
        lambda lr, ratio: mmengine.CosineAnnealingLR(lr, 4, begin=2, end=12, eta_min_ratio=ratio),
        (0.3, 0.1),
    ),
    "CosineRestartLR": (
        lambda lr, weights, least: mmengine.CosineRestartLR(lr, [4, 6], weights, least),
        (0.3, np.array([1.0, 0.5]), 0.01),
    ),
    "OneCycleLR": (
        lambda lr, peak: mmengine.OneCycleLR(lr, peak, 12, begin=2, end=10, anneal_strategy="linear"),
        (0.1, 0.3),
    ),
    "param_scheduler": (
        lambda lr, factor, least: mmengine.param_scheduler(
            lr,
            [
                {"type": "LinearLR", "start_factor": factor, "end": 4},
                {"type": "CosineAnnealingLR", "eta_min": least, "end": 12},
            ],
        ),
        (0.3, 0.1, 0.01),
    ),
}


@pytest.mark.parametrize("name", by_default(["CosineAnnealingLR"], TRACED))
def test_rates_and_factors_may_be_traced(name):
    port, args = TRACED[name]
    steps = np.arange(20, dtype=np.int32)
    traced = jax.jit(lambda args, steps: port(*args)(steps))(args, steps)
    np.testing.assert_allclose(traced, port(*args)(steps), rtol=2e-6, atol=1e-8)
