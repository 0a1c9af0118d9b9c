"""The reader of the text form of schedules."""
