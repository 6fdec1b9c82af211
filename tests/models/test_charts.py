"""The pictures: every model drawn, words for those who do not see them, nothing fetched, nothing run."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pandas as pd
import pytest

from winback_models.charts import (
    MODEL_LABELS,
    calibration_chart,
    decay_chart,
    lift_chart,
    timing_chart,
    to_svg,
)

MODELS = tuple(MODEL_LABELS)
SVG = "{http://www.w3.org/2000/svg}"


def calibration(models: tuple[str, ...] = MODELS) -> pd.DataFrame:
    said = np.linspace(0.02, 0.6, 10)
    parts = [
        pd.DataFrame(
            {"model": m, "bin": range(10), "n": 50, "predicted": said, "observed": said * (1 - 0.05 * i)}
        )
        for i, m in enumerate(models)
    ]
    return pd.concat(parts, ignore_index=True)


def lift(models: tuple[str, ...] = MODELS) -> pd.DataFrame:
    share = np.linspace(0, 1, 21)
    parts = [
        pd.DataFrame({"model": m, "share": share, "captured": share ** (0.5 + 0.07 * i), "lift": 1.0})
        for i, m in enumerate(models)
    ]
    return pd.concat(parts, ignore_index=True)


def texts(svg: str) -> str:
    return " ".join(t for e in ET.fromstring(svg).iter() if (t := (e.text or "").strip()))


@pytest.mark.parametrize(("draw", "table"), [(calibration_chart, calibration), (lift_chart, lift)])
def test_every_model_is_in_the_legend_and_the_picture_is_self_contained(draw: Any, table: Any) -> None:
    svg = to_svg(draw(table()))
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[0].text
    assert root[1].tag == f"{SVG}desc"
    assert len(root[1].text or "") > 60
    words = texts(svg)
    for label in MODEL_LABELS.values():
        assert label in words
    assert "<script" not in svg
    assert not re.findall(r"""(?:href|src)\s*=|url\(["']?http""", svg)
    assert set(re.findall(r"https?://[^\"' ]+", svg)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_the_description_says_the_numbers() -> None:
    assert "winback 32%" in lift_chart(lift()).to_dict()["description"]
    off = calibration(("winback",)).assign(observed=lambda t: t["predicted"] + 0.1)
    assert "winback is 10.0% away" in calibration_chart(off).to_dict()["description"]


def test_a_model_keeps_its_colour_whatever_stands_beside_it() -> None:
    def colour(models: tuple[str, ...]) -> dict[str, str]:
        scale = lift_chart(lift(models)).to_dict()["layer"][1]["encoding"]["color"]["scale"]
        return dict(zip(scale["domain"], scale["range"], strict=True))

    everyone = colour(MODELS)
    assert len(set(everyone.values())) == len(MODELS)
    assert colour(("winback", "bg_nbd")) == {k: everyone[k] for k in ("winback", "BG/NBD")}
    assert list(colour(("zebra", "winback"))) == ["winback", "zebra"]


def test_the_lines_join_points_in_order_whatever_the_order_of_rows() -> None:
    shuffled = lift().sample(frac=1.0, random_state=3)
    assert to_svg(lift_chart(shuffled)) == to_svg(lift_chart(lift()))


@pytest.mark.parametrize(("draw", "table"), [(calibration_chart, calibration), (lift_chart, lift)])
def test_missing_numbers_and_empty_tables_still_draw(draw: Any, table: Any) -> None:
    holes = table(("winback", "bg_nbd"))
    holes.loc[holes.index[:3], holes.columns[-2]] = np.nan
    assert "BG/NBD" in to_svg(draw(holes))
    assert "<svg" in to_svg(draw(table().iloc[:0]))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="no column captured"):
        lift_chart(lift().drop(columns="captured"))


def test_markup_in_a_name_stays_text() -> None:
    svg = to_svg(lift_chart(lift(("winback", "<b>&"))))
    assert "<b>" not in svg
    assert "<b>&" in texts(svg)


def timing(shares: list[float]) -> pd.DataFrame:
    edges = np.linspace(0, 1, len(shares) + 1)
    bins = np.arange(1, len(shares) + 1)
    found = pd.DataFrame({"bin": bins, "low": edges[:-1], "high": edges[1:], "n": 10.0, "share": shares})
    return found.assign(model="winback")


def decay() -> pd.DataFrame:
    days, loss = [0, 30, 60] * 2, [0.17, 0.18, 0.19, 0.17, 0.171, 0.172]
    return pd.DataFrame({"age_days": days, "model": ["frozen"] * 3 + ["fresh"] * 3, "ibs": loss})


def test_timing_says_how_many_purchases_came_at_another_time_than_was_said() -> None:
    even, off = timing([0.25] * 4), timing([0.35, 0.25, 0.25, 0.15])
    assert "0.0% of them" in timing_chart(even).to_dict()["description"]
    assert "10.0% of them" in timing_chart(off).to_dict()["description"]
    others = pd.concat([off, even.assign(model="bg_nbd")])
    assert timing_chart(others).to_dict()["description"] == timing_chart(off).to_dict()["description"]
    assert to_svg(timing_chart(off)).count('aria-roledescription="bar"') == 4


def test_decay_sets_the_frozen_model_beside_the_fresh_one() -> None:
    assert "After 60 days 0.1900 against 0.1720." in decay_chart(decay()).to_dict()["description"]
    words = texts(to_svg(decay_chart(decay())))
    assert "left as it was" in words
    assert "trained anew" in words


def test_nothing_to_draw_still_draws() -> None:
    for chart in (timing_chart(timing([1.0]).iloc[:0]), decay_chart(decay().iloc[:0])):
        assert "No data." in chart.to_dict()["description"]
        assert "<svg" in to_svg(chart)
