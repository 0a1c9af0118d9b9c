"""The ports of Detectron2 and fvcore: configurations, deliberate deviations, refusals and tracing."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from goldens.distance import distance
from rates import check_traced, rates
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched.ports import detectron2

CONFIGS = json.loads((Path(__file__).parents[1] / "goldens" / "detectron2.json").read_text())["configs"]


@pytest.mark.parametrize("number", by_default((5,), range(len(CONFIGS))))
def test_a_configuration_gives_what_detectron2_makes_of_it(number):
    case = CONFIGS[number]
    made = detectron2.from_config({"SOLVER": case["solver"]})
    assert distance(made(np.array(case["steps"], np.int32)), case["rates"]) <= 1
    assert made.ignored == ()


MASK_RCNN = {
    "MODEL": {"MASK_ON": True, "RESNETS": {"DEPTH": 50}},
    "SOLVER": {
        "IMS_PER_BATCH": 16,
        "BASE_LR": 0.02,
        "STEPS": (210000, 250000),
        "MAX_ITER": 270000,
        "WEIGHT_DECAY": 0.0001,
    },
    "VERSION": 2,
}
"""Mask R-CNN with the schedule 3x, from the model zoo of Detectron2."""


def test_a_published_configuration():
    made = detectron2.from_config(MASK_RCNN)
    assert made.ignored == ("MODEL", "VERSION", "SOLVER.IMS_PER_BATCH", "SOLVER.WEIGHT_DECAY")
    expected = {0: 2e-5, 500: 0.01001, 1000: 0.02, 209999: 0.02, 210000: 0.002, 249999: 0.002, 250000: 2e-4}
    np.testing.assert_allclose(rates(made, list(expected)), list(expected.values()), rtol=1e-6)


def test_texts_of_yaml_are_decoded():
    solver = {"STEPS": "(60000, 80000)", "MAX_ITER": 90000, "BASE_LR": "2e-2", "WARMUP_METHOD": "linear"}
    parsed = {"STEPS": (60000, 80000), "MAX_ITER": 90000, "BASE_LR": 0.02}
    assert detectron2.from_config({"SOLVER": solver}) == detectron2.from_config({"SOLVER": parsed})


def test_a_configuration_for_other_workers():
    """Half of the workers train twice as long at half of the rate, as `auto_scale_workers` has it."""
    keys = {"REFERENCE_WORLD_SIZE": 8, "BASE_LR": 0.02, "STEPS": (6000, 8000), "MAX_ITER": 9000}
    halved = {"BASE_LR": 0.01, "STEPS": (12000, 16000), "MAX_ITER": 18000, "WARMUP_ITERS": 2000}
    scaled = detectron2.from_config({"SOLVER": keys}, world_size=4)
    assert scaled == detectron2.from_config({"SOLVER": halved})


def test_schedulers_that_fail_at_the_end_stay_there():
    steps = detectron2.StepWithFixedGammaParamScheduler(0.4, 1, 0.5, 10, total_steps=10)
    np.testing.assert_allclose(rates(steps, [4, 5, 9, 10, 100]), [0.4, 0.2, 0.2, 0.2, 0.2], rtol=1e-6)
    assert detectron2.ConstantParamScheduler(0.4, total_steps=10) == js.Constant(0.4)
    decay = detectron2.PolynomialDecayParamScheduler(0.4, 0.5, total_steps=4)
    np.testing.assert_allclose(rates(decay, [0, 3, 4, 5]), [0.4, 0.2, 0.0, 0.0], rtol=1e-6)
    whole = detectron2.PolynomialDecayParamScheduler(0.4, 3, total_steps=4)
    np.testing.assert_allclose(rates(whole, [4, 6, 8]), [0.0, -0.05, -0.4], rtol=1e-6)


def test_a_last_part_without_length():
    ramp = detectron2.WarmupParamScheduler(
        detectron2.ConstantParamScheduler(0.4), 0.5, 1.0, rescale_interval=True, total_steps=4
    )
    np.testing.assert_allclose(rates(ramp, [0, 2, 4]), [0.2, 0.3, 0.4], rtol=1e-6)


@pytest.mark.parametrize(("millions", "early"), [(0.09, 0), (1.5, 1), (2.5, 2)])
def test_levels_begin_a_step_early_for_each_million(millions, early):
    total = int(millions * 1e6)
    cut = 2 * total // 3
    schedule = detectron2.MultiStepParamScheduler([2, 1], total, [cut], total_steps=total)
    assert rates(schedule, [cut - early - 1, cut - early]).tolist() == [2, 1]


def test_a_part_begins_after_its_boundary():
    """After a million steps, fvcore's millionth is a whole step, and its comparison is `>` for a part."""
    fraction = 0.01
    ramp = detectron2.WarmupParamScheduler(detectron2.ConstantParamScheduler(2), 0.5, fraction, "constant")
    schedule = detectron2.LRMultiplier(1, ramp, max_iter=10**6)
    steps = [9998, 9999, 10000, 10001]
    assert rates(schedule, steps).tolist() == [2 if t / 10**6 + 1e-6 > fraction else 1 for t in steps]


