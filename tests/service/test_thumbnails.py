"""Maps at a glance: a small picture of what can be seen of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.service.test_main import api, assert_problem, request_of, settings
from tests.service.test_preview import CELL, PREVIEW_SIZE, SIZE, Job, job

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from numpy.typing import NDArray

__all__ = ["api", "job", "settings"]  # fixtures


def _pixels(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.size) == ("WEBP", (320, 320))
        return np.asarray(picture.convert("RGBA"))


def test_it_shows_what_can_be_seen_while_a_map_renders_and_changes_with_it(job: Job) -> None:
    address = f"/v1/atlases/{job.id}/thumbnail"
    assert "thumbnail" not in job.api.get(f"/v1/jobs/{job.id}").json()["links"]
    early = job.api.get(address)
    assert_problem(early, 404, "not-yet")
    assert early.headers["retry-after"]
    side = (job.plan.spec.levels or [0])[0]
    column, row = ((part + 0.5) / side * 320 for part in CELL)
    tags = []
    for stage, size, grey in (("preview", PREVIEW_SIZE, 50), ("render", SIZE, 200)):
        job.drawn(stage, size, grey)
        seen = job.api.get(address)
        assert seen.headers["cache-control"] == "no-cache"
        shown = _pixels(seen.content)
        assert abs(int(shown[int(row), int(column), 0]) - grey) < 40  # of four pixels an icon, in WebP
        assert shown[int(320 - row), int(column), 3] == 0
        assert job.api.get(address, headers={"if-none-match": seen.headers["etag"]}).status_code == 304
        tags.append(seen.headers["etag"])
    assert tags[0] != tags[1]
    link = job.api.get(f"/v1/jobs/{job.id}").json()["links"]["thumbnail"]
    assert link == f"{address}?v={tags[1].strip(chr(34))}"
    assert "immutable" in job.api.get(link).headers["cache-control"]


def test_without_icons_it_shows_how_many_samples_cells_have(api: TestClient) -> None:
    atlas = api.post("/v1/atlases", json=request_of(api) | {"recipe": "none", "levels": [5]}).json()["id"]
    job = Job(api, atlas)
    assert_problem(api.get(f"/v1/atlases/{atlas}/thumbnail"), 404, "not-yet")
    job.cells_known()
    shown = _pixels(api.get(f"/v1/atlases/{atlas}/thumbnail").content)
    column, row = (int((part + 0.5) / 5 * 320) for part in CELL)
    assert shown[row, column, 0] < 60
    assert shown[320 - row, column, 0] > 240


@pytest.mark.parametrize("name", ["none", "0" * 24])
def test_there_is_none_of_no_map(api: TestClient, name: str) -> None:
    assert_problem(api.get(f"/v1/atlases/{name}/thumbnail"), 404, "not-found")
