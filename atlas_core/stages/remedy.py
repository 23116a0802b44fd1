"""Remedies tried: a class's findings muted at their layer, flips and accuracy before and after, the repaired model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from atlas_core.audit.findings import Remedy
from atlas_core.audit.muting import Mute, groups, muting, under
from atlas_core.audit.pasting import Pastes, at_random, chance, pasted
from atlas_core.audit.remedy import (
    LEAST_APART,
    TESTED,
    Counts,
    Strength,
    Treatment,
    blob_name,
    chosen,
    counted,
    ladder,
    of_others,
    told,
    treatments,
)
from atlas_core.audit.verdicts import Thresholds, judge
from atlas_core.errors import ModelError
from atlas_core.keys import canonical_json
from atlas_core.models.base import load_model
from atlas_core.models.muted import Muting
from atlas_core.models.preprocessing import to_unit
from atlas_core.sampling import centres
from atlas_core.stages.base import base_of
from atlas_core.stages.bench import Bases, Bench
from atlas_core.stages.cellmates import Cellmates
from atlas_core.stages.step import Output, Step
from atlas_core.whitening import Whitening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.audit.findings import Finding
    from atlas_core.models.base import LoadedModel

ORDINARY = 20_000
"""Samples of other classes that tell what is ordinary, spread over all."""
GROUPS, GROUPED_PASTES = 4, 60
"""Of the activations under pasted patches."""
BATCH_PIXELS = 600_000
SAME, CHECKED = 1e-4, 16
"""How far logits of the exported model may be off, and of how many images."""


def remedy(step: Step) -> Output:
    """Try to cure one of the classes that the shortcut audit found."""
    (record,) = step.inputs("publish", step="shortcuts")
    measured = json.loads(step.runtime.store.get_blob(record["blobs"]["measured"]))
    found = treatments(judge(measured, Thresholds(**step.parameters["thresholds"])))
    place = step.parameters["place"]
    if place >= len(found):
        return Output({"tried": canonical_json(None)})
    trial = Trial(step, found[place])
    try:
        made, model = trial.run()
    except ModelError as error:
        made, model = trial.failed(error.detail), None
    value = {"findings": [finding.id for finding in found[place].findings], "remedy": made,
             "name": trial.blob, "class": found[place].target}  # fmt: skip
    return Output({"tried": canonical_json(value), **({} if model is None else {trial.blob: model})})


@dataclass(frozen=True)
class Pasting:
    """Patches pasted on base images, pictured a batch at a time.

    Args:
        bases: Base images that are pasted on.
        patches: Square.
        pastes: Which on which, and where.
    """

    bases: Bases
    patches: list[NDArray[np.uint8]]
    pastes: Pastes

    def pictures(self, some: slice) -> NDArray[np.uint8]:
        """Some of the pastes, shape (n, height, width, channels)."""
        chosen = (values[some] for values in (self.pastes.base, self.pastes.patch, self.pastes.top, self.pastes.left))
        return pasted(self.bases.pixels, self.patches, Pastes(*chosen))

    @property
    def sides(self) -> NDArray[np.int64]:
        """Side of the patch of each paste, shape (n,)."""
        return np.array([len(patch) for patch in self.patches], np.int64)[self.pastes.patch]

    @property
    def middles(self) -> NDArray[np.float64]:
        """Its middle, vertical and horizontal, in pixels, shape (n, 2)."""
        return np.stack([self.pastes.top, self.pastes.left], axis=1) + self.sides[:, None] / 2


class Trial:
    """A treatment tried: where and how hard is chosen on some base images, what it does is told of others.

    Args:
        step: Its inputs are those of the shortcut audit.
        treatment: What to try.
    """

    def __init__(self, step: Step, treatment: Treatment) -> None:
        """Nothing is read yet."""
        self.step, self.treatment = step, treatment
        self.seed: int = step.parameters["seed"]
        self.images: int = step.parameters["images"]
        self.bench = Bench(step, step.parameters["base"], self.seed)
        self.cells = {name: Cellmates(step, self.bench, name, step.parameters["side"])
                      for name in step.parameters["layers"]}  # fmt: skip
        self.blob = blob_name(treatment.name, treatment.target)

    @property
    def model(self) -> LoadedModel:
        """The model."""
        return self.step.runtime.model(self.bench.card)

    def run(self) -> tuple[dict[str, Any], bytes | None]:
        """The remedy as it is told, and the repaired model where it works.

        Raises:
            ModelError: The model has no gradients in torch, or cannot be exported.
        """
        rows, others = self._split()
        chosen_on = self.bench.bases(rows)
        choosing = self._pasting(chosen_on, self.images // 2, "choosing")
        mutes: dict[Strength, Mute] = {}
        counts: list[Counts] = []
        for layer in self.cells:
            some = self._ladder(layer, choosing)
            mutes |= some
            counts += self._answers(layer, choosing, chosen_on, list(some.values()))
        best = chosen(dict(zip(mutes, counts, strict=True)))
        fresh = self._fresh(rows)
        apart = len(fresh) >= LEAST_APART
        tested_on = self.bench.bases(others)
        testing = self._pasting(self.bench.bases(fresh) if apart else tested_on, TESTED * self.images // 2, "testing")
        (found,) = self._answers(best.layer, testing, tested_on, [mutes[best]])
        made = told(self.treatment, best, found, self.blob, apart=apart)
        model = self._exported(best.layer, mutes[best], testing) if made.works else None
        return made.model_dump(mode="json"), model

    def failed(self, why: str) -> dict[str, Any]:
        """A remedy that could not be tried."""
        return Remedy(works=False, summary=f"muting could not be tried: {why}", statistics={}).model_dump(mode="json")

    def _split(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of labelled base images to choose on, and others to test on: at most a third and the rest."""
        labelled = np.flatnonzero(base_of(self.step, self.step.parameters["base"])["label"] >= 0)
        mixed = chance("remedy", self.seed, self.treatment.target).permutation(labelled)
        first = min(self.images, len(mixed) // (1 + TESTED))
        return mixed[:first], mixed[first : first + TESTED * self.images]

    def _fresh(self, chosen_on: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of recognised base images that nothing was screened, confirmed or chosen on, as many as are needed."""
        table = base_of(self.step, self.step.parameters["base"])
        right = np.flatnonzero(of_others(table["label"], self.treatment.target)
                               & (table["logits"].argmax(axis=1) == table["label"]))  # fmt: skip
        left = np.setdiff1d(right, np.concatenate([self.bench.rows(), chosen_on]))
        return chance("fresh", self.seed, self.treatment.target).permutation(left)[: TESTED * self.images]

    def _ladder(self, layer: str, choosing: Pasting) -> dict[Strength, Mute]:
        """What is tried at a layer, from the mildest on."""
        (made,) = self.step.inputs("cells", layer=layer, step=None)
        white = Whitening.from_tables(self.step.table(made, "whitening"))
        means = [self.cells[layer].level["mean"][self._place(one)] for one in self.treatment.findings
                 if one.layer == layer]  # fmt: skip
        means += self._grouped(layer, choosing, white)
        ordinary = self._ordinary(layer)
        return {one: muting(white, means[: one.directions], ordinary, one.quantile, one.times)
                for one in ladder(layer, len(means))}  # fmt: skip

    def _grouped(self, layer: str, pasting: Pasting, white: Whitening) -> list[NDArray[np.float32]]:
        """Means of groups of what a layer makes of the patches, pasted on other pictures."""
        shape = self.step.plan.model.layer(layer)
        row, column = np.indices(shape.shape[1:], np.int16).reshape(2, -1)
        where = centres(row, column, shape, self.bench.card.input)
        head = self.model.head(layer)
        found = []
        for some in self._batches(min(GROUPED_PASTES, len(pasting.pastes))):
            with torch.no_grad():
                maps = head.prepare(self._tensor(pasting.pictures(some))).activations.flatten(2).cpu().numpy()
            looking = under(pasting.middles[some], pasting.sides[some], where)
            found.append(maps.transpose(0, 2, 1)[looking])
        activations = np.concatenate(found)
        group = groups(white.directions(activations), GROUPS)
        return [activations[group == one].mean(axis=0) for one in range(group.max() + 1)]

    def _place(self, finding: Finding) -> int:
        """The cell of a finding, as its level counts cells."""
        assert finding.cell is not None, "findings of the shortcut audit have a cell"
        level = self.cells[str(finding.layer)].level
        return int(np.flatnonzero((level["column"] == finding.cell.column) & (level["row"] == finding.cell.row))[0])

    def _ordinary(self, layer: str) -> NDArray[np.float32]:
        """Activations of pictures of other classes, shape (n, channels)."""
        labels = self.bench.dataset.listing.labels
        every = max(1, self.step.plan.spec.samples // ORDINARY)
        parts = []
        for record in self.step.inputs("collect"):
            if f"layer {layer}" in record["blobs"]:
                shard = self.step.table(record, f"layer {layer}")
                parts.append(shard["activations"][of_others(labels[shard["image"]], self.treatment.target)][::every])
        return np.concatenate(parts).astype(np.float32)

    def _pasting(self, bases: Bases, most: int, name: str) -> Pasting:
        """The findings' own patches on base images of other classes, those that the model is right on."""
        patches = [self.bench.cut(str(one.layer), sample, side, side) for one in self.treatment.findings
                   for side in [int(one.statistics["size"])]  # type: ignore[arg-type]
                   for sample in self.cells[str(one.layer)].exemplars(self._place(one))]  # fmt: skip
        given, largest = self.bench.card.input, max(map(len, patches))
        room = given.height - largest, given.width - largest
        right = of_others(bases.label, self.treatment.target) & (bases.logits.argmax(axis=1) == bases.label)
        random = chance("remedy", name, self.seed, self.treatment.target)
        return Pasting(bases, patches, at_random(random, np.flatnonzero(right), len(patches), most, room))

    def _answers(self, layer: str, pasting: Pasting, plainly: Bases, mutes: Sequence[Mute]) -> list[Counts]:
        """What each mute does to pastes of the findings' own patches, and to images as they are."""
        turned = self._predicted(layer, pasting.pictures, len(pasting.pastes), mutes)
        plain = self._predicted(layer, lambda some: plainly.pixels[some], len(plainly.label), mutes)
        return [counted(turned[0], after, self.treatment.target, plain[0], still, plainly.label)
                for after, still in zip(turned[1:], plain[1:], strict=True)]  # fmt: skip

    def _predicted(self, layer: str, pictures: Callable[[slice], NDArray[np.uint8]], n: int,
                   mutes: Sequence[Mute]) -> NDArray[np.int64]:  # fmt: skip
        """Predicted classes of n pictures, shape (1 + mutes, n): as the model is, and with each mute."""
        head = self.model.head(layer)
        ways = [nn.Identity(), *(Muting(mute).to(self.model.device) for mute in mutes)]
        found = np.empty((len(ways), n), np.int64)
        for some in self._batches(n):
            with torch.no_grad():
                state = head.prepare(self._tensor(pictures(some)))
                for number, way in enumerate(ways):
                    found[number, some] = head(state, way(state.activations)).argmax(1).cpu().numpy()
            self.step.on_progress(some.stop, n)
        return found

    def _batches(self, n: int) -> Iterator[slice]:
        given = self.bench.card.input
        size = max(1, BATCH_PIXELS // (given.height * given.width))
        return (slice(first, min(first + size, n)) for first in range(0, n, size))

    def _tensor(self, pixels: NDArray[np.uint8]) -> torch.Tensor:
        return torch.from_numpy(to_unit(pixels)).to(self.model.device)

    def _exported(self, layer: str, mute: Mute, testing: Pasting) -> bytes:
        """The repaired model, once onnxruntime has given the same logits as torch.

        Raises:
            ModelError: It cannot be exported, or its logits are others.
        """
        data = self.model.muted(layer, mute)
        source = f"sha256:{hashlib.sha256(data).hexdigest()}"
        as_onnx: dict[str, Any] = {"format": "onnx", "source": source, "weights": None, "architecture": None,
                                   "arguments": {}}  # fmt: skip
        repaired = load_model(self.bench.card.model_copy(update=as_onnx), lambda _: data)
        pixels = testing.bases.pixels[:CHECKED]
        _, given = repaired.activations(to_unit(pixels), [], logits=True)
        head = self.model.head(layer)
        with torch.no_grad():
            state = head.prepare(self._tensor(pixels))
            wanted = head(state, Muting(mute).to(self.model.device)(state.activations)).cpu().numpy()
        off = np.inf if given is None or given.shape != wanted.shape else float(np.abs(given - wanted).max())
        if not off <= SAME * max(1.0, float(np.abs(wanted).max())):
            raise ModelError(f"the repaired model differs from torch's by {off:.2g} as ONNX")
        return data


def publish_remedies(step: Step) -> Output:
    """Put together what was tried: remedies by the ids of findings, and the repaired models."""
    store = step.runtime.store
    measured, blobs = {}, {}
    for record in step.inputs("publish", step="remedy"):
        tried = json.loads(store.get_blob(record["blobs"]["tried"]))
        if tried is None:
            continue
        measured.update(dict.fromkeys(tried["findings"], tried["remedy"]))
        if tried["name"] in record["blobs"]:
            blobs[tried["name"]] = store.get_blob(record["blobs"][tried["name"]])
    return Output({"measured": canonical_json(measured), **blobs})
