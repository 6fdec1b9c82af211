"""An outcome in the reader's words: sentences and tables made from the numbers of ``outcomes.json``.

The one place of these words: the terminal, the report and the page show what is written here, in the language of the texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from winback_serving.web.format import DASH, Formatter
from winback_serving.web.texts import Texts, texts

Found = Mapping[str, Any]
NO_MONEY = ("redeemed", "opened")
"""Numbers per contact that are shares, whatever their kind."""

LEAST_P = 0.001

WORDS = {"rfm_segment": "segment"}
"""Column to the texts of its levels, where they are not under its own name."""


@dataclass(frozen=True, slots=True)
class Told:
    """One readout in words.

    Attributes
    ----------
    title : str
    headline, balance, sent : list of str
        What came out, whether the arms are alike, and what was sent.
    tables : list of dict
        ``name``, ``title``, ``heads`` and ``rows``; the first ``words`` columns are words, the others numbers.
    """

    title: str
    headline: list[str]
    balance: list[str]
    sent: list[str]
    tables: list[dict[str, Any]]

    @property
    def sentences(self) -> list[str]:
        """All of them, in their order."""
        return [*self.headline, *self.balance, *self.sent]

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON-ready object."""
        return {"title": self.title, "sentences": self.sentences, "tables": self.tables}


