"""The port of MaxText: refusals, tracing and configurations."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from refusals import refusals
from selection import by_default

import jaxsched as js
from jaxsched.ports import maxtext

RUN = {"learning_rate": 0.3, "steps": 100, "warmup_steps_fraction": 0.1}


def made(**more):
    return maxtext.create_learning_rate_schedule(**RUN | more)


OLMO = {
    "model_name": "olmo3-7b-pt",
    "steps": 1_414_078,
    "learning_rate": 3e-4,
    "learning_rate_schedule_steps": 1_414_078,
    "learning_rate_final_fraction": 0.1,
    "warmup_steps_fraction": 2000 / 1_414_078,
    "adam_weight_decay": 0.1,
    "skip_step_on_spikes": True,
}
"""Of `run_olmo3_7b_stage1.sh` in MaxText, whose numbers are those of OLMo 3 7B."""


def test_a_published_run():
    run = maxtext.from_config(OLMO)
    # 1,414,078 times the fraction is 1999.9999999999998, and MaxText cuts the decimals off.
    steps = np.array([0, 1000, 1998, 1999, 1999 + (1_414_077 - 1999) / 2, 1_414_077])
    expected = [0, 3e-4 * 1000 / 1999, 3e-4 * 1998 / 1999, 3e-4, 1.65e-4, 3e-5]
    np.testing.assert_allclose(run(steps), expected, rtol=1e-6)
    assert run.ignored == ("model_name", "adam_weight_decay", "skip_step_on_spikes")


def test_a_number_without_a_point_is_a_text_in_some_readers_of_yaml():
    assert maxtext.from_config({"learning_rate": "3e-6"}) == maxtext.from_config({"learning_rate": 3e-6})


def test_the_defaults_are_those_of_the_base_configuration():
    run = maxtext.from_config({"lr_schedule_type": "wsd", "steps": 1000, "diloco_outer_lr": 0.3})
    steps = np.array([0, 50, 100, 900, 999, 1000])
    np.testing.assert_allclose(run(steps), [0, 1.5e-5, 3e-5, 3e-5, 3e-6, 3e-6], rtol=1e-6)
    assert run.ignored == ("diloco_outer_lr",)
    last = maxtext.from_config({})(np.array([15_000, 150_000]))
    np.testing.assert_allclose(last, [3e-5, 3e-6], rtol=1e-6)


def test_either_length_stands_for_both():
    assert (
        made(steps=-1, learning_rate_schedule_steps=100) == made(learning_rate_schedule_steps=100) == made()
    )


def test_a_schedule_of_one_phase_is_that_phase():
    assert made(warmup_steps_fraction=1.0) == js.Linear(0.0, 0.3, 100)
    assert made(learning_rate_schedule_steps=0) == js.Constant(0.0)


VALUE_ERRORS = {
    "rate": (lambda: made(learning_rate=-1), "`learning_rate` must be at least 0, got -1."),
    "half a step": (lambda: made(steps=9.5), "`steps` must be a whole number, got 9.5."),
    "half a step of the schedule": (
        lambda: made(learning_rate_schedule_steps=9.5),
        "`learning_rate_schedule_steps` must be a whole number, got 9.5.",
    ),
    "length": (lambda: made(steps=-2), "`steps` must be at least -1, got -2."),
    "no length": (
        lambda: made(steps=-1),
        "`steps` or `learning_rate_schedule_steps` must be above 0, got -1 and -1.",
    ),
    "fraction": (
        lambda: made(warmup_steps_fraction=1.1),
        "`warmup_steps_fraction` must be at least 0 and at most 1, got 1.1.",
    ),
    "decay": (
        lambda: made(wsd_decay_steps_fraction=-0.1),
        "`wsd_decay_steps_fraction` must be at least 0 and at most 1, got -0.1.",
    ),
    "fractions": (
        lambda: made(lr_schedule_type="wsd", wsd_decay_steps_fraction=0.95),
        "`warmup_steps_fraction + wsd_decay_steps_fraction` must be at most 1, got 1.05.",
    ),
    "kind": (
        lambda: made(lr_schedule_type="linear"),
        "`lr_schedule_type` must be one of ['cosine', 'wsd'], got 'linear'.",
    ),
    "style": (
        lambda: made(wsd_decay_style="sqrt"),
        "`wsd_decay_style` must be one of ['linear', 'cosine'], got 'sqrt'.",
    ),
    "key": (
        lambda: maxtext.from_config({"cosine_learning_rate_final_fraction": 0.1}),
        "got 'cosine_learning_rate_final_fraction', which looks like one and is not known.",
    ),
}

TYPE_ERRORS = {
    "text": (lambda: made(learning_rate="3e-4"), "`learning_rate` must be a number, got '3e-4' (str)."),
    "a traced length": (
        lambda: jax.jit(lambda steps: made(steps=steps)(0))(9),
        "`steps` must be concrete, got a traced number: the parts of the schedule depend on it.",
    ),
    "a path": (lambda: maxtext.from_config("base.yml"), "`config` must be a mapping, such as a dict, got"),
}


@refusals(VALUE_ERRORS, TYPE_ERRORS)
def test_refused(kind, build, message):
    with pytest.raises(kind) as caught:
        build()
    assert message in str(caught.value)


KINDS = {
    "cosine": {},
    "linear": {"lr_schedule_type": "wsd"},
    "cosine at the end": {
        "lr_schedule_type": "wsd",
        "wsd_decay_style": "cosine",
        "learning_rate_schedule_steps": 90,
    },
}


@pytest.mark.parametrize("name", by_default(("linear",), KINDS))
def test_rates_may_be_traced(name):
    steps = np.arange(0, 120, 3, dtype=np.int32)

    def rates(peak, final):
        return made(learning_rate=peak, learning_rate_final_fraction=final, **KINDS[name])(steps)

    np.testing.assert_allclose(jax.jit(rates)(0.3, 0.2), rates(0.3, 0.2), rtol=2e-6, atol=1e-8)
