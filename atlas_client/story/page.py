"""The page of a story: what could be told, and a line for what could not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from math import floor, log10
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from atlas_client.story.judged import tell_audit, tell_class, tell_doubts, tell_pair
from atlas_client.story.mapped import tell_cell, tell_cover, tell_layers, tell_made, tell_regions, tell_tour
from atlas_client.story.reading import MissingError, Reader

SECTIONS: Mapping[str, tuple[str, Callable[[Reader], dict[str, Any]]]] = {
    "cell": ("What an icon stands for", tell_cell),
    "made": ("How this atlas was made", tell_made),
    "regions": ("Regions and their names", tell_regions),
    "layers": ("One layer after the other", tell_layers),
    "class": ("One class", tell_class),
    "pair": ("Two classes", tell_pair),
    "doubts": ("What to trust least", tell_doubts),
    "audit": ("What the audit found", tell_audit),
    "tour": ("Places somebody saved", tell_tour),
}
"""By name the heading of each section and what it is told by, in the order of the page."""


def story_html(reader: Reader) -> bytes:
    """Tell the story of an atlas.

    Args:
        reader: Of the atlas, and of its audit.

    Returns:
        A page that needs nothing else, neither scripts nor files nor a network: the same atlas, the same bytes.

    Raises:
        BadInputError: The audit that it is to tell of is not there, or is of another model.
    """
    told: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for name, (heading, tell) in SECTIONS.items():
        try:
            told[name] = tell(reader)
        except MissingError as error:
            left_out[heading] = str(error)
    names = reader.manifest.get("names", {})
    page = _environment().get_template("story.html.jinja")
    return page.render(
        told=told,
        left_out=left_out,
        headings={name: heading for name, (heading, _) in SECTIONS.items()},
        cover=tell_cover(reader),
        model=names.get("model") or reader.manifest["model"].get("architecture") or "this network",
        dataset=names.get("dataset") or "its dataset",
        icons=reader.atlas.said_of_icons,
        rendered=reader.manifest["spec"]["recipe"] != "none",
        version=version("activation-atlas"),
    ).encode()


@cache
def _environment() -> Environment:
    """Everything that an atlas says is escaped, and a name that is not there is an error."""
    environment = Environment(
        loader=PackageLoader("atlas_client.story"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(count=_count, share=_share, logits=_logits, listed=_listed)
    return environment


def _count(value: float) -> str:
    """A number of things."""
    return f"{value:,.0f}"


def _share(value: float) -> str:
    """A share in percent."""
    percent = 100 * value
    return f"{percent:.1f} %" if 0 < percent < 10 or 99 < percent < 100 else f"{percent:.0f} %"


def _logits(value: float, most: float = 0) -> str:
    """What is added to a logit, with its sign and two digits, or as many decimals as its largest neighbour has."""
    size = abs(most or value)
    decimals = max(0, 1 - floor(log10(size))) if size else 0
    return f"{value:+.{decimals}f}".replace("-", "−")


def _listed(values: list[Any]) -> str:
    """Things with commas, and `and` before the last."""
    told = [str(value) for value in values]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
