"""Our recipes beside the article's notebook and lucent, on the same cells of real layouts: one table.

    python benchmarks/render.py MODEL_CARD DATASET_CARD LAYER...            all of it, here
    python benchmarks/render.py prepare MODEL_CARD DATASET_CARD LAYER... --out FILE
    python benchmarks/render.py measure FILE... --device cuda               elsewhere: needs FILE and this tree only
    python benchmarks/render.py table FILE...

What is measured is kept in the folder (--folder, benchmarks/out/render by default), so that a broken-off run goes on.
See benchmarks/README.md, "Rendering".
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "benchmarks" / "out" / "render"
ACTIONS = ("prepare", "measure", "table")


def main(arguments: list[str]) -> int:
    if not arguments:
        print(f"Needs a model, a dataset and layers; nothing measured.\n\n{__doc__}")
        return 0
    action = arguments.pop(0) if arguments[0] in ACTIONS else "all"
    parser = _parser(action)
    options = parser.parse_args(arguments)
    for file in getattr(options, "files", []):
        if not file.is_file():
            parser.error(f"there is no {file}; make it with render.py prepare")
    files = options.files if action in {"measure", "table"} else [_prepare(options, parser)]
    if action == "all" and options.lucent is None:
        options.lucent = options.folder / "lucent"
    if action in {"measure", "all"}:
        _measure(options, files)
    if action in {"table", "all"}:
        from benchmarks.rendering.table import write_table

        print(write_table(files, options.folder))
    return 0


def _icons(told: str) -> int | str:
    if told == "read" or (told.isdecimal() and int(told) > 0):
        return told if told == "read" else int(told)
    raise argparse.ArgumentTypeError(f"{told} is no number of at least 1 and not `read`; leave it out for all cells")


def _parser(action: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=OUT, help="keeps all that is made (benchmarks/out/render)")
    if action in {"prepare", "all"}:
        parser.add_argument("model", type=Path)
        parser.add_argument("dataset", type=Path)
        parser.add_argument("layers", nargs="+")
        parser.add_argument("--out", type=Path, help="file of the prepared cells (FOLDER/cells.safetensors)")
        parser.add_argument("--samples", type=int, default=20_000)
        parser.add_argument("--side", type=int, default=24, help="cells a side (24: over 200 cells in both halves)")
        parser.add_argument("--seed", type=int, default=7)
    else:
        parser.add_argument("files", type=Path, nargs="+")
    if action in {"measure", "all"}:
        parser.add_argument("--device", default="cpu")
        parser.add_argument(
            "--icons", type=_icons, help="so many of the cells, spread evenly; or `read`: the reading's"
        )
        parser.add_argument(
            "--layers", dest="chosen", nargs="+", default=[], help="of the prepared ones, all by default"
        )
        parser.add_argument("--batch", type=int, help="icons at once (32 on a CPU, 256 on a GPU)")
        parser.add_argument(
            "--only", nargs="+", default=[], help="runs whose names begin so, such as fast notebook-affine"
        )
        parser.add_argument("--seconds", type=float, default=float("inf"), help="start no run after so many")
        parser.add_argument(
            "--lucent",
            type=Path,
            help="folder of lucent's environment, made where it is missing; `measure` leaves lucent out without",
        )
        parser.add_argument("--lucent-seconds", type=float, default=300, help="a layer (300)")
    return parser


def _prepare(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Path:
    from atlas_core.errors import AtlasError
    from benchmarks.rendering.prepare import prepare

    out: Path = options.out or options.folder / "cells.safetensors"
    try:
        prepared = prepare(options.model, options.dataset, options.layers, out, options.folder,
                           samples=options.samples, side=options.side, seed=options.seed)  # fmt: skip
    except AtlasError as error:
        parser.error(str(error))
    for layer, cells in zip(prepared.layers, prepared.cells, strict=True):
        print(f"{layer.name}: {len(cells)} cells of side {options.side}, in both halves", file=sys.stderr)
    return out


def _measure(options: argparse.Namespace, files: list[Path]) -> None:
    import torch

    from benchmarks.rendering.measure import Bounds, measure_file

    if options.device == "cpu":
        torch.set_num_threads(1)
    batch = options.batch or (256 if options.device.startswith("cuda") else 32)
    bounds = Bounds(options.icons, batch, options.seconds, options.lucent, options.lucent_seconds,
                    tuple(options.only), tuple(options.chosen))  # fmt: skip
    for file in files:
        measure_file(file, options.folder, options.device, bounds)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
