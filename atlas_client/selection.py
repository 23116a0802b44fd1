"""A selection on one picture: its map, and of what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from atlas_client.landing import level_pictures
from atlas_client.sheet import SOFT, Sheet, enlarged

if TYPE_CHECKING:
    from atlas_client.atlas import Atlas
    from atlas_client.connection import Document

MARGIN, MAP, TITLE, FOOT = 40, 960, 48, 30


def title_of(atlas: Atlas) -> str:
    """What was selected, in a few words."""
    asked, manifest = atlas.manifest["selected"], atlas.manifest
    if asked["kind"] == "class":
        return f"{_name(manifest['model'], asked['label'])}, by {asked['by']}"
    if asked["kind"] == "errors":
        of = "" if asked["label"] is None else f" of {_name(manifest['dataset'], asked['label'])}"
        return f"Images{of} that the model gets wrong"
    if asked["kind"] == "samples":
        return "Samples " + " and ".join(_conditions(asked, manifest))
    return _place(asked)


def _place(asked: Document) -> str:
    """Where the samples lie."""
    if asked["box"] is not None:
        return "The region {:g}, {:g} to {:g}, {:g}".format(*asked["box"])
    if asked.get("polygon") is not None:
        return f"A region of {len(asked['polygon'])} corners"
    return f"{len(asked['cells'])} cells of a map"


def _conditions(asked: Document, manifest: Document) -> list[str]:
    """What holds of samples that were selected by several things."""
    named = (("speaks_for", "model", "for"), ("label", "dataset", "labelled"), ("predicted", "model", "taken for"))
    said = [f"{word} {_name(manifest[of], asked[field])}" for field, of, word in named if asked[field] is not None]
    said += [f"that the model gets {name}" for name in ("wrong", "right") if asked[name]]
    placed = any(asked[name] is not None for name in ("box", "polygon", "cells"))
    return [*said, "of " + _place(asked)[:1].lower() + _place(asked)[1:]] if placed else said


def _name(of: Document, label: int) -> str:
    names = of.get("classes") or []
    return str(names[label]) if label < len(names) else f"class {label}"


def draw_selection(atlas: Atlas) -> Image.Image:
    """Draw the map of a selection.

    Args:
        atlas: The selection's.

    Returns:
        RGB.
    """
    asked, names = atlas.manifest["selected"], atlas.manifest.get("names", {})
    sheet = Sheet(2 * MARGIN + MAP, 2 * MARGIN + TITLE + MAP + FOOT)
    sheet.text(MARGIN, MARGIN - 6, title_of(atlas), 26, width=MAP)
    picture = level_pictures(atlas, asked["layer"], asked["side"])[1]
    sheet.paste(picture.resize(enlarged(MAP, MAP), Image.Resampling.LANCZOS), MARGIN, MARGIN + TITLE)
    told = (names.get("model"), asked["layer"], names.get("dataset"), f"{asked['samples']:,} samples of "
            f"{asked['images']:,} images", atlas.said_of_icons)  # fmt: skip
    below = MARGIN + TITLE + MAP + 14
    sheet.text(MARGIN, below, " · ".join(str(part) for part in told if part), 14, SOFT, width=MAP)
    return sheet.finished()
