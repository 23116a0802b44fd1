"""Classes and channels of the real service: their icons drawn on request, their cells, their addresses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.service.viewer.reading import number, until

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served

OpenPage = Callable[..., Page]
LAYER = "features.4"
LONG = 120_000  # milliseconds that icons may take on a busy machine


def gallery(served: Served, open_page: OpenPage, more: str = "") -> Page:
    return open_page(f"{served.page}#layer={LAYER}&side={served.sides[0]}&panel=gallery{more}")


def test_a_class_has_a_page_with_its_icon_and_its_cells(served: Served, open_page: OpenPage) -> None:
    page = gallery(served, open_page)
    page.get_by_label("Search classes").fill("WAV")
    expect(page.get_by_role("list", name="Classes").get_by_role("button")).to_have_text(["waves"])
    page.get_by_role("list", name="Classes").get_by_role("button").click()
    expect(page.locator(".gallery h2")).to_have_text("waves")
    expect(page).to_have_url(re.compile("class=2"))

    heat = served.client.heatmap(served.atlas["id"], LAYER, 0, "waves")
    cells = zip(heat["value"], heat["column"], heat["row"], heat["count"], strict=True)
    best = max((value, column, row) for value, column, row, count in cells if count >= heat["enough"])
    strongest = page.get_by_label("Its strongest cells").get_by_role("button").first
    expect(strongest).to_have_attribute("title", f"Column {best[1]}, row {best[2]}")
    strongest.click()
    expect(page).to_have_url(re.compile(f"cell={best[1]}-{best[2]}-{served.sides[0]}"))

    page.get_by_role("button", name="Draw what the layer has seen of it").click()
    icon = page.get_by_role("img", name="Icon of waves")
    expect(icon).to_be_visible(timeout=LONG)
    until(page, "document.querySelector('.drawn').naturalWidth > 1")
    (made,) = [job for job in served.client.items(f"/v1/atlases/{served.atlas['id']}/icons")
               if job["request"]["kind"] == "classes" and job["request"]["classes"] == [2]]  # fmt: skip
    told = served.client.json("GET", f"/v1/atlases/{served.atlas['id']}/icons/{made['id']}")["description"]
    cosine = f"{told['pictures'][0]['fidelity']['whitened_cosine']:.2f}"
    expect(page.locator(".gallery figcaption")).to_contain_text(f"Fidelity {cosine}")
    expect(page.locator(".gallery figcaption .badge")).to_have_text("Seeded from data")
    page.reload()  # its address brings it back, and what was drawn is not drawn again
    expect(icon).to_be_visible()
    page.get_by_role("button", name="All classes").click()
    expect(page.get_by_role("list", name="Classes").get_by_role("button")).to_have_count(3)


def test_channels_are_drawn_some_at_a_time_each_with_its_fidelity(served: Served, open_page: OpenPage) -> None:
    page = gallery(served, open_page, "&gallery=channels")
    shape = next(
        one["shape"] for one in served.client.model(served.atlas["spec"]["model"])["layers"] if one["name"] == LAYER
    )
    expect(page.locator(".gallery")).to_contain_text(f"{LAYER} has {shape[0]} channels")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Draw channels 12 to 23").click()
    expect(page.locator(".gallery [role=status]")).to_be_visible()
    channels = page.get_by_role("list", name="Channels").get_by_role("button")
    expect(channels).to_have_count(12, timeout=LONG)
    asked = served.client.items(f"/v1/atlases/{served.atlas['id']}/icons")
    (made,) = [job for job in asked if job["request"].get("channels") == list(range(12, 24))]
    told = served.client.json("GET", f"/v1/atlases/{served.atlas['id']}/icons/{made['id']}")["description"]
    for picture, button in zip(told["pictures"], channels.all(), strict=True):
        name = re.fullmatch(r"Channel (\d+), fidelity (\S+?)(, marked)?", button.get_attribute("aria-label") or "")
        assert name is not None
        assert int(name[1]) == picture["channel"]
        assert number(name[2]) == pytest.approx(abs(picture["fidelity"]["whitened_cosine"]), abs=0.006)
        assert bool(name[3]) == bool(picture["fidelity"]["marks"])
    channels.nth(3).click()
    expect(page.locator(".gallery h2")).to_have_text("Channel 15")
    expect(page).to_have_url(re.compile("channel=15"))
    page.reload()
    expect(page.get_by_role("img", name="Icon of channel 15")).to_be_visible()


@pytest.mark.parametrize(
    ("more", "said"),
    [("&class=9", "The model has classes 0 to 2, no class 9."), ("&gallery=channels&channel=9999", "no channel 9999")],
)
def test_an_address_of_nothing_says_what_there_is(served: Served, open_page: OpenPage, more: str, said: str) -> None:
    expect(gallery(served, open_page, more).locator(".gallery .failed")).to_contain_text(said)
