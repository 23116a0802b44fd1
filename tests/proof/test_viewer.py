"""Issue 7 at full size, done-whens 1, 3, 4 and 5: the demo's atlas as `atlas demo` leaves it, used as a person would.

What needs no full size is in tests/service/viewer; tests that hold on any atlas are taken from there and run on this
one. Frames a second at 25,600 cells and 100,000 points are a benchmark: benchmarks/README.md, "The viewer".
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from atlas_client.cli import run
from atlas_client.client import Client
from service.commands import HELD_OUT_SEED
from service.demo.world import encode, generate
from service.embedded import free_port
from tests.service.viewer.conftest import (
    Served,
    at,
    browser as browser,
    corners_address as corners_address,
    open_page as open_page,
    square,
)
from tests.service.viewer.reading import drawn, number, until
from tests.service.viewer.test_accessible import (
    check,
    test_axe_finds_nothing_on_a_map_nor_in_any_panel as test_axe_finds_nothing_on_a_map_nor_in_any_panel,
    violations,
)
from tests.service.viewer.test_article import test_points_instead_of_icons as test_points_instead_of_icons
from tests.service.viewer.test_map import (
    test_each_corner_is_found_at_that_corner as test_each_corner_is_found_at_that_corner,
)
from tests.service.viewer.test_names import (
    test_regions_are_named_where_they_are_and_the_names_can_be_read as test_names_can_be_read,
)
from tests.service.viewer.test_transfers import (
    test_a_first_look_is_light_and_a_second_asks_for_nothing_immutable as test_a_second_visit_asks_nothing_immutable,
)
from tests.tiny import ATLAS

if TYPE_CHECKING:
    from tests.proof.conftest import Report

pytestmark = pytest.mark.proof
OpenPage = Callable[..., Page]
LAYER, EARLIER, SIDE = "features.7", "features.4", 20
LONG, PATIENCE = 600_000, 60_000  # milliseconds that a job and a page may take on a busy machine

__all__ = ["test_a_second_visit_asks_nothing_immutable", "test_names_can_be_read"]


@pytest.fixture(scope="module")
def served(work: Path, report: Report) -> Iterator[Served]:
    """The demo, serving; its tour is saved."""
    command = [*ATLAS, "demo", "--data", str(work / "demo"), "--port", str(free_port()), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            report("the demo for the viewer", seconds=told["seconds"])
            url = told["url"].partition("/?")[0]
            with Client(url) as client:
                atlas = client.status(told["atlas"])
                yield Served(url, client, atlas, atlas["spec"]["layers"], atlas["spec"]["levels"])
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def patience() -> Iterator[int]:
    """Also of what is expected to be seen."""
    expect.set_options(timeout=PATIENCE)
    yield PATIENCE
    expect.set_options(timeout=5_000)


@pytest.fixture
def page(served: Served, open_page: OpenPage) -> Page:
    return drawn(open_page(f"{served.page}#layer={LAYER}&side={SIDE}"), SIDE)


def panel(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def cells(served: Served, layer: str = LAYER) -> list[dict[str, Any]]:
    return list(served.client.items(f"/v1/atlases/{served.atlas['id']}/layers/{layer}/levels/1/cells"))


def middle(page: Page, cell: dict[str, Any]) -> tuple[float, float]:
    return at(page, SIDE, cell["column"] + 0.5, cell["row"] + 0.5)


def chosen(page: Page, label: str, name: str) -> None:
    """Find a class by typing, and take it."""
    page.get_by_role("combobox", name=label).fill(name)
    page.keyboard.press("Enter")


def test_lists_and_the_form_tell_what_there_is_and_what_another_would_take(served: Served, open_page: OpenPage) -> None:
    page = open_page(served.url)
    card = page.get_by_role("article").filter(has=page.get_by_role("link", name="demo", exact=True))
    card.locator("img").evaluate("each => each.decode()")
    for name in ("Models", "Datasets"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        check(page, "light")
        page.get_by_role("listitem").get_by_role("link").first.click()
        expect(page.get_by_role("heading", level=1)).not_to_have_text(name)
        check(page, "light")
    page.get_by_role("link", name="Audits", exact=True).click()
    expect(page.get_by_role("heading", name="No audit yet")).to_be_visible()
    page.get_by_role("link", name="Atlases", exact=True).click()
    page.get_by_role("link", name="New atlas").first.click()
    page.get_by_label("Model", exact=True).select_option("demo")
    page.get_by_label("Dataset", exact=True).select_option("demo-world-0")
    estimate = page.get_by_role("complementary", name="Estimate")
    expect(estimate).to_contain_text(re.compile(r"about .+ · .+B"))
    check(page, "light")


def test_levels_come_by_zoom_and_names_become_finer(page: Page, served: Served, open_page: OpenPage) -> None:
    page = open_page(served.page, 390, 844)
    drawn(page, 10)
    panels = page.get_by_role("button", name="Zoom in")
    panels.click()
    panels.click()
    drawn(page, 20)
    expect(page.get_by_role("tab", name="Auto: 20")).to_have_attribute("aria-selected", "true")
    wide = open_page(served.page)
    expect(wide.locator(".map")).to_have_attribute("data-names", re.compile('"country"'))
    whole = square(wide)[2]
    box = wide.locator(".map").bounding_box()
    assert box is not None
    wide.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(6):
        wide.mouse.wheel(0, -400)
        wide.wait_for_timeout(80)
    expect(wide.locator(".map")).to_have_attribute("data-names", re.compile('"town"'))
    assert square(wide)[2] > 3 * whole
    expect(wide.locator(".minimap .reticle")).to_be_visible()
    wide.get_by_role("button", name="Show all").click()
    until(wide, f"Math.abs(Number(document.querySelector('.map').dataset.size) - {whole}) < 1")


def test_the_outermost_cells_are_where_the_service_says(page: Page, served: Served) -> None:
    found = cells(served)
    left, top, size = square(page)
    for name, sign in (("column", 1), ("column", -1), ("row", 1), ("row", -1)):
        cell = min(found, key=lambda one: sign * one[name])
        x, y = middle(page, cell)
        assert x == pytest.approx(left + (cell["column"] + 0.5) / SIDE * size)
        assert y == pytest.approx(top + (cell["row"] + 0.5) / SIDE * size)
        page.mouse.click(x, y)
        expect(page.locator("figure.cell figcaption")).to_contain_text(
            f"Column {cell['column']}, row {cell['row']} of {SIDE}."
        )
        expect(page.locator("#details .bars .name").first).to_have_text(cell["classes"][0]["name"])


def test_a_cell_tells_its_classes_patches_samples_and_layers(page: Page, served: Served, open_page: OpenPage) -> None:
    cell = max(cells(served), key=lambda one: int(one["count"]))
    page.mouse.move(*middle(page, cell))
    expect(page.get_by_role("tooltip")).to_contain_text(f"Average of {cell['count']} samples")
    page.mouse.click(*middle(page, cell))
    details = page.locator("#details")
    expect(details.locator(".bars").first.locator(".name")).to_have_text([one["name"] for one in cell["classes"]])
    expect(details.locator("figure.cell .badge")).to_have_text("Seeded from data")
    expect(page.locator(".exemplars img")).to_have_count(len(cell["exemplars"]))
    until(page, "[...document.querySelectorAll('.exemplars img')].every(image => image.naturalWidth > 1)")
    expect(details.locator(".samples h3")).to_have_text(f"All {cell['count']} samples")
    expect(page).to_have_url(re.compile(f"cell={cell['column']}-{cell['row']}-{SIDE}"))
    panel(page, "Layers")
    expect(page.locator(".through ol > li h3")).to_have_text([EARLIER, f"{LAYER} · here"])
    page.get_by_role("button", name="Side by side").click()
    expect(page.locator(".map")).to_have_count(2)
    expect(page.locator(".map").nth(1)).to_have_attribute("aria-label", re.compile(EARLIER))


def test_classes_and_measures_are_heat_maps_at_every_level(page: Page, served: Served) -> None:
    panel(page, "Heat map")
    chosen(page, "A class", "flower")
    legend = page.get_by_role("region", name="Heat map")
    for z, side in enumerate(served.sides):
        page.get_by_role("tab", name=str(side), exact=True).click()
        heat = served.client.heatmap(served.atlas["id"], LAYER, z, "flower")
        drawn(page, side)
        assert number(legend.locator(".ends span").last.inner_text()) == pytest.approx(heat["scale"], rel=0.06)
    for measure, told in (("error", "Error"), ("count", "Samples")):
        page.get_by_label("Or a measure").select_option(measure)
        expect(legend).to_contain_text(told)
    page.get_by_role("button", name="Take the heat map away").click()
    page.get_by_role("tab", name="Details", exact=True).click()
    page.get_by_role("button", name="Find the least trustworthy icons").click()
    worst = min(
        (one for one in cells(served) if one["count"] >= heat["enough"]),
        key=lambda one: float(one["icon"]["whitened_cosine"]),
    )
    first = page.get_by_role("region", name="Least trustworthy icons").get_by_role("button").first
    expect(first).to_contain_text(f"{worst['icon']['whitened_cosine']:.2f}")


def test_a_class_and_a_channel_have_pages_with_icons(page: Page) -> None:
    panel(page, "Gallery")
    page.get_by_label("Search classes").fill("wok")
    page.get_by_role("list", name="Classes").get_by_role("button").click()
    page.get_by_role("button", name="Draw what the layer has seen of it").click()
    expect(page.get_by_role("img", name="Icon of wok")).to_be_visible(timeout=LONG)
    expect(page).to_have_url(re.compile("class=9"))


def test_what_a_lasso_holds_is_listed_and_kept(page: Page, served: Served) -> None:
    panel(page, "Select")
    page.get_by_role("button", name="Lasso", exact=True).click()
    places = [(4, 5), (14, 4), (15, 14), (6, 15), (3, 9)]
    page.mouse.move(*at(page, SIDE, *places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*at(page, SIDE, *place), steps=4)
    page.mouse.up()
    found = page.locator(".found strong")
    expect(found).to_have_count(2)
    everyone = number(found.first.inner_text())
    page.get_by_text("Wrong", exact=True).click()
    chosen(page, "Images of", "wok")
    expect(page.locator(".found")).to_have_text(re.compile(r"^[\d,]+ sample"))
    until(page, f"Number(document.querySelector('.found').innerText.match(/[\\d,]+/)[0].replace(',', '')) < {everyone}")
    with page.expect_download() as coming:
        page.get_by_role("button", name="JSON", exact=True).click()
    kept = json.loads(Path(coming.value.path()).read_text())
    assert {one["label"]["name"] for one in kept} <= {"wok"}


def test_two_classes_are_compared_and_a_patch_is_pasted(served: Served, open_page: OpenPage) -> None:
    page = open_page(f"{served.page}#layer={LAYER}&panel=compare")
    for label, name in (("On the left", "pan"), ("On the right", "wok")):
        chosen(page, label, name)
    page.get_by_role("button", name="Compare", exact=True).click()
    heading, ready = (
        page.get_by_role("heading", name="pan and wok", exact=True),
        page.get_by_role("link", name="Open pan"),
    )
    expect(heading.or_(ready).first).to_be_visible(timeout=LONG)
    if ready.count():  # it is announced where somebody looks at something else meanwhile
        ready.click()
    expect(heading).to_be_visible()
    until(page, "document.querySelector('.map')?.dataset.painted")
    level = page.locator(".map").get_attribute("aria-label") or ""
    side = int(re.findall(r"(\d+) cells a side", level)[0])
    job = urlsplit(page.url).query.partition("=")[2]
    found = list(served.client.items(f"/v1/atlases/{job}/layers/{LAYER}/levels/0/cells"))
    most = max(found, key=lambda one: (one["column"], one["count"]))
    page.mouse.click(*at(page, side, most["column"] + 0.5, most["row"] + 0.5))
    asked = page.get_by_role("region", name="Patch test")
    expect(asked).to_contain_text("images of pan")
    asked.get_by_role("button", name="Test it").click()
    expect(asked.locator(".verdict")).to_be_visible(timeout=LONG)
    check(page, "light")


def test_two_layers_lie_on_one_map(served: Served, open_page: OpenPage) -> None:
    page = open_page(f"{served.page}#layer={EARLIER}&panel=versions")
    page.get_by_label("Compare with").select_option(label="demo (this model: another layer)")
    page.get_by_label("Its layer").select_option(LAYER)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_url(re.compile(r"\?comparison="))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{EARLIER} → {LAYER}", timeout=LONG)
    expect(page.locator(".map")).to_have_count(2)
    check(page, "light")


def test_a_line_has_a_strip_and_the_tour_five_stops(page: Page) -> None:
    page.get_by_role("button", name="Draw a line").click()
    page.mouse.move(*at(page, SIDE, 3, 9.5))
    page.mouse.down()
    page.mouse.move(*at(page, SIDE, 16, 9.5), steps=12)
    page.mouse.up()
    strip = page.get_by_role("region", name="Icons along the line")
    assert strip.locator("li").count() >= 5
    strip.get_by_role("button", name="Take the line away").click()
    page.get_by_role("button", name="Tour").click()
    player = page.get_by_role("region", name="Tour")
    for stop in range(1, 6):
        expect(player).to_contain_text(f"{stop} of 5")
        if stop < 5:
            player.get_by_role("button", name="Next place").click()


def test_a_new_picture_lands(page: Page, tmp_path: Path) -> None:
    picture = tmp_path / "new.jpg"
    name, *_, pixels = list(generate(HELD_OUT_SEED, 10, True))[-1]
    picture.write_bytes(encode(pixels))
    panel(page, "Pictures")
    page.get_by_label("Pictures to place").set_input_files(picture)
    landed = page.get_by_role("article", name="new.jpg")
    expect(landed).to_contain_text("of them lie among samples like themselves", timeout=LONG)
    expect(page.get_by_role("region", name="Novelty")).to_contain_text(re.compile(r"p = [01]\.\d\d"))
    expect(landed.locator(".bars").last.locator(".name").first).to_have_text(name)
    strange = tmp_path / "strange.png"
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    Image.fromarray(np.dstack(np.broadcast_arrays(ramp, ramp[:, None], np.uint8(128)))).save(strange)
    page.get_by_label("Pictures to place").set_input_files(strange)
    verdict = page.get_by_role("article", name="strange.png").get_by_role("region", name="Novelty")
    expect(verdict).to_contain_text("Unseen", timeout=LONG)
    box = verdict.bounding_box()
    assert box is not None
    assert box["width"] > 200  # to be read, not only to be heard
    assert box["height"] > 50


def test_a_link_a_picture_and_cells_are_taken_along(page: Page, open_page: OpenPage) -> None:
    page.get_by_role("button", name="Zoom in").click()
    expect(page).to_have_url(re.compile("at="))
    other = drawn(open_page(page.url), SIDE)
    assert square(other) == pytest.approx(square(page), abs=1)
    page.get_by_role("button", name="Share").click()
    for role, name, suffix in (
        ("button", "Download picture", "png"),
        ("link", "CSV", "csv"),
        ("link", "Parquet", "parquet"),
    ):
        with page.expect_download() as coming:
            page.get_by_role(role, name=name).click()  # type: ignore[arg-type]
        assert coming.value.suggested_filename.endswith(f".{suffix}")
        assert Path(coming.value.path()).stat().st_size > 10_000


def test_an_offline_copy_and_the_story_open_from_the_file_system(
    served: Served, open_page: OpenPage, tmp_path: Path, report: Report
) -> None:
    copy, story = tmp_path / "a copy", tmp_path / "story.html"
    for arguments in (
        ["export", served.atlas["id"], "--out", str(copy)],
        ["story", served.atlas["id"], "--out", str(story)],
    ):
        assert run([*arguments, "--url", served.url]) == 0
    sizes = [file.stat().st_size for file in copy.rglob("*") if file.is_file()]
    report(
        "offline", files=len(sizes), megabytes=round(sum(sizes) / 1e6, 1), story=round(story.stat().st_size / 1e6, 1)
    )
    page = drawn(open_page(f"{(copy / 'index.html').as_uri()}#layer={LAYER}&side={SIDE}", offline=True), SIDE)
    expect(page.get_by_text("Offline copy", exact=True)).to_be_visible()
    cell = max(cells(served), key=lambda one: int(one["count"]))
    page.mouse.click(*middle(page, cell))
    expect(page.locator("#details .bars .name").first).to_have_text(cell["classes"][0]["name"])
    until(page, "[...document.querySelectorAll('.exemplars img')].every(image => image.naturalWidth > 1)")
    read = open_page(story.as_uri(), 390, 844, scheme="dark", offline=True)
    expect(read.get_by_role("heading", level=1)).to_contain_text("has learned")
    until(read, "[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert violations(page) == violations(read) == []


def test_a_first_picture_is_seen_at_once_on_a_phone_in_the_dark(served: Served, open_page: OpenPage) -> None:
    page = open_page(served.page, 390, 844, scheme="dark")
    expect(page.locator(".heading .badge")).to_have_text("Seeded from data")
    drawn(page, 10)
    shot = np.frombuffer(page.locator(".map").screenshot(), np.uint8)
    assert len(shot) > 20_000  # icons compress badly
    check(page, "dark")
