"""Writes the bundle of a small shop, some of its contacts and their scores into the folder of the installed version.

Run once for a release, from the root of the repository, and commit what it wrote: ``python tests/backcompat/make.py``.
A later version must load the bundle and agree (``test_bundles.py``). The folder of 0.1.0 was made with that version's code.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from winback_features.build import build_features
from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_models.config import ScoreConfig
from winback_training.config import TrainingConfig
from winback_training.train import train

OPENED, DAYS = datetime(2024, 6, 1), 500
SCORE = ScoreConfig(horizon_days=30, curve_days=(7, 30, 60, 90))
OF_EACH_BASE = 15


def shop(contacts=2600, seed=11):
    """Return orders, events and contacts; a visit makes an order likelier, and a third of the contacts hardly ever buys."""
    rng = np.random.default_rng(seed)
    orders, events, known = [], [], []
    for i in range(contacts):
        name, start = f"c{i:04}", int(rng.integers(0, DAYS - 30))
        rate = 0.0008 if i % 3 == 0 else rng.gamma(1.5, 1 / 70)
        end = DAYS if i % 3 == 0 else min(DAYS, start + rng.exponential(500))
        known.append((name, OPENED + timedelta(days=start)))
        heat = 0.0
        for day in range(start, DAYS):
            at = OPENED + timedelta(days=day, hours=12)
            if day <= end and rng.random() < rate * (1.0 + 3.0 * heat):
                orders.append((name, f"o{len(orders)}", at, round(rng.gamma(4.0, 8.0), 2)))
            visit = rng.random() < 0.04
            heat = 0.9 * heat + visit
            if visit:
                events.append((name, at, "cart_add" if rng.random() < 0.2 else "site_visit"))
    return (
        pd.DataFrame(orders, columns=["contact_id", "order_id", "ordered_at", "amount"]),
        pd.DataFrame(events, columns=["contact_id", "occurred_at", "kind"]),
        pd.DataFrame(known, columns=["contact_id", "created_at"]),
    )


def make(folder):
    """Train on the shop and write the bundle, ``features.parquet`` and ``expected.parquet``."""
    as_of = date(OPENED.year, OPENED.month, OPENED.day) + timedelta(days=DAYS)
    names = ("orders", "events", "contacts")
    with TemporaryDirectory() as home, open_engine(EngineConfig()) as backend:
        for name, frame in zip(names, shop(), strict=True):
            frame.to_parquet(Path(home) / f"{name}.parquet")
        source = SourceConfig(**{name: f"{name}.parquet" for name in names})
        tables = ingest(backend, source, BrandConfig(), today=as_of, base_dir=Path(home))
        model = train(tables, as_of, SCORE, TrainingConfig(cuts=6, origins=1)).model
        features = build_features(tables, as_of).order_by("contact_id").to_pyarrow().to_pandas()
    model = replace(model, version="example")
    some = features.groupby(model.base(features)).head(OF_EACH_BASE).reset_index(drop=True)
    model.save(folder)
    some.to_parquet(folder / "features.parquet", index=False)
    model.predict(some, as_of, SCORE).to_parquet(folder / "expected.parquet", index=False)
    return model


if __name__ == "__main__":
    target = Path(__file__).parent / version("winback")
    if target.exists():
        raise SystemExit(f"{target.name} is there already: the bundle of a released version never changes.")
    info = make(target).info
    for part in (info, info["lapsed"], info["never_bought"]):
        print(part["status"])
