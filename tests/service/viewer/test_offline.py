"""An offline copy and a story opened from the file system, with no network at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import expect

from atlas_client.cli import run
from tests.service.test_projections import until
from tests.service.viewer.conftest import at
from tests.service.viewer.test_accessible import violations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.service.viewer.conftest import Served


@pytest.fixture(scope="module")
def copy(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offline") / "a copy"
    arguments = ["export", served.atlas["id"], "--out", str(folder), "--exemplars", "2", "--url", served.url]
    assert run(arguments) == 0
    return folder


def listen(page: Page, requests: list[str]) -> None:
    """Keep the addresses that a page asks for."""
    page.on("request", lambda request: requests.append(request.url))


def first_cell(served: Served) -> dict[str, Any]:
    """A cell of the coarsest level of the layer that is shown first."""
    level = f"/v1/atlases/{served.atlas['id']}/layers/{served.layers[-1]}/levels/0"
    found: list[dict[str, Any]] = served.client.json("GET", f"{level}/cells")["items"]
    return found[0]


def test_a_copy_shows_its_map_and_cells_without_a_network(
    open_page: Callable[..., Page], copy: Path, served: Served
) -> None:
    requests: list[str] = []
    page = open_page((copy / "index.html").as_uri(), offline=True, prepare=lambda page: listen(page, requests))
    expect(page.get_by_text("Offline copy", exact=True)).to_be_visible()
    expect(page.locator(".map")).to_have_attribute("data-names", re.compile(r"^\[\["))
    page.get_by_role("tab", name="3", exact=True).click()
    cell = first_cell(served)
    expect(page.get_by_role("application")).to_have_attribute("aria-label", re.compile("^features.7, 3 cells a side"))
    page.mouse.click(*at(page, 3, cell["column"] + 0.5, cell["row"] + 0.5))
    expect(page.locator("#details h2").first).to_have_text(f"Speaks for {cell['classes'][0]['name']}")
    expect(page.locator(".exemplars img")).to_have_count(2)
    until(
        lambda: page.evaluate("[...document.querySelectorAll('.exemplars img')].every((one) => one.naturalWidth)"), 10
    )
    expect(page.get_by_text("take the service that made it")).to_be_visible()
    assert len(requests) > 5
    assert violations(page) == []
    for url in requests:
        assert urlsplit(url).scheme == "file"
        assert unquote(urlsplit(url).path).startswith(str(copy))


def test_the_address_of_a_copy_holds_its_state(open_page: Callable[..., Page], copy: Path, served: Served) -> None:
    cell = first_cell(served)
    state = f"layer={served.layers[0]}&side=3&cell={cell['column']}-{cell['row']}-3&heat=class-0"
    page = open_page(f"{(copy / 'index.html').as_uri()}#{state}", offline=True)
    expect(page.get_by_role("tab", name=served.layers[0])).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("region", name="Heat map")).to_contain_text("logits")
    page.get_by_role("button", name="Zoom in").click()
    expect(page).to_have_url(re.compile("at="))
    assert f"layer={served.layers[0]}" in page.url


def test_a_story_is_read_without_a_network(open_page: Callable[..., Page], served: Served, tmp_path: Path) -> None:
    file = tmp_path / "story.html"
    assert run(["story", served.atlas["id"], "--out", str(file), "--url", served.url]) == 0
    requests: list[str] = []
    page = open_page(file.as_uri(), 390, 800, scheme="dark", offline=True, prepare=lambda page: listen(page, requests))
    expect(page.get_by_role("heading", level=1)).to_contain_text("has learned")
    until(lambda: page.evaluate("[...document.images].every((one) => one.complete && one.naturalWidth > 0)"), 10)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert violations(page) == []
    page.get_by_role("link", name="What to trust least").click()
    expect(page.get_by_role("heading", name="What to trust least")).to_be_in_viewport()
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
