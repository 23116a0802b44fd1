"""A sheet of the same cells by several builds: a row of icons for each, and what the cells really hold below.

    python benchmarks/before_after.py MODEL_CARD DATASET_CARD LAYER --side 10 --out FILE NAME=FOLDER [NAME=FOLDER ...]

The folders are those of `atlas build` with the same model, dataset, layers, samples and seed, by whatever version;
the cells lie evenly over the level. docs/icons-before-after.webp was made with

    git worktree add ../before fab7734          # the recipes' first versions
    build() { atlas build --model world/model.json --dataset world/dataset.json --layer features.4 --layer features.7 \\
              --samples 12000 --levels 5,10 "$@"; }
    atlas demo --data-only world
    for recipe in vivid pure; do
        PYTHONPATH=../before build --recipe $recipe --out $recipe-1; build --recipe $recipe --out $recipe-3; done
    python benchmarks/before_after.py world/model.json world/dataset.json features.7 --side 10 \\
        --out docs/icons-before-after.webp \\
        "vivid before=vivid-1" "vivid now=vivid-3" "pure before=pure-1" "pure now=pure-3"
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from atlas_client.atlas import Atlas
from atlas_client.errors import ClientError
from atlas_core.cards import resolve_dataset_card
from atlas_core.datasets.dataset import Dataset, open_dataset
from atlas_core.errors import AtlasError, InputError
from atlas_core.featurevis.recipes import thumbnail_window
from atlas_core.models.preprocessing import read_pixels
from atlas_core.registration import load_card
from atlas_core.sampling import centres
from atlas_core.thumbnails import cut_thumbnails

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atlas_core.models.base import LoadedModel

CELLS, ACROSS = 24, 12
SHOWN, GAP, BETWEEN, NAMES = 88, 3, 22, 108
PAPER, INK = (255, 255, 255), (40, 40, 40)
QUALITY = 88
REAL = "real patch"

Row = list[Image.Image]


def shared_cells(atlases: Mapping[str, Atlas], layer: str, side: int, count: int = CELLS) -> list[dict[str, Any]]:
    """Cells that lie evenly over a level: column, row and the nearest exemplar of each.

    Raises:
        InputError: The atlases do not have the same cells with the same exemplars there.
    """
    columns = [atlas.cells(layer, side) for atlas in atlases.values()]
    held = [list(zip(one["column"], one["row"], [found[0] for found in one["exemplars"]], strict=True))
            for one in columns]  # fmt: skip
    for name, cells in zip(atlases, held, strict=True):
        if cells != held[0]:
            raise InputError(f"{name!r} has other cells at {layer}, side {side}, than {next(iter(atlases))!r}; "
                             "build both with the same dataset, layers, samples, levels and seed")  # fmt: skip
    chosen = np.unique(np.linspace(0, len(held[0]) - 1, min(count, len(held[0]))).round().astype(int))
    return [dict(zip(("column", "row", "exemplar"), held[0][place], strict=True)) for place in chosen]


def real_patches(cells: Sequence[Mapping[str, Any]], model: LoadedModel, dataset: Dataset, layer: str) -> Row:
    """The window that a thumbnail shows, around the sample nearest to each cell's mean."""
    info, card = model.layer(layer), model.card.input
    window = thumbnail_window(info, card)
    patches = []
    for cell in cells:
        found = cell["exemplar"]
        middle = centres(np.array([found["row"]]), np.array([found["column"]]), info, card)
        pixels = read_pixels(dataset.read(found["image"]), card)
        patches.append(Image.fromarray(cut_thumbnails(pixels, middle, window, window)[0]))
    return patches


def compose(rows: Mapping[str, Row], across: int = ACROSS) -> Image.Image:
    """Rows of pictures under each other with their names at the left, so many pictures across, in as many blocks.

    Args:
        rows: Pictures by name, as many in each.
        across: Pictures in a row of the sheet.
    """
    count = len(next(iter(rows.values())))
    step, blocks = SHOWN + GAP, -(-count // across)
    block = len(rows) * step + BETWEEN
    sheet = Image.new("RGB", (NAMES + min(across, count) * step, blocks * block - BETWEEN), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for line, (name, pictures) in enumerate(rows.items()):
        for place, picture in enumerate(pictures):
            left, top = NAMES + place % across * step, place // across * block + line * step
            sheet.paste(picture.resize((SHOWN, SHOWN), Image.Resampling.BICUBIC), (left, top))
            if place % across == 0:
                draw.text((NAMES - 10, top + SHOWN // 2), name, INK, font, anchor="rm")
    return sheet


def sheet_rows(folders: Mapping[str, str], model: Path, dataset: Path, layer: str, side: int) -> dict[str, Row]:
    """A row of icons by name of each folder, and one of real patches.

    Args:
        folders: Of atlases, by the name of their row.
        model: Its card.
        dataset: Its card.
        layer: Name of a layer.
        side: Cells a side of one of its levels.
    """
    atlases = {name: Atlas.open(folder) for name, folder in folders.items()}
    cells = shared_cells(atlases, layer, side)
    rows = {name: [atlas.icon(layer, side, int(cell["column"]), int(cell["row"])) for cell in cells]
            for name, atlas in atlases.items()}  # fmt: skip
    with open_dataset(resolve_dataset_card(dataset), lambda sha256: io.BytesIO()) as opened:
        return rows | {REAL: real_patches(cells, load_card(model), opened, layer)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    if len(sys.argv) == 1:
        print(f"Needs atlases; no sheet made.\n\n{__doc__}")
        return 0
    parser.add_argument("model", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("layer")
    parser.add_argument("folders", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--side", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    folders = dict(row.partition("=")[::2] for row in options.folders)
    if not all(folders.values()):
        parser.error(f"each row is NAME=FOLDER; got {', '.join(options.folders)}")
    try:
        rows = sheet_rows(folders, options.model, options.dataset, options.layer, options.side)
    except (AtlasError, ClientError) as error:
        parser.error(str(error))
    compose(rows).save(options.out, quality=QUALITY)
    print(f"{len(rows[REAL])} cells by {', '.join(rows)} in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