def test_functions_of_where_are_schedulers():
    schedule = detectron2.LRMultiplier(0.2, lambda where: jnp.sqrt(where), max_iter=16)
    np.testing.assert_allclose(rates(schedule, [0, 4, 16]), [0.0, 0.1, 0.2], rtol=1e-6)


def test_parts_of_parts_keep_their_steps():
    """Levels within a part that begins between two steps."""
    levels = detectron2.MultiStepParamScheduler([3, 2, 1], milestones=[1, 2, 3])
    parts = [detectron2.ConstantParamScheduler(4), levels]
    schedule = detectron2.CompositeParamScheduler(parts, [0.25, 0.75], ["rescaled"] * 2, total_steps=9)
    # They begin at 2.25, 4.5 and 6.75.
    assert rates(schedule, range(10)).tolist() == [4, 4, 4, 3, 3, 2, 2, 1, 1, 1]


def test_a_rate_for_each_group():
    cosine = detectron2.CosineParamScheduler(1, 0)
    assert detectron2.LRMultiplier([0.1, 0.2], cosine, 9) == [
        detectron2.LRMultiplier(lr, cosine, 9) for lr in (0.1, 0.2)
    ]
    assert len(detectron2.WarmupCosineLR([0.1, 0.2], 9)) == 2


PARTS = [detectron2.ConstantParamScheduler(1), detectron2.CosineParamScheduler(1, 0)]


def configured(**solver):
    return lambda: detectron2.from_config({"SOLVER": solver})


VALUE_ERRORS = {
    "length": (
        lambda: detectron2.CosineParamScheduler(1, 0, total_steps=0),
        "`total_steps` must be above 0, got 0.",
    ),
    "decay": (
        lambda: detectron2.ExponentialParamScheduler(1, -0.1),
        "`decay` must be at least 0, got -0.1.",
    ),
    "power": (
        lambda: detectron2.PolynomialDecayParamScheduler(1, -1),
        "`power` must be at least 0 and at most 1000000, got -1.",
    ),
    "no end": (
        lambda: detectron2.MultiStepParamScheduler([1, 0.1]),
        "`num_updates` or `milestones` must be given, got neither.",
    ),
    "too few milestones": (
        lambda: detectron2.MultiStepParamScheduler([1, 0.1], milestones=[9]),
        "`milestones` must have 2 entries here, got 1.",
    ),
    "more values than updates": (
        lambda: detectron2.MultiStepParamScheduler([1, 0.1, 0.01], 2),
        "`num_updates` must be at least 3, got 2.",
    ),
    "milestones that fall": (
        lambda: detectron2.MultiStepParamScheduler([1, 0.1, 0.01], 90, [60, 30]),
        "`milestones` must increase, from above 0 to below the end (90), got 30 after 60.",
    ),
    "a milestone at the end": (
        lambda: detectron2.MultiStepParamScheduler([1, 0.1, 0.01], 4),
        "`milestones` must increase, from above 0 to below the end (4), got 4 after 4.",
    ),
    "updates": (lambda: detectron2.StepParamScheduler(0, [1]), "`num_updates` must be above 0, got 0."),
    "no values": (
        lambda: detectron2.StepParamScheduler(9, []),
        "`values` must have at least one number, got none.",
    ),
    "gamma": (
        lambda: detectron2.StepWithFixedGammaParamScheduler(1, 2, 0, 9),
        "`gamma` must be above 0, got 0.",
    ),
    "cuts": (
        lambda: detectron2.StepWithFixedGammaParamScheduler(1, 0, 0.1, 9),
        "`num_decays` must be at least 1 and at most 10000, got 0.",
    ),
    "sum": (
        lambda: detectron2.CompositeParamScheduler(PARTS, [0.5, 0.4], ["fixed", "fixed"]),
        "`lengths` must have a sum of 1, got 0.9.",
    ),
    "count": (
        lambda: detectron2.CompositeParamScheduler(PARTS, [1.0], ["fixed"]),
        "`lengths` and `interval_scaling` must have as many entries as `schedulers`, 2, got 1 and 1.",
    ),
    "scaling": (
        lambda: detectron2.CompositeParamScheduler(PARTS, [0.5, 0.5], ["fixed", "scaled"]),
        "`interval_scaling[1]` must be one of ['rescaled', 'fixed'], got 'scaled'.",
    ),
    "method": (
        lambda: detectron2.WarmupParamScheduler(PARTS[1], 0.1, 0.1, "exp"),
        "`warmup_method` must be one of ['linear', 'constant'], got 'exp'.",
    ),
    "warmup_length": (
        lambda: detectron2.WarmupParamScheduler(PARTS[1], 0.1, 100),
        "`warmup_length` must be at least 0 and at most 1, got 100.",
    ),
    "last_iter": (
        lambda: detectron2.LRMultiplier(0.1, PARTS[1], 9, last_iter=5),
        "`last_iter` must be -1, got 5: a schedule has no state to resume from.",
    ),
    "last_epoch": (
        lambda: detectron2.WarmupCosineLR(0.1, 9, last_epoch=5),
        "`last_epoch` must be -1, got 5:",
    ),
    "unsorted": (
        lambda: detectron2.WarmupMultiStepLR(0.1, [9, 3]),
        "`milestones` must be sorted, got 9 before 3 at index 0.",
    ),
    "name": (
        configured(LR_SCHEDULER_NAME="WarmupPolyLR"),
        "`LR_SCHEDULER_NAME` must be one of ['WarmupMultiStepLR', 'WarmupCosineLR', "
        "'WarmupStepWithFixedGammaLR'], got 'WarmupPolyLR'.",
    ),
    "last rate": (
        configured(LR_SCHEDULER_NAME="WarmupCosineLR", BASE_LR=0.1, BASE_LR_END=0.2),
        "`BASE_LR_END` must be at least 0 and at most 0.1, got 0.2.",
    ),
    "another key": (configured(POLY_LR_POWER=0.9), "got 'SOLVER.POLY_LR_POWER', which looks like one"),
    "biases": (configured(BIAS_LR_FACTOR=2.0), "`BIAS_LR_FACTOR` must be 1, got 2.0: multiply the schedule"),
    "workers": (
        configured(REFERENCE_WORLD_SIZE=8),
        "`world_size` must be given for a `REFERENCE_WORLD_SIZE` of 8, got None.",
    ),
    "a part of a configuration": (
        lambda: detectron2.from_config({"_BASE_": "../Base-RCNN-FPN.yaml", "SOLVER": {"MAX_ITER": 9}}),
        "`config` must be complete, got `_BASE_`, '../Base-RCNN-FPN.yaml': merge it with that file first",
    ),
}

