"""Sums of an outcome over an arm: all that the statistics need, and nothing of any person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the contacts of one arm.

    Attributes
    ----------
    n : int
        Contacts.
    y, yy : float
        Sum of the outcome, and of its square. Of a yes or no both are the number of yeses.
    x, xx, xy : float
        Sum of a number known before (the covariate), of its square, and of its product with the outcome.

    Examples
    --------
    >>> both = Sums.of([0, 1, 1]) + Sums.of([1])
    >>> both.n, both.mean
    (4, 0.75)
    """

    n: int = 0
    y: float = 0.0
    yy: float = 0.0
    x: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.n + other.n,
            self.y + other.y,
            self.yy + other.yy,
            self.x + other.x,
            self.xx + other.xx,
            self.xy + other.xy,
        )

    @classmethod
    def of(cls, outcome: Iterable[float], before: Iterable[float] | None = None) -> Sums:
        """Sum plain numbers up."""
        ys = [float(v) for v in outcome]
        xs = [0.0] * len(ys) if before is None else [float(v) for v in before]
        pairs = list(zip(ys, xs, strict=True))
        return cls(
            len(ys),
            sum(ys),
            sum(v * v for v in ys),
            sum(xs),
            sum(v * v for v in xs),
            sum(a * b for a, b in pairs),
        )

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Sums:
        """Read what ``as_dict`` wrote."""
        return cls(int(fields["n"]), *(float(fields[name]) for name in ("y", "yy", "x", "xx", "xy")))

    def as_dict(self) -> dict[str, float]:
        """Return the sums as a flat JSON-ready object."""
        return {"n": self.n, "y": self.y, "yy": self.yy, "x": self.x, "xx": self.xx, "xy": self.xy}

    @property
    def mean(self) -> float:
        """Mean of the outcome; 0 of nobody."""
        return self.y / self.n if self.n else 0.0

    @property
    def mean_before(self) -> float:
        """Mean of the covariate; 0 of nobody."""
        return self.x / self.n if self.n else 0.0

    @property
    def variance(self) -> float:
        """Unbiased variance of the outcome; 0 of fewer than two."""
        return _spread(self.n, self.y, self.y, self.yy)

    @property
    def variance_before(self) -> float:
        """Unbiased variance of the covariate."""
        return _spread(self.n, self.x, self.x, self.xx)

    @property
    def covariance(self) -> float:
        """Unbiased covariance of outcome and covariate."""
        return _spread(self.n, self.x, self.y, self.xy, signed=True)


def _spread(n: int, a: float, b: float, ab: float, *, signed: bool = False) -> float:
    if n < 2:
        return 0.0
    value = (ab - a * b / n) / (n - 1)
    return value if signed else max(value, 0.0)


def added(many: Iterable[Sums]) -> Sums:
    """Return the sum of sums.

    >>> added([Sums(1, 1.0), Sums(2, 1.0)]).n
    3
    """
    return sum(many, Sums())
