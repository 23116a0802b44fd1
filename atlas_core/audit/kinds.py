"""What kind of thing a candidate of the shortcut audit is, and what it must do to count.

- `shared`: it is mostly of the class, and does the same cut from pictures of several other classes: it goes with the
  class without being it. What one other class alone shows is what these two look alike in. It must do more than crops
  of any pictures do, and so must those from other classes, which must do nearly as much as it does. Random crops of the
  class are no measure of it, for they show it too.
- `fixed`: it is mostly of the class, and always at one place near the border of its pictures, where what shows other
  classes is not: all things lie alike in some pictures, of faces say.
- `foreign`: it is not surely, by the interval of its share, mostly of the class, and yet it makes the model see the
  class. Clean networks have cells that look a little like a class, so it must do much more.
- `feature`: mostly of the class, here and there, and cut from pictures of other classes it does nothing of the kind: it
  may be what makes the class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from atlas_core.audit.noise import REDRAWS, anew
from atlas_core.audit.screening import FOREIGN, HALF, LEAST_CLASSES, LEAST_STRAYS, allowance
from atlas_core.statistics import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.audit.verdicts import Thresholds

Kind = Literal["shared", "fixed", "foreign", "feature"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ALIKE = 0.7
"""Share of what a cell does that crops of it from pictures of other classes must do to be the same thing."""
APART = 1 / 3
"""Of the usual spread of what shows other classes, under which a thing lies at one place as no thing usually does.

Parts of things that lie much alike had half of it in the pictures of clean networks, and marks in a corner a quarter.
"""
WHY: Mapping[str, str] = {
    "shared": "cut from pictures of several other classes it does the same, so it is no part of the class",
    "fixed": "it always lies at the same place of its pictures, as nothing in the world does",
    "foreign": "half of it, or near that, is not of the class at all",
    "feature": "only pictures of the class do it, so it may be what makes the class",
}


class Share(NamedTuple):
    """Hits of so many trials, each of shape (draws,)."""

    hits: NDArray[np.float64]
    n: NDArray[np.float64]

    @property
    def ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Wilson's interval."""
        return wilson(self.hits, self.n)


class Grounds(NamedTuple):
    """What a candidate is judged by, as it was measured or as others would measure it, shape (draws,) each.

    Attributes:
        flips: By its exemplars.
        own: Of its labelled samples, those in pictures of the class.
        strays: Flips by crops of the same thing in pictures of other classes.
        images: Pictures of other classes that show it.
        classes: These classes.
        spread: Of its samples, in sides of the picture; infinite where they lie at no one place.
        control: Flips by random crops of the class.
        general: Flips by random crops of any pictures.
    """

    flips: Share
    own: Share
    strays: Share
    images: NDArray[np.float64]
    classes: NDArray[np.float64]
    spread: NDArray[np.float64]
    control: Share
    general: Share


class Ruling(NamedTuple):
    """Kinds, by their places in `KINDS`, and by how much what must be cleared is cleared; shape (draws,) each."""

    kind: NDArray[np.int64]
    slack: NDArray[np.float64]


def purity(value: Mapping[str, Any]) -> float:
    """Share of a cell's labelled samples that come from pictures of the class; 0 where nothing is labelled."""
    return float(value["own"] / value["labelled"]) if value["labelled"] else 0.0


def grounds_of(value: Mapping[str, Any], control: Mapping[str, Any], general: Mapping[str, Any]) -> Grounds:
    """What a candidate is judged by, once.

    Args:
        value: The candidate.
        control: Flips by random crops of its class.
        general: Flips by random crops of any pictures into every class.
    """
    one, target, strays = np.ones(1), value["target"], value["strays"]
    pairs = ((value["hits"], value["n"]), (value["own"], value["labelled"]), (strays["hits"], strays["n"]),
             (control["hits"], control["n"]), (general["hits"][target], general["n"][target]))  # fmt: skip
    flips, own, found, of_class, of_any = (Share(hits * one, n * one) for hits, n in pairs)
    spread = np.inf if value["spread"] is None else value["spread"]
    images, classes = (number * one for number in (sum(strays["by_class"]), len(strays["by_class"])))
    return Grounds(flips, own, found, images, classes, spread * one, of_class, of_any)


