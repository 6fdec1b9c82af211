"""How much of the best Qini does the uplift model recover on the trials that `winback simulate` makes up?

    winback simulate --contacts 250000 --days 730 --seed 1 --out shop
    python benchmarks/uplift_simulated.py shop

The model is fitted on one trial, with the features of its day, and ranks the contacts of the next one. Whom an incentive can move
is a secret of the shop: nothing that it does tells of it. All that can be found is who has not left for good, so the ranking is
also held against one that knows who has left.
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from winback_features.build import build_features
from winback_features.dictionary import numeric_features
from winback_features.engine import open_engine
from winback_features.facts import purchase_days
from winback_features.ingest import ingest
from winback_features.tables import Tables
from winback_models.btyd import Array
from winback_models.member_fits import without_voids
from winback_models.simulate.trials import ANSWER_DAYS
from winback_models.uplift import Experiment, buys_anyway
from winback_serving.run_uplift import matrix
from winback_serving.settings import load_settings
from winback_training.qini import recovered
from winback_training.uplift import train_uplift

TREATED = 0.5


def trial(tables: Tables, folder: Path, day: date) -> tuple[Experiment, Array, Array]:
    """Return a trial, its true effects, and who has not left by then."""
    backend: Any = tables.backend
    drawn = backend.read_parquet(folder / "campaigns.parquet")
    drawn = drawn.filter(drawn.sent_at.date() == day).select("contact_id", treated=drawn.arm == "treatment")
    truth = backend.read_parquet(folder / "truth.parquet").select("contact_id", "uplift", "left_on")
    end = day + timedelta(days=ANSWER_DAYS + 1)
    bought = purchase_days(tables, end).filter(lambda t: t.day >= day).select("contact_id").distinct()
    t = drawn.inner_join(build_features(tables, day).select("contact_id", *numeric_features()), "contact_id")
    t = t.inner_join(truth, "contact_id").left_join(bought, "contact_id")
    t = t.mutate(
        bought=t.contact_id_right.notnull(), there=t.left_on.isnull() | (t.left_on > ibis.literal(end))
    )
    numbers = {
        name: t[name].cast("float64")
        for name in (*numeric_features(), "treated", "bought", "uplift", "there")
    }
    rows = t.order_by("contact_id").select(**numbers).to_pyarrow()
    treated, y, uplift, there = matrix(rows, ["treated", "bought", "uplift", "there"]).T
    data = Experiment(matrix(rows, numeric_features()), treated > 0, y, np.full(len(rows), TREATED))
    return data, uplift * there, there


def main() -> None:
    """Fit on each trial and print what its ranking of the next one recovers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the made-up shop")
    parser.add_argument(
        "--days", type=date.fromisoformat, nargs=2, help="of the two trials; the last two when absent"
    )
    args = parser.parse_args()
    settings = load_settings(args.folder / "winback.toml")
    with open_engine(settings.engine) as backend:
        tables = ingest(
            backend, settings.source, settings.brand, today=date(2100, 1, 1), base_dir=args.folder
        )
        sent = backend.read_parquet(args.folder / "campaigns.parquet").sent_at.date()
        every = sorted(set(sent.as_table().distinct().to_pyarrow().column(0).to_pylist()))
        first, second = args.days or every[-2:]
        (data, *_), (fresh, effect, there) = (trial(tables, args.folder, day) for day in (first, second))
    risk = 1 - buys_anyway(data)
    model, verdict = train_uplift(data, numeric_features(), np.ones(len(data)), risk)
    said = "accepted" if verdict.accepted else "refused: " + " ".join(verdict.reasons)
    print(f"fitted on {len(data):,} of {first}, ranked {len(fresh):,} of {second}; the gate: {said}")
    anyway = HistGradientBoostingClassifier(random_state=0).fit(without_voids(data.features), data.bought)
    rankings = {"risk": 1 - anyway.predict_proba(fresh.features)[:, 1], "who has not left": there}
    if model:
        rankings["winback"] = model.effect(fresh.features)
    for name, ranking in rankings.items():
        best, can = recovered(ranking, effect), recovered(ranking, there)
        print(f"{name}: {best:.2f} of the best Qini, {can:.2f} of that of who has left")


if __name__ == "__main__":
    main()
