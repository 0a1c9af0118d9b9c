"""Checks, plots and simulations of a schedule before the run."""
