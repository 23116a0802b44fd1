"""The whole service on the embedded default, with a tiny model and a tiny world."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import redis
from PIL import Image

from atlas_client.errors import ClientError
from atlas_core.manifest import verify
from service.schemas.projections import Projection

if TYPE_CHECKING:
    from tests.service.conftest import Live


def get(live: Live, path: str, **headers: str) -> httpx.Response:
    return httpx.get(live.service.url + path, headers={name.replace("_", "-"): text for name, text in headers.items()})


def picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_request_becomes_a_published_atlas(live: Live) -> None:
    assert live.atlas["state"] == "succeeded"
    assert verify(live.atlas["manifest"])
    assert live.atlas["digest"] == live.atlas["manifest"]["digest"]
    assert [level["side"] for level in live.atlas["manifest"]["layers"]["features.4"]["levels"]] == [3, 6]


def test_progress_counts_the_chunks_of_every_stage(live: Live) -> None:
    totals = {stage: counts["total"] for stage, counts in live.seen[0]["progress"].items()}
    assert totals == {"collect": 1, "attribute": 1, "layout": 2, "cells": 2, "render": 3, "publish": 8}
    assert {stage: counts["done"] for stage, counts in live.atlas["progress"].items()} == totals
    assert {"queued", "running"} & {document["state"] for document in live.seen}


def test_the_same_request_again_has_succeeded_at_once_and_runs_no_chunk(live: Live) -> None:
    with redis.Redis.from_url(live.service.redis_url, decode_responses=True) as client:
        keys = sorted(client.scan_iter("atlas:chunk:*"))
        before = [client.hgetall(key) for key in keys]
        again = live.client.submit(live.spec)
        assert (again["id"], again["state"], again["attempt"]) == (live.atlas["id"], "succeeded", 1)
        # Unchanged, or gone meanwhile: what is of no use any more is dropped after an atlas's end.
        assert all(client.hgetall(key) in (known, {}) for key, known in zip(keys, before, strict=True))
        assert client.llen("cpu") + client.llen("gpu") == 0


def test_registration_measures_and_lists(live: Live) -> None:
    model, dataset = live.client.model(live.spec["model"]), live.client.dataset(live.spec["dataset"])
    assert {layer["name"]: layer["shape"] for layer in model["layers"]}["features.4"] == [128, 15, 15]
    assert (model["classes"], model["accuracy"]["images"], model["accuracy"]["dataset"]) == (3, 60, dataset["id"])
    assert (dataset["images"], dataset["class_counts"]) == (60, {"dots": 20, "stripes": 20, "waves": 20})


def test_an_architecture_that_no_worker_has_is_refused(live: Live, cards: Path, tmp_path: Path) -> None:
    card = json.loads((cards / "model.json").read_text())
    card |= {"format": "python", "architecture": "scan_net", "weights": str(cards / "weights.safetensors")}
    (tmp_path / "model.json").write_text(json.dumps(card))
    model = live.client.add_model(tmp_path / "model.json")["id"]
    with pytest.raises(ClientError, match="no architecture 'scan_net' is installed with the workers"):
        live.client.wait_ready("models", model)


def test_the_lists_name_what_there_is(live: Live) -> None:
    assert live.spec["model"] in [one["id"] for one in live.client.models()]
    assert live.spec["dataset"] in [one["id"] for one in live.client.datasets()]
    assert live.atlas["id"] in [one["id"] for one in live.client.atlases()]


def test_a_tile_by_its_digest_is_immutable(live: Live) -> None:
    (tile,) = get(live, live.level).json()["tiles"]
    answer = get(live, tile["url"])
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "image/webp"
    size = live.atlas["manifest"]["layers"]["features.4"]["levels"][0]["icon_size"]
    assert picture(answer.content).size == (3 * size, 3 * size)


def test_a_tile_without_digest_is_revalidated(live: Live) -> None:
    first = get(live, f"{live.level}/tiles/0/0")
    assert first.headers["cache-control"] == "no-cache"
    second = get(live, f"{live.level}/tiles/0/0", if_none_match=first.headers["etag"])
    assert (second.status_code, second.content) == (304, b"")
    stale = get(live, f"{live.level}/tiles/0/0?v={'0' * 64}")
    assert stale.headers["cache-control"] == "no-cache"


def test_a_tile_is_png_where_only_that_is_taken(live: Live) -> None:
    answer = get(live, f"{live.level}/tiles/0/0", accept="image/png")
    assert (answer.headers["content-type"], picture(answer.content).format) == ("image/png", "PNG")
    assert picture(answer.content).info["Description"] == "icons seeded from data (recipe fast)"
    assert answer.headers["etag"] != get(live, f"{live.level}/tiles/0/0").headers["etag"]


def test_cells_can_be_filtered(live: Live) -> None:
    cells = live.client.json("GET", f"{live.level}/cells")["items"]
    assert sum(cell["count"] for cell in cells) <= 400
    most = max(cell["count"] for cell in cells)
    largest = live.client.json("GET", f"{live.level}/cells", params={"min_count": most})["items"]
    assert {cell["count"] for cell in largest} == {most}
    boxed = live.client.json("GET", f"{live.level}/cells", params={"bbox": "0,0,0,2"})["items"]
    assert boxed == [cell for cell in cells if cell["column"] == 0]
    of_class = live.client.json("GET", f"{live.level}/cells", params={"class": "waves"})["items"]
    assert of_class == [cell for cell in cells if "waves" in [one["name"] for one in cell["classes"]]]


def test_cells_that_speak_for_no_class_cannot_be_asked_by_class(live: Live) -> None:
    request = {**live.spec, "attribution": "none", "levels": [2]}
    atlas = live.client.submit(request)["id"]
    answer = get(live, f"/v1/atlases/{atlas}/layers/features.4/levels/0/cells?class=waves")
    live.client.cancel(atlas)
    assert answer.status_code == 422
    assert "the atlas was made with attribution `none`" in answer.json()["detail"]
    assert answer.json()["errors"][0]["pointer"] == "/class"


def test_a_cell_shows_its_icon_and_real_patches(live: Live) -> None:
    cell = live.client.json("GET", f"{live.level}/cells")["items"][0]
    place = f"{live.level}/cells/{cell['column']}-{cell['row']}"
    shown = get(live, place).json()
    size = live.atlas["manifest"]["layers"]["features.4"]["levels"][0]["icon_size"]
    icon = picture(get(live, shown["links"]["icon"]).content)
    assert (icon.size, icon.info["Description"]) == ((size, size), "icons seeded from data (recipe fast)")
    assert {"start_correlation", "exemplar_correlation", "marks"} <= set(shown["icon"])
    assert get(live, live.level).json()["seeded_from_data"] is True
    exemplar = picture(get(live, shown["links"]["exemplars"][0]).content)
    layers = live.client.model(live.spec["model"])["layers"]
    field = next(layer["receptive_field"]["size"] for layer in layers if layer["name"] == "features.4")
    assert max(exemplar.size) <= min(64, field[0] + 1)
    assert get(live, f"{place}/exemplars/9999").status_code == 404


def test_the_poster_shows_the_whole_level(live: Live) -> None:
    answer = get(live, f"{live.level}/poster")
    size = live.atlas["manifest"]["layers"]["features.4"]["levels"][0]["icon_size"]
    assert picture(answer.content).size == (3 * size, 3 * size)
    assert picture(answer.content).info["Description"] == "icons seeded from data (recipe fast)"


def test_the_manifest_names_artifacts_that_are_served(live: Live) -> None:
    manifest = get(live, f"/v1/atlases/{live.atlas['id']}/manifest").json()
    assert manifest == live.atlas["manifest"]
    (tile,) = get(live, live.level).json()["tiles"]
    assert manifest["artifacts"]["features.4/3/tiles/0-0.webp"]["sha256"] == tile["digest"]


def test_an_image_lands_on_the_map_and_always_in_the_same_place(live: Live, cards: Path) -> None:
    image = cards / "pictures" / "waves" / "02.png"
    first = live.client.project(live.atlas["id"], image)
    assert len(first["layers"]["features.4"]["positions"]) == 13 * 13
    assert json.loads(Projection(**first).model_dump_json(exclude_unset=True)) == first
    live.client.project(live.atlas["id"], cards / "pictures" / "dots" / "00.png")
    assert live.client.project(live.atlas["id"], image) == first


def test_an_image_can_come_as_a_form(live: Live, cards: Path) -> None:
    image = (cards / "pictures" / "waves" / "02.png").read_bytes()
    url = f"{live.service.url}/v1/atlases/{live.atlas['id']}/projections"
    answer = httpx.post(url, files={"image": ("02.png", image, "image/png")}, params={"positions": "all"}, timeout=30)
    assert len(answer.json()["layers"]["features.4"]["positions"]) == 15 * 15


@pytest.mark.parametrize(
    ("body", "kind", "status", "slug"),
    [
        (b"no picture at all", "application/octet-stream", 422, "invalid-image"),
        (b"%PDF-1.7", "application/pdf", 415, "unsupported-media-type"),
        (b"", "image/png", 422, "invalid-image"),
        (b"0" * (21 << 20), "image/png", 413, "too-large"),
    ],
)
def test_what_is_no_image_is_refused(live: Live, body: bytes, kind: str, status: int, slug: str) -> None:
    url = f"{live.service.url}/v1/atlases/{live.atlas['id']}/projections"
    answer = httpx.post(url, content=body, headers={"content-type": kind}, timeout=30)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")


def test_ready_names_the_processes_of_every_queue(live: Live) -> None:
    workers = get(live, "/readyz").json()["workers"]
    assert workers["interactive"] == 1
    assert workers["cpu"] == workers["gpu"] >= 1


def test_a_foreign_name_does_not_reach_the_embedded_service(live: Live) -> None:
    assert get(live, "/healthz", host="rebound.example").status_code == 400


def test_the_page_is_served(live: Live) -> None:
    answer = get(live, "/")
    assert answer.headers["content-type"].startswith("text/html")


def test_a_level_too_fine_is_refused_with_the_finest_that_is_not(live: Live) -> None:
    with pytest.raises(ClientError, match="level 40 needs"):
        live.client.submit({**live.spec, "levels": [40]})


def test_a_dropped_atlas_is_gone_until_it_is_asked_for_again(live: Live) -> None:
    url = f"{live.service.url}/v1/atlases/{live.atlas['id']}"
    live.client.delete("atlases", live.atlas["id"])
    assert httpx.get(url).status_code == 404
    assert live.atlas["id"] not in [one["id"] for one in live.client.atlases()]
    again = live.client.wait(live.client.submit(live.spec)["id"])  # made anew, or found before it was deleted
    assert (again["id"], again["digest"]) == (live.atlas["id"], live.atlas["digest"])


def test_a_cancelled_atlas_keeps_what_is_done_and_goes_on_when_asked_again(live: Live) -> None:
    spec = {**live.spec, "samples": 300, "seed": 6, "layers": ["features.6"]}
    atlas = live.client.submit(spec)["id"]
    assert live.client.cancel(atlas)["state"] == "cancelled"
    assert live.client.status(atlas)["state"] == "cancelled"
    again = live.client.submit(spec)
    assert (again["state"], again["attempt"]) == ("queued", 2)
    began = time.monotonic()
    assert live.client.wait(atlas)["state"] == "succeeded"
    assert time.monotonic() - began < 60  # a chunk left queued by the first attempt would wait so long for its message
