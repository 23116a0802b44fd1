"""A line across the map, and the strip of icons along it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

from atlas_core.clarity import are_clear
from tests.service.viewer.conftest import at
from tests.service.viewer.reading import drawn, until

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served

OpenPage = Callable[..., Page]
LAYER, SIDE = "features.7", 6


@pytest.fixture
def page(open_page: OpenPage, served: Served) -> Page:
    page = open_page(f"{served.page}#layer={LAYER}&side={SIDE}")
    return drawn(page, SIDE)


def cells_of(served: Served) -> dict[tuple[int, int], dict[str, Any]]:
    path = f"/v1/atlases/{served.atlas['id']}/layers/{LAYER}/levels/1/cells"
    return {(one["column"], one["row"]): one for one in served.client.items(path)}


def row_of(cells: dict[tuple[int, int], dict[str, Any]]) -> int:
    """The row with most cells."""
    return max(range(SIDE), key=lambda row: sum(place[1] == row for place in cells))


def columns(cells: dict[tuple[int, int], dict[str, Any]]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What each adds to its strongest class, and its samples."""
    strongest = [one["classes"][0]["attribution"] for one in cells.values()]
    return np.array(strongest), np.array([one["count"] for one in cells.values()])


def strip(page: Page) -> Locator:
    return page.get_by_role("region", name="Icons along the line")


def test_a_line_shows_the_icons_of_the_cells_that_it_crosses(page: Page, served: Served) -> None:
    cells = cells_of(served)
    row = row_of(cells)
    page.get_by_role("button", name="Draw a line").click()
    page.mouse.move(*at(page, SIDE, 0.1, row + 0.5))
    page.mouse.down()
    page.mouse.move(*at(page, SIDE, SIDE - 0.1, row + 0.5), steps=12)
    page.mouse.up()
    crossed = sorted(place for place in cells if place[1] == row)
    buttons = strip(page).get_by_role("button", name=re.compile("^([a-z]|No clear class)"))
    expect(buttons).to_have_count(len(crossed))
    clear = dict(zip(cells, are_clear(*columns(cells)), strict=True))
    for place, button in zip(crossed, buttons.all(), strict=True):
        expect(button).to_have_text(cells[place]["classes"][0]["name"] if clear[place] else "No clear class")
    buttons.last.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"cell={crossed[-1][0]}-{row}-{SIDE}"))

    strip(page).get_by_role("button", name="Render steps between").click()
    rendered = page.get_by_role("list", name="Rendered steps")
    expect(rendered.locator("img")).to_have_count(12, timeout=120_000)
    until(page, "[...document.querySelectorAll('.rendered img')].every((one) => one.naturalWidth > 0)")
    expect(rendered).to_contain_text("0 %")
    expect(rendered).to_contain_text("100 %")
    strip(page).get_by_role("button", name="Take the line away").click()
    expect(strip(page)).to_have_count(0)


def test_a_line_by_keyboard_and_from_its_address(page: Page, served: Served) -> None:
    page.locator(".map").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("l")
    expect(page.locator("#said")).to_contain_text("A line begins here")
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("l")
    expect(page).to_have_url(re.compile("line="))
    shown = strip(page).locator("li").count()
    assert shown >= 2
    page.reload()
    expect(strip(page).locator("li")).to_have_count(shown)
