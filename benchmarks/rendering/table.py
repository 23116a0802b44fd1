"""From runs to one table a layer, as Markdown and JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.featurevis.recipes import RECIPES, thumbnail_window
from atlas_core.likeness import correlation
from atlas_core.marks import COPIED
from benchmarks.rendering.measure import NOTEBOOKS
from benchmarks.rendering.notebook import TRIES, best_tries
from benchmarks.rendering.prepared import Cells, Prepared
from benchmarks.rendering.runs import Run, like_exemplars, notebook_run, recipe_run
from benchmarks.rendering.second import Judge, agreement, judge_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

GIGA = 1e9
Row = dict[str, Any]
HEADS = {
    "row": "recipe", "icons": "icons", "per_second": "icons/s", "faster": "× (a)", "giga": "G multiply-adds an icon",
    "cheaper": "(a) over it", "whitened_cosine": "whitened cosine", "robust": "robust", "nearest": "own cell nearest",
    "second": "second network", "contrast": "contrast", "low": "low", "high_frequency": "high frequency",
    "like_start": "like its start", "like_exemplar": "like an exemplar", "bytes": "bytes an icon", "peak": "peak MiB",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Known:
    """What rows are told by besides their runs.

    Args:
        cells: Of the layer.
        window: Side of the window that an exemplar's thumbnail shows, in input pixels.
        judge: The second network, None where there is none.
    """

    cells: Cells
    window: int
    judge: Judge | None


def write_table(files: Sequence[Path], folder: Path) -> str:
    """Write `table.md` and `table.json` into the folder, of every group of runs on these files.

    Returns:
        The Markdown.
    """
    told: list[dict[str, Any]] = []
    for file in files:
        prepared = Prepared.read(file)
        for group in groups(file, folder):
            for place, layer in enumerate(prepared.layers):
                runs = {path.stem: Run.read(path) for path in sorted((group / str(place)).glob("*.safetensors"))}
                if runs:
                    window = thumbnail_window(layer, prepared.card.input)
                    known = Known(prepared.cells[place], window, _judge(prepared, place, folder / "second"))
                    rows = layer_rows(runs, known)
                    told.append({"layer": layer.name, "cells": len(prepared.cells[place]), "on": group.name,
                                 "rows": rows, "facts": prepared.facts})  # fmt: skip
    text = "\n\n".join(markdown(entry) for entry in told)
    (folder / "table.json").write_text(json.dumps(told, indent=1, default=float), encoding="utf-8")
    (folder / "table.md").write_text(text + "\n", encoding="utf-8")
    return text


def groups(file: Path, folder: Path) -> list[Path]:
    """Folders of runs on a file's cells, one for each device and number of icons."""
    from benchmarks.rendering.measure import folder_of

    parent = folder_of(file, folder, "", None).parent
    return sorted(parent.iterdir()) if parent.is_dir() else []


def _judge(prepared: Prepared, place: int, folder: Path) -> Judge | None:
    try:
        return judge_of(prepared.card.input, prepared.layers[place], folder)
    except (OSError, StopIteration) as error:
        print(f"no second network: {error}", file=sys.stderr)
        return None


def layer_rows(runs: Mapping[str, Run], known: Known | None = None) -> list[Row]:
    """Rows of a layer's table: the notebook, lucent, ours, and what nothing was rendered for."""
    named = named_runs(runs)
    rows = [_row(name, run, known) for name, run in named.items()]
    base = next((row for row in rows if row["row"].startswith("(a) notebook, one try")), None)
    for row in rows:
        start = named.get(f"start of {row['row'].removeprefix('(c) ')} alone")
        row["like_start"] = None if start is None else _likes(correlation(named[row["row"]].icons, start.icons))
        row["faster"] = _ratio(row["per_second"], base["per_second"] if base else None)
        row["cheaper"] = _ratio(base["giga"] if base else None, row["giga"])
    return rows


def named_runs(runs: Mapping[str, Run]) -> dict[str, Run]:
    """What the table shows, by what it calls it; what was not run is left out."""
    found: dict[str, Run] = {}
    for moves in dict.fromkeys(moves for moves, _, _ in NOTEBOOKS):
        title = "(a) notebook" if moves == "affine" else "(a') its code's crops"
        for tries, word in ((1, "one try"), (TRIES, "three tries")):
            best = strongest(runs, moves, tries)
            if best is not None:
                how, run = best
                found[f"{title}, {word}, {how}"] = run
    if "lucent" in runs:
        found["(b) lucent, scaled from these"] = runs["lucent"]
    for recipe in RECIPES.values():
        if recipe_run(recipe) in runs:
            found[f"(c) {recipe.name}"] = runs[recipe_run(recipe)]
    for recipe in RECIPES.values():
        start = recipe_run(dataclasses.replace(recipe, steps=0))
        if recipe.seeded and start in runs:
            found[f"start of {recipe.name} alone"] = runs[start]
    if "patch" in runs:
        found["nearest real patch"] = runs["patch"]
    return found


