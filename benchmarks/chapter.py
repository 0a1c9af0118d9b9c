"""The book's chapter beside its published results: `python -m benchmarks.chapter compare.json`.

`python -m train compare --as-published --dataset fashion_mnist --data-dir DIR --seeds 3` writes the file.
This also draws `docs/compare.png`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.report import publish
from train.many import Round
from train.report_many import Comparison

PUBLISHED = {
    "constant": "0.888, 0.896",
    "square root": "0.877, 0.848",
    "multi-factor": "0.884, 0.884",
    "cosine": "0.901, 0.881",
    "warmup and cosine": "about 0.90",
}
"""Test accuracies that the book shows, with PyTorch and with TensorFlow."""


def read(path: Path) -> Comparison:
    """Reads the results that `compare` saved."""
    record = json.loads(path.read_text())
    names = ("learning_rate", "train_loss", "train_accuracy", "test_accuracy")
    curves = {name: np.array([run[name] for run in record["runs"].values()], float) for name in names}
    rounds = [
        Round(epoch=i + 1, seconds=seconds, **{name: curve[..., i] for name, curve in curves.items()})
        for i, seconds in enumerate(record["seconds"])
    ]
    return Comparison({name: run["expression"] for name, run in record["runs"].items()}, rounds)


def main() -> None:
    """Prints and saves the table, and draws the figure."""
    comparison = read(Path(sys.argv[1]))
    rows = [{**row, "the book": PUBLISHED.get(row["run"])} for row in comparison.rows()]
    publish("chapter", rows, "python -m benchmarks.chapter compare.json")
    comparison.figure(Path("docs/compare.png"))


if __name__ == "__main__":
    main()
