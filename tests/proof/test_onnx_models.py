"""The contract of models over ONNX files of full size, random weights, by both of torch's exporters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atlas_core.models.onnx import load_onnx
from tests.atlas_core.models.contract import ModelContract
from tests.atlas_core.models.exports import EXPORTERS, exported
from tests.atlas_core.models.families import FULL, TINY, Family
from tests.atlas_core.models.nets import reads

if TYPE_CHECKING:
    from atlas_core.models.base import LoadedModel

pytestmark = pytest.mark.proof
FAMILIES = {**{f"tiny {name}": family for name, family in TINY.items()}, **FULL}


@pytest.fixture(scope="module", params=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


@pytest.fixture(scope="module", params=EXPORTERS)
def model(request: pytest.FixtureRequest, family: Family) -> LoadedModel:
    card = family.card(format="onnx", architecture=None, weights=None, source="sha256:00")
    return load_onnx(card, reads(exported(family.make(), family.shape, request.param)))


class TestOnnx(ModelContract):
    """As they are exported."""
