"""The devices that a run is spread over: those of this process, or of all processes of a job.

A job is several processes that train one model. The first of them reads and writes; whatever it knows and
the others need, it tells them. Read `train.single` next.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "devices"
"""The name of the only axis of a mesh."""

HEARTBEAT_SECONDS = 20
"""A process that is silent for this long counts as dead, and the others of its job end."""


def join_job(coordinator: str | None, processes: int | None, process: int | None) -> None:
    """Makes this process one of several that train together.

    Args:
      coordinator: host and port of the first process; without it, as well as the other two, JAX finds out
        from the cluster that it runs in (Slurm, Open MPI, Kubernetes, a TPU slice).
      processes: how many there are.
      process: which of them this is, from 0.

    Raises:
      RuntimeError: the others could not be found.
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
    except ValueError as error:  # what JAX says where it finds no cluster
        raise RuntimeError(str(error)) from error


def mesh(count: int | None = None) -> Mesh:
    """All devices of all processes, or the first `count`."""
    return Mesh(np.array(jax.devices()[:count]), (AXIS,))


def put(mesh: Mesh, tree: Any, specs: Any) -> Any:
    """Arrays on their devices; all processes have the same ones.

    It waits: a process that goes on while others still compare what they have would mix up their messages.
    """
    shardings = jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)
    return jax.block_until_ready(jax.device_put(tree, shardings))


def replicated(mesh: Mesh, tree: Any) -> Any:
    """A copy of every array on every device."""
    return put(mesh, tree, PartitionSpec())


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return jax.process_index() == 0


def alone() -> bool:
    """Whether no other process trains with this one."""
    return jax.process_count() == 1


def any_process(flag: bool) -> bool:
    """Whether `flag` holds in any process; all must ask."""
    return flag if alone() else bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def from_first(text: str) -> str:
    """The text that the first process has; all must ask."""
    if alone():
        return text
    content = np.frombuffer(text.encode(), np.uint8)
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
    shared = np.zeros(length, np.uint8)
    if is_first():
        shared[:] = content
    return bytes(multihost_utils.broadcast_one_to_all(shared)).decode()


def tree_from_first(tree: Any) -> Any:
    """The arrays that the first process has, in a tree of the same shapes; all must ask."""
    return tree if alone() else multihost_utils.broadcast_one_to_all(tree)
