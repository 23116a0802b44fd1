"""Blind reading: which of two sets of nine real patches is an icon's own cell? Sheets of questions, and a key.

    python benchmarks/reading/sheets.py FILE --layer features.10 [--folder benchmarks/out/render] [--out FOLDER]

FILE is what `render.py prepare` wrote; the icons are those of `render.py measure`. One pool of questions, in an order
that tells nothing, for 40 cells and four recipes. `sheets/` goes to the judge; `key.json` stays with whoever asks.
The patches are of images that no icon was made from.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from benchmarks.rendering.runs import Run

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "benchmarks" / "out"
ICON, PATCH, GAP, MARGIN = 240, 120, 4, 32
GRID = 3 * PATCH + 2 * GAP
WIDTH = 2 * GRID + ICON + 4 * MARGIN
HEIGHT = GRID + 2 * MARGIN
PER_SHEET = 4
PAPER, INK = (250, 250, 248), (40, 40, 40)
SEED = 20_190_306
ASKED = ("(a) notebook, three tries", "(c) fast", "(c) vivid", "(c) pure")
CONTROL = "nearest real patch"


@dataclass(frozen=True)
class Question:
    """One icon between two sets of patches.

    Args:
        recipe: What the icon was made by.
        place: Which of the cells that are asked about.
        cell: The cell.
        own: Side on which its own patches are.
    """

    recipe: str
    place: int
    cell: int
    own: str


def shuffled(recipes: list[str], cells: NDArray[np.int64], seed: int = SEED) -> list[Question]:
    """Every recipe on every cell, in one order for all; of each recipe own patches are left half of the time.

    Args:
        recipes: Their names.
        cells: Cells asked about, shape (n,).
        seed: Of order and sides.
    """
    generator = np.random.default_rng(seed)
    questions = []
    for recipe in recipes:
        left = generator.permutation(len(cells)) < len(cells) / 2
        for place, cell in enumerate(cells.tolist()):
            questions.append(Question(recipe, place, cell, "left" if left[place] else "right"))
    return [questions[index] for index in generator.permutation(len(questions))]


def panel(number: int, icon: NDArray[np.uint8], left: NDArray[np.uint8], right: NDArray[np.uint8]) -> Image.Image:
    """One question: nine patches, the icon, nine patches.

    Args:
        number: What the answer is given for.
        icon: Shape (size, size, 3).
        left: Shape (9, 120, 120, 3).
        right: The same.
    """
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    _grid(picture, left, MARGIN)
    shown = Image.fromarray(icon).resize((ICON, ICON), Image.Resampling.BICUBIC)
    picture.paste(shown, (GRID + 2 * MARGIN, (HEIGHT - ICON) // 2))
    _grid(picture, right, GRID + ICON + 3 * MARGIN)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(20)
    draw.text((WIDTH // 2, MARGIN), str(number), INK, font, anchor="mt")
    for x, word in ((MARGIN + GRID // 2, "left"), (WIDTH - MARGIN - GRID // 2, "right")):
        draw.text((x, MARGIN - 6), word, INK, ImageFont.load_default(16), anchor="mb")
    return picture


def _grid(picture: Image.Image, patches: NDArray[np.uint8], left: int) -> None:
    for place, patch in enumerate(patches):
        row, column = divmod(place, 3)
        picture.paste(Image.fromarray(patch), (left + column * (PATCH + GAP), MARGIN + row * (PATCH + GAP)))


def write_sheets(
    runs: Mapping[str, Run], reading: Mapping[str, NDArray[Any]], out: Path, seed: int = SEED
) -> list[Question]:
    """Write `sheets/NN.png`, four questions each, and `key.json`.

    Args:
        runs: By recipe, each holding every cell asked about.
        reading: `cell`, `own_patches`, `other_patches` as prepared.
        out: The folder.
        seed: Of the order.
    """
    questions = shuffled(sorted(runs), reading["cell"], seed)
    icons = {name: dict(zip(run.columns["cell"].tolist(), run.icons, strict=True)) for name, run in runs.items()}
    sheets = out / "sheets"
    sheets.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(questions), PER_SHEET):
        some = questions[first : first + PER_SHEET]
        sheet = Image.new("RGB", (WIDTH, HEIGHT * len(some)), PAPER)
        for row, question in enumerate(some):
            sides = [reading["own_patches"][question.place], reading["other_patches"][question.place]]
            left, right = sides if question.own == "left" else sides[::-1]
            icon = icons[question.recipe][question.cell]
            sheet.paste(panel(first + row + 1, icon, left, right), (0, row * HEIGHT))
        sheet.save(sheets / f"{first // PER_SHEET + 1:02}.png")
    key = {str(number): vars(question) for number, question in enumerate(questions, 1)}
    (out / "key.json").write_text(json.dumps(key, indent=1), encoding="utf-8")
    return questions


def main() -> int:
    from benchmarks.rendering.measure import Icons, folder_of, reading
    from benchmarks.rendering.prepared import Prepared
    from benchmarks.rendering.runs import Run
    from benchmarks.rendering.table import named_runs

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    if len(sys.argv) == 1:
        print(f"Needs the prepared cells; no sheets written.\n\n{__doc__}")
        return 0
    parser.add_argument("file", type=Path)
    parser.add_argument("--layer", required=True)
    parser.add_argument("--folder", type=Path, default=OUT / "render")
    parser.add_argument("--device", default="cpu", help="where the icons were rendered")
    parser.add_argument("--read-only", action="store_true", help="icons of `measure --icons read`, not of all cells")
    parser.add_argument("--control", action="store_true", help="ask real patches too: as much as can be read at best")
    parser.add_argument("--out", type=Path, default=OUT / "reading")
    options = parser.parse_args()
    prepared = Prepared.read(options.file)
    names = [layer.name for layer in prepared.layers]
    if options.layer not in names:
        parser.error(f"{options.file} has no layer {options.layer!r}; it has {', '.join(names)}")
    place = names.index(options.layer)
    icons: Icons = "read" if options.read_only else None
    group = folder_of(options.file, options.folder, options.device, icons) / str(place)
    named = named_runs({path.stem: Run.read(path) for path in group.glob("*.safetensors")})
    asked = ASKED + ((CONTROL,) if options.control else ())
    runs = {name: run for name, run in named.items() if name.startswith(asked)}
    if len(runs) < len(asked):
        print(f"{group} holds {', '.join(runs) or 'none'} of {', '.join(asked)}; run render.py measure",
              file=sys.stderr)  # fmt: skip
        return 1
    questions = write_sheets(runs, reading(options.file, options.folder, place), options.out)
    print(f"{len(questions)} questions in {options.out / 'sheets'}; the key is beside it")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
