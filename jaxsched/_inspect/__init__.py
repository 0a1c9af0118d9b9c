"""What can be said and drawn of a schedule before the run."""
