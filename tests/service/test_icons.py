"""Icons on request through the service: asked for over HTTP, made by a real worker, looked at as a user would."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from atlas_client.cli import run
from atlas_client.errors import ConflictError, NotFoundError, RefusedError

if TYPE_CHECKING:
    from tests.service.conftest import Live


def _cells(live: Live, z: int = 0) -> list[dict[str, int]]:
    path = f"/v1/atlases/{live.atlas['id']}/layers/features.4/levels/{z}/cells"
    return [{"column": cell["column"], "row": cell["row"]} for cell in live.client.json("GET", path)["items"]]


def _made(live: Live, **request: Any) -> dict[str, Any]:
    job = live.client.icons(live.atlas["id"], request)
    assert job["kind"] == "icons"
    return live.client.made_icons(job)


def _picture(live: Live, url: str) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(live.client.picture(url))) as picture:
        return np.asarray(picture)


@pytest.fixture(scope="module")
def image(cards: Path) -> Path:
    return cards / "pictures" / "waves" / "02.png"


KINDS: dict[str, tuple[dict[str, Any], int, bool]] = {
    "channels": ({"kind": "channels", "channels": [0, 5, 9]}, 3, True),
    "classes": ({"kind": "classes", "classes": ["waves", 0]}, 2, True),
    "logit": ({"kind": "classes", "classes": ["waves"], "of": "logit"}, 1, False),
    "box": ({"kind": "selection", "box": [0, 0, 1, 2]}, 0, True),
    "pure": ({"kind": "channels", "channels": [1], "recipe": "pure"}, 1, False),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_direction_is_made_and_described(live: Live, name: str) -> None:
    request, count, seeded = KINDS[name]
    made = _made(live, **request)
    description = made["description"]
    assert made["state"] == "succeeded"
    assert made["digest"] == description["digest"]
    assert description["seeded_from_data"] is seeded
    assert len(description["pictures"]) == (count or len([1 for cell in _cells(live) if cell["column"] <= 1]))
    for picture in description["pictures"]:
        data = live.client.picture(picture["url"])
        assert hashlib.sha256(data).hexdigest() == picture["sha256"]
        assert _picture(live, picture["url"]).shape == (picture["height"], picture["width"], 3)
        assert picture["fidelity"]
    assert _picture(live, description["sheet"]["url"]).shape[1] == description["sheet"]["width"]


def test_a_walk_and_a_sum_of_cells(live: Live) -> None:
    start, end = _cells(live)[0], _cells(live)[-1]
    walk = _made(live, kind="path", start=start, end=end, steps=4)["description"]
    assert [picture["share"] for picture in walk["pictures"]] == [0, 0.3333, 0.6667, 1]
    total = _made(live, kind="sum", cells=[start, {**end, "weight": -0.5}])["description"]
    assert len(total["pictures"]) == 1


def test_the_grid_of_an_image(live: Live, image: Path) -> None:
    made = _made(live, kind="grid", image=image, sized=True)["description"]
    places = {(picture["column"], picture["row"]) for picture in made["pictures"]}
    assert len(places) == len(made["pictures"]) > 20
    assert all(picture["norm"] > 0 for picture in made["pictures"])


def test_a_dream_stays_what_it_was_where_the_mask_is_black(live: Live, image: Path, tmp_path: Path) -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    mask.save(tmp_path / "mask.png")
    cell = _cells(live)[0]
    made = _made(live, kind="dream", image=image, mask=tmp_path / "mask.png", target={"of": "cell", **cell}, steps=12)
    (picture,) = made["description"]["pictures"]
    dreamt = _picture(live, picture["url"])
    with Image.open(image) as opened:
        before = np.asarray(opened.convert("RGB"))
    assert dreamt.shape == before.shape
    assert (dreamt[:, 40:] == before[:, 40:]).all()
    assert np.abs(dreamt[:, :24].astype(int) - before[:, :24]).mean() > 3
    assert picture["fidelity"]["whitened_cosine"] > picture["fidelity"]["whitened_cosine_before"]


def test_a_composition(live: Live) -> None:
    first, last = _cells(live)[0], _cells(live)[-1]
    cells = [{**first, "x": 0.2, "y": 0.5}, {**last, "x": 0.8, "y": 0.5}]
    (picture,) = _made(live, kind="composition", cells=cells, size=96)["description"]["pictures"]
    assert (picture["width"], picture["height"]) == (96, 96)
    assert [cell["column"] for cell in picture["fidelity"]["cells"]] == [first["column"], last["column"]]


def test_the_same_request_is_the_same_job_however_it_is_written(live: Live) -> None:
    first = live.client.icons(live.atlas["id"], {"kind": "classes", "classes": ["dots"]})
    again = live.client.icons(live.atlas["id"], {"kind": "classes", "classes": [0], "layer": "features.4", "z": 0})
    assert first["id"] == again["id"]


def test_icons_are_jobs_and_no_atlases(live: Live) -> None:
    made = _made(live, kind="channels", channels=[2])
    assert made["id"] not in [atlas["id"] for atlas in live.client.atlases()]
    assert made["id"] in [icons["id"] for icons in live.client.all_icons(live.atlas["id"])]
    with pytest.raises(NotFoundError, match="is no atlas"):
        live.client.status(made["id"])
    with pytest.raises(RefusedError, match="no model, dataset or atlas"):
        live.client.set_alias("icons", made["id"])
    job = live.client.json("GET", f"/v1/jobs/{made['id']}")
    assert job["links"]["self"] == f"/v1/atlases/{live.atlas['id']}/icons/{made['id']}"
    assert job["progress"] == {
        stage: {"done": 1, "running": 0, "total": 1, "fraction": 1.0} for stage in ("render", "publish")
    }
    accept = {"accept": "application/json"}
    events = live.client.json("GET", f"/v1/jobs/{made['id']}/events", headers=accept)["items"]
    assert events[-1]["data"]["state"] == "succeeded"
    stages = {event["data"]["stage"] for event in events if event["type"] == "progress"}
    assert stages <= {"render", "publish"}  # of what the atlas had done already nothing is told


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"kind": "channels", "channels": [100_000]}, NotFoundError, "it has 0 to"),
    ({"kind": "selection", "cells": [{"column": 9, "row": 9}]}, NotFoundError, "columns and rows run from 0 to 2"),
    ({"kind": "classes", "classes": ["zebra"]}, NotFoundError, "0 to 2, or their names"),
    ({"kind": "channels", "channels": [1], "z": 7}, NotFoundError, "0 to 1, coarse to fine"),
    ({"kind": "channels", "channels": [1], "layer": "features.5"}, RefusedError, "it has features.4"),
    ({"kind": "grid", "image": "0" * 64}, RefusedError, "PUT /v1/blobs"),
    ({"kind": "classes", "classes": [0], "of": "logit", "recipe": "vivid"}, RefusedError, "ask for `pure`"),
    ({"kind": "selection"}, RefusedError, "one of cells, box and label"),
    ({"kind": "walk"}, RefusedError, "kind"),
]


@pytest.mark.parametrize(("request_", "error", "said"), REFUSED)
def test_what_cannot_be_made_is_refused_with_the_range(
    live: Live, request_: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        live.client.icons(live.atlas["id"], request_)


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"kind": "channels", "channels": [1, -1]}, "/channels/1"),
    ({"kind": "path", "start": {"column": 0, "row": 0}}, "/end"),
    ({"kind": "classes", "classes": [0, 1.5]}, "/classes/1"),
    ({"kind": "composition", "cells": [{"column": 0, "row": 0, "x": 2, "y": 0}]}, "/cells/0/x"),
    ({"kind": "dream", "image": "0" * 64, "target": {"of": "channel", "channel": -1}}, "/target/channel"),
    ({"kind": "sum", "cells": [{"column": 0, "row": 0, "wieght": 1}]}, "/cells/0/wieght"),
    ({"kind": "walk"}, ""),
]


@pytest.mark.parametrize(("request_", "pointer"), INVALID)
def test_what_is_invalid_is_pointed_at_where_it_stands_in_the_body(
    live: Live, request_: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        live.client.icons(live.atlas["id"], request_)
    assert {place["pointer"] for place in caught.value.errors} == {pointer}


def test_a_narrow_picture_has_a_grid_and_no_dream(live: Live, tmp_path: Path) -> None:
    """A grid is of the square that the network sees of it; a dream keeps its shape."""
    Image.effect_noise((1200, 60), 40).save(tmp_path / "narrow.png")
    assert _made(live, kind="grid", image=tmp_path / "narrow.png")["state"] == "succeeded"
    with pytest.raises(RefusedError, match="crop it"):
        live.client.icons(live.atlas["id"], {"kind": "dream", "image": tmp_path / "narrow.png"})


def test_the_command_writes_the_picture_and_says_how_it_was_made(
    live: Live, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "dream.png"
    arguments = ["icons", live.atlas["id"], "--dream", str(image), "--channel", "3", "--steps", "2", "--out", str(out)]
    assert run([*arguments, "--url", live.service.url]) == 0
    with Image.open(out) as picture:
        assert picture.size == (64, 64)
        assert picture.text["Description"] == "dream, starts from an image"  # type: ignore[attr-defined]  # a PNG's
    assert "from the image given" in capsys.readouterr().out


def test_what_is_no_picture_is_refused_before_there_is_a_job(live: Live, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(RefusedError, match="no JPEG"):
        live.client.icons(live.atlas["id"], {"kind": "dream", "image": tmp_path / "text.png"})


def test_icons_wait_for_cells_and_go_with_their_atlas(live: Live) -> None:
    atlas = live.client.submit({**live.spec, "seed": 77})["id"]
    live.client.cancel(atlas)
    with pytest.raises(ConflictError, match="not made yet and the job is cancelled; submit the atlas again"):
        live.client.icons(atlas, {"kind": "channels", "channels": [1]})
    live.client.submit({**live.spec, "seed": 77})
    live.client.wait(atlas)
    kept = live.client.icons(atlas, {"kind": "channels", "channels": [1]})
    gone = live.client.icons(atlas, {"kind": "channels", "channels": [2]})
    live.client.made_icons(kept)
    live.client.request("DELETE", gone["links"]["self"])
    assert [icons["id"] for icons in live.client.all_icons(atlas)] == [kept["id"]]
    live.client.request("DELETE", f"/v1/atlases/{atlas}")
    with pytest.raises(NotFoundError):
        live.client.json("GET", f"/v1/jobs/{kept['id']}")
