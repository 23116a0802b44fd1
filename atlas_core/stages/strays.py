"""What a cell shows, looked for in pictures of other classes: anywhere in them, not where the map happens to have it.

A sample is one position of a few of each picture, and a cell holds what landed in it. A thing on one picture of fifty
lies in a handful of samples, in as many cells: whether one cell holds some of them is luck. So the mapped pictures pass
the network once more, and at every position the activation is compared with the cell's mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from atlas_core import tables
from atlas_core.stages.bench import Sample
from atlas_core.stages.shortcuts import ShortcutAudit, kept
from atlas_core.stages.step import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core.stages.cellmates import Cellmates
    from atlas_core.stages.step import Step
    from atlas_core.tables import Table

COLUMNS = ("suspect", "target", "image", "row", "column", "alike")


class Sought(NamedTuple):
    """What is looked for at a layer: cells as they speak for classes, k of them.

    Attributes:
        suspect: Shape (k,).
        target: Shape (k,).
        mean: Whitened direction of each cell's mean, shape (k, channels).
        least: Whitened cosine from which on something is like the cell, shape (k,).
    """

    suspect: NDArray[np.int64]
    target: NDArray[np.int64]
    mean: NDArray[np.float32]
    least: NDArray[np.float64]


def search(step: Step) -> Output:
    """Search a part of the mapped pictures for what the cells that are left show."""
    audit = ShortcutAudit(step)
    bench, wanted = audit.bench, list(dict.fromkeys((one.suspect, one.target) for one in kept(audit)))
    sought = _sought(audit, wanted)
    places = bench.mapped[: audit.searched if wanted else 0][audit.mine]
    labels = bench.dataset.listing.labels[places]
    parts: list[Table] = []
    names = [layer.name for layer, _ in sought]

    def pictures(some: slice) -> NDArray[np.uint8]:
        return np.stack([bench.picture(place) for place in places[some].tolist()])

    for first, read, logits in bench.passes.read(len(places), pictures, names):
        here = slice(first, first + len(logits))
        for layer, cells in sought:
            parts.append(_alike(layer, cells, read[layer.name], places[here], labels[here]))
    return Output({"found": tables.pack(tables.concatenate(parts))} if parts else {}, audit.told)


def _sought(audit: ShortcutAudit, wanted: Sequence[tuple[int, int]]) -> list[tuple[Cellmates, Sought]]:
    """Of each layer its cells: like a cell is what is more so than half of its own samples of the class."""
    found = []
    for number, layer in enumerate(audit.layers):
        mine = [one for one in wanted if audit.order[one[0]][0] == number]
        if mine:
            cells = [audit.cell(suspect)[1] for suspect, _ in mine]
            mean = layer.whitening.directions(layer.level["mean"][cells])
            least = [layer.usual_likeness(cell, target) for cell, (_, target) in zip(cells, mine, strict=True)]
            suspect, target = np.array(mine, dtype=np.int64).T
            found.append((layer, Sought(suspect, target, mean, np.array(least))))
    return found


def _alike(layer: Cellmates, sought: Sought, activations: NDArray[np.float32], places: NDArray[np.int64],
           labels: NDArray[np.integer]) -> Table:  # fmt: skip
    """The place in each picture of another class that is most like each cell, where it is like it."""
    images, channels, _, width = activations.shape
    positions = activations.transpose(0, 2, 3, 1).reshape(-1, channels)
    likeness = layer.whitening.directions(positions) @ sought.mean.T
    likeness = likeness.reshape(images, -1, len(sought.least))  # (n, positions, k)
    best, most = likeness.argmax(axis=1), likeness.max(axis=1)
    other = (labels[:, None] >= 0) & (labels[:, None] != sought.target)
    image, cell = np.nonzero(other & (most >= sought.least))
    row, column = np.divmod(best[image, cell], width)
    values = sought.suspect[cell], sought.target[cell], places[image], row, column, most[image, cell].astype(np.float64)
    return dict(zip(COLUMNS, values, strict=True))


def strays(audit: ShortcutAudit) -> dict[tuple[int, int], list[Sample]]:
    """By suspect and class where pictures of other classes show the same, the one most like it first, one an image."""
    step = audit.step
    records = step.inputs("publish", step="search")
    parts = [step.table(record, "found") for record in records if "found" in record["blobs"]]
    if not parts:
        return {}
    table = tables.concatenate(parts)
    order = np.lexsort((table["image"], -table["alike"]))
    found: dict[tuple[int, int], list[Sample]] = {}
    for suspect, target, image, row, column in np.stack([table[name][order] for name in COLUMNS[:5]], axis=1).tolist():
        found.setdefault((suspect, target), []).append(Sample(image, row, column))
    return found
