"""The contract of models over torch's own networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atlas_core.models.traced import trace_model
from tests.atlas_core.models.contract import ModelContract
from tests.atlas_core.models.families import TINY, Family

if TYPE_CHECKING:
    from atlas_core.models.base import LoadedModel


@pytest.fixture(scope="module", params=list(TINY))
def family(request: pytest.FixtureRequest) -> Family:
    return TINY[request.param]


@pytest.fixture(scope="module")
def model(family: Family) -> LoadedModel:
    return trace_model(family.make(), family.card())


class TestTorch(ModelContract):
    """As they are built."""

    def test_only_position_embeddings_fix_a_networks_size(self, family: Family, model: LoadedModel) -> None:
        assert bool(model.fixed) is family.fixed
