"""The group of each parameter: labels from paths, checked against the tree that they label."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import jax

from jaxsched._core.fields import Number, checked_number, describe, is_integer
from jaxsched._core.schedule import Schedule, ScheduleLike, as_schedule

Path: TypeAlias = tuple[Any, ...]


def label_by_path(rules: Sequence[tuple[str, str]]) -> Callable[[Any], Any]:
    """Labels parameters by patterns on their paths, for `param_labels` and `optax.partition`.

    The path of a parameter joins dict keys, list and tuple indices and field names with slashes, as in
    `layers/0/attention/kernel`. This is `jax.tree_util.keystr(path, simple=True, separator="/")`. It ends at
    the node that holds one array, such as an `nnx.Variable` or a `linen.Partitioned`, so an `nnx.State` has
    the paths of its model.

    Patterns follow `fnmatch.fnmatchcase` and must match the whole path. `*` stands for any text, slashes
    included, `?` for one character, and `[0-3]` for one of a range. So `*/bias` matches a `bias` at any depth
    except the top, where the path is `bias`. The first matching pattern gives the label.

    >>> import jax.numpy as jnp
    >>> import jaxsched as js
    >>> labels = js.label_by_path([("*/bias", "no_decay"), ("*", "decay")])
    >>> labels({"dense": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}})
    {'dense': {'bias': 'no_decay', 'kernel': 'decay'}}

    A pattern that labels no parameter is refused too. Otherwise, if you mistype a pattern, its parameters
    silently go to a later `*`. Unused patterns are allowed only if a branch of the parameters is `None` or
    masked, because their parameters may belong there.

    Args:
      rules: pairs of a pattern and a label, both strings.

    Returns:
      A function that replaces each parameter in a tree with its label.

    Raises:
      TypeError: `rules` is not a list or tuple of pairs of strings.
      ValueError: from the function: no pattern matches a parameter, or a pattern labels none. The message
        lists them.
    """
    if not isinstance(rules, list | tuple):
        raise TypeError(f"`rules` must be a list of pairs (pattern, label), got {describe(rules)}.")
    for i, rule in enumerate(rules):
        pair = isinstance(rule, list | tuple) and len(rule) == 2
        if not (pair and all(isinstance(each, str) for each in rule)):
            raise TypeError(
                f"`rules[{i}]` must be a pair of two strings, a pattern and a label, got {describe(rule)}."
            )
    kept = tuple((pattern, label) for pattern, label in rules)

    def labelled(params: Any) -> Any:
        nodes = jax.tree.leaves_with_path(params, is_leaf=lambda node: _is_empty(node) or _holds_one(node))
        paths = [
            jax.tree_util.keystr(path, simple=True, separator="/")
            for path, node in nodes
            if not _is_empty(node)
        ]
        firsts = [
            next((i for i, (pattern, _) in enumerate(kept) if fnmatch.fnmatchcase(path, pattern)), None)
            for path in paths
        ]
        missing = [path for path, first in zip(paths, firsts, strict=True) if first is None]
        holes = len(paths) < len(nodes)
        unused = [] if holes else [pattern for i, (pattern, _) in enumerate(kept) if i not in firsts]
        late = [each for each in unused if any(fnmatch.fnmatchcase(path, each) for path in paths)]
        _refuse(
            "rules",
            {
                "pattern for": [f"`{path}`" for path in missing],
                "parameter for the pattern": [repr(each) for each in unused if each not in late],
                "parameter that earlier patterns leave for": [repr(each) for each in late],
            },
        )
        labels = [kept[first][1] for first in firsts if first is not None]
        # A label stands for a variable, not inside of it: `optax.partition` puts a `MaskedNode` in its place,
        # and the `nnx.Optimizer` of flax 0.11 takes no variable that holds one.
        return jax.tree.unflatten(jax.tree.structure(params, is_leaf=_holds_one), labels)

    return labelled


def _holds_one(node: Any) -> bool:
    """Whether a node wraps one array: a variable of Flax, or one with metadata on how to partition it."""
    # The class is asked, because an `nnx.State` looks its attributes up among its parameters.
    wraps = hasattr(type(node), "__jax_array__") or hasattr(type(node), "unbox")
    return wraps and len(jax.tree.leaves(node)) == 1


def layerwise(schedule: ScheduleLike, decay: Number, depth: int) -> dict[str, Schedule]:
    r"""A schedule for each layer, with rates that fall from the last layer to the first.

    $$f_i(t) = \text{decay}^{\,\text{depth} - 1 - i} \, s(t), \quad i = 0, \dots, \text{depth} - 1$$

    The first layer, the one at the input, has the key `"layer0"`, and so on. The last layer follows
    `schedule`.

    >>> import jaxsched as js
    >>> layers = js.layerwise(js.Linear(0.1, 0.0, 100), 0.5, 3)
    >>> list(layers), layers["layer0"]
    (['layer0', 'layer1', 'layer2'], 0.25 * Linear(0.1, 0, 100))

    Args:
      schedule: the schedule of the last layer; a number is a constant.
      decay: the factor from each layer to the one before it, above 0 and at most 1.
      depth: the number of layers, at least 1. The embedding and the head count as layers.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: `decay` or `depth` is out of range.

    Source: Clark et al., *ELECTRA*, arXiv:2003.10555; Bao et al., *BEiT*, arXiv:2106.08254; timm's
    `param_groups_layer_decay`.
    """
    last = as_schedule("schedule", schedule)
    factor = checked_number("decay", decay, above=0, at_most=1)
    if not is_integer(depth):
        raise TypeError(f"`depth` must be an integer, got {describe(depth)}.")
    if depth < 1:
        raise ValueError(f"`depth` must be at least 1, got {depth}.")
    return {f"layer{i}": factor ** (int(depth) - 1 - i) * last for i in range(depth)}


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
    _refuse(
        "param_labels",
        {
            "label for": _named(missing, _all_starts(given)),
            "parameter at": _named(extra, within),
            "parameter with the label": [repr(label) for label in unused],
        },
    )
    return [given[above[path][0]] for path in leaves]


MOST_NAMES = 10
"""The most parameters or labels that a message lists of one kind."""


def _refuse(argument: str, problems: dict[str, list[str]]) -> None:
    """Raises a `ValueError` that lists what does not match, by what there is none of."""
    lacks = ", ".join(f"no {what} {_some(names)}" for what, names in problems.items() if names)
    if lacks:
        raise ValueError(f"`{argument}` must match the parameters: there is {lacks}.")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


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
