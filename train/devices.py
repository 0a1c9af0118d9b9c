"""The devices of a run: those of this process, or of all processes of a job.

A job is several processes that train one model. Only the first process reads and writes files. It broadcasts
to the others what they need. Read `train.single` next.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "devices"
"""The name of the only mesh axis."""

HEARTBEAT_SECONDS = 20
"""A process that sends no heartbeat for this long counts as dead, and the rest of its job ends."""


def join_job(coordinator: str | None, processes: int | None, process: int | None) -> None:
    """Makes this process one of several that train together.

    Args:
      coordinator: host and port of the first process. If all three arguments are `None`, JAX asks the cluster
        for them (Slurm, Open MPI, Kubernetes, a TPU slice).
      processes: number of processes.
      process: index of this process, from 0.

    Raises:
      RuntimeError: the processes could not connect, or there is no known cluster.
    """
    try:
        jax.distributed.initialize(
            coordinator,
            processes,
            process,
            initialization_timeout=120,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=HEARTBEAT_SECONDS,
        )
    except ValueError as error:  # JAX found no cluster
        raise RuntimeError(
            "this process is not part of one that JAX knows, such as a TPU slice or a Slurm job. "
            "Give --coordinator, --processes and --process."
        ) from error


def mesh(count: int | None = None) -> Mesh:
    """A mesh of all devices of all processes, or of the first `count` devices."""
    return Mesh(np.array(jax.devices()[:count]), (AXIS,))


def put(mesh: Mesh, tree: Any, specs: Any) -> Any:
    """Puts arrays on the devices of a mesh. Every process must pass the same arrays.

    It blocks until they are there: JAX first compares the arrays across processes, and a process that went on
    meanwhile would mix its messages with these.
    """
    shardings = jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)
    return jax.block_until_ready(jax.device_put(tree, shardings))


def replicated(mesh: Mesh, tree: Any) -> Any:
    """Copies every array to every device."""
    return put(mesh, tree, PartitionSpec())


def is_first() -> bool:
    """Whether this is the first process, which reads and writes files."""
    return jax.process_index() == 0


def alone() -> bool:
    """Whether the job has only this process."""
    return jax.process_count() == 1


def any_process(flag: bool) -> bool:
    """Whether `flag` is true in any process. All processes must call this."""
    return flag if alone() else bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def from_first(text: str) -> str:
    """Broadcasts the text of the first process. All processes must call this."""
    if alone():
        return text
    content = np.frombuffer(text.encode(), np.uint8)
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
    shared = np.zeros(length, np.uint8)
    if is_first():
        shared[:] = content
    return bytes(multihost_utils.broadcast_one_to_all(shared)).decode()


def tree_from_first(tree: Any) -> Any:
    """Broadcasts the arrays of the first process. All processes must call this, with the same shapes."""
    return tree if alone() else multihost_utils.broadcast_one_to_all(tree)
