"""Shapes: schedules with a formula of their own, one family a file."""
