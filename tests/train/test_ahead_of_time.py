"""LeNet's step and epoch, compiled ahead of time by the TPU compiler. Nothing runs, and no TPU is needed."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

import jaxsched as js
from benchmarks import compiling, hlo, targets
from train.step import Plan

pytest.importorskip("libtpu", reason="compiles for a TPU: pip install '.[train,tpu]'")
pytestmark = pytest.mark.thorough

PROGRAMS = [(lower, chips) for chips in (1, 4) for lower in (compiling.step, compiling.epoch)]


@pytest.fixture(scope="module")
def programs():
    """Each program, compiled, and the CPU time that it took."""
    first = targets.tpu()
    first.lower(jnp.sin, jax.ShapeDtypeStruct((), jnp.float32)).compile()  # starts the compiler
    return {
        (lower.__name__, chips): compiling.seconds(lower(targets.tpu(chips).mesh))
        for lower, chips in PROGRAMS
    }


def test_an_epoch_compiles_in_ten_times_its_step(programs):
    """On four chips too. Its parts are the shuffle, the step, and a test of 10,000 images."""
    step, _ = programs["step", 1]
    assert {name: spent / step for name, (spent, _) in programs.items() if spent > 10 * step} == {}


def test_no_program_has_float64(programs):
    for _, compiled in programs.values():
        assert [line for line in compiled.as_text().splitlines() if hlo.float64s(line)] == []


def test_four_chips_share_the_work(programs):
    """Each has a quarter of the batches and of the test images. They add their gradients up, and no more."""
    flops = {chips: programs["step", chips][1].cost_analysis()["flops"] for chips in (1, 4)}
    assert flops[4] < 0.3 * flops[1]
    text = programs["epoch", 4][1].as_text()
    assert "s32[234,64]" in text
    assert "u8[2500,28,28,1]" in text
    assert " all-reduce" in text
    moved = ("u8[10000,28,28,1]", " all-gather", " all-to-all", " collective-permute")
    assert [word for word in moved if word in text] == []


def test_another_schedule_of_the_same_kind_is_the_same_program():
    mesh = targets.tpu().mesh
    other = Plan(js.warmup(js.Cosine(0.1, 0.0, 9000), 20))
    assert compiling.epoch(mesh, other).as_text() == compiling.epoch(mesh).as_text()
