"""Two layers, and two models, side by side on their coupled map: asked of the real service by the form, and read."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.service.test_versions import damaged as damaged  # the fixture
from tests.service.viewer.test_accessible import check

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served

OpenPage = Callable[..., Page]
OLD, NEW = "features.4", "features.7"


def changed(column: int, row: int, name: str, origin: dict[str, int] | None = None) -> dict[str, Any]:
    """A cell as one that changed is told."""
    return {"column": column, "row": row, "images": 12, "others": 1, "astray": 11, "q": 1e-9, "exemplars": [],
            "classes": [{"name": name, "share": 0.75}], "evidence": None, "url": None, "from": origin}  # fmt: skip


def centre(stage: Locator, side: int, column: int, row: int) -> tuple[float, float]:
    box = stage.bounding_box()
    assert box is not None
    left, top, size = (float(stage.get_attribute(f"data-{name}") or "") for name in ("left", "top", "size"))
    return box["x"] + left + (column + 0.5) / side * size, box["y"] + top + (row + 0.5) / side * size


@pytest.fixture
def compared(served: Served, damaged: str) -> dict[str, Any]:
    """The atlas's model and one that says nothing but dots, at one layer."""
    job = served.client.compare_models(damaged, atlas=served.atlas["id"], layers=[OLD])
    return served.client.made_comparison(job)


def test_two_layers_are_compared_by_one_form_and_lie_on_one_map(served: Served, open_page: OpenPage) -> None:
    page = open_page(f"{served.page}#layer={OLD}")
    page.get_by_role("tab", name="Versions").click()
    page.get_by_label("Compare with").select_option(label="tiny (this model: another layer)")
    page.get_by_label("Its layer").select_option(NEW)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_url(re.compile(r"\?comparison="))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{OLD} → {NEW}", timeout=60_000)
    expect(page.locator(".half figcaption")).to_have_text([f"{OLD} before", f"{NEW} after"])
    job = served.client.json("GET", f"/v1/comparisons/{page.url.split('comparison=')[1].split('#')[0]}")
    layer = job["description"]["layers"][0]
    halves = served.client.json("GET", layer["coupled"])
    maps, side = page.locator(".map"), halves["side"]
    expect(maps.nth(1)).to_have_attribute(
        "aria-label", re.compile(f"{side} cells a side, {len(halves['new']['row'])} of")
    )

    fullest = int(np.argmax(halves["old"]["samples"]))
    page.wait_for_timeout(500)
    page.mouse.move(*centre(maps.nth(0), side, halves["old"]["column"][fullest], halves["old"]["row"][fullest]))
    card = page.get_by_role("region", name="Cell")
    expect(card).to_contain_text(
        f"{halves['old']['samples'][fullest]} samples of {halves['old']['images'][fullest]} images"
    )
    right = halves["old"]["old"][fullest]
    expect(card).to_contain_text(re.compile(rf"Right: {100 * right:.0f} % → {100 * right:.0f} %"))  # the same model
    page.get_by_role("tab", name="Trust").click()
    told = page.locator("#changed .facts")
    expect(told).to_contain_text(f"{layer['map']['twins']['distance']:.3f} sides of the map")
    expect(told.locator("dd").nth(1)).to_have_text(f"{layer['map']['twins']['floor']:.3f}")
    page.goto(served.page)
    page.get_by_role("tab", name="Versions").click()
    expect(page.get_by_role("region", name="Comparisons").get_by_role("link")).to_have_text([f"tiny: {OLD} → {NEW}"])


