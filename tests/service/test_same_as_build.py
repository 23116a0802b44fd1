"""The service and `atlas build` make the same atlas from the same request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atlas_core.run import build_directory
from tests.service.conftest import SPEC

if TYPE_CHECKING:
    from tests.service.conftest import Live


@pytest.mark.usefixtures("in_this_process")
def test_the_service_publishes_what_a_local_build_writes(live: Live, cards: Path, tmp_path: Path) -> None:
    manifest = build_directory(
        cards / "model.json", cards / "dataset.json", dict(SPEC), tmp_path, lambda stage, done, total: None, 1
    )
    served = live.atlas["manifest"]
    assert manifest["artifacts"] == served["artifacts"]
    assert manifest["layers"] == served["layers"]
