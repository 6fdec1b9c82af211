"""Made-up shops of any size whose truth is known: who is alive, how fast each buys, and what a treatment brings."""
