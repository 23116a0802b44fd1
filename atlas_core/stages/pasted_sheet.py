"""The picture of a patch test: images as they are and with a patch, and what the model says of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from atlas_core.audit.flips import CORNERS
from atlas_core.audit.pasting import Pastes, corners, pasted
from atlas_core.pyramid import displayed, png
from atlas_core.statistics import probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.stages.patches import PatchTest

PAIRS, ACROSS, GAP, TEXT, SMALLEST = 8, 2, 8, 30, 160
INK, GROUND = (20, 20, 20), (255, 255, 255)


def sheet(test: PatchTest, found: Sequence[Mapping[str, NDArray[Any]]], names: Sequence[str]) -> bytes:
    """A grid of pairs, image and image with patch, the surest flips first.

    Args:
        test: The test.
        found: What was measured of each patch.
        names: Of the classes.
    """
    chosen = _surest(found)
    visible = test.bench.card.input.visible
    height, width = test.whole
    grown = max(1, -(-SMALLEST // min(height, width)))
    tile, row = width * grown + GAP, height * grown + TEXT + GAP
    rows = max(1, -(-len(chosen) // ACROSS))
    drawn = Image.new("RGB", (2 * ACROSS * tile + GAP, rows * row + GAP), GROUND)
    pen = ImageDraw.Draw(drawn)
    before = probabilities(test.bases.logits)
    for number, (patch, size, place, base) in enumerate(chosen):
        own = int(test.bases.label[base])
        shares = ((before[base, own], before[base, test.target]),
                  (found[patch]["own"][size, place, base], found[patch]["probability"][size, place, base]))  # fmt: skip
        for side, picture in enumerate((test.bases.pixels[base], _with(test, patch, size, place, base))):
            left, top = GAP + (2 * (number % ACROSS) + side) * tile, GAP + number // ACROSS * row
            shown = Image.fromarray(displayed(picture, visible))
            drawn.paste(shown.resize((width * grown, height * grown), Image.Resampling.NEAREST), (left, top))
            for line, (label, value) in enumerate(zip((own, test.target), shares[side], strict=True)):
                pen.text((left, top + height * grown + 2 + 13 * line), f"{names[label][:22]} {value:.1%}", fill=INK)
    return png(drawn, "real pictures, before and after a patch was pasted")


def _surest(found: Sequence[Mapping[str, NDArray[Any]]]) -> list[tuple[int, int, int, int]]:
    """Patch, size, corner and base image of the strongest pastes, each image once and patches in turn."""
    each = []
    for patch, measured in enumerate(found):
        sure = measured["probability"][:, :CORNERS]  # (sizes, corners, bases)
        flat = sure.transpose(2, 0, 1).reshape(sure.shape[2], -1)
        best = flat.argmax(axis=1)
        order = np.argsort(-flat.max(axis=1), kind="stable")[:PAIRS]
        corners_of = sure.shape[1]
        each.append([(patch, int(best[base]) // corners_of, int(best[base]) % corners_of, int(base)) for base in order])
    chosen: list[tuple[int, int, int, int]] = []
    for turn in range(PAIRS):
        for own in each:
            if turn < len(own) and own[turn][3] not in {one[3] for one in chosen}:
                chosen.append(own[turn])
    return chosen[:PAIRS]


def _with(test: PatchTest, patch: int, size: int, place: int, base: int) -> NDArray[np.uint8]:
    found = test.patch(patch)
    pictures: NDArray[np.uint8] = test.bases.pixels[base : base + 1]
    if found is None:
        return np.asarray(pictures[0])
    shape = found[1][size].shape
    where = corners((test.whole[0] - shape[0], test.whole[1] - shape[1]))[place]
    one = np.array([0])
    return np.asarray(pasted(pictures, [found[1][size]], Pastes(one, one, where[:1], where[1:]))[0])
