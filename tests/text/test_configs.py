"""Records in the configs of other packages, with the packages themselves."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import jaxsched as js
from catalogue.cases import EVERY, SHORT

WANTED = "tries other packages: pip install '.[interop]'"
ml_collections = pytest.importorskip("ml_collections", reason=WANTED)
omegaconf = pytest.importorskip("omegaconf", reason=WANTED)
hydra = pytest.importorskip("hydra", reason=WANTED)

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/how-to/configs.md").read_text(), re.DOTALL)
SCHEDULE = js.warmup(js.Cosine(0.3, 0.01, 95), 5)


def omegaconf_file(config, path):
    omegaconf.OmegaConf.save(config, path)
    return omegaconf.OmegaConf.load(path)


CONFIGS = {
    "ConfigDict": lambda config, path: ml_collections.ConfigDict(config),
    "ConfigDict in JSON": lambda config, path: json.loads(ml_collections.ConfigDict(config).to_json()),
    "OmegaConf": lambda config, path: omegaconf.OmegaConf.create(config),
    "a file of OmegaConf": omegaconf_file,
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_schedule_reads_back_from_a_config(kind, tmp_path):
    records = {name: js.to_dict(build(SHORT)) for name, build in EVERY.items()}
    config = CONFIGS[kind](records, tmp_path / "config.yaml")
    for name, build in EVERY.items():
        read = js.from_dict(config[name])
        assert read == build(SHORT), name
        assert js.to_dict(read) == records[name], name


def test_a_schedule_reads_back_from_a_frozen_config_dict():
    schedule = js.warmup(js.Piecewise([0.3, 0.1], [10]), 5)
    assert js.from_dict(ml_collections.FrozenConfigDict(js.to_dict(schedule))) == schedule
    with pytest.raises(ValueError, match="Cannot contain a dict.* within a list"):  # as the page says
        ml_collections.FrozenConfigDict(js.to_dict(2 * schedule))


def block(word):
    """The example of the page that imports a package, and what it says of the schedule that it builds."""
    (source,) = [each for each in BLOCKS if re.search(rf"^(import|from) {word}\b", each, re.MULTILINE)]
    comment = re.search(r"# (.+\))$", source, re.MULTILINE)
    return source, comment and comment[1]


@pytest.mark.parametrize("package", ["ml_collections", "omegaconf"])
def test_the_example_of_the_page_gives_what_it_says(package):
    source, expected = block(package)
    scope = {"js": js, "schedule": SCHEDULE}
    exec(source, scope)
    assert repr(scope["schedule"]) == expected


def test_the_example_of_hydra_takes_overrides(tmp_path):
    source, _ = block("hydra")
    script = f"import jaxsched as js\n{source}    print(schedule)\n\nmain()\n"
    (tmp_path / "train.py").write_text(script)
    config, _ = block("omegaconf")
    (tmp_path / "config.yaml").write_text(re.search(r'"""\n(.*?)"""', config, re.DOTALL)[1])
    command = [sys.executable, "train.py", "total_steps=200", "schedule.warmup_steps=10"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["warmup(Cosine(0.001, 0, 200), 10)"]


def test_the_type_of_a_number_in_a_config_dict_fits_any_other():
    config = ml_collections.ConfigDict(js.to_dict(SCHEDULE)).lock()
    for value in (1, 0.5):
        config.schedule.init_value = value
        config.warmup_steps = 10 * value
    assert js.from_dict(config) == js.warmup(js.Cosine(0.5, 0.01, 95), 5)
    with config.unlocked():
        config.schedule.pwer = 2.0
    with pytest.raises(ValueError, match="has no argument `pwer`.*\n  in `record.schedule.pwer`"):
        js.from_dict(config)


def test_a_field_of_a_structured_config_holds_a_record():
    @dataclasses.dataclass
    class Config:
        total_steps: int = 100
        schedule: dict[str, Any] = dataclasses.field(default_factory=lambda: js.to_dict(SCHEDULE))

    config = omegaconf.OmegaConf.structured(Config)
    config.merge_with_dotlist(["schedule.schedule.transition_steps=1e3", "schedule.shape=Cosine"])
    assert js.from_dict(config.schedule) == js.warmup(js.Cosine(0.3, 0.01, 1000), 5, shape=js.Cosine)


def test_hydra_builds_a_schedule_from_a_record():
    config = omegaconf.OmegaConf.create(
        {"peak": 0.2, "schedule": {"_target_": "jaxsched.from_dict", "record": js.to_dict(js.Constant(0.3))}}
    )
    config.schedule.record.value = "${peak}"
    assert hydra.utils.instantiate(config.schedule) == js.Constant(0.2)
