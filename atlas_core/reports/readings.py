"""Statistics of a finding as people read them: a number, its unit and its interval in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

Unit: TypeAlias = Literal["share", "points", "p", "number"]

LABELS: Mapping[str, tuple[str, Unit]] = MappingProxyType(
    {
        "name": ("Name", "number"),
        "layer": ("Layer", "number"),
        "where": ("Where", "number"),
        "column": ("Column", "number"),
        "row": ("Row", "number"),
        "class": ("Class", "number"),
        "property": ("Property", "number"),
        "found": ("Found", "number"),
        "flips_before": ("Flips before", "share"),
        "flips_after": ("Flips after", "share"),
        "flips": ("Flips to the class", "share"),
        "strays": ("Flips by pieces of other classes' pictures", "share"),
        "control": ("Flips of the control", "share"),
        "error": ("Error here", "share"),
        "of_all": ("Error of all pictures", "share"),
        "evidence": ("Evidence", "number"),
        "old": ("The baseline", "share"),
        "new": ("This model", "share"),
        "change": ("Change", "points"),
        "lost": ("Accuracy lost", "points"),
        "worse": ("Worse than the baseline by", "points"),
        "accuracy_before": ("Accuracy before", "share"),
        "accuracy_after": ("Accuracy after", "share"),
        "accuracy_lost": ("Accuracy lost", "points"),
        "share": ("Share", "share"),
        "q": ("q, for all tests together", "p"),
        "p": ("p", "p"),
        "gain": ("Gain of the class's logit", "number"),
        "gain_rank": ("Rank of that gain", "number"),
        "purity": ("Purity", "share"),
        "lowest_exemplar": ("Flips of the weakest exemplar", "share"),
        "another_seed_finds_it": ("Found with another seed", "share"),
        "spread": ("Spread over the picture", "share"),
        "usual_spread": ("Spread of what shows other classes", "share"),
        "calibration": ("Calibration error", "share"),
        "confidence": ("Mean confidence", "share"),
        "images": ("Images", "number"),
        "strays_images": ("Mapped pictures of other classes that show it", "number"),
        "strays_classes": ("Other classes that show it", "number"),
        "base_images": ("Base images", "number"),
        "pastes": ("Pastes", "number"),
        "given": ("Pictures given it", "number"),
        "size": ("Size in pixels", "number"),
        "another_verdict": ("Chance of another verdict", "share"),
        "half_width": ("Half an interval", "points"),
        "top1": ("Right at first", "share"),
        "cka": ("CKA", "number"),
        "common_neighbours": ("Common neighbours", "share"),
        "chance": ("Neighbours by chance", "share"),
        "without_home": ("Without a home on the map", "share"),
    }
)
"""What the names of statistics are called, and their unit, those first that say most; others go by their name.

A document's names are sorted, so that their order says nothing.
"""
RANKS = {name: rank for rank, name in enumerate(LABELS)}
SHARES = frozenset(
    ("rate", "share", "accuracy", "purity", "flips", "control", "error", "confidence", "coverage", "gap")
)
"""A number whose name has such a word is a share, 0 to 1."""
COMPARED_WITH = frozenset(("control", "baseline", "before", "overall", "all", "old", "expected", "noise"))
"""Statistics with such a word in their name are what the others are compared with."""
SCALES = (0.04, 0.08, 0.2, 0.4)
"""Ends of scales whose quarters are round."""
UNDRAWN = frozenset(("purity",))
"""Shares of another thing than the others', which would stand on one scale with them and mean nothing there."""
INTERVAL = "_interval"
ENDS = ("low", "high")
BOUNDED = ("change", "share", "error", "top1")
"""What the ends of an interval that are told by themselves are of, the first of these that is there."""
SMALL_P = 0.001


@dataclass(frozen=True)
class Reading:
    """One statistic.

    Args:
        name: In the document.
        label: What it is called.
        unit: What it is measured in.
        value: The number or text; None where there is an interval alone, or nothing.
        interval: 95 % interval.
    """

    name: str
    label: str
    unit: Unit
    value: Any
    interval: tuple[float, float] | None

    @property
    def text(self) -> str:
        """The number in words of its unit."""
        return "" if self.value is None else in_words(self.value, self.unit)

    @property
    def interval_text(self) -> str:
        """The interval in words of its unit; empty without one."""
        if self.interval is None:
            return ""
        low, high = (in_words(end, self.unit).removesuffix(" points") for end in self.interval)
        return f"{low.removesuffix(' %')} to {high}"

    @property
    def whole(self) -> str:
        """The number with its interval in brackets."""
        if self.text and self.interval_text:
            return f"{self.text} ({self.interval_text})"
        return self.text or self.interval_text

    @property
    def is_compared_with(self) -> bool:
        """Whether it is what the others are compared with, such as a control."""
        return bool(COMPARED_WITH & set(self.name.split("_")))

    @property
    def is_drawn(self) -> bool:
        """Whether it has a dot and an interval to draw, on a scale from 0 to 1."""
        shares = self.unit == "share" and self.name not in UNDRAWN
        return shares and self.interval is not None and isinstance(self.value, int | float)


def readings(statistics: Mapping[str, Any]) -> list[Reading]:
    """Statistics with their intervals, those first that say most: `x_interval` is the interval of `x`."""
    statistics = _with_ends(statistics)
    found = []
    for name, value in statistics.items():
        stem = name.removesuffix(INTERVAL)
        if stem != name and stem in statistics:
            continue
        label, unit = LABELS.get(stem) or (spoken(stem), unit_of(stem))
        if isinstance(value, int):  # whatever it is called, it was counted
            label, unit = (label if unit == "number" else spoken(stem)), "number"
        interval = value if name != stem else statistics.get(name + INTERVAL)
        found.append(Reading(stem, label, unit, None if name != stem else value, interval and (*interval,)))
    return sorted(found, key=lambda each: RANKS.get(each.name, len(RANKS)))


def scale(drawn: Sequence[Reading]) -> float:
    """The smallest of `SCALES` that holds all intervals, so that small shares can be told apart."""
    largest = max((max(each.interval or (0.0,)) for each in drawn), default=1.0)
    return next((end for end in SCALES if largest <= end), 1.0)


def in_words(value: float | int | str, unit: Unit = "number") -> str:
    """A number as it is printed: shares as per cent, with a decimal below 10; p without its leading zero."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if unit in ("share", "points"):
        percent = 100 * value
        number = f"{percent:.1f}" if 0 < abs(percent) < 10 else f"{percent:.0f}"
        return f"{number} %" if unit == "share" else f"{number.replace('-', '−')} points"
    if unit == "p":
        return "< .001" if value < SMALL_P else f"{value:.3f}".removeprefix("0")
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def unit_of(name: str) -> Unit:
    """The unit that a statistic's name tells."""
    if name in LABELS:
        return LABELS[name][1]
    words = name.split("_")
    if words[-1] == "points":
        return "points"
    if "p" in words or "q" in words:
        return "p"
    return "share" if SHARES & set(words) else "number"


def spoken(name: str) -> str:
    """A name of a document as a heading."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def _with_ends(statistics: Mapping[str, Any]) -> Mapping[str, Any]:
    """Statistics with `low` and `high` as the interval that they are."""
    bounded = next((name for name in BOUNDED if name in statistics), None)
    if bounded is None or not set(ENDS) <= statistics.keys():
        return statistics
    others = {name: value for name, value in statistics.items() if name not in ENDS}
    return {f"{bounded}{INTERVAL}": tuple(statistics[end] for end in ENDS), **others}
