"""The port of Levanter: deliberate deviations, newer decays, refusals, tracing and configurations."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from rates import rates
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched.ports import levanter

DEVIATIONS = {
    "a cosine without a decay": ({"decay": 0}, {0: 0.3, 9: 0.3, 10: 0.3, 11: 0.3}),
    "many tokens": (
        {"lr_schedule": {"type": "power", "batch_size": 2**20, "seq_length": 2**20, "a": 1e-6, "b": -0.5}},
        {step: min(0.3, 1e-6 / np.sqrt(max(step, 1))) for step in (1, 4, 100, 10**6)} | {0: 0.3},
    ),
    "polynomial": (
        {"lr_schedule": {"type": "polynomial"}, "min_lr_ratio": 0.1},
        {step: 0.03 + 0.27 * (1 - step / 10) ** 2 for step in range(11)} | {12: 0.03},
    ),
    "inv_sqrt_decay": (
        {"lr_schedule": {"type": "inv_sqrt_decay"}, "min_lr_ratio": 0.1},
        {step: max(0.03, 0.3 / np.sqrt(1 + 28.6 * step / 10)) for step in (0, 1, 5, 10, 100)},
    ),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_deviations_and_newer_decays(name):
    arguments, expected = DEVIATIONS[name]
    schedule = levanter.lr_scheduler(10, learning_rate=0.3, warmup=0, **arguments)
    np.testing.assert_allclose(rates(schedule, list(expected)), list(expected.values()), rtol=1e-6)


def test_what_is_a_known_composition_looks_like_it():
    def made(**arguments):
        return levanter.lr_scheduler(100, learning_rate=0.3, min_lr_ratio=0.0, **arguments)

    assert made(warmup=0.1) == js.warmup_cosine(0.3, 100, 10)
    assert made(warmup=10, lr_schedule="constant") == js.warmup(0.3, 10)
    assert made(warmup=0, cycles=4, lr_schedule="linear") == js.cycle(js.Linear(0.3, 0, 25), 25, cycles=4)
    falling = {"type": "inv_sqrt", "timescale": 5}
    assert str(made(warmup=0, cycles=4, lr_schedule=falling)).count("InversePower") == 2


@pytest.mark.parametrize(
    ("cycles", "begins"), [([60, 100], [10, 50, 80]), ([50, 55, 90], [0, 5, 40, 80]), (3, [-7, 36, 80])]
)
def test_a_decay_that_is_longer_than_its_cycle_cuts_off_the_cycles_before(cycles, begins):
    schedule = levanter.lr_scheduler(
        130, learning_rate=1.0, min_lr_ratio=0.0, warmup=0, decay=50, cycles=cycles, lr_schedule="linear"
    )
    steps = np.arange(140)
    expected = np.ones(140)
    for begin in begins:
        expected = np.where(steps < begin, expected, np.clip(1 - (steps - begin) / 50, 0, 1))
    np.testing.assert_allclose(rates(schedule, steps), expected, atol=1e-6)


MARIN = {
    "data": {"tokenizer": "meta-llama/Meta-Llama-3.1-8B"},
    "model": {"type": "llama", "hidden_dim": 4096},
    "trainer": {"num_train_steps": 1_000_000, "train_batch_size": 1024},
    "optimizer": {
        "type": "adam",
        "beta1": 0.9,
        "cooldown": None,
        "cycle_length": 10_000,
        "cycles": None,
        "decay": 0.1,
        "default_weight_decay_mask": None,
        "haps": None,
        "learning_rate": 0.001,
        "lr_schedule": "inv",
        "min_lr_ratio": 0.1,
        "rewarmup": 0.0,
        "warmup": 1000,
        "weight_decay": 0.05,
        "weight_decay_modules": None,
    },
}
"""The numbers of the first phase of Marin 8B."""


def test_a_published_configuration():
    run = levanter.from_config(MARIN)
    expected = [0.0, 1e-3, 1e-3, 1e-3 / (1 + 9 * 500 / 1000), 1e-3, 1e-4]
    np.testing.assert_allclose(rates(run, [0, 1000, 8999, 9500, 10_000, 1_000_000]), expected, rtol=1e-6)
    assert run.weight_decay is None
    assert run.ignored == (
        "data",
        "model",
        "trainer.train_batch_size",
        "optimizer.type",
        "optimizer.beta1",
        "optimizer.default_weight_decay_mask",
        "optimizer.weight_decay",
        "optimizer.weight_decay_modules",
    )
    alone = levanter.from_config(MARIN["optimizer"], num_train_steps=1_000_000)
    assert alone.learning_rate == run.learning_rate


def test_defaults_of_a_configuration():
    default = levanter.lr_scheduler(400_000, learning_rate=6e-4, warmup=4000)
    assert levanter.from_config({"optimizer": {}}).learning_rate == default
    assert levanter.from_config({"trainer": {}}, num_train_steps=9).learning_rate == levanter.lr_scheduler(9)


def test_a_number_that_yaml_takes_for_a_text():
    config = {"learning_rate": "3E-4", "warmup": 2000, "lr_schedule": "linear"}
    run = levanter.from_config(config, num_train_steps=750_000)
    assert run.learning_rate == levanter.lr_scheduler(750_000, 3e-4, warmup=2000, lr_schedule="linear")


def test_the_weight_decay_of_adamc_follows_the_rate():
    config = {"learning_rate": 0.2, "weight_decay": 0.1, "adamc_weight_decay": True, "warmup": 5}
    run = levanter.from_config(config, num_train_steps=20)
    steps = np.arange(25)
    np.testing.assert_allclose(run.weight_decay(steps), 0.1 * rates(run, steps) / 0.2, rtol=1e-6)
    assert "weight_decay" not in run.ignored


def made(**arguments):
    return lambda: levanter.lr_scheduler(100, **arguments)


VALUE_ERRORS = {
    "run": (lambda: levanter.lr_scheduler(0), "`num_train_steps` must be at least 1, got 0."),
    "part of a step": (
        made(warmup=1.5),
        "`warmup` must be a fraction of at most 1 or a whole number of steps, got 1.5.",
    ),
    "warmup": (made(warmup=-1), "`warmup` must be at least 0, got -1."),
    "long warmup": (made(warmup=101), "`warmup` must be at most the 100 steps of the cycle, got 101."),
    "rate": (made(learning_rate=-1), "`learning_rate` must be at least 0, got -1."),
    "other rate": (made(override_lr=-1), "`override_lr` must be at least 0, got -1."),
    "ratio": (made(min_lr_ratio=-1), "`min_lr_ratio` must be at least 0, got -1."),
    "no ratio": (
        made(min_lr_ratio=0, lr_schedule="inv"),
        "`min_lr_ratio` must be above 0 for 'inv', which divides by it, got 0.",
    ),
    "cooldown": (made(cooldown=1.0), "`cooldown` must leave at least 1 step, got one that leaves 0."),
    "two cycles": (
        made(cycle_length=10, cycles=10),
        "`cycle_length` must be None with `cycles` or `haps`, got 10; leave one of them out.",
    ),
    "short cycles": (made(cycle_length=0.001), "`cycle_length` must be at least 1 step, got 0.001."),
    "many cycles": (made(cycles=101), "`cycles` must be at least 0 and at most 100, got 101."),
    "unsorted cycles": (
        made(cycles=[60, 40]),
        "`cycles` must have ends that ascend to 100, got 40 after 60.",
    ),
    "late cycles": (
        made(cycle_length=[60, 60]),
        "`cycle_length` must have ends that ascend to 100, got 120 after 60.",
    ),
    "empty cycle": (made(haps=[0, 40]), "`haps[0]` must be at least 1, got 0."),
    "decay by name": (
        made(lr_schedule="power"),
        "`lr_schedule` must be one of ['constant', 'cosine', 'linear', 'inv_sqrt', 'inv'], got 'power'.",
    ),
    "decay": (
        made(lr_schedule={"type": "sqrt"}),
        "`lr_schedule.type` must be one of ['constant', 'cosine', 'linear', 'inv_sqrt', 'inv', 'power', "
        "'polynomial', 'inv_sqrt_decay'], got 'sqrt'.",
    ),
    "argument of a decay": (
        made(lr_schedule={"type": "cosine", "power": 2}),
        "`lr_schedule` must have only the keys ['type', 'exponent'], got 'power'.",
    ),
    "timescale": (
        made(lr_schedule={"type": "inv_sqrt", "timescale": 0}),
        "`lr_schedule.timescale` must be above 0, got 0.",
    ),
    "growing power": (
        made(lr_schedule={"type": "power", "batch_size": 1, "seq_length": 1, "b": 0.5}),
        "`lr_schedule.b` must be at least -1000000 and below 0, got 0.5.",
    ),
    "no length": (
        lambda: levanter.from_config({"warmup": 10}),
        "`num_train_steps` must be given where `config` has no `trainer`, got None.",
    ),
    "a second rate": (
        lambda: levanter.from_config({"optimizer": {"type": "muon", "adam_lr": 1e-3}}),
        "got 'optimizer.adam_lr', which looks like one and is not known.",
    ),
}

TYPE_ERRORS = {
    "rate": (made(learning_rate="1e-3"), "`learning_rate` must be a number, got '1e-3' (str)."),
    "cycles": (made(cycles="2"), "`cycles` must be a number or a list of numbers, got '2' (str)."),
    "batch": (
        made(lr_schedule={"type": "power", "seq_length": 1}),
        "`lr_schedule.batch_size` must be a number, got None (NoneType).",
    ),
    "schedule": (made(lr_schedule=3), "`lr_schedule` must be a mapping, such as a dict, got 3 (int)."),
    "traced": (
        lambda: jax.jit(lambda steps: levanter.lr_scheduler(100, warmup=steps)(0))(9),
        "`warmup` must be concrete, got a traced number: it says how long the parts are.",
    ),
    "a flag": (
        lambda: levanter.from_config({"adamc_weight_decay": 1}, num_train_steps=9),
        "`adamc_weight_decay` must be True or False, got 1 (int).",
    ),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


KINDS = {
    **{name: name for name in ("constant", "cosine", "linear", "inv", "inv_sqrt")},
    "power": {"type": "power", "batch_size": 4, "seq_length": 16, "a": 0.1},
    "inv_sqrt_decay": {"type": "inv_sqrt_decay"},
}


@pytest.mark.parametrize("name", by_default(("inv",), KINDS))
def test_the_rates_may_be_traced(name):
    def port(lr, ratio):
        return levanter.lr_scheduler(
            20, lr, min_lr_ratio=ratio, warmup=3, rewarmup=2, decay=4, cycles=2, lr_schedule=KINDS[name]
        )

    steps = np.arange(25, dtype=np.int32)
    traced = jax.jit(lambda lr, ratio, steps: port(lr, ratio)(steps))(0.3, 0.2, steps)
    np.testing.assert_allclose(traced, port(0.3, 0.2)(steps), rtol=2e-6, atol=1e-8)
