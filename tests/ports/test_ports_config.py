"""What the `from_config` of every system has in common."""

from __future__ import annotations

import numpy as np
import pytest
from refusals import refusals

import jaxsched as js
from jaxsched.ports import FromConfig
from jaxsched.ports._config import ignored, section


def test_what_a_configuration_becomes_is_called_like_a_schedule():
    made = FromConfig(js.Cosine(0.3, 0.01, 100), ("seed",))
    steps = np.arange(120)
    np.testing.assert_array_equal(made(steps), js.Cosine(0.3, 0.01, 100)(steps))
    assert made.ignored == ("seed",)
    assert (made.weight_decay, made.momentum, made.plateau) == (None, None, None)


def test_other_keys_are_named_with_their_path():
    config = {"lr": 0.1, "weight_decay": 0.1, "walrus": 1, "betas": (0.9, 0.95), "ema_decay": 0.99}
    assert ignored(config, {"lr"}, {"ema_decay"}, "optimizer.") == (
        "optimizer.weight_decay",
        "optimizer.walrus",
        "optimizer.betas",
        "optimizer.ema_decay",
    )


OF_A_SCHEDULE = (
    "min_lr",
    "lr",
    "lrScheduler",
    "base-lr",
    "MAX_LR",
    "learning_rate_final",
    "learningRate",
    "warmup_steps",
    "warmUp",
    "decay_steps",
    "Scheduler",
    "anneal_strategy",
    "weight_decay_schedule",
)


@pytest.mark.parametrize("key", OF_A_SCHEDULE)
def test_a_key_that_looks_like_one_of_a_schedule_is_refused(key):
    with pytest.raises(ValueError, match=f"must have only these keys of a schedule.*got 'a.{key}'"):
        ignored({key: 1}, {"known"}, (), "a.")


TYPE_ERRORS = {
    "a path": (
        lambda: section("config.json"),
        "`config` must be a mapping, such as a dict, got 'config.json' (str).",
    ),
    "a number as a key": (
        lambda: section({3: 1}, "params"),
        "`params` must have texts as keys, got 3 (int).",
    ),
}


@refusals({}, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)
