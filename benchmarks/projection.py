"""Projections measured: `python benchmarks/projection.py ACTION MODEL_CARD DATASET_CARD LAYER [--help]`.

    serving      end to end over HTTP at 1, 8 and 32 clients, beside the bare forward pass
    placement    placing positions on a map, beside umap.transform

Each writes a Markdown table to the standard output. See benchmarks/README.md, "Projection".
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ACTIONS = ("serving", "placement")


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in ACTIONS:
        print(f"Needs an action and cards; nothing measured.\n\n{__doc__}")
        return 0 if not arguments else 2
    module = importlib.import_module(f"benchmarks.projecting.{arguments[0]}")
    return int(module.main(arguments[1:]))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
