"""The patch test: paste each patch in every corner of every base image, controls likewise, and say what flips."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from atlas_core import tables
from atlas_core.audit.flips import CORNERS, PLACES, described, pooled, verdict
from atlas_core.audit.pasting import Pastes, chance, corners, noise_patches, random_crops
from atlas_core.audit.patches import RIVALS_A_PART, OfCells, OfImages, PatchRequest, Searched
from atlas_core.keys import canonical_json, digest
from atlas_core.models.preprocessing import read_pixels, read_whole
from atlas_core.pyramid import decode_tile, undisplayed
from atlas_core.stages.bench import Bases, Bench
from atlas_core.stages.cellmates import Cellmates
from atlas_core.stages.evidence import strip
from atlas_core.stages.pasted_sheet import sheet
from atlas_core.stages.step import Output, Step, marked
from atlas_core.statistics import probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

CONTROLS = 50
"""Different control patches of a kind; base images take turns with them."""
TILE = 10


class PatchTest:
    """A patch test: its base images and its patches.

    Args:
        step: Of the test.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.request = PatchRequest(**step.parameters["request"])
        self.target = int(self.request.target)
        self.bench = Bench(step, step.parameters["base"], self.request.seed)
        given = self.bench.card.input
        self.whole = given.height, given.width
        self.pixels = [max(2, round(size * min(self.whole))) for size in self.request.sizes]

    @cached_property
    def bases(self) -> Bases:
        """Recognised images of the base class, or of all but the target, at most as many as asked for."""
        rows = self.bench.rows(None if self.request.base is None else int(self.request.base))
        labels = self.bench.labels(rows)
        return self.bench.bases(rows[labels != self.target][: self.request.images])

    def expect(self, calls: int) -> None:
        """Say how much is to come, so that progress only grows: every base image, so many times."""
        self.bench.passes.expected = calls * len(self.bases.label)

    @property
    def places(self) -> int:
        """Places of a patch on every base image."""
        return CORNERS + self.request.random

    def pasted(self, patches: Sequence[Pixels], name: str) -> dict[str, NDArray[Any]]:
        """Base images with patches, which take turns, in every corner and, if asked for, at a random place.

        Returns:
            flipped (bool), gain and probability of the target, and own, the probability of the image's class, each of
            shape (places, bases); mean_gain of every class at the first place, shape (classes,).
        """
        height, width = patches[0].shape[:2]
        room = self.whole[0] - height, self.whole[1] - width
        count = len(self.bases.label)
        places = [np.tile(corner, (count, 1)) for corner in corners(room)]
        if self.request.random:
            random = chance("place", self.request.seed, name, height, width)
            places.append(np.stack([random.integers(0, free + 1, count) for free in room], axis=1))
        return self._measured(patches, np.stack(places))

    def _measured(self, patches: Sequence[Pixels], places: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        base = np.arange(len(self.bases.label))
        found: dict[str, list[NDArray[Any]]] = {"flipped": [], "gain": [], "probability": [], "own": []}
        mean = np.zeros(self.bases.logits.shape[1])
        for number, place in enumerate(places):
            pastes = Pastes(base, base % len(patches), place[:, 0], place[:, 1])
            logits = self.bench.logits(self.bases, patches, pastes)
            gain = logits - self.bases.logits
            shares = probabilities(logits)
            found["flipped"].append(logits.argmax(axis=1) == self.target)
            found["gain"].append(gain[:, self.target])
            found["probability"].append(shares[:, self.target])
            found["own"].append(shares[base, self.bases.label])
            mean = gain.mean(axis=0) if number == 0 and len(gain) else mean
        return {**{name: np.stack(values) for name, values in found.items()}, "mean_gain": mean}

    def patch(self, number: int) -> tuple[dict[str, Any], list[Pixels]] | None:
        """A patch at every size, with what it is; None where fewer were found than asked for."""
        patches = self.request.patches
        if isinstance(patches, OfImages):
            return {"image": patches.images[number]}, [self._scaled(patches.images[number], side)
                                                       for side in self.pixels]  # fmt: skip
        if isinstance(patches, OfCells) and patches.icons:
            return self._icon(patches, number)
        found = self._crops
        if number >= len(found):
            return None
        cell, sample = found[number]
        column, row = self._layer.place(cell)
        told = {"layer": self._layer.name, "column": column, "row": row,
                "exemplar": {"image": self.bench.dataset.listing.images[sample.image], "row": sample.row,
                             "column": sample.column}}  # fmt: skip
        return told, [self.bench.cut(self._layer.name, sample, side, side) for side in self.pixels]

    @cached_property
    def _layer(self) -> Cellmates:
        patches = self.request.patches
        if isinstance(patches, OfImages):
            raise TypeError("pictures have no layer")
        side = (self.step.plan.spec.levels or [])[patches.z]
        return Cellmates(self.step, self.bench, str(patches.layer), side)

    @cached_property
    def _crops(self) -> list[tuple[int, Any]]:
        """Cells and the samples that patches are cut around."""
        patches = self.request.patches
        if isinstance(patches, Searched):
            return self._searched(patches.count)
        if isinstance(patches, OfCells):
            places = {self._layer.place(cell): cell for cell in range(len(self._layer.level["column"]))}
            cells = [places[one.column, one.row] for one in patches.cells]
            return [(cell, sample) for cell in cells for sample in self._layer.exemplars(cell)[: patches.each]]
        return []

    def _searched(self, count: int) -> list[tuple[int, Any]]:
        """As the article looked: where what speaks for the target does not for the base class, and looks like neither.

        Pictures of the target hold what makes it; what is sought is what does the same elsewhere.
        """
        values = self._layer.attribution.astype(np.float64)
        against = values[int(self.request.base)] if self.request.base is not None else values.mean(axis=0)
        order = np.argsort(-(values[self.target] - against), kind="stable").tolist()
        strange, others = [], []
        for cell in order:
            strays = [
                one for one in self._layer.strays(cell, self.target) if self._label(one.image) != self.request.base
            ]
            if strays:
                strange.append((cell, strays[0]))
            else:
                others += [(cell, sample) for sample in self._layer.exemplars(cell)[:1]]
            if len(strange) == count:
                break
        return (strange + others)[:count]

    def _label(self, image: int) -> int:
        return int(self.bench.dataset.listing.labels[image])

    def _scaled(self, blob: str, side: int) -> Pixels:
        """A user's picture in its own shape, its longer side that of a patch."""
        given = self.bench.card.input
        data = self.step.runtime.store.get_blob(blob)
        height, width = read_whole(data, given, 1.0).shape[:2]
        scale = side / max(height, width)
        size = {"height": max(1, round(height * scale)), "width": max(1, round(width * scale))}
        return read_pixels(data, given.model_copy(update={**size, "crop": None, "resize": None}))

    def _icon(self, patches: OfCells, number: int) -> tuple[dict[str, Any], list[Pixels]]:
        cell, layer = patches.cells[number], str(patches.layer)
        side = (self.step.plan.spec.levels or [])[patches.z]
        (record,) = self.step.inputs("render", layer=layer, side=side, x=cell.column // TILE, y=cell.row // TILE)
        size = record["info"]["size"]
        tile = decode_tile(self.step.runtime.store.get_blob(record["blobs"]["tile"]))
        icon = tile[cell.row % TILE * size :, cell.column % TILE * size :][:size, :size, :3]
        given = self.bench.card.input
        if given.channels not in (1, 3):
            grey = np.full((*icon.shape[:2], given.channels), 128, np.uint8)
            shown = undisplayed(icon, grey, given.visible)
        else:
            shown = np.empty((*icon.shape[:2], given.channels), np.uint8)
            shown[..., list(given.visible)] = icon[..., : len(given.visible)]
        told = {"layer": layer, "column": cell.column, "row": cell.row, "icon": True}
        return told, [resized(shown, side) for side in self.pixels]


def resized(picture: Pixels, side: int) -> Pixels:
    """A square picture of any channels at another size."""
    planes = (Image.fromarray(np.ascontiguousarray(picture[..., channel])) for channel in range(picture.shape[2]))
    return np.stack([np.asarray(plane.resize((side, side), Image.Resampling.LANCZOS)) for plane in planes], axis=2)


def paste_part(step: Step) -> Output:
    """Paste one patch, or the controls, or some rivals, on all base images."""
    test = PatchTest(step)
    of, number = step.parameters["of"], step.parameters["n"]
    made = _controls(test) if of == "controls" else {"patch": _patch, "rivals": _rivals}[of](test, number)
    passes = test.bench.passes
    return Output(made.blobs, {**made.info, "passes": passes.done, **marked(passes.batches.halved)})


def _patch(test: PatchTest, number: int) -> Output:
    found = test.patch(number)
    if found is None or not len(test.bases.label):
        return Output({}, {})
    told, patches = found
    test.expect(len(patches) * test.places)
    rows = [test.pasted([patch], f"patch {number}") for patch in patches]
    picture = strip([patches[-1]], test.bench.card.input.visible)
    return Output({"pasted": tables.pack(_stacked(rows)), "patch": picture}, {"source": told})


def _controls(test: PatchTest) -> Output:
    """Crops at random places of pictures that the model takes for the target, and noise."""
    pictures = test.bench.controls(test.target, CONTROLS)
    info: dict[str, Any] = {"crops_images": len(pictures)}
    blobs: dict[str, bytes] = {}
    if not len(test.bases.label):
        return Output({}, info)
    channels = test.bench.card.input.channels
    test.expect(2 * len(test.pixels) * test.places)
    for name in ("crops", "noise"):
        rows = []
        for side in test.pixels:
            random = chance(name, test.request.seed, test.target, side)
            patches: Sequence[Pixels] = list(noise_patches(random, CONTROLS, side, side, channels))
            if name == "crops" and pictures:
                patches = random_crops(random, pictures, CONTROLS, side, side)
            rows.append(test.pasted(patches, name))
        if name == "noise" or pictures:
            blobs[name] = tables.pack(_stacked(rows))
    return Output(blobs, info)


def _rivals(test: PatchTest, first: int) -> Output:
    """Whole pictures of the atlas, scaled to the largest patch, at the top left of every base image."""
    listing = test.bench.dataset.listing
    places = chance("rivals", test.request.seed).permutation(len(listing.images))
    kept = [place for place in places.tolist() if listing.labels[place] not in (test.target, test.request.base)]
    side, gains = test.pixels[-1], []
    top = np.zeros((1, len(test.bases.label), 2), np.int64)
    part = kept[first : min(first + RIVALS_A_PART, test.request.rivals)]
    test.expect(len(part))
    for place in part:
        patch = resized(test.bench.picture(place), side)
        found = test._measured([patch], top)
        gains.append(
            [float(found["gain"].mean()), int((found["mean_gain"] > found["mean_gain"][test.target]).sum()) + 1]
        )
    return Output({}, {"rivals": gains})


def _stacked(rows: Sequence[dict[str, NDArray[Any]]]) -> tables.Table:
    """Measures at every size: flipped, gain, probability, own (sizes, places, bases), mean_gain (sizes, classes)."""
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def publish_patches(step: Step) -> Output:
    """Say what flips, beside the controls, and draw it."""
    test = PatchTest(step)
    patches, pasted, pictures = [], [], []
    for record in step.inputs("publish", step="pasted", of="patch"):
        if "pasted" in record["blobs"]:
            pasted.append(step.table(record, "pasted"))
            pictures.append(record["blobs"]["patch"])
            patches.append(record["info"]["source"])
    (control,) = step.inputs("publish", step="pasted", of="controls")
    controls = {name: step.table(control, name) for name in ("crops", "noise") if name in control["blobs"]}
    rivals = [
        gain for record in step.inputs("publish", step="pasted", of="rivals") for gain in record["info"]["rivals"]
    ]
    common: dict[str, Any] = {"sizes": test.request.sizes, "pixels": test.pixels, "seed": test.request.seed}
    told = [{"n": number, "source": source, "picture": picture, **described(table, rivals, test.target, **common)}
            for number, (source, picture, table) in enumerate(zip(patches, pictures, pasted, strict=True))]  # fmt: skip
    names = test.bench.names
    every = pooled(pasted, **common)
    beside = {name: described(table, [], test.target, **common) for name, table in controls.items()}
    judged, reason, needs = verdict(every, beside, len(test.bases.label), control["info"]["crops_images"])
    description: dict[str, Any] = {
        "schema_version": 1, "request": step.parameters["request"],
        "target": {"index": test.target, "name": names[test.target]},
        "base": None if test.request.base is None else
        {"index": int(test.request.base), "name": names[int(test.request.base)]},
        "held_out": bool(step.parameters["base"]), "base_images": len(test.bases.label),
        "control_images": control["info"]["crops_images"], "places": [*PLACES, *(["random"] * test.request.random)],
        "verdict": judged, "reason": reason, "needs": needs, "patches": told, "pooled": every, "controls": beside,
        "rivals": len(rivals),
        "forward_passes": sum(record["info"]["passes"] for record in step.inputs("publish", step="pasted")),
    }  # fmt: skip
    blobs: dict[str, bytes] = {}
    if pasted:
        blobs["sheet"] = sheet(test, pasted, names)
    described_ = {**description, "digest": digest(description)}
    summary = {"verdict": judged, "reason": reason}
    return Output({"description": canonical_json(described_), **blobs},
                  {"digest": described_["digest"], "summary": summary})  # fmt: skip
