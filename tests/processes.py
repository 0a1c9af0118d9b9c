"""What tests with processes of their own share."""

HANG = 30 * 60
"""Seconds after which a process has hung. It only ends what would never end: no test waits that long, however
busy the machine is, and none depends on how long anything takes."""
