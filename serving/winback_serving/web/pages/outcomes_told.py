"""An outcome in the reader's words: sentences and tables made from the numbers of ``outcomes.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from winback_serving.web.format import DASH, Formatter
from winback_serving.web.texts import Texts

Found = Mapping[str, Any]
NO_MONEY = ("redeemed", "opened")
"""Numbers per contact that are shares, whatever their kind."""


@dataclass(frozen=True, slots=True)
class Told:
    """One readout in words.

    Attributes
    ----------
    title : str
    sentences : list of str
    tables : list of dict
        ``title``, ``heads`` and ``rows``; the first two columns are words, the others numbers.
    """

    title: str
    sentences: list[str]
    tables: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Teller:
    """Writes what ``outcomes.json`` holds in one language.

    Attributes
    ----------
    t : Texts
    f : Formatter
    currency : str
    """

    t: Texts
    f: Formatter
    currency: str

    def lead(self, found: Found) -> list[str]:
        """Say what was looked at, and what is missing."""
        return list(self._lead(found))

    def parts(self, found: Found) -> list[Told]:
        """Tell every readout: the treated against the held out, then each experiment."""
        parts = [(self.t("outcomes.treated_title"), found["readout"])] if found["readout"] else []
        parts += [
            (self.t("outcomes.experiment_title", name=name), one)
            for name, one in found["experiments"].items()
        ]
        return [self._part(title, readout) for title, readout in parts]

    def _lead(self, found: Found) -> Iterator[str]:
        t, f = self.t, self.f
        closed = found["entered"] - found["open"]
        contacts = t.count("contact", closed, f.number(closed))
        days = t.count("day", found["window_days"], f.number(found["window_days"]))
        yield t("outcomes.lead_followed", contacts=contacts, days=days, open=f.number(found["open"]))
        if not found["readout"]:
            if closed:
                yield t("outcomes.lead_no_holdout")
            elif found["first_closes"]:
                yield t("outcomes.lead_first", day=f.iso(found["first_closes"]))
            else:
                yield t("outcomes.lead_nobody")
        for name in ("again", "erased"):
            if found[name]:
                yield t(f"outcomes.lead_{name}", n=f.number(found[name]))
        log = found["log"]
        if log is None:
            yield t("outcomes.lead_no_log")
            return
        yield t("outcomes.lead_log", n=f.number(log["rows"]))
        for name in ("other_arm", "not_entered"):
            if log[name]:
                yield t(f"outcomes.lead_{name}", n=f.number(log[name]))

    def _part(self, title: str, one: Found) -> Told:
        t, running = self.t, one["plan"]["running"]
        effects = [
            (
                self.metric(c["metric"]),
                self.arm(c["arm"]),
                self.difference(c),
                self.bounds(c, running=running),
                self.bounds(c, running=False),
                t.word("verdict", c["verdict"]),
            )
            for c in one["effects"]
        ]
        arms = [
            (self.metric(m["metric"]), self.arm(m["arm"]), self.f.number(m["contacts"]), self.measured(m))
            for m in one["arms"]
        ]
        months = [
            (
                self.f.month(date.fromisoformat(f"{m['month']}-01")),
                self.arm(m["arm"]),
                self.f.number(m["contacts"]),
                self.share(m["share"]),
            )
            for m in one["months"]
        ]
        tables = [
            self._table("effect", ("measured", "arm", "difference", "often", "once", "verdict"), effects),
            self._table("arms", ("measured", "arm", "contacts", "value"), arms),
            self._table("months", ("month", "arm", "contacts", "bought_again"), months),
        ]
        sentences = [*self._headline(one), *self._balance(one), *self._sent(one)]
        return Told(title, sentences, [table for table in tables if table["rows"]])

    def _table(self, name: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> dict[str, Any]:
        title = self.t(f"outcomes.table_{name}")
        return {"title": title, "heads": [self.t(f"outcomes.head_{head}") for head in heads], "rows": rows}

    def _headline(self, one: Found) -> Iterator[str]:
        t, f, control = self.t, self.f, one["plan"]["control"]
        first = one["plan"]["metrics"][0]["name"]
        value = {m["arm"]: m for m in one["arms"] if m["metric"] == first}
        base, name = value[control], self.metric(first)
        yield t(
            "outcomes.base",
            metric=name,
            share=self.share(base["value"]),
            n=f.number(base["contacts"]),
            arm=self.arm(control),
        )
        for c in (c for c in one["effects"] if c["metric"] == first):
            yield t(
                "outcomes.against",
                share=self.share(value[c["arm"]]["value"]),
                n=f.number(c["contacts"]),
                arm=self.arm(c["arm"]),
                difference=self.difference(c),
                between=self.bounds(c, running=one["plan"]["running"]),
                verdict=t.word("verdict", c["verdict"]),
            )
            if c["verdict"] in ("unclear", "too_few") and c["detectable"] is not None:
                yield t("outcomes.detectable", points=f.number(100 * c["detectable"], 1))
        yield from map(self._cost, one["costs"])

    def _cost(self, cost: Found) -> str:
        arm = self.arm(cost["arm"])
        if cost["each"] is None:
            return self.t("outcomes.cost_nobody", cost=self.money(cost["cost"]), arm=arm)
        values = {name: self.money(cost[name]) for name in ("each", "low", "high")}
        return self.t("outcomes.cost" if cost["high"] else "outcomes.cost_open", arm=arm, **values)

    def _balance(self, one: Found) -> Iterator[str]:
        t, f, ratio = self.t, self.f, one["ratio"]
        arms = ", ".join(
            t(
                "outcomes.agreed",
                arm=self.arm(name),
                n=f.number(n),
                expected=f.number(ratio["expected"].get(name, 0)),
            )
            for name, n in ratio["counts"].items()
        )
        p = f.number(ratio["p"], 3) if ratio["p"] >= 0.001 else f"<{f.number(0.001, 3)}"
        yield t("outcomes.sizes" if ratio["passed"] else "outcomes.sizes_wrong", p=p, arms=arms)
        apart = [c for c in one["covariates"] if not c["passed"]]
        if apart:
            names = ", ".join(
                t(
                    "outcomes.apart",
                    metric=self.metric(c["name"]),
                    difference=self.signed(c["difference"]),
                    arm=self.arm(c["arm"]),
                )
                for c in apart
            )
            yield t("outcomes.not_alike", names=names)
        elif one["covariates"]:
            names = ", ".join(dict.fromkeys(self.metric(c["name"]) for c in one["covariates"]))
            yield t("outcomes.alike", names=names)

    def _sent(self, one: Found) -> Iterator[str]:
        t, f, counts, control = self.t, self.f, one["counts"], one["plan"]["control"]
        if not any(found.get("sends") for found in counts.values()):
            return
        first = one["plan"]["metrics"][0]["name"]
        contacts = {m["arm"]: m["contacts"] for m in one["arms"] if m["metric"] == first}
        for name, found in counts.items():
            yield t(
                "outcomes.written_to",
                reached=f.number(found.get("contacted", 0)),
                n=f.number(contacts.get(name, 0)),
                arm=self.arm(name),
                sends=f.number(found.get("sends", 0)),
            )
        leaked = counts.get(control, {}).get("contacted", 0)
        if control == "holdout" and leaked:
            yield t("outcomes.leaked", n=f.number(leaked))

    def metric(self, name: str) -> str:
        """Return what a metric is called."""
        if name.startswith("active_after_"):
            return self.t("outcomes.active_after", days=name.split("_")[2])
        return self.t.word("metric", name.removeprefix("before_"))

    def arm(self, name: str) -> str:
        """Return what an arm is called; a variant by its own name."""
        return self.t.word("arm", name) if name in ("treatment", "holdout") else name

    def share(self, value: float | None) -> str:
        """Return a share, with the digits that small ones need."""
        return self.f.percent(value, 2 if value is not None and abs(value) < 0.1 else 1)

    def money(self, value: float | None) -> str:
        """Return an amount to the cent."""
        return self.f.money(value, self.currency, exact=True)

    def signed(self, value: float | None) -> str:
        """Return a number of two digits with its sign."""
        return DASH if value is None else ("+" if value >= 0 else "") + self.f.number(value, 2)

    def measured(self, m: Found) -> str:
        """Return one number of one arm."""
        if m["kind"] == "share" or m["metric"] in NO_MONEY:
            return self.share(m["value"])
        return self.money(m["value"])

    def difference(self, c: Found) -> str:
        """Return an effect: shares in percentage points."""
        if c["kind"] == "share":
            return self.t("outcomes.points", n=self.signed(None if c["value"] is None else 100 * c["value"]))
        return ("+" if c["value"] >= 0 else "−") + self.money(abs(c["value"]))

    def bounds(self, c: Found, *, running: bool) -> str:
        """Return the bounds that decide: those of any number of readings while it runs."""
        low, high = (c["often_low"], c["often_high"]) if running else (c["low"], c["high"])
        if low is None:
            return DASH
        scale = 100 if c["kind"] == "share" else 1
        return self.t("outcomes.between", low=self.signed(scale * low), high=self.signed(scale * high))
