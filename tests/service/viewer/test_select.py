"""Selecting on the page: by lasso, rectangle, class and correctness at once; images to keep, and an atlas of it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.service.viewer.conftest import at
from tests.service.viewer.reading import drawn, number

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served

OpenPage = Callable[..., Page]
LAYER = "features.7"
AROUND = [(0.2, 0.3), (2.7, 0.1), (2.9, 2.2), (1.2, 2.9), (0.1, 2.0)]


@pytest.fixture
def page(open_page: OpenPage, served: Served) -> Page:
    return drawn(open_page(f"{served.page}#layer={LAYER}&side=3&panel=select"), 3)


def drag(page: Page, places: list[tuple[float, float]]) -> None:
    """Press at the first place, go by the others, let go at the last; in cells of a level of three."""
    page.mouse.move(*at(page, 3, *places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*at(page, 3, *place), steps=4)
    page.mouse.up()


def lasso(page: Page) -> None:
    page.get_by_role("button", name="Lasso", exact=True).click()
    drag(page, AROUND)
    expect(page).to_have_url(re.compile("lasso="))


def told(served: Served, page: Page, **filters: Any) -> dict[str, Any]:
    """What the service says of the part of the map that the address names, and of these filters."""
    polygon = parse_qs(urlsplit(page.url).fragment).get("lasso")
    asked = {**({"polygon": polygon[0]} if polygon else {}), **filters, "page_size": 1000}
    path = f"/v1/atlases/{served.atlas['id']}/layers/{LAYER}"
    samples = served.client.json("GET", f"{path}/samples", params=asked)
    return samples | {"listed": served.client.json("GET", f"{path}/images", params=asked)["items"]}


def found(page: Page) -> list[float]:
    expect(page.locator(".found strong")).to_have_count(2)
    return [number(text) for text in page.locator(".found strong").all_inner_texts()]


def test_a_lasso_a_class_and_errors_hold_at_once(page: Page, served: Served) -> None:
    lasso(page)
    everyone = told(served, page)
    assert 0 < everyone["total"] < served.atlas["manifest"]["layers"][LAYER]["samples"]
    assert found(page) == [everyone["total"], everyone["images"]]
    corners = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+),([\d.]+)", parse_qs(
        urlsplit(page.url).fragment)["lasso"][0])]  # fmt: skip
    for x, y in AROUND:
        assert min(abs(x / 3 - one) + abs(1 - y / 3 - other) for one, other in corners) < 0.03
    page.get_by_text("Wrong", exact=True).click()
    wrong = told(served, page, wrong=True)
    expect(page.locator(".found")).to_have_text(re.compile(f"^{wrong['total']} "))
    page.get_by_role("combobox", name="Images of").fill("wav")
    page.keyboard.press("Enter")
    both = told(served, page, wrong=True, label="waves")
    expect(page.locator(".found")).to_have_text(re.compile(f"^{both['total']} sample"))
    if both["total"]:
        expect(page.locator(".crop")).to_have_count(min(30, both["total"]))
        expect(page.locator(".crop").first).to_have_attribute("title", re.compile("^waves, taken for"))
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.locator(".found")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("lasso=|label=|answer="))


def test_samples_that_speak_for_a_class_among_those_taken_for_another(page: Page, served: Served) -> None:
    page.get_by_text("More conditions").click()
    page.get_by_role("combobox", name="Samples that speak for").fill("dots")
    page.keyboard.press("Enter")
    page.get_by_text("First of all").click()
    rank = told(served, page, speaks_for="dots", by="rank")
    expect(page.locator(".found")).to_have_text(re.compile(f"^{rank['total']} sample"))


def test_a_rectangle_by_keyboard_is_a_selection(page: Page, served: Served) -> None:
    page.locator(".map").focus()
    for key in ("ArrowRight", "Shift+ArrowLeft", "Shift+ArrowUp"):
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile("box=0%2C0.3333%2C0.6667%2C1$"))
    box = parse_qs(urlsplit(page.url).fragment)["box"][0]
    expect(page.locator(".found")).to_have_text(re.compile(f"^{told(served, page, bbox=box)['total']} sample"))


def test_its_images_are_kept_as_a_list(page: Page, served: Served) -> None:
    lasso(page)
    found(page)
    listed = told(served, page)["listed"]
    files = {}
    for kind in ("CSV", "JSON"):
        with page.expect_download() as coming:
            page.get_by_role("button", name=kind, exact=True).click()
        assert coming.value.suggested_filename == f"images.{kind.lower()}"
        files[kind] = Path(coming.value.path()).read_text()
    assert json.loads(files["JSON"]) == listed
    rows = list(csv.DictReader(files["CSV"].splitlines()))
    assert [(row["image"], row["label"], int(row["samples"])) for row in rows] == [
        (one["image"], one["label"]["name"], one["samples"]) for one in listed
    ]


def test_an_atlas_is_made_of_it(page: Page, served: Served) -> None:
    lasso(page)
    samples, images = found(page)
    page.get_by_role("button", name="Make an atlas of this").click()
    link = page.get_by_role("link", name="a part of the map")
    expect(link.first).to_be_visible(timeout=120_000)
    link.first.click()
    expect(page).to_have_url(re.compile(r"\?selection="))
    expect(page.locator(".map")).to_have_attribute("aria-label", re.compile(f"{LAYER}, \\d+ cells a side"))
    made = served.client.all_selections(served.atlas["id"])
    assert (samples, images) in [(one["request"]["samples"], one["request"]["images"]) for one in made]
    page.get_by_role("tab", name="Select").click()
    expect(page.get_by_role("button", name="Make an atlas of this")).to_have_count(0)  # of a selection there is none


def test_too_few_images_are_refused_with_the_remedy(open_page: OpenPage, served: Served) -> None:
    page = drawn(open_page(f"{served.page}#layer={LAYER}&side=3&panel=select", allow="status of 422"), 3)
    page.get_by_role("button", name="Rectangle", exact=True).click()
    drag(page, [(1.0, 1.0), (1.25, 1.25)])
    found(page)
    page.get_by_role("button", name="Make an atlas of this").click()
    expect(page.get_by_role("alert")).to_contain_text("a map takes 20 images or more")
