"""The contract of models over torchvision's networks at full size, with random weights; and what their icons cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atlas_core.featurevis.recipes import RECIPES, canvas_size
from atlas_core.featurevis.render import render
from atlas_core.models.traced import trace_model
from atlas_core.whitening import Whitening
from tests.atlas_core.models.contract import ModelContract
from tests.atlas_core.models.families import FULL, Family

if TYPE_CHECKING:
    from atlas_core.models.base import LoadedModel
    from tests.proof.conftest import Report

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module", params=list(FULL))
def family(request: pytest.FixtureRequest) -> Family:
    return FULL[request.param]


@pytest.fixture(scope="module")
def model(family: Family) -> LoadedModel:
    return trace_model(family.make(), family.card())


class TestTorch(ModelContract):
    """As they are built."""

    def test_only_position_embeddings_fix_a_networks_size(self, family: Family, model: LoadedModel) -> None:
        assert bool(model.fixed) is family.fixed

    def test_an_icon_of_a_middle_block_is_rendered(self, family: Family, model: LoadedModel, report: Report) -> None:
        name = family.blocks[len(family.blocks) // 2]
        (layer,) = [layer for layer in model.described() if layer.name == name]
        channels, card = layer.shape[0], model.card.input
        whitening = Whitening(np.zeros(channels, np.float32), np.eye(channels, dtype=np.float32), 1.0)
        canvas = canvas_size(RECIPES["fast"], layer, card)
        random = np.random.default_rng(0)
        seeds = random.normal(size=(1, 20, 20, card.channels)).astype(np.float32)
        target = random.normal(size=(1, channels)).astype(np.float32)
        began = time.process_time()
        icons = render(model.trunk(name), RECIPES["fast"], target, whitening, seeds,
                       canvas, card, [0], layer=layer)  # fmt: skip
        seconds = time.process_time() - began
        report(f"an icon of {name}", side=canvas, cpu_seconds=round(seconds, 1), steps=RECIPES["fast"].steps)
        assert icons.shape == (1, canvas, canvas, card.channels)
        assert icons.std() > 10
