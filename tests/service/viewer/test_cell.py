"""A cell of the real service: said beside the pointer, told in its panel, found by its address."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from tests.service.viewer.conftest import at
from tests.service.viewer.reading import drawn, number, until

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served

OpenPage = Callable[..., Page]
LAYER = "features.4"


def level(served: Served) -> str:
    return f"/v1/atlases/{served.atlas['id']}/layers/{LAYER}/levels/0"


def fullest(served: Served) -> dict[str, Any]:
    return max(served.client.items(f"{level(served)}/cells"), key=lambda cell: int(cell["count"]))


def middle(page: Page, served: Served, cell: dict[str, Any]) -> tuple[float, float]:
    return at(page, served.sides[0], cell["column"] + 0.5, cell["row"] + 0.5)


@pytest.fixture
def page(served: Served, open_page: OpenPage) -> Page:
    return drawn(open_page(f"{served.page}#layer={LAYER}&side={served.sides[0]}"), served.sides[0])


def test_a_cell_that_is_pointed_at_says_what_it_is(served: Served, page: Page) -> None:
    cell = fullest(served)
    tip = page.get_by_role("tooltip")
    expect(tip).to_have_count(0)
    page.mouse.move(*middle(page, served, cell))
    expect(tip).to_contain_text(f"Average of {cell['count']} samples")
    expect(tip.locator("dt")).to_have_text([one["name"] for one in cell["classes"][:5]])
    for shown, one in zip(tip.locator("dd").all_inner_texts(), cell["classes"], strict=False):
        assert number(shown.replace("-", "−")) == pytest.approx(one["attribution"], rel=0.06, abs=0.006)
    box, map_box = tip.bounding_box(), page.locator(".map").bounding_box()
    assert box is not None
    assert map_box is not None
    assert map_box["x"] <= box["x"]
    assert box["x"] + box["width"] <= map_box["x"] + map_box["width"]
    page.mouse.move(map_box["x"] + 4, map_box["y"] + 4)  # where no cell is
    expect(tip).to_have_count(0)
    page.get_by_role("button", name="How the map is drawn").click()
    page.get_by_label("Say what a cell is beside the pointer").uncheck()
    page.mouse.move(*middle(page, served, cell))
    page.wait_for_timeout(200)
    expect(tip).to_have_count(0)


def test_a_chosen_cell_is_told_in_its_panel(served: Served, page: Page) -> None:
    cell = fullest(served)
    page.mouse.click(*middle(page, served, cell))
    panel = page.locator("#details")
    expect(panel.locator("h2").first).to_have_text(f"Speaks for {cell['classes'][0]['name']}")
    expect(panel.locator("figure.cell .badge")).to_have_text("Seeded from data")
    samples = served.atlas["manifest"]["layers"][LAYER]["samples"]
    share = f"{cell['count']} ({100 * cell['count'] / samples:.0f} % of the layer's)"
    expect(panel.locator(".facts").first).to_contain_text(share)
    expect(panel.locator(".facts").first).to_contain_text(f"{cell['coherence']:.2f}")
    expect(panel.locator(".bars .name")).to_have_text([one["name"] for one in cell["classes"]])
    signs = [one["attribution"] < 0 for one in cell["classes"]]
    assert (
        panel.locator(".bars .fill").evaluate_all("all => all.map(one => one.classList.contains('against'))") == signs
    )
    expect(panel.locator(".exemplars img")).to_have_count(len(cell["exemplars"]))
    until(page, "[...document.querySelectorAll('.exemplars img')].every(image => image.naturalWidth > 1)")
    trust = page.get_by_label("Fidelity")
    expect(trust.locator(".measures > div").first).to_contain_text(f"{cell['icon']['whitened_cosine']:.2f}")
    passes = "low_fidelity" not in cell["icon"]["marks"]
    expect(trust.locator(".measures > div").first.locator(".gate")).to_contain_text("passes" if passes else "under")
    expect(panel.locator(".samples h3")).to_have_text(f"All {cell['count']} samples")
    pixels = "document.querySelector('.cell-icon').getContext('2d').getImageData(0, 0, 640, 640).data"
    until(page, f"new Set({pixels}).size > 60")  # its icon, and no plain square


def test_a_cell_has_an_address(served: Served, page: Page, open_page: OpenPage) -> None:
    cell = fullest(served)
    page.mouse.click(*middle(page, served, cell))
    key = f"cell={cell['column']}-{cell['row']}-{served.sides[0]}"
    expect(page).to_have_url(re.compile(key))
    other = open_page(page.url)
    expect(other.locator("figure.cell figcaption")).to_contain_text(
        f"Column {cell['column']}, row {cell['row']} of {served.sides[0]}."
    )


def test_the_least_trustworthy_icons_are_found(served: Served, page: Page) -> None:
    page.get_by_role("button", name="Find the least trustworthy icons").click()
    expect(page.get_by_role("tab", name="Heat map")).to_have_attribute("aria-selected", "true")
    cells = list(served.client.items(f"{level(served)}/cells"))
    worst = min(cells, key=lambda cell: float(cell["icon"]["whitened_cosine"]))
    first = page.locator("section[aria-label] .weakest button").first
    expect(first).to_have_attribute("title", f"Column {worst['column']}, row {worst['row']}")
    first.click()
    expect(page.get_by_label("Fidelity")).to_contain_text(f"{worst['icon']['whitened_cosine']:.2f}")
