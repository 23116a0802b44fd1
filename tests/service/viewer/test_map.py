"""The map as a person finds it: by mouse, wheel, fingers and keyboard, over a folder with one cell in each corner."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.corners import COLOURS, corner_cells, write_corners
from tests.service.viewer.conftest import at, painted, pixel, serving, square

OpenPage = Callable[..., Page]


def _ready(page: Page, side: int) -> Page:
    expect(page.locator(".map")).to_have_attribute("aria-label", re.compile(f" {side} cells a side, 4 of them filled"))
    return painted(page, side)


def _still(page: Page) -> Page:
    """Wait until the map has come to rest."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.evaluate("window.lastPlace = null")
    page.wait_for_function("""() => {
      const { left, top, size } = document.querySelector(".map").dataset, now = [left, top, size].join();
      const same = window.lastPlace === now;
      window.lastPlace = now;
      return same;
    }""", polling=200)  # fmt: skip
    return page


def _place(page: Page, side: int, column: int, row: int) -> tuple[float, float]:
    """Middle of a cell in pixels of the window."""
    return at(page, side, column + 0.5, row + 0.5)


@pytest.mark.parametrize("side", [4, 12])
def test_each_corner_is_found_at_that_corner(open_page: OpenPage, corners_address: str, side: int) -> None:
    page = _ready(open_page(f"{corners_address}#layer=stage/2&side={side}"), side)
    middle = _place(page, side, side // 2, side // 2)
    for corner, (column, row) in corner_cells(side).items():
        x, y = _place(page, side, column, row)
        vertical, horizontal = corner.split()
        assert (y < middle[1]) == (vertical == "top")
        assert (x < middle[0]) == (horizontal == "left")
        assert np.abs(pixel(page, x, y) - COLOURS[corner]).max() <= 16, corner
        page.mouse.click(x, y)
        expect(page.locator("figure.cell figcaption")).to_contain_text(f"Column {column}, row {row} of {side}.")
        page.wait_for_timeout(60)  # its icon is cut from a tile that was decoded
        icon = page.locator(".cell-icon").bounding_box()
        assert icon is not None
        near = pixel(page, icon["x"] + icon["width"] / 2, icon["y"] + icon["height"] / 2)
        assert np.abs(near - COLOURS[corner]).max() <= 16, corner
        assert f"cell={column}-{row}-{side}" in _address(page)


def _address(page: Page) -> str:
    """What stands behind #, once changes were gathered."""
    page.wait_for_timeout(250)
    return str(page.evaluate("location.hash"))


def test_an_atlas_without_icons_shows_its_counts_and_asks_for_no_tiles(open_page: OpenPage, tmp_path: Path) -> None:
    folder = write_corners(tmp_path / "corners")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["spec"]["recipe"] = "none"
    for layer in manifest["layers"].values():
        layer["levels"] = [{**level, "icon_size": None, "icons": None} for level in layer["levels"]]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    asked: list[str] = []

    def listen(page: Page) -> None:
        page.on("request", lambda request: asked.append(request.url))

    with serving(folder) as address:
        page = open_page(f"{address}#layer=stage/2&side=4", prepare=listen)
        _ready(page, 4)
        expect(page.locator(".heading")).to_contain_text("No icons")
        expect(page.locator(".panel")).to_contain_text("Every square is a cell of samples")
        column, row = corner_cells(4)["top left"]
        x, y = _place(page, 4, column, row)
        assert np.abs(pixel(page, x, y) - pixel(page, *_place(page, 4, 1, 1))).max() > 16
        page.mouse.click(x, y)
        expect(page.locator("figure.cell figcaption")).to_contain_text(f"Column {column}, row {row} of 4.")
        expect(page.locator("figure.cell figcaption")).to_contain_text("No icons")
        assert page.locator(".cell-icon").count() == 0
        assert not [url for url in asked if "/tiles/" in url]


def test_a_folder_without_tiles_still_shows_where_cells_are(open_page: OpenPage, tmp_path: Path) -> None:
    folder = write_corners(tmp_path / "corners")
    for tile in folder.rglob("*.webp"):
        tile.unlink()
    with serving(folder) as address:
        page = _ready(open_page(f"{address}#layer=features.5&side=4", allow="404"), 4)
        empty = pixel(page, *_place(page, 4, 1, 1))
        assert np.abs(pixel(page, *_place(page, 4, 0, 3)) - empty).max() > 4


def test_what_is_said_of_a_cell(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=12&cell=11-0"), 12)
    panel = page.locator(".panel")
    for text in ("teapot", "Seeded from data", "largest for 50 % of the samples, in 4 images", "teapot/11-0.png"):
        expect(panel).to_contain_text(text)
    facts = dict(zip(*(panel.locator(f".facts {part}").all_inner_texts() for part in ("dt", "dd")), strict=True))
    facts = {name.partition("?")[0].strip(): value for name, value in facts.items()}
    assert facts["Samples"] == "20 (20 % of the layer's)"
    assert facts["Images"] == "10"
    assert facts["Coherence"] == "0.75"
    measures = [row.inner_text().split("\n")[:2] for row in panel.locator(".measures > div").all()]
    told = {name: value.split(" ")[0] for name, value in measures}
    assert told == {"Fidelity": "0.50", "Fidelity, slightly changed": "0.52", "Fits its own cell best": "yes",
                    "Contrast": "0.20", "High frequencies": "5.0", "Like its start": "0.40",
                    "Like a real patch": "0.30"}  # fmt: skip
    expect(panel.locator(".measures .under dt")).to_have_text(["High frequencies"])
    expect(panel.get_by_label("Fidelity")).to_contain_text("It is grainy")
    widths = panel.locator(".fill").evaluate_all("bars => bars.map(bar => bar.style.width)")
    assert widths == ["100%", "35.7143%"]
    expect(panel.locator(".fill").nth(1)).to_have_class("fill against")


def test_only_a_marked_icon_has_a_dot(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=4"), 4)
    expect(page.locator(".panel")).to_contain_text("A dot in an icon's corner marks it")
    size = square(page)[2] / 4
    assert (
        size > 120
    )  # so that a dot is as large as they become: 8 pixels about a middle that is 8 further from the gap
    middle = 0.015 * size + 12
    page.wait_for_timeout(100)
    for corner in ("top left", "top right"):
        x, y = _place(page, 4, *corner_cells(4)[corner])
        orange = np.abs(pixel(page, x + size / 2 - middle, y - size / 2 + middle) - (232, 89, 12)).max() <= 12
        assert orange == (corner == "top right")


def test_layers_and_levels_are_chosen(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(corners_address), 12)
    expect(page.locator("h1")).to_have_text("corner-net")
    expect(page.locator(".subtitle")).to_have_text(re.compile("^on corner-world · vivid icons"))
    expect(page.locator(".heading .badge")).to_have_text("Seeded from data")
    expect(page.get_by_role("tab", name="stage/2")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="4", exact=True).click()
    _ready(page, 4)
    page.get_by_role("tab", name="features.5").click()
    expect(page.locator(".map")).to_have_attribute("aria-label", re.compile("features.5, 4 cells"))
    assert _address(page) == "#layer=features.5&side=4"
    page.get_by_role("tab", name="4", exact=True).press("ArrowRight")
    _ready(page, 12)


def test_the_zoom_chooses_the_level(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5", 390, 500), 4)
    for _ in range(3):
        page.get_by_role("button", name="Zoom in").click()
    _ready(page, 12)
    expect(page.get_by_role("tab", name="Auto: 12")).to_have_attribute("aria-selected", "true")
    page.locator(".map").press("0")
    _ready(page, 4)


def test_by_keyboard(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=4&cell=0-0-4"), 4)
    page.locator(".map").focus()
    said = page.locator("#said")
    for key, place in (
        ("ArrowRight", "Column 3, row 0"),
        ("ArrowDown", "Column 3, row 3"),
        ("ArrowLeft", "Column 0, row 3"),
    ):
        page.keyboard.press(key)
        expect(said).to_have_text(re.compile(f"{place}: teapot"))
    page.get_by_role("tab", name="12", exact=True).focus()
    page.mouse.click(*_place(page, 4, 1, 1))  # a click gives the map its keys back
    before = square(_still(page))[2]
    page.keyboard.press("+")
    assert square(_still(page))[2] == pytest.approx(1.4 * before, rel=0.02)
    page.keyboard.press("0")
    assert square(_still(page))[2] == pytest.approx(before, rel=0.02)
    page.keyboard.press("Escape")
    expect(page.locator("#details h2")).to_have_text("features.5")


def test_wheel_zooms_about_the_pointer_and_drag_moves(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=4"), 4)
    x, y = _place(page, 4, 3, 0)
    whole = square(page)[2]
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    _still(page)
    assert square(page)[2] > 1.2 * whole
    assert _place(page, 4, 3, 0) == pytest.approx((x, y), abs=50)
    assert np.abs(pixel(page, x, y) - COLOURS["top right"]).max() <= 16
    page.mouse.wheel(0, -800)
    before = _place(_still(page), 4, 3, 0)
    page.mouse.down()
    page.mouse.move(x + 60, y - 40, steps=5)
    page.mouse.up()
    after = _place(_still(page), 4, 3, 0)
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx((60, -40), abs=25)
    address = _address(page)
    assert "cell=" not in address  # the drag chose nothing
    assert re.search("at=0.[5-9]", address)


def test_double_click_zooms_and_the_address_brings_it_back(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=4"), 4)
    whole = square(page)[2]
    page.mouse.dblclick(*_place(page, 4, 0, 3))
    before = square(_still(page))
    assert before[2] > 1.5 * whole
    address = page.url.partition("#")[0] + _address(page)
    again = _ready(open_page(address), 4)
    assert square(_still(again)) == pytest.approx(before, abs=1.5)


def test_a_link_shows_the_same_however_often_it_is_loaded(open_page: OpenPage, corners_address: str) -> None:
    at = "0.339,0.5808,1.2069"
    address = f"{corners_address}#layer=features.5&side=4&heat=fidelity&at={at}"
    places = []
    for _ in range(3):  # the legend comes a while after the map, and on a phone leaves it another height
        page = _ready(open_page(address, 390, 844, has_touch=True), 4)
        expect(page.get_by_role("region", name="Heat map").locator(".scale")).to_be_visible()
        places.append(square(_still(page)))
        address = page.url.partition("#")[0] + _address(page)
        assert f"at={at}" in unquote(address)
    assert places == [pytest.approx(places[0], abs=0.5)] * 3


def test_two_fingers_zoom(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=4", 390, 844, has_touch=True), 4)
    left, top, whole = square(page)
    touch = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 20), ("touchMove", 50), ("touchMove", 90), ("touchMove", 130), ("touchEnd", 0)):
        y = top + whole / 2
        fingers = [{"x": left + whole / 2 + sign * apart, "y": y, "id": sign + 1} for sign in (-1, 1)]
        points = [] if kind == "touchEnd" else fingers
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert square(_still(page))[2] > 2 * whole


def test_the_minimap_shows_what_is_in_view_and_moves_it(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=4&at=0.25,0.75,3"), 4)
    small, frame = page.locator(".minimap").bounding_box(), page.locator(".reticle").bounding_box()
    assert small is not None
    assert frame is not None
    assert frame["x"] + frame["width"] / 2 < small["x"] + 0.4 * small["width"]
    assert frame["y"] + frame["height"] / 2 < small["y"] + 0.4 * small["height"]
    assert (
        np.abs(
            pixel(page, small["x"] + 0.12 * small["width"], small["y"] + 0.12 * small["height"]) - COLOURS["top left"]
        ).max()
        <= 24
    )
    page.mouse.move(frame["x"] + 5, frame["y"] + 5)
    page.mouse.down()
    page.mouse.move(small["x"] + 0.75 * small["width"], small["y"] + 0.75 * small["height"], steps=4)
    page.mouse.up()
    _still(page)
    found = re.search("at=([0-9.]+)%2C([0-9.]+)%2C3", _address(page))
    assert found is not None
    assert [float(number) for number in found.groups()] == pytest.approx([0.75, 0.25], abs=0.03)


def test_icons_are_sized_by_density(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=4"), 4)
    size = square(page)[2] / 4
    x, y = _place(page, 4, *corner_cells(4)["top left"])
    edge = (x - 0.44 * size, y)
    assert np.abs(pixel(page, *edge) - COLOURS["top left"]).max() <= 16
    page.get_by_role("button", name="How the map is drawn").click()
    page.get_by_label("Size by number of samples").check()
    page.get_by_role("slider", name="Density").fill(str(round(float(np.log(0.2)), 2)))
    page.wait_for_timeout(200)
    # Of 16 squares four have 10, 20, 30 and 40 samples: an icon's area is 0.2 of its count over their mean, 100 / 16.
    counts = dict(zip(corner_cells(4), (10, 20, 30, 40), strict=True))
    for corner in ("top left", "bottom right"):
        side = min(1, np.sqrt(0.2 * counts[corner] / (100 / 16)))
        x, y = _place(page, 4, *corner_cells(4)[corner])
        for share, filled in ((side - 0.12, True), (side + 0.1, False)):
            if share < 1:
                near = np.abs(pixel(page, x - share * size / 2, y) - COLOURS[corner]).max() <= 40
                assert near == filled, (corner, share)
    assert "density=0.2" in _address(page)


def test_sharp_on_a_dense_screen(open_page: OpenPage, corners_address: str) -> None:
    page = _ready(open_page(f"{corners_address}#layer=features.5&side=12", device_scale_factor=2), 12)
    sizes = page.evaluate("[...document.querySelectorAll('.map canvas')].map(it => it.width / it.clientWidth)")
    assert sizes == pytest.approx([2] * len(sizes), abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_a_phone(open_page: OpenPage, corners_address: str, scheme: str) -> None:
    page = _ready(open_page(f"{corners_address}#side=12", 390, 844, scheme=scheme), 12)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.mouse.click(*_place(page, 12, 11, 11))
    expect(page.locator("figure.cell figcaption")).to_contain_text("Column 11, row 11")


def test_nothing_there_says_what_to_do(open_page: OpenPage, tmp_path: Path) -> None:
    with serving(tmp_path) as address:
        page = open_page(address, allow="404")
        expect(page.locator(".message h1")).to_have_text("Nothing to show here")
        expect(page.locator(".message pre")).to_contain_text("atlas open DIR")
