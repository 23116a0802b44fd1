"""Two layers of the real service side by side, linked by pointer and camera; a cell followed through the layers."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.service.viewer.test_accessible import check

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served

OpenPage = Callable[..., Page]
SIDE, DEEP, SHALLOW = 3, "features.7", "features.4"


def cells(served: Served, layer: str) -> list[dict[str, Any]]:
    """The cells of a layer's coarsest level, the fullest first."""
    found = served.client.items(f"/v1/atlases/{served.atlas['id']}/layers/{quote(layer, safe='')}/levels/0/cells")
    return sorted(found, key=lambda cell: -cell["count"])


def flow(served: Served, cell: dict[str, Any], layer: str = DEEP, to: str = SHALLOW) -> dict[str, Any]:
    level = f"/v1/atlases/{served.atlas['id']}/layers/{quote(layer, safe='')}/levels/0"
    found: dict[str, Any] = served.client.json(
        "GET", f"{level}/cells/{cell['column']}-{cell['row']}/flow", params={"to": to, "points": 5000}
    )
    return found


def place(stage: Locator, cell: dict[str, Any]) -> tuple[float, float]:
    """Middle of a cell of one of several maps, in pixels of the window."""
    box = stage.bounding_box()
    assert box is not None
    left, top, size = (float(stage.get_attribute(f"data-{name}") or "") for name in ("left", "top", "size"))
    return (box["x"] + left + (cell["column"] + 0.5) / SIDE * size, box["y"] + top + (cell["row"] + 0.5) / SIDE * size)


def colours(page: Page, stage: Locator, some: list[dict[str, Any]]) -> Any:
    """Mean colour of cells as they are painted, shape (cells, 3)."""
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), float)
    middles = [place(stage, cell) for cell in some]
    return np.array([shot[int(y) - 12 : int(y) + 12, int(x) - 12 : int(x) + 12].mean(axis=(0, 1)) for x, y in middles])


def state(page: Page) -> dict[str, str]:
    """What the address says of the map."""
    page.wait_for_timeout(300)  # changes are gathered
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).fragment).items()}


@pytest.fixture
def page(served: Served, open_page: OpenPage) -> Page:
    page = open_page(f"{served.page}#layer={DEEP}&side={SIDE}")
    expect(page.locator(".map")).to_have_attribute("aria-label", re.compile(f"{DEEP}, {SIDE} cells a side"))
    return page


@pytest.fixture
def maps(page: Page) -> tuple[Locator, Locator]:
    """Both maps, once the second was asked for."""
    page.get_by_role("button", name="Side by side").click()
    first, second = page.locator(".map").nth(0), page.locator(".map").nth(1)
    expect(second).to_have_attribute("aria-label", re.compile(f"{SHALLOW}, {SIDE} cells a side"))
    page.wait_for_timeout(700)  # the first one has become narrower, and tiles are painted
    return first, second


def test_what_is_pointed_at_is_lit_in_the_other_layer_both_ways(
    served: Served, page: Page, maps: tuple[Locator, Locator]
) -> None:
    for (at, layer), (beside, other) in (((maps[0], DEEP), (maps[1], SHALLOW)), ((maps[1], SHALLOW), (maps[0], DEEP))):
        cell, there = cells(served, layer)[0], cells(served, other)
        holding = flow(served, cell, layer, other)
        main = next(one for one in there if (one["column"], one["row"]) == (holding["column"][0], holding["row"][0]))
        held = set(zip(holding["column"], holding["row"], strict=True))
        empty = [one for one in there if (one["column"], one["row"]) not in held]
        page.mouse.move(5, 5)
        page.wait_for_timeout(200)
        before = colours(page, beside, [main, *empty])
        page.mouse.move(*place(at, cell))
        page.wait_for_timeout(500)
        changed = np.abs(colours(page, beside, [main, *empty]) - before).max(axis=1)
        assert empty or len(held) == len(there)
        assert all(changed[0] < veiled for veiled in changed[1:])
        accent = np.array([154, 52, 18])
        shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), float)
        box = beside.bounding_box()
        assert box is not None
        size, left, top = (float(beside.get_attribute(f"data-{name}") or "") for name in ("size", "left", "top"))
        for x, y in holding["points"][:20]:  # its samples are dots, each where it lies on the other map
            px, py = box["x"] + left + x * size, box["y"] + top + (1 - y) * size
            near = shot[int(py) - 3 : int(py) + 4, int(px) - 3 : int(px) + 4].reshape(-1, 3)
            assert np.abs(near - accent).sum(axis=1).min() < 60


def test_both_look_at_the_same_part_unless_they_are_let_go(page: Page, maps: tuple[Locator, Locator]) -> None:
    def size(stage: Locator) -> float:
        return float(stage.get_attribute("data-size") or "")

    box = maps[0].bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    whole = size(maps[1])
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(900)
    assert size(maps[1]) > 1.2 * whole
    assert size(maps[0]) == pytest.approx(size(maps[1]), rel=0.02)
    page.get_by_label("move together").uncheck()
    zoomed = size(maps[1])
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(900)
    assert size(maps[1]) == pytest.approx(zoomed)
    assert state(page)["beside"] == "1"
    page.reload()
    expect(page.locator(".map")).to_have_count(2)
    page.get_by_role("button", name="Side by side").click()
    expect(page.locator(".map")).to_have_count(1)
    assert "beside" not in state(page)


