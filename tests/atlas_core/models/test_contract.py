"""The contract of models over torch's own networks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core.models.traced import trace_model
from tests.atlas_core.models.contract import ModelContract
from tests.atlas_core.models.families import TINY, Family, seeded
from tests.atlas_core.models.handwritten import Transformer

if TYPE_CHECKING:
    from atlas_core.models.base import LoadedModel


def _handwritten(**options: Any) -> Family:
    blocks = ("blocks.0", "blocks.1")
    make = partial(seeded, partial(Transformer, **options))
    return Family(make, (3, 32, 32), blocks, "tokens", fixed=True, silent=() if options["mean"] else blocks[1:])


FAMILIES = {
    **TINY,
    "registers and a class token": _handwritten(registers=3, mean=False),
    "registers and a mean": _handwritten(registers=2, mean=True),
}


@pytest.fixture(scope="module", params=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


@pytest.fixture(scope="module")
def model(family: Family) -> LoadedModel:
    return trace_model(family.make(), family.card())


class TestTorch(ModelContract):
    """As they are built."""

    def test_only_position_embeddings_fix_a_networks_size(self, family: Family, model: LoadedModel) -> None:
        assert bool(model.fixed) is family.fixed
