"""Draws the figures of `docs/choosing.md` for the site, from the log of `benchmarks/choosing.py`."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks import choosing
from jaxsched._figures import STYLE
from jaxsched._inspect.plot import COLOURS


def bounds() -> Figure:
    """Plots the training loss of every epoch, the mean over the seeds, beside the bound up to that epoch."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 4), layout="constrained")
        loss, bound = figure.subplots(1, 2)
        for colour, (name, run) in zip(COLOURS, choosing.read().items(), strict=False):
            epochs = np.arange(1, run.losses.shape[1] + 1)
            loss.plot(epochs, run.losses.mean(axis=0), color=colour, label=name)
            values = np.mean([each.curve(choosing.STEPS * epochs).values for each in run.bounds()], axis=0)
            bound.plot(epochs, np.where(np.isfinite(values), values, np.nan), color=colour)
        loss.set(xlabel="epoch", ylabel="training loss", yscale="log")
        bound.set(xlabel="epoch", ylabel="bound", yscale="log")
        handles, names = loss.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)
    return figure


def law() -> Figure:
    """Plots the losses of the first seed as dots, and what the law says of them with its band."""
    runs = choosing.read()
    found = choosing.fit(runs, 0)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 5), layout="constrained")
        panels = [*figure.subplots(2, 4, sharex=True, sharey=True).flat]
        for axes, (name, run) in zip(panels, runs.items(), strict=False):
            log = run.run(0)
            said = found.predict(log.schedule, log.steps)
            epochs = log.steps / choosing.STEPS
            axes.plot(epochs, log.losses, ".", color=COLOURS[0])
            axes.plot(epochs, said.loss, color=COLOURS[1])
            axes.fill_between(epochs, said.low, said.high, color=COLOURS[1], alpha=0.2, lw=0)
            axes.set(title=f"{name} (fitted)" if name in choosing.FITTED else name, yscale="log")
        for axes in panels[len(runs) :]:
            axes.remove()
        figure.supxlabel("epoch")
        figure.supylabel("training loss")
    return figure


FIGURES = {"bounds": bounds, "law": law}
"""The figures of the page, by name."""