TYPE_ERRORS = {
    "multiplier": (
        lambda: detectron2.LRMultiplier(0.1, "cosine", 9),
        "`multiplier` must be a schedule, a number or a callable, got 'cosine' (str)",
    ),
    "a traced end": (
        lambda: jax.jit(lambda end: detectron2.MultiStepParamScheduler([1, 0.1], end)(0))(9),
        "`num_updates` must be concrete, got a traced number: the levels depend on it.",
    ),
    "no section": (lambda: detectron2.from_config({"SOLVER": 0.1}), "`SOLVER` must be a mapping"),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


def composite(start, lengths, total_steps):
    parts = [detectron2.LinearParamScheduler(start, 0.1), detectron2.CosineParamScheduler(0.1, start)]
    return detectron2.CompositeParamScheduler(parts, lengths, ["fixed", "rescaled"], total_steps=total_steps)


def multiplied(lr, factor, length, level, max_iter):
    levels = detectron2.MultiStepParamScheduler([1.0, level], milestones=[2, 3])
    warmed_up = detectron2.WarmupParamScheduler(levels, factor, length)
    return detectron2.LRMultiplier(lr, warmed_up, max_iter)


TRACED = {
    "CompositeParamScheduler": (composite, (0.3, np.array([0.25, 0.75]), 12.0)),
    "LRMultiplier": (multiplied, (0.3, 0.1, 0.25, 0.5, 12.0)),
    "PolynomialDecayParamScheduler": (
        lambda base, steps: detectron2.PolynomialDecayParamScheduler(base, 2, total_steps=steps),
        (0.3, 9.0),
    ),
    "WarmupCosineLR": (detectron2.WarmupCosineLR, (0.3, 12.0, 0.1, 4.0)),
    "WarmupMultiStepLR": (detectron2.WarmupMultiStepLR, (0.3, np.array([3.0, 7.0]), 0.5, 0.1, 4.0)),
}


@pytest.mark.parametrize("name", by_default(("LRMultiplier",), TRACED))
def test_arguments_may_be_traced(name):
    check_traced(*TRACED[name], np.arange(20, dtype=np.int32), 1e-7)
