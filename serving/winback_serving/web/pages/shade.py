"""How dark a cell of a grid is: a class of the style sheet, since no page carries a style of its own."""

from __future__ import annotations

STEPS = 7


def shade(share: float) -> int:
    """Return 0 (nothing) to 7 (the most) for a share of the largest cell.

    Examples
    --------
    >>> [shade(share) for share in (0, 0.01, 0.5, 1)]
    [0, 1, 4, 7]
    """
    return 0 if share <= 0 else min(STEPS, 1 + int(share * (STEPS - 1)))
