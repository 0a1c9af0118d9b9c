"""The ports of Composer: time strings, deliberate deviations, refusals, tracing and configurations."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched.ports import composer

CALLS = {
    "epochs": ("3ep", {"dataloader_len": 7}, 21),
    "an exponent": ("2e1ba", {}, 20),
    "capitals": ("20BA", {}, 20),
    "a fraction of a run in batches": ("0.77dur", {"max_duration": "10ba"}, 7),
    "a fraction of a run in epochs": ("0.5dur", {"max_duration": "3ep", "dataloader_len": 7}, 10),
    "a fraction of epochs without a unit": ("0.5dur", {"max_duration": 3, "dataloader_len": 7}, 10),
    "samples": ("100sp", {"samples_per_batch": 32}, 100 / 32),
    "tokens": ("1e5tok", {"tokens_per_batch": 1000}, 100),
    "a scaled time": ("15ba", {"scale_schedule_ratio": 0.5}, 7),
    "scaled epochs": ("1ep", {"dataloader_len": 7, "scale_schedule_ratio": 0.5}, 3),
    "a fraction of a scaled run": ("0.5dur", {"max_duration": "30ba", "scale_schedule_ratio": 0.5}, 7),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_time_is_so_many_batches(name):
    time, trainer, batches = CALLS[name]
    assert composer.LinearScheduler(0.3, t_max=time, **trainer) == js.Linear(0.3, 0.0, batches)


@pytest.mark.thorough
def test_the_parts_of_a_batch_count():
    """A cut or restart comes with the first batch after so many samples, at whole batches too."""
    steps = np.arange(50)
    cuts = composer.StepScheduler(0.3, "10sp", 0.5, samples_per_batch=3)
    np.testing.assert_allclose(cuts(steps), 0.3 * 0.5 ** (3 * steps // 10), rtol=1e-6)
    restarts = composer.CosineAnnealingWarmRestartsScheduler(0.3, "10sp", samples_per_batch=3)
    expected = 0.15 * (1 + np.cos(np.pi * (3 * steps % 10) / 10))
    np.testing.assert_allclose(restarts(steps), expected, rtol=1e-6)


def test_cycles_that_shrink_to_nothing_stay_at_the_last_rate():
    schedule = composer.CosineAnnealingWarmRestartsScheduler(0.3, "8ba", 0.5, 0.1)
    rates = schedule(np.array([0, 8, 12, 14, 15, 16, 1000]))
    np.testing.assert_allclose(rates, [0.3, 0.3, 0.3, 0.3, 0.03, 0.03, 0.03], rtol=1e-6)


def test_a_warmup_of_another_length_waits_or_jumps():
    def warmed(ratio):
        return composer.ConstantWithWarmupScheduler(
            0.3, "8ba", scale_warmup=True, max_duration="40ba", scale_schedule_ratio=ratio
        )

    np.testing.assert_allclose(warmed(0.5)(np.array([2, 4, 7, 8])), [0.15, 0.3, 0.3, 0.3], rtol=1e-6)
    np.testing.assert_allclose(warmed(2.0)(np.array([2, 4, 7, 8])), [0.0375, 0.075, 0.13125, 0.3], rtol=1e-6)


TRAINED = {
    "epochs": (
        composer.LinearScheduler(1.0, max_duration="2ep", dataloader_len=5),
        [1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2],
    ),
    "scaled epochs": (
        composer.LinearScheduler(
            1.0, t_max="2ep", max_duration="2ep", dataloader_len=5, scale_schedule_ratio=0.5
        ),
        [1.0, 1.0, 0.8, 0.6, 0.4],
    ),
    "a scaled warmup": (
        composer.CosineAnnealingWithWarmupScheduler(
            1.0, "0.3dur", max_duration="2ep", dataloader_len=5, scale_schedule_ratio=2.0
        ),
        [0.0, 0.0, 0.1667, 0.3333, 0.5, 0.6667, 0.8333, 1.0, 0.9875, 0.9505],
    ),
}
"""The rates at which the `Trainer` of mosaicml 0.32.1 made the first updates of small runs, rounded."""


@pytest.mark.parametrize("name", by_default(("scaled epochs",), TRAINED))
def test_the_trainer_makes_the_first_two_updates_at_the_first_rate(name):
    schedule, rates = TRAINED[name]
    np.testing.assert_allclose(js.shift(schedule, 1)(np.arange(len(rates))), rates, atol=5e-5)


MPT_7B = {
    "max_seq_len": 2048,
    "model": {"name": "mpt_causal_lm", "d_model": 4096},
    "scheduler": {"name": "cosine_with_warmup", "t_warmup": "100ba", "alpha_f": 0.1},
    "optimizer": {"name": "decoupled_adamw", "lr": 1.2e-4, "betas": [0.9, 0.95], "weight_decay": 0.0},
    "algorithms": {"gradient_clipping": {"clipping_type": "norm", "clipping_threshold": 1.0}},
    "max_duration": "63900ba",
    "global_train_batch_size": 1024,
    "callbacks": {"lr_monitor": {}},
}
"""`scripts/train/yamls/pretrain/mpt-7b.yaml` of LLM Foundry, without what has nothing to do with a rate."""

MOSAIC_BERT = {
    "max_seq_len": 128,
    "scheduler": {"name": "linear_decay_with_warmup", "t_warmup": "0.06dur", "alpha_f": 0.02},
    "optimizer": {"name": "decoupled_adamw", "lr": 5e-4, "betas": [0.9, 0.98], "weight_decay": 1e-5},
    "max_duration": "286720000sp",
    "global_train_batch_size": 4096,
}
"""`examples/benchmarks/bert/yamls/main/mosaic-bert-base-uncased.yaml` of MosaicML's examples, likewise."""


