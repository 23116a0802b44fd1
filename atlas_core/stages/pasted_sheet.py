"""The picture of a patch test: images as they are and with a patch, and what the model says of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from atlas_core.audit.flips import CORNERS, percent
from atlas_core.audit.pasting import Pastes, corners, pasted
from atlas_core.pyramid import displayed, png
from atlas_core.statistics import probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.stages.patches import PatchTest

PAIRS, ACROSS, GAP, SMALLEST = 6, 2, 8, 320
LETTERS, LINE = 25, 32
"""Height of letters and of a line: still read where the sheet is half as large, as beside a map."""
HEADS = ("before", "after")
INK, GROUND = (20, 20, 20), (255, 255, 255)


def sheet(test: PatchTest, found: Sequence[Mapping[str, NDArray[Any]]], names: Sequence[str]) -> bytes:
    """A row for each pair, image and image with patch, the surest flips first.

    Args:
        test: The test.
        found: What was measured of each patch.
        names: Of the classes.
    """
    chosen = _surest(found)
    visible = test.bench.card.input.visible
    height, width = test.whole
    grown = max(1, -(-SMALLEST // min(height, width)))
    wide, high = width * grown, height * grown
    row = high + 2 * LINE + 2 * GAP
    drawn = Image.new("RGB", (ACROSS * (wide + GAP) + GAP, LINE + GAP + max(1, len(chosen)) * row), GROUND)
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default(LETTERS)
    lefts = [GAP + side * (wide + GAP) for side in range(ACROSS)]
    for left, head in zip(lefts, HEADS, strict=True):
        pen.text((left, 2), head, fill=INK, font=font)
    before = probabilities(test.bases.logits)
    for number, (patch, size, place, base) in enumerate(chosen):
        own, top = int(test.bases.label[base]), LINE + GAP + number * row
        shares = ((before[base, own], before[base, test.target]),
                  (found[patch]["own"][size, place, base], found[patch]["probability"][size, place, base]))  # fmt: skip
        pictures = (test.bases.pixels[base], _with(test, patch, size, place, base))
        for left, picture, told in zip(lefts, pictures, shares, strict=True):
            shown = Image.fromarray(displayed(picture, visible))
            drawn.paste(shown.resize((wide, high), Image.Resampling.NEAREST), (left, top))
            for line, (label, share) in enumerate(zip((own, test.target), told, strict=True)):
                text = _fitting(font, names[label], percent(float(share)), wide)
                pen.text((left, top + high + LINE * line), text, fill=INK, font=font)
    return png(drawn, "real pictures, before and after a patch was pasted")


def _fitting(font: Any, name: str, share: str, width: int) -> str:
    """A class and its share; the name is abbreviated where both do not fit."""
    text = f"{name} {share}"
    while font.getlength(text) > width and name:
        name = name[:-1]
        text = f"{name}. {share}"
    return text


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
