"""Heat maps of a folder of `atlas build`: what its cells tell of themselves, without a service."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FloatRect, Page, expect

from atlas_core import tables
from tests.corners import corner_cells, write_corners
from tests.service.viewer.conftest import at, painted, serving

OpenPage = Callable[..., Page]


def test_a_folder_has_heat_maps_of_what_its_cells_tell(open_page: OpenPage, corners_address: str) -> None:
    page = painted(open_page(f"{corners_address}#layer=features.5&side=4&panel=heat&look=colours"), 4)
    expect(page.get_by_role("combobox", name="A class")).to_have_count(0)
    measure = page.get_by_label("A measure")
    titles = ["None", "Samples", "Coherence", "Fidelity", "Clearest class"]
    assert sorted(measure.locator("option").all_inner_texts()) == sorted(titles)
    measure.select_option("count")
    legend = page.get_by_role("region", name="Heat map")
    expect(legend.locator(".ends span")).to_have_text(["0", "40"])
    column, row = corner_cells(4)["bottom right"]  # the fullest
    page.mouse.move(*at(page, 4, column + 0.5, row + 0.5))
    expect(legend).to_contain_text("This cell: 40")
    listed = page.get_by_role("region", name="Most samples").get_by_role("button")
    expect(listed.first).to_have_attribute("title", f"Column {column}, row {row}")
    measure.select_option("fidelity")
    weakest = page.get_by_role("region", name="Least trustworthy icons").get_by_role("button")
    expect(weakest).to_have_count(4)
    grainy = corner_cells(4)["top right"]  # all are as faithful, one is marked
    marked = weakest.filter(has_text="It is grainy")
    expect(marked).to_have_attribute("title", f"Column {grainy[0]}, row {grainy[1]}")


def test_a_swipe_from_the_slider_scrolls_and_changes_nothing(open_page: OpenPage, corners_address: str) -> None:
    page = open_page(f"{corners_address}#layer=features.5&side=4&panel=heat&heat=fidelity", 390, 844, has_touch=True)
    slider = page.get_by_label("Intensity")
    slider.scroll_into_view_if_needed()
    touch = page.context.new_cdp_session(page)

    def settled() -> FloatRect:
        """Where the slider is once the page no longer scrolls."""
        box = slider.bounding_box()
        while True:
            page.wait_for_timeout(200)
            before, box = box, slider.bounding_box()
            if box is not None and box == before:
                return box

    def swipe(across: float, up: float) -> None:
        box = settled()
        x, y = box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2
        for n in range(9):
            points = [{"x": x + across * n / 8, "y": y - up * n / 8}]
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove" if n else "touchStart", "touchPoints": points})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    before = settled()
    swipe(0, 100)
    expect(page.locator(".field output")).to_have_text("1.0")
    assert settled() != before  # it has scrolled
    swipe(-100, 0)
    expect(page.locator(".field output")).not_to_have_text("1.0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_cell_that_melts_into_the_ground_has_an_edge(open_page: OpenPage, corners_address: str, scheme: str) -> None:
    page = painted(open_page(f"{corners_address}#layer=features.5&side=4&names=0", scheme=scheme), 4)

    def edged() -> bool:
        x, y = at(page, 4, 0, 0.5)  # the left edge of the top left cell
        size = at(page, 4, 1, 0)[0] - x
        picture = page.screenshot(clip={"x": x - 2, "y": y, "width": 4 + size * 0.02, "height": 1})
        shot = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(np.int64)
        line = page.evaluate("getComputedStyle(document.body).getPropertyValue('--line').match(/\\d+/g).map(Number)")
        return bool((np.abs(shot - line).max(axis=2) <= 12).any())

    column, row = corner_cells(4)["top left"]
    assert (column, row) == (0, 0)
    assert edged() == (scheme == "dark")
    page.evaluate("location.hash += '&heat=fidelity'")
    expect(page.get_by_role("region", name="Heat map").locator(".scale")).to_be_visible()
    page.wait_for_timeout(100)
    assert edged()


@pytest.fixture
def told_address(tmp_path: Path) -> Iterator[str]:
    """A folder that tells names and classes of one layer, as `atlas build` leaves it."""
    folder = write_corners(tmp_path / "told")
    place: dict[str, Any] = {"rank": "country", "width": 0.25, "x": 0.125, "y": 0.875, "samples": 9, "images": 9,
                             "share": 0.5, "bits": 2.0}  # fmt: skip
    attribution = np.array([[0.5, -2.5, 0.00001, 6], [0, 0, 0, 0], [1, 2, 3, 4]], np.float16)
    beside = {
        "features.5/names.json": json.dumps([{**place, "name": "teapot", "classes": [2]}]).encode(),
        "features.5/4/attribution.safetensors": tables.pack({"attribution": attribution}),
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    for path, data in beside.items():
        (folder / path).write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps({**manifest, "beside": {key: {"sha256": "-"} for key in beside}}))
    with serving(folder) as address:
        yield address


def test_a_folder_has_names_and_heat_maps_of_its_classes(open_page: OpenPage, told_address: str) -> None:
    page = painted(open_page(f"{told_address}#layer=features.5&side=4&panel=heat&look=colours"), 4)
    page.wait_for_function("() => document.querySelector('.map').dataset.names?.includes('teapot')")
    page.get_by_role("combobox", name="A class").fill("heron")
    page.keyboard.press("Enter")
    legend = page.get_by_role("region", name="Heat map")
    expect(legend.locator(".ends span")).to_have_text(["−6.00", "0", "+6.00"])
    for corner, said in zip(corner_cells(4).values(), ("+0.50", "−2.50", "+0.00001", "+6.00"), strict=True):
        page.mouse.move(*at(page, 4, corner[0] + 0.5, corner[1] + 0.5))
        expect(legend).to_contain_text(f"This cell: {said}")
