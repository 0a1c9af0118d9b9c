"""Differences between versions of JAX, each with the version that makes it unnecessary."""

from __future__ import annotations

from typing import Any

import jax
from jax._src.core import trace_state_clean
from jax._src.interpreters.batching import BatchTracer

# JAX has no public names for these two.
outside_of_programs = trace_state_clean
"""Whether no transformation is active."""


def mapped_over(leaf: Any) -> tuple[Any, Any] | None:
    """The array whose entries `jax.vmap` maps to `leaf`, and the axis of the entries; `None` without."""
    return (leaf.val, leaf.batch_dim) if isinstance(leaf, BatchTracer) else None


# Public as `jax.enable_x64` from jax 0.8.
enable_x64: Any = getattr(jax if hasattr(jax, "enable_x64") else jax.experimental, "enable_x64")  # noqa: B009


def varying(tree: Any, axis: str) -> Any:
    """In `shard_map`, marks arrays that are equal on all devices as varying over `axis`."""
    # Public as `jax.lax.pcast` from jax 0.8.2.
    lax: Any = jax.lax
    return lax.pcast(tree, axis, to="varying") if hasattr(lax, "pcast") else lax.pvary(tree, axis)


def pmean(tree: Any, axis: str) -> Any:
    """In `shard_map`, the mean of each array of a tree over the devices."""
    # From jax 0.8.2 `pmean` takes a tree. Before, one leaf without a gradient left all leaves without.
    return jax.tree.map(lambda leaf: jax.lax.pmean(leaf, axis), tree)
