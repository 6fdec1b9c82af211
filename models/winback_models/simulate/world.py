"""The laws of the made-up shop: how many, how long, how fast, and in which season.

Every number is a property of the world, not of a machine: the same world gives the same facts anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt

from winback_models.btyd import Array

BLOCK = 5_000
"""Contacts drawn together, each block from a seed of its own. Part of the law: another size gives another shop."""

FIRST_DAY = date(2024, 1, 1)
FUTURE_DAYS = 365
"""So far beyond the last day the truth is known."""

YEAR = 365.25


@dataclass(frozen=True)
class World:
    """A made-up shop.

    Attributes
    ----------
    contacts, days, seed : int
        How many contacts, how many days of facts, and which of the many such shops.
    prospects : float
        Share of contacts that are known before they buy, if they ever do.
    one_time : float
        Share of buyers that leave with their first purchase.
    rate_shape, daily_rate : float
        Gamma law of the purchases per day among buyers: shape and mean.
    leave_shape, life_days : float
        Gamma law of the rate at which buyers leave: shape, and the inverse of its mean.
    regular : tuple of (int, float)
        Erlang shapes of the gaps and their shares: 1 is at random, 4 close to clockwork.
    season : float
        How far the pace of the whole shop swings over a year, highest in mid-December.
    first_day : date

    Examples
    --------
    >>> world = World(contacts=100, days=365)
    >>> world.end, world.blocks
    (datetime.date(2024, 12, 31), 1)
    >>> bool(abs(world.calendar(world.clock(200.0)) - 200.0) < 1e-9)
    True
    """

    contacts: int
    days: int
    seed: int = 0
    prospects: float = 0.12
    one_time: float = 0.25
    rate_shape: float = 1.1
    daily_rate: float = 0.044
    leave_shape: float = 1.5
    life_days: float = 450.0
    regular: tuple[tuple[int, float], ...] = ((1, 0.6), (2, 0.25), (4, 0.15))
    season: float = 0.25
    first_day: date = FIRST_DAY

    def __post_init__(self) -> None:
        if self.contacts < 1 or self.days < 1 or self.seed < 0:
            message = f"contacts and days must be positive and the seed not negative: {self.contacts}, {self.days}, {self.seed}"
            raise ValueError(message)

    @property
    def end(self) -> date:
        """The day after the last with facts: the natural ``as_of``."""
        return self.first_day + timedelta(days=self.days)

    @property
    def blocks(self) -> int:
        """Blocks of contacts."""
        return -(-self.contacts // BLOCK)

    def generator(self, block: int, *stream: int) -> np.random.Generator:
        """Return the source of chance of one block, or of one stream of it: its own, whatever the others draw."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(block, *stream)))

    def clock(self, day: npt.ArrayLike) -> Array:
        """Return the shop's own time at a calendar time (days from the first): it runs faster in season."""
        return np.asarray(np.interp(np.asarray(day), self._grid, self._clock))

    def calendar(self, clock: npt.ArrayLike) -> Array:
        """Return the calendar time at which the shop's own clock shows ``clock``; inf beyond what is simulated."""
        return np.asarray(np.interp(np.asarray(clock), self._clock, self._grid, right=np.inf))

    @cached_property
    def _grid(self) -> Array:
        return np.arange(self.days + FUTURE_DAYS + 1, dtype=np.float64)

    @cached_property
    def _clock(self) -> Array:
        peak = 350.0 - self.first_day.timetuple().tm_yday
        turn = 2.0 * np.pi / YEAR
        swing = np.sin(turn * (self._grid - peak)) - np.sin(-turn * peak)
        return np.asarray(self._grid + self.season / turn * swing)