def test_a_cell_is_followed_through_the_layers(served: Served, page: Page) -> None:
    cell = cells(served, DEEP)[0]
    page.mouse.click(*place(page.locator(".map"), cell))
    page.get_by_role("tab", name="Layers", exact=True).click()
    rows = page.locator(".through ol > li")
    expect(rows.locator("h3")).to_have_text([SHALLOW, f"{DEEP} · here"])
    followed = flow(served, cell)
    shares = [round(100 * share, 1) for share in followed["share"][:5]]
    expect(rows.nth(0).locator("strong")).to_have_count(len(shares))
    shown = [float(text.split()[0]) for text in rows.nth(0).locator("strong").all_inner_texts()]
    assert shown == pytest.approx(shares, abs=0.51)
    expect(rows.nth(1).locator("strong")).to_have_text(["100 %"])
    check(page, "light")
    expect(rows.nth(0)).to_contain_text(f"{followed['samples']} samples")
    icon = rows.nth(0).locator("img").first
    expect(icon).to_have_js_property("complete", value=True)
    assert icon.evaluate("image => image.naturalWidth") > 10
    rows.nth(0).get_by_role("button").first.click()
    expect(page.locator(".map")).to_have_attribute("aria-label", re.compile(SHALLOW))
    main = f"{followed['column'][0]}-{followed['row'][0]}-{SIDE}"
    assert (state(page)["layer"], state(page)["cell"]) == (SHALLOW, main)
    expect(rows.locator("h3")).to_have_text([f"{SHALLOW} · here", DEEP])


def test_a_layer_switched_in_place_stays_with_the_samples(served: Served, page: Page) -> None:
    cell = cells(served, DEEP)[0]
    page.mouse.click(*place(page.locator(".map"), cell))
    for _ in range(3):
        page.get_by_role("button", name="Zoom in").click()
    page.wait_for_timeout(600)
    page.get_by_role("tab", name=SHALLOW, exact=True).click()
    followed = flow(served, cell)
    main = f"{followed['column'][0]}-{followed['row'][0]}-{SIDE}"
    page.wait_for_function(f"() => location.hash.includes('layer={SHALLOW}') && location.hash.includes('cell={main}')")
    page.wait_for_timeout(700)
    now = state(page)
    x, y = (float(part) for part in now["at"].split(",")[:2])
    middle = np.median(np.array(followed["points"]), axis=0)
    assert (x, y) == pytest.approx(tuple(np.clip(middle, 0.2, 0.8)), abs=0.31)  # kept inside of the map's edges
    assert abs(x - middle[0]) + abs(y - middle[1]) < 0.4


def test_a_lasso_on_the_second_map_selects_there_and_a_picture_shows_both(
    served: Served, page: Page, maps: tuple[Locator, Locator], tmp_path: Path
) -> None:
    first, second = maps
    stage = page.get_by_role("region", name="Second map")
    stage.get_by_role("button", name="Draw around a part of the map").click()
    corner = cells(served, SHALLOW)[0]
    middle = place(second, corner)
    page.mouse.move(middle[0] - 30, middle[1] - 30)
    page.mouse.down()
    for right, down in ((30, -30), (30, 30), (-30, 30)):
        page.mouse.move(middle[0] + right, middle[1] + down, steps=3)
    page.mouse.up()
    expect(page.get_by_role("tab", name="Select")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("radio", name=f"The second map, of {SHALLOW}")).to_be_checked()
    polygon = state(page)["b.lasso"]
    asked = {"polygon": polygon, "page_size": 1}
    there, here = (
        served.client.json("GET", f"/v1/atlases/{served.atlas['id']}/layers/{layer}/samples", params=asked)["total"]
        for layer in (SHALLOW, DEEP)
    )
    assert there != here
    expect(page.locator(".found")).to_contain_text(re.compile(f"^{there:,} samples? of"))
    page.get_by_role("button", name="Share").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download picture (PNG)").click()
    download.value.save_as(tmp_path / "both.png")
    boxes = [one.bounding_box() for one in (first, second)]
    with Image.open(tmp_path / "both.png") as picture:
        assert abs(picture.width - sum(box["width"] for box in boxes if box) - 1) <= 1  # whole pixels
    second.press("Escape")
    expect(page.locator(".found")).to_have_count(0)
    assert "b.lasso" not in state(page)


def test_an_atlas_stands_beside_the_one_that_it_is_laid_out_against(served: Served, open_page: OpenPage) -> None:
    spec = {**served.atlas["spec"], "layers": [DEEP], "levels": [SIDE], "samples": 300, "seed": 9, "recipe": "none"}
    asked = {name: spec[name] for name in ("model", "dataset", "layers", "levels", "samples", "seed", "recipe")}
    atlas = served.client.wait(
        served.client.submit({**asked, "anchor": served.atlas["id"], "name": "against two layers"})["id"]
    )
    assert atlas["state"] == "succeeded"
    page = open_page(served.url)
    page.get_by_role("link", name="Beside the atlas that it is laid out against").click()
    first, second = page.locator(".map").nth(0), page.locator(".map").nth(1)
    for one, side in ((first, SIDE), (second, served.sides[1])):  # each its finest level
        expect(one).to_have_attribute("aria-label", re.compile(f"{DEEP}, {side} cells a side"))
    chosen = page.get_by_role("combobox", name="Atlas of the second map")
    expect(chosen).to_have_value(served.atlas["id"])
