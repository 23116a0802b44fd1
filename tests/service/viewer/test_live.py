"""The client and the page against the real service: registered, submitted, watched, looked at."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route, expect

from atlas_client.atlas import Atlas
from atlas_client.cli import run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.service.conftest import Live

OpenPage = Callable[..., Page]
SECONDS = 120_000


def test_from_cards_to_the_page(
    live: Live, cards: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    url = live.service.url

    def atlas(*arguments: str, code: int = 0) -> object:
        assert run([*arguments, "--url", url, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    page = open_page(url, allow="404|422")
    dataset = atlas("datasets", "add", str(cards / "dataset.json"))
    model = atlas("models", "add", str(cards / "model.json"), "--wait")
    assert isinstance(dataset, dict)
    assert isinstance(model, dict)
    listed = atlas("models", "list")
    assert isinstance(listed, list)
    assert model in listed
    spec = ["--layer", "features.3", "--samples", "300", "--levels", "4", "--recipe", "fast", "--name", "patterns"]
    job = atlas("submit", "--model", model["id"], "--dataset", dataset["id"], *spec)
    assert isinstance(job, dict)

    # The list names it, and the page follows it to its end.
    page.reload()
    page.locator(f"a[href*='atlas={job['id']}']").first.click()
    expect(page.locator("h1")).to_have_text("patterns")
    expect(page.locator(".subtitle")).to_have_text(re.compile("^tiny · on patterns · fast icons"))
    expect(page.locator(".heading .badge")).to_have_text("Seeded from data")
    expect(page.locator(".map")).to_have_attribute("aria-label", re.compile("features.3, 4 cells"), timeout=SECONDS)
    done = atlas("status", job["id"], "--wait")
    assert isinstance(done, dict)
    assert done["state"] == "succeeded"
    expect(page.locator(".progress")).to_be_hidden(timeout=SECONDS)

    # The same cells in Python as on the page, with pictures of real patches.
    with Atlas.open(f"{url}/?atlas={job['id']}") as opened:
        cells = opened.cells("features.3", 4)
        first = {name: int(cells[name][0]) for name in ("column", "row", "count")}
        assert opened.icon("features.3", 4, first["column"], first["row"]).size[0] > 16
    page.goto(f"{url}/?atlas={job['id']}#layer=features.3&side=4&cell={first['column']}-{first['row']}-4")
    page.reload()
    expect(page.locator("figure.cell figcaption")).to_contain_text(f"Column {first['column']}, row {first['row']} of 4")
    expect(page.locator(".panel dd").first).to_contain_text(re.compile(rf"^{first['count']} \("))
    patch = page.locator(".exemplars img").first
    patch.scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('.exemplars img').naturalWidth > 0")


def test_an_atlas_that_is_not_there(live: Live, open_page: OpenPage) -> None:
    page = open_page(f"{live.service.url}/?atlas=nothing", allow="404")
    expect(page.locator(".message h1")).to_have_text("There is no such atlas here")


JOB: dict[str, object] = {
    "id": "a", "kind": "atlas", "name": "pan-vision", "state": "failed", "spec": {"model": "m", "dataset": "d"},
    "progress": {"collect": {"done": 1, "running": 0, "total": 4, "fraction": 0.25}}, "manifest": None,
    "error": {"type": "/problems/invalid-dataset", "detail": "7 of 9 pictures are broken"},
}  # fmt: skip


def test_a_job_that_failed_says_why(live: Live, open_page: OpenPage) -> None:
    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        route.fulfill(json=JOB if path == "/v1/atlases/a" else {"items": [], "stops": [], "next_page_token": None})

    page = open_page(f"{live.service.url}/?atlas=a", prepare=lambda page: page.route("**/v1/**", answer))
    expect(page.locator(".progress .state")).to_have_text("Failed: 7 of 9 pictures are broken")
    expect(page.locator(".progress progress")).to_have_attribute("value", "0.25")
    expect(page.locator(".waiting")).to_have_text("No level was finished.")
