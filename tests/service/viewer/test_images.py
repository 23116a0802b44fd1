"""A picture placed on a real service's map: chosen, dropped, pasted; where it lands, how new it is, what is like it."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.service.viewer.conftest import at
from tests.service.viewer.test_accessible import check

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served

OpenPage = Callable[..., Page]
LAYER, OTHER, SIDE, SHOWN = "features.4", "features.7", 3, 30
PATIENCE = 60_000  # milliseconds: the first picture waits for a worker to load the model
NOVELTY = {
    "novelty_p": 0.02, "word": "unseen", "n": 999, "layers": [LAYER], "blind_spots": ["colours that changed"],
    "parts": {"energy": {"p": 0.5, "word": "ordinary", "weight": 1, "says": "how little it is like any class"},
              "spoiled": {"p": 0.01, "word": "unseen", "weight": 2, "says": "how much it looks turned"}},
}  # fmt: skip
DROP = """([kind, name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const held = new DataTransfer();
  held.items.add(new File([bytes], name, { type }));
  const target = document.querySelector(".map");
  const all = { paste: ["paste"], drop: ["dragenter", "dragover", "drop"] }[kind], bubbles = true;
  for (const one of all) {
    target.dispatchEvent(kind === "paste" ? new ClipboardEvent(one, { clipboardData: held, bubbles })
      : new DragEvent(one, { dataTransfer: held, bubbles }));
  }
}"""


@pytest.fixture
def picture(cards: Path) -> Path:
    return cards / "pictures" / "waves" / "02.png"


@pytest.fixture
def page(served: Served, open_page: OpenPage) -> Page:
    page = open_page(f"{served.page}#layer={LAYER}&side={SIDE}", allow="413|422|429")
    expect(page.locator(".map")).to_have_attribute("aria-label", re.compile(f"{LAYER}, {SIDE} cells a side"))
    page.get_by_role("tab", name="Pictures", exact=True).click()
    return page


def give(page: Page, kind: str, name: str, data: bytes, type_: str = "image/png") -> None:
    """Drop a file on the page, or paste it."""
    page.evaluate(DROP, [kind, name, type_, base64.b64encode(data).decode()])


def lightness(page: Page) -> Any:
    """How light the map's cells are painted, shape (side, side)."""
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), float).mean(axis=2)
    middles = [[at(page, SIDE, column + 0.5, row + 0.5) for column in range(SIDE)] for row in range(SIDE)]
    return np.array(
        [[shot[int(y) - 20 : int(y) + 20, int(x) - 20 : int(x) + 20].mean() for x, y in row] for row in middles]
    )


def test_where_a_picture_lands_is_lit_and_what_the_model_makes_of_it_is_told(
    served: Served, picture: Path, page: Page
) -> None:
    def told(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps(answer.json() | {"novelty": NOVELTY}))

    page.route("**/projections", told)
    page.wait_for_timeout(300)
    before = lightness(page)
    page.get_by_label("Pictures to place").set_input_files(picture)
    landed = page.get_by_role("article")
    expect(landed).to_contain_text("of them lie among samples like themselves", timeout=PATIENCE)
    novelty = page.get_by_role("region", name="Novelty")
    expect(novelty).to_contain_text("Unseen p = 0.02")
    box = novelty.bounding_box()
    assert box is not None
    assert box["width"] > 200  # to be read, not only to be heard
    expect(novelty).to_contain_text(
        "Hardly any image of the atlas is as strange: 19 of 999. Strangest is how much it looks turned."
    )
    novelty.locator("summary").click()
    for text in ("Looks spoiled", "how little it is like any class: p = 0.50", "colours that changed", "cannot see"):
        expect(novelty).to_contain_text(text)
    check(page, "light")
    answer = served.client.project(served.atlas["id"], picture)
    names = landed.locator(".bars").last.locator(".name")
    expect(names).to_have_text([one["name"] for one in answer["classes"]])

    page.mouse.move(5, 5)
    page.wait_for_timeout(200)
    veiled = lightness(page) - before
    held = np.zeros((SIDE, SIDE))
    for position in answer["layers"][LAYER]["positions"]:
        cell = position["cells"][str(SIDE)]
        held[cell["row"], cell["column"]] += not position["ambiguous"]
    level = f"/v1/atlases/{served.atlas['id']}/layers/{LAYER}/levels/0/cells"
    filled = [(cell["row"], cell["column"]) for cell in served.client.items(level)]
    empty = [veiled[cell] for cell in filled if held[cell] == 0]
    assert empty
    assert max(veiled[np.unravel_index(held.argmax(), held.shape)], 0) < np.mean(empty)
    page.get_by_role("button", name=f"Take {picture.name} away").click()
    expect(page.get_by_role("article")).to_have_count(0)
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)
    assert np.abs(lightness(page) - before).max() < 3


