"""The project's metadata, its pre-commit hooks and CONTRIBUTING.md are correct."""

from __future__ import annotations

import importlib
import itertools
import re
import shlex
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import jaxsched as js
from catalogue import reference
from catalogue.cases import CASES
from jaxsched.testing import LAWS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
CI = (ROOT / ".ci/run").read_text()
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text()


def requirements():
    """All requirements of pyproject.toml."""
    project = PROJECT["project"]
    return {*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())}


def first(pattern, path):
    """The first group of a pattern's first match in a file."""
    return re.search(pattern, (ROOT / path).read_text(), re.MULTILINE)[1]


def test_the_version_is_the_same_everywhere():
    assert first(r"^## \[(.+?)\]", "CHANGELOG.md") == js.__version__
    assert first(r"^version: (.+)$", "CITATION.cff") == js.__version__
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert metadata.version("jaxsched") == js.__version__


def test_lower_bounds_are_the_versions_that_ci_installs():
    packages = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["train"]
    bounds = dict(package.split(">=") for package in packages)
    assert bounds.items() <= dict(re.findall(r"([\w-]+)==([\d.]+\d)", CI)).items()


def test_hooks_are_the_linters_of_ci_with_its_requirements():
    entries = re.findall(r"^ +entry: (.+)$", HOOKS, re.MULTILINE)
    assert entries
    for entry in entries:
        assert entry in re.sub(" --check", "", CI).splitlines()
    asked = re.findall(r"[\w-]+>=[\w.]+", HOOKS)
    assert set(asked) <= requirements()


PATHS = set(re.findall(r"`([\w.-]*/[\w./-]*|[\w.-]+\.md)`", GUIDE))


@pytest.mark.parametrize("path", sorted(PATHS))
def test_a_path_that_the_guide_names_exists(path):
    assert (ROOT / path).exists()


def test_the_guide_shows_every_folder():
    rows = "".join(re.findall(r"^\| `.*$", GUIDE, re.MULTILINE))
    folders = [folder for folder in ROOT.glob("*/") if folder.name[0] != "." and list(folder.glob("*.py"))]
    folders += [folder for folder in (ROOT / "jaxsched").glob("*/") if (folder / "__init__.py").exists()]
    for folder in folders:
        if folder.name != "jaxsched":
            assert f"`{folder.relative_to(ROOT)}/`" in rows


COMMANDS = [
    command.strip()
    for block in re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL)
    for line in block.splitlines()
    for command in line.partition(" #")[0].split(" && ")
]
COMMANDS += re.findall(r"`((?:pytest|python|pre-commit) [^`]+)`", GUIDE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_guide_is_one_that_runs(command):
    program, *arguments = shlex.split(command)
    if program == "pytest":
        marks = {mark.partition(":")[0] for mark in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}
        after = dict(itertools.pairwise(arguments))
        assert set(re.findall(r"\w+", after.get("-m", ""))) <= marks | {"or", "and", "not"}
    elif program == "pip":
        assert command in CI.replace("--quiet ", "")
    elif program == "sphinx-build":
        assert command in (ROOT / ".github/workflows/docs.yml").read_text()
    elif program == "pre-commit":
        assert any(each.startswith("pre-commit") for each in requirements())
    else:
        assert program in ("python", ".", ".ci/run")
    for path in arguments:
        assert path.startswith(".") or "/" not in path or (ROOT / path).exists()


def test_the_example_is_a_shape(monkeypatch):
    """The class in the guide equals the formula in the guide."""
    source = re.search(r"   ```python\n(.*?)   ```", GUIDE, re.DOTALL)[1]
    scope = {"__name__": __name__}
    exec(re.sub(r"^   ", "", source, flags=re.MULTILINE), scope)
    cls = scope["Smoothstep"]
    (row,) = re.findall(r"`js\.Smoothstep: (.+),`", GUIDE)
    (case,) = re.findall(r"`\"smoothstep\": (.+),`", GUIDE)
    monkeypatch.setattr(js, "Smoothstep", cls, raising=False)
    formula = eval(row, vars(reference))
    schedule = eval(case, {"js": js})(100)
    steps = reference.some_steps(100)
    pairs = zip(steps.tolist(), schedule(steps), strict=True)
    assert max(reference.ulps(rate, formula(schedule, step)) for step, rate in pairs) <= 1


def quick_laws(test, cases):
    """The laws that a test checks for all of these cases in the default run."""
    (parametrize,) = (mark for mark in test.pytestmark if mark.name == "parametrize")
    slow = {
        each.values for each in parametrize.args[1] if any(mark.name == "thorough" for mark in each.marks)
    }
    return {law for law in LAWS if not any((case, law) in slow for case in cases)}


def test_the_guide_says_which_laws_run_by_default(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "core")
    test = importlib.import_module("test_laws").test_law
    (some, others) = re.findall(r"^\| (.+) \| all \| none \|\n\| .+ \| (.+) \| the others \|$", GUIDE, re.M)[
        0
    ]
    cases = re.findall(r"`([^`]+)`", some)
    assert quick_laws(test, cases) == set(LAWS)
    assert quick_laws(test, CASES.keys() - cases) == set(re.findall(r"\w+", others))