@dataclass(frozen=True, slots=True)
class Teller:
    """Writes what ``outcomes.json`` holds in one language.

    Attributes
    ----------
    t : Texts
    f : Formatter
    currency : str
        Empty where amounts have no known one.
    """

    t: Texts
    f: Formatter
    currency: str

    @classmethod
    def of(cls, language: str, currency: str) -> Teller:
        """Return the teller of a language tag, such as ``en`` or ``nl``.

        >>> Teller.of("en", "EUR").arm("treatment"), Teller.of("nl", "EUR").metric("bought")
        ('treated', 'Kocht opnieuw')
        """
        return cls(texts(language), Formatter.of(language), currency)

    def lead(self, found: Found) -> list[str]:
        """Say what was looked at, and what is missing."""
        return list(self._lead(found))

    def parts(self, found: Found) -> list[Told]:
        """Tell every readout: the treated against the held out, then each experiment."""
        title, named = self.t("outcomes.treated_title"), found["experiments"].items()
        parts = [self.part(title, found["readout"], found["newcomers"])] if found["readout"] else []
        return parts + [self.part(self.t("outcomes.experiment_title", name=name), one) for name, one in named]

    def part(self, title: str, one: Found, newcomers: Found | None = None) -> Told:
        """Tell one readout.

        Parameters
        ----------
        title : str
        one : mapping
            A readout as in ``outcomes.json``.
        newcomers : mapping, optional
            First basket of those who first bought on the days of entry.
        """
        tables = [
            self.effects(one, once=True),
            self._arms(one, newcomers),
            self._segments(one),
            self._months(one),
        ]
        said = (list(self._headline(one)), list(self._balance(one)), list(self._sent(one)))
        return Told(title, *said, [table for table in tables if table["rows"]])

    def effects(self, one: Found, *, once: bool) -> dict[str, Any]:
        """Return the table of effects.

        Parameters
        ----------
        one : mapping
        once : bool
            Whether the bounds for one reading stand there beside those that decide.
        """
        ways = {"often": True} if one["plan"]["running"] else {"interval": False}
        if once and one["plan"]["running"]:
            ways["once"] = False
        rows = [
            (
                self.metric(c["metric"]),
                self.arm(c["arm"]),
                self.difference(c),
                *(self.bounds(c, running=running) for running in ways.values()),
                self.t.word("verdict", c["verdict"]),
            )
            for c in one["effects"]
        ]
        return self._table("effect", ("measured", "arm", "difference", *ways, "verdict"), rows)

    def stands_out(self, one: Found) -> list[str]:
        """Say in which parts of the base an effect is beyond chance."""
        return [
            self.t(
                "outcomes.stands_out",
                part=self.level(segment["by"], level),
                arm=self.arm(c["arm"]),
                difference=self.difference(c),
                verdict=self.t.word("verdict", c["verdict"]),
                p=self.p(c["p"], alone=False),
            )
            for segment in one["segments"]
            for level, c in segment["levels"]
            if c["verdict"] in ("better", "worse")
        ]

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

    def _arms(self, one: Found, newcomers: Found | None) -> dict[str, Any]:
        rows = [
            (self.metric(m["metric"]), self.arm(m["arm"]), self.f.number(m["contacts"]), self.measured(m))
            for m in one["arms"]
        ]
        if newcomers:
            named = (self.t("outcomes.first_basket"), self.t("outcomes.newcomers"))
            rows.append((*named, self.f.number(newcomers["contacts"]), self.measured(newcomers)))
        return self._table("arms", ("measured", "arm", "contacts", "value"), rows)

    def _segments(self, one: Found) -> dict[str, Any]:
        rows = [
            (
                self.level(segment["by"], level),
                self.arm(c["arm"]),
                self.f.number(c["contacts"] + c["control_contacts"]),
                self.difference(c),
                self.bounds(c, running=one["plan"]["running"]),
                self.p(c["p"]),
            )
            for segment in one["segments"]
            for level, c in segment["levels"]
        ]
        return self._table("parts", ("part", "arm", "contacts", "difference", "interval", "p"), rows)

    def _months(self, one: Found) -> dict[str, Any]:
        rows = [
            (
                self.f.month(date.fromisoformat(f"{m['month']}-01")),
                self.arm(m["arm"]),
                self.f.number(m["contacts"]),
                self.share(m["share"]),
            )
            for m in one["months"]
        ]
        return self._table("months", ("month", "arm", "contacts", "bought_again"), rows)

    def _table(self, name: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> dict[str, Any]:
        title = self.t(f"outcomes.table_{name}")
        named = [self.t(f"outcomes.head_{head}") for head in heads]
        return {"name": name, "title": title, "heads": named, "rows": rows, "words": 2}

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
        yield from self._adjusted(one)

    def _adjusted(self, one: Found) -> Iterator[str]:
        """Say that a difference of money is not that of the two averages, where it is not."""
        measured = [m for m in one["plan"]["metrics"] if m["kind"] == "money" and m["before"]]
        names = dict.fromkeys(self.metric(m["before"]) for m in measured)
        if names:
            yield self.t("outcomes.adjusted", names=", ".join(names))

    def _cost(self, cost: Found) -> str:
        arm = self.arm(cost["arm"])
        if cost["each"] is None:
            return self.t("outcomes.cost_nobody", cost=self.money(cost["cost"]), arm=arm)
        values = {name: self.money(cost[name]) for name in ("each", "low", "high")}
        known = "cost_few" if cost["low"] is None else "cost" if cost["high"] else "cost_open"
        return self.t(f"outcomes.{known}", arm=arm, **values)

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
        yield t(
            "outcomes.sizes" if ratio["passed"] else "outcomes.sizes_wrong",
            p=self.p(ratio["p"], alone=False),
            arms=arms,
        )
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

    def level(self, by: str, level: str) -> str:
        """Return a part of the base.

        >>> Teller.of("en", "").level("rfm_segment", "cant_lose"), Teller.of("en", "").level("by_zip_code", "Rural")
        ("RFM segment: can't lose", 'zip code: Rural')
        """
        column = self.t.word("column", by.removeprefix("by_"))
        kind = WORDS.get(by, by)
        known = kind in self.t.table
        return f"{column}: {self.t.word(kind, level) if known else level.replace('_', ' ')}"

    def p(self, value: float, *, alone: bool = True) -> str:
        """Return a p-value, a small one by its bound; with its sign where a ``p`` stands before it.

        >>> one = Teller.of("en", ""); one.p(0.25), one.p(0.25, alone=False), one.p(1e-9)
        ('0.250', '= 0.250', '< 0.001')
        """
        if value < LEAST_P:
            return f"< {self.f.number(LEAST_P, 3)}"
        return ("" if alone else "= ") + self.f.number(value, 3)

    def share(self, value: float | None) -> str:
        """Return a share, with the digits that small ones need."""
        return self.f.percent(value, 2 if value is not None and abs(value) < 0.1 else 1)

    def money(self, value: float | None) -> str:
        """Return an amount to the cent."""
        if not self.currency:
            return self.f.number(value, 2)
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
