"""The ports of OLMo-core: deliberate deviations, refusals, tracing and configurations."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from rates import check_traced, rates
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched.ports import olmo

DEVIATIONS = {
    "no warmup": (lambda: olmo.ConstantWithWarmup(0.3, warmup=0), {0: 0.3, 1: 0.3}),
    "no warmup, then a decay": (
        lambda: olmo.WSD(0.3, 10, warmup=0, decay_fraction=0.5),
        {0: 0.3, 5: 0.3, 6: 0.24, 10: 0.0},
    ),
    "no decay": (lambda: olmo.WSD(0.3, 10, warmup=0, decay_fraction=0.0), {9: 0.3, 10: 0.3, 11: 0.3}),
    "a cosine without its decay": (
        lambda: olmo.CosWithWarmupAndLinearDecay(0.3, 10, warmup=0, decay_fraction=0.0),
        {9: 0.03 + 0.27 * np.sin(np.pi / 20) ** 2, 10: 0.03, 11: 0.03},
    ),
    "periods without a decay": (
        lambda: olmo.WSDS(0.3, period_lengths=[4, 4], warmup=0, decay=0, decay_min_lr=0.1),
        {3: 0.3, 4: 0.1, 5: 0.3, 7: 0.3, 8: 0.1, 9: 0.1},
    ),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_deviations(name):
    build, expected = DEVIATIONS[name]
    np.testing.assert_allclose(rates(build(), list(expected)), list(expected.values()), rtol=1e-6, atol=1e-9)


def test_what_is_a_known_composition_looks_like_it():
    assert olmo.ConstantScheduler(0.3) == js.Constant(0.3)
    assert olmo.CosWithWarmup(0.3, 100, warmup=10) == js.warmup_cosine(0.3, 100, 10, end_value=0.03)
    assert olmo.LinearWithWarmup(0.3, 100, warmup=0, alpha_f=0.0) == js.Linear(0.3, 0, 100)
    assert olmo.WSDS(0.3, period_lengths=[9], warmup=0, decay=9) == js.Linear(0.3, 0, 9)


@pytest.mark.thorough
def test_a_sequence_in_a_sequence():
    linear = {"type": "linear_with_warmup", "warmup": 0, "alpha_f": 0.5}
    inner = {"type": "sequential", "schedulers": [linear, linear], "schedulers_max": [4]}
    nested = olmo.SequentialScheduler(0.4, 24, [inner, linear], schedulers_max=[8])
    flat = olmo.SequentialScheduler(0.4, 24, [linear, linear, linear], schedulers_max=[4, 4])
    np.testing.assert_allclose(rates(nested, range(25)), rates(flat, range(25)), rtol=3e-7)
    np.testing.assert_allclose(rates(flat, [0, 4, 8, 24]), [0.4, 0.2, 0.1, 0.05], rtol=3e-7)


def test_an_override_hides_what_its_scheduler_refuses():
    hidden = {"type": "WSD", "warmup": 1, "decay": 1, "decay_min_lr": 0.5}
    schedulers = [{"type": "constant"}, hidden]
    with pytest.raises(ValueError, match="`decay_min_lr` must be at least 0 and below 0.3, got 0.5"):
        olmo.SequentialScheduler(0.3, 20, schedulers, schedulers_max=[8])
    override = {"start": 8, "duration": 4, "end_lr": 0.1}
    schedule = olmo.SequentialScheduler(0.3, 20, schedulers, schedulers_max=[8], override_decay=override)
    np.testing.assert_allclose(rates(schedule, [1, 8, 10, 12, 20]), [0.3, 0.3, 0.2, 0.1, 0.1], rtol=1e-6)


PRETRAINING = {
    "run_name": "OLMo-2-0325-32B",
    "model": {"d_model": 5120},
    "data_loader": {"global_batch_size": 8388608, "num_workers": 4},
    "train_module": {
        "rank_microbatch_size": 16384,
        "optim": {
            "lr": 6e-4,
            "weight_decay": 0.1,
            "group_overrides": [{"params": ["embeddings.weight"], "opts": {"weight_decay": 0.0}}],
        },
        "scheduler": {
            "lr_field": "lr",
            "initial_lr_field": "initial_lr",
            "units": "steps",
            "warmup": 2000,
            "alpha_f": 0.1,
            "warmup_min_lr": 0.0,
            "_CLASS_": "olmo_core.optim.scheduler.CosWithWarmup",
            "type": "cos_with_warmup",
        },
    },
    "trainer": {
        "save_folder": "checkpoints",
        "max_duration": {"value": 6_500_000_000_000, "unit": "tokens"},
        "callbacks": {"checkpointer": {"save_interval": 1000}},
    },
}
"""The numbers of OLMo 2 32B."""


def changed(config, path, value):
    """A copy of a configuration with one entry changed."""
    first, _, rest = path.partition(".")
    return config | {first: changed(config.get(first, {}), rest, value) if rest else value}


def test_a_published_configuration():
    run = olmo.from_config(PRETRAINING)
    # 6.5e12 tokens are 774,860.3 batches.
    assert run.learning_rate == olmo.CosWithWarmup(6e-4, 774_861, warmup=2000)
    assert float(run(2000)) == np.float32(6e-4)
    assert run.ignored == (
        "run_name",
        "model",
        "train_module.rank_microbatch_size",
        "train_module.optim.weight_decay",
        "train_module.optim.group_overrides",
        "trainer.save_folder",
        "trainer.callbacks",
        "data_loader.num_workers",
    )


def test_parts_of_a_configuration():
    expected = olmo.CosWithWarmup(6e-4, 500, warmup=2000)
    module = PRETRAINING["train_module"]
    assert olmo.from_config(module, t_max=500).learning_rate == expected
    assert olmo.from_config(module["scheduler"], initial_lr=6e-4, t_max=500).learning_rate == expected
    harmless = {"batch_size_scheduler": {"enabled": False}, "sequence_length_scheduler": {}}
    without = changed(PRETRAINING, "trainer.callbacks", harmless)
    without = changed(without, "train_module.optim.adjust_lr", "rms_norm")
    without = changed(without, "train_module.scheduler", None)
    assert olmo.from_config(without).learning_rate == js.Constant(6e-4)


def test_units_and_durations():
    def length(units, value, unit, **given):
        scheduler = {"type": "exponential", "units": units}
        config = changed(PRETRAINING, "train_module.scheduler", scheduler)
        config = changed(config, "trainer.max_duration", {"value": value, "unit": unit})
        return olmo.from_config(config, **given).learning_rate.transition_steps

    assert length("steps", 7, "steps") == 7
    assert length("tokens", 7, "tokens") == 7
    assert length("tokens", 7, "steps") == 7 * 8388608
    assert length("steps", 7 * 8388608 + 1, "tokens") == 8
    assert length("steps", 1, "epochs", t_max=9) == 9


def test_a_saved_decay_stands_without_the_fraction():
    config = {"_CLASS_": "WSD", "warmup": 1, "decay": 5}
    assert olmo.from_config(config, initial_lr=0.3, t_max=20).learning_rate == olmo.WSD(
        0.3, 20, warmup=1, decay=5, decay_fraction=None
    )


def test_a_class_keeps_its_own_end():
    own = {"type": "cos_with_warmup", "warmup": 1, "t_max": 30}
    assert olmo.from_config(own, initial_lr=0.3, t_max=20).learning_rate == olmo.CosWithWarmup(
        0.3, 30, warmup=1
    )
    own["type"] = "cos_with_warmup_and_linear_decay"
    assert olmo.from_config(own, initial_lr=0.3, t_max=20).learning_rate == olmo.CosWithWarmupAndLinearDecay(
        0.3, 20, warmup=1, cosine_t_max=30
    )


def configured(path, value, **given):
    return lambda: olmo.from_config(changed(PRETRAINING, path, value), **given)


STAGE = {"duration": 3, "end_lr": 0.1}

VALUE_ERRORS = {
    "no warmup": (
        lambda: olmo.ConstantWithWarmup(0.3),
        "`warmup` or `warmup_fraction` must be given and the other one be None, got None and None.",
    ),
    "two warmups": (
        lambda: olmo.CosWithWarmup(0.3, 9, warmup=2, warmup_fraction=0.1),
        "`warmup` or `warmup_fraction` must be given and the other one be None, got 2 and 0.1.",
    ),
    "two decays": (
        lambda: olmo.WSD(0.3, 9, warmup=1, decay_steps=2),
        "`decay` or `decay_fraction` must be given and the other one be None, got 2 and 0.1.",
    ),
    "warmup": (lambda: olmo.WSD(0.3, 9, warmup=-1), "`warmup` must be at least 0, got -1."),
    "fraction": (
        lambda: olmo.WSD(0.3, 9, warmup_fraction=1.5),
        "`warmup_fraction` must be at least 0 and at most 1, got 1.5.",
    ),
    "first rate": (
        lambda: olmo.CosWithWarmup(0.3, 9, warmup=2, warmup_min_lr=0.3),
        "`warmup_min_lr` must be at least 0 and below 0.3, got 0.3.",
    ),
    "first rate of a half cosine": (
        lambda: olmo.HalfCosWithWarmup(0.3, 9, warmup=2, warmup_min_lr=0.2, alpha_f=0.0),
        "`warmup_min_lr` must be at least 0 and below 0.15, got 0.2.",
    ),
    "last rate": (
        lambda: olmo.WSD(0.3, 9, warmup=2, decay_min_lr=0.3),
        "`decay_min_lr` must be at least 0 and below 0.3, got 0.3.",
    ),
    "no length": (
        lambda: olmo.CosWithWarmup(0.3, None, warmup=2),
        "`t_max` must be given, the length of the run, got None.",
    ),
    "length": (lambda: olmo.CosWithWarmup(0.3, -9, warmup=2), "`t_max` must be at least 0, got -9."),
    "units": (
        lambda: olmo.ConstantScheduler(0.3, units="epochs"),
        "`units` must be one of ['steps', 'tokens'], got 'epochs'.",
    ),
    "growing power": (
        lambda: olmo.PowerLR(0.3, 9, b=0.5, warmup=2),
        "`b` must be at least -1000000 and below 0, got 0.5.",
    ),
    "power of 0": (
        lambda: olmo.PowerLR(0.3, 9, warmup_fraction=0.01),
        "`warmup` must be above 0, got 0.",
    ),
    "power that only decays": (
        lambda: olmo.PowerLR(0.3, 9, warmup=1, decay_fraction=1.0),
        "`decay` must be below 9, got 9.",
    ),
    "decay": (
        lambda: olmo.CosWithWarmupAndLinearDecay(0.3, 9, warmup=1, decay=10, decay_fraction=None),
        "`decay` must be at most 9, got 10.",
    ),
    "lowest": (lambda: olmo.ExponentialScheduler(0.3, 9, 0.0), "`lr_min` must be above 0, got 0."),
    "highest": (lambda: olmo.ExponentialScheduler(0, 9), "`initial_lr` must be above 0, got 0."),
    "no periods": (
        lambda: olmo.WSDS(0.3, warmup=1, decay=1),
        "`period_lengths` must have at least one period, got none.",
    ),
    "period": (
        lambda: olmo.WSDS(0.3, period_lengths=[3, 0], warmup=1, decay=1),
        "`period_lengths[1]` must be above 0, got 0.",
    ),
    "too little room": (
        lambda: olmo.WSDS(0.3, period_lengths=[9, 9], warmup=5, decay=5),
        "`decay` must be at most 4, got 5.",
    ),
    "factors": (
        lambda: olmo.WSDS(0.3, period_lengths=[9, 9], period_lr_multipliers=[1.0], warmup=1, decay=1),
        "`period_lr_multipliers` must have as many entries as `period_lengths`, which has 2, got 1.",
    ),
    "factor": (
        lambda: olmo.WSDS(0.3, period_lengths=[9], period_lr_multipliers=[0], warmup=1, decay=1),
        "`period_lr_multipliers[0]` must be above 0, got 0.",
    ),
    "no stages": (lambda: olmo.ComposableScheduler(0.3), "`stages` must have at least one entry, got none."),
    "stage": (
        lambda: olmo.ComposableScheduler(0.3, stages=[STAGE, STAGE | {"end": 3}]),
        "`stages[1]` must have only the keys ['duration', 'shape', 'start_lr', 'start_lr_fraction', "
        "'end_lr', 'end_lr_fraction'], got 'end'.",
    ),
    "two ends": (
        lambda: olmo.ComposableScheduler(0.3, stages=[STAGE | {"end_lr_fraction": 0.1}]),
        "`stages[0]` must have one of `end_lr` and `end_lr_fraction`, got ['end_lr', 'end_lr_fraction'].",
    ),
    "no end": (
        lambda: olmo.ComposableScheduler(0.3, stages=[{"duration": 3}]),
        "`stages[0]` must have one of `end_lr` and `end_lr_fraction`, got neither.",
    ),
    "negative end": (
        lambda: olmo.ComposableScheduler(0.3, stages=[STAGE | {"end_lr": -0.1}]),
        "`stages[0].end_lr` must be at least 0, got -0.1.",
    ),
    "duration": (
        lambda: olmo.ComposableScheduler(0.3, stages=[STAGE | {"duration": 0}]),
        "`stages[0].duration` must be above 0, got 0.",
    ),
    "shape": (
        lambda: olmo.ComposableScheduler(0.3, stages=[STAGE | {"shape": "sqrt"}]),
        "`stages[0].shape` must be one of ['linear', 'cosine'], got 'sqrt'.",
    ),
    "override": (
        lambda: olmo.ComposableScheduler(0.3, stages=[STAGE], override_decay=STAGE | {"start": -1}),
        "`override_decay.start` must be at least 0, got -1.",
    ),
    "no schedulers": (
        lambda: olmo.SequentialScheduler(0.3, 9, schedulers_max=[3]),
        "`schedulers` must have at least one entry, got none.",
    ),
    "no lengths": (
        lambda: olmo.SequentialScheduler(0.3, 9, [{"_CLASS_": "ConstantScheduler"}]),
        "`schedulers_max` must be given, a length for each of `schedulers`, got None.",
    ),
    "lengths": (
        lambda: olmo.SequentialScheduler(0.3, 9, [{"_CLASS_": "ConstantScheduler"}], schedulers_max=[1, 2]),
        "`schedulers_max` must have an entry for each of `schedulers`, the last one or not, got 2 for 1.",
    ),
    "class": (
        lambda: olmo.SequentialScheduler(0.3, 9, [{"_CLASS_": "Cosine"}], schedulers_max=[]),
        "`schedulers[0]._CLASS_` must be one of ['ConstantScheduler', 'ConstantWithWarmup', 'WSD', ",
    ),
    "a class without an end": (
        lambda: olmo.from_config({"type": "wsd", "warmup": 1, "t_max": 9}, initial_lr=0.3),
        "`t_max` must be left out for WSD, got 9.",
    ),
    "no base rate": (
        configured("train_module.optim", {}),
        "`initial_lr` must be given where `config` has no `optim.lr`, got None.",
    ),
    "epochs": (
        configured("trainer.max_duration", {"value": 2, "unit": "epochs"}),
        "`t_max` must be given for a run of 2 epochs, got None.",
    ),
    "unknown argument": (
        configured("train_module.scheduler.decay_power", 2),
        "got 'train_module.scheduler.decay_power', which looks like one and is not known.",
    ),
    "another schedule": (
        configured("train_module.lr_scale", 2),
        "got 'train_module.lr_scale', which looks like one and is not known.",
    ),
    "a callback": (
        configured("trainer.callbacks.mine", {"_CLASS_": "olmo_core.callbacks.BatchSizeSchedulerCallback"}),
        "`trainer.callbacks` must leave the rate alone, got 'mine', which multiplies it by ",
    ),
    "a group": (
        configured("train_module.optim.group_overrides", [{"params": ["*"], "opts": {"lr": 0.1}}]),
        "got 'train_module.optim.group_overrides[0].opts.lr', which looks like one and is not known.",
    ),
}

TYPE_ERRORS = {
    "rate": (lambda: olmo.ConstantScheduler("0.3"), "`initial_lr` must be a number, got '0.3' (str)."),
    "stages": (
        lambda: olmo.ComposableScheduler(0.3, stages=STAGE),
        "`stages` must be a list of dicts, got {'duration': 3, 'end_lr': 0.1} (dict).",
    ),
    "no dict": (
        lambda: olmo.ComposableScheduler(0.3, stages=[3]),
        "`stages[0]` must be a mapping, such as a dict, got 3 (int).",
    ),
    "no duration": (
        lambda: olmo.ComposableScheduler(0.3, stages=[{"end_lr": 0.1}]),
        "`stages[0].duration` must be a number, got None (NoneType).",
    ),
    "a traced length": (
        lambda: jax.jit(lambda t: olmo.SequentialScheduler(0.3, t, [{}], schedulers_max=[])(0))(9),
        "`t_max` must be concrete, got a traced number: it says which schedulers run.",
    ),
    "batches": (
        configured("data_loader", {}),
        "`data_loader.global_batch_size` must be a number, got None (NoneType).",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


TRACED = {
    "ConstantWithWarmup": (lambda lr, w: olmo.ConstantWithWarmup(lr, warmup=w), (0.3, 4.0)),
    "WSD": (
        lambda lr, t, w, d: olmo.WSD(lr, t, w, decay=d, decay_fraction=None, decay_min_lr=0.02),
        (0.3, 15.0, 3.0, 4.0),
    ),
    "WSD without room": (lambda *args: TRACED["WSD"][0](*args), (0.3, 9.0, 7.0, 6.0)),
    "WSD in fractions": (
        lambda lr, t, w: olmo.WSD(lr, t, warmup_fraction=w, decay_fraction=0.25),
        (0.3, 14.0, 0.25),
    ),
    "PowerLR": (lambda lr, t, b, w: olmo.PowerLR(lr, t, b, w), (0.3, 15.0, -0.5, 3.0)),
    "LinearWithWarmup": (olmo.LinearWithWarmup, (0.3, 15.0, 0.2, 3.0)),
    "InvSqrtWithWarmup": (olmo.InvSqrtWithWarmup, (0.3, 15.0, 0.2, 3.0)),
    "CosWithWarmup": (lambda lr, t, w, a: olmo.CosWithWarmup(lr, t, w, alpha_f=a), (0.3, 15.0, 3.0, 0.2)),
    "HalfCosWithWarmup": (
        lambda lr, t, w, a: olmo.HalfCosWithWarmup(lr, t, w, alpha_f=a),
        (0.3, 15.0, 3.0, 0.2),
    ),
    "CosWithWarmupAndLinearDecay": (
        lambda lr, t, w: olmo.CosWithWarmupAndLinearDecay(lr, t, w, decay=4, decay_fraction=None),
        (0.3, 15.0, 3.0),
    ),
    "WSDS": (
        lambda lr, lengths, w, d: olmo.WSDS(lr, None, lengths, warmup=w, decay=d),
        (0.3, np.array([8.0, 3.0, 5.0]), 2.0, 3.0),
    ),
    "ComposableScheduler": (
        lambda lr, steps: olmo.ComposableScheduler(lr, stages=[{"duration": steps, "end_lr": 0.1}] * 2),
        (0.3, 5.0),
    ),
    "SequentialScheduler": (
        lambda lr: olmo.SequentialScheduler(
            lr,
            15,
            [{"type": "cos_with_warmup", "warmup": 2}, {"type": "linear_with_warmup", "warmup": 1}],
            [6],
        ),
        (0.3,),
    ),
    "ExponentialScheduler": (olmo.ExponentialScheduler, (0.3, 15.0, 1e-3)),
}


@pytest.mark.parametrize("name", by_default(("LinearWithWarmup",), TRACED))
def test_arguments_may_be_traced(name):
    check_traced(*TRACED[name], np.arange(20, dtype=np.int32), 3e-8)
