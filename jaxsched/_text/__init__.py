"""Reads the text form of schedules, and reads and writes their records."""
