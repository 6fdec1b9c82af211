"""The data sets that the benchmarks are measured on: those of installed packages, of a folder, of one file, of a shop."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from winback_features.config import BrandConfig, SourceConfig
from winback_features.errors import InputError
from winback_features.tables import Tables
from winback_serving.demo_data import write_cdnow, write_complete_journey
from winback_serving.settings import Settings, load_settings

HORIZONS: Mapping[str, tuple[int, ...]] = {
    "online_retail": (60, 90),
    "complete_journey": (28,),
    "cdnow_full": (90,),
    "cdnow_sample": (90,),
    "ta_feng": (30,),
}
"""Days ahead for the sets that others have published on; any other set's are learned from its own gaps."""


@dataclass(frozen=True)
class Task:
    """One data set at one horizon; None: learned from the data. Read as the ``settings`` say, where they are given."""

    name: str
    orders: Path
    horizon_days: int | None
    timezone: str = BrandConfig().timezone
    settings: Settings | None = None

    def source(self) -> tuple[SourceConfig, BrandConfig, Path]:
        """Return what is read, how, and the folder where it lies."""
        if self.settings:
            return self.settings.source, self.settings.brand, self.settings.base_dir
        folder = self.orders.resolve().parent
        events = "events.parquet" if (folder / "events.parquet").exists() else None
        return SourceConfig(self.orders.name, events), BrandConfig(timezone=self.timezone), folder


def horizons(name: str, asked: int | None) -> tuple[int | None, ...]:
    """Return the days ahead at which a set is tested: as asked, or those of the known sets; None to learn them."""
    return (asked,) if asked else HORIZONS.get(name, (None,))


def packaged(folder: Path, horizon: int | None = None) -> list[Task]:
    """Write the sets that installed packages carry, under the names the tasks use."""
    writers = {"complete_journey": write_complete_journey, "cdnow_full": write_cdnow}
    for name, write in writers.items():
        write(folder / name)
    return [
        Task(name, folder / name / "data" / "orders.parquet", h, "America/New_York")
        for name in writers
        for h in horizons(name, horizon)
    ]


def in_folder(folder: Path, horizon: int | None = None) -> list[Task]:
    """Return a task for every set in the folder, the known ones first."""
    found = {path.parent.name: path for path in sorted(folder.glob("*/orders.parquet"))}
    names = [n for n in HORIZONS if n in found] + [n for n in found if n not in HORIZONS]
    return [Task(n, found[n], h) for n in names for h in horizons(n, horizon)]


def tasks_of(chosen: Namespace, temporary: Path) -> list[Task]:
    """Return what the command line asks for with ``--config``, ``--orders`` or ``--data``, and with ``--horizon``."""
    if chosen.config:
        shop = load_settings(chosen.config)
        horizon = chosen.horizon or (None if shop.horizon_auto else shop.score.horizon_days)
        return [Task(shop.brand.name, Path(shop.source.orders), horizon, settings=shop)]
    if chosen.orders:
        name = chosen.orders.stem
        name = name if name != "orders" else chosen.orders.resolve().parent.name
        return [Task(name, chosen.orders, chosen.horizon)]
    return in_folder(chosen.data, chosen.horizon) if chosen.data else packaged(temporary, chosen.horizon)


def span(tables: Tables) -> tuple[date, date]:
    """Return the first and the last day of the orders."""
    found = next(t for t in tables.report.tables if t.name == "orders")
    if found.first_day is None or found.last_day is None:
        raise InputError("There are no orders.")
    return found.first_day, found.last_day
