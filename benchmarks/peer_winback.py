"""Train winback for one past day and write what it says of every buyer: the process that ``peers.py`` times.

    python benchmarks/peer_winback.py orders.parquet --as-of 1998-04-02 --horizon 90 --out answers.parquet

This is `winback train` without the registry: three forward tests, checks, the final fit; ``--tests 0`` leaves the tests out.
Then features of the day, dates of the next purchase with their interval, and the curve at twelve steps.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from peer_fit import peak_mb

from winback_features.build import build_features
from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_features.tables import Tables
from winback_models.config import ScoreConfig
from winback_training.baselines import equal_steps
from winback_training.config import TrainingConfig
from winback_training.train import train


@contextmanager
def reading(orders: Path, timezone: str) -> Iterator[Tables]:
    """Give the checked tables of a file of orders, with the events beside it where there are any."""
    folder = orders.resolve().parent
    events = "events.parquet" if (folder / "events.parquet").exists() else None
    source = SourceConfig(orders=orders.name, events=events)
    with open_engine(EngineConfig()) as backend:
        today = datetime.now(UTC).date()
        yield ingest(backend, source, BrandConfig(timezone=timezone), today=today, base_dir=folder)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("orders", type=Path)
    parser.add_argument("--as-of", type=date.fromisoformat, required=True)
    parser.add_argument("--horizon", type=int, required=True)
    parser.add_argument("--timezone", default=BrandConfig().timezone)
    parser.add_argument("--tests", type=int, default=TrainingConfig().origins, help="forward tests")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    score, steps = ScoreConfig(horizon_days=chosen.horizon), equal_steps(chosen.horizon)
    with reading(chosen.orders, chosen.timezone) as tables:
        model = train(tables, chosen.as_of, score, TrainingConfig(origins=chosen.tests)).model
        features = build_features(tables, chosen.as_of).to_pyarrow().to_pandas()
    buyers = features[features["purchase_days"] > 0].reset_index(drop=True)
    dates = model.predict(buyers, chosen.as_of, score)["next_purchase_date"]
    answers = pd.DataFrame(model.curve(buyers, steps.tolist()), columns=[f"{day:g}" for day in steps])
    answers.insert(0, "contact_id", buyers["contact_id"].to_numpy())
    answers.to_parquet(chosen.out)
    note = f"no error; a date for {dates.notna().mean():.0%}"
    print(json.dumps({"note": note, "version": version("winback"), "peak": peak_mb()}))


if __name__ == "__main__":
    main()
