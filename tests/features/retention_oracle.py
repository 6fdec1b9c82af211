"""Retention recomputed for the tests: plain Python over (contact, purchase day, amount), from the definitions."""

from collections import Counter, defaultdict
from datetime import date, timedelta


def purchases(orders: list[dict], as_of: date) -> dict[str, dict[date, float]]:
    """Contact -> purchase day -> money."""
    found: dict[str, dict[date, float]] = defaultdict(dict)
    for o in orders:
        cancelled = o.get("cancelled_on")
        stands = cancelled is None or cancelled >= as_of
        if o["day"] < as_of and stands and (o["amount"] is None or o["amount"] > 0):
            found[o["contact_id"]][o["day"]] = found[o["contact_id"]].get(o["day"], 0) + float(
                o["amount"] or 0
            )
    return dict(found)


def survival(waits: list[tuple[int, bool]], by: int) -> float:
    """Product-limit share that has come by a day, day by day."""
    share = 1.0
    for day in range(1, by + 1):
        watched = [w for w in waits if w[0] >= day]
        came = sum(1 for w in watched if w == (day, True))
        if watched:
            share *= 1 - came / len(watched)
    return 1 - share


def first_waits(
    bought: dict[str, dict[date, float]], as_of: date, number: int = 1
) -> dict[str, tuple[int, bool]]:
    """Contact -> (days to the purchase day after that number, True), or (days watched since, False)."""
    waits = {}
    for contact, days in bought.items():
        order = sorted(days)
        if len(order) > number:
            waits[contact] = ((order[number] - order[number - 1]).days, True)
        elif len(order) == number:
            waits[contact] = ((as_of - timedelta(days=1) - order[-1]).days, False)
    return waits


def months(first: str, as_of: date) -> list[str]:
    year, month = map(int, first.split("-"))
    listed = []
    while date(year, month, 1) < as_of:
        listed.append(f"{year:04}-{month:02}")
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return listed


def oracle_cohorts(bought: dict[str, dict[date, float]], as_of: date) -> dict[str, list[tuple[int, float]]]:
    """Cohort -> (active, revenue) for each month since."""
    grid: dict[str, list[tuple[int, float]]] = {}
    for cohort in sorted({f"{min(days):%Y-%m}" for days in bought.values()}):
        members = [days for days in bought.values() if f"{min(days):%Y-%m}" == cohort]
        grid[cohort] = []
        for month in months(cohort, as_of):
            money = [m for days in members for day, m in days.items() if f"{day:%Y-%m}" == month]
            active = sum(any(f"{day:%Y-%m}" == month for day in days) for days in members)
            grid[cohort].append((active, round(sum(money), 2)))
    return grid


def oracle_lifecycle(
    bought: dict[str, dict[date, float]], as_of: date, horizon: int
) -> dict[str, dict[str, int]]:
    """Month -> new, returning, resurrecting, dormant, and active by looking at the last mornings."""
    if not bought:
        return {}
    counts: dict[str, Counter] = defaultdict(Counter)
    for days in bought.values():
        order = sorted(days)
        seen = set()
        for k, day in enumerate(order):
            month = f"{day:%Y-%m}"
            late = k > 0 and (day - order[k - 1]).days > horizon
            if k == 0:
                counts[month]["new"] += 1
            elif late:
                counts[month]["resurrecting"] += 1
            elif month not in seen:
                counts[month]["returning"] += 1
            seen.add(month)
            end = day + timedelta(days=horizon)
            silent = all(not day < other <= end for other in order)
            if silent and end < as_of:
                counts[f"{end:%Y-%m}"]["dormant"] += 1
    for month in (listed := months(min(counts), as_of)):
        year, number = map(int, month.split("-"))
        after = date(year + number // 12, number % 12 + 1, 1)
        morning = min(after, as_of)
        counts[month]["active"] = sum(
            any(1 <= (morning - day).days <= horizon for day in days) for days in bought.values()
        )
    names = ("new", "returning", "resurrecting", "dormant", "active")
    return {month: {name: counts[month][name] for name in names} for month in listed}
