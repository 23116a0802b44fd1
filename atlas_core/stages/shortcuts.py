"""The shortcut audit: what its parts agree on, the screening of every cell, and what was found put together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.audit.pasting import at_random, chance, random_crops
from atlas_core.audit.screening import NO_CLASS, Candidate, Screened, candidates
from atlas_core.audit.shortcuts import SCREENING, SEARCHING, Options
from atlas_core.audit.suspects import Suspects, interleaved, suspects
from atlas_core.audit.verdicts import Thresholds, ranked
from atlas_core.keys import canonical_json
from atlas_core.stages.bench import Bench
from atlas_core.stages.cellmates import Cellmates
from atlas_core.stages.evidence import put_evidence
from atlas_core.stages.step import Output, Step, marked

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTROL_PICTURES = 100
ANY_PICTURES = 200
MOST_SEARCHED = 2000
"""Mapped pictures that are searched for what a cell shows; of a thing on a hundredth of them that finds some twenty."""


class ShortcutAudit:
    """What all parts of a shortcut audit agree on: the cells and sizes to test, in order, and what fits the budget.

    Args:
        step: Of the audit.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.options = Options(**step.parameters["options"])
        self.seed: int = step.parameters["seed"]
        self.bench = Bench(step, step.parameters["base"], self.seed)
        given = self.bench.card.input
        shorter = min(given.height, given.width)
        self.pixels = [max(2, round(size * shorter)) for size in self.options.sizes]
        self.layers = [Cellmates(step, self.bench, name, step.parameters["side"]) for name in step.parameters["layers"]]
        self.suspected: list[Suspects] = [suspects(one.attribution, one.level["count"]) for one in self.layers]
        self.order = interleaved([len(one) for one in self.suspected])

    @cached_property
    def tests(self) -> list[tuple[int, int]]:
        """Suspect and size of every test, the strongest cells first."""
        return [(suspect, size) for suspect in range(len(self.order)) for size in range(len(self.pixels))]

    @property
    def mine(self) -> slice:
        """This part's share of anything."""
        return slice(self.step.parameters["part"], None, self.step.parameters["parts"])

    def screened(self, images: int) -> int:
        """Tests of the first stage that fit the budget, on so many base images."""
        each = min(self.options.screen, 2 * images)
        return min(len(self.tests), int(SCREENING * self.step.parameters["passes"] / each)) if each else 0

    @property
    def searched(self) -> int:
        """Mapped images that are searched for what the kept cells show, within a share of the forward passes."""
        return min(len(self.bench.mapped), MOST_SEARCHED, int(SEARCHING * self.step.parameters["passes"]))

    def cell(self, suspect: int) -> tuple[Cellmates, int, int, int]:
        """Layer and cell of a suspect, and the class that it speaks for and that it adds to most, -1 if unknown."""
        layer, item = self.order[suspect]
        found = self.suspected[layer]
        return self.layers[layer], int(found.cell[item]), int(found.target[item]), int(found.strongest[item])

    def purity(self, suspect: int) -> NDArray[np.float64]:
        """Shares of a suspect's samples by class."""
        layer, cell, _, _ = self.cell(suspect)
        return layer.shares(cell, self.step.plan.model.classes or 0)

    def stray_images(self, suspect: int) -> NDArray[np.int64]:
        """Pictures of other classes than each that show a suspect."""
        layer, cell, _, _ = self.cell(suspect)
        return layer.stray_images(cell, self.step.plan.model.classes or 0)

    def patches(self, suspect: int, size: int) -> list[NDArray[np.uint8]]:
        """The cores of a cell's exemplars."""
        layer, cell, _, _ = self.cell(suspect)
        side = self.pixels[size]
        return [self.bench.cut(layer.name, sample, side, side) for sample in layer.exemplars(cell)]

    def crops(self, target: int, size: int) -> list[NDArray[np.uint8]]:
        """Controls: parts at random places of pictures that the model takes for a class; none where there are none."""
        side = self.pixels[size]
        pictures = self.bench.controls(target, CONTROL_PICTURES, side)
        random = chance("crops", self.seed, target, side)
        return random_crops(random, pictures, self.options.confirm, side, side) if pictures else []

    def any_crops(self, size: int) -> tuple[list[NDArray[np.uint8]], NDArray[np.int64]]:
        """Parts at random places of any pictures, and the classes that the model takes the pictures for."""
        side, taken = self.pixels[size], self.bench.taken_for
        everything = np.concatenate([np.stack([places, np.full(len(places), label)], axis=1)
                                     for label, places in taken.items()])  # fmt: skip
        random = chance("any", self.seed, side)
        chosen = random.permutation(everything)[:ANY_PICTURES]
        pictures = [self.bench.picture(int(place)) for place in chosen[:, 0]]
        return [random_crops(random, [picture], 1, side, side)[0] for picture in pictures], chosen[:, 1]

    def name(self, suspect: int, size: int) -> tuple[Any, ...]:
        """What a test is called, which its random numbers come from."""
        layer, cell, _, _ = self.cell(suspect)
        return self.seed, layer.name, layer.place(cell), self.pixels[size]

    @property
    def told(self) -> dict[str, Any]:
        """What a part's record says of its forward passes."""
        passes = self.bench.passes
        return {"passes": passes.done, **marked(passes.batches.halved)}

    def room(self, size: int) -> tuple[int, int]:
        """How far a patch can move down and across."""
        given = self.bench.card.input
        return given.height - self.pixels[size], given.width - self.pixels[size]


