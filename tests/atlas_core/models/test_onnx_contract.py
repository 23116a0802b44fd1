"""The contract of models over ONNX files: every family by the older exporter, some by the newer, which is slow.

tests/proof/test_onnx_models.py has all of them by both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atlas_core.models.onnx import load_onnx
from tests.atlas_core.models.contract import ModelContract
from tests.atlas_core.models.exports import Exporter, exported
from tests.atlas_core.models.families import TINY, Family
from tests.atlas_core.models.nets import reads

if TYPE_CHECKING:
    from atlas_core.models.base import LoadedModel

CASES: list[tuple[str, Exporter]] = [
    *((name, "legacy") for name in TINY if name != "swin_v2"),
    ("convnext", "dynamo"),
    ("vit", "dynamo"),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(case))
def case(request: pytest.FixtureRequest) -> tuple[Family, Exporter]:
    name, exporter = request.param
    return TINY[name], exporter


@pytest.fixture(scope="module")
def family(case: tuple[Family, Exporter]) -> Family:
    return case[0]


@pytest.fixture(scope="module")
def model(case: tuple[Family, Exporter]) -> LoadedModel:
    family, exporter = case
    card = family.card(format="onnx", architecture=None, weights=None, source="sha256:00")
    return load_onnx(card, reads(exported(family.make(), family.shape, exporter)))


class TestOnnx(ModelContract):
    """As they are exported."""
