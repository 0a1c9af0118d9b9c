"""The page "Several hosts", word for word, in two processes that find each other as on a cluster."""

from __future__ import annotations

import doctest
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import HANG

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "hosts.md"
FIRST_PORT = 2**16 - 2**12
"""JAX takes the port of a SLURM job to be this plus the job's number modulo 2**12."""

OUTPUT = """import sys
sys.stdout = open(sys.argv[1], "w", buffering=1)
"""
"""The program's own lines go to a file: from other threads, Gloo writes to the same standard output."""

REPORT = """
print("rate", [shard.data.item() for shard in rate.addressable_shards])
print("moved to", js.set_count(opt_state, 3)[0].count)
print("best", opt_state[1].plateau.best, "scale", observe(opt_state, loss)[1].plateau.scale)
"""


def free_job() -> int:
    """The number of a SLURM job whose port is free."""
    for job in range(os.getpid() % 2**12, 2**12):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", FIRST_PORT + job)):
                return job
    raise AssertionError("no free port")


def program() -> str:
    """The page's first block, which joins the processes, and its examples."""
    text = PAGE.read_text()
    joined = re.search(r"```python\n(import jax\n.*?)```", text, re.DOTALL)[1]
    assert "jax.distributed.initialize()\n" in joined
    examples = doctest.DocTestParser().get_examples(text)
    return joined + "".join(example.source for example in examples)


@pytest.mark.thorough
def test_it_runs_on_two_hosts(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(OUTPUT + program() + REPORT)
    outputs = [tmp_path / f"{i}.txt" for i in range(2)]
    job = free_job()
    processes = [
        subprocess.Popen(
            [sys.executable, script, outputs[i]],
            env=os.environ
            | {
                "JAX_PLATFORMS": "cpu",
                "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
                "SLURM_JOB_ID": str(job),
                "SLURM_STEP_NODELIST": "localhost",
                "SLURM_NTASKS": "2",
                "SLURM_PROCID": str(i),
                "SLURM_LOCALID": str(i),
                "SLURM_STEP_NUM_NODES": "2",
                "PYTHONPATH": str(PAGE.parents[2]),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    try:
        errors = [process.communicate(timeout=HANG)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], errors
    said = [output.read_text().splitlines() for output in outputs]
    rate = float(np.float32(0.05))
    assert said[1] == [f"rate [{rate}, {rate}]", "moved to 3", "best 0.5 scale 0.5"]
    assert said[0] == ["learning rate 0.05", *said[1]]
