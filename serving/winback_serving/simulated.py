"""A made-up shop on disk: Parquet tables, the settings that fit them, and what was spoilt on request."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pyarrow.parquet as pq

from winback_features.errors import ConfigError
from winback_models.simulate.dirt import dirty
from winback_models.simulate.shop import TABLES, simulate
from winback_models.simulate.world import World

DIRT_FILE = "dirt.json"
SETTINGS_FILE = "winback.toml"
ZONE = "Europe/Amsterdam"

_TOML = """\
# A made-up shop: {contacts} contacts over {days} days, seed {seed}. The day to score is {end}:
#   winback train -c winback.toml --as-of {end}
[home]
path = ".winback"

[source]
orders = "orders.parquet"
events = "events.parquet"
contacts = "contacts.parquet"

[brand]
name = "Made-up shop"
timezone = "{zone}"
currency = "EUR"
horizon_days = 60

[score]
curve_days = [7, 14, 30, 60]

[engine]
memory_limit = "4GB"
threads = 2
"""


def write_shop(
    world: World,
    folder: Path,
    *,
    dirt: bool = False,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Write a made-up shop into a folder, block by block.

    Parameters
    ----------
    world : World
    folder : Path
        New or empty; it gets ``orders``, ``events``, ``contacts``, ``campaigns`` and ``truth`` as Parquet, and a
        ``winback.toml``. The same world gives the same bytes.
    dirt : bool
        Add bad rows, and say in ``dirt.json`` what the quarantine should hold.
    tick : callable
        Told (contacts done, contacts in all) after each block.

    Returns
    -------
    dict
        Rows of each table.

    Raises
    ------
    ConfigError
        When the folder holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            "There is something already.", where=str(folder), how="Name a new folder with --out."
        )
    folder.mkdir(parents=True, exist_ok=True)
    rows = dict.fromkeys(TABLES, 0)
    with ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}
        for number, block in enumerate(simulate(world)):
            if number == 0 and dirt:
                block, told = dirty(world, block)
                text = json.dumps(told, indent=2, sort_keys=True) + "\n"
                (folder / DIRT_FILE).write_text(text, encoding="utf-8")
            for name in TABLES:
                table = getattr(block, name)
                if name not in writers:
                    path = folder / f"{name}.parquet"
                    writers[name] = stack.enter_context(
                        pq.ParquetWriter(path, table.schema, compression="zstd")
                    )
                writers[name].write_table(table, row_group_size=max(1, table.num_rows))
                rows[name] += table.num_rows
            tick(rows["truth"], world.contacts)
    text = _TOML.format(zone=ZONE, contacts=world.contacts, days=world.days, seed=world.seed, end=world.end)
    (folder / SETTINGS_FILE).write_text(text, encoding="utf-8")
    return rows
