"""Lists and forms: what is there, how it stands, what can be asked for, and what the service says against it."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
from playwright.sync_api import Locator, Page, expect

from tests.service.viewer.still import CLASSES

if TYPE_CHECKING:
    from tests.service.viewer.conftest import Served
    from tests.service.viewer.still import Still

OpenPage = Callable[..., Page]


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article").filter(has=page.get_by_role("link", name=name, exact=True))


def test_atlases_are_listed_with_how_they_stand_and_how_they_look(open_page: OpenPage, still: Still) -> None:
    page = open_page(still.url)
    seen = card(page, "ready to be seen")
    expect(seen).to_contain_text("pan-vision on kitchen")
    expect(seen).to_contain_text("features.3, features.7")
    seen.locator("img").evaluate("each => each.decode()")
    assert seen.locator("img").evaluate("each => each.naturalWidth") == 320
    expect(card(page, "queued").get_by_role("progressbar")).to_be_visible()
    expect(card(page, "queued")).to_contain_text("Waiting for a worker")
    expect(card(page, "failed")).to_contain_text("the model gives no finite activations at features.4")
    expect(card(page, "cancelled")).to_contain_text("Cancelled")


def test_an_atlas_is_cancelled_and_deleted_from_the_list_once_that_is_meant(open_page: OpenPage, still: Still) -> None:
    body = {"model": still.ids["pan-vision"], "dataset": still.ids["kitchen"], "layers": ["features.3"],
            "samples": 500, "levels": [5], "seed": 77, "name": "a mistake"}  # fmt: skip
    httpx.post(f"{still.url}/v1/atlases", json=body).raise_for_status()
    page = open_page(still.url)
    page.get_by_role("button", name="Cancel a mistake").click()
    expect(card(page, "a mistake")).to_contain_text("Cancelled")
    page.get_by_role("button", name="Delete a mistake").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    page.get_by_role("button", name="Delete a mistake").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(card(page, "a mistake")).to_have_count(0)


def test_many_atlases_are_searched_and_sorted(open_page: OpenPage, still: Still) -> None:
    spec = {"model": still.ids["pan-vision"], "dataset": still.ids["kitchen"], "samples": 500, "levels": [5]}
    for n in range(5):
        body = {**spec, "layers": [f"features.{n + 8}"], "name": f"many {n}"}
        httpx.post(f"{still.url}/v1/atlases", json=body).raise_for_status()
    page = open_page(still.url)
    names = page.get_by_role("article").get_by_role("heading")
    page.get_by_label("Order").select_option("By name")
    told = names.all_inner_texts()
    assert told == sorted(told, key=str.lower)
    page.get_by_label("Search atlases").fill("many features.9")
    expect(names).to_have_text(["many 1"])
    page.get_by_label("Search atlases").fill("nothing of the kind")
    expect(page.get_by_role("heading", name="No atlas matches")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(names).not_to_have_count(0)


def test_a_model_tells_its_layers_accuracy_and_warnings_and_one_refused_why(open_page: OpenPage, still: Still) -> None:
    page = open_page(f"{still.url}/?models")
    broken = page.get_by_role("listitem").filter(has_text="broken")
    expect(broken).to_contain_text("NonMaxSuppression")
    expect(broken).to_contain_text("Refused")
    page.get_by_role("link", name="pan-vision", exact=True).click()
    expect(page.get_by_role("region", name="Accuracy").get_by_text("97 %")).to_be_visible()
    expect(page.get_by_text("with the channels as BGR it is right more often")).to_be_visible()
    table = page.get_by_role("table")
    expect(table.get_by_role("rowheader")).to_have_text(["features.3", "features.7", "features.11", "features.15"])
    expect(table.get_by_role("row", name=re.compile("features.3"))).to_contain_text("67 × 24 × 24")
    expect(table.get_by_role("row", name=re.compile("features.3"))).to_contain_text("63 px")
    page.get_by_role("button", name="Show all 16 layers").click()
    expect(table.get_by_role("rowheader")).to_have_count(16)
    page.get_by_label("Find a layer").fill("14")
    expect(table.get_by_role("rowheader")).to_have_text(["features.14"])
    page.goto(still.page("model", "broken"))
    expect(page.get_by_text("export the model without it")).to_be_visible()


def test_a_dataset_tells_its_classes_and_what_was_skipped(open_page: OpenPage, still: Still) -> None:
    page = open_page(f"{still.url}/?datasets", allow="409")
    page.get_by_role("link", name="kitchen").click()
    bars = page.get_by_role("region", name="Images of each class").get_by_role("listitem")
    expect(bars).to_have_count(len(CLASSES))
    expect(bars.first).to_contain_text("wok")
    expect(bars.first).to_contain_text("280")
    expect(page.get_by_role("row", name=re.compile("cut-off"))).to_contain_text("the JPEG ends too early")
    page.get_by_role("button", name="Delete kitchen").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("is used by")


def test_what_the_service_says_against_an_atlas_stands_at_the_field_it_is_about(
    open_page: OpenPage, still: Still
) -> None:
    page = open_page(f"{still.url}/?new", allow="422")
    page.get_by_label("Model", exact=True).select_option("pan-vision")
    page.get_by_label("Dataset", exact=True).select_option("kitchen")
    expect(page.get_by_role("checkbox", name=re.compile("features.15"))).to_be_checked()
    side = page.get_by_role("complementary", name="Estimate")
    expect(side).to_contain_text(re.compile(r"about .+ · .+B"))
    page.get_by_label("Samples of each layer").fill("1000")
    page.get_by_role("radio", name="Choose").check()
    page.get_by_role("checkbox", name="160").check()
    levels = page.get_by_role("group", name="Levels")
    expect(levels).to_contain_text("Level 20 needs 2,640 samples a layer")
    expect(side.get_by_role("button")).to_be_disabled()
    page.get_by_role("checkbox", name="Take levels too fine").check()
    expect(side).to_contain_text("levels of 20, 160 cells a side")
    page.get_by_label("Samples of each layer").fill("50")
    samples = page.get_by_label("Samples of each layer")
    expect(samples).to_have_attribute("aria-invalid", "true")
    described = samples.get_attribute("aria-describedby") or ""
    said = [page.locator(f"[id='{one}']").inner_text() for one in described.split()]
    assert any("greater than or equal to 100" in each for each in said)


def test_an_atlas_is_asked_for_with_all_that_was_chosen(open_page: OpenPage, still: Still) -> None:
    page = open_page(f"{still.url}/?new&model={still.ids['pan-vision']}&dataset={still.ids['kitchen']}")
    page.get_by_label("Name", exact=True).fill("chosen")
    page.get_by_role("checkbox", name=re.compile("features.15")).uncheck()
    page.get_by_role("checkbox", name=re.compile("features.7")).check()
    page.get_by_label("Samples of each layer").fill("700")
    page.get_by_role("checkbox", name=re.compile("^Strict")).check()
    page.get_by_text("More options").click()
    page.get_by_label("Seed", exact=True).fill("41")
    page.get_by_label("Neighbours").fill("20")
    page.get_by_role("button", name="Make the atlas").click()
    page.wait_for_url(re.compile(r"\?atlas="))
    spec = httpx.get(f"{still.url}/v1/jobs/{page.url.partition('atlas=')[2][:24]}").json()["spec"]
    assert (spec["samples"], spec["seed"], spec["privacy"], spec["recipe"]) == (700, 41, "strict", "pure")
    assert spec["layers"] == ["features.7", "features.11"]
    assert spec["layout"]["neighbours"] == 20


def test_jobs_are_listed_by_kind_and_state_and_cancelled(open_page: OpenPage, still: Still) -> None:
    body = {"model": still.ids["pan-vision"], "dataset": still.ids["kitchen"], "seed": 5}
    httpx.post(f"{still.url}/v1/audits", json=body).raise_for_status()
    page = open_page(f"{still.url}/?jobs")
    page.get_by_label("Kind").select_option("Audit")
    page.get_by_label("State").select_option("Running")
    jobs = page.get_by_role("article")
    expect(jobs).to_have_count(2)
    jobs.first.get_by_role("button", name=re.compile("Cancel")).click()
    expect(jobs).to_have_count(1)
    page.get_by_label("State").select_option("Cancelled")
    expect(jobs).to_have_count(1)


def test_a_dataset_and_a_model_are_registered_by_their_files(
    open_page: OpenPage, served: Served, cards: Path, tmp_path: Path
) -> None:
    """The upload is larger than the pieces in which it is read, so its digest is made of several."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((cards / "pictures").rglob("*.png"))[::4]:
            archive.write(path, path.relative_to(cards / "pictures"))
        archive.writestr("dots/empty.png", b"")
        archive.writestr("noise.bin", np.random.default_rng(1).bytes(5_000_001))
    (tmp_path / "world.zip").write_bytes(packed.getvalue())
    (tmp_path / "world.json").write_text(json.dumps({"name": "picked", "source": "world.zip"}))
    page = open_page(f"{served.url}/?datasets&add")
    form = page.get_by_role("form", name="Register a dataset")
    form.locator("input[type=file]").set_input_files([tmp_path / "world.json"])
    form.get_by_role("button", name="Register").click()
    expect(form.get_by_role("alert")).to_contain_text("The card's source is world.zip: pick world.zip too")
    form.locator("input[type=file]").set_input_files([tmp_path / "world.json", tmp_path / "world.zip"])
    form.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("picked")
    expect(page.get_by_text("Ready")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("row", name=re.compile("empty.png"))).to_contain_text("an empty file")
    page.goto(f"{served.url}/?models&add")
    form = page.get_by_role("form", name="Register a model")
    form.locator("input[type=file]").set_input_files([cards / "model.json", cards / "weights.safetensors"])
    form.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("tiny")
    expect(page.get_by_role("region", name="Layers")).to_contain_text("features.4")


def test_an_atlas_is_seen_to_be_made_in_the_list(open_page: OpenPage, served: Served) -> None:
    spec = {**served.atlas["spec"], "layers": served.layers[:1], "levels": [3], "seed": 1234, "name": "in the making"}
    served.client.submit({key: value for key, value in spec.items() if value is not None})
    page = open_page(served.url)
    made = card(page, "in the making")
    expect(made.get_by_role("progressbar")).to_be_visible()
    expect(made).to_contain_text("400 samples", timeout=60_000)
    expect(made.get_by_role("progressbar")).to_have_count(0)
    made.locator("img").evaluate("each => each.decode()")
