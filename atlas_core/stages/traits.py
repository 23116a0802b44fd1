"""What goes with each class of an atlas's pictures, and what gives it to others."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.audit.associations import FILE, beyond_label, features, scores, separation, told_by_file
from atlas_core.audit.pasting import chance
from atlas_core.audit.properties import LEAST_DONORS
from atlas_core.audit.traits import AROUND, TRAITS, Statistics, places
from atlas_core.errors import ImageError
from atlas_core.keys import canonical_json
from atlas_core.models.preprocessing import read_pixels
from atlas_core.stages.step import Output, Step, significant

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_CLASSES, MOST_PICTURES = 300, 6_000
AT_ONCE = 16
"""Pictures whose waves are held."""
NAMED = 20


def describe_traits(step: Step) -> Output:
    """What goes with each class, by pictures of the atlas; and the statistics of all of them."""
    donors = Donors(step)
    if not len(donors.classes):
        return Output({}, {"classes": 0})
    parts: dict[str, list[NDArray[np.float32]]] = {trait: [] for trait in TRAITS}
    kept, files = [], []
    whole: list[Statistics] = []
    around: list[Statistics] = []
    sums, squares = np.zeros(()), np.zeros(())
    for number, name in enumerate(donors.classes.tolist()):
        rows, pictures, told = donors.read(name)
        kept.append(rows)
        files += told
        for first in range(0, len(pictures), AT_ONCE):
            for trait, values in features(pictures[first : first + AT_ONCE]):
                parts[trait].append(values)
        whole = [sum(whole, start=statistics_of(pictures))]
        around = [sum(around, start=statistics_of(pictures, around=True))]
        sums, squares = sums + pictures.sum(axis=0), squares + (pictures.astype(np.float64) ** 2).sum(axis=0)
        step.on_progress(number + 1, len(donors.classes))
    usual = np.sqrt(np.maximum(squares / len(files) - (sums / len(files)) ** 2, 0).mean(axis=-1))
    rows = np.concatenate(kept)
    labels = np.searchsorted(donors.classes, donors.label[rows])
    compared = {trait: np.concatenate(values) for trait, values in parts.items()}
    pairs, score = _associated(compared, labels, donors, rows)
    blobs = {"pairs": tables.pack(pairs), "donors": tables.pack({"image": donors.place[rows], "score": score}),
             "files": canonical_json(_files(np.array(files), labels, donors)),
             "whole": tables.pack(packed(whole[0])), "around": tables.pack(packed(around[0])),
             "usual": tables.pack({"usual": usual})}  # fmt: skip
    return Output(blobs, {"classes": len(donors.classes)})


class Donors:
    """Pictures of the atlas that classes' traits are taken from, as many of each class.

    Args:
        step: Whose inputs hold the collected shards.

    Attributes:
        classes: Those with enough pictures, ascending.
        label: Class of each labelled picture of the atlas.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        shards = [step.table(record, "images") for record in step.inputs("collect") if "images" in record["blobs"]]
        found = {name: np.concatenate([shard[name] for shard in shards]) for name in ("image", "label", "logits")}
        known = (found["label"] >= 0) & (found["label"] < found["logits"].shape[1])
        self.place, self.label, self.logits = (found[name][known] for name in ("image", "label", "logits"))
        counts = np.bincount(self.label, minlength=1)
        most = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
        self.classes: NDArray[np.int64] = np.sort(most[counts[most] >= LEAST_DONORS])

    @cached_property
    def each(self) -> int:
        """Pictures of a class at most."""
        asked: int = self._step.parameters["options"]["donors"]
        return max(LEAST_DONORS, min(asked, MOST_PICTURES // max(1, len(self.classes))))

    def rows(self, name: int) -> NDArray[np.int64]:
        """Some pictures of a class, in an order of chance."""
        own = np.flatnonzero(self.label == name)
        return chance("donors", self._step.parameters["seed"], int(name)).permutation(own)[: self.each]

    def read(self, name: int) -> tuple[NDArray[np.int64], NDArray[np.uint8], list[tuple[float, ...]]]:
        """Rows and pixels of a class's pictures that can be read, and what their files tell."""
        plan = self._step.plan
        dataset, given = self._step.runtime.dataset(plan), plan.model.card.input
        rows, pixels, files = [], [], []
        for row in self.rows(name).tolist():
            try:
                data = dataset.read(dataset.listing.images[int(self.place[row])])
                pixels.append(read_pixels(data, given))
            except ImageError:  # it changed since it was listed
                continue
            rows.append(row)
            files.append(told_by_file(data))
        shape = given.height, given.width, given.channels
        return np.array(rows, np.int64), np.stack(pixels) if pixels else np.empty((0, *shape), np.uint8), files


def statistics_of(pictures: NDArray[np.uint8], *, around: bool = False) -> Statistics:
    """Of many pictures, or of what lies around their middles, a few at a time."""
    part = places(*pictures.shape[1:3])[AROUND] if around else None
    found = Statistics.of(pictures[:AT_ONCE], part)
    for first in range(AT_ONCE, len(pictures), AT_ONCE):
        found = found + Statistics.of(pictures[first : first + AT_ONCE], part)
    return found


def packed(statistics: Statistics) -> tables.Table:
    """Statistics as a table."""
    sizes = np.array([statistics.pictures, statistics.pixels], np.int64)
    spectrum = np.stack([statistics.spectrum.real, statistics.spectrum.imag])
    return {"sizes": sizes, "colour": statistics.colour, "second": statistics.second, "spectrum": spectrum}


def unpacked(table: tables.Table) -> Statistics:
    """The inverse of `packed`."""
    real, imaginary = table["spectrum"]
    return Statistics(int(table["sizes"][0]), int(table["sizes"][1]), table["colour"], table["second"],
                      real + 1j * imaginary)  # fmt: skip


def _associated(
    found: dict[str, NDArray[np.float32]], labels: NDArray[np.int64], donors: Donors, rows: NDArray[np.int64]
) -> tuple[tables.Table, NDArray[np.float32]]:
    """Every class with every trait (class, trait, separation, beyond), those that go together most first.

    And how much each donor has what goes with its class, shape (donors, traits).
    """
    logits = donors.logits[rows].astype(np.float64)
    logits -= logits.mean(axis=1, keepdims=True)
    told, own = [], []
    for trait, name in enumerate(TRAITS):
        looks = scores(found[name], labels, len(donors.classes))
        own.append(looks[np.arange(len(labels)), labels])
        for number, index in enumerate(donors.classes.tolist()):
            other = labels != number
            apart = separation(looks[:, number], ~other)
            beyond = beyond_label(looks[other, number], logits[other, index], labels[other])
            told.append((index, trait, apart, beyond))
    told.sort(key=lambda one: (-one[2], one[0], one[1]))
    columns = [np.array(column) for column in zip(*told, strict=True)]
    pairs = dict(zip(("class", "trait", "separation", "beyond"), columns, strict=True))
    return pairs, np.stack(own, axis=1).astype(np.float32)


def _files(values: NDArray[np.float64], labels: NDArray[np.int64], donors: Donors) -> list[dict[str, Any]]:
    """Properties of files that tell a class from all others, though no network sees them; the strongest first."""
    told = []
    for number, index in enumerate(donors.classes.tolist()):
        for name, column in zip(FILE, values.T, strict=True):
            if np.isfinite(column).all():
                apart = separation(column, labels == number)
                told.append({"class": index, "property": name, "separation": significant(max(apart, 1 - apart))})
    return sorted(told, key=lambda one: (-one["separation"], one["class"], one["property"]))[:NAMED]
