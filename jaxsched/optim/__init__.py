"""Gradient transformations, and what reads and moves their clocks."""
