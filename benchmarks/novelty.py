"""A sheet of the most and the least novel of new pictures, and of what happens when they are spoiled.

    python benchmarks/novelty.py MODEL_CARD DATASET_CARD NEW_CARD --out FILE

Novelty is learnt of the dataset's pictures as an atlas learns it, and asked of the others. For the demo

    atlas demo --data-only world
    python -c "from pathlib import Path; from service.demo.world import write_world; write_world(Path('new'), 1, 500)"
    python benchmarks/novelty.py world/model.json world/dataset.json new/dataset.json --out docs/novelty.webp
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from atlas_core.activations import collect_shard
from atlas_core.cards import resolve_dataset_card
from atlas_core.datasets.dataset import Dataset, open_dataset
from atlas_core.models.preprocessing import read_pixels, to_unit
from atlas_core.novelty import Novelty, word
from atlas_core.pooling import Watch, depths, pool
from atlas_core.registration import load_card
from atlas_core.spoiled import KINDS, spoil

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from atlas_core.models.base import LoadedModel

ACROSS = 10
SHOWN, GAP, TEXT, NAMES = 96, 4, 16, 118
PAPER, INK = (255, 255, 255), (40, 40, 40)
QUALITY = 88

Row = list[tuple[Any, str]]


def opened(card: Path) -> Dataset:
    """The dataset of a card whose archive lies beside it."""

    def no_blob(sha256: str) -> Any:
        raise FileNotFoundError(sha256)

    return open_dataset(resolve_dataset_card(card), no_blob)


def learnt(model: LoadedModel, dataset: Dataset) -> Novelty:
    """What an atlas of all of these pictures knows of novelty."""
    count = len(dataset.listing.images)
    watch = Watch(tuple(depths(model.layers)), count)
    return Novelty.learnt(collect_shard(model, dataset, range(count), [], [1] * count, 0, watch=watch).novelty)


def judge(model: LoadedModel, known: Novelty) -> Callable[[NDArray[np.uint8]], float]:
    """novelty_p of pixels as the network sees them, shape (height, width, channels)."""
    at = depths(model.layers)

    def judged(pixels: NDArray[np.uint8]) -> float:
        read, logits = model.activations(to_unit(pixels[None]), at, logits=True)
        one = pool({name: values[0] for name, values in read.items()}, None if logits is None else logits[0], at)
        return known.p(known.parts(one))

    return judged


def rows_of(
    model: LoadedModel, dataset: Dataset, judged: Callable[[NDArray[np.uint8]], float]
) -> list[tuple[str, Row]]:
    """The sheet's rows: their names, and the pictures with what is written below."""
    images = dataset.listing.images
    pixels = [read_pixels(dataset.read(image), model.card.input) for image in images]
    p = np.array([judged(one) for one in pixels])
    order = np.argsort(p, kind="stable")
    rows = [
        ("most novel", [(pixels[place], said(p[place])) for place in order[: 2 * ACROSS]]),
        ("least novel", [(pixels[place], said(p[place])) for place in order[: -ACROSS - 1 : -1]]),
    ]
    middle = int(order[len(order) // 2])
    spoiled = [(kind, spoil(pixels[middle], number, images[middle])) for number, kind in enumerate(KINDS)]
    rows.append(("one, spoiled", [(pixels[middle], "as it is: " + said(p[middle]))]
                 + [(one, f"{kind}: {judged(one):.3f}") for kind, one in spoiled]))  # fmt: skip
    random = np.random.default_rng(0)
    shape = pixels[0].shape
    strange = {
        "noise": random.integers(0, 256, shape, dtype=np.uint8),
        "grey": np.full(shape, 128, np.uint8),
        "one colour": np.broadcast_to(np.array([200, 30, 40], np.uint8), shape),
        "checks": (255 * (np.indices(shape[:2]).sum(axis=0) // 8 % 2)).astype(np.uint8)[..., None].repeat(3, 2),
    }
    rows.append(("of no world", [(one, f"{name}: {judged(np.ascontiguousarray(one)):.3f}")
                                 for name, one in strange.items()]))  # fmt: skip
    return rows


def said(p: float) -> str:
    """A p-value with its word."""
    return f"{p:.3f} {word(p)}"


def sheet(rows: Sequence[tuple[str, Row]]) -> Image.Image:
    """Draw rows of pictures, `ACROSS` in each line."""
    lines = [(name if first == 0 else "", row[first : first + ACROSS])
             for name, row in rows for first in range(0, len(row), ACROSS)]  # fmt: skip
    height = SHOWN + TEXT + GAP
    paper = Image.new("RGB", (NAMES + ACROSS * (SHOWN + GAP), GAP + len(lines) * height), PAPER)
    draw, small, large = ImageDraw.Draw(paper), ImageFont.load_default(9), ImageFont.load_default(15)
    for number, (name, line) in enumerate(lines):
        top = GAP + number * height
        draw.text((6, top + SHOWN // 2 - 8), name, INK, large)
        for place, (pixels, text) in enumerate(line):
            left = NAMES + place * (SHOWN + GAP)
            paper.paste(Image.fromarray(pixels).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS), (left, top))
            draw.text((left, top + SHOWN + 2), text, INK, small)
    return paper


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
    sheet(rows).save(asked.out, "WEBP", quality=QUALITY)


if __name__ == "__main__":
    main()
