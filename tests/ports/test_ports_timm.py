"""The ports of timm: deliberate deviations, refusals and tracing."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path

import jax
import numpy as np
import pytest
from rates import check_traced, rates
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched.ports import timm

DEVIATIONS = {
    "the restart at 121": (
        lambda: timm.CosineLRScheduler(0.3, 1, cycle_mul=3, cycle_limit=9),
        {0: 0.3, 1: 0.3, 4: 0.3, 13: 0.3, 40: 0.3, 121: 0.3, 364: 0.3, 9841: 0.0},
    ),
    "the restart at 111": (
        lambda: timm.PolyLRScheduler(0.3, 1, cycle_mul=10, cycle_decay=0.5, cycle_limit=4),
        {0: 0.3, 1: 0.15, 11: 0.075, 111: 0.0375, 1111: 0.0},
    ),
    "the restart of a tanh": (
        lambda: timm.TanhLRScheduler(0.3, 1, cycle_mul=3, cycle_limit=6),
        {step: 0.3 / (1 + math.exp(-14)) for step in (0, 1, 4, 13, 40, 121)} | {364: 0.0, 1000: 0.0},
    ),
    "restarts of shrinking cycles, and after them": (
        lambda: timm.CosineLRScheduler(0.3, 16, 0.01, cycle_mul=0.5, cycle_limit=4),
        {0: 0.3, 16: 0.3, 24: 0.3, 28: 0.3, 30: 0.01, 31: 0.01, 32: 0.01, 33: 0.01, 1000: 0.01},
    ),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_deviations(name):
    build, expected = DEVIATIONS[name]
    np.testing.assert_allclose(rates(build(), list(expected)), list(expected.values()), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("growth", "limit", "end"), [(1.1, 2, 21), (1.1, 1, 10), (1.2, 2, 22), (0.9, 2, 19)])
def test_a_tanh_jumps_where_its_cycles_end(growth, limit, end):
    schedule = timm.TanhLRScheduler(0.3, 10, lr_min=0.01, cycle_mul=growth, cycle_limit=limit)
    before, after = rates(schedule, [end - 1, end])
    assert before > 0.0107
    assert after == np.float32(0.01)


def test_cycles_that_need_no_restarts_are_what_they_look_like():
    assert timm.CosineLRScheduler(0.3, 10, 0.01) == js.Cosine(0.3, 0.01, 10)
    assert timm.PolyLRScheduler(0.3, 10, 2.0) == js.Polynomial(0.3, 0, 10, 2)
    assert timm.CosineLRScheduler(0.3, 10, 0.01, cycle_limit=0) == js.Constant(0.01)


def test_the_number_of_epochs_is_that_of_timm():
    record = json.loads((Path(__file__).parents[1] / "goldens" / "timm.json").read_text())
    cases = [case for case in record["cases"] if "num_epochs" in case]
    assert len({case["num_epochs"] for case in cases}) > 10
    for case in cases:
        _, epochs = timm.create_scheduler_v2(*case["args"], **case["kwargs"])
        assert epochs == case["num_epochs"], case


VALUE_ERRORS = {
    "length": (lambda: timm.CosineLRScheduler(0.1, 0), "`t_initial` must be above 0, got 0."),
    "lowest": (lambda: timm.PolyLRScheduler(0.1, 9, lr_min=-1), "`lr_min` must be at least 0, got -1."),
    "growth": (
        lambda: timm.TanhLRScheduler(0.1, 9, cycle_mul=0),
        "`cycle_mul` must be above 0 and at most 1000000, got 0.",
    ),
    "decay": (
        lambda: timm.CosineLRScheduler(0.1, 9, cycle_decay=-1),
        "`cycle_decay` must be at least 0, got -1.",
    ),
    "limit": (
        lambda: timm.CosineLRScheduler(0.1, 9, cycle_limit=1.5),
        "`cycle_limit` must be a whole number, got 1.5.",
    ),
    "k_decay": (
        lambda: timm.CosineLRScheduler(0.1, 9, k_decay=0),
        "`k_decay` must be above 0 and at most 1000000, got 0.",
    ),
    "window": (lambda: timm.TanhLRScheduler(0.1, 9, lb=3, ub=3), "`ub` must be above 3, got 3."),
    "power": (
        lambda: timm.PolyLRScheduler(0.1, 9, -0.5),
        "`power` must be at least 0 and at most 1000000, got -0.5.",
    ),
    "warmup": (lambda: timm.StepLRScheduler(0.1, 9, warmup_t=-1), "`warmup_t` must be at least 0, got -1."),
    "first rate": (
        lambda: timm.StepLRScheduler(0.1, 9, warmup_lr_init=-1),
        "`warmup_lr_init` must be at least 0, got -1.",
    ),
    "every": (lambda: timm.StepLRScheduler(0.1, 0), "`decay_t` must be above 0, got 0."),
    "rate": (lambda: timm.StepLRScheduler(0.1, 3, -1), "`decay_rate` must be at least 0, got -1."),
    "unsorted": (
        lambda: timm.MultiStepLRScheduler(0.1, [5, 3]),
        "`decay_t` must be sorted, got 5 before 3 at index 0.",
    ),
    "no stable phase": (lambda: timm.WSDLRScheduler(0.1, 0, 1), "`t_initial` must be at least 1, got 0."),
    "decay_t": (
        lambda: timm.WSDLRScheduler(0.1, 9, 10),
        "`decay_t` must be at least 1 and at most 9, got 10.",
    ),
    "stable_fn": (
        lambda: timm.WSDLRScheduler(0.1, 9, 3, stable_fn="sqrt"),
        "`stable_fn` must be one of ['constant', 'rsqrt', 'power'], got 'sqrt'.",
    ),
    "timescale": (
        lambda: timm.WSDLRScheduler(0.1, 9, 3, stable_fn="rsqrt"),
        "`stable_timescale` must be given for 'rsqrt' without a warmup, got None.",
    ),
    "no timescale": (
        lambda: timm.WSDLRScheduler(0.1, 9, 3, stable_fn="power", stable_timescale=0),
        "`stable_timescale` must be above 0, got 0.",
    ),
    "stable_power": (
        lambda: timm.WSDLRScheduler(0.1, 9, 3, stable_power=0),
        "`stable_power` must be above 0 and at most 1000000, got 0.",
    ),
    "decay_fn": (
        lambda: timm.WSDLRScheduler(0.1, 9, 3, decay_fn="sqrt"),
        "`decay_fn` must be one of ['linear', '1-sqrt', 'cosine', 'power', 'exp'], got 'sqrt'.",
    ),
    "decay_power": (
        lambda: timm.WSDLRScheduler(0.1, 9, 3, decay_power=0),
        "`decay_power` must be above 0 and at most 1000000, got 0.",
    ),
    "decay_ratio": (
        lambda: timm.WSDLRScheduler(0.1, 9, 3, decay_ratio=1),
        "`decay_ratio` must be above 0 and below 1, got 1.",
    ),
    "name": (
        lambda: timm.create_scheduler_v2(0.1, "cos"),
        "`sched` must be one of ['cosine', 'tanh', 'poly', 'step', 'multistep', 'wsd', 'rsqrt'], got 'cos'.",
    ),
    "plateau": (
        lambda: timm.create_scheduler_v2(0.1, "plateau", patience_epochs=3),
        "got 'plateau', which follows a metric: use the rule `jaxsched.ports.timm.PlateauLRScheduler("
        "0.1, 0.1, 3, lr_min=0.0, mode='max')`.",
    ),
    "epochs": (
        lambda: timm.create_scheduler_v2(0.1, num_epochs=0),
        "`num_epochs` must be at least 1, got 0.",
    ),
    "updates": (
        lambda: timm.create_scheduler_v2(0.1, step_on_epochs=False),
        "`updates_per_epoch` must be at least 1, got 0.",
    ),
    "a part of an epoch": (
        lambda: timm.create_scheduler_v2(0.1, warmup_epochs=0.5),
        "`warmup_epochs` must be a whole number, got 0.5.",
    ),
    "lowest, by name": (
        lambda: timm.create_scheduler_v2(0.1, min_lr=-1),
        "`min_lr` must be at least 0, got -1.",
    ),
    "power, by name": (
        lambda: timm.create_scheduler_v2(0.1, "poly", decay_rate=-1),
        "`decay_rate` must be at least 0 and at most 1000000, got -1.",
    ),
    "cuts, by name": (
        lambda: timm.create_scheduler_v2(0.1, "multistep", decay_milestones=[5, 3]),
        "`decay_milestones` must be sorted, got 5 before 3 at index 0.",
    ),
    "decay, by name": (
        lambda: timm.create_scheduler_v2(0.1, "wsd", 20, 18, warmup_epochs=5),
        "`decay_epochs` must be at least one step and at most what follows the warmup, 15 epochs, got 18.",
    ),
    "timescale, by name": (
        lambda: timm.create_scheduler_v2(0.1, "rsqrt"),
        "`stable_timescale` must be given for 'rsqrt' without a warmup, got None.",
    ),
    "more epochs than there are floats": (
        lambda: timm.create_scheduler_v2(0.1, cycle_mul=2, cycle_limit=2000),
        "`cycle_limit` must be lower with `cycle_mul=2`, got 2000.",
    ),
}

TYPE_ERRORS = {
    "rate": (lambda: timm.CosineLRScheduler("0.1", 9), "`lr` must be a number, got '0.1' (str)."),
    "cuts": (
        lambda: timm.MultiStepLRScheduler(0.1, 30),
        "`decay_t` must be a list of numbers, got 30 (int).",
    ),
    "no number": (
        lambda: timm.WSDLRScheduler(0.1, 9, 2, decay_fn=lambda fraction: "low"),
        "`decay_fn(0.5)` must be a number, got 'low' (str).",
    ),
    "a traced length": (
        lambda: jax.jit(lambda epochs: timm.create_scheduler_v2(0.1, num_epochs=epochs)[0](0))(9),
        "`num_epochs` must be concrete, got a traced number: the number of epochs depends on it.",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


TRACED = {
    "CosineLRScheduler": (timm.CosineLRScheduler, (0.3, 4.0, 0.01, 2.0, 0.5, 2.0, 3.0, 0.02)),
    "TanhLRScheduler": (timm.TanhLRScheduler, (0.3, 4.0, -6.0, 3.0, 0.01, 2.0, 0.5, 2.0, 3.0, 0.02)),
    "PolyLRScheduler": (timm.PolyLRScheduler, (0.3, 4.0, 2.0, 0.01, 2.0, 0.5, 2.0, 3.0, 0.02)),
    "StepLRScheduler": (timm.StepLRScheduler, (0.3, 4.0, 0.5, 3.0, 0.02)),
    "MultiStepLRScheduler": (timm.MultiStepLRScheduler, (0.3, np.array([3.0, 7.0]), 0.5, 3.0, 0.02)),
    "WSDLRScheduler": (timm.WSDLRScheduler, (0.3, 9.0, 4.0, 0.01)),
    "rsqrt": (
        functools.partial(timm.WSDLRScheduler, stable_fn="rsqrt", decay_fn="linear", warmup_t=3),
        (0.3, 9.0, 4.0, 0.01),
    ),
    "create_scheduler_v2": (
        lambda lr, power: timm.create_scheduler_v2(lr, "poly", 9, decay_rate=power, warmup_epochs=3)[0],
        (0.3, 2.0),
    ),
}


@pytest.mark.parametrize("name", by_default(("rsqrt", "create_scheduler_v2"), TRACED))
def test_arguments_may_be_traced(name):
    check_traced(*TRACED[name], np.arange(20, dtype=np.int32), 1e-8)
