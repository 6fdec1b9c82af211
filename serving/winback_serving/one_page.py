"""HTML pages from templates, and pictures to stand in them: everything is escaped but what is marked as markup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from winback_models.charts import to_svg
from winback_serving import charts, wording

IN_WORDS: Mapping[str, Any] = {
    name: getattr(wording, name) for name in ("percent", "number", "money", "day", "lateness", "words")
}
"""How the pages that are files write values: as the terminal does."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture of a page.

    Attributes
    ----------
    title, caption : str
        Above and below the picture.
    svg : str
        Fit to stand inside a page, with its words for screen readers.
    """

    title: str
    caption: str
    svg: str


def environment(package: str, filters: Mapping[str, Any]) -> Environment:
    """Return the templates of a package; a value that a template misses is an error.

    Parameters
    ----------
    package : str
        With a folder ``templates``.
    filters : mapping of str to callable
        Beside ``svg``, which takes a picture as it is.
    """
    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"svg": Markup, **filters}
    return made


def render(template: str, **values: Any) -> str:
    """Return a page that needs no other file and no network."""
    return _files().get_template(template).render(**values)


@cache
def _files() -> Environment:
    return environment("winback_serving", IN_WORDS)


def figure(name: str, chart: Any, title: str, caption: str, label: str) -> Figure:
    """Draw a chart to stand inside a page.

    Parameters
    ----------
    name : str
        The picture's own in its page: its ids begin with it.
    chart : altair chart
        Styled or not.
    title, caption : str
    label : str
        What it shows, for who cannot see it.
    """
    svg = charts.inline(to_svg(chart.properties(description=label)), prefix=name, label=label)
    return Figure(title, caption, svg.replace("<title></title>", f"<title>{escape(title)}</title>", 1))
