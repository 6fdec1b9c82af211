"""What a contact bought last and buys most, against plain Python over the same lines."""

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest
from feature_shop import Shop, order, random_shop, rows_of

CUT = date(2024, 5, 1)


def ago(days: int) -> date:
    return CUT - timedelta(days=days)


def tastes(engine, shop: Shop) -> dict[str, tuple]:
    rows = rows_of(engine.status(shop, CUT))
    return {c: (row["last_product"], row["top_interest"]) for c, row in rows.items()}


def basket(contact: str, days: int, *lines: tuple) -> tuple[dict, list[dict]]:
    """Return an order and its lines, each (category, product, amount)."""
    amounts = [amount for *_, amount in lines if amount is not None]
    total = sum(amounts) if amounts else None
    bought = order(contact, ago(days), total)
    keys = {n: bought[n] for n in ("contact_id", "order_id", "day")}
    return bought, [
        {
            **keys,
            "category": category,
            "product_id": product,
            "amount": None if amount is None else Decimal(amount).quantize(Decimal("0.0001")),
        }
        for category, product, amount in lines
    ]


def shop_of(*baskets: tuple[dict, list[dict]], **more) -> Shop:
    return Shop(orders=[o for o, _ in baskets], lines=[row for _, rows in baskets for row in rows], **more)


def test_the_dearest_product_of_the_last_day_and_the_category_of_most_days(shop_engine):
    shop = shop_of(
        basket("a", 30, ("GARDEN", "rake", 90)),
        basket("a", 20, ("BOOKS", "atlas", 10), ("BOOKS", "novel", 10)),
        basket("a", 9, ("BOOKS", "novel", 5), ("GARDEN", "seeds", 8)),
        basket("tie", 9, ("WINE", "red", 5), ("BEER", "pils", 5)),
        basket("unknown", 9, (None, None, 5)),
        basket("no product", 9, ("BOOKS", None, 5)),
        basket("no money", 9, ("BOOKS", "gift", None)),
    )
    assert tastes(shop_engine, shop) == {
        "a": ("seeds", "GARDEN"),  # two days each; more money in the garden
        "tie": ("pils", "BEER"),
        "unknown": (None, None),
        "no product": (None, "BOOKS"),
        "no money": ("gift", "BOOKS"),
    }


def test_only_what_was_bought_before_the_cut_counts(shop_engine):
    kept, later = basket("a", 9, ("BOOKS", "novel", 5)), basket("a", 0, ("WINE", "red", 50))
    returned = basket("a", 3, ("SHOES", "boots", 70))
    returned[0]["cancelled_on"] = ago(1)
    assert tastes(shop_engine, shop_of(kept, later, returned)) == {"a": ("novel", "BOOKS")}


@pytest.mark.parametrize("withdrawn", ["objected_profiling_at", "erased_at"])
def test_nothing_is_said_of_who_withdrew(shop_engine, withdrawn):
    contacts = [{"contact_id": "a", withdrawn: datetime.combine(ago(1), time())}]
    assert tastes(shop_engine, shop_of(basket("a", 9, ("BOOKS", "novel", 5)), contacts=contacts)) == {
        "a": (None, None)
    }


@pytest.mark.parametrize("seed", range(3))
def test_against_plain_python(shop_engine, seed):
    shop = random_shop(seed)
    bought = {
        (o["contact_id"], o["order_id"], o["day"])
        for o in shop.orders
        if o["day"] < CUT
        and (o["amount"] is None or o["amount"] > 0)
        and not (o.get("cancelled_on") and o["cancelled_on"] < CUT)
    }
    last = defaultdict(lambda: date.min)
    for contact, _, day in bought:
        last[contact] = max(last[contact], day)
    products, days, money = defaultdict(int), defaultdict(set), defaultdict(int)
    for row in shop.lines:
        contact, day, amount = row["contact_id"], row["day"], row["amount"] or 0
        if (contact, row["order_id"], day) not in bought:
            continue
        if day == last[contact] and row.get("product_id") is not None:
            products[contact, row["product_id"]] += amount
        if row["category"] is not None:
            days[contact, row["category"]].add(day)
            money[contact, row["category"]] += amount
    withdrawn = {
        c["contact_id"]
        for c in shop.contacts
        if any(at and at.date() < CUT for at in (c.get("erased_at"), c.get("objected_profiling_at")))
    }
    for contact, found in tastes(shop_engine, shop).items():
        mine = [(-m, p) for (c, p), m in products.items() if c == contact]
        liked = [(-len(d), -money[k], k[1]) for k, d in days.items() if k[0] == contact]
        expected = (min(mine)[1] if mine else None, min(liked)[2] if liked else None)
        assert found == ((None, None) if contact in withdrawn else expected), contact
