"""The samples of a layer as they are told: found on the map, named, each with a link to its crop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from atlas_core.clarity import in_clear_cells
from atlas_core.class_index import ClassIndex
from atlas_core.class_names import LONGEST_INDEX, told_class
from atlas_core.errors import InputError, NotFoundError
from atlas_core.plan import Plan
from atlas_core.pyramid import displayed, png
from atlas_core.sampling import seen_from
from atlas_core.search import NONE, SampleTable, Wanted
from atlas_core.selections import marked, speaking
from service.artifacts import Artifacts
from service.class_index import class_index

Source = Literal["stored", "dataset", "image"]
STRICT = "this atlas was made with privacy `strict` and keeps no crops"


class Samples:
    """The samples of a layer.

    Args:
        artifacts: What reads them.
        plan: The atlas's.
        layer: Name of one of its layers.

    Attributes:
        plan: The atlas's.
        layer: The layer's name.
        table: Where they lie, in the order of the map.

    Raises:
        NotFoundError: There is no such layer, or its samples are not laid out yet.
        ConflictError: The atlas is of a version that kept no table of them.
    """

    def __init__(self, artifacts: Artifacts, plan: Plan, layer: str) -> None:
        """Find the table; its columns are read where they are looked at."""
        self._artifacts, self.plan, self.layer = artifacts, plan, layer
        artifacts.check_layer(plan, layer)
        record = artifacts.record(plan.samples_of(layer))
        if record is None:
            raise artifacts.missing(plan, f"the samples of {layer!r} are not laid out yet")
        self._blob: str = record["blobs"]["samples"]
        self.table = SampleTable.from_tables(artifacts.table(self._blob))
        self._predictions: Sequence[str] = plan.model.class_names
        self._labels: Sequence[str] = plan.dataset.classes or ()

    def wanted(self, label: str | None, predicted: str | None, *, wrong: bool, right: bool) -> Wanted:
        """What was asked for, by indices or names of classes.

        Raises:
            InputError: There is no such class, nothing is labelled, the model has no classes, or it is asked for
                images that the network got both wrong and right.
        """
        dataset, model, asked = self.plan.dataset, self.plan.model, "right" if right else "wrong"
        if wrong and right:
            raise InputError("no image is both `wrong` and `right`; ask for one of them", pointer="/right")
        if (wrong or right) and dataset.classes is None:
            raise InputError(f"the images of {dataset.name!r} have no labels to ask for",
                             pointer=f"/{asked}" if label is None else "/label")  # fmt: skip
        if (wrong or right) and model.classes is None:
            raise InputError(f"the model {model.card.name!r} has no logits, so it takes no image for anything",
                             pointer=f"/{asked}" if predicted is None else "/predicted")  # fmt: skip
        return Wanted(
            None if label is None else dataset.label_named(label, "/label"),
            None if predicted is None else model.class_named(predicted, "/predicted"),
            wrong,
            right,
        )

    def image_named(self, asked: str) -> int:
        """Place in the listing of an image, asked for as samples tell it.

        Raises:
            InputError: The dataset has none of that name.
        """
        listed = range(self.plan.dataset.images) if self.plan.spec.strict else self._artifacts.images(self.plan)
        number = self.plan.spec.strict and asked.isdecimal() and len(asked) <= LONGEST_INDEX
        wanted: Any = int(asked) if number else asked
        try:
            return listed.index(wanted)
        except ValueError:
            raise InputError(f"the dataset {self.plan.dataset.name!r} has no image {asked[:200]!r}; ask for one that a "
                             "sample tells", pointer="/image") from None  # fmt: skip

    def speaking(self, asked: str, by: str) -> NDArray[np.bool_]:
        """Of every sample whether it speaks for a class, shape (n,).

        Args:
            asked: The class, by index or name.
            by: `magnitude` or `rank`.

        Raises:
            InputError: There is no such class, or samples add to none.
            NotFoundError: The samples are not attributed yet.
            ConflictError: The atlas is of a version that kept no index.
        """
        plan, layer = self.plan, self.layer
        if (reason := plan.unattributed(layer)) is not None:
            raise InputError(f"samples of {layer!r} cannot be asked by class: {reason}", pointer="/speaks_for")
        label = plan.model.class_named(asked, "/speaks_for")
        return marked(speaking(self.class_index(), label, by), len(self.table))

    def class_index(self) -> ClassIndex | None:
        """Which samples speak for which class; None where an earlier version made the classes.

        Raises:
            NotFoundError: The samples are not attributed yet.
        """
        if self._artifacts.record(self.plan.classes_of(self.layer)) is None:
            raise self._artifacts.missing(self.plan, f"the samples of {self.layer!r} are not attributed yet")
        return class_index(self._artifacts, self.plan, self.layer)

    def in_clear_cells(self) -> NDArray[np.bool_]:
        """Of every sample, in the table's order, whether its cell at the finest level has a clear class, shape (n,).

        All where an earlier version told no attributions of cells.
        """
        artifacts, plan, layer = self._artifacts, self.plan, self.layer
        classes, cells = (
            artifacts.record(chunk) or {"blobs": {}} for chunk in (plan.classes_of(layer), plan.cells_of(layer))
        )
        side = max(
            (int(name.removeprefix("level-")) for name in cells["blobs"] if name.startswith("level-")), default=0
        )
        if f"attribution-{side}" not in classes["blobs"]:
            return np.ones(len(self.table), np.bool_)
        level = artifacts.table(cells["blobs"][f"level-{side}"])
        attribution = artifacts.table(classes["blobs"][f"attribution-{side}"])["attribution"]
        return in_clear_cells(self.table.layout, side, level, attribution)

    def images(self, rows: NDArray[np.integer[Any]], part: slice = slice(None)) -> tuple[list[dict[str, Any]], int]:
        """The images of some samples, in the order of the listing, each with how many it has of them.

        Args:
            rows: Of the table.
            part: Of the images, those that are told.

        Returns:
            Them as they are told, and how many there are in all.
        """
        table = self.table
        names = None if self.plan.spec.strict else self._artifacts.images(self.plan)
        images, counts = table.images(rows)
        one_of = rows[np.unique(table.image[rows], return_index=True)[1]]
        columns = images, counts, table.label[one_of], table.predicted[one_of]
        told = zip(*(one[part].tolist() for one in columns), strict=True)
        return [
            {"image": image if names is None else names[image], **self._answer(label, predicted), "samples": count}
            for image, count, label, predicted in told
        ], len(images)

    def _answer(self, label: int, predicted: int) -> dict[str, Any]:
        """What is known of an image."""
        return {
            "label": _named(label, self._labels),
            "predicted": _named(predicted, self._predictions),
            "right": None if NONE in (label, predicted) else label == predicted,
        }

    def described(
        self,
        rows: NDArray[np.integer[Any]],
        distance: Sequence[float] | NDArray[np.float64] | None = None,
        at: Sequence[Sequence[int]] | None = None,
    ) -> list[dict[str, Any]]:
        """Some samples as they are told.

        Args:
            rows: Of the table.
            distance: By which they are ordered, if so.
            at: Row and column of the position of an image that each is most like, if so.
        """
        images, table = None if self.plan.spec.strict else self._artifacts.images(self.plan), self.table
        url = self.url
        told = []
        for place, row in enumerate(rows.tolist()):
            number, image = int(table.sample[row]), int(table.image[row])
            label, predicted = int(table.label[row]), int(table.predicted[row])
            told.append({
                "sample": number,
                "image": image if images is None else images[image],
                "row": int(table.row[row]),
                "column": int(table.column[row]),
                "x": round(float(table.layout[row, 0]), 6),
                "y": round(float(table.layout[row, 1]), 6),
                **self._answer(label, predicted),
                "field": self._field(int(table.row[row]), int(table.column[row])),
                "crop": None if images is None else f"{url}/{number}/crop?v={self._blob}",
            })  # fmt: skip
            if distance is not None:
                told[-1]["distance"] = round(float(distance[place]), 6)
            if at is not None:
                told[-1]["at"] = {"row": at[place][0], "column": at[place][1]}
        return told

    @property
    def digest(self) -> str:
        """Of the table, by which links to what is in it are versioned."""
        return self._blob

    @property
    def url(self) -> str:
        """Path of the samples."""
        return f"/v1/atlases/{self.plan.id}/layers/{quote(self.layer, safe='')}/samples"

    def _field(self, row: int, column: int) -> list[float]:
        """What of the picture a position sees: left, top, right and bottom, in shares of its width and height."""
        card = self.plan.model.card.input
        down, across = seen_from(self.plan.model.layer(self.layer), row, column, card.height, card.width)
        return [round(one, 4) for one in (across.start / card.width, down.start / card.height,
                                          across.stop / card.width, down.stop / card.height)]  # fmt: skip

    def crop(self, sample: int, source: Source = "stored") -> tuple[bytes, str]:
        """What a sample's receptive field shows, as PNG, and the digest that its link is versioned by.

        Args:
            sample: Its number.
            source: `stored`: as it was kept with the sample, 20 pixels a side; `dataset`: cut from the dataset's image
                anew; `image`: all that the network sees of the image.

        Raises:
            NotFoundError: There is no such sample, or the atlas keeps no pictures.
            DatasetError: The image is gone, which only matters where it is read.
        """
        table, plan = self.table, self.plan
        if plan.spec.strict:
            raise NotFoundError(STRICT)
        if sample >= len(table):
            raise NotFoundError(f"there is no sample {sample}; there are 0 to {len(table) - 1}")
        if source == "stored":
            return png(Image.fromarray(displayed(self._thumbnail(sample), plan.model.card.input.visible))), self._blob
        row = table.place[sample]
        image = self._artifacts.images(plan)[int(table.image[row])]
        if source == "image":
            return self._artifacts.seen(plan, image), self._blob
        place = {"image": image, "row": int(table.row[row]), "column": int(table.column[row])}
        return self._artifacts.exemplar(plan, self.layer, place), self._blob

    def _thumbnail(self, sample: int) -> NDArray[np.uint8]:
        shards = self.table.shards
        shard = int(np.searchsorted(shards, sample, side="right")) - 1
        record = self._artifacts.record(self.plan.find("collect")[shard])
        if record is None:
            raise self._artifacts.missing(self.plan, "the samples are made again")
        found = self._artifacts.table(record["blobs"][f"layer {self.layer}"])["thumbnails"]
        thumbnail: NDArray[np.uint8] = found[sample - int(shards[shard])]
        return thumbnail


def _named(index: int, names: Sequence[str]) -> dict[str, Any] | None:
    return None if index == NONE else told_class(index, names)
