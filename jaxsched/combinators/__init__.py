"""Combinators: schedules made of other schedules."""
