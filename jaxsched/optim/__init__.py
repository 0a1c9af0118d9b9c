"""Gradient transformations for schedules, and functions that read and set their state."""
