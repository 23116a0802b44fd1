"""What an agent may ask of a service: reading only. Tools give documents, and pictures where there is one to see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from PIL import Image
from pydantic import Field

from atlas_client.agents import cells, records
from atlas_client.atlas import Atlas
from atlas_client.connection import Document
from atlas_client.errors import BadInputError
from atlas_client.heatmap import draw_heatmap, listed, said_of, title_of
from atlas_client.landing import brightest_cells
from atlas_client.measures import Measure
from atlas_client.pictures import media_type, picture_bytes
from atlas_client.samples import Question, contact_sheet, crop, samples
from atlas_client.sources import ServiceSource

if TYPE_CHECKING:
    from atlas_client.client import Client

Told: TypeAlias = list[Document | str | Image.Image]

Name = Annotated[str, Field(description="Id or alias of an atlas, as `list_atlases` gives it.")]
Layer = Annotated[str | None, Field(description="Name of a layer; the atlas's first by default.")]
Level = Annotated[int, Field(ge=0, description="From 0, the coarsest; `describe_atlas` tells how many there are.")]
Label = Annotated[int | str | None, Field(description="A class by index or name.")]
Column = Annotated[int, Field(ge=0, description="From 0, at the left.")]
Row = Annotated[int, Field(ge=0, description="From 0, at the top.")]
MOST_SAMPLES = 60


class Tools:
    """The tools, over one service.

    Args:
        client: The service.
    """

    def __init__(self, client: Client) -> None:
        """Nothing is asked yet."""
        self._client = client

    def all(self) -> list[Callable[..., Told]]:
        """The tools in the order in which one would come to use them."""
        return [
            self.list_atlases, self.list_models, self.list_datasets, self.list_aliases, self.describe_atlas,
            self.show_level, self.describe_cell, self.heat_map, self.list_confusions, self.find_samples,
            self.project_image, self.list_audits, self.read_audit, self.list_drift,
        ]  # fmt: skip

    def list_atlases(self) -> Told:
        """List the atlases of the service: id, name, state, and what each is a map of."""
        return [records.atlases(self._client.atlases())]

    def list_models(self) -> Told:
        """List the registered models: id, name, state, layers and accuracy where it was measured."""
        return [records.models(self._client.models())]

    def list_datasets(self) -> Told:
        """List the registered datasets: id, name, state, images and classes."""
        return [records.datasets(self._client.datasets())]

    def list_aliases(self) -> Told:
        """List the names that stand for a model, dataset or atlas, such as pan-vision@prod."""
        return [records.aliases(self._client.aliases())]

    def describe_atlas(self, atlas: Name) -> Told:
        """Describe an atlas: model, dataset, layers, levels and how good they are; with its coarsest level to see.

        One that is not finished tells its state and progress.
        """
        document = self._client.status(atlas)
        if document.get("manifest") is None:
            return [records.unfinished(document)]
        opened = self._opened(atlas)
        layer = opened.layers[0]
        return [records.atlas(document), opened.poster(layer, opened.levels(layer)[0])]

    def show_level(self, atlas: Name, layer: Layer = None, level: Level = 0) -> Told:
        """Show a level of a map, every cell's icon in its place, row 0 on top; an orange dot: it shows little."""
        opened, name, side = self._level(atlas, layer, level)
        return [cells.level_of(opened, name, side), opened.poster(name, side)]

    def describe_cell(self, atlas: Name, column: Column, row: Row, layer: Layer = None, level: Level = 0) -> Told:
        """Describe a cell: classes that it speaks for and against, how true its icon is; with icon and real patches."""
        opened, name, side = self._level(atlas, layer, level)
        cell = self._client.cell(atlas, name, level, column, row)
        patches = (
            [self._client.picture(link) for link in cell["links"]["exemplars"]] if cells.keeps_pictures(opened) else []
        )
        return [cells.cell_of(opened, name, side, cell), cells.beside(opened, name, side, cell, patches)]

    def heat_map(
        self, atlas: Name, of_class: Label = None, measure: Annotated[
            Measure | None, Field(description="Instead of a class: a number of every cell.")
        ] = None, layer: Layer = None, level: Level = 0,
    ) -> Told:  # fmt: skip
        """Show what every cell of a map adds to a class's logit, or a measure of it, as a picture and as numbers."""
        if (of_class is None) == (measure is None):
            raise BadInputError("a heat map is of a class or of a measure; give one of them")
        opened, name, _ = self._level(atlas, layer, level)
        heat = self._client.heatmap(atlas, name, level, of_class, measure)
        ends = {title: [cells.value_of(heat, at, said_of(heat["value"][at], heat["measure"])) for at in which]
                for title, which, _ in listed(heat)}  # fmt: skip
        told = {"of": title_of(heat), "icons": opened.said_of_icons, **ends, **heat}
        return [told, draw_heatmap(heat, opened)]

    def list_confusions(self, atlas: Name) -> Told:
        """List the pairs of classes that the model confuses most surely."""
        return [records.confusions(self._client.confusions(atlas))]

    def find_samples(
        self,
        atlas: Name,
        layer: Layer = None,
        level: Level = 0,
        cell: Annotated[tuple[int, int] | None, Field(description="Column and row of a cell of the level.")] = None,
        box: Annotated[
            tuple[float, float, float, float] | None, Field(description="x0, y0, x1, y1 on the map, 0 to 1, y up.")
        ] = None,
        label: Label = None,
        predicted: Annotated[int | str | None, Field(description="What the network takes the images for.")] = None,
        wrong: Annotated[bool, Field(description="Only of images that the network got wrong.")] = False,
        most: Annotated[int, Field(ge=1, le=MOST_SAMPLES, description="Samples at most.")] = 30,
    ) -> Told:
        """Find samples of a cell or a rectangle of the map, by class and by error; with their crops on one sheet."""
        opened, name, _ = self._level(atlas, layer, level)
        question = Question(cell=cell, level=level, box=box, label=label, predicted=predicted, wrong=wrong)
        found = list(samples(self._client, atlas, name, question, most))
        told: Document = {"samples": [cells.sample_of(one) for one in found]}
        if not found or not cells.keeps_pictures(opened):
            return [told]
        return [told, contact_sheet([crop(self._client, one) for one in found], found)]

    def project_image(
        self, atlas: Name, image: Annotated[
            str, Field(description="Path of a JPEG, PNG, WebP or .npy file on this machine.")
        ],
        layer: Layer = None,
    ) -> Told:  # fmt: skip
        """Project an image onto an atlas: the model's classes, how novel the image is, and where its parts land."""
        data = picture_bytes(Path(image))
        if media_type(data) == "application/octet-stream" and not image.endswith(".npy"):
            raise BadInputError(f"{image} is no picture, so it is not sent; a JPEG, PNG, WebP or .npy file is")
        opened, name, _ = self._level(atlas, layer, 0)
        landed = self._client.project(atlas, Path(image), [name])
        side = opened.levels(name)[0]
        where = brightest_cells(landed.to_heatmap(name, side), opened.raw_cells(name, side))
        return [records.landing(landed, opened, name, side, where), landed.picture(name)]

    def list_audits(self) -> Told:
        """List the audits: state, verdict and what each looked at."""
        return [{"audits": [records.job(one) for one in self._client.all_audits()]}]

    def read_audit(
        self, audit: Annotated[str, Field(description="Id of an audit, as `list_audits` gives it.")]
    ) -> Told:
        """Read an audit: the verdict, every finding in words with its numbers, and the pictures that it rests on."""
        document = self._client.audit_document(audit)
        if document["state"] != "succeeded":
            return [records.unfinished(document)]
        summary, pictures = self._client.audit_summary(audit)
        return [records.job(document), summary, *map(cells.opened_picture, pictures)]

    def list_drift(self, atlas: Name) -> Told:
        """List the comparisons of datasets with the one that an atlas was made of: verdict and how sure it is."""
        return [{"drift": [records.job(one) for one in self._client.all_drift(atlas)]}]

    def _opened(self, atlas: str) -> Atlas:
        return Atlas(ServiceSource(self._client, atlas), atlas)

    def _level(self, atlas: str, layer: str | None, level: int) -> tuple[Atlas, str, int]:
        """The atlas, a layer's name and a level's cells a side."""
        opened = self._opened(atlas)
        name = layer or opened.layers[0]
        sides = opened.levels(name)
        if level >= len(sides):
            raise BadInputError(f"{name} has levels 0 to {len(sides) - 1}; there is no level {level}")
        return opened, name, sides[level]
