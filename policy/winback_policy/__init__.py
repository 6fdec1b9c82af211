"""Win-back decisions: who enters, when, why, and why not."""
