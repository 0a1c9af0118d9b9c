"""A port either follows an argument, or refuses it by name and says what to do instead."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap

import numpy as np
import pytest
from test_ports_defaults import ORIGINALS

import jaxsched as js
from jaxsched._core.schedule import Product
from jaxsched.ports import keras, optax, paddle, timm, torch, transformers

REFUSED = {
    "last_epoch": (5, "must be -1, got 5: a schedule has no state", "jaxsched.shift(schedule, -step)"),
    "verbose": (True, "got True: a port prints nothing", "Print `schedule(step)`"),
    "t_in_epochs": (False, "must be True, got False: a port counts in", "jaxsched.per_epoch(schedule"),
    "noise": ((0.4, 0.9), "must be None, got (0.4, 0.9): a schedule has no noise", "`jaxsched.Table`"),
    "noise_range_t": ((3, 5), "must be None, got (3, 5): a schedule has no noise", "`jaxsched.Table`"),
    "initialize": (False, "must be True, got False: the base rate is `lr`", "Pass the `initial_lr`"),
}
"""Arguments that no port models: a value that changes the original, the message, and its advice."""

EVERYWHERE = [
    pytest.param(*key, parameter[0], id=" ".join([*key, parameter[0]]))
    for key, parameters in ORIGINALS.items()
    for parameter in parameters
    if parameter[0] in REFUSED
]


@pytest.mark.parametrize(("system", "name", "argument"), EVERYWHERE)
def test_what_is_not_modelled_is_refused_by_every_port_that_takes_it(system, name, argument):
    port = getattr(importlib.import_module(f"jaxsched.ports.{system}"), name)
    required = [
        each.name for each in inspect.signature(port).parameters.values() if each.default is each.empty
    ]
    value, message, instead = REFUSED[argument]
    with pytest.raises(ValueError) as caught:
        port(**dict.fromkeys(required, 1), **{argument: value})
    assert str(caught.value).startswith(f"`{argument}` must be ")
    assert message in str(caught.value)
    assert instead in str(caught.value)


def rising(eta_min):
    return torch.CosineAnnealingLR(1.0, 9, eta_min)


CHAINED = {
    "LambdaLR": lambda: torch.LambdaLR(1.0, lambda t: 0.5**t),
    "CyclicLR": lambda: torch.CyclicLR(0.1, 1.0, 5),
    "CyclicLR of a function": lambda: torch.CyclicLR(0.1, 1.0, 5, scale_fn=lambda t: 0.5**t),
    "OneCycleLR": lambda: torch.OneCycleLR(1.0, 20),
    "OneCycleLR on its way down": lambda: torch.OneCycleLR(1.0, 20, pct_start=0),
    "CosineAnnealingWarmRestarts": lambda: torch.CosineAnnealingWarmRestarts(1.0, 5),
    "SequentialLR": lambda: torch.SequentialLR([torch.StepLR(1.0, 5), torch.StepLR(1.0, 5)], [5]),
    "SWALR": lambda: torch.SWALR(1.0, 0.1),
    "CosineAnnealingLR": lambda: rising(0.1),
}
"""Schedulers that are not factors in a chain of PyTorch."""


@pytest.mark.parametrize("name", CHAINED)
def test_a_chain_that_is_no_product_is_refused(name):
    message = r"`schedulers\[1\]` must scale the rate .* Use it alone, or write the product"
    with pytest.raises(ValueError, match=message):
        torch.ChainedScheduler(0.1, [torch.ExponentialLR(1.0, 0.9), CHAINED[name]()])


def test_a_chain_of_factors_is_their_product():
    one, two = torch.StepLR(1.0, 3), torch.MultiplicativeLR(1.0, lambda t: 0.9, total_steps=9)
    assert torch.ChainedScheduler(0.1, [one, two, rising(0.0)]) == Product([0.1, one, two, rising(0.0)])


PASTED = {
    "torch": (
        lambda: torch.StepLR(0.1, 30, 0.1, -1),
        lambda: torch.StepLR(0.1, 30),
    ),
    "torch, with a function": (
        lambda: torch.LambdaLR(0.1, abs, -1, total_steps=3),
        lambda: torch.LambdaLR(0.1, abs, total_steps=3),
    ),
    "paddle": (
        lambda: paddle.StepDecay(0.1, 30, 0.1, -1, False),
        lambda: paddle.StepDecay(0.1, 30),
    ),
    "keras": (
        lambda: keras.CosineDecay(0.0, 90, 0.1, "decay", 0.3, 10),
        lambda: keras.CosineDecay(0.0, 90, 0.1, warmup_target=0.3, warmup_steps=10),
    ),
    "keras, its plateau": (
        lambda: keras.ReduceLROnPlateau(0.1, "val_loss", 0.5, 3, 0, "min"),
        lambda: keras.ReduceLROnPlateau(0.1, factor=0.5, patience=3),
    ),
    "timm": (
        lambda: timm.CosineLRScheduler(
            0.3, 10, t_in_epochs=True, noise_range_t=None, noise_pct=0.1, noise_std=0.5, noise_seed=1
        ),
        lambda: timm.CosineLRScheduler(0.3, 10),
    ),
    "transformers": (
        lambda: transformers.get_cosine_with_min_lr_schedule_with_warmup(0.1, 5, 50, 0.5, -1, 0.01),
        lambda: transformers.get_cosine_with_min_lr_schedule_with_warmup(0.1, 5, 50, min_lr=0.01),
    ),
}
"""Calls by position or with arguments that change nothing, and the same calls in short."""


@pytest.mark.parametrize("name", PASTED)
def test_what_changes_nothing_is_taken(name):
    pasted, short = PASTED[name]
    assert pasted() == short()


MOMENTUM = "it is for the port of the momentum, which takes the same arguments"
RATE = "it is for the port of the rate, which takes the same arguments"
UNUSED = {
    "name": (["keras"], "only a graph of TensorFlow shows it"),
    **dict.fromkeys(["noise_pct", "noise_std", "noise_seed", "noise_type"], (["timm"], "there is no noise")),
    **dict.fromkeys(["base_momentum", "max_momentum"], (["CyclicLR", "OneCycleLR"], MOMENTUM)),
    "cycle_momentum": (["CyclicLR", "OneCycleLR"], MOMENTUM),
    "base_lr": (["CyclicLRMomentum"], RATE),
    "max_lr": (["CyclicLRMomentum", "OneCycleLRMomentum"], RATE),
    **dict.fromkeys(["div_factor", "final_div_factor"], (["OneCycleLRMomentum"], RATE)),
}
"""Arguments that ports accept and ignore, their systems or ports, and why they change no rate."""


@pytest.mark.parametrize(("system", "name"), [pytest.param(*key, id=" ".join(key)) for key in ORIGINALS])
def test_every_other_argument_is_looked_at(system, name):
    port = getattr(importlib.import_module(f"jaxsched.ports.{system}"), name)
    tree = ast.parse(textwrap.dedent(inspect.getsource(port)))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    unused = {each for each in inspect.signature(port).parameters if each not in used}
    assert unused == {
        each
        for each in inspect.signature(port).parameters
        if each in UNUSED and {system, name} & set(UNUSED[each][0])
    }


def test_get_scheduler_names_what_a_schedule_takes():
    message = r"`scheduler_specific_kwargs` for 'constant' must be among \['last_epoch'\], got 'num_cycles'."
    with pytest.raises(TypeError, match=message):
        transformers.get_scheduler(0.1, "constant", scheduler_specific_kwargs={"num_cycles": 1})
    with pytest.raises(ValueError, match="`last_epoch` must be -1, got 3"):
        transformers.get_scheduler(0.1, "constant", scheduler_specific_kwargs={"last_epoch": 3})
    assert transformers.get_scheduler(0.1, "constant") == js.Constant(0.1)


LINE = js.Linear(0.3, 0.0, 10)
TINY = 1e-45
NAMED = {
    "a number of cycles": (lambda: optax.sgdr_schedule(3), "`cosine_kwargs` must be a list of dicts"),
    "a power in an array": (
        lambda: optax.polynomial_schedule(1.0, 0.0, np.array([2, 1], dtype=object), 10),
        "`power` must be a number, got array([2, 1], dtype=object)",
    ),
    "a schedule as a length": (
        lambda: torch.CyclicLR(0.1, 0.2, total_steps=LINE),
        "`total_steps` must be a number, got Linear(0.3, 0, 10)",
    ),
    "no dict": (
        lambda: transformers.get_scheduler(0.1, "constant", scheduler_specific_kwargs=3),
        "`scheduler_specific_kwargs` must be a dict of arguments, got 3 (int).",
    ),
    "torch": (lambda: torch.OneCycleLR(1.0, 9, div_factor=TINY), "`div_factor` must be at least 2.9e-39"),
    "torch, at the end": (
        lambda: torch.OneCycleLR(1.0, 9, final_div_factor=TINY),
        "`final_div_factor` must be at least 1.2e-40 here, got 1e-45.",
    ),
    "keras": (lambda: keras.InverseTimeDecay(0.1, 1, TINY), "`decay_rate` must be at least 2.9e-39 here"),
    "paddle": (lambda: paddle.NaturalExpDecay(0.1, TINY), "`gamma` must be at least 2e-39 here, got 1e-45."),
    "paddle, inverse": (lambda: paddle.InverseTimeDecay(0.1, TINY), "`gamma` must be at least 2.9e-39 here"),
    "optax": (
        lambda: optax.linear_onecycle_schedule(9, 1.0, div_factor=TINY),
        "`div_factor` must be at least 2.9e-39 here, got 1e-45.",
    ),
    "optax, at the end": (
        lambda: optax.cosine_onecycle_schedule(9, 1.0, final_div_factor=TINY),
        "`div_factor * final_div_factor` must be at least 2.9e-39 here",
    ),
    "transformers": (
        lambda: transformers.get_cosine_schedule_with_warmup(0.1, 0, 9, num_cycles=TINY),
        "`num_cycles` must be at least 1.3e-38 here, got 1e-45.",
    ),
    "transformers, with restarts": (
        lambda: transformers.get_cosine_with_hard_restarts_schedule_with_warmup(0.1, 0, 9, num_cycles=TINY),
        "`num_cycles` must be at least 2.6e-38 here, got 1e-45.",
    ),
}
"""Arguments that were refused under a name that the user did not write, or not at all."""


@pytest.mark.parametrize("name", NAMED)
def test_a_message_names_the_argument_of_the_original(name):
    build, message = NAMED[name]
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        build()
