"""Pictures that a comparison of two models rests on: images that were lost, and patches of the cells that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from atlas_core.models.preprocessing import read_pixels
from atlas_core.pyramid import displayed
from atlas_core.sampling import seen_from
from atlas_core.stages.evidence import SMALLEST, strip
from atlas_core.stages.models import facts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core.stages.step import Step

CELLS = 8
"""Of a kind and layer, of which patches are shown: the surest."""
RGB = (0, 1, 2)
Told = dict[str, Any]


def put_evidence(step: Step, answers: Told, layers: Sequence[Told], first: int) -> dict[str, bytes]:
    """Draw what was found, and write into each damaged class and changed cell under `evidence` what shows it.

    Args:
        step: The last of the comparison.
        answers: From `told_answers`.
        layers: What was found at each.
        first: Number of the first picture.

    Returns:
        PNGs by their names.
    """
    blobs: dict[str, bytes] = {}

    def put(one: Told, pictures: Sequence[NDArray[np.uint8]]) -> None:
        one["evidence"] = None
        if pictures:
            one["evidence"] = f"evidence-{first + len(blobs)}"
            blobs[one["evidence"]] = strip([_square(picture) for picture in pictures], RGB)

    for one in (answers["accuracy"] or {"classes": []})["classes"]:
        put(one, [_picture(step, "old", example["image"]) for example in one["examples"]])
    for layer in layers:
        for kind in ("born", "lost", "moved"):
            for place, cell in enumerate(layer["cells"][kind]):
                put(cell, [_patch(step, patch) for patch in cell["exemplars"]] if place < CELLS else [])
    return blobs


def _picture(step: Step, which: str, image: str) -> NDArray[np.uint8]:
    """An image as a model sees it, RGB."""
    given = facts_of(step, step.parameters[which]).card.input
    return displayed(read_pixels(step.runtime.dataset(step.plan).read(image), given), given.visible)


def _patch(step: Step, patch: Told) -> NDArray[np.uint8]:
    seen = _picture(step, patch["of"], patch["image"])
    layer = facts_of(step, step.parameters[patch["of"]]).layer(patch["layer"])
    rows, columns = seen_from(layer, patch["row"], patch["column"], *seen.shape[:2])
    return seen[rows, columns]


def _square(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture of the size that all have in a row, small ones enlarged pixel by pixel."""
    way = Image.Resampling.NEAREST if max(picture.shape[:2]) < SMALLEST else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize((SMALLEST, SMALLEST), way))
