"""`docs/how-to/other-code.md`: each new line trains as the old line did, and its rate can be read."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import numpy as np
import optax
import other_code
import pytest
from other_code import PROGRAMS
from selection import by_default

import jaxsched as js

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/other-code.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)$(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
DIFFS = {
    heading: re.search(r"```diff\n(.*?)```", text, re.DOTALL)[1]
    for heading, text in SECTIONS.items()
    if "```diff" in text
}


def lines(diff, sign):
    """The lines of a diff that begin with `-` or `+`, without their indentation."""
    return [line[1:].strip() for line in diff.splitlines() if line[0] == sign]


def with_the_new_lines(program, diff):
    """The program after the diff, whose old lines must be in it."""
    source = textwrap.dedent(inspect.getsource(program))
    for old, new in zip(lines(diff, "-"), lines(diff, "+"), strict=True):
        pattern = rf"^( *){re.escape(old)}(  #.*)?$"
        assert len(re.findall(pattern, source, re.MULTILINE)) == 1, old
        source = re.sub(pattern, lambda match, new=new: match[1] + new, source, flags=re.MULTILINE)
    scope = dict(vars(other_code))
    exec(source, scope)
    return scope[program.__name__]


def close(left, right):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), left, right)


def test_every_section_has_a_program():
    assert [*DIFFS] == [*PROGRAMS]


KERAS, MUON = "Keras on JAX", "`optax.contrib.muon`"
HERE = [heading for heading in PROGRAMS if heading != KERAS]
QUICK = ("A plain loop with Optax", "Flax NNX", "MaxText", "big_vision", "`optax.MultiSteps`")


def check(heading):
    """The loop trains alike with both lines, and the rate that is read is that of the old one."""
    old, new = PROGRAMS[heading](), with_the_new_lines(PROGRAMS[heading], DIFFS[heading])()
    assert np.any(jax.tree.leaves(old.rate))
    close(new.params, old.params)
    close(new.rate, old.rate)
    if new.state is not None:
        close(js.learning_rate(new.state), old.rate)


@pytest.mark.parametrize("heading", by_default(QUICK, HERE))
def test_the_new_line_trains_as_the_old_one(heading):
    check(heading)


@pytest.mark.thorough
def test_muon_with_a_rate_of_its_own_for_adam():
    schedule = js.Linear(0.1, 0.0, 10)
    with pytest.raises(ValueError, match="must make updates that are the rate times those at a rate of 1"):
        js.with_schedule(optax.contrib.muon, schedule, adam_learning_rate=0.01)
    (factory,) = re.findall(r"`(lambda learning_rate: .+?)`", SECTIONS[MUON])
    params, state = other_code.fit(js.with_schedule(eval(factory, {"optax": optax}), schedule))
    close(params, other_code.fit(optax.contrib.muon(schedule, adam_learning_rate=0.1 * schedule))[0])
    close(js.learning_rate(state), schedule(other_code.UPDATES - 1))


def check_keras(folder):
    """What the page says of Keras, in a process whose backend is JAX."""
    import keras

    assert keras.config.backend() == "jax"
    check(KERAS)
    schedule = js.Linear(0.1, 0.0, 1000)

    def trained(learning_rate):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=learning_rate), loss="mse")
        model.fit(other_code.X, other_code.Y, batch_size=2, verbose=0)
        return model

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'step'"):
        trained(schedule)
    with pytest.raises(TypeError, match="Cannot serialize object"):
        trained(lambda: schedule(3)).save(folder / "function.keras")


@pytest.mark.thorough
@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="tries Keras: pip install '.[interop]'")
def test_keras_trains_with_the_new_line(tmp_path):
    """In its own process: Keras takes its backend when it is imported, for good."""
    code = f"import pathlib, test_other_code as test; test.check_keras(pathlib.Path({str(tmp_path)!r}))"
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests", ROOT / "tests/docs")))
    keras = {"KERAS_BACKEND": "jax", "KERAS_HOME": str(tmp_path / "home"), "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | keras)