def screen(step: Step) -> Output:
    """Paste the exemplars of a part of the cells a few times each, and see which class every image is given."""
    audit = ShortcutAudit(step)
    bases = audit.bench.bases(audit.bench.halves()[0])
    rows: list[dict[str, Any]] = []
    for suspect, size in audit.tests[: audit.screened(len(bases.label))][audit.mine]:
        patches = audit.patches(suspect, size)
        target = audit.cell(suspect)[2]
        random = chance("screen", *audit.name(suspect, size))
        pastes = at_random(random, np.arange(len(bases.label)), len(patches), audit.options.screen, audit.room(size))
        logits = audit.bench.logits(bases, patches, pastes)
        gain = 0.0 if target == NO_CLASS else float((logits - bases.logits[pastes.base])[:, target].mean())
        rows.append({"suspect": suspect, "size": size, "target": target, "gain": gain,
                     "label": bases.label[pastes.base], "predicted": logits.argmax(axis=1)})  # fmt: skip
    if not rows:
        return Output({}, {"passes": 0})
    table = {name: np.array([row[name] for row in rows], np.float64 if name == "gain" else np.int64)
             for name in rows[0]}  # fmt: skip
    return Output({"screened": tables.pack(table)}, audit.told)


def kept(audit: ShortcutAudit) -> list[Candidate]:
    """The cells to confirm, as all parts choose them, and as many as the budget has room for with their controls."""
    step = audit.step
    parts = [step.table(record, "screened") for record in step.inputs("publish", step="screen")
             if "screened" in record["blobs"]]  # fmt: skip
    if not parts:
        return []
    table = tables.concatenate(parts)
    order = np.lexsort((table["size"], table["suspect"]))
    found = Screened(**{name: values[order] for name, values in table.items()})
    each = audit.options.confirm
    spent = found.predicted.size + audit.searched + 2 * len(audit.pixels) * each
    left = step.parameters["passes"] - spent
    most = max(1, left // (3 * each))
    classes = step.plan.model.classes or 0
    suspected = range(len(audit.order))
    purity = np.stack([audit.purity(suspect) for suspect in suspected])
    strays = np.stack([audit.stray_images(suspect) for suspect in suspected])
    return candidates(found, classes, audit.options.keep, most, audit.options.sizes, purity, strays)


def publish_shortcuts(step: Step) -> Output:
    """Put together what was measured, with pictures of the strongest."""
    audit = ShortcutAudit(step)
    values: dict[int, dict[str, Any]] = {}
    controls: dict[str, dict[str, Any]] = {}
    general: dict[str, dict[str, list[int]]] = {}
    for part in _confirmed(step):
        values |= {int(place): value for place, value in part["candidates"].items()}
        controls |= part["controls"]
        general |= part["general"]
    found = [values[place] for place in sorted(values)]
    screening, confirming = audit.bench.halves()
    records = [record for stage in ("screen", "search", "confirm") for record in step.inputs("publish", step=stage)]
    measured: dict[str, Any] = {
        "tests": len(audit.tests), "screened": audit.screened(len(screening)), "side": step.parameters["side"],
        "layers": step.parameters["layers"], "sizes": audit.pixels, "classes": audit.bench.names,
        "base": {"images": audit.bench.looked_at, "screening": len(screening), "confirming": len(confirming)},
        "passes": sum(record["info"]["passes"] for record in records), "candidates": found, "controls": controls,
        "general": general,
    }  # fmt: skip
    # Which are drawn is chosen by the usual thresholds; a policy with others has pictures of most of what it finds.
    strongest = [one.value for one in ranked(measured, Thresholds())]
    blobs = put_evidence(audit, strongest)
    return Output({"measured": canonical_json(measured), **blobs})


def _confirmed(step: Step) -> Iterator[dict[str, Any]]:
    for record in step.inputs("publish", step="confirm"):
        yield json.loads(step.runtime.store.get_blob(record["blobs"]["confirmed"]))
