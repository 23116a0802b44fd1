from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.corners import COLOURS, corner_cells, write_corners
from tests.service.viewer.conftest import STATIC, at, serving

OpenPage = Callable[..., Page]
PAGE = re.compile(r"""(?:src|href|from|import|fetch\()\s*=?\s*["'](https?:)?//""")


def _ready(page: Page, side: int) -> Page:
    expect(page.locator("#map")).to_have_attribute("aria-label", re.compile(f" {side} cells a side, 4 of them filled"))
    page.wait_for_timeout(150)  # the tiles are painted in the next frames
    return page


def _place(page: Page, side: int, column: int, row: int) -> tuple[float, float]:
    """Middle of a cell in pixels of the window."""
    return at(page, side, column + 0.5, row + 0.5)


def _pixel(page: Page, x: float, y: float) -> np.ndarray:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return np.array(picture.getpixel((int(x), int(y))))


@pytest.mark.parametrize("side", [4, 12])
def test_each_corner_is_found_at_that_corner(open_page: OpenPage, corners_address: str, side: int) -> None:
    page = _ready(open_page(f"{corners_address}#layer=stage/2&side={side}"), side)
    middle = _place(page, side, side // 2, side // 2)
    for corner, (column, row) in corner_cells(side).items():
        x, y = _place(page, side, column, row)
        vertical, horizontal = corner.split()
        assert (y < middle[1]) == (vertical == "top")
        assert (x < middle[0]) == (horizontal == "left")
        assert np.abs(_pixel(page, x, y) - COLOURS[corner]).max() <= 16, corner
        page.mouse.click(x, y)
        expect(page.locator("figure.cell figcaption")).to_contain_text(f"Column {column}, row {row} of {side}.")
        icon = page.locator("canvas.icon").bounding_box()
        assert icon is not None
        near = _pixel(page, icon["x"] + icon["width"] / 2, icon["y"] + icon["height"] / 2)
        assert np.abs(near - COLOURS[corner]).max() <= 16, corner


def test_an_atlas_without_icons_shows_its_counts_and_asks_for_no_tiles(open_page: OpenPage, tmp_path: Path) -> None:
    folder = write_corners(tmp_path / "corners")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["spec"]["recipe"] = "none"
    for layer in manifest["layers"].values():
        layer["levels"] = [{**level, "icon_size": None, "icons": None} for level in layer["levels"]]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with serving(folder) as address:
        page = open_page("about:blank")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}#layer=stage/2&side=4")
        page = _ready(page, 4)
        expect(page.locator("#subtitle")).to_have_text("on corner-world · no icons")
        expect(page.locator("#panel")).to_contain_text("Every square is a cell of samples")
        column, row = corner_cells(4)["top left"]
        page.mouse.click(*_place(page, 4, column, row))
        expect(page.locator("figure.cell figcaption")).to_contain_text(f"Column {column}, row {row} of 4. No icons.")
        assert page.locator("canvas.icon").count() == 0
        assert not [url for url in asked if "/tiles/" in url]


