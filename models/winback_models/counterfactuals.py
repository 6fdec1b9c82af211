"""Counterfactuals: whether a fact holds for a contact, and its features as they would be if only that were otherwise.

Each pair is coherent: silence and age, nested windows, gaps and counts, totals and means move together. A column that the
features do not have is left out; what is unknown holds for nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from winback_models.btyd import Array

Mask = npt.NDArray[np.bool_]

COUNT_WINDOWS = (7, 14, 30, 60, 90, 180, 365)
SPEND_WINDOWS = (30, 90, 180, 365)
ACTIVE_WINDOWS = (30, 90)
LAST_PURCHASES = r"days_since_last_(\d+)_purchases"
ESTABLISHED_GAPS = 5
"""A contact with so many gaps is no longer new."""

SMALL_ORDER = 0.75
"""A purchase day that brings less than this share of the mean of the others is small."""

VISIT_DAYS = 7
"""A contact that visited so many days ago has not stayed away."""

PACE_DAYS = 90
"""The days over which the pace of buying is compared with as many before."""


def column(features: pd.DataFrame, name: str) -> Array:
    """Return a feature as doubles; nan where it is unknown, or throughout where the column is absent."""
    if name not in features.columns:
        return np.full(len(features), np.nan)
    return np.asarray(features[name].to_numpy(np.float64, na_value=np.nan))


def changed(features: pd.DataFrame, **values: Array | float) -> pd.DataFrame:
    """Return the features with other values in the columns they have."""
    return features.assign(**{name: value for name, value in values.items() if name in features.columns})


def _usual_silence(f: pd.DataFrame) -> Array:
    """Return half the contact's mean gap, at least a day: how long a purchase lies back on an ordinary day."""
    return np.maximum(np.floor(column(f, "gap_mean") / 2.0), 1.0)


def is_silent(f: pd.DataFrame) -> Mask:
    """Say whether the last purchase is longer ago than half a mean gap."""
    return np.asarray(column(f, "days_since_purchase") > _usual_silence(f))


def not_silent(f: pd.DataFrame) -> pd.DataFrame:
    """Move the whole purchase history forward, until the last purchase is half a mean gap ago."""
    silence, usual = column(f, "days_since_purchase"), _usual_silence(f)
    shift = silence - usual
    counts = _shifted(f, "purchase_days", COUNT_WINDOWS, "purchase_days", shift)
    counts = {d: np.where(usual <= d, np.maximum(np.floor(n), 1.0), 0.0) for d, n in counts.items()}
    spend = _shifted(f, "spend", SPEND_WINDOWS, "spend_total", shift)
    f = changed(
        f,
        days_since_purchase=usual,
        T_days=column(f, "T_days") - shift,
        closed_days_in_silence=np.minimum(column(f, "closed_days_in_silence"), usual - 1.0),
        **{
            name: column(f, name) * usual / silence
            for name in ("silence_over_gap_mean", "silence_over_gap_median", "silence_over_gap_max")
        },
        **{f"purchase_days_{d}d": count for d, count in counts.items()},
        **{f"spend_{d}d": np.where(usual <= d, money, 0.0) for d, money in spend.items()},
        **{name: column(f, name) * np.exp(shift / d) for name, d in _numbered(f, r".*_decayed_(\d+)d")},
        **{name: column(f, name) - shift for name, _ in _numbered(f, LAST_PURCHASES)},
    )
    return _active(f, usual, {d: counts.get(d, (usual <= d).astype(np.float64)) for d in ACTIVE_WINDOWS})


def _slowed(f: pd.DataFrame) -> tuple[Array, Array]:
    """Return the purchase days of the 90 days before the last 90, and how many fewer there were since than at that pace.

    The silence is left out of the comparison: it is a fact of its own.
    """
    recent = column(f, f"purchase_days_{PACE_DAYS}d")
    before = column(f, f"purchase_days_{2 * PACE_DAYS}d") - recent
    bought_in = np.maximum(PACE_DAYS - column(f, "days_since_purchase"), 0.0)
    return before, np.round(before * bought_in / PACE_DAYS) - recent


