"""A sheet of the most and the least novel of new pictures, and of what happens when they are spoiled.

    python benchmarks/novelty.py MODEL_CARD DATASET_CARD NEW_CARD --out FILE

Novelty is learnt of the dataset's pictures as an atlas learns it, and asked of the others. For the demo

    atlas demo --data-only world
    python -c "from pathlib import Path; from service.demo.world import write_world; write_world(Path('new'), 1, 500)"
    python benchmarks/novelty.py world/model.json world/dataset.json new/dataset.json --out docs/novelty.webp
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from atlas_core.activations import collect_shard
from atlas_core.cards import resolve_dataset_card
from atlas_core.copies import pool_copies
from atlas_core.datasets.dataset import Dataset, open_dataset
from atlas_core.models.preprocessing import read_pixels, to_unit
from atlas_core.novelty import Novelty, word
from atlas_core.pooling import Watch, depths, pooled
from atlas_core.registration import load_card
from atlas_core.spoiled import KINDS, spoil
from atlas_core.tables import concatenate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core.models.base import LoadedModel

ACROSS = 8
SIDE, GAP, TEXT = 112, 12, 46
MARGIN, HEAD, TITLE = 24, 24, 40
PAPER, INK, QUIET = (255, 255, 255), (28, 30, 34), (118, 122, 130)
WORDS = {"ordinary": (46, 125, 80), "rare": (186, 118, 0), "unseen": (192, 52, 52)}
STRANGE = {"neighbours": "far neighbours", "texture": "strange texture", "energy": "like no class",
           "spoiled": "looks spoiled"}  # fmt: skip
QUALITY = 86
Judge = Callable[..., "Shown"]


@dataclass(frozen=True)
class Shown:
    """A picture, what novelty says of it, and its caption where it needs one.

    Args:
        pixels: Shape (height, width, channels).
        p: novelty_p.
        parts: p-values of the parts.
        caption: What it is.
    """

    pixels: NDArray[np.uint8]
    p: float
    parts: dict[str, float]
    caption: str = ""

    @property
    def strangest(self) -> str:
        """The part that is strangest, where it is not ordinary."""
        name = min(self.parts, key=self.parts.__getitem__)
        return STRANGE[name] if word(self.parts[name]) != "ordinary" else "nothing strange"


def opened(card: Path) -> Dataset:
    """The dataset of a card whose archive lies beside it."""

    def no_blob(sha256: str) -> Any:
        raise FileNotFoundError(sha256)

    return open_dataset(resolve_dataset_card(card), no_blob)


def learnt(model: LoadedModel, dataset: Dataset) -> Novelty:
    """What an atlas of all of these pictures knows of novelty."""
    count = len(dataset.listing.images)
    watch = Watch(tuple(depths(model.layers)), count)
    own = collect_shard(model, dataset, range(count), [], [1] * count, 0, watch=watch).novelty
    return Novelty.learnt(concatenate([own, pool_copies(model, dataset, own["image"].tolist(), watch)[0]]))


def judge(model: LoadedModel, known: Novelty) -> Judge:
    """Judges pixels as the network sees them, with a caption."""
    at = depths(model.layers)

    def judged(pixels: NDArray[np.uint8], caption: str = "") -> Shown:
        pixels = np.ascontiguousarray(pixels)
        read, logits = model.activations(to_unit(pixels[None]), at, logits=True)
        parts = known.parts(pooled(at, read, logits, 0))
        return Shown(pixels, known.p(parts), parts, caption)

    return judged


def rows_of(model: LoadedModel, dataset: Dataset, judged: Judge) -> list[tuple[str, list[Shown]]]:
    """The sheet's rows and their titles."""
    images = dataset.listing.images
    new = [judged(read_pixels(dataset.read(image), model.card.input)) for image in images]
    order = np.argsort([one.p for one in new], kind="stable")
    middle = int(order[len(order) // 2])
    pixels = new[middle].pixels
    unseen, rare = (sum(word(one.p) == called for one in new) for called in ("unseen", "rare"))
    return [
        (f"The most novel of {len(new)} new pictures: {unseen} are called unseen, {rare} rare",
         [new[place] for place in order[:ACROSS]]),
        ("The least novel", [new[place] for place in order[: -ACROSS - 1 : -1]]),
        (f"The picture in the middle, of p {new[middle].p:.3f}, spoiled",
         [judged(spoil(pixels, kind, images[middle]), name) for kind, name in enumerate(KINDS)]),
        ("From no world, and the same picture changed as none was to learn from",
         [judged(one, name) for name, one in strange(pixels).items()]),
    ]  # fmt: skip


def strange(pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Pictures of nothing, of this shape, and this one where it cannot be; by name."""
    random, shape = np.random.default_rng(0), pixels.shape
    rows, columns = np.indices(shape[:2])
    grey = pixels.mean(axis=2, keepdims=True).round().astype(np.uint8)
    waves: NDArray[np.float64] = np.round(127 + 120 * np.sin(rows / 3 + columns / 5))
    return {
        "noise": random.integers(0, 256, shape, dtype=np.uint8),
        "stripes": waves[..., None].astype(np.uint8).repeat(3, axis=2),
        "checks": np.asarray(255 * ((rows // 8 + columns // 8) % 2), np.uint8)[..., None].repeat(3, axis=2),
        "grey": np.full(shape, 128, np.uint8),
        "one colour": np.broadcast_to(np.array([200, 30, 40], np.uint8), shape),
        "red for blue": pixels[:, :, ::-1],
        "colours gone": grey.repeat(3, axis=2),
        "four times": np.tile(pixels[::2, ::2], (2, 2, 1))[: shape[0], : shape[1]],
    }


def sheet(rows: Sequence[tuple[str, list[Shown]]]) -> Image.Image:
    """Draw rows of pictures: below each its p and word, and which part was strange."""
    across = max(len(row) for _, row in rows)
    captioned = [any(one.caption for one in row) for _, row in rows]
    heights = [TITLE + (HEAD if named else 0) + SIDE + TEXT for named in captioned]
    paper = Image.new("RGB", (2 * MARGIN + across * (SIDE + GAP) - GAP, 2 * MARGIN + sum(heights) - GAP), PAPER)
    draw, top = ImageDraw.Draw(paper), MARGIN
    for (title, row), named, height in zip(rows, captioned, heights, strict=True):
        draw.text((MARGIN, top), title, INK, ImageFont.load_default(18))
        for place, one in enumerate(row):
            left, upper = MARGIN + place * (SIDE + GAP), top + TITLE - 6
            if named:
                draw.text((left, upper), one.caption, INK, ImageFont.load_default(13))
                upper += HEAD - 4
            _put(paper, draw, one, left, upper)
        top += height
    return paper


def _put(paper: Image.Image, draw: ImageDraw.ImageDraw, one: Shown, left: int, top: int) -> None:
    paper.paste(Image.fromarray(one.pixels).resize((SIDE, SIDE), Image.Resampling.LANCZOS), (left, top))
    colour, below = WORDS[word(one.p)], top + SIDE + 5
    draw.rectangle((left, below - 5, left + SIDE - 1, below - 2), fill=colour)
    draw.text((left, below), f"{one.p:.3f}" if one.p >= 0.001 else f"{one.p:.4f}", INK, ImageFont.load_default(13))
    draw.text((left + SIDE, below), word(one.p), colour, ImageFont.load_default(13), anchor="ra")
    draw.text((left, below + 17), one.strangest, QUIET, ImageFont.load_default(11))


def main() -> None:
    """Read the arguments and write the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("model", "dataset", "new"):
        parser.add_argument(name, type=Path, help=f"card of the {name}{'' if name == 'model' else ' pictures'}")
    parser.add_argument("--out", type=Path, required=True, help="a WebP file")
    asked = parser.parse_args()
    model = load_card(asked.model)
    with opened(asked.dataset) as dataset, opened(asked.new) as new:
        rows = rows_of(model, new, judge(model, learnt(model, dataset)))
    sheet(rows).save(asked.out, "WEBP", quality=QUALITY, method=6)


if __name__ == "__main__":
    main()