def strongest(runs: Mapping[str, Run], moves: str, tries: int) -> tuple[str, Run] | None:
    """The notebook with the objective and learning rate that give the greatest median whitened cosine of those run.

    Its seconds are the median of all its runs on this canvas, which cost the same.
    """
    every = [run for name, run in runs.items() if name.startswith(f"notebook-{moves}-")]
    counted = [run.facts["multiply_adds"] for run in every if "multiply_adds" in run.facts]
    found = []
    for canvas, gain, rates in NOTEBOOKS:
        for rate in rates:
            names = [notebook_run(canvas, gain, rate, attempt) for attempt in range(tries)]
            if canvas == moves and counted and all(name in runs for name in names):
                found.append((f"{gain} at {rate}", of_tries([runs[name] for name in names])))
    if not found:
        return None
    how, best = max(found, key=lambda pair: float(np.median(pair[1].columns["whitened_cosine"])))
    best.facts["multiply_adds"] = counted[0] * tries
    best.facts["seconds"] = [float(np.median([sum(run.facts["seconds"]) for run in every])) * tries]
    return how, best


def of_tries(tries: Sequence[Run]) -> Run:
    """Of each icon the try whose last objective was greatest."""
    best = best_tries(np.stack([run.columns["gain"] for run in tries]))
    icon = np.arange(len(best))
    columns = {name: np.stack([run.columns[name] for run in tries])[best, icon] for name in tries[0].columns}
    icons = np.stack([run.icons for run in tries])[best, icon]
    facts = dict(tries[0].facts)
    facts["bytes"] = float(np.mean([len(run.tile) / len(run) for run in tries]))
    return _Chosen(columns, tries[0].tile, facts, icons)


@dataclasses.dataclass(frozen=True)
class _Chosen(Run):
    """Icons of several runs."""

    chosen: NDArray[np.uint8] = dataclasses.field(default_factory=lambda: np.empty(0, np.uint8))

    @property
    def icons(self) -> NDArray[np.uint8]:
        return self.chosen


def _row(name: str, run: Run, known: Known | None) -> Row:
    columns, seconds = run.columns, run.facts["seconds"]
    row: Row = {"row": name, "icons": len(run), "peak": run.facts["peak_mib"], "device": run.facts["device"]}
    row["per_second"] = len(run) / float(np.median(seconds)) if seconds else None
    row["giga"] = run.facts["multiply_adds"] / GIGA
    for metric in ("whitened_cosine", "robust", "contrast", "high_frequency"):
        row[metric] = float(np.median(columns[metric]))
        row[f"{metric}_mean"] = float(np.mean(columns[metric]))
    row["nearest"] = float(np.mean(columns["retrieval_rank"] == 0))
    row["low"] = float(np.mean(columns["low_contrast"]))
    row["bytes"] = run.facts.get("bytes", len(run.tile) / len(run))
    row["second"] = row["like_exemplar"] = None
    if known is not None:
        cells, icons, which = known.cells, run.icons, columns["cell"]
        like = like_exemplars(icons, cells.exemplars[which], run.facts["size"] / known.window)
        row["like_exemplar"] = _likes(like)
        if known.judge is not None:
            seen = known.judge.see(icons)
            row["second"] = float(agreement(seen, cells.judge_mean, cells.judge_whitening, which).mean())
    return row


def _likes(correlations: NDArray[np.float32]) -> float:
    return float(np.mean(correlations > COPIED))


def _ratio(upper: float | None, lower: float | None) -> float | None:
    return None if not upper or not lower else upper / lower


def markdown(entry: Mapping[str, Any]) -> str:
    """One layer's table."""
    facts = entry["facts"]
    device = entry["rows"][0]["device"]
    head = (
        f"### {facts['model']} `{entry['layer']}`: {entry['cells']} cells of side {facts['side']}, {device}\n\n"
        f"Second network: {facts['judges'][entry['layer']]}.\n\n"
    )
    lines = ["| " + " | ".join(HEADS.values()) + " |", "| " + " | ".join("---" for _ in HEADS) + " |"]
    lines += ["| " + " | ".join(_told(name, row) for name in HEADS) + " |" for row in entry["rows"]]
    return head + "\n".join(lines)


def _told(name: str, row: Mapping[str, Any]) -> str:
    value = row[name]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if name in {"nearest", "low", "like_start", "like_exemplar"}:
        return f"{value:.1%}"
    if name in {"whitened_cosine", "robust"}:
        return f"{value:.2f} ({row[name + '_mean']:.2f})"
    if name in {"bytes", "peak"}:
        return f"{value:,.0f}"
    if name in {"second", "contrast", "high_frequency"}:
        return f"{value:.3f}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