def test_a_published_configuration_in_batches():
    made = composer.from_config(MPT_7B)
    assert made.learning_rate == js.warmup(js.Cosine(1.2e-4, 1.2e-5, 63_800), 100)
    assert made.ignored == (
        "model",
        "algorithms",
        "callbacks",
        "optimizer.name",
        "optimizer.betas",
        "optimizer.weight_decay",
    )


def test_a_published_configuration_in_samples():
    assert composer.from_config(MOSAIC_BERT).learning_rate == js.warmup(
        js.Linear(5e-4, 1e-5, 0.94 * 70_000), 0.06 * 70_000
    )


def test_a_configuration_in_tokens():
    config = MOSAIC_BERT | {"max_duration": "1048576tok", "global_train_batch_size": 64}
    assert composer.from_config(config)(128) == np.float32(1e-5)
    assert composer.from_config(config, tokens_per_batch=4096)(128) > 1e-4
    assert composer.from_config(config, tokens_per_batch=4096)(256) == np.float32(1e-5)


def test_a_configuration_in_epochs():
    config = MPT_7B | {"max_duration": 2, "scale_schedule_ratio": 0.5}
    made = composer.from_config(config, dataloader_len=1000)
    assert made.learning_rate == js.warmup(js.Cosine(1.2e-4, 1.2e-5, 900), 100)


def with_scheduler(**scheduler):
    return composer.from_config(MPT_7B | {"scheduler": scheduler})


A_TIME = (
    "must be a whole number of 'ep', 'ba', 'sp' or 'tok' or a fraction in 'dur', at least 0, such as '10ep' "
    "or '0.1dur', got "
)

