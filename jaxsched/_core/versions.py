"""What differs between versions of JAX, each line with the version that lets it go."""

from __future__ import annotations

from typing import Any

import jax
from jax._src.core import trace_state_clean

outside_of_programs = trace_state_clean
"""Whether no transformation is under way: what is called runs here. No version has a public name for it."""

# jax 0.8 has it as `jax.enable_x64`.
enable_x64: Any = getattr(jax if hasattr(jax, "enable_x64") else jax.experimental, "enable_x64")  # noqa: B009


def varying(tree: Any, axis: str) -> Any:
    """A tree of arrays that are equal on all devices, each device's own copy from here on, in `shard_map`."""
    # jax 0.8.2 has it as `jax.lax.pcast`.
    lax: Any = jax.lax
    return lax.pcast(tree, axis, to="varying") if hasattr(lax, "pcast") else lax.pvary(tree, axis)


def pmean(tree: Any, axis: str) -> Any:
    """The means of each array of a tree over the devices, in `shard_map`."""
    # jax 0.8.2 can give them to `jax.lax.pmean` together: before, one without a slope left all without.
    return jax.tree.map(lambda leaf: jax.lax.pmean(leaf, axis), tree)
