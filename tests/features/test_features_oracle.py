"""Every feature against the plain-Python oracle, on untidy random shops and on CDNOW."""

import math
from datetime import date

import pytest
from feature_oracle import oracle_features, oracle_labels
from feature_shop import cdnow_sample, random_shop, rows_of

from winback_features.dictionary import FEATURES

CUTS = [date(2023, 3, 1), date(2024, 2, 29), date(2024, 5, 15)]


def agrees(name: str, found: object, expected: object) -> bool:
    if expected is None or isinstance(expected, str):
        return found == expected
    # Logarithms are summed in millionths, (M - 1/2)² in billionths.
    loose = name.startswith("gap_log") or name == "regularity_k"
    rel, absolute = (1e-6, 2e-6) if loose else (1e-9, 1e-12)
    if "decayed" in name:  # summed in billionths of a purchase day, in ten-thousandths of money
        absolute = 1e-2 if name.startswith("spend") else 1e-7
    return found is not None and math.isclose(found, float(expected), rel_tol=rel, abs_tol=absolute)


def assert_same(found: dict[str, dict], expected: dict[str, dict]) -> None:
    assert found.keys() == expected.keys()
    names = [f.name for f in FEATURES]
    for contact, want in expected.items():
        row = found[contact]
        assert set(names) == set(want)
        for name in names:
            assert agrees(name, row[name], want[name]), (contact, name, row[name], want[name])


@pytest.mark.parametrize("as_of", CUTS, ids=str)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_shops_agree_with_the_oracle(shop_engine, seed, as_of):
    shop = random_shop(seed)
    assert_same(rows_of(shop_engine.features(shop, as_of)), oracle_features(shop, as_of))


def test_random_shops_reach_every_feature(shop_engine):
    rows = [
        row for s in range(1, 9) for row in rows_of(shop_engine.features(random_shop(s), CUTS[2])).values()
    ]
    for feature in FEATURES:
        values = {row[feature.name] for row in rows}
        assert len(values) > 1 or feature.name.startswith("season_"), feature.name
        assert (None in values) == bool(feature.null_meaning), feature.name


@pytest.mark.parametrize("horizon", [1, 30, 200])
def test_labels_agree_with_the_oracle(shop_engine, horizon):
    for seed in (1, 2, 3):
        shop = random_shop(seed)
        labels = shop_engine.labels(shop, CUTS[0], horizon)
        found = {row["contact_id"]: row["days_to_purchase"] for row in labels.to_pylist()}
        assert found == oracle_labels(shop, CUTS[0], horizon)


def test_cdnow_agrees_with_the_oracle(shop_engine):
    shop, as_of = cdnow_sample(), date(1997, 10, 1)
    assert_same(rows_of(shop_engine.features(shop, as_of)), oracle_features(shop, as_of))


def test_cdnow_gives_the_published_counts(shop_engine):
    """Fader, Hardie and Lee 2005; Fader and Hardie 2013."""
    shop, as_of = cdnow_sample(), date(1997, 10, 1)
    rows = rows_of(shop_engine.features(shop, as_of)).values()
    labels = shop_engine.labels(shop, as_of, 273)
    assert len(rows) == 2357
    assert sum((row["frequency"] or 0) > 0 for row in rows) == 946
    assert labels.num_rows / len(rows) == pytest.approx(0.2902, abs=5e-5)
