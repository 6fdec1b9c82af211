"""An independent oracle: every feature once more, from its description, in plain Python, one by one."""

from __future__ import annotations

import math
import statistics
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from feature_shop import CLOSED

CHANNELS = ("email", "sms", "push", "direct_mail")


def oracle_features(shop, as_of: date) -> dict[str, dict]:
    """Return contact -> feature -> value, ``None`` for null."""
    start = datetime.combine(as_of, time())
    by_contact: dict[str, dict[str, list]] = {}
    for kind in ("orders", "lines", "events", "contacts"):
        for row in getattr(shop, kind):
            bucket = by_contact.setdefault(
                row["contact_id"], {k: [] for k in ("orders", "lines", "events", "contacts")}
            )
            bucket[kind].append(row)
    result = {}
    for contact, facts in by_contact.items():
        orders = [o for o in facts["orders"] if o["ordered_at"] < start]
        lines = [line for line in facts["lines"] if line["day"] < as_of]
        events = [e for e in facts["events"] if e["occurred_at"] < start]
        profiles = [c for c in facts["contacts"] if c.get("created_at") is None or c["created_at"] < start]
        withdrawn = any(
            c.get(k) is not None and c[k] < start
            for c in facts["contacts"]
            for k in ("erased_at", "objected_profiling_at")
        )
        if withdrawn or not (orders or events or profiles):
            continue
        row = _purchases(orders, lines, as_of)
        row |= _engagement(orders, events, as_of)
        moments = [o["ordered_at"] for o in orders] + [e["occurred_at"] for e in events]
        moments += [c["created_at"] for c in profiles if c.get("created_at") is not None]
        row["tenure_days"] = (as_of - min(moments).date()).days if moments else None
        row["acquisition_source"] = profiles[0].get("acquisition_source") if profiles else None
        result[contact] = row
    return result


def _is_purchase(o, as_of):
    cancelled = o.get("cancelled_on") is not None and o["cancelled_on"] < as_of
    return not cancelled and (o["amount"] is None or o["amount"] > 0)


def _share(rows, column, yes):
    known = [r[column] for r in rows if r.get(column) is not None]
    return sum(1 for v in known if yes(v)) / len(known) if known else None


def _fading(days, spend, as_of):
    f = {}
    for n in (2, 3, 5, 10):
        f[f"days_since_last_{n}_purchases"] = (as_of - days[-n]).days if len(days) >= n else None
    for w in (7, 30, 90, 365):
        f[f"purchase_days_decayed_{w}d"] = sum(math.exp(-(as_of - d).days / w) for d in days)
    for w in (30, 180):
        faded = (math.exp(-(as_of - d).days / w) * float(spend[d] or 0) for d in days)
        f[f"spend_decayed_{w}d"] = sum(faded)
    return f


