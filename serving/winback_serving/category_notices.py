"""What to say of the categories that have a rhythm of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from winback_features.category_gaps import Lengths, slow_categories
from winback_features.tables import Tables
from winback_serving.toml_section import did_you_mean
from winback_serving.wording import count

SHOWN = 5
"""Categories named at most in one notice, and notices of one kind."""


def unknown_categories(tables: Tables, told: Iterable[str]) -> list[str]:
    """Return those of ``told`` that no line has, in order."""
    names = sorted(told)
    if not names:
        return []
    lines = tables.lines.filter(tables.lines.category.isin(names)).select("category").distinct()
    return sorted(set(names) - set(lines.to_pyarrow().column("category").to_pylist()))


def category_notices(
    lengths: Lengths, told: Mapping[str, float], unknown: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return what should be known of the categories' rhythms; empty when there is nothing.

    Parameters
    ----------
    lengths : mapping
        As `winback_features.category_gaps.count_category_gaps` counts them.
    told : mapping
        What ``[score.category_gap_days]`` says already.
    unknown : iterable of str
        Names in ``told`` that no line has.

    Examples
    --------
    >>> lengths = {"bread": {7: 900, 14: 100}, "beds": {400: 150}}
    >>> category_notices(lengths, {})  # doctest: +ELLIPSIS
    ('Who began with beds and came back took 400 days in the median (150 contacts)...',)
    >>> category_notices(lengths, {"beds": 2900.0, "breed": 7.0}, ["breed"])
    ("No order line has the category 'breed' of [score.category_gap_days]. Did you mean bread?",)
    """
    often = sorted(lengths, key=lambda name: (-sum(lengths[name].values()), name))[:SHOWN]
    notices = []
    for name in unknown:
        near = did_you_mean(name, lengths)
        how = near if near.startswith("Did") else did_you_mean("", often)
        notices.append(
            f"No order line has the category {name!r} of [score.category_gap_days]. {how}".rstrip()
        )
    slow = {name: days for name, days in slow_categories(lengths).items() if name not in told}
    notices += [
        f"Who began with {name} and came back took {slow[name]} days in the median "
        f"({count(sum(lengths[name].values()), 'contact')}). Training takes that for the usual gap of its buyers; "
        f"where you know better, set it under [score.category_gap_days]."
        for name in sorted(slow, key=lambda name: (-slow[name], name))[:SHOWN]
    ]
    return tuple(notices)
