"""The tiny model with one class's weights damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from atlas_core import registry
from atlas_core.registration import register_cards

if TYPE_CHECKING:
    from atlas_core.facts import ModelFacts
    from tests.atlas_core.conftest import TinyAtlas


def damage(card: Path, folder: Path, index: int) -> Path:
    """Write a copy of a model that never says one class; returns its card."""
    from safetensors.torch import load_file, save_file

    value = json.loads(card.read_text())
    weights = load_file(card.parent / value["weights"])
    weights["classifier.1.bias"][index] -= 1000
    save_file(weights, folder / value["weights"])
    (folder / card.name).write_text(json.dumps({**value, "name": "damaged"}))
    return folder / card.name


def damaged_model(atlas: TinyAtlas, folder: Path, index: int) -> ModelFacts:
    """Register the tiny model with a class that it never says."""
    model, _ = register_cards(atlas.store, damage(atlas.model, folder, index), atlas.dataset)
    return registry.model_facts(atlas.store, model)
