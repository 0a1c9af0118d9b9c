"""The group of each parameter: labels, checked against the tree that they label."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import jax

Path: TypeAlias = tuple[Any, ...]


def labels_of(labels: Any, tree: Any, groups: Iterable[str]) -> list[str]:
    """The label of each leaf of `tree`.

    An empty subtree (`None`, an `optax.MaskedNode`, a branch without leaves) may have any labels or none. If
    there is one, a label may be unused, because its parameters may be masked there.

    Args:
      labels: a tree of labels, or one label; each applies to the whole subtree at its path in `tree`.
      tree: parameters or updates.
      groups: the allowed labels.

    Raises:
      ValueError: a label is not in `groups`, or the labels and the leaves do not match.
    """
    given: dict[Path, Any] = dict(jax.tree.leaves_with_path(labels))
    unknown = sorted({str(label) for label in given.values()} - set(groups))
    if unknown:
        raise ValueError(f"`param_labels` must be labels of `schedule`, {sorted(groups)}, got {unknown}.")
    places = jax.tree.leaves_with_path(tree, is_leaf=_is_empty)
    empty = {path for path, node in places if _is_empty(node)}
    leaves = [path for path, node in places if not _is_empty(node)]
    above = {path: [start for start in _starts(path) if start in given] for path in leaves}
    missing = [path for path in leaves if not above[path]]
    within = _all_starts(path for path, _ in places)
    extra = [path for path in given if path not in within and empty.isdisjoint(_starts(path))]
    unused = [] if empty else sorted(set(groups) - set(given.values()))
    problems = {
        "label for": _named(missing, _all_starts(given)),
        "parameter at": _named(extra, within),
        "parameter with the label": [repr(label) for label in unused],
    }
    if any(problems.values()):
        lacks = ", ".join(f"no {what} {', '.join(names)}" for what, names in problems.items() if names)
        raise ValueError(f"`param_labels` must match the parameters: there is {lacks}.")
    return [given[above[path][0]] for path in leaves]


def _is_empty(node: Any) -> bool:
    return not jax.tree.leaves(node)


def _starts(path: Path) -> list[Path]:
    """All prefixes of a path, the empty one first."""
    return [path[:length] for length in range(len(path) + 1)]


def _all_starts(paths: Iterable[Path]) -> set[Path]:
    return {start for path in paths for start in _starts(path)}


def _named(paths: list[Path], there: set[Path]) -> list[str]:
    """Paths for a message, each cut after the first branch that is not `there`."""
    cut = [next((start for start in _starts(path) if start not in there), path) for path in paths]
    return [f"`{jax.tree_util.keystr(path)}`" if path else "the whole" for path in dict.fromkeys(cut)]
