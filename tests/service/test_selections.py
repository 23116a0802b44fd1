"""Selections and comparisons through the service: asked for over HTTP, made by a real worker, read as atlases are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from atlas_client.atlas import Atlas
from atlas_client.cli import run
from atlas_client.errors import InvalidError, NotFoundError
from atlas_client.sources import ServiceSource

if TYPE_CHECKING:
    from tests.service.conftest import Live

LAYER = "features.4"


@pytest.fixture(scope="module")
def selection(live: Live) -> dict[str, Any]:
    """What adds most to the class `stripes`."""
    request = {"kind": "class", "label": "stripes", "side": 3}
    return live.client.made_selection(live.client.select(live.atlas["id"], request))


def samples_of(live: Live, atlas: str) -> list[dict[str, Any]]:
    return list(live.client.items(f"/v1/atlases/{atlas}/layers/{LAYER}/samples"))


def test_a_selection_is_a_job_whose_result_is_read_as_an_atlas(live: Live, selection: dict[str, Any]) -> None:
    assert (selection["kind"], selection["state"], selection["atlas"]) == ("selection", "succeeded", live.atlas["id"])
    assert selection["links"]["self"] == f"/v1/atlases/{live.atlas['id']}/selections/{selection['id']}"
    assert selection["digest"] == selection["manifest"]["digest"]
    assert live.client.status(selection["id"])["manifest"] == selection["manifest"]
    level = f"/v1/atlases/{selection['id']}/layers/{LAYER}/levels/0"
    told = live.client.json("GET", level)
    assert (told["side"], told["state"], len(told["tiles"])) == (3, "published", 1)
    cells = list(live.client.items(f"{level}/cells"))
    assert all(cell["classes"] and cell["icon"] for cell in cells)
    cell = cells[0]
    for name in ("icon", "exemplars/0"):
        assert live.client.picture(f"{level}/cells/{cell['column']}-{cell['row']}/{name}").startswith(b"\x89PNG")
    heat = live.client.heatmap(selection["id"], LAYER, 0, "stripes")
    assert min(value for value in heat["value"]) > 0  # all of its samples add to the class
    assert live.client.picture(f"{level}/tiles/0/0")[8:12] == b"WEBP"
    assert [event.type for event in live.client.events(selection["id"])][-1] == "state"
    again = live.client.select(live.atlas["id"], {"kind": "class", "label": 1, "by": "magnitude", "side": 3})
    assert again["id"] == selection["id"]


def test_its_samples_are_some_of_the_atlas_s(live: Live, selection: dict[str, Any]) -> None:
    def places(atlas: str) -> set[tuple[str, int, int]]:
        return {(one["image"], one["row"], one["column"]) for one in samples_of(live, atlas)}

    own, whole = places(selection["id"]), places(live.atlas["id"])
    assert own < whole
    assert len(own) == selection["request"]["samples"]
    crop = samples_of(live, selection["id"])[0]["crop"]
    assert live.client.picture(crop).startswith(b"\x89PNG")


def test_a_picture_can_be_placed_on_it_and_icons_asked_of_it(
    live: Live, selection: dict[str, Any], cards: Path
) -> None:
    placed = live.client.project(selection["id"], cards / "pictures" / "stripes" / "01.png")
    assert placed["layers"][LAYER]["positions"]
    assert placed["novelty"] is None or "selection" in json.dumps(placed["novelty"])
    icons = live.client.made_icons(live.client.icons(selection["id"], {"kind": "channels", "channels": [2]}))
    assert icons["description"]["pictures"][0]["channel"] == 2


def test_errors_by_the_command_and_the_list(live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "errors.png"
    base = ["select", live.atlas["id"], "--url", live.service.url]
    assert run([*base, "--wrong", "--recipe", "none", "--side", "3", "--out", str(out), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    wrong = [one for one in samples_of(live, live.atlas["id"]) if not one["right"]]
    assert made["request"]["samples"] == len(wrong)
    assert made["id"] in [one["id"] for one in live.client.all_selections(live.atlas["id"])]
    with Image.open(out) as picture:
        assert picture.width > 1000
    assert run([*base, "--class", "dots", "--wrong", "--recipe", "none", "--side", "2", "--json"]) == 0
    assert 0 < json.loads(capsys.readouterr().out)["request"]["samples"] < len(wrong)
    assert run(base) == 4
    assert "say which samples" in capsys.readouterr().err


def test_dropping_a_selection_drops_what_was_asked_of_it(live: Live) -> None:
    request = {"kind": "region", "box": [0, 0, 1, 1], "side": 2, "recipe": "none"}
    made = live.client.made_selection(live.client.select(live.atlas["id"], request))
    icons = live.client.icons(made["id"], {"kind": "channels", "channels": [1], "recipe": "fast"})
    live.client.made_icons(icons)
    live.client.request("DELETE", made["links"]["self"])
    for path in (made["links"]["self"], made["links"]["map"], icons["links"]["job"]):
        with pytest.raises(NotFoundError):
            live.client.json("GET", path)
    assert live.client.status(live.atlas["id"])["state"] == "succeeded"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"kind": "class", "label": "none"}, "no class 'none'"),
        ({"kind": "region", "box": [0, 0, 0.01, 0.01]}, "a map takes 20 images or more; select a larger region"),
        ({"kind": "region"}, "a region is a `box`, a `polygon` or a list of `cells`"),
        ({"kind": "class", "label": 1, "side": 160}, "ask for at most"),
    ],
)
def test_what_cannot_be_mapped_is_refused(live: Live, request_: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        live.client.select(live.atlas["id"], request_)


def test_of_a_selection_nothing_more_is_selected(live: Live, selection: dict[str, Any]) -> None:
    with pytest.raises(NotFoundError, match="no atlas"):
        live.client.select(selection["id"], {"kind": "errors"})


@pytest.fixture(scope="module")
def comparison(live: Live) -> dict[str, Any]:
    return live.client.made_comparison(live.client.compare_classes(live.atlas["id"], "dots", 2, side=4))


def test_a_comparison_says_what_lies_across_and_is_read_as_an_atlas(live: Live, comparison: dict[str, Any]) -> None:
    found = comparison["description"]
    assert [one["name"] for one in found["classes"]] == ["dots", "waves"]
    assert (found["side"], found["layer"]) == (4, LAYER)
    assert found["scale"] > 0
    heats = [live.client.heatmap(comparison["id"], LAYER, 0, name) for name in ("dots", "waves")]
    difference = np.array(heats[1]["value"]) - np.array(heats[0]["value"])
    middle = (np.array(heats[0]["column"]) + 0.5) / 4 * 2 - 1
    # A cell's mean difference lies within its column: half a column at most from the middle, but at the clipped edges.
    assert (np.abs(np.clip(difference / found["scale"], -1, 1) - middle) <= 0.25 + 1e-2).all()
    assert live.client.picture(found["links"]["poster"]).startswith(b"\x89PNG")
    assert comparison["id"] in [one["id"] for one in live.client.comparisons(live.atlas["id"])]
    atlas = Atlas(ServiceSource(live.client, comparison["id"]), comparison["id"])
    assert atlas.levels(LAYER) == [4]


def test_the_command_draws_it_or_lists_what_is_worth_comparing(
    live: Live, comparison: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, out = ["compare", live.atlas["id"]], tmp_path / "comparison.png"
    end = ["--url", live.service.url]
    assert run([*base, "dots", "waves", "--side", "4", "--out", str(out), *end]) == 0
    assert f"{comparison['id']}  dots against waves" in capsys.readouterr().out  # the same request is the same job
    with Image.open(out) as picture:
        assert picture.width > 1000
    assert run([*base, *end]) == 0
    assert "probability of the other" in capsys.readouterr().out
    assert run([*base, "dots", *end]) == 4
    assert "give both" in capsys.readouterr().err


def test_a_class_is_not_compared_with_itself(live: Live) -> None:
    with pytest.raises(InvalidError, match="with another one"):
        live.client.compare_classes(live.atlas["id"], "dots", 0)
    with pytest.raises(InvalidError, match="no atlas 'none'"):
        live.client.compare_classes("none", 0, 1)
