"""Two classes compared on one picture, and the patch test one click away."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.service.viewer.conftest import at
from tests.service.viewer.reading import number, until

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served

OpenPage = Callable[..., Page]
LAYER = "features.7"


def test_two_classes_on_one_picture_and_a_patch_pasted(open_page: OpenPage, served: Served) -> None:
    page = open_page(f"{served.page}#layer={LAYER}&panel=compare")
    suggested = page.get_by_role("region", name="Often confused").get_by_role("button")
    pairs = served.client.confusions(served.atlas["id"])
    expect(suggested.first).to_have_text(" and ".join(one["name"] for one in pairs[0]["classes"]), timeout=30_000)
    for label, name in (("On the left", "dots"), ("On the right", "waves")):
        page.get_by_role("combobox", name=label).fill(name)
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Compare", exact=True).click()

    # It is announced, and opens where it is asked for, with what lies where in words.
    ready = page.locator(".ready[role=status]")
    expect(ready).to_contain_text("The comparison of dots and waves is ready", timeout=120_000)
    assert served.atlas["id"] in page.url
    ready.get_by_role("link", name="Open dots and waves").click()
    expect(page.get_by_role("heading", name="dots and waves", exact=True)).to_be_visible()
    comparison = next(one for one in served.client.comparisons(served.atlas["id"])
                      if one["request"].get("classes") == [0, 2] and one["request"]["layer"] == LAYER)  # fmt: skip
    assert comparison["id"] in page.url
    found = served.client.json("GET", f"/v1/comparisons/{comparison['id']}")["description"]
    expect(page.locator(".compare")).to_contain_text("What does the model tell dots and waves apart by?")
    told = page.locator(".compare details p").first.inner_text()
    assert abs(number(told) - found["scale"]) < 0.05 * found["scale"] + 0.005
    until(page, "document.querySelector('.map')?.dataset.painted")

    path = f"/v1/atlases/{comparison['id']}/layers/{LAYER}/levels/0"
    level = served.client.json("GET", path)
    cells = list(served.client.items(f"{path}/cells"))
    cell = max(cells, key=lambda one: (one["column"], one["count"]))
    least = min(10, sorted(one["count"] for one in cells)[len(cells) // 2])
    columns_of = [one["column"] for one in cells if one["count"] >= least]
    for name, end in (("dots", min(columns_of)), ("waves", max(columns_of))):
        listed = page.get_by_role("region", name=f"Speaks most for {name}").get_by_role("button")
        columns = [int(column) for column in re.findall(r"column (\d+)", " ".join(
            one.get_attribute("aria-label") or "" for one in listed.all()))]  # fmt: skip
        assert 1 <= len(columns) <= 3
        assert columns == sorted(columns, reverse=name == "waves")
        assert columns[0] == end
        sign = 1 if name == "waves" else -1
        beyond = [one for one in cells if one["count"] < least and sign * (one["column"] - columns[-1]) > 0]
        left_out = page.get_by_role("region", name=f"Speaks most for {name}").get_by_text("left out")
        expect(left_out).to_have_count(int(len(beyond) > 0))
    card = page.get_by_role("region", name="Speaks most for waves").get_by_role("button").first
    card.click()
    page.get_by_text("How to read it").focus()
    expect(card).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("group", name="What left and right mean")).to_have_text(
        re.compile(r"logits more to dots.*0.*logits more to waves")
    )
    assert page.get_by_role("link", name="Where waves lies on the whole map").get_attribute("href") == (
        f"./?atlas={served.atlas['id']}#layer={LAYER}&heat=class-2&panel=heat"
    )
    place = at(page, level["side"], cell["column"] + 0.5, cell["row"] + 0.5)
    page.mouse.move(*place)
    side = "waves" if cell["column"] + 0.5 > level["side"] / 2 else "dots"
    expect(page.locator(".compare [role=status]").first).to_have_text(re.compile(f"logits more to {side}"))
    page.mouse.click(*place)
    expect(page).to_have_url(re.compile(f"cell={cell['column']}-{cell['row']}-{level['side']}"))

    # The untrained network takes nearly everything for one class: patches are pasted on images of that one.
    recognised = served.client.json("GET", f"/v1/atlases/{served.atlas['id']}/layers/{LAYER}/images",
                                    params={"right": True, "page_size": 1000})["items"]  # fmt: skip
    names = [one["label"]["name"] for one in recognised]
    base = max(("dots", "waves"), key=names.count)
    asked = page.get_by_role("region", name="Patch test")
    if f"images of {base}" not in asked.inner_text():
        asked.get_by_role("button", name="The other way round").click()
    expect(asked).to_contain_text(f"images of {base}")
    asked.get_by_role("button", name="Test it").click()
    expect(asked.locator(".verdict")).to_be_visible(timeout=120_000)
    (test,) = served.client.all_patches(comparison["id"])
    description = served.client.json("GET", test["links"]["self"])["description"]
    _same_numbers(asked, description)
    if description["patches"]:
        until(page, "document.querySelector('.sheet')?.naturalWidth > 100")

    # What was found is there for whoever opens the address, without another test.
    page.reload()
    expect(asked.locator(".verdict")).to_contain_text(_told(description), timeout=30_000)


def _told(description: dict[str, Any]) -> str:
    return str(description["reason"])[1:].replace(" %", "\N{NO-BREAK SPACE}%")


def _same_numbers(asked: Locator, description: dict[str, Any]) -> None:
    """The sentence names a size, and the table has that size with the numbers of the sentence."""
    told = asked.locator(".verdict").inner_text().replace("\N{NO-BREAK SPACE}", " ")
    found = re.search(r"Patches of ([\d.]+ %) .*flip ([\d.]+ %) of", told)
    controls = re.findall(r"(crops|noise)\D* ([\d.]+ %)", told)
    assert found, told
    assert [name for name, _ in controls] == list(description["controls"])
    sizes, patches = asked.locator("tbody"), description["patches"]
    expect(sizes).to_have_count(len(description["request"]["sizes"]))
    for place, size in enumerate(sizes.all()):
        rows = size.locator("tr")
        expect(rows).to_have_count(1 + len(patches) + (len(patches) > 1) + len(description["controls"]))
        for row, patch in zip(rows.all()[1:], patches, strict=False):
            shares = patch["sizes"][place]["corners"]
            assert number(row.locator("td").first.inner_text()) == pytest.approx(100 * shares["share"], abs=0.051)
            ends = row.locator("td").last.inner_text().split("\N{EN DASH}")
            assert [number(end) for end in ends] == pytest.approx([100 * end for end in shares["interval"]], abs=0.051)
    size = sizes.filter(has_text=f"Patches of {found[1]} of the picture's side")
    for name, share in (("All patches" if len(patches) > 1 else "Patch 1", found[2]), *controls):
        expect(size.get_by_role("row").filter(has_text=name).locator("td").first).to_have_text(share)
