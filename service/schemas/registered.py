"""Models and datasets over the wire, beyond their cards."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_serializer

from atlas_core.cards import Card, DatasetCard, LayerInfo, ModelCard


class ModelRequest(Card):
    """A model to register; `dataset` names a labelled one on which to measure its accuracy."""

    card: ModelCard
    dataset: str | None = None


class DatasetRequest(Card):
    """A dataset to register."""

    card: DatasetCard


class Accuracy(BaseModel):
    """Shares of labelled images whose class is the first, or among the first five."""

    top1: float | None
    top5: float | None
    images: int
    dataset: str | None = None


class Registered(BaseModel):
    """What models and datasets have in common."""

    model_config = ConfigDict(extra="ignore")

    id: str
    name: str
    state: Literal["inspecting", "ready", "refused"]
    reasons: list[str]
    created: str


class Model(Registered):
    """A registered model."""

    card: ModelCard
    warnings: list[str]
    layers: list[LayerInfo]
    classes: int | None
    accuracy: Accuracy | None
    convertible: bool | None


class Dataset(Registered):
    """A registered dataset."""

    card: DatasetCard
    digest: str | None
    images: int
    classes: list[str] | None
    class_counts: dict[str, int] | None
    skipped: list[dict[str, Any]]

    @field_serializer("card")
    def _without_host_path(self, card: DatasetCard) -> DatasetCard:
        """`file:` places keep only the last part of their path; the rest is the host's business."""
        places = {"source": card.source, "root": card.root}
        hidden = {field: "file:" + place.rstrip("/").rpartition("/")[2]
                  for field, place in places.items() if place is not None and place.startswith("file:")}  # fmt: skip
        return card.model_copy(update=hidden)
