"""Cells of a folder that add almost nothing: no class is named, and bars are measured by one scale."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.corners import corner_cells, write_corners
from tests.service.viewer.conftest import at, painted, serving

OpenPage = Callable[..., Page]
FAINT = corner_cells(4)["bottom right"]
"""The cell that adds a hundredth of what the other three add."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    folder = write_corners(tmp_path / "corners")
    for path in folder.glob("features.5/4/cells.json"):
        cells = json.loads(path.read_text())
        for cell in cells:
            if (cell["column"], cell["row"]) == FAINT:
                for one in cell["classes"]:
                    one["attribution"] /= 100
        path.write_text(json.dumps(cells))
    with serving(folder) as address:
        yield address


def test_a_cell_that_adds_almost_nothing_has_no_clear_class(open_page: OpenPage, address: str) -> None:
    page = painted(open_page(f"{address}#layer=features.5&side=4"), 4)
    panel = page.locator("#details")
    for (column, row), name, widths in (
        (corner_cells(4)["top left"], "teapot", ["100%", "35.7143%"]),
        (FAINT, "No clear class", ["1%", "0.357143%"]),
    ):
        page.mouse.move(*at(page, 4, column + 0.5, row + 0.5))
        faint = name != "teapot"
        expect(page.get_by_role("tooltip")).to_contain_text("teapot")
        expect(page.get_by_role("tooltip").get_by_text("No clear class")).to_have_count(int(faint))
        page.mouse.click(*at(page, 4, column + 0.5, row + 0.5))
        expect(panel.locator("h2").first).to_have_text(name if faint else f"Speaks for {name}")
        expect(page.locator("#said")).to_contain_text(name.lower())
        assert panel.locator(".fill").evaluate_all("bars => bars.map(bar => bar.style.width)") == widths
        expect(panel).to_contain_text("A full bar is 3.50 logits")
        expect(panel.get_by_text("Almost nothing beside other cells")).to_have_count(int(faint))


def test_words_explain_themselves_by_keyboard(open_page: OpenPage, address: str) -> None:
    page = painted(open_page(f"{address}#layer=features.5&side=4"), 4)
    for word, says in (("vivid icons", "How the icons were drawn"), ("Continuity", "neighbours on the map"),
                       ("Fit their own cell best", "any other cell"), ("slightly changed", "turned")):  # fmt: skip
        asked = page.get_by_role("button", name=f"What is “{word}”?")
        asked.focus()
        page.keyboard.press("Enter")
        expect(asked).to_have_attribute("aria-expanded", "true")
        expect(page.locator(f"[id='{asked.get_attribute('aria-controls')}']")).to_contain_text(says)
        page.keyboard.press("Enter")
        expect(asked).to_have_attribute("aria-expanded", "false")
