"""Samples on the page, of the real service: of a cell, of a rectangle, most like a picture; and where it lands."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.service.viewer.conftest import at

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.conftest import Live

OpenPage = Callable[..., Page]
LAYER, SIDE, SHOWN = "features.4", 3, 30


@pytest.fixture
def page(live: Live, open_page: OpenPage) -> Page:
    page = open_page(f"{live.service.url}/?atlas={live.atlas['id']}#layer={LAYER}&side={SIDE}")
    expect(page.locator("#map")).to_have_attribute("aria-label", re.compile(f"{LAYER}, {SIDE} cells a side"))
    page.wait_for_timeout(200)  # painted in the next frames
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
    page.wait_for_function("document.querySelector('.crop img').naturalWidth === 20")

    wrong = [one for one in asked["items"] if not one["right"]]
    page.get_by_label("Only of images that the network got wrong").check()
    expect(page.locator(".samples h3")).to_have_text(f"All {len(wrong)} samples")
    expect(page.locator(".crop.wrong")).to_have_count(min(len(wrong), SHOWN))

    crops(page).first.click()
    expect(page.locator(".chosen figcaption")).to_contain_text(wrong[0]["image"])
    expect(page.locator(".chosen figcaption")).to_contain_text(f"taken for {wrong[0]['predicted']['name']}")
    page.wait_for_function("document.querySelector('.chosen img').naturalWidth > 0")


def test_a_page_of_samples_stays_while_other_cells_are_pointed_at(live: Live, page: Page) -> None:
    cell = fullest(live)
    page.mouse.click(*at(page, SIDE, cell["column"] + 0.5, cell["row"] + 0.5))
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".pager span")).to_have_text(re.compile(f"^{SHOWN + 1}–"))
    other = next(one for one in live.client.items(f"{live.level}/cells") if one != cell)
    page.mouse.move(*at(page, SIDE, other["column"] + 0.5, other["row"] + 0.5))
    expect(page.locator("figure.cell figcaption")).to_contain_text(f"Column {other['column']}, row {other['row']}")
    expect(page.locator(".samples")).to_have_count(0)
    page.mouse.move(*at(page, SIDE, cell["column"] + 0.5, cell["row"] + 0.5))
    expect(page.locator(".pager span")).to_have_text(re.compile(f"^{SHOWN + 1}–"))


@pytest.mark.parametrize("way", ["shift", "button"])
def test_all_samples_of_a_rectangle(live: Live, page: Page, way: str) -> None:
    corners = at(page, SIDE, 0.4, 1.1), at(page, SIDE, 2.3, 2.6)
    if way == "button":
        page.get_by_role("button", name="Choose a part of the map").click()
        expect(page.locator("#zoom-box")).to_have_attribute("aria-pressed", "true")
    else:
        page.keyboard.down("Shift")
    page.mouse.move(*corners[0])
    page.mouse.down()
    page.mouse.move(*corners[1], steps=5)
    page.mouse.up()
    page.keyboard.up("Shift")
    expect(page.locator("#details h2")).to_have_text("A part of the map")
    expect(page.locator("#zoom-box")).to_have_attribute("aria-pressed", "false")
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
    before = page.locator("#map").get_attribute("data-left")
    page.get_by_role("button", name="Let the rectangle go").click()
    expect(page.locator("#details h2")).to_have_text(LAYER)
    assert page.locator("#map").get_attribute("data-left") == before  # the map was not dragged


def test_a_rectangle_by_keyboard(live: Live, page: Page) -> None:
    page.locator("#map").focus()
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


def _lightness(page: Page) -> Any:
    """How light the map's cells are painted, shape (side, side)."""
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), float).mean(axis=2)
    middles = [[at(page, SIDE, column + 0.5, row + 0.5) for column in range(SIDE)] for row in range(SIDE)]
    return np.array(
        [[shot[int(y) - 20 : int(y) + 20, int(x) - 20 : int(x) + 20].mean() for x, y in row] for row in middles]
    )


def test_where_a_picture_lands_is_lit_and_what_is_like_it(live: Live, cards: Path, page: Page) -> None:
    def told(route: Route) -> None:
        answer = route.fetch()
        parts = {"energy": {"p": 0.5, "says": "how little"}, "spoiled": {"p": 0.01, "says": "how much it looks turned"}}
        novelty = {"novelty_p": 0.02, "word": "rare", "parts": parts}
        route.fulfill(response=answer, body=json.dumps(answer.json() | {"novelty": novelty}))

    page.route("**/projections", told)
    before = _lightness(page)
    picture = cards / "pictures" / "waves" / "02.png"
    page.locator("#file").set_input_files(picture)
    landing = page.locator("#landing")
    expect(landing).to_contain_text("of them lie among samples like themselves")
    expect(landing).to_contain_text("Rare: few images of the atlas are as strange (2.0 % of them are as strange).")
    expect(landing).to_contain_text("Strangest is how much it looks turned.")
    page.wait_for_timeout(200)
    veiled = _lightness(page) - before
    answer = live.client.project(live.atlas["id"], picture)["layers"][LAYER]["positions"]
    landed = np.zeros((SIDE, SIDE))
    for position in answer:
        landed[position["cells"][str(SIDE)]["row"], position["cells"][str(SIDE)]["column"]] += not position["ambiguous"]
    filled = [(cell["row"], cell["column"]) for cell in live.client.items(f"{live.level}/cells")]
    empty = [veiled[place] for place in filled if landed[place] == 0]
    assert empty
    assert max(veiled[np.unravel_index(landed.argmax(), landed.shape)], 0) < np.mean(empty)

    canvas = page.locator("#landing canvas")
    canvas.click(position={"x": 66, "y": 40})
    expect(page.locator("#landing .samples h3")).to_have_text(re.compile("samples most like the marked place"))
    expect(crops(page, "#landing")).to_have_count(SHOWN)
    page.get_by_role("button", name="Samples most like it").click()
    expect(page.locator("#landing .samples h3")).to_have_text(re.compile("samples most like it"))
    like = live.level.removesuffix("/levels/0") + "/samples"
    answered = live.client.json("POST", like, content=picture.read_bytes(), params={"page_size": SHOWN},
                                headers={"content-type": "image/png"})  # fmt: skip
    titles = [crop.get_attribute("title") or "" for crop in crops(page, "#landing").all()]
    assert [title.split(" · ")[-1] for title in titles] == [one["image"] for one in answered["items"]]
    page.get_by_role("button", name="Take the picture away").click()
    page.wait_for_timeout(200)
    assert np.abs(_lightness(page) - before).max() < 3


def test_a_folder_has_no_samples_to_show(open_page: OpenPage, corners_address: str) -> None:
    page = open_page(f"{corners_address}#layer=features.5&side=4&cell=0-0")
    expect(page.locator("figure.cell figcaption")).to_contain_text("Column 0, row 0 of 4.")
    assert page.locator(".samples").count() == 0
    expect(page.locator("#zoom-box")).to_be_hidden()
