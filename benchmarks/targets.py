"""Targets to compile programs for: this machine, or a TPU or GPU that it does not have.

The compilers for a TPU (`pip install "jax[tpu]"`) and a GPU (`pip install "jax[cuda12]"`) need no device.
Their programs cannot run here, but their instructions can be counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec

H100 = """
device_description_str: "NVIDIA H100 80GB HBM3"
platform_name: "CUDA"
runtime_version { major: 12 minor: 9 }
dnn_version_info { major: 9 minor: 8 }
gpu_device_info {
  cuda_compute_capability { major: 9 }
  clock_rate_ghz: 1.98
  core_count: 132
  fpus_per_core: 128
  threads_per_warp: 32
  threads_per_block_limit: 1024
  threads_per_core_limit: 2048
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  registers_per_block_limit: 65536
  registers_per_core_limit: 65536
  shared_memory_per_block: 49152
  shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472
  l2_cache_size: 52428800
  memory_bandwidth: 3350000000000
  device_memory_size: 85899345920
}
"""
"""An NVIDIA H100 SXM, as the compiler describes it."""


class Target(NamedTuple):
    """A device that programs are compiled for.

    Attributes:
      name: the name of the device.
      sharding: the sharding on the device, or None for this machine's own.
    """

    name: str
    sharding: NamedSharding | None = None

    @property
    def mesh(self) -> Mesh:
        """Its devices."""
        if self.sharding is None:
            return Mesh(np.array(jax.devices()[:1]), ("devices",))
        return self.sharding.mesh  # type: ignore[return-value]

    @property
    def is_here(self) -> bool:
        """Whether programs compiled for it can be called."""
        return self.sharding is None

    def lower(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Traces and lowers a function for the device, ready for `.compile()`.

        Each call traces a new function, so JAX does not reuse an earlier program.
        """
        there: dict[str, Any] = (
            {} if self.is_here else {"in_shardings": self.sharding, "out_shardings": self.sharding}
        )
        return jax.jit(lambda *arguments: function(*arguments), **there).lower(*arguments)


def here() -> Target:
    """The default device of JAX on this machine."""
    return Target(jax.devices()[0].device_kind)


def tpu(chips: int = 1) -> Target:
    """One to four chips of a TPU v5e, for which libtpu compiles ahead of time.

    libtpu takes a lock, since only one process may use a TPU. Nothing here uses one, so several may compile.
    """
    jax.config.update("jax_platforms", "cpu")
    os.environ |= {
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        "TPU_ACCELERATOR_TYPE": "v5litepod-4",
        "TPU_SKIP_MDS_QUERY": "1",
        "TPU_WORKER_HOSTNAMES": "localhost",
    }
    return _elsewhere(topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x2"), chips)


def gpu() -> Target:
    """The NVIDIA GPU of this machine if it has one, else an H100, compiled for ahead of time."""
    if any(Path("/dev").glob("nvidia[0-9]*")):
        return here()
    jax.config.update("jax_platforms", "cpu")
    h100 = topologies.get_topology_desc("h100", "cuda", target_config=H100, topology="1x1x1")
    return _elsewhere(h100)


def _elsewhere(topology: Any, count: int = 1) -> Target:
    mesh = Mesh(np.array(topology.devices[:count]), ("devices",))
    kind = f"{topology.devices[0].device_kind}, ahead of time"
    return Target(kind if count == 1 else f"{count} of {kind}", NamedSharding(mesh, PartitionSpec()))
