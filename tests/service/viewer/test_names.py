"""Names on the map, of the real service: where the listing says, none over another, read on any icon, off by hand."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.service.viewer.conftest import square

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.service.viewer.conftest import Served

OpenPage = Callable[..., Page]


def names_on(page: Page) -> list[Any]:
    """Name, rank, left, top, width and height of what is written on the map, once anything is."""
    expect(page.locator(".map")).to_have_attribute("data-names", re.compile(r"^\[\["))
    page.wait_for_timeout(400)  # the map has come to rest
    return list(json.loads(page.locator(".map").get_attribute("data-names") or "[]"))


def listed(served: Served, layer: str) -> list[dict[str, Any]]:
    return list(served.client.items(f"/v1/atlases/{served.atlas['id']}/layers/{layer}/names"))


def pixels(page: Page, box: list[float]) -> NDArray[np.float64]:
    """How light the map is where a name stands."""
    corner = page.locator(".map").bounding_box()
    assert corner is not None
    left, top, width, height = box
    clip = {"x": corner["x"] + left, "y": corner["y"] + top, "width": width, "height": height}
    shot = Image.open(io.BytesIO(page.screenshot(clip=clip)))  # type: ignore[arg-type]
    return np.asarray(shot.convert("L"), float)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_regions_are_named_where_they_are_and_the_names_can_be_read(
    served: Served, open_page: OpenPage, scheme: str
) -> None:
    page = open_page(f"{served.page}#layer=features.4", scheme=scheme)
    written = names_on(page)
    left, top, size = square(page)
    corner = page.locator(".map").bounding_box()
    assert corner is not None
    known = listed(served, "features.4")
    for name, rank, x, y, width, height in written:
        middle = corner["x"] + x + width / 2, corner["y"] + y + height / 2
        assert any(
            (one["name"], one["rank"]) == (name, rank)
            and middle == pytest.approx((left + one["x"] * size, top + (1 - one["y"]) * size), abs=3)
            for one in known
        )
        light = pixels(page, [x, y, width, height])
        ground, ink = (light.max(), light.min()) if scheme == "light" else (light.min(), light.max())
        assert abs(ground - ink) > 180  # letters and what surrounds them, whatever the icons are
    for (*_, ax, ay, aw, ah), (*_, bx, by, bw, bh) in itertools.combinations(written, 2):
        assert ax + aw < bx or bx + bw < ax or ay + ah < by or by + bh < ay


def test_countries_give_way_to_provinces_and_towns(served: Served, open_page: OpenPage) -> None:
    page = open_page(f"{served.page}#layer=features.4", width=1000, height=640)
    assert {rank for _, rank, *_ in names_on(page)} == {"country"}
    page.locator(".map").focus()
    for _ in range(4):
        page.keyboard.press("+")
    finer = {rank for _, rank, *_ in names_on(page)}
    assert finer - {"country"}
    page.get_by_role("list", name="Places on the map").get_by_role("button").first.click()
    first = next(one for one in listed(served, "features.4") if one["rank"] == "country")
    expect(page.locator(".map")).to_have_attribute("data-size", re.compile(r"^\d{4}"))
    page.wait_for_timeout(600)
    left, top, size = square(page)
    box = page.locator(".map").bounding_box()
    assert box is not None
    x, y = left + first["x"] * size, top + (1 - first["y"]) * size
    assert box["x"] <= x <= box["x"] + box["width"]
    assert box["y"] <= y <= box["y"] + box["height"]


def test_names_are_taken_off_and_stay_off(served: Served, open_page: OpenPage) -> None:
    page = open_page(f"{served.page}#layer=features.4")
    (_, _, *box) = names_on(page)[0]
    before = pixels(page, box)
    page.get_by_role("button", name="How the map is drawn").click()
    page.get_by_label("Names of places").uncheck()
    expect(page.locator(".map")).to_have_attribute("data-names", "[]")
    assert np.abs(pixels(page, box) - before).max() > 60
    expect(page).to_have_url(re.compile("names=0"))
    page.reload()
    page.get_by_role("button", name="How the map is drawn").click()
    expect(page.get_by_label("Names of places")).not_to_be_checked()
    expect(page.locator(".map")).to_have_attribute("data-names", "[]")
