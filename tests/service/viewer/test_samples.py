"""Samples on the page, of the real service: of a cell, of a rectangle."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.service.viewer.conftest import at

if TYPE_CHECKING:
    from tests.service.conftest import Live

OpenPage = Callable[..., Page]
LAYER, SIDE, SHOWN = "features.4", 3, 30


@pytest.fixture
def page(live: Live, open_page: OpenPage) -> Page:
    page = open_page(f"{live.service.url}/?atlas={live.atlas['id']}#layer={LAYER}&side={SIDE}")
    expect(page.locator(".map")).to_have_attribute("aria-label", re.compile(f"{LAYER}, {SIDE} cells a side"))
    page.wait_for_function("() => document.querySelector('.map').dataset.painted")
    return page


def fullest(live: Live) -> dict[str, Any]:
    cells = list(live.client.items(f"{live.level}/cells"))
    return max(cells, key=lambda cell: int(cell["count"]))


def crops(page: Page, within: str = "#details") -> Locator:
    return page.locator(f"{within} .crop")


def addresses(page: Page) -> list[str]:
    return [str(image.get_attribute("src")) for image in page.locator("#details .crop img").all()]


def test_all_samples_of_a_chosen_cell_page_by_page(live: Live, page: Page) -> None:
    cell = fullest(live)
    expect(page.locator(".samples")).to_have_count(0)
    page.mouse.click(*at(page, SIDE, cell["column"] + 0.5, cell["row"] + 0.5))
    expect(page.locator(".samples h3")).to_have_text(f"All {cell['count']} samples")
    expect(crops(page)).to_have_count(SHOWN)
    seen = addresses(page)
    for first in range(SHOWN, cell["count"], SHOWN):
        page.get_by_role("button", name="Next").click()
        expect(page.locator(".pager span")).to_have_text(re.compile(f"^{first + 1}–"))
        seen += addresses(page)
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    path = f"{live.level}/cells/{cell['column']}-{cell['row']}/samples"
    asked = live.client.json("GET", path, params={"page_size": 1000})
    assert seen == [f"{one['crop'].removeprefix('/')}&source=stored" for one in asked["items"]]
    crops(page).first.scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('.crop img').naturalWidth === 20")

    wrong = [one for one in asked["items"] if not one["right"]]
    page.get_by_label("Only of images that the network got wrong").check()
    expect(page.locator(".samples h3")).to_have_text(f"All {len(wrong)} samples")
    expect(page.locator(".crop.wrong")).to_have_count(min(len(wrong), SHOWN))

    crops(page).first.click()
    expect(page.locator(".chosen-sample figcaption")).to_contain_text(wrong[0]["image"])
    expect(page.locator(".chosen-sample figcaption")).to_contain_text(f"taken for {wrong[0]['predicted']['name']}")
    page.wait_for_function("() => document.querySelector('.chosen-sample img').naturalWidth > 0")
    page.get_by_role("button", name="Where does all of it land?").click()
    landed = page.get_by_role("article", name=wrong[0]["image"].rpartition("/")[2])
    expect(landed).to_contain_text("of them lie among samples like themselves", timeout=30_000)


def test_a_page_of_samples_stays_while_other_cells_are_pointed_at(live: Live, page: Page) -> None:
    cell = fullest(live)
    page.mouse.click(*at(page, SIDE, cell["column"] + 0.5, cell["row"] + 0.5))
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".pager span")).to_have_text(re.compile(f"^{SHOWN + 1}–"))
    other = next(one for one in live.client.items(f"{live.level}/cells") if one != cell)
    page.mouse.move(*at(page, SIDE, other["column"] + 0.5, other["row"] + 0.5))
    expect(page.get_by_role("tooltip")).to_contain_text(f"Average of {other['count']} sample")
    expect(page.locator("figure.cell figcaption")).to_contain_text(f"Column {cell['column']}, row {cell['row']}")
    expect(page.locator(".pager span")).to_have_text(re.compile(f"^{SHOWN + 1}–"))


@pytest.mark.parametrize("way", ["shift", "button"])
def test_all_samples_of_a_rectangle(live: Live, page: Page, way: str) -> None:
    corners = at(page, SIDE, 0.4, 1.1), at(page, SIDE, 2.3, 2.6)
    if way == "button":
        page.get_by_role("button", name="Choose a part of the map").click()
        expect(page.get_by_role("button", name="Choose a part of the map")).to_have_attribute("aria-pressed", "true")
    else:
        page.keyboard.down("Shift")
    page.mouse.move(*corners[0])
    page.mouse.down()
    page.mouse.move(*corners[1], steps=5)
    page.mouse.up()
    page.keyboard.up("Shift")
    expect(page.locator("#details h2")).to_have_text("A part of the map")
    expect(page.get_by_role("button", name="Choose a part of the map")).to_have_attribute("aria-pressed", "false")
    told = page.locator("#details p").first.inner_text()
    x0, x1, y0, y1 = (float(number) for number in re.findall(r"\d\.\d\d", told))
    assert (x0, x1, y0, y1) == pytest.approx((0.4 / 3, 2.3 / 3, 1 - 2.6 / 3, 1 - 1.1 / 3), abs=0.015)
    samples = live.level.removesuffix("/levels/0") + "/samples"
    expect(crops(page).first).to_be_visible()
    shown = addresses(page)
    everyone = live.client.json("GET", samples, params={"page_size": 1000})["items"]
    places = {one["crop"].removeprefix("/"): (one["x"], one["y"]) for one in everyone}
    assert shown
    for address in shown:
        x, y = places[address.removesuffix("&source=stored")]
        assert x0 - 0.01 <= x <= x1 + 0.01
        assert y0 - 0.01 <= y <= y1 + 0.01
    inside = sum(x0 - 0.01 <= x <= x1 + 0.01 and y0 - 0.01 <= y <= y1 + 0.01 for x, y in places.values())
    total = int(re.sub(r"\D", "", page.locator(".samples h3").inner_text()))
    assert 0 < total <= inside
    before = page.locator(".map").get_attribute("data-left")
    page.get_by_role("button", name="Let the rectangle go").click()
    expect(page.locator("#details h2")).to_have_text(LAYER)
    assert page.locator(".map").get_attribute("data-left") == before  # the map was not dragged


def test_a_rectangle_by_keyboard(live: Live, page: Page) -> None:
    page.locator(".map").focus()
    for key in ("ArrowRight", "Shift+ArrowLeft", "Shift+ArrowUp", "Shift+ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    # From the middle cell one to the left, and one below.
    expect(page.locator("#details p").first).to_contain_text("x 0.00–0.67, y 0.00–0.67")
    box = {"bbox": "0,0,0.666667,0.666667"}
    samples = live.level.removesuffix("/levels/0") + "/samples"
    total = live.client.json("GET", samples, params=box)["total"]
    expect(page.locator(".samples h3")).to_have_text(f"All {total} samples")
    page.keyboard.press("Escape")
    expect(page.locator("#details h2")).to_have_text(LAYER)


def test_a_folder_has_no_samples_to_show(open_page: OpenPage, corners_address: str) -> None:
    page = open_page(f"{corners_address}#layer=features.5&side=4&cell=0-0-4")
    expect(page.locator("figure.cell figcaption")).to_contain_text("Column 0, row 0 of 4.")
    assert page.locator(".samples").count() == 0
    expect(page.get_by_role("button", name="Choose a part of the map")).to_be_hidden()
