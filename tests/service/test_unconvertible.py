"""A model without gradients through the live service: its map without icons, and new images on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from onnx import helper

from atlas_client.atlas import Atlas
from atlas_client.cli import run
from atlas_client.errors import BadInputError
from tests.atlas_core.models.nets import residual
from tests.service.test_end_to_end import get

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.conftest import Live


@pytest.fixture(scope="module")
def card_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card of a residual network with an operator that cannot be converted."""
    folder = tmp_path_factory.mktemp("odd")
    between = [helper.make_node("Hardmax", ["join"], ["odd"], axis=1)]
    (folder / "odd.onnx").write_bytes(residual(opset=18, between=between, block="odd").SerializeToString())
    shape = {"channels": 3, "height": 32, "width": 32, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    card = {"name": "odd", "format": "onnx", "source": "odd.onnx", "output": "logits", "input": shape}
    (folder / "model.json").write_text(json.dumps(card))
    return folder / "model.json"


@pytest.fixture(scope="module")
def odd(live: Live, card_file: Path) -> dict[str, Any]:
    """The model, registered."""
    return live.client.wait_ready("models", live.client.add_model(card_file)["id"])


def test_the_command_lists_its_layers_and_says_so(card_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["layers", str(card_file), "--json"]) == 0
    told = capsys.readouterr()
    assert {"stem", "half", "odd"} <= {layer["name"] for layer in json.loads(told.out)}
    assert "ask for --recipe none" in told.err
    assert "Hardmax (opset 18)" in told.err


@pytest.mark.usefixtures("in_this_process")
def test_a_map_without_icons_is_built_on_this_machine(
    card_file: Path, cards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["build", "--model", str(card_file), "--dataset", str(cards / "dataset.json"), "--layer", "half",
               "--samples", "400", "--levels", "5", "--out", str(tmp_path / "out")]  # fmt: skip
    assert run(command) == 4
    assert "Hardmax (opset 18)" in capsys.readouterr().err
    assert run([*command, "--recipe", "none"]) == 0
    assert "no icons" in capsys.readouterr().out
    files = {file.name for file in (tmp_path / "out" / "half" / "5").iterdir()}
    assert files == {"attribution.safetensors", "cells.json", "poster.png", "quality.safetensors"}


def test_it_is_ready_lists_its_layers_and_says_what_is_in_the_way(odd: dict[str, Any]) -> None:
    assert odd["convertible"] is False
    assert {"stem", "half", "odd"} <= {layer["name"] for layer in odd["layers"]}
    assert "Hardmax (opset 18)" in odd["reasons"][0]


def test_icons_are_refused_by_the_operators_name_and_a_map_without_them_is_made(
    live: Live, odd: dict[str, Any], cards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = {"model": odd["id"], "dataset": live.spec["dataset"], "layers": ["half"], "samples": 400, "levels": [5]}
    atlases = f"{live.service.url}/v1/atlases"
    refused = httpx.post(atlases, json=request)
    none_of = httpx.post(atlases, json={**request, "recipe": "none", "attribution": "ablation"})
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert "Hardmax (opset 18)" in refused.json()["detail"]
    assert "the recipe `none`" in refused.json()["detail"]
    assert (none_of.status_code, "Hardmax (opset 18)" in none_of.json()["detail"]) == (422, True)

    command = ["submit", "--url", live.client.url, "--model", odd["id"], "--dataset", live.spec["dataset"],
               "--layer", "half", "--samples", "400", "--levels", "5"]  # fmt: skip
    assert run(command) == 4
    assert "Hardmax (opset 18)" in capsys.readouterr().err
    assert run([*command, "--recipe", "none", "--wait", "--json"]) == 0
    atlas = json.loads(capsys.readouterr().out)

    assert (atlas["state"], atlas["spec"]["recipe"], atlas["spec"]["attribution"]) == ("succeeded", "none", "none")
    assert "render" not in atlas["progress"]
    manifest = atlas["manifest"]
    assert manifest["seeded_from_data"] is False
    (entry,) = manifest["layers"]["half"]["levels"]
    assert (entry["icons"], entry["icon_size"], entry["cells"] > 0) == (None, None, True)
    assert sorted(manifest["artifacts"]) == ["half/5/cells.json", "half/5/poster.png", "half/5/quality.safetensors"]

    level = f"/v1/atlases/{atlas['id']}/layers/half/levels/0"
    assert live.client.json("GET", level)["state"] == "published"
    assert get(live, f"{level}/poster").headers["content-type"] == "image/png"
    cell = live.client.json("GET", f"{level}/cells")["items"][0]
    assert len(cell["exemplars"]) > 0
    place = f"{level}/cells/{cell['column']}-{cell['row']}"
    assert "icon" not in live.client.json("GET", place)["links"]
    assert get(live, f"{place}/exemplars/0").headers["content-type"] == "image/png"
    for missing in (f"{place}/icon", f"{level}/tiles/0/0"):
        answer = get(live, missing)
        assert (answer.status_code, "has no icons" in answer.json()["detail"]) == (404, True)

    with Atlas.open(f"{live.client.url}/v1/atlases/{atlas['id']}") as opened:
        assert opened.poster("half", 5).size == (80, 80)
        assert opened.tile("half", 5, 0, 0) is None
        with pytest.raises(BadInputError, match="has no icons"):
            opened.icon("half", 5, cell["column"], cell["row"])

    picture = next((cards / "pictures").rglob("*.png"))
    placed = live.client.project(atlas["id"], picture)
    positions = placed["layers"]["half"]["positions"]
    assert len(positions) == 14 * 14
    assert all(0 <= position["x"] <= 1 for position in positions)
    assert len(placed["classes"]) == 5
