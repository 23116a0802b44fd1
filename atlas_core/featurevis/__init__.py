"""Feature visualisation: from directions to icons."""