def test_picture_and_map_point_at_each_other_and_at_what_is_like_it(served: Served, picture: Path, page: Page) -> None:
    page.get_by_label("Pictures to place").set_input_files(picture)
    canvas, pointed = page.locator("canvas.picture"), page.locator(".pointed")
    positions = served.client.project(served.atlas["id"], picture)["layers"][LAYER]["positions"]
    expect(canvas).to_have_attribute("data-positions", str(len(positions)), timeout=PATIENCE)
    middle = sorted(positions, key=lambda one: (one["row"], one["column"]))[len(positions) // 2]

    page.mouse.move(*at(page, 1, middle["x"], 1 - middle["y"]))  # on the map: the picture shows which place it is
    expect(canvas).to_have_attribute("aria-label", re.compile(r"^Row \d+, column \d+"))
    shown = re.findall(r"\d+", canvas.get_attribute("aria-label") or "")
    near = next(one for one in positions if [one["row"], one["column"]] == [int(part) for part in shown[:2]])
    assert np.hypot(near["x"] - middle["x"], near["y"] - middle["y"]) < 0.03

    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # on the picture: the map shows where
    expect(pointed).to_have_text(re.compile(r"^Row \d+, column \d+ (lands in column|could lie)"))
    page.mouse.down()
    page.mouse.up()
    expect(page.locator(".samples h3")).to_have_text(re.compile("samples most like the marked place"))
    expect(page.locator(".samples .crop")).to_have_count(SHOWN)
    page.get_by_role("button", name="Samples most like it").click()
    expect(page.locator(".samples h3")).to_have_text(re.compile("samples most like it"))
    like = f"/v1/atlases/{served.atlas['id']}/layers/{quote(LAYER, safe='')}/samples"
    answered = served.client.json("POST", like, content=picture.read_bytes(), params={"page_size": SHOWN},
                                  headers={"content-type": "image/png"})  # fmt: skip
    first = page.locator(".samples .crop").first
    expect(first).to_have_attribute("title", re.compile(re.escape(answered["items"][0]["image"])))

    canvas.focus()
    page.keyboard.press("ArrowRight")
    expect(canvas).to_have_attribute("aria-label", re.compile(r"^Row \d+, column \d+"))
    page.keyboard.press("Enter")
    expect(page.locator(".samples h3")).to_have_text(re.compile("most like the marked place"))
    page.get_by_role("tab", name=OTHER, exact=True).click()  # it was placed on every layer at once
    other = served.client.project(served.atlas["id"], picture)["layers"][OTHER]["positions"]
    expect(canvas).to_have_attribute("data-positions", str(len(other)))


def test_positions_beyond_the_edges_are_told_and_brought_into_view_and_a_shared_picture_says_what_the_dots_are(
    served: Served, picture: Path, page: Page
) -> None:
    page.get_by_label("Pictures to place").set_input_files(picture)
    positions = served.client.project(served.atlas["id"], picture)["layers"][LAYER]["positions"]
    expect(page.locator("canvas.picture")).to_have_attribute("data-positions", str(len(positions)), timeout=PATIENCE)
    box = page.locator(".map").bounding_box()
    assert box is not None

    def seen() -> int:
        places = [at(page, 1, one["x"], 1 - one["y"]) for one in positions]
        return sum(0 <= x - box["x"] <= box["width"] and 0 <= y - box["y"] <= box["height"] for x, y in places)

    far = max(positions, key=lambda one: one["x"] + one["y"])
    page.mouse.move(*at(page, 1, far["x"], 1 - far["y"]))
    for _ in range(4):
        page.mouse.wheel(0, -400)
        page.wait_for_timeout(100)
    line = page.get_by_role("article").locator("p").filter(has_text=re.compile(rf"^\d+ of {len(positions)} in view"))
    expect(line).to_be_visible()
    page.wait_for_timeout(300)
    assert seen() < len(positions)
    expect(line).to_contain_text(f"{seen()} of ")
    line.get_by_role("button", name="Show all of them").click()
    expect(line).to_have_count(0)
    page.wait_for_timeout(300)
    assert seen() == len(positions)

    page.get_by_role("button", name="Share").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download picture").click()
    with Image.open(download.value.path()) as shared:
        told = shared.crop((0, shared.height - 40, shared.width, shared.height)).convert("RGB")
    with Image.open(picture) as thumb:
        mean = np.asarray(thumb.convert("RGB").resize((32, 32)), float).mean((0, 1))
    # the last row: the picture in small, then a line of words
    np.testing.assert_allclose(np.asarray(told.crop((16, 0, 48, 32)), float).mean((0, 1)), mean, atol=12)
    assert np.asarray(told.crop((60, 0, 400, 32)).convert("L")).std() > 10


def test_several_are_kept_dropped_or_pasted_and_what_cannot_be_placed_says_why(
    picture: Path, cards: Path, page: Page
) -> None:
    give(page, "drop", "waves.png", picture.read_bytes())
    expect(page.get_by_role("article", name="waves.png")).to_contain_text("lie on the map", timeout=PATIENCE)
    give(page, "paste", "dots.png", next((cards / "pictures" / "dots").iterdir()).read_bytes())
    expect(page.get_by_role("article", name="dots.png")).to_contain_text("lie on the map", timeout=PATIENCE)
    expect(page.locator(".shelf button")).to_have_count(2)
    page.locator(".shelf button").first.click()
    expect(page.get_by_role("article", name="waves.png")).to_be_visible()

    give(page, "drop", "notes.txt", b"hello", "text/plain")
    expect(page.get_by_role("alert")).to_have_text(
        "“notes.txt” is no picture that can be read here. Take a JPEG, PNG or WebP."
    )
    give(page, "drop", "broken.png", b"no picture at all")
    expect(page.get_by_role("alert")).to_contain_text("“broken.png” cannot be placed:")
    page.get_by_role("button", name="Take broken.png away").click()

    def large(route: Route) -> None:
        route.fulfill(status=413, json={"detail": "The limit is 20 MiB; make it smaller."})

    page.route("**/projections", large)
    give(page, "drop", "large.png", picture.read_bytes())
    expect(page.get_by_role("alert")).to_contain_text("“large.png” is too large. The limit is 20 MiB; make it smaller.")
    page.unroute("**/projections")
    asked: list[int] = []

    def busy(route: Route) -> None:
        asked.append(1)
        route.fulfill(status=429, json={"detail": "full"}) if len(asked) == 1 else route.continue_()

    page.route("**/projections", busy)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("article", name="large.png")).to_contain_text("Many pictures are waiting")
    expect(page.get_by_role("article", name="large.png")).to_contain_text("lie on the map", timeout=PATIENCE)
