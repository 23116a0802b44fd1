"""Two models through the service: asked for over HTTP, made by a real worker, shown, quoted, dropped."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image

from atlas_client.cli import run
from atlas_client.errors import ConflictError, InvalidError, NotFoundError
from atlas_core import registry
from atlas_core.store import open_store

if TYPE_CHECKING:
    from tests.service.conftest import Live

LAYER = "features.4"


@pytest.fixture(scope="module")
def damaged(live: Live, cards: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Id of a copy of the model that says nothing but the first class."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("damaged")
    weights = load_file(cards / "weights.safetensors")
    weights["classifier.1.bias"][0] += 1000
    save_file(weights, folder / "weights.safetensors")
    card = json.loads((cards / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, "name": "candidate"}))
    model = str(live.client.add_model(folder / "model.json")["id"])
    live.client.wait_ready("models", model)
    return model


@pytest.fixture(scope="module")
def made(live: Live, damaged: str) -> dict[str, Any]:
    return live.client.made_comparison(live.client.compare_models(damaged, atlas=live.atlas["id"]))


def test_two_models_are_compared_and_what_changed_is_told(live: Live, damaged: str, made: dict[str, Any]) -> None:
    found = made["description"]
    assert (made["kind"], made["state"], made["atlas"]) == ("comparison", "succeeded", live.atlas["id"])
    assert (made["request"]["other"], made["request"]["layers"]) == (damaged, [LAYER])
    assert (found["old"]["name"], found["new"]["name"]) == ("tiny", "candidate")
    assert made["digest"] == found["digest"]
    assert found["accuracy"]["overall"]["new"] == pytest.approx(20 / 60, abs=1e-4)
    assert found["layers"][0]["likeness"]["neighbours"]["value"] == 1  # before its last layer it is the same
    assert found["layers"][0]["cells"]["numbers"] == {"born": 0, "lost": 0, "moved": 0}
    assert made["summary"]["findings"] == len(found["findings"])
    assert {"collect", "layout", "publish"} == set(made["progress"])
    again = live.client.compare_models(damaged, atlas=live.atlas["id"])
    assert (again["id"], again["state"]) == (made["id"], "succeeded")


def test_it_is_shown_and_can_be_quoted(live: Live, made: dict[str, Any]) -> None:
    layer = made["description"]["layers"][0]
    with Image.open(io.BytesIO(live.client.picture(layer["picture"]["url"]))) as picture:
        assert (picture.format, picture.width > 1000) == ("PNG", True)
    answer = httpx.get(f"{live.service.url}{layer['points']}")
    points = np.frombuffer(answer.content, np.float32).reshape(-1, 2)
    assert answer.headers["x-points"] == f"{len(points) // 2}, {len(points) // 2}"
    assert ((points >= 0) & (points <= 1)).all()
    twins = np.frombuffer(httpx.get(f"{live.service.url}{layer['twins']}").content, np.int32)
    assert twins.tolist() == list(range(len(points) // 2))
    _check_cells(live.client.json("GET", layer["coupled"]), np.split(points, 2), made["description"])
    for one in made["description"]["accuracy"]["classes"]:
        assert (one["url"] is None) == (one["verdict"] != "damaged")
        if one["url"] is not None:
            with Image.open(io.BytesIO(live.client.picture(one["url"]))) as picture:
                assert picture.height == 96
    summary = live.client.comparison_summary(made["id"])
    assert summary.startswith("**candidate against tiny** on 60 images of patterns: ")
    assert len(summary.splitlines()) <= 15
    for path in ("pictures/99", "points/1", "twins/1", "coupled/1", "exemplars/0"):
        with pytest.raises(NotFoundError):
            live.client.request("GET", f"{made['links']['self']}/{path}")


def _check_cells(found: dict[str, Any], points: list[np.ndarray], description: dict[str, Any]) -> None:
    """Both halves' cells count their points, and the candidate gets right what is of the class it always says."""
    side = found["side"]
    assert side == description["layers"][0]["cells"]["side"]
    for which, half in zip(("old", "new"), points, strict=True):
        cells = found[which]
        place = np.minimum(np.floor(half.astype(float) * side).astype(int), side - 1)
        held = np.zeros((side, side), int)
        np.add.at(held, (side - 1 - place[:, 1], place[:, 0]), 1)
        assert sum(cells["samples"]) == len(half)
        assert [held[row, column] for column, row in zip(cells["column"], cells["row"], strict=True)] == cells[
            "samples"
        ]
        pure = [place for place, share in enumerate(cells["share"]) if share == 1]
        assert all(cells["new"][place] == (cells["common"][place] == "dots") for place in pure)


