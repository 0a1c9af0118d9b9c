"""Writes `torch_plateau.json`: random traces of PyTorch's own `ReduceLROnPlateau`.

    python tests/goldens/make_torch_plateau.py

It needs PyTorch 2.13.0. The base rate is 1.0, so that its rate is the scale of `jaxsched.Plateau`, by whose
arguments the traces name the rule. `cuts` lists `[i, rate]` where metric `i` changed the rate. A metric
may be `NaN` or an infinity, as Python writes them in JSON. Metrics and cuts keep away from ties, which
float32 and float64 may break differently, but for metrics that are equal. The first trace is the one that
the manuals argue about, a flat metric with patience 2; the others are random.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import torch

TRACES = 600
LENGTH = 30
SEED = 20260
TIE = 1e-5
"""Closer to the margin than this, relatively, is a tie."""


FLAT = {
    "factor": 0.5,
    "patience": 2,
    "rtol": 1e-4,
    "atol": 0.0,
    "cooldown": 0,
    "min_scale": 0.0,
    "eps": 0.0,
    "mode": "min",
}


def rounded(value: float) -> float:
    """`value` with four significant digits."""
    return float(f"{value:.4g}")


def draw_arguments(rng: random.Random) -> dict[str, object]:
    relative = rng.random() < 0.5
    threshold = rng.choice([0.0, 1e-4, 1e-3, 0.01, 0.1, 0.3])
    return {
        "factor": rng.choice([0.1, 0.2, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95]),
        "patience": rng.randint(0, 5),
        "rtol": threshold if relative else 0.0,
        "atol": 0.0 if relative else threshold,
        "cooldown": rng.choice([0, 0, 1, 2, 3, 4]),
        "min_scale": rng.choice([0.0, 0.0, 1e-3, 0.03, 0.4]),
        "eps": rng.choice([0.0, 1e-8, 1e-8, 1.3e-3, 0.0617]),
        "mode": rng.choice(["min", "max"]),
    }


def draw_metrics(rng: random.Random, arguments: dict[str, object]) -> list[float]:
    """A walk with a drift, in which some metrics stay flat, are NaN or are infinitely bad."""
    maximize = arguments["mode"] == "max"
    relative = arguments["atol"] == 0.0 and arguments["rtol"] != 0.0
    size = 10.0 ** rng.uniform(-1, 2)
    drift = rng.uniform(-0.02, 0.08) * (1 if maximize else -1)
    noise = rng.choice([0.0, 0.01, 0.1])
    flat = rng.choice([0.1, 0.5, 0.9])
    worst = -math.inf if maximize else math.inf
    level = rng.uniform(0.5, 1.5) if relative else rng.uniform(-1.5, 1.5)
    metric = rounded(size * level)
    metrics = []
    for _ in range(LENGTH):
        if rng.random() > flat:
            step = drift + noise * rng.gauss(0, 1)
            level = level * math.exp(step) if relative else level + step
            metric = rounded(size * level)
        kind = rng.random()
        metrics.append(math.nan if kind < 0.04 else worst if kind < 0.06 else metric)
    return metrics


def traced(arguments: dict[str, object], metrics: list[float]) -> dict[str, object] | None:
    """What PyTorch makes of the metrics, or `None` where a decision is close to a tie."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rtol, atol = arguments["rtol"], arguments["atol"]
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode=arguments["mode"],
        factor=arguments["factor"],
        patience=arguments["patience"],
        threshold=rtol or atol,
        threshold_mode="rel" if rtol else "abs",
        cooldown=arguments["cooldown"],
        min_lr=arguments["min_scale"],
        eps=arguments["eps"],
    )
    cuts = []
    for i, metric in enumerate(metrics):
        best, rate = scheduler.best, optimizer.param_groups[0]["lr"]
        margin = rtol * abs(best) + atol
        limit = best + margin if arguments["mode"] == "max" else best - margin
        finite = math.isfinite(metric) and math.isfinite(best)
        if finite and metric != best and abs(metric - limit) <= TIE * max(abs(metric), abs(best)):
            return None
        cut = rate - max(rate * arguments["factor"], arguments["min_scale"])
        if cut != 0 and abs(cut - arguments["eps"]) <= TIE * rate:
            return None
        scheduler.step(metric)
        after = optimizer.param_groups[0]["lr"]
        if after != rate:
            cuts.append([i, after])
    return {"arguments": arguments, "metrics": metrics, "cuts": cuts}


def draw_trace(rng: random.Random) -> dict[str, object]:
    while True:
        arguments = draw_arguments(rng)
        trace = traced(arguments, draw_metrics(rng, arguments))
        if trace is not None:
            return trace


def main() -> None:
    rng = random.Random(SEED)
    traces = [traced(FLAT, [1.0] * LENGTH)] + [draw_trace(rng) for _ in range(TRACES)]
    lines = [json.dumps(trace, separators=(",", ":")) for trace in traces]
    head = {"system": "torch", "scheduler": "ReduceLROnPlateau", "version": torch.__version__.split("+")[0]}
    text = json.dumps(head, separators=(",", ":"))[:-1] + ',"traces":[\n' + ",\n".join(lines) + "\n]}\n"
    Path(__file__).with_name("torch_plateau.json").write_text(text)


if __name__ == "__main__":
    main()
