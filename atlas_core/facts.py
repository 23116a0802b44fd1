"""What a plan knows of the model, the dataset and the anchor once these are inspected."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from pydantic import Field

from atlas_core.cards import Card, LayerInfo, ModelCard
from atlas_core.class_names import class_index, told_class
from atlas_core.errors import InputError, UnknownLayerError

if TYPE_CHECKING:
    from atlas_core.spec import AtlasSpec


class ModelFacts(Card):
    """What a plan knows of a model once it is inspected; `unconvertible` says why there are no gradients, if so."""

    id: str
    card: ModelCard
    layers: list[LayerInfo]
    classes: int | None
    unconvertible: list[str] = Field(default_factory=list)

    def layer(self, name: str) -> LayerInfo:
        """The layer of this name.

        Raises:
            UnknownLayerError: The model has none; names the nearest.
        """
        names = [layer.name for layer in self.layers]
        if name in names:
            return self.layers[names.index(name)]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names[-3:]
        raise UnknownLayerError(
            f"the model {self.card.name!r} has no layer {name!r}; the nearest are {', '.join(near)}", pointer="/layers"
        )

    @property
    def class_names(self) -> list[str]:
        """Names of its classes, none where its card gives none."""
        return self.card.class_names

    def class_named(self, asked: int | str, pointer: str) -> int:
        """Index of a class, asked for by name or index.

        Raises:
            InputError: There is none, or the model has no logits.
        """
        if self.classes is None:
            raise InputError(f"the model {self.card.name!r} has no logits, so it takes no image for anything",
                             pointer=pointer)  # fmt: skip
        return class_index(asked, self.class_names, self.classes, pointer)

    def told_class(self, index: int) -> dict[str, Any]:
        """A class as it is told: its index and name."""
        return told_class(index, self.class_names)

    def unattributed(self, name: str) -> str | None:
        """Why no activation of a layer adds to any class; None where it does.

        Raises:
            UnknownLayerError: The model has no such layer.
        """
        if self.classes is None:
            return f"the model {self.card.name!r} has no logits"
        if self.unconvertible:
            return f"the model {self.card.name!r} has no gradients: {'; '.join(self.unconvertible)}"
        if self.layer(name).silent:
            return f"the logits of {self.card.name!r} do not depend on the layer {name!r}"
        return None


class DatasetFacts(Card):
    """What a plan knows of a dataset once it is listed.

    `digest` is of the listing (paths, bytes, classes), `listing` the blob that holds it.
    """

    id: str
    digest: str
    name: str
    listing: str
    images: int
    classes: list[str] | None
    class_counts: dict[str, int] | None = None

    def label_named(self, asked: int | str, pointer: str) -> int:
        """Index of a label, asked for by name or index.

        Raises:
            InputError: There is none, or nothing is labelled.
        """
        if self.classes is None:
            raise InputError(f"the images of {self.name!r} have no labels to ask for", pointer=pointer)
        return class_index(asked, self.classes, len(self.classes), pointer)

    def sampled(self, spec: AtlasSpec) -> int:
        """How many images a request samples.

        Raises:
            SpecError: It asks for so many a class, and nothing is labelled.
        """
        from atlas_core.sampling import capped_images  # loads numpy, which the command line's help does without

        return capped_images(self.images, self.class_counts, spec.caps)


class AnchorLayer(Card):
    """A published layer that new samples are laid out against: its channels and the keys of its records."""

    channels: int
    neighbours: str
    layout: str


class AnchorFacts(Card):
    """What a plan knows of the atlas whose points stay fixed.

    `dataset` is the digest of its listing, `collected` the keys of its shards.
    """

    id: str
    model: str
    dataset: str
    seed: int
    collected: list[str]
    layers: dict[str, AnchorLayer]
