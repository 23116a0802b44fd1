"""Evidence pictures of the strongest candidates: their exemplars, images before and after, and the control's crops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from atlas_core.audit.pasting import chance, random_crops
from atlas_core.pyramid import displayed, png
from atlas_core.sheets import compose_sheet, in_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.stages.bench import Bench
    from atlas_core.stages.cellmates import Cellmates

    Pixels = NDArray[np.uint8]

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


def put_evidence(
    bench: Bench, layers: Sequence[Cellmates], found: Sequence[dict[str, Any]], controls: Mapping[str, Any], seed: int
) -> dict[str, bytes]:
    """Draw the strongest candidates, and write into each under `evidence` what its pictures are.

    Args:
        bench: Reads pictures.
        layers: Those of the audit.
        found: Candidates as they were confirmed.
        controls: Those of each class and size.
        seed: Of the audit.

    Returns:
        PNGs by their names.
    """
    by_name = {layer.name: layer for layer in layers}
    blobs: dict[str, bytes] = {}

    def excess(one: dict[str, Any]) -> float:
        control = controls[f"{one['target']} {one['size']}"]
        return float(one["hits"] / max(1, one["n"]) - control["hits"] / max(1, control["n"]))

    for one in sorted(found, key=excess, reverse=True)[:PICTURED]:
        one["evidence"] = []
        for role, caption, pictures in _pictures(bench, by_name[one["layer"]], one, seed):
            name = f"evidence-{len(blobs)}"
            blobs[name] = strip(pictures, bench.card.input.visible)
            one["evidence"].append({"name": name, "caption": caption, "role": role})
    return blobs


def _pictures(bench: Bench, layer: Cellmates, one: dict[str, Any], seed: int) -> list[tuple[str, str, list[Pixels]]]:
    side, target = one["pixels"], bench.names[one["target"]]
    cell = next(cell for cell in range(len(layer.level["column"])) if layer.place(cell) == (one["column"], one["row"]))
    patches = [bench.cut(layer.name, sample, side, side) for sample in layer.exemplars(cell)]
    strips = [("exemplar", f"what the cell shows: the crops that were pasted, {side} x {side} pixels", patches)]
    before = [(shown, bench.base_picture(shown["place"])) for shown in one["shown"]]
    if before:
        after = []
        for shown, picture in before:
            changed = picture.copy()
            changed[shown["top"] : shown["top"] + side, shown["left"] : shown["left"] + side] = patches[shown["patch"]]
            after.append(changed)
        strips += [("before", "pictures that the model recognises", [picture for _, picture in before]),
                   ("after", f"the same pictures, now taken for {target!r}", after)]  # fmt: skip
    crops = random_crops(chance("crops", seed, one["target"], side), bench.controls(one["target"], SHOWN, side), SHOWN,
                         side, side) if one["target"] in bench.taken_for else []  # fmt: skip
    if crops:
        strips.append(("control", f"crops at random places of pictures taken for {target!r}", crops))
    return strips
