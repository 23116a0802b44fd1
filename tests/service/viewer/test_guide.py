"""How to read the map, in three steps on the real atlas's own data: on the first visit, and from a button."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from tests.service.viewer.reading import until

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served

OpenPage = Callable[..., Page]


def test_the_first_visit_begins_with_three_steps(served: Served, open_page: OpenPage) -> None:
    page = open_page(f"{served.page}#layer=features.4", first=True)
    guide = page.get_by_label("How to read this map")
    expect(guide.get_by_role("heading")).to_have_text("The network looks at patches")

    # A whole picture of the dataset, and its patches one after the other, as many as it has samples.
    image = guide.locator(".landing-picture img")
    until(page, "document.querySelector('.landing-picture img')?.naturalWidth === 64")
    address = image.get_attribute("src") or ""
    samples = list(served.client.items(f"/v1/atlases/{served.atlas['id']}/layers/features.4/samples"))
    shown = next(one for one in samples if f"/samples/{one['sample']}/" in f"/{address}")
    mates = [one for one in samples if one["image"] == shown["image"]]
    expect(guide.locator(".number")).to_have_count(min(len(mates), 6))
    expect(guide).to_contain_text(f"This picture of {shown['label']['name']}")

    guide.get_by_role("button", name="Next").click()
    expect(guide.get_by_role("heading")).to_have_text("A cell averages what lands in it")
    until(page, "[...document.querySelectorAll('.mates img')].some(image => image.naturalWidth === 20)")
    side = page.locator(".map").get_attribute("aria-label") or ""
    z = 0 if " 3 cells" in side else 1
    cells = list(served.client.items(f"/v1/atlases/{served.atlas['id']}/layers/features.4/levels/{z}/cells"))
    (cell,) = [one for one in cells if any(all(exemplar[name] == shown[name] for name in ("image", "row", "column"))
               for exemplar in one["exemplars"][:1])]  # fmt: skip
    expect(guide).to_contain_text(f"{cell['count']} patches of {cell['images']} pictures")

    guide.get_by_role("button", name="Next").click()
    expect(guide.get_by_role("heading")).to_have_text("An icon shows the average")
    expect(guide).to_contain_text("Beginning with an average of real patches")
    expect(guide).to_contain_text(f"its fidelity: here {cell['icon']['whitened_cosine']:.2f}")
    expect(guide.locator(".cell-icon")).to_be_visible()
    guide.get_by_role("button", name="Explore the map").click()
    expect(guide).to_have_count(0)
    expect(page).not_to_have_url(re.compile("guide="))
    page.reload()
    expect(page.locator("#details")).to_be_visible()
    expect(guide).to_have_count(0)


def test_who_comes_by_a_link_sees_what_it_holds(served: Served, open_page: OpenPage) -> None:
    page = open_page(f"{served.page}#layer=features.4&at=0.4,0.6,2", first=True)
    expect(page.locator("#details")).to_be_visible()
    until(page, "document.querySelector('.map')?.dataset.painted")
    expect(page.get_by_label("How to read this map")).to_have_count(0)
    expect(page).to_have_url(re.compile("at=0.4%2C0.6%2C2|at=0.4,0.6,2"))


def test_it_is_there_at_a_button_and_leaves_by_escape(served: Served, open_page: OpenPage) -> None:
    page = open_page(served.page)
    expect(page.locator("#details")).to_be_visible()
    button = page.get_by_role("button", name="How to read this")
    button.click()
    guide = page.get_by_label("How to read this map")
    expect(guide.get_by_role("heading")).to_be_focused()
    guide.get_by_role("button", name="Next").click()
    guide.get_by_role("button", name="Back").click()
    expect(guide.get_by_role("heading")).to_have_text("The network looks at patches")
    page.keyboard.press("Escape")
    expect(guide).to_have_count(0)
    expect(page.locator("#details")).to_be_visible()


def test_a_folder_explains_itself_too(open_page: OpenPage, corners_address: str) -> None:
    page = open_page(f"{corners_address}#layer=features.5&side=4")
    page.get_by_role("button", name="How to read this").click()
    guide = page.get_by_label("How to read this map")
    expect(guide).to_contain_text("every patch of a picture excites the network in its own way")
    guide.get_by_role("button", name="Next").click()
    expect(guide).to_contain_text("40 patches of 20 pictures")
    guide.get_by_role("button", name="Next").click()
    expect(guide.locator(".cell-icon")).to_be_visible()
