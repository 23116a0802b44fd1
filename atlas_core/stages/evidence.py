"""Evidence pictures of the strongest candidates: their exemplars, images before and after, and the control's crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from atlas_core.pyramid import displayed, png
from atlas_core.sheets import compose_sheet, in_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.stages.shortcuts import ShortcutAudit

    Pixels = NDArray[np.uint8]
    Strips = list[tuple[str, str, list[Pixels]]]

PICTURED, SHOWN, GAP, SMALLEST = 10, 8, 4, 96
SAID = "real pictures"


def strip(pictures: Sequence[Pixels], visible: tuple[int, ...]) -> bytes:
    """A row of pictures of one size as a PNG, small ones enlarged pixel by pixel.

    Args:
        pictures: At least one, shape (height, width, channels).
        visible: Channels that people are shown.
    """
    grown = max(1, -(-SMALLEST // min(pictures[0].shape[:2])))
    shown = [np.repeat(np.repeat(displayed(picture, visible), grown, axis=0), grown, axis=1) for picture in pictures]
    return png(Image.fromarray(compose_sheet(shown, in_rows(len(shown), SHOWN), gap=GAP)), SAID)


def put_evidence(audit: ShortcutAudit, strongest: Sequence[dict[str, Any]]) -> dict[str, bytes]:
    """Draw the strongest cells, and write into each under `evidence` what its pictures are.

    Args:
        audit: Reads and cuts pictures.
        strongest: Candidates as they were confirmed, in order.

    Returns:
        PNGs by their names.
    """
    blobs: dict[str, bytes] = {}
    for one in strongest[:PICTURED]:
        one["evidence"] = []
        for role, caption, pictures in _of_cell(audit, one):
            if pictures:
                name = f"evidence-{len(blobs)}"
                blobs[name] = strip(pictures, audit.bench.card.input.visible)
                one["evidence"].append({"name": name, "caption": caption, "role": role})
    return blobs


def _of_cell(audit: ShortcutAudit, one: dict[str, Any]) -> Strips:
    layer = next(layer for layer in audit.layers if layer.name == one["layer"])
    cell = next(cell for cell in range(len(layer.level["column"])) if layer.place(cell) == (one["column"], one["row"]))
    side = one["pixels"]
    patches = [audit.bench.cut(layer.name, sample, side, side) for sample in layer.exemplars(cell)]
    caption = f"what the cell shows: the crops that were pasted, {side} x {side} pixels"
    crops = audit.crops(one["target"], one["size"])[:SHOWN]
    name = audit.bench.names[one["target"]]
    return [("exemplar", caption, patches), *_before_and_after(audit, one, patches),
            ("control", f"crops at random places of pictures taken for {name!r}", crops)]  # fmt: skip


def _before_and_after(audit: ShortcutAudit, one: dict[str, Any], patches: Sequence[Pixels]) -> Strips:
    before, after = [], []
    for shown in one.get("shown", ()):
        picture, patch = audit.bench.base_picture(shown["place"]), patches[shown["patch"]]
        changed = picture.copy()
        changed[shown["top"] : shown["top"] + len(patch), shown["left"] : shown["left"] + patch.shape[1]] = patch
        before.append(picture)
        after.append(changed)
    name = audit.bench.names[one["target"]]
    return [("before", "pictures that the model recognises", before),
            ("after", f"the same pictures, now taken for {name!r}", after)]  # fmt: skip