VALUE_ERRORS = {
    "a wall clock": (lambda: composer.LinearScheduler(0.1, t_max="30sec"), f"`t_max` {A_TIME}'30sec'."),
    "iterations": (lambda: composer.LinearScheduler(0.1, t_max="3iter"), f"`t_max` {A_TIME}'3iter'."),
    "no unit": (lambda: composer.LinearScheduler(0.1, t_max="30"), f"`t_max` {A_TIME}'30'."),
    "no number": (lambda: composer.LinearScheduler(0.1, t_max="tenep"), f"`t_max` {A_TIME}'tenep'."),
    "a part of a batch": (lambda: composer.StepScheduler(0.1, "0.5ba"), f"`step_size` {A_TIME}'0.5ba'."),
    "below 0": (lambda: composer.LinearScheduler(0.1, t_max="-1dur"), f"`t_max` {A_TIME}'-1dur'."),
    "for ever": (lambda: composer.LinearScheduler(0.1, t_max="infba"), f"`t_max` {A_TIME}'infba'."),
    "one of several": (
        lambda: composer.MultiStepScheduler(0.1, ["5ba", "7"]),
        f"`milestones[1]` {A_TIME}'7'.",
    ),
    "no run": (
        lambda: composer.LinearScheduler(0.1),
        "`max_duration` must be given for `t_max` '1dur', got None.",
    ),
    "no epoch": (
        lambda: composer.ExponentialScheduler(0.1, 0.9),
        "`dataloader_len` must be given for `decay_period` '1ep', got None.",
    ),
    "no epoch of a run": (
        lambda: composer.LinearScheduler(0.1, max_duration="3ep"),
        "`dataloader_len` must be given for `t_max` '1dur', got None.",
    ),
    "no samples": (
        lambda: composer.LinearScheduler(0.1, max_duration="100sp"),
        "`samples_per_batch` must be given for `t_max` '1dur', got None.",
    ),
    "no tokens": (
        lambda: composer.StepScheduler(0.1, "100tok"),
        "`tokens_per_batch` must be given for `step_size` '100tok', got None.",
    ),
    "an empty batch": (
        lambda: composer.StepScheduler(0.1, "100tok", tokens_per_batch=0),
        "`tokens_per_batch` must be above 0, got 0.",
    ),
    "an empty epoch": (
        lambda: composer.StepScheduler(0.1, "1ep", dataloader_len=0),
        "`dataloader_len` must be above 0, got 0.",
    ),
    "a part of an epoch": (
        lambda: composer.StepScheduler(0.1, "1ep", dataloader_len=9.5),
        "`dataloader_len` must be a whole number, got 9.5.",
    ),
    "an empty run": (
        lambda: composer.LinearScheduler(0.1, max_duration="3ba", scale_schedule_ratio=0.2),
        "'ba', 'sp' or 'tok' after it is scaled by 0.2, got '3ba'.",
    ),
    "a run of runs": (
        lambda: composer.LinearScheduler(0.1, max_duration="3dur"),
        "`max_duration` must be at least 1 in 'ep', 'ba', 'sp' or 'tok' after it is scaled by 1, got '3dur'",
    ),
    "ratio": (
        lambda: composer.LinearScheduler(0.1, max_duration="3ba", scale_schedule_ratio=0),
        "`scale_schedule_ratio` must be above 0, got 0.",
    ),
    "a length of 0": (
        lambda: composer.LinearScheduler(0.1, t_max="0.04dur", max_duration="20ba"),
        "`t_max` must be at least 1ba, got '0.04dur', which is 0ba.",
    ),
    "a warmup scaled to 0": (
        lambda: composer.ConstantWithWarmupScheduler(
            0.1, "3ba", scale_warmup=True, max_duration="20ba", scale_schedule_ratio=0.25
        ),
        "`t_warmup` must be at least 1ba, got '3ba', which is 0ba.",
    ),
    "an end before that of the run": (
        lambda: composer.CosineAnnealingWithWarmupScheduler(
            0.1, "3ba", "2ep", max_duration="3ep", dataloader_len=10
        ),
        "`t_max` must be at least `max_duration`, which is 30ba, got '2ep', which is 20ba.",
    ),
    "a warmup in another unit": (
        lambda: composer.LinearWithWarmupScheduler(0.1, "3ba", max_duration="100tok", tokens_per_batch=10),
        "`t_warmup` must be in the unit of `t_max` '1dur', which is 100tok, got '3ba', which is 3ba.",
    ),
    "cycles that end before the run": (
        lambda: composer.CosineAnnealingWarmRestartsScheduler(0.1, "8ba", 0.5, max_duration="16ba"),
        "`t_mult` must be larger, so that the cycles cover the run of 16ba, got 0.5: they end after 15ba.",
    ),
    "factor of the steps": (
        lambda: composer.StepScheduler(0.1, "3ba", -0.5),
        "`gamma` must be at least 0, got -0.5.",
    ),
    "factor of a period": (
        lambda: composer.ExponentialScheduler(0.1, -0.5, "3ba"),
        "`gamma` must be at least 0, got -0.5.",
    ),
    "power": (
        lambda: composer.PolynomialScheduler(0.1, -1, "3ba"),
        "`power` must be at least 0 and at most 1000000, got -1.",
    ),
    "another scheduler": (
        lambda: with_scheduler(name="inv_sqrt_with_warmup"),
        "`scheduler.name` must be one of ['constant_with_warmup', 'cosine_with_warmup', "
        "'linear_decay_with_warmup'], got 'inv_sqrt_with_warmup'.",
    ),
    "another argument": (
        lambda: with_scheduler(name="cosine_with_warmup", t_warmup="1ba", alpha_i=1),
        "`scheduler` must have only the keys ['name', 't_warmup', 't_max', 'alpha_f', 'scale_warmup'] for "
        "'cosine_with_warmup', got 'alpha_i'.",
    ),
    "no warmup": (
        lambda: with_scheduler(name="cosine_with_warmup"),
        "`scheduler.t_warmup` must be given, such as '100ba', got none.",
    ),
    "a reference": (
        lambda: with_scheduler(name="cosine_with_warmup", t_warmup="${warmup}"),
        f"`t_warmup` {A_TIME}'${{warmup}}'.",
    ),
    "a key of a schedule": (
        lambda: composer.from_config(MPT_7B | {"step_schedulers_every_batch": False}),
        "got 'step_schedulers_every_batch', which looks like one and is not known.",
    ),
}

