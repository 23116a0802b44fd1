from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas_core import registration, registry
from atlas_core.cards import resolve_model_card
from atlas_core.registration import inspect_model
from atlas_core.store import open_store

if TYPE_CHECKING:
    import pytest


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
