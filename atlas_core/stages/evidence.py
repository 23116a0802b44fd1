"""Evidence pictures of the strongest candidates: their exemplars, images before and after, and the control's crops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from atlas_core.pyramid import displayed, png
from atlas_core.sheets import compose_sheet, in_rows
from atlas_core.stages.transplants import DONORS, laid_over, noise_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.stages.shortcuts import ShortcutAudit

    Pixels = NDArray[np.uint8]
    Strips = list[tuple[str, str, list[Pixels]]]

PICTURED, CLASSES, SHOWN, GAP, SMALLEST = 10, 2, 8, 4, 96
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


def put_evidence(
    audit: ShortcutAudit, found: Sequence[dict[str, Any]], controls: Mapping[str, Any],
    transplants: Sequence[dict[str, Any]],
) -> dict[str, bytes]:  # fmt: skip
    """Draw the strongest cells and classes, and write into each under `evidence` what its pictures are.

    Args:
        audit: Reads and cuts pictures.
        found: Candidates as they were confirmed.
        controls: Those of each class and size.
        transplants: Of each class, where it was tried.

    Returns:
        PNGs by their names.
    """
    blobs: dict[str, bytes] = {}

    def share(one: Mapping[str, Any]) -> float:
        return float(one["hits"] / max(1, one["n"]))

    def put(one: dict[str, Any], strips: Strips) -> None:
        one["evidence"] = []
        for role, caption, pictures in strips:
            if pictures:
                name = f"evidence-{len(blobs)}"
                blobs[name] = strip(pictures, audit.bench.card.input.visible)
                one["evidence"].append({"name": name, "caption": caption, "role": role})

    def excess(one: dict[str, Any]) -> float:
        return share(one) - share(controls[f"{one['target']} {one['size']}"])

    for one in sorted(found, key=excess, reverse=True)[:PICTURED]:
        put(one, _of_cell(audit, one))
    for one in sorted(transplants, key=share, reverse=True)[:CLASSES]:
        put(one, _of_class(audit, one))
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


def _of_class(audit: ShortcutAudit, one: dict[str, Any]) -> Strips:
    donors = audit.bench.controls(one["target"], DONORS, "donors")
    name = audit.bench.names[one["target"]]
    before = [audit.bench.base_picture(shown["place"]) for shown in one["shown"]]
    given = [donors[shown["donor"]] for shown in one["shown"]]
    after: list[Pixels] = []
    if before:
        noise = noise_of(audit.seed, one["target"], [shown["row"] for shown in one["shown"]], before[0].shape[:2])
        after = list(laid_over(np.stack(before), np.stack(given), noise))
    return [("exemplar", f"pictures taken for {name!r}, whose grain was laid over others", given),
            ("before", "pictures that the model recognises", before),
            ("after", f"the same pictures with it, now taken for {name!r}", after)]  # fmt: skip


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