def buys_less(f: pd.DataFrame) -> Mask:
    """Say whether at least one purchase day is missing against the former pace."""
    before, lost = _slowed(f)
    return np.asarray((before >= 2) & (lost >= 1) & (column(f, "frequency") >= 1))


def at_its_former_pace(f: pd.DataFrame) -> pd.DataFrame:
    """Add the purchase days that the former pace would have brought between the last one and 90 days ago."""
    before, lost = _slowed(f)
    silence, value = column(f, "days_since_purchase"), np.nan_to_num(column(f, "order_value_mean"))
    step = (PACE_DAYS - silence) / lost

    def since(days: int) -> Array:
        share = np.clip((days - silence) / (PACE_DAYS - silence), 0.0, 1.0)
        return np.asarray(np.floor(lost * share))

    def faded(days: int) -> Array:
        both = np.exp(-silence / days) - np.exp(-PACE_DAYS / days)
        return np.asarray(lost * days * both / (PACE_DAYS - silence))

    def nth(name: str, n: int) -> Array:
        old, age = column(f, name), column(f, "T_days")
        earlier = np.where(np.isnan(old) & (n <= column(f, "purchase_days") + lost), age, old)
        return np.where(n - 1 <= lost, np.fmin(old, silence + (n - 1) * step), earlier)

    frequency = column(f, "frequency")
    shorter = frequency / (frequency + lost)
    pace = PACE_DAYS / before
    added = {d: since(d) for d in COUNT_WINDOWS}
    counts = {f"purchase_days_{d}d": column(f, f"purchase_days_{d}d") + added[d] for d in COUNT_WINDOWS}
    f = changed(
        f,
        frequency=frequency + lost,
        purchase_days=column(f, "purchase_days") + lost,
        orders=column(f, "orders") + lost,
        gap_mean=column(f, "gap_mean") * shorter,
        gap_median=column(f, "gap_median") * shorter,
        gap_log_mean=column(f, "gap_log_mean") + np.log(shorter),
        gap_last=np.minimum(column(f, "gap_last"), pace),
        gap_trend=np.minimum(column(f, "gap_trend"), 1.0),
        silence_over_gap_mean=column(f, "silence_over_gap_mean") / shorter,
        silence_over_gap_median=column(f, "silence_over_gap_median") / shorter,
        spend_total=column(f, "spend_total") + lost * value,
        **counts,
        **{f"spend_{d}d": column(f, f"spend_{d}d") + since(d) * value for d in SPEND_WINDOWS},
        **_with_faded(f, faded, value),
        **{name: nth(name, n) for name, n in _numbered(f, LAST_PURCHASES)},
    )
    return _active(f, silence, {d: counts[f"purchase_days_{d}d"] for d in ACTIVE_WINDOWS})


def is_new(f: pd.DataFrame) -> Mask:
    """Say whether the contact has gaps, but few."""
    frequency = column(f, "frequency")
    return np.asarray((frequency >= 1) & (frequency < ESTABLISHED_GAPS) & (column(f, "gap_mean") > 0))


