"""Hits of a blind reading, with their interval.

    python benchmarks/reading/score.py KEY ANSWERS

ANSWERS is JSON: the number of a question to "left" or "right". Questions without an answer count as none.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SIDES = ("left", "right")
NORMAL = 1.959964
"""Two-sided 95 %."""


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) of nothing."""
    if total == 0:
        return 0.0, 1.0
    share, square = hits / total, NORMAL**2
    middle = share + square / (2 * total)
    reach = NORMAL * math.sqrt(share * (1 - share) / total + square / (4 * total**2))
    scale = 1 + square / total
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def score(key: Mapping[str, Mapping[str, Any]], answers: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Hits and answers by recipe.

    Args:
        key: By number, `recipe` and `own`, the right side.
        answers: By number, "left" or "right".

    Raises:
        ValueError: An answer to no question, or that is no side.
    """
    found = {entry["recipe"]: (0, 0) for entry in key.values()}
    for number, side in answers.items():
        if number not in key:
            raise ValueError(f"there is no question {number}; there are 1 to {len(key)}")
        if side not in SIDES:
            raise ValueError(f"the answer to question {number} is {side!r}; answer left or right")
        hits, total = found[key[number]["recipe"]]
        found[key[number]["recipe"]] = hits + (side == key[number]["own"]), total + 1
    return found


def table(found: Mapping[str, tuple[int, int]]) -> str:
    """The scores as Markdown."""
    lines = ["| recipe | hits | answers | share | 95 % interval |", "| --- | --- | --- | --- | --- |"]
    for recipe, (hits, total) in sorted(found.items()):
        low, high = wilson(hits, total)
        share = f"{hits / total:.0%}" if total else "–"
        lines.append(f"| {recipe} | {hits} | {total} | {share} | {low:.0%} to {high:.0%} |")
    return "\n".join(lines)


def main() -> int:
    if len(sys.argv) != 3:
        print(f"Needs a key and answers; nothing scored.\n\n{__doc__}")
        return 0
    key, answers = (json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:])
    print(table(score(key, answers)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
