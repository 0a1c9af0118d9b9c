"""Shapes: schedules with a formula, one family per file."""