TYPE_ERRORS = {
    "rate": (lambda: composer.LinearScheduler("0.1", t_max="9ba"), "`lr` must be a number, got '0.1' (str)."),
    "a time without a unit": (
        lambda: composer.LinearScheduler(0.1, t_max=30),
        "`t_max` must be a time string, such as '10ep' or '0.1dur', got 30 (int).",
    ),
    "one milestone": (
        lambda: composer.MultiStepScheduler(0.1, "30ba"),
        "`milestones` must be a list of times, such as ['10ep', '20ep'], got '30ba' (str).",
    ),
    "flag": (
        lambda: composer.ConstantWithWarmupScheduler(0.1, "3ba", scale_warmup=1, max_duration="9ba"),
        "`scale_warmup` must be True or False, got 1 (int).",
    ),
    "a traced length": (
        lambda: jax.jit(lambda n: composer.StepScheduler(0.1, "1ep", dataloader_len=n)(0))(9),
        "`dataloader_len` must be concrete, got a traced number: times are rounded with it.",
    ),
    "no optimizer": (
        lambda: composer.from_config({"scheduler": {"name": "cosine_with_warmup", "t_warmup": "1ba"}}),
        "`optimizer` must be a mapping, such as a dict, got None (NoneType).",
    ),
    "a rate as a text": (
        lambda: composer.from_config(MPT_7B | {"optimizer": {"lr": "6e-4"}}),
        "`optimizer.lr` must be a number, got '6e-4' (str).",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


RUN = {"max_duration": "16ba", "dataloader_len": 5}

TRACED = {
    "StepScheduler": lambda lr, x: composer.StepScheduler(lr, "1ep", x, **RUN),
    "MultiStepScheduler": lambda lr, x: composer.MultiStepScheduler(lr, ["2ep", "0.2dur"], x, **RUN),
    "ConstantScheduler": lambda lr, x: composer.ConstantScheduler(lr, x, "8ba"),
    "LinearScheduler": lambda lr, x: composer.LinearScheduler(lr, 1.0, x, **RUN),
    "ExponentialScheduler": lambda lr, x: composer.ExponentialScheduler(lr, x, **RUN),
    "CosineAnnealingScheduler": lambda lr, x: composer.CosineAnnealingScheduler(lr, alpha_f=x, **RUN),
    "CosineAnnealingWarmRestartsScheduler": lambda lr, x: composer.CosineAnnealingWarmRestartsScheduler(
        lr, "4ba", 1.5, x
    ),
    "PolynomialScheduler": lambda lr, x: composer.PolynomialScheduler(lr, x, **RUN),
    "MultiStepWithWarmupScheduler": lambda lr, x: composer.MultiStepWithWarmupScheduler(
        lr, "4ba", ["2ba", "8ba"], x
    ),
    "ConstantWithWarmupScheduler": lambda lr, x: composer.ConstantWithWarmupScheduler(lr, "4ba", x, **RUN),
    "LinearWithWarmupScheduler": lambda lr, x: composer.LinearWithWarmupScheduler(lr, "4ba", x, **RUN),
    "CosineAnnealingWithWarmupScheduler": lambda lr, x: composer.CosineAnnealingWithWarmupScheduler(
        lr, "4ba", alpha_f=x, **RUN
    ),
    "PolynomialWithWarmupScheduler": lambda lr, x: composer.PolynomialWithWarmupScheduler(
        lr, "4ba", x, **RUN
    ),
}


@pytest.mark.parametrize("name", by_default(("ExponentialScheduler",), TRACED))
def test_factors_may_be_traced(name):
    port, steps = TRACED[name], np.arange(20, dtype=np.int32)
    traced = jax.jit(lambda lr, x, steps: port(lr, x)(steps))(0.3, 0.5, steps)
    np.testing.assert_allclose(traced, port(0.3, 0.5)(steps), rtol=2e-6, atol=1e-8)