def test_what_changed_is_marked_listed_and_told(served: Served, compared: dict[str, Any], open_page: OpenPage) -> None:
    halves = served.client.json("GET", compared["description"]["layers"][0]["coupled"])
    side = halves["side"]
    before, after = (list(zip(halves[name]["column"], halves[name]["row"], strict=True)) for name in ("old", "new"))
    born, lost, moved = after[0], before[-1], after[len(after) // 2]

    def told(route: Route) -> None:  # sixty images are too few for a cell to change beyond chance
        answer = route.fetch()
        job = answer.json()
        job["description"]["layers"][0]["cells"] |= {
            "numbers": {"born": 1, "lost": 1, "moved": 1}, "born": [changed(*born, "waves")],
            "lost": [changed(*lost, "dots")],
            "moved": [changed(*moved, "stripes", {"column": born[0], "row": born[1]})],
        }  # fmt: skip
        route.fulfill(response=answer, body=json.dumps(job))

    address = f"{served.url}/?comparison={compared['id']}"
    page = open_page(address, prepare=lambda page: page.route("**/v1/comparisons/*", told))
    expect(page.get_by_role("heading", level=1)).to_have_text("tiny → candidate")
    expect(page.locator(".summary")).to_contain_text("candidate against tiny on 60 images of patterns")
    old, new = page.locator(".map").nth(0), page.locator(".map").nth(1)
    expect(new).to_have_attribute("aria-label", re.compile(f"{side} cells a side"))
    page.get_by_role("tab", name="Cells").click()
    for name, text in (("Gained", "+1 waves 75 %"), ("Lost", "−1 dots 75 %"), ("Moved", "→1 stripes 75 %")):
        section = page.get_by_role("region", name=name)
        expect(section).to_contain_text(f"{name}: 1 cell")
        expect(section.get_by_role("button")).to_contain_text(re.compile(text.replace("+", r"\+").replace(" ", r"\s*")))
    page.wait_for_timeout(600)
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), float)
    green, brown, ink = np.array([15, 107, 98]), np.array([163, 69, 15]), np.array([29, 28, 26])
    for stage, (column, row), colour in ((new, born, green), (old, lost, brown), (new, moved, ink), (old, born, ink)):
        x, y = centre(stage, side, column, row)
        edge = centre(stage, side, column + 1, row)[0] / 2 + x / 2
        near = shot[int(y) - 2 : int(y) + 3, int(edge) - 5 : int(edge) + 2].reshape(-1, 3)
        assert np.abs(near - colour).sum(axis=1).min() < 40
    page.get_by_role("region", name="Lost").get_by_role("button").click()
    expect(page.get_by_role("region", name="Cell")).to_contain_text(f"Column {lost[0]}, row {lost[1]} of tiny")
    expect(page).to_have_url(re.compile(f"cell={lost[0]}-{lost[1]}-{side}"))


def test_accuracy_is_told_by_class_and_shown_by_cell(
    served: Served, compared: dict[str, Any], open_page: OpenPage
) -> None:
    page = open_page(f"{served.url}/?comparison={compared['id']}#tab=accuracy")
    accuracy = compared["description"]["accuracy"]
    rows = page.locator("table.accuracy tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.locator("th")).to_have_text([re.compile(one["name"]) for one in accuracy["classes"]])
    expect(page.locator("#changed")).to_contain_text(f"of {accuracy['overall']['images']} images right")
    halves = served.client.json("GET", compared["description"]["layers"][0]["coupled"])
    change = np.array(halves["new"]["new"], float) - np.array(halves["new"]["old"], float)
    enough = np.array(halves["new"]["images"]) >= 5
    new = page.locator(".map").nth(1)
    page.locator(".showing").get_by_label("accuracy").check()
    page.locator(".showing").get_by_label("changed cells").uncheck()
    page.wait_for_timeout(600)
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), float)
    for sign, colour in ((-1, np.array([163, 69, 15])), (1, np.array([15, 107, 98]))):
        found = np.flatnonzero(enough & (sign * change >= 0.3))
        for n in found[:2]:
            x, y = centre(new, halves["side"], halves["new"]["column"][n], halves["new"]["row"][n])
            assert np.abs(shot[int(y), int(x)] - colour).max() < 24
    assert (np.abs(change[enough]) >= 0.3).any()
    expect(page.locator(".legend").last).to_contain_text("less often right")
    check(page, "light")
    page.set_viewport_size({"width": 390, "height": 844})
    check(page, "light")


def test_one_that_is_not_there_says_so(served: Served, open_page: OpenPage) -> None:
    page = open_page(f"{served.url}/?comparison=none", allow="404")
    expect(page.get_by_role("heading")).to_have_text("There is no such comparison here")
