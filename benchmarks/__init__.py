"""Measurements of the library beside the alternatives."""
