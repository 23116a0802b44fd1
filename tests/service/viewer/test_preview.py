"""The page of an atlas that is being made: previews, then the icons themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from atlas_core.redis_client import connect
from service.main import create_app
from service.settings import ServiceSettings
from tests.service.serving import serving
from tests.service.test_main import request_of
from tests.service.test_preview import CELL, PREVIEW_SIZE, SIZE, Job

# Nobody works here, which the page is told; and it is looked at until after the service has ended.
ALLOWED = "getImageData|503|CONNECTION_REFUSED"
# The grey of a cell's middle on the tiles' own canvas.
SEEN = """([column, row, grey, side]) => {
  const map = document.querySelector(".map"), { left, top, size } = map?.dataset ?? {}, ratio = devicePixelRatio || 1;
  if (!size) return false;
  const at = (start, place) => Math.round((Number(start) + (place + 0.5) * Number(size) / side) * ratio);
  const [red] = map.querySelector("canvas").getContext("2d").getImageData(at(left, column), at(top, row), 1, 1).data;
  return Math.abs(red - grey) < 8;
}"""


@contextmanager
def _service(redis_server: str, folder: Path) -> Iterator[tuple[str, Any]]:
    """Where a service without workers answers, and a client of it that knows the application."""
    with connect(redis_server) as client:
        client.flushall()
    app = create_app(ServiceSettings(store_url=str(folder / "store"), redis_url=redis_server))
    with serving(app) as url, httpx.Client(base_url=url) as http:
        api: Any = http
        api.app = app
        yield url, api


def test_the_page_replaces_previews_by_icons(redis_server: str, tmp_path: Path, open_page: Callable[..., Page]) -> None:
    with _service(redis_server, tmp_path) as (url, api):
        job = Job(api, api.post("/v1/atlases", json=request_of(api)).json()["id"])
        job.cells_known()
        job.drawn("preview", PREVIEW_SIZE, 50)
        # A chosen cell asks for its samples, which are listed last.
        page = open_page(f"{url}/?atlas={job.id}#side=5&cell={CELL[0]}-{CELL[1]}-5", allow=f"404|{ALLOWED}")
        page.wait_for_function(SEEN, arg=[*CELL, 50, 5])
        note = page.locator("#details .note", has_text="A preview")
        expect(note).to_be_visible()
        expect(page.locator("#details .note", has_text="classes that it adds to are still to come")).to_be_visible()
        job.drawn("render", SIZE, 200)
        page.wait_for_function(SEEN, arg=[*CELL, 200, 5])
        expect(note).to_be_hidden()


def test_the_page_asks_for_the_tiles_in_view(redis_server: str, tmp_path: Path, open_page: Callable[..., Page]) -> None:
    with _service(redis_server, tmp_path) as (url, api):
        request = request_of(api, levels=[12], allow_sparse=True)
        job = Job(api, api.post("/v1/atlases", json=request).json()["id"])
        job.cells_known(side=12, cells=[CELL, (11, 11)])
        job.drawn("preview", PREVIEW_SIZE, 50)
        page = open_page(f"{url}/?atlas={job.id}", allow=ALLOWED)
        with page.expect_request("**/tiles/1/1?wish=true"):
            page.wait_for_function(SEEN, arg=[*CELL, 50, 12])
        late = job.plan.find("preview", x=1, y=1)[0]
        page.wait_for_timeout(100)
        assert late.key in job.asked_for()
