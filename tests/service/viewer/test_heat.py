"""Heat maps as a person uses them: a class found by its name, its sign, how it is shown, and measures of every cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.service.viewer.conftest import at
from tests.service.viewer.reading import colour, drawn, number, painted, until

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.service.viewer.conftest import Served

OpenPage = Callable[..., Page]
LAYER = "features.7"


def opened(open_page: OpenPage, served: Served, state: str = "", side: int = 3) -> Page:
    page = open_page(f"{served.page}#layer={LAYER}&side={side}&panel=heat{state}")
    return drawn(page, side)


def heat_of(served: Served, z: int, label: str | None = None, measure: str | None = None) -> dict[str, Any]:
    return served.client.heatmap(served.atlas["id"], LAYER, z, label, measure)


def known(heat: dict[str, Any]) -> NDArray[np.float64]:
    return np.array([np.nan if one is None else one for one in heat["value"]], float)


def cells(heat: dict[str, Any], order: NDArray[np.int64] | None = None) -> list[tuple[int, int]]:
    places = list(zip(heat["column"], heat["row"], strict=True))
    return places if order is None else [places[n] for n in order]


def test_a_class_found_by_typing_is_shown_at_every_level_with_its_scale(open_page: OpenPage, served: Served) -> None:
    page, faded = opened(open_page, served), {}
    box = page.get_by_role("combobox", name="A class")
    box.click()
    classes = page.get_by_role("listbox", name="A class").get_by_role("option")
    expect(classes).to_have_count(3)  # all of them, until something is typed
    page.keyboard.type("str")
    expect(classes).to_have_text(["stripes"])
    page.keyboard.press("Enter")
    legend = page.get_by_role("region", name="Heat map")
    expect(legend).to_contain_text("stripes")
    expect(legend).to_contain_text("in logits")
    for z, side in enumerate(served.sides):
        page.get_by_role("tab", name=str(side), exact=True).click()
        drawn(page, side)
        heat = heat_of(served, z, "stripes")
        expect(legend.locator(".ends span").last).to_have_text(re.compile(r"^\+"))
        assert number(legend.locator(".ends span").last.inner_text()) == pytest.approx(heat["scale"], rel=0.06)
        faded[side] = painted(page, side, cells(heat))
    expect(page).to_have_url(re.compile("heat=class-1"))
    page.get_by_role("button", name="Take the heat map away").click()
    expect(legend).to_have_count(0)
    ground = colour(page, "--map")
    for z, side in enumerate(served.sides):
        page.get_by_role("tab", name=str(side), exact=True).click()
        drawn(page, side)
        heat = heat_of(served, z, "stripes")
        for before, after, value in zip(painted(page, side, cells(heat)), faded[side], known(heat), strict=True):
            if value > 0:  # an icon is as present as what it adds; what takes away is tinted besides
                presence = 0.3 + 0.7 * min(1, value / heat["scale"])
                assert np.abs(after - ground - presence * (before - ground)).max() < 12


def test_colours_say_for_and_against_and_each_sign_is_shown_alone(open_page: OpenPage, served: Served) -> None:
    page = opened(open_page, served, "&heat=class-0&look=colours")
    heat = heat_of(served, 0, "dots")
    value = known(heat)
    order = np.argsort(value)
    ground, adds, takes = (colour(page, name) for name in ("--map", "--for", "--against"))
    least, most = painted(page, 3, cells(heat, order[[0, -1]]))
    assert np.abs(most - adds).sum() < np.abs(most - takes).sum()
    expect(page.locator(".heat-legend .ends")).to_have_text(re.compile(r"^−.+0\+" if value.min() < 0 else r"^0"))
    page.get_by_text("Negative", exact=True).click()
    drawn(page, 3)
    alone = painted(page, 3, cells(heat, order[[0, -1]]))
    assert np.abs(alone[1] - ground).sum() < 60  # what adds to the class is left out
    if value.min() < 0:
        assert np.abs(least - takes).sum() < np.abs(least - adds).sum()
        assert number(page.locator(".heat-legend .ends span").first.inner_text()) == pytest.approx(
            value.min(), rel=0.06
        )


def test_intensity_brings_faint_icons_out(open_page: OpenPage, served: Served) -> None:
    page = opened(open_page, served, "&heat=class-2")
    heat = heat_of(served, 0, "waves")
    middle = np.argsort(np.abs(known(heat)))[len(heat["value"]) // 2 :][:1]
    ground = colour(page, "--map")
    before = np.abs(painted(page, 3, cells(heat, middle)) - ground).sum()
    page.get_by_label("Intensity").focus()
    page.keyboard.press("End")
    expect(page.locator(".heat output")).to_have_text("2.0")
    page.wait_for_timeout(100)
    assert np.abs(painted(page, 3, cells(heat, middle)) - ground).sum() > before


def test_measures_are_heat_maps_too(open_page: OpenPage, served: Served) -> None:
    page = opened(open_page, served)
    legend = page.get_by_role("region", name="Heat map")
    for measure in ("count", "error", "confidence", "calibration", "coherence", "fidelity"):
        page.get_by_label("Or a measure").select_option(measure)
        heat = heat_of(served, 0, measure=measure)
        shown = heat["greatest"] * (100 if measure in ("error", "confidence", "calibration") else 1)
        expect(legend).to_contain_text(measure.title() if measure != "count" else "Samples")
        expect(legend.locator(".ends span").last).to_have_text(re.compile(r"\d"))
        assert number(legend.locator(".ends span").last.inner_text()) == pytest.approx(shown, abs=0.51)


def test_the_least_trustworthy_icon_is_one_click_away(open_page: OpenPage, served: Served) -> None:
    page = opened(open_page, served, "&heat=fidelity")
    heat = heat_of(served, 0, measure="fidelity")
    value, count = known(heat), np.array(heat["count"])
    least = int(np.nanargmin(np.where(count >= heat["enough"], value, np.nan)))
    first = page.get_by_role("region", name="Least trustworthy icons").get_by_role("button").first
    expect(first).to_contain_text(f"{value[least]:.2f}")
    place = f"column {heat['column'][least]}, row {heat['row'][least]}"
    cell = served.client.json("GET", f"/v1/atlases/{served.atlas['id']}/layers/{LAYER}/levels/0/cells/"
                                     f"{heat['column'][least]}-{heat['row'][least]}")  # fmt: skip
    reason = "It is low in fidelity" if "low_fidelity" in cell["icon"]["marks"] else "Its fidelity of"
    expect(first).to_contain_text(reason)
    expect(page.locator("#said")).to_contain_text(f"Least trustworthy icons: first {place}")
    expect(page.locator("#said")).to_contain_text(reason)
    first.click()
    expect(page.get_by_role("tab", name="Details")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Fidelity")).to_contain_text(f"{value[least]:.2f}")
    expect(page).to_have_url(re.compile(f"cell={heat['column'][least]}-{heat['row'][least]}-3"))
    expect(page.locator(".heat-legend")).to_contain_text(f"This cell: {value[least]:.2f}")


def test_the_legend_covers_nothing_and_a_chosen_cell_is_seen_beside_the_heat_map(
    open_page: OpenPage, served: Served
) -> None:
    page = opened(open_page, served, "&heat=class-1")
    legend, ground = page.locator(".heat-legend").bounding_box(), page.locator(".ground").bounding_box()
    assert legend is not None
    assert ground is not None
    assert legend["y"] >= ground["y"] + ground["height"] - 1
    heat = heat_of(served, 0, "stripes")
    chosen = page.get_by_role("region", name="Chosen cell")
    expect(chosen).to_have_count(0)
    page.mouse.click(*at(page, 3, heat["column"][0] + 0.5, heat["row"][0] + 0.5))
    expect(chosen).to_contain_text(f"column {heat['column'][0]}, row {heat['row'][0]}, {heat['count'][0]} samples")
    chosen.get_by_role("button", name="Details").click()
    expect(page.get_by_role("tab", name="Details")).to_have_attribute("aria-selected", "true")
    expect(chosen).to_have_count(0)
    expect(page.locator("figure.cell")).to_be_visible()


def test_the_layer_chooser_shows_every_layer_in_the_class_s_colours(open_page: OpenPage, served: Served) -> None:
    page = opened(open_page, served)
    thumbs = page.locator(".layer-thumb")
    expect(thumbs).to_have_count(len(served.layers))
    pixels = "canvases => canvases.map((canvas) => canvas.toDataURL())"
    page.wait_for_timeout(200)
    before = thumbs.evaluate_all(pixels)
    page.get_by_role("combobox", name="A class").fill("dots")
    page.keyboard.press("Enter")
    until(page, f"[...document.querySelectorAll('.layer-thumb')].every((one, n) => one.toDataURL() !== {before}[n])")


def test_an_address_says_which_heat_map_is_shown_and_how(open_page: OpenPage, served: Served) -> None:
    page = opened(open_page, served, "&heat=class-2&sign=positive&look=colours&intensity=1.5")
    expect(page.get_by_role("combobox", name="A class")).to_have_value("waves")
    expect(page.get_by_role("radio", name="Positive")).to_be_checked()
    expect(page.get_by_role("radio", name="Colours")).to_be_checked()
    expect(page.locator(".heat output")).to_have_text("1.5")
    expect(page.locator(".heat-legend .ends span").first).to_have_text("0")
