"""The page about the chapter's exercises: the tables match the recorded sweeps, and the sampler works."""

from __future__ import annotations

import doctest
import itertools
import json
import re
import runpy
import shlex
from pathlib import Path
from xml.etree import ElementTree as ET

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsched as js
from jaxsched._inspect.plot import COLOURS
from train.sweep import Over, grid

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "exercises.md").read_text()
EXERCISES = runpy.run_path(str(DOCS / "exercises.py"))
COMMANDS = [
    shlex.split(block.replace("\\\n", "")) for block in re.findall(r"```\n(python .*?)```", PAGE, re.DOTALL)
]


def option(command, name):
    return command[command.index(name) + 1]


def sampler():
    """The optimizer of the page."""
    names = {"js": js, "optax": optax}
    for example in doctest.DocTestParser().get_examples(PAGE):
        if example.source.startswith("def langevin"):
            exec(example.source, names)
    return names["langevin"]


def test_the_tables_are_what_the_sweeps_kept():
    assert EXERCISES["page"](PAGE) == PAGE


@pytest.mark.parametrize("name", EXERCISES["SWEEPS"])
def test_each_command_is_of_the_runs_that_were_kept(name):
    runs = json.loads((DOCS / f"exercises/{name}.json").read_text())["runs"]
    (command,) = [each for each in COMMANDS if "sweep" in each and option(each, "--out") == f"runs/{name}"]
    overs = [Over.read(value) for flag, value in itertools.pairwise(command) if flag == "--over"]
    members = grid(js.parse(option(command, "--schedule")), overs)
    assert list(members) == list(runs)
    for run, member in zip(runs.values(), members.values(), strict=True):
        steps = np.arange(2340)
        np.testing.assert_allclose(js.parse(run["expression"])(steps), member(steps), rtol=1e-6)
    for run in runs.values():
        assert len(run["test_accuracy"]) == int(option(command, "--seeds"))
        assert {len(curve) for curve in run["test_accuracy"]} == {int(option(command, "--epochs"))}


def test_the_figure_shows_every_run():
    for axes, name in zip(EXERCISES["figure"]().axes, EXERCISES["SWEEPS"], strict=True):
        runs = json.loads((DOCS / f"exercises/{name}.json").read_text())["runs"].values()
        last = sorted(curve[-1] for run in runs for curve in run["test_accuracy"])
        dots = [y for line in axes.lines if line.get_marker() == "." for y in line.get_ydata()]
        shown = sorted(y for y in dots if np.isfinite(y))
        assert shown == last[len(last) - len(shown) :]
        assert max(last[: len(last) - len(shown)], default=0) < EXERCISES["WORST"]
        lost = [run for run in runs if min(curve[-1] for curve in run["test_accuracy"]) < EXERCISES["WORST"]]
        assert sum(line.get_marker() == "x" for line in axes.lines) == len(lost)


def test_the_figure_takes_the_colours_of_its_page():
    (picture,) = ET.fromstring(EXERCISES["drawn"]('the "sweeps"'))
    colours = re.findall(r"(?:fill|stroke): (#\w+)", ET.tostring(picture, encoding="unicode"))
    assert set(colours) <= {"#b0b0b0", "#cccccc", *(colour for colour in COLOURS if colour != "#000000")}
    assert EXERCISES["drawn"]("once") == EXERCISES["drawn"]("once")


def test_the_plans_are_drawn_as_their_command_draws_them():
    (command,) = [each for each in COMMANDS if "show" in each]
    ((steps, curves),) = re.findall(r"```\{curve\}\n:steps: (\d+)\n\n(.*?)```", PAGE, re.DOTALL)
    assert js.stack([js.parse(line) for line in curves.splitlines()]) == js.parse(command[4])
    assert steps == option(command, "--steps")


@pytest.mark.parametrize("step", [0, 1, 1000])
def test_an_update_is_half_a_step_down_the_gradient_and_noise_of_its_variance(step):
    root = js.InversePower(0.1, 10, 0.3)
    tx = sampler()(root, jax.random.key(1))
    count = 100_000
    state = js.set_count(tx.init(jnp.zeros(count)), step)
    noise, _ = tx.update(jnp.zeros(count), state)
    update, _ = tx.update(jnp.full(count, 3.0), state)
    size = 0.01 * (1 + step / 10) ** -0.6
    np.testing.assert_allclose(update - noise, -size / 2 * 3.0, rtol=1e-3)
    noise = np.asarray(noise, np.float64)
    assert abs(noise.mean()) < 5 * np.sqrt(size / count)
    np.testing.assert_allclose(noise.var(), size, rtol=5 * np.sqrt(2 / count))


@pytest.mark.parametrize(
    ("root", "steps"),
    [
        (js.Constant(1.0), 30),
        (js.Constant(0.5), 100),
        (js.InversePower(1.0, 2, 0.55 / 2), 300),
    ],
    ids=repr,
)
@pytest.mark.thorough
def test_the_variance_of_the_samples_follows_the_theory(root, steps):
    """For a standard normal, `theta <- (1 - step / 2) theta + noise` gives the variance after each update."""
    chains = 50_000
    tx = sampler()(root, jax.random.key(2))

    def update(carry, _):
        theta, state = carry
        updates, state = tx.update(theta, state)
        return (theta + updates, state), jnp.var(theta + updates)

    theta = jnp.zeros(chains)
    _, variances = jax.lax.scan(update, (theta, tx.init(theta)), length=steps)
    expected, errors = 0.0, []
    for step, variance in enumerate(np.asarray(variances, np.float64)):
        size = float(root(step)) ** 2
        expected = (1 - size / 2) ** 2 * expected + size
        np.testing.assert_allclose(variance, expected, rtol=6 * np.sqrt(2 / chains))
        errors.append(abs(expected - 1))
    if isinstance(root, js.InversePower):
        assert errors[-1] < 0.02 < errors[10]


def test_the_noise_that_falls_by_itself_makes_the_same_sampler():
    a, gamma, key = 0.01, 0.55, jax.random.key(3)
    ours = sampler()(js.InversePower(a**0.5, 1, gamma / 2), key)
    other = optax.chain(
        optax.add_noise(4 / a, -gamma, key), js.scale_by_learning_rate(0.5 * js.InversePower(a, 1, gamma))
    )
    theta = jnp.array([1.0, -2.0, 0.5])
    mine, others = ours.init(theta), other.init(theta)
    for _ in range(20):
        update, mine = ours.update(theta, mine)
        expected, others = other.update(theta, others)
        np.testing.assert_allclose(update, expected, rtol=1e-5, atol=1e-7)
        theta += update
