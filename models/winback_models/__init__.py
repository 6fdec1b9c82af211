"""Models of who buys again, when, and for how much."""
