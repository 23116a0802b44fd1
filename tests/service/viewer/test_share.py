"""What is taken along from a map, and its saved places, as a person uses them."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.service.viewer.conftest import square

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.service.viewer.conftest import Served

WHOLE = {"caption": "Where waves lie", "view": "layer=features.4&at=0.3,0.6,2"}
CLOSE = {"caption": "The same, deeper", "view": "layer=features.7&side=3"}


@pytest.fixture
def places(served: Served) -> Served:
    """The map without saved places."""
    served.client.set_tour(served.atlas["id"], [])
    return served


def layer_shown(page: Page, name: str) -> None:
    expect(page.get_by_role("tab", name=name, exact=True)).to_have_attribute("aria-selected", "true")


def test_places_are_saved_ordered_and_seen_by_others(open_page: Callable[..., Page], places: Served) -> None:
    page = open_page(places.page)
    page.get_by_role("tab", name="Places").click()
    page.get_by_role("button", name="Save this place").click()
    page.get_by_label("Caption of place 1").fill("Deep <b>things</b>")
    page.get_by_role("tab", name="features.4", exact=True).click()
    page.get_by_role("button", name="Save this place").click()
    page.get_by_label("Caption of place 2").fill("Early things")
    page.get_by_role("button", name="Move place 2 up").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    stops = places.client.tour(places.atlas["id"])["stops"]
    assert [stop["caption"] for stop in stops] == ["Early things", "Deep <b>things</b>"]
    assert ["layer=features.4" in stop["view"] for stop in stops] == [True, False]
    other = open_page(places.page)
    other.get_by_role("tab", name="Places").click()
    expect(other.get_by_label("Caption of place 2")).to_have_value("Deep <b>things</b>")
    other.get_by_role("button", name="Remove place 1").click()
    expect(other.get_by_text("Saved.")).to_be_visible()
    assert [stop["caption"] for stop in places.client.tour(places.atlas["id"])["stops"]] == ["Deep <b>things</b>"]


def test_a_tour_is_played_by_keyboard(open_page: Callable[..., Page], places: Served) -> None:
    places.client.set_tour(places.atlas["id"], [WHOLE, CLOSE])
    page = open_page(places.page, reduced_motion="no-preference")
    page.get_by_role("button", name="Tour").click()
    player = page.get_by_role("region", name="Tour")
    expect(player).to_be_focused()
    expect(player).to_contain_text("Where waves lie")
    expect(player).to_contain_text("1 of 2")
    layer_shown(page, "features.4")
    expect(page.locator("#said")).to_have_text("Place 1 of 2. Where waves lie")
    page.keyboard.press("Space")
    expect(player.get_by_role("button", name="Go on")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(player).to_contain_text("The same, deeper")
    layer_shown(page, "features.7")
    expect(player.get_by_role("button", name="Next place")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    layer_shown(page, "features.4")
    expect(page).to_have_url(re.compile(r"at=0\.3%2C0\.6%2C2"))
    page.keyboard.press("Escape")
    expect(player).to_have_count(0)
    expect(page.get_by_role("button", name="Tour")).to_be_focused()


def test_who_wants_little_motion_steps_by_hand(open_page: Callable[..., Page], places: Served) -> None:
    places.client.set_tour(places.atlas["id"], [WHOLE, CLOSE])
    page = open_page(places.page, reduced_motion="reduce")
    page.get_by_role("button", name="Tour").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    page.get_by_role("button", name="Next place").click()
    expect(page.get_by_role("region", name="Tour")).to_contain_text("The same, deeper")


def test_nobody_overwrites_what_somebody_else_saved_unseen(open_page: Callable[..., Page], places: Served) -> None:
    page = open_page(places.page, allow="412")
    page.get_by_role("tab", name="Places").click()
    expect(page.get_by_role("button", name="Save this place")).to_be_visible()
    places.client.set_tour(places.atlas["id"], [WHOLE])
    page.get_by_role("button", name="Save this place").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else saved places of this map")
    page.get_by_role("button", name="Take theirs").click()
    expect(page.get_by_label("Caption of place 1")).to_have_value("Where waves lie")


def test_a_copied_link_shows_the_same_view(open_page: Callable[..., Page], served: Served) -> None:
    page = open_page(served.page, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("tab", name="features.4", exact=True).click()
    page.get_by_role("tab", name="3", exact=True).click()
    page.get_by_role("button", name="Zoom in").click()
    expect(page).to_have_url(re.compile("at="))
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Copy link to this view").click()
    expect(page.locator("#said")).to_have_text(re.compile("Link copied"))
    link = page.evaluate("navigator.clipboard.readText()")
    other = open_page(link)
    layer_shown(other, "features.4")
    layer_shown(other, "3")
    other.wait_for_selector(".map[data-size]")
    assert square(other) == pytest.approx(square(page), abs=1)


def test_the_view_and_its_cells_are_downloaded(open_page: Callable[..., Page], served: Served, tmp_path: Path) -> None:
    page = open_page(f"{served.page}#layer=features.7&side=3&heat=class-0")
    expect(page.get_by_role("region", name="Heat map")).to_contain_text("logits")
    page.get_by_role("button", name="Share").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download picture").click()
    assert download.value.suggested_filename == "two-layers-features.7-3.png"
    download.value.save_as(tmp_path / "view.png")
    box = page.locator(".map").bounding_box()
    assert box is not None
    with Image.open(tmp_path / "view.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), np.float64)
    assert pixels.shape[1] == round(box["width"])
    head, legend = 54, 48
    assert pixels.shape[0] == round(head + box["height"] + legend)
    assert (pixels[:head].min(axis=2) < 100).any()  # a title is written
    assert pixels[head:-legend].std() > 5  # icons, faded where the class is not, and no empty sheet
    assert np.ptp(pixels[-legend + 12, 16:200], axis=1).max() > 50  # the colours of the heat map's scale
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    download.value.save_as(tmp_path / "cells.csv")
    with (tmp_path / "cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    level = f"/v1/atlases/{served.atlas['id']}/layers/features.7/levels/0"
    assert len(rows) == len(list(served.client.items(f"{level}/cells")))
