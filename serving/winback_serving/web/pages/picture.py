"""From an Altair chart to a picture that stands in a page: its words, its numbers as a table, no script, no address.

A picture that takes long stands at an address of its own, and the page shows it as an image. No style of the page reaches it
there, so it takes the colours along.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from winback_serving import charts
from winback_serving.web.format import Formatter

COLOURS = (Path(__file__).parents[1] / "static" / "colours.css").read_text(encoding="utf-8")
_DIGEST = base64.b64encode(hashlib.sha256(COLOURS.encode()).digest()).decode()
PICTURE_POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'"
"""The content policy of a picture with its own address: the colours it takes along, and nothing else."""

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its words and the numbers behind it.

    Attributes
    ----------
    title, caption : str
    svg : str
        Fit to stand inside a page; empty where the picture has an address of its own.
    heads : sequence of str
        Of the table behind it.
    rows : sequence of sequence of str
        Written in the reader's locale; empty where the page shows the numbers anyway.
    """

    title: str
    caption: str
    svg: str
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def draw(chart: Any, *, prefix: str, label: str, f: Formatter) -> str:
    """Draw a chart in the reader's locale; see `render`."""
    return render(charts.styled(chart).to_dict(), prefix=prefix, label=label, f=f)


def render(spec: dict[str, Any], *, prefix: str, label: str, f: Formatter) -> str:
    """Return a Vega-Lite object as SVG.

    Parameters
    ----------
    spec : dict
        With its data inside.
    prefix : str
        Of the picture's ids, one of its own on the page.
    label : str
        What it shows, for who cannot see it.
    f : Formatter

    Returns
    -------
    str
    """
    place: Any = d3_locale(f.locale.language, f.locale.territory or "")
    svg = vl_convert.vegalite_to_svg(
        spec, vl_version=VEGA_LITE, allowed_base_urls=[], format_locale=place, time_format_locale=place
    )
    return charts.inline(svg, prefix=prefix, label=label)


def standing_alone(svg: str) -> str:
    """Make a document of a picture that `render` drew.

    Examples
    --------
    >>> standing_alone('<svg role="img" width="9"><g/></svg>').replace(COLOURS, "…")
    '<svg class="picture" xmlns="http://www.w3.org/2000/svg" role="img" width="9"><style>…</style><g/></svg>'
    """
    head, body = svg.removeprefix("<svg").replace(' class="marks"', "", 1).split(">", 1)
    return f'<svg class="picture" xmlns="http://www.w3.org/2000/svg"{head}><style>{COLOURS}</style>{body}'


def warm_up() -> None:
    """Start the engine that draws, which takes seconds the first time."""
    vl_convert.vegalite_to_svg({"mark": "point", "data": {"values": []}}, vl_version=VEGA_LITE)


@cache
def d3_locale(language: str, territory: str) -> str:
    """Return the name that D3 has for a locale, American English where it has none.

    >>> d3_locale("nl", ""), d3_locale("en", "GB"), d3_locale("xx", "")
    ('nl-NL', 'en-GB', 'en-US')
    """
    name: Any  # the names that vl-convert knows are a literal type
    for name in (f"{language}-{territory}", f"{language}-{language.upper()}"):
        try:
            vl_convert.get_format_locale(name)
            vl_convert.get_time_format_locale(name)
        except ValueError:
            continue
        return str(name)
    return "en-US"