def established(f: pd.DataFrame) -> pd.DataFrame:
    """Let the history begin earlier, at the same mean gap, until it has as many gaps as an established contact's."""
    frequency, gap = column(f, "frequency"), column(f, "gap_mean")
    more, age = ESTABLISHED_GAPS - frequency, column(f, "T_days")
    value = np.nan_to_num(column(f, "order_value_mean"))

    def before(days: int) -> Array:
        return np.asarray(np.clip(np.floor((days - age) / gap), 0.0, more))

    def faded(days: int) -> Array:
        each = [np.exp(-(age + k * gap) / days) * (k <= more) for k in range(1, ESTABLISHED_GAPS)]
        return np.asarray(sum(each))

    def nth(n: int) -> Array:
        missing = n - column(f, "purchase_days")
        return np.where(missing <= more, age + missing * gap, np.nan)

    def known(name: str, otherwise: Array | float) -> Array:
        return np.where(np.isnan(column(f, name)), otherwise, column(f, name))

    return changed(
        f,
        frequency=frequency + more,
        recency_days=column(f, "recency_days") + more * gap,
        T_days=age + more * gap,
        tenure_days=np.fmax(column(f, "tenure_days"), age + more * gap),
        purchase_days=column(f, "purchase_days") + more,
        orders=column(f, "orders") + more,
        gap_sd=known("gap_sd", gap),
        gap_trend=known("gap_trend", 1.0),
        regularity_k=known("regularity_k", 1.0),
        spend_total=column(f, "spend_total") + more * value,
        **{f"purchase_days_{d}d": column(f, f"purchase_days_{d}d") + before(d) for d in COUNT_WINDOWS},
        **{f"spend_{d}d": column(f, f"spend_{d}d") + before(d) * value for d in SPEND_WINDOWS},
        **_with_faded(f, faded, value),
        **{name: known(name, nth(n)) for name, n in _numbered(f, LAST_PURCHASES)},
    )


def _usual_order(f: pd.DataFrame) -> Array:
    """Return the mean spend per purchase day before the last one."""
    days = column(f, "purchase_days")
    before = column(f, "order_value_mean") * days - column(f, "order_value_last")
    return np.asarray(np.divide(before, days - 1.0, out=np.full(len(f), np.nan), where=days >= 2))


def spent_little(f: pd.DataFrame) -> Mask:
    """Say whether the last purchase day brought much less than the others."""
    return np.asarray(column(f, "order_value_last") < SMALL_ORDER * _usual_order(f))


def spent_as_usual(f: pd.DataFrame) -> pd.DataFrame:
    """Let the last purchase day bring what the others did on average."""
    usual, silence = _usual_order(f), column(f, "days_since_purchase")
    more = usual - column(f, "order_value_last")
    repeats = np.maximum(column(f, "frequency"), 1.0)
    return changed(
        f,
        order_value_last=usual,
        order_value_mean=usual,
        monetary_value=column(f, "monetary_value") + more / repeats,
        spend_total=column(f, "spend_total") + more,
        **{f"spend_{d}d": column(f, f"spend_{d}d") + more * (silence <= d) for d in SPEND_WINDOWS},
        **{
            name: column(f, name) + more * np.exp(-silence / d)
            for name, d in _numbered(f, r"spend_decayed_(\d+)d")
        },
    )


def sent_back(f: pd.DataFrame) -> Mask:
    """Say whether there were returns."""
    return np.asarray(column(f, "returns") > 0)


def kept_all(f: pd.DataFrame) -> pd.DataFrame:
    """Take the returns away."""
    return changed(f, returns=0.0, return_share=0.0, return_amount_share=0.0)


def stayed_away(f: pd.DataFrame) -> Mask:
    """Say whether the last visit is more than a week ago."""
    return np.asarray(column(f, "days_since_visit") > VISIT_DAYS)


def visited(f: pd.DataFrame) -> pd.DataFrame:
    """Add one visit a week ago."""
    days = column(f, "days_since_visit")
    month = column(f, "visit_days_30d") + 1.0
    quarter = column(f, "visit_days_90d") + 1.0
    f = changed(
        f,
        days_since_visit=np.minimum(days, VISIT_DAYS),
        visit_days_30d=month,
        visit_days_90d=quarter,
        visit_trend=_trend(month, quarter),
    )
    return _active(f, np.full(len(f), float(VISIT_DAYS)), {30: month, 90: quarter})


def called_service(f: pd.DataFrame) -> Mask:
    """Say whether there was a service contact."""
    return np.asarray(column(f, "days_since_service_contact") >= 0)


def never_called(f: pd.DataFrame) -> pd.DataFrame:
    """Take the service contacts away; their days stay days of activity."""
    return changed(f, service_contacts_90d=0.0, days_since_service_contact=np.nan)


