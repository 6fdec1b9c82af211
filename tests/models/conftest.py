"""CDNOW from the lifetimes wheel, as histories."""

import sys
import warnings
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # lifetimes is archived and warns while it is imported
    import lifetimes  # noqa: F401


def _read(name, columns):
    with (files("lifetimes") / "datasets" / name).open("rb") as stream:
        rows = pd.read_csv(
            stream, sep=r"\s+", header=None, names=columns, dtype=str, skiprows=int("master" in name)
        )
    rows["day"] = pd.to_datetime(rows["date"], format="%Y%m%d")
    return rows


def _histories(rows, last_day):
    """(frequency, recency, T) in days with the age counted to ``last_day``, as the published papers do."""
    days = rows[rows["day"] <= last_day].groupby("contact_id")["day"].agg(["min", "max", "nunique"])
    return pd.DataFrame(
        {
            "frequency": days["nunique"] - 1,
            "recency": (days["max"] - days["min"]).dt.days,
            "T": (pd.Timestamp(last_day) - days["min"]).dt.days,
        }
    ).astype(float)


@pytest.fixture(scope="session")
def cdnow_sample():
    rows = _read("CDNOW_sample.txt", ["master_id", "contact_id", "date", "cds", "value"])
    return _histories(rows, "1997-09-30")


@pytest.fixture(scope="session")
def cdnow_full():
    rows = _read("CDNOW_master.txt", ["contact_id", "date", "cds", "value"])
    histories = _histories(rows, "1997-12-31")
    later = rows.loc[rows["day"] > "1997-12-31", "contact_id"].unique()
    return histories.assign(bought=histories.index.isin(later).astype(float))


@pytest.fixture(scope="session")
def cdnow_spend():
    with (files("lifetimes") / "datasets" / "cdnow_customers_summary_with_transactions.csv").open(
        "rb"
    ) as stream:
        return pd.read_csv(stream)


sys.path.insert(0, str(Path(__file__).parent))  # the helper modules beside this file are importable by name


@pytest.fixture(scope="session")
def label_times():
    """Today, and what could be seen before a day."""
    from shop import TODAY, buying_days, label_time, seen_before

    shop = buying_days()
    return label_time(shop, TODAY), seen_before(shop)


@pytest.fixture(scope="session")
def fitted(label_times):
    from shop import HORIZON, NUMERIC

    from winback_models.lapse_fit import fit_lapse_model

    today, before = label_times
    return fit_lapse_model(today, before, horizon_days=HORIZON, numeric_features=NUMERIC, seed=0)
