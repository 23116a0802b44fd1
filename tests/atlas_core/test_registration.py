from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core import dataset_stores, registration, registry
from atlas_core.cards import DatasetCard, resolve_model_card
from atlas_core.datasets.dataset import open_dataset
from atlas_core.datasets.listing import Listing
from atlas_core.errors import ImageError
from atlas_core.registration import dataset_content, inspect_dataset, inspect_model
from atlas_core.store import open_store

if TYPE_CHECKING:
    from atlas_core.registry import Document


def test_an_inspection_does_not_settle_a_model_that_was_registered_again_meanwhile(
    tiny_cards: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store("memory://")
    card = resolve_model_card(tiny_cards[0], store.put_blob_file)
    name = registry.add_model(store, card)["id"]
    inspected = registration._inspect

    def meanwhile(*arguments: Any) -> Any:
        registry.add_model(store, card, "dataset")
        return inspected(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(registration, "_inspect", meanwhile)
        assert inspect_model(store, name)["state"] == "inspecting"
    assert registry.document(store, "models", name)["evaluate_on"] == "dataset"


def test_what_changed_in_a_registered_store_is_told_by_another_revision(tmp_path: Path) -> None:
    store, stores = open_store(str(tmp_path / "store")), {"lake": str(tmp_path / "lake")}
    (tmp_path / "lake").mkdir()

    def registered(revision: str | None) -> Document:
        card = DatasetCard(name="d", source="store://lake", revision=revision)
        value = registry.add_dataset(store, card, dataset_content(card, store, stores))
        return inspect_dataset(store, value["id"], stores) if value["state"] == "inspecting" else value

    (tmp_path / "lake/a.png").write_bytes(b"one")
    first = registered(None)
    (tmp_path / "lake/a.png").write_bytes(b"two")
    again, second = registered(None), registered("2")

    assert again == first
    assert second["id"] != first["id"]
    assert second["digest"] != first["digest"]
    card = DatasetCard(**first["card"])
    listing = Listing.from_bytes(store.get_blob(first["listing"]))
    opened = open_dataset(card, store.open_blob, listing, open_store=dataset_stores.registered(stores))
    with (
        opened as dataset,
        pytest.raises(ImageError, match=r"has changed .* register it again with another `revision`"),
    ):
        dataset.read("a.png")
