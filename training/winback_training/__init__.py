"""Label times, forward tests, experiment tracking and promotion."""
