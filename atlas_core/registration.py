"""What a worker finds out when a model or a dataset is registered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote, urlsplit

import numpy as np

from atlas_core import registry
from atlas_core.cards import DatasetCard, ModelCard, file_sha256, resolve_dataset_card, resolve_model_card
from atlas_core.dataset_stores import registered
from atlas_core.datasets.dataset import Dataset, open_dataset
from atlas_core.errors import ImageError, InputError
from atlas_core.keys import digest
from atlas_core.models.preprocessing import read_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, BinaryIO

    from numpy.typing import NDArray

    from atlas_core.datasets.listing import Listing
    from atlas_core.models.base import LoadedModel
    from atlas_core.models.looking import LabelledImages, Look
    from atlas_core.registry import Document
    from atlas_core.store import Store

Stores: TypeAlias = "Mapping[str, str]"
LookAt: TypeAlias = (
    "Callable[[ModelCard, Callable[[str], BinaryIO], LabelledImages | None, Sequence[str] | None], Look]"
)
NO_STORES: Stores = {}
ACCURACY_IMAGES = 5_000
"""Labelled images that an accuracy is measured on at most: its standard error is then under .8 points."""


def inspect_dataset(
    store: Store, name: str, stores: Stores = NO_STORES, on_progress: Callable[[int, int], None] | None = None
) -> Document:
    """List a registered dataset and note what it holds, or why it is refused.

    Args:
        store: Holds the registry and the archive.
        name: The dataset's id.
        stores: Registered stores, URL by name.
        on_progress: Called with pictures done and all of them; cancels by raising.
    """
    card = DatasetCard(**registry.document(store, "datasets", name)["card"])
    try:
        with open_dataset(card, store.open_blob, open_store=registered(stores)) as dataset:
            listing = dataset.look_through(on_progress)
    except InputError as error:
        return registry.update(store, "datasets", name, state="refused", reasons=[error.detail])
    return registry.update(store, "datasets", name, state="ready", reasons=[], **_held(store, listing))


def _held(store: Store, listing: Listing) -> dict[str, Any]:
    return {
        "digest": listing.digest,
        "listing": store.put_blob(listing.to_bytes()),
        "images": len(listing.images),
        "classes": None if listing.classes is None else list(listing.classes),
        "class_counts": listing.class_counts(),
        "skipped": [dict(entry) for entry in listing.skipped],
    }


def inspect_model(store: Store, name: str, stores: Stores = NO_STORES, look: LookAt | None = None) -> Document:
    """Load a registered model, list its layers, measure it on its dataset, or note why it is refused.

    A model that is registered with another dataset meanwhile stays to be inspected again.

    Args:
        store: Holds the registry and the weights.
        name: The model's id.
        stores: Registered stores that its dataset may lie in, URL by name.
        look: Looks at a model elsewhere; in this process by default.
    """
    value = registry.document(store, "models", name)
    card, evaluate_on = ModelCard(**value["card"]), value["evaluate_on"]
    try:
        looked = _inspect(store, card, evaluate_on, stores, look)
    except InputError as error:
        return _settle(store, name, evaluate_on, state="refused", reasons=[error.detail])
    accuracy, found = None, looked.inspection
    if found.images:
        accuracy = {"top1": found.top1, "top5": found.top5, "images": found.images, "dataset": evaluate_on}
    return _settle(
        store, name, evaluate_on, state="ready", reasons=list(found.reasons), warnings=list(found.warnings),
        layers=[layer.model_dump(mode="json") for layer in found.layers], classes=found.classes, accuracy=accuracy,
        convertible=found.convertible, cost=looked.cost,
    )  # fmt: skip


def _settle(store: Store, name: str, evaluate_on: str | None, **changes: Any) -> Document:
    newest = registry.document(store, "models", name)
    return newest if newest["evaluate_on"] != evaluate_on else registry.update(store, "models", name, **changes)


def _inspect(store: Store, card: ModelCard, evaluate_on: str | None, stores: Stores, look: LookAt | None) -> Look:
    from atlas_core.models.looking import look as look_here

    def looked(images: LabelledImages | None, classes: Sequence[str] | None) -> Look:
        if look is None:
            return look_here(card, store.get_blob, images, classes)
        return look(card, store.open_blob, images, classes)

    if evaluate_on is None:
        return looked(None, None)
    value = registry.document(store, "datasets", evaluate_on)
    if value["state"] == "inspecting":
        value = inspect_dataset(store, evaluate_on, stores)
    registry.dataset_facts(store, evaluate_on)
    with open_dataset(DatasetCard(**value["card"]), store.open_blob, open_store=registered(stores)) as dataset:
        return looked(_evenly(dataset, card), dataset.listing.classes)


def _evenly(dataset: Dataset, card: ModelCard) -> Iterator[tuple[NDArray[np.uint8], int]]:
    labelled = np.flatnonzero(dataset.listing.labels >= 0)
    if len(labelled) > ACCURACY_IMAGES:
        labelled = labelled[np.linspace(0, len(labelled) - 1, ACCURACY_IMAGES).astype(int)]
    for place in labelled.tolist():
        try:
            pixels = read_pixels(dataset.read(dataset.listing.images[place]), card.input)
        except ImageError:
            continue
        yield pixels, int(dataset.listing.labels[place])


def register_cards(store: Store, model: Path, dataset: Path, stores: Stores = NO_STORES) -> tuple[str, str]:
    """Register a model and a dataset from their cards on this machine; the dataset stays where it is.

    Returns:
        The ids of both, inspected and ready.

    Raises:
        InputError: A card cannot be read, or what it names was refused.
    """
    card = resolve_dataset_card(dataset)
    dataset_id = registry.add_dataset(store, card, dataset_content(card, store, stores))["id"]
    if registry.document(store, "datasets", dataset_id)["state"] == "inspecting":
        inspect_dataset(store, dataset_id, stores)
    registry.dataset_facts(store, dataset_id)

    model_id = registry.add_model(store, resolve_model_card(model, store.put_blob_file))["id"]
    if registry.document(store, "models", model_id)["state"] == "inspecting":
        inspect_model(store, model_id, stores)
    registry.model_facts(store, model_id)
    return model_id, dataset_id


def dataset_content(card: DatasetCard, store: Store, stores: Stores = NO_STORES) -> str:
    """Digest of what a dataset is made of.

    An archive's bytes; a folder's, local shards' or a local manifest's listing; of what lies in a registered store the
    place alone: it may be too much to look through while somebody waits, and its listing has a digest of its own.

    Raises:
        DatasetError: The source is missing or empty.
    """
    scheme, _, rest = card.source.partition(":")
    plain = card.format in (None, "folder", "zip", "tar")
    if scheme == "sha256" and not (card.root or "").startswith("file:"):
        return rest if plain and card.root is None else digest([rest, card.format, card.root])
    if scheme == "store":
        return digest(["store", card.source, card.format, card.root, card.revision])
    place = Path(unquote(urlsplit(card.source).path))
    if scheme == "file" and plain and place.is_file() and place.suffix.lower() not in (".csv", ".parquet"):
        return file_sha256(place)
    with open_dataset(card, store.open_blob, open_store=registered(stores)) as dataset:
        return dataset.listing.digest


def load_card(path: Path) -> LoadedModel:
    """Load the model of a card on this machine, without keeping it anywhere.

    Raises:
        InputError: The card or what it names cannot be read.
    """
    from atlas_core.models.base import load_model

    places: dict[str, Path] = {}

    def note(file: Path) -> str:
        sha256 = file_sha256(file)
        places[sha256] = file
        return sha256

    card = resolve_model_card(path, note)
    return load_model(card, lambda sha256: places[sha256].read_bytes())