def _purchases(orders, lines, as_of):
    f = {}
    bought = [o for o in orders if _is_purchase(o, as_of)]
    days = sorted({o["ordered_at"].date() for o in bought})
    spend = {}
    for day in days:
        known = [o["amount"] for o in bought if o["day"] == day and o["amount"] is not None]
        spend[day] = sum(known) if known else None
    gaps = [(b - a).days for a, b in pairwise(days)]
    silence = (as_of - days[-1]).days if days else None
    f["purchase_days"] = len(days)
    f["frequency"] = len(days) - 1 if days else None
    f["recency_days"] = (days[-1] - days[0]).days if days else None
    f["T_days"] = (as_of - days[0]).days if days else None
    f["days_since_purchase"] = silence
    f["closed_days_in_silence"] = None
    if days:
        silent = [days[-1] + timedelta(n) for n in range(1, silence)]
        f["closed_days_in_silence"] = sum(any(a <= d < b for a, b in CLOSED) for d in silent)
    f["gap_mean"] = statistics.mean(gaps) if gaps else None
    f["gap_median"] = statistics.median(gaps) if gaps else None
    f["gap_sd"] = statistics.stdev(gaps) if len(gaps) > 1 else None
    f["gap_max"] = max(gaps, default=None)
    f["gap_last"] = gaps[-1] if gaps else None
    f["gap_trend"] = gaps[-1] / statistics.mean(gaps[:-1]) if len(gaps) > 1 else None
    f["gap_log_mean"] = statistics.fmean(math.log(g) for g in gaps) if gaps else None
    f["gap_log_sd"] = statistics.pstdev([math.log(g) for g in gaps]) if gaps else None
    for name in ("mean", "median", "max"):
        f[f"silence_over_gap_{name}"] = silence / f[f"gap_{name}"] if gaps else None
    f["regularity_k"] = None
    if len(gaps) > 1:
        mixes = [a / (a + b) for a, b in pairwise(gaps)]
        v = (sum((m - 0.5) ** 2 for m in mixes) + 4 / 12) / (len(mixes) + 4)
        f["regularity_k"] = (1 - 4 * v) / (8 * v)
    for w in (7, 14, 30, 60, 90, 180, 365):
        f[f"purchase_days_{w}d"] = sum(1 for d in days if (as_of - d).days <= w)
    f |= _fading(days, spend, as_of)
    for w in (30, 90, 180, 365):
        f[f"spend_{w}d"] = sum(spend[d] or 0 for d in days if (as_of - d).days <= w)
    f["spend_total"] = sum(spend[d] or 0 for d in days)
    known = [spend[d] for d in days if spend[d] is not None]
    later = [spend[d] for d in days[1:] if spend[d] is not None]
    f["monetary_value"] = sum(later) / len(later) if later else None
    f["order_value_mean"] = sum(known) / len(known) if known else None
    f["order_value_last"] = spend[days[-1]] if days else None
    f["orders"] = len(bought)
    f["zero_orders"] = sum(1 for o in orders if o["amount"] == 0)
    cancelled = [
        o["amount"] for o in orders if o.get("cancelled_on") is not None and o["cancelled_on"] < as_of
    ]
    returned = [-o["amount"] for o in orders if o["amount"] is not None and o["amount"] < 0]
    for amount in cancelled:
        returned.remove(amount)
    f["returns"] = len(returned)
    f["return_share"] = len(returned) / (len(returned) + len(bought)) if returned or bought else None
    money = f["spend_total"] + sum(returned)
    f["return_amount_share"] = sum(returned) / money if money else None
    f["first_order_silence_days"] = silence if len(days) == 1 else None
    purchased = {o["order_id"] for o in bought}
    named = [line for line in lines if line["order_id"] in purchased and line.get("category") is not None]
    f["category_breadth"] = len({line["category"] for line in named})
    totals = {}
    for line in named:
        if line["day"] == days[-1]:
            totals[line["category"]] = totals.get(line["category"], 0) + (line["amount"] or 0)
    f["last_category"] = min(totals, key=lambda c: (-totals[c], c.encode()), default=None)
    turn = 2 * math.pi * (as_of - date(as_of.year, 1, 1)).days / 365.25
    f["season_sin"], f["season_cos"] = math.sin(turn), math.cos(turn)
    f["purchase_days_same_season_last_year"] = sum(1 for d in days if 335 < (as_of - d).days <= 365)
    f["discount_share"] = _share(bought, "discount", lambda v: v > 0)
    f["coupon_share"] = _share(bought, "coupon", bool)
    f["gift_share"] = _share(bought, "is_gift", bool)
    return f