def test_what_is_said_of_a_cell(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=12&cell=11-0"), 12)
    panel = page.locator("#panel")
    for text in ("teapot", "Seeded from data", "largest for 50 % of the samples, in 4 images", "teapot/11-0.png"):
        expect(panel).to_contain_text(text)
    facts = dict(zip(panel.locator("dt").all_inner_texts(), panel.locator("dd").all_inner_texts(), strict=True))
    assert facts["Samples"] == "20"
    assert facts["Images"] == "10"
    assert facts["Coherence"] == "0.75"
    assert facts["Whitened cosine"] == "0.50"
    assert facts["Own cell is nearest"] == "yes"
    assert (facts["Like its start"], facts["Like a real patch"]) == ("0.40", "0.30")
    expect(panel).to_contain_text("This icon is marked: grainy.")
    widths = panel.locator(".fill").evaluate_all("bars => bars.map(bar => bar.style.width)")
    assert widths == ["100%", "35.7143%"]
    expect(panel.locator(".fill").nth(1)).to_have_class("fill against")


def test_only_a_marked_icon_has_a_dot(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=4"), 4)
    expect(page.locator("#panel")).to_contain_text("A dot in an icon's corner marks it")
    size = float(page.locator("#map").get_attribute("data-size") or "") / 4
    for corner in ("top left", "top right"):
        x, y = _place(page, 4, *corner_cells(4)[corner])
        orange = np.abs(_pixel(page, x + size * (0.5 - 0.115), y - size * (0.5 - 0.115)) - (232, 89, 12)).max() <= 12
        assert orange == (corner == "top right")


def test_layers_and_levels_are_tabs(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(corners_address), 12)
    expect(page.locator("h1")).to_have_text("corner-net")
    expect(page.locator("#subtitle")).to_have_text("on corner-world · recipe vivid · seeded from data")
    expect(page.get_by_role("tab", name="stage/2")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="4", exact=True).click()
    _ready(page, 4)
    page.get_by_role("tab", name="features.5").click()
    expect(page.locator("#map")).to_have_attribute("aria-label", re.compile("features.5, 4 cells"))
    assert page.evaluate("location.hash") == "#layer=features.5&side=4"


def test_by_keyboard(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=4&cell=0-0"), 4)
    page.locator("#map").focus()
    said = page.locator("#said")
    for key, place in (
        ("ArrowRight", "Column 3, row 0"),
        ("ArrowDown", "Column 3, row 3"),
        ("ArrowLeft", "Column 0, row 3"),
    ):
        page.keyboard.press(key)
        expect(said).to_have_text(re.compile(place))
    before = float(page.locator("#map").get_attribute("data-size") or "")
    page.keyboard.press("+")
    expect(page.locator("#map")).not_to_have_attribute("data-size", str(before))
    page.keyboard.press("0")
    page.wait_for_function(f"Math.abs(document.querySelector('#map').dataset.size - {before}) < .5")
    page.keyboard.press("Escape")
    expect(page.locator("#details h2")).to_have_text("features.5")


def test_wheel_zooms_about_the_pointer_and_drag_moves(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=4"), 4)
    x, y = _place(page, 4, 3, 0)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(150)
    assert _place(page, 4, 3, 0) == pytest.approx((x, y), abs=40)
    assert np.abs(_pixel(page, x, y) - COLOURS["top right"]).max() <= 16
    before = _place(page, 4, 3, 0)
    page.mouse.down()
    page.mouse.move(x + 30, y + 50, steps=5)
    page.mouse.up()
    page.wait_for_timeout(150)
    after = _place(page, 4, 3, 0)
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx((0, 0), abs=51)
    assert after != before
    expect(page.locator("figure.cell")).to_have_count(1)  # the pointer is over the cell, and the drag chose nothing
    assert "cell=" not in page.evaluate("location.hash")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_a_phone(open_page: OpenPage, corners_address: str, scheme: str) -> None:
    page = _ready(open_page(corners_address, 390, 844, scheme=scheme), 12)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.mouse.click(*_place(page, 12, 11, 11))
    expect(page.locator("figure.cell figcaption")).to_contain_text("Column 11, row 11")


def test_nothing_is_asked_of_other_hosts(open_page: OpenPage, corners_address: str) -> None:
    for file in STATIC.iterdir():
        assert not PAGE.search(file.read_text()), file.name
    page = open_page("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(corners_address)
    _ready(page, 12)
    assert [url for url in asked if not url.startswith((corners_address, "data:"))] == []


def test_a_folder_without_tiles_still_shows_where_cells_are(open_page: OpenPage, tmp_path: Path) -> None:
    from tests.corners import write_corners

    folder = write_corners(tmp_path / "corners")
    for tile in folder.rglob("*.webp"):
        tile.unlink()
    with serving(folder) as address:
        page = _ready(open_page(f"{address}#layer=features.5&side=4"), 4)
        empty = _pixel(page, *_place(page, 4, 1, 1))
        assert np.abs(_pixel(page, *_place(page, 4, 0, 3)) - empty).max() > 4


JOB: dict[str, object] = {
    "id": "a", "name": "pan-vision", "state": "failed", "spec": {"model": "m", "dataset": "d", "layers": ["l"]},
    "progress": {"collect": {"done": 1, "running": 0, "total": 4, "fraction": 0.25}}, "manifest": None,
    "error": {"type": "/problems/invalid-dataset", "detail": "7 of 9 pictures are broken"},
}  # fmt: skip


def _answering(open_page: OpenPage, address: str, job: dict[str, object] | None) -> Page:
    """A page before a service that answers with one job, or none."""
    page = open_page("about:blank")

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        items = [job] if job and path == "/v1/atlases" else []
        route.fulfill(json=job if path == "/v1/atlases/a" else {"items": items, "next_page_token": None})

    page.route("**/v1/**", answer)
    page.goto(address)
    return page


def test_a_service_without_an_atlas_says_how_to_make_one(open_page: OpenPage, tmp_path: Path) -> None:
    with serving(tmp_path) as address:
        page = _answering(open_page, address, None)
        expect(page.locator("#message h2")).to_have_text("No atlas yet")
        expect(page.locator("#message pre")).to_contain_text("atlas submit --model ID --dataset ID --layer NAME")


def test_a_job_that_failed_says_why(open_page: OpenPage, tmp_path: Path) -> None:
    with serving(tmp_path) as address:
        page = _answering(open_page, address, JOB)
        expect(page.locator("#list a .failed")).to_have_text("failed")
        page.locator("#list a").click()
        expect(page.locator("#progress .state")).to_have_text("failed: 7 of 9 pictures are broken")
        expect(page.locator("#progress progress")).to_have_attribute("value", "0.25")
        expect(page.locator("#waiting")).to_have_text("No level was finished.")


def test_nothing_there_says_what_to_do(open_page: OpenPage, tmp_path: Path) -> None:
    with serving(tmp_path) as address:
        page = open_page(address)
        expect(page.locator("#message h2")).to_have_text("Nothing to show here")
        expect(page.locator("#message pre")).to_contain_text("atlas open DIR")
