"""Reads the text form of schedules."""
