"""The client and the page against the real service: registered, submitted, watched, looked at, projected onto."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from atlas_client.atlas import Atlas
from atlas_client.cli import run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.service.conftest import Live

OpenPage = Callable[..., Page]
SECONDS = 120_000


def test_from_cards_to_the_page(
    live: Live, cards: Path, tmp_path: Path, open_page: OpenPage, capsys: pytest.CaptureFixture[str]
) -> None:
    url = live.service.url

    def atlas(*arguments: str, code: int = 0) -> object:
        assert run([*arguments, "--url", url, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    page = open_page(url)
    dataset = atlas("datasets", "add", str(cards / "dataset.json"))
    model = atlas("models", "add", str(cards / "model.json"), "--wait")
    assert isinstance(dataset, dict)
    assert isinstance(model, dict)
    listed = atlas("models", "list")
    assert isinstance(listed, list)
    assert model in listed
    spec = ["--layer", "features.3", "--samples", "300", "--levels", "4", "--recipe", "fast", "--name", "patterns"]
    job = atlas("submit", "--model", model["id"], "--dataset", dataset["id"], *spec)
    assert isinstance(job, dict)

    # The list names it, and the page follows it to its end.
    page.reload()
    page.locator("#list a", has_text="patterns").filter(has_text="features.3").click()
    expect(page.locator("h1")).to_have_text("patterns")
    expect(page.locator("#subtitle")).to_have_text("tiny · on patterns · recipe fast · seeded from data")
    expect(page.locator("#map")).to_have_attribute("aria-label", re.compile("features.3, 4 cells"), timeout=SECONDS)
    done = atlas("status", job["id"], "--wait")
    assert isinstance(done, dict)
    assert done["state"] == "succeeded"
    expect(page.locator("#progress")).to_be_hidden(timeout=SECONDS)

    # The same cells in Python as on the page, with pictures of real patches.
    with Atlas.open(f"{url}/?atlas={job['id']}") as opened:
        cells = opened.cells("features.3", 4)
        first = {name: int(cells[name][0]) for name in ("column", "row", "count")}
        assert opened.icon("features.3", 4, first["column"], first["row"]).size[0] > 16
    page.goto(f"{url}/?atlas={job['id']}#layer=features.3&side=4&cell={first['column']}-{first['row']}")
    page.reload()
    expect(page.locator("figure.cell figcaption")).to_contain_text(f"Column {first['column']}, row {first['row']} of 4")
    expect(page.locator("#panel dd").first).to_have_text(str(first["count"]))
    patch = page.locator(".exemplars img").first
    patch.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.exemplars img').naturalWidth > 0")

    # A picture lands at the same places on the page and in JSON; text is refused, whoever stands beside it.
    picture, text = next((cards / "pictures" / "dots").iterdir()), tmp_path / "text.png"
    text.write_text("no picture")
    alone = atlas("project", job["id"], str(picture))
    beside = atlas("project", job["id"], str(text), str(picture), code=4)
    assert isinstance(alone, list)
    assert isinstance(beside, list)
    assert beside[1] == alone[0]
    assert beside[0] == {"image": str(text), "error": beside[0]["error"]}
    page.locator("#file").set_input_files(picture)
    count = len(alone[0]["layers"]["features.3"]["positions"])
    expect(page.locator("#landing")).to_contain_text(f"{count} positions on the map", timeout=SECONDS)
    expect(page.locator("#landing .name").first).to_have_text(alone[0]["classes"][0]["name"])
    page.locator("#file").set_input_files(text)
    expect(page.locator("#landing .failed")).to_have_text(re.compile("picture"), timeout=SECONDS)


def test_an_atlas_that_is_not_there(live: Live, open_page: OpenPage) -> None:
    page = open_page(f"{live.service.url}/?atlas=nothing")
    expect(page.locator("#message h2")).to_have_text("There is no such atlas here")