def _engagement(orders, events, as_of):
    f = {}

    def ago(rows):
        return [(as_of - r["occurred_at"].date()).days for r in rows]

    def within(rows, days):
        return sum(1 for a in ago(rows) if a <= days)

    def days_within(rows, days):
        return len({a for a in ago(rows) if a <= days})

    def since(rows):
        return min(ago(rows), default=None)

    def per_day_trend(last_30, last_90):
        return (last_30 / 30) / (last_90 / 90) if last_90 else None

    people = [e for e in events if not e["machine"]]
    for channel in CHANNELS:
        sends = [e for e in events if e["role"] == "send" and e["channel"] == channel]
        clicks = [e for e in people if e["role"] == "click" and e["channel"] == channel]
        ignored = 0
        for send in sorted(sends, key=lambda e: e["occurred_at"], reverse=True):
            if any(c["occurred_at"] >= send["occurred_at"] for c in clicks):
                break
            ignored += 1
        f[f"{channel}_sends_30d"] = within(sends, 30)
        f[f"{channel}_sends_90d"] = within(sends, 90)
        f[f"{channel}_ignored_in_a_row"] = ignored
        f[f"{channel}_clicks_30d"] = within(clicks, 30)
        f[f"{channel}_clicks_90d"] = within(clicks, 90)
        f[f"{channel}_days_since_send"] = since(sends)
        f[f"{channel}_days_since_click"] = since(clicks)

    def of(*kinds):
        return [e for e in people if e["kind"] in kinds]

    opens = of("email_open")
    visits = of("site_visit", "app_visit", "product_view", "cart_add", "checkout_start")
    carts = of("cart_add", "checkout_start")
    f["email_opens_90d_unreliable"] = within(opens, 90)
    f["email_days_since_open_unreliable"] = since(opens)
    f["visit_days_30d"] = days_within(visits, 30)
    f["visit_days_90d"] = days_within(visits, 90)
    f["days_since_visit"] = since(visits)
    f["visit_trend"] = per_day_trend(f["visit_days_30d"], f["visit_days_90d"])
    f["carts_30d"] = within(carts, 30)
    f["days_since_cart"] = since(carts)
    f["service_contacts_90d"] = within(of("service_contact"), 90)
    f["days_since_service_contact"] = since(of("service_contact"))
    f |= _loyalty(events, as_of)
    f["answers_365d"] = within(of("preference_answer", "survey_answer"), 365)
    incentives = [e for e in events if e["kind"] == "incentive_sent"]
    f["incentives_180d"] = within(incentives, 180)
    f["days_since_incentive"] = since(incentives)
    f["other_events_90d"] = within(of("other"), 90)
    clicked = of("email_click", "sms_click", "push_open", "coupon_redeemed")
    answers = of("service_contact", "preference_answer", "survey_answer", "other")
    active = set(ago(clicked + visits + answers))
    active |= {(as_of - o["day"]).days for o in orders if _is_purchase(o, as_of)}
    f["active_days_30d"] = sum(1 for a in active if a <= 30)
    f["active_days_90d"] = sum(1 for a in active if a <= 90)
    f["days_since_activity"] = min(active, default=None)
    f["activity_trend"] = per_day_trend(f["active_days_30d"], f["active_days_90d"])
    return f


def _loyalty(events, as_of):
    balances = {}
    for e in events:
        if e["kind"] == "loyalty_points" and e["value"] is not None:
            balances[e["occurred_at"]] = max(e["value"], balances.get(e["occurred_at"], e["value"]))
    balance, earlier, changed = None, None, None
    for moment in sorted(balances):
        ago = (as_of - moment.date()).days
        if balance is None or balances[moment] != balance:
            changed = ago
        balance = balances[moment]
        if ago > 90:
            earlier = balance
    change = balance - earlier if earlier is not None else None
    return {"loyalty_balance": balance, "loyalty_change_90d": change, "days_since_loyalty_change": changed}


def oracle_labels(shop, as_of: date, horizon_days: int) -> dict[str, int]:
    """Return contact -> days to the first purchase in the window."""
    end = date.fromordinal(as_of.toordinal() + horizon_days)
    labels: dict[str, int] = {}
    for o in shop.orders:
        if as_of <= o["day"] < end and _is_purchase(o, end):
            days = (o["day"] - as_of).days
            labels[o["contact_id"]] = min(days, labels.get(o["contact_id"], days))
    return labels