def ignores(f: pd.DataFrame, channel: str) -> Mask:
    """Say whether the channel's last send went unanswered."""
    ignored, sent = column(f, f"{channel}_ignored_in_a_row"), column(f, f"{channel}_days_since_send")
    return np.asarray((ignored >= 1) & (sent >= 0))


def answered(f: pd.DataFrame, channel: str) -> pd.DataFrame:
    """Let the channel's last send have been answered on its day."""
    days = column(f, f"{channel}_days_since_send")
    once = {d: (days <= d).astype(np.float64) for d in ACTIVE_WINDOWS}
    clicks = {f"{channel}_clicks_{d}d": column(f, f"{channel}_clicks_{d}d") + once[d] for d in ACTIVE_WINDOWS}
    click: dict[str, Array | float] = {
        f"{channel}_ignored_in_a_row": 0.0,
        f"{channel}_days_since_click": days,
    }
    f = changed(f, **click, **clicks)
    return _active(f, days, once)


def _active(f: pd.DataFrame, days_ago: Array, at_least: Mapping[int, Array]) -> pd.DataFrame:
    """Let the contact have been active ``days_ago``, and on at least so many days in each window."""
    active = {d: np.fmax(column(f, f"active_days_{d}d"), at_least[d]) for d in ACTIVE_WINDOWS}
    return changed(
        f,
        days_since_activity=np.fmin(column(f, "days_since_activity"), days_ago),
        activity_trend=_trend(active[30], active[90]),
        **{f"active_days_{d}d": active[d] for d in ACTIVE_WINDOWS},
    )


def _trend(month: Array, quarter: Array) -> Array:
    """Return days per day, last 30 / last 90; nan without any in 90."""
    return np.asarray(np.divide(3.0 * month, quarter, out=np.full(len(month), np.nan), where=quarter > 0))


def _numbered(f: pd.DataFrame, pattern: str) -> list[tuple[str, int]]:
    """Return the columns of that name, each with the number in it."""
    found = [(name, re.fullmatch(pattern, name)) for name in f.columns]
    return [(name, int(match[1])) for name, match in found if match]


def _with_faded(f: pd.DataFrame, faded: Callable[[int], Array], value: Array) -> dict[str, Array]:
    """Return the faded sums with more purchase days in them; ``faded`` gives how many, faded over so many days."""
    counts = _numbered(f, r"purchase_days_decayed_(\d+)d")
    spend = _numbered(f, r"spend_decayed_(\d+)d")
    return {name: column(f, name) + faded(d) for name, d in counts} | {
        name: column(f, name) + faded(d) * value for name, d in spend
    }


def _shifted(
    f: pd.DataFrame, stem: str, windows: Sequence[int], total: str, shift: Array
) -> dict[int, Array]:
    """Return trailing sums as they are when all facts come ``shift`` days later, by interpolation between the windows."""
    known = [w for w in windows if f"{stem}_{w}d" in f.columns]
    if not known or total not in f.columns:
        return {}
    age = np.maximum(column(f, "T_days"), known[-1] + 1.0)
    knots = np.column_stack([np.zeros(len(f)), *(np.full(len(f), float(w)) for w in known), age])
    sums = np.column_stack([np.zeros(len(f)), *(column(f, f"{stem}_{w}d") for w in known), column(f, total)])
    return {w: _interpolated(w + shift, knots, sums) for w in known}


def _interpolated(at: Array, knots: Array, values: Array) -> Array:
    """Interpolate each row's ``values`` over its rising ``knots``, flat beyond the last; all but ``at`` are (n, m)."""
    row = np.arange(len(at))
    k = np.clip((knots <= at[:, None]).sum(axis=1), 1, knots.shape[1] - 1)
    low, high = knots[row, k - 1], knots[row, k]
    share = np.clip((at - low) / (high - low), 0.0, 1.0)
    return np.asarray(values[row, k - 1] + share * (values[row, k] - values[row, k - 1]))