def drawn_anew(known: Grounds, value: Mapping[str, Any], random: np.random.Generator) -> Grounds:
    """What audits with other seeds would measure of the same thing: of other images mapped, and of others pasted on.

    Exemplars, and crops of other classes' pictures, are drawn anew from those that there were, and as many pictures of
    each class show it as may have; then shares are drawn as they may be, and pastes anew. Samples of one picture hang
    together, so that the share of a cell that is of the class is known as well as pictures tell it.
    """
    by_class = random.poisson(value["strays"]["by_class"], (REDRAWS, len(value["strays"]["by_class"])))
    images = by_class.sum(axis=1).astype(np.float64)
    strays = Share(*(column * (images > 0) for column in _regrouped(value["strays"]["each"], random)))
    pictures = np.full(REDRAWS, max(1, value["images"]), np.float64)
    own = _again(Share(known.own.hits / np.maximum(known.own.n, 1) * pictures, pictures), random)
    labelled = np.full(REDRAWS, known.own.n[0])
    spread = np.abs(known.spread + np.sqrt(2) * (value["spread_error"] or 0) * random.standard_normal(REDRAWS))
    return Grounds(
        flips=_again(_regrouped(value["exemplars"], random), random),
        own=Share(own.hits / pictures * labelled, labelled),
        strays=_again(strays, random), images=images,
        classes=(by_class > 0).sum(axis=1).astype(np.float64), spread=spread,
        control=_again(known.control, random), general=_again(known.general, random),
    )  # fmt: skip


def _regrouped(groups: Sequence[Mapping[str, int]], random: np.random.Generator) -> Share:
    """Hits and pastes of as many patches drawn from those that there were, so often."""
    counts = np.array([(one["hits"], one["n"]) for one in groups], np.float64).reshape(-1, 2)
    if not len(counts):
        return Share(np.zeros(REDRAWS), np.zeros(REDRAWS))
    return Share(*counts[random.integers(0, len(counts), (REDRAWS, len(counts)))].sum(axis=1).T)


def _again(share: Share, random: np.random.Generator) -> Share:
    """Of pastes anew."""
    return Share(anew(random, *share), np.broadcast_to(share.n, REDRAWS))


def ruled(known: Grounds, value: Mapping[str, Any], thresholds: Thresholds) -> Ruling:
    """What kind of thing a candidate is, and by how much it clears all that it must to count as one.

    Args:
        known: What it is judged by.
        value: The candidate.
        thresholds: The margin, and what is one place.
    """
    low, control, general = known.flips.ends[0], known.control.ends[1], known.general.ends[1] + thresholds.margin
    beyond, usual_spread = thresholds.margin * allowance(value["share"]), value["usual_spread"]
    alike = known.strays.hits * known.flips.n >= ALIKE * known.flips.hits * known.strays.n
    several = (known.images >= LEAST_STRAYS) & (known.classes >= min(LEAST_CLASSES, value["strays"]["others"]))
    shared = several & alike & (known.flips.hits * known.strays.n > 0)
    apart = thresholds.fixed if usual_spread is None else min(thresholds.fixed, APART * usual_spread)
    which = [known.own.ends[0] < HALF, shared, known.spread < apart]
    of_shared = np.minimum(low - np.maximum(control, general), known.strays.ends[0] - general)
    own = low - (control + beyond)
    slack = [low - (control + FOREIGN * beyond), of_shared, own]
    kinds = [KINDS.index("foreign"), KINDS.index("shared"), KINDS.index("fixed")]
    return Ruling(np.select(which, kinds, KINDS.index("feature")), np.select(which, slack, own))
