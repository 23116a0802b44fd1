"""Every control of the article's viewer, row by row, with the tests that show its equal here."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.service.viewer.conftest import at, painted, pixel, square

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served

OpenPage = Callable[..., Page]
HERE = Path(__file__).parent
# The article's words for a control; the tests.
ROWS = [
    ("pan by dragging, zoom by wheel", "test_map.test_wheel_zooms_about_the_pointer_and_drag_moves"),
    ("pan and zoom by touch", "test_map.test_two_fingers_zoom"),
    ("buttons home, larger, smaller", "test_article.test_buttons_zoom_and_bring_the_whole_map_back"),
    ("icons with a gap, outlines before a tile is there", "test_article.test_icons_have_a_gap_between_them"),
    ("outlines before a tile is there", "test_map.test_a_folder_without_tiles_still_shows_where_cells_are"),
    ("grid size by hand", "test_map.test_layers_and_levels_are_chosen"),
    ("grid size auto", "test_map.test_the_zoom_chooses_the_level"),
    ("layer chooser", "test_map.test_layers_and_levels_are_chosen"),
    ("layer chooser with thumbnails in the class's colours",
     "test_heat.test_the_layer_chooser_shows_every_layer_in_the_class_s_colours"),
    ("class filter", "test_heat.test_a_class_found_by_typing_is_shown_at_every_level_with_its_scale"),
    ("positive and negative influence", "test_heat.test_colours_say_for_and_against_and_each_sign_is_shown_alone"),
    ("intensity", "test_heat.test_intensity_brings_faint_icons_out"),
    ("icon density", "test_map.test_icons_are_sized_by_density"),
    ("attribution labels", "test_names.test_regions_are_named_where_they_are_and_the_names_can_be_read"),
    ("hover: frame, tooltip with top classes, its toggle", "test_cell.test_a_cell_that_is_pointed_at_says_what_it_is"),
    ("minimap and reticle", "test_map.test_the_minimap_shows_what_is_in_view_and_moves_it"),
    ("options tray, location read-out", "test_article.test_options_open_and_say_where_the_map_looks"),
    ("link to this view", "test_share.test_a_copied_link_shows_the_same_view"),
    ("back link", "test_article.test_a_link_leads_back_to_the_atlases"),
    ("two views linked, which the article missed",
     "test_linked.test_what_is_pointed_at_is_lit_in_the_other_layer_both_ways"),
    ("narrow screens", "test_map.test_fits_a_phone"),
    ("a path's strip of icons", "test_line.test_a_line_shows_the_icons_of_the_cells_that_it_crosses"),
    ("two classes compared, a patch pasted", "test_compare.test_two_classes_on_one_picture_and_a_patch_pasted"),
]  # fmt: skip


@pytest.mark.parametrize(("control", "test"), ROWS, ids=[control for control, _ in ROWS])
def test_a_control_of_the_article_has_its_equal(control: str, test: str) -> None:
    module, name = test.split(".")
    tree = ast.parse((HERE / f"{module}.py").read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, control


def test_buttons_zoom_and_bring_the_whole_map_back(open_page: OpenPage, corners_address: str) -> None:
    page = painted(open_page(f"{corners_address}#layer=features.5&side=4"), 4)
    whole = square(page)[2]
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_function(f"() => Number(document.querySelector('.map').dataset.size) > {1.5 * whole}")
    page.get_by_role("button", name="Zoom out").click()
    page.wait_for_function(f"() => Number(document.querySelector('.map').dataset.size) < {1.1 * whole}")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Show all").click()
    page.wait_for_function(f"() => Math.abs(Number(document.querySelector('.map').dataset.size) - {whole}) < 1")


def test_icons_have_a_gap_between_them(open_page: OpenPage, corners_address: str) -> None:
    page = painted(open_page(f"{corners_address}#layer=features.5&side=4"), 4)
    edge, ground = pixel(page, *at(page, 4, 0.004, 0.5)), pixel(page, *at(page, 4, 1.5, 1.5))
    assert np.abs(edge - ground).max() <= 4
    assert np.abs(pixel(page, *at(page, 4, 0.06, 0.5)) - ground).max() > 30


def test_options_open_and_say_where_the_map_looks(open_page: OpenPage, corners_address: str) -> None:
    page = painted(open_page(f"{corners_address}#layer=features.5&side=4&at=0.25,0.75,3"), 4)
    location = page.locator(".location")
    expect(location).to_have_count(0)
    options = page.get_by_role("button", name="How the map is drawn")
    options.click()
    expect(location).to_have_text("x 0.250, y 0.750, zoom 3.0")
    options.click()
    expect(location).to_have_count(0)


def test_a_link_leads_back_to_the_atlases(served: Served, open_page: OpenPage) -> None:
    page = painted(open_page(served.page), served.sides[1])
    page.get_by_role("link", name="Atlases", exact=True).click()
    expect(page.locator("h1")).to_have_text("Atlases")


def test_points_instead_of_icons(served: Served, open_page: OpenPage) -> None:
    page = painted(open_page(served.page), served.sides[1])
    samples = served.client.json("GET", f"/v1/atlases/{served.atlas['id']}/layers/{served.layers[-1]}/samples")
    wrong = served.client.json(
        "GET", f"/v1/atlases/{served.atlas['id']}/layers/{served.layers[-1]}/samples", params={"wrong": "true"}
    )
    page.get_by_role("button", name="How the map is drawn").click()
    page.get_by_role("tab", name="Points").click()
    expect(page.locator(".settings")).to_contain_text(f"{samples['total']:,} samples")
    expect(page.locator(".settings")).to_contain_text(f"{wrong['total']} of images that the network got wrong")
    page.get_by_role("button", name="How the map is drawn").click()
    page.wait_for_timeout(100)
    left, top, size = square(page)
    ground = pixel(page, left + 0.5, top - 5)
    hits = [
        np.abs(pixel(page, left + one["x"] * size, top + (1 - one["y"]) * size) - ground).max() > 40
        for one in samples["items"][:12]
    ]
    assert sum(hits) >= 10  # a control may lie above one
    page.wait_for_timeout(250)
    assert re.search("show=points", page.url)