def test_a_model_and_itself_without_an_atlas(live: Live) -> None:
    asked = {name: live.spec[name] for name in ("model", "dataset", "layers", "samples", "seed")}
    job = live.client.compare_models(live.spec["model"], **asked)
    found = live.client.made_comparison(job)
    assert (found["atlas"], found["description"]["findings"]) == (None, [])
    listed = live.client.comparisons()
    assert job["id"] in [one["id"] for one in listed]
    assert job["id"] not in [one["id"] for one in live.client.comparisons(live.atlas["id"])]
    live.client.request("DELETE", job["links"]["self"])
    assert job["id"] not in [one["id"] for one in live.client.comparisons()]


def test_one_of_an_earlier_version_is_refused_with_a_way_out_and_can_be_dropped(
    live: Live, made: dict[str, Any]
) -> None:
    store = open_store(str(live.folder / "store"))
    plan = registry.plan_of(store, made["id"])
    *others, last = plan.chunks
    before = last.model_copy(update={"parameters": {**last.parameters, "version": 2}})
    earlier = plan.model_copy(update={"id": "e" * 24, "chunks": (*others, before)})
    job = registry.add_job(store, earlier)
    store.append_document("jobs", earlier.id, {**job, "state": "succeeded", "finished": job["created"]})
    address = f"/v1/comparisons/{earlier.id}"
    with pytest.raises(ConflictError, match=f"{earlier.id} was made by an earlier version, .*; ask for it again"):
        live.client.json("GET", address)
    assert earlier.id in [one["id"] for one in live.client.comparisons()]
    live.client.request("DELETE", address)
    with pytest.raises(NotFoundError):
        live.client.json("GET", address)


def test_a_command_prints_and_gates(
    live: Live, damaged: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "map.png"
    base = ["versions", live.atlas["id"], damaged, "--url", live.service.url]
    assert run([*base, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "**candidate against tiny**" in said
    assert f"map of {LAYER}: {live.service.url}/v1/comparisons/" in said
    assert out.stat().st_size > 1000
    assert run([*base, "--json", "--gate"]) in (0, 1)
    found = json.loads(capsys.readouterr().out)
    assert run([*base, "--gate", "--markdown"]) == int(bool(found["description"]["findings"]))
    assert capsys.readouterr().out.startswith("**candidate")
    assert run(["versions", live.atlas["id"], "none", "--url", live.service.url]) == 4
    assert "no model 'none'" in capsys.readouterr().err


def test_what_cannot_be_compared_is_refused(live: Live, damaged: str, made: dict[str, Any]) -> None:
    atlas = live.atlas["id"]
    with pytest.raises(InvalidError, match="no layer 'none'"):
        live.client.compare_models(damaged, atlas=atlas, layers=["none"])
    with pytest.raises(InvalidError, match="leave out samples, or the atlas"):
        live.client.compare_models(damaged, atlas=atlas, samples=500)
    with pytest.raises(InvalidError, match="no atlas 'none'"):
        live.client.compare_models(damaged, atlas="none")
    with pytest.raises(InvalidError, match="no dataset 'none'"):
        live.client.compare_models(damaged, model=live.spec["model"], dataset="none", layers=[LAYER])
    with pytest.raises(InvalidError):
        live.client.json("POST", "/v1/comparisons", json={"kind": "colours"})
    with pytest.raises(ConflictError, match="is used by comparison"):
        live.client.request("DELETE", f"/v1/models/{damaged}")
    with pytest.raises(NotFoundError, match="is no comparison"):
        live.client.json("GET", f"/v1/comparisons/{atlas}")
    assert made["state"] == "succeeded"
