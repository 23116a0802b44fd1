"""axe-core finds nothing on any page, light or dark, wide or narrow; and nothing is cut off on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served
    from tests.service.viewer.still import Still

OpenPage = Callable[..., Page]
COLOURS = {"runOnly": ["color-contrast"]}


def violations(page: Page, options: dict[str, Any] | None = None, within: str | None = None) -> list[str]:
    """What axe-core finds, with the element that it finds it on."""
    response: dict[str, Any] = Axe().run(page, context=within, options=options or {}).response
    return [f"{each['id']}: {node['html'][:200]}" for each in response["violations"] for node in each["nodes"]]


def check(page: Page, scheme: str) -> None:
    """Nothing is found, in the dark of colours, as all else is the same; and no page is wider than the window."""
    page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    assert violations(page, COLOURS if scheme == "dark" else None) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


PAGES = {
    "atlases": "", "new atlas": "?new&model={pan-vision}&dataset={kitchen}", "models": "?models&add",
    "model": "?model={pan-vision}", "refused model": "?model={broken}", "datasets": "?datasets&add",
    "dataset": "?dataset={kitchen}", "audits": "?audits&add", "audit": "?audit={audited}",
    "running audit": "?audit={to be audited}", "jobs": "?jobs", "nothing": "?nothing",
}  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_axe_finds_nothing_on_any_page_and_nothing_is_cut_off(
    open_page: OpenPage, still: Still, width: int, scheme: str
) -> None:
    page = open_page(still.url, width, 844, scheme=scheme, reduced_motion="reduce")
    for name, address in PAGES.items():
        page.goto(f"{still.url}/{address.format(**still.ids)}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        if name == "new atlas":
            expect(page.get_by_role("complementary", name="Estimate")).to_contain_text("about")
        check(page, scheme)


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_axe_finds_nothing_on_a_map_nor_in_any_panel(
    open_page: OpenPage, served: Served, width: int, scheme: str
) -> None:
    page = open_page(served.page, width, 844, scheme=scheme, reduced_motion="reduce")
    expect(page.get_by_role("application")).to_have_attribute("aria-label", re.compile("filled"))
    page.get_by_role("application").press("ArrowRight")  # a cell, so that all panels have something to tell
    expect(page.locator("figure.cell canvas")).to_be_visible()
    check(page, scheme)
    for tab in page.get_by_role("tablist", name="Panels").get_by_role("tab").all()[1:]:
        tab.click()
        expect(page.locator("#details [aria-busy=true]")).to_have_count(0)
        assert violations(page, COLOURS if scheme == "dark" else None, within=".panel") == [], tab.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
