"""The time to compile training ahead of time: `python -m benchmarks.compiling tpu`, or `gpu`.

These are the step and the epoch of `python -m train` with the shapes of Fashion-MNIST: 60,000 images, 10,000
test images, batches of 256. No device is needed, and nothing runs. Times are CPU seconds of this process, so
that other processes matter little. This needs Flax and `pip install 'jax[tpu]'` or `'jax[cuda12]'`.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import jaxsched as js
from benchmarks import hlo, targets
from benchmarks.report import markdown
from train.data import Data, Split
from train.devices import AXIS
from train.step import COPIED, SHARED, Plan, State, Trainer, descend

TRAINER = Trainer(momentum=0.0, batch_size=256)
PLAN = Plan(js.warmup(js.Cosine(0.3, 0.01, 4000), 500))


def step(mesh: Mesh, plan: Plan = PLAN) -> Any:
    """One step on a batch, traced and lowered for the devices of a mesh."""

    def share(state: State, plan: Plan, images: jax.Array, labels: jax.Array) -> Any:
        return descend(TRAINER.optimizer(plan), state, images, labels, AXIS)

    specs = (P(), P(), SHARED, SHARED)
    shared = jax.shard_map(share, mesh=mesh, in_specs=specs, out_specs=P())
    return jax.jit(shared).lower(_state(mesh, plan), plan, *_images(mesh, SHARED, TRAINER.batch_size))


def epoch(mesh: Mesh, plan: Plan = PLAN) -> Any:
    """An epoch, traced and lowered for the devices of a mesh."""
    data = Data(_images(mesh, COPIED, 60_000), _images(mesh, SHARED, 10_000))
    key = np.zeros(2, np.uint32)
    return Trainer.epoch_on.lower(TRAINER, mesh, _state(mesh, plan), plan, data, key, np.uint32(0))


def seconds(lowered: Any) -> tuple[float, Any]:
    """The CPU time of its compilation, and the compiled program."""
    began = time.process_time()
    compiled = lowered.compile()
    return time.process_time() - began, compiled


def _state(mesh: Mesh, plan: Plan) -> Any:
    state = jax.eval_shape(TRAINER.start, plan, np.uint32(0))
    return jax.tree.map(lambda leaf: _placed(mesh, P(), leaf.shape, leaf.dtype), state)


def _images(mesh: Mesh, spec: Any, count: int) -> Split:
    return Split(_placed(mesh, spec, (count, 28, 28, 1), np.uint8), _placed(mesh, spec, (count,), np.int32))


def _placed(mesh: Mesh, spec: P, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh, spec))


def main() -> None:
    """Compiles for a target, and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=["tpu", "gpu"])
    chosen = parser.parse_args().target
    rows = []
    for target in [targets.tpu(), targets.tpu(chips=4)] if chosen == "tpu" else [targets.gpu()]:
        for what, lower in {"step": step, "epoch": epoch}.items():
            spent, compiled = seconds(lower(target.mesh))
            rows.append(
                {"device": target.name, "what": what, "CPU seconds": spent}
                | {"instructions": hlo.instructions(compiled.as_text())}
            )
    print(markdown(rows))


if __name__ == "__main__":
    main()
