"""What win-back brings: effects with intervals, from sums per arm; no person is looked at here."""
