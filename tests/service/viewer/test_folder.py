"""Heat maps of a folder of `atlas build`: what its cells tell of themselves, without a service."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.corners import corner_cells
from tests.service.viewer.conftest import at, painted

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
