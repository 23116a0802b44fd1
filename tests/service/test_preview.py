"""Previews, and tiles on demand: what a reader sees before the atlas is finished."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image

from atlas_client.client import Client
from atlas_client.errors import NotFoundError
from atlas_core import registry, tables
from atlas_core.advance import INTERACTIVE
from atlas_core.events import stream_of
from atlas_core.pyramid import compose_tile, tile_shape
from atlas_core.run import build_directory
from tests.service.conftest import registered
from tests.service.serving import serving
from tests.service.stack import BATCH, SECONDS, Stack, running_stack
from tests.service.test_main import ENCODED, LAYER, api, assert_problem, request_of, services, settings

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from atlas_core.plan import Chunk, Plan

__all__ = ["api", "settings"]  # fixtures
PREVIEW_SIZE, SIZE = 3, 4
CELL = (2, 1)


@dataclass(frozen=True)
class Job:
    """A vivid atlas of one tile that nobody works on, and what tests put into its store."""

    api: TestClient
    id: str

    @property
    def app(self) -> Any:
        app: Any = self.api.app
        return app

    @property
    def level(self) -> str:
        return f"/v1/atlases/{self.id}/layers/{ENCODED}/levels/0"

    @property
    def tile(self) -> str:
        return f"{self.level}/tiles/0/0"

    @property
    def plan(self) -> Plan:
        return registry.plan_of(services(self.api).store, self.id)

    def chunk(self, stage: str) -> Chunk:
        return self.plan.find(stage)[0]

    def done(self, stage: str, blobs: dict[str, bytes], **info: Any) -> None:
        """Leave the first chunk of a stage as a worker does."""
        store, chunk = services(self.api).store, self.chunk(stage)
        named = {name: store.put_blob(data) for name, data in blobs.items()}
        store.put_record(stage, chunk.key, {"blobs": named, "info": info})
        services(self.api).ledger.mark_done([chunk.key])

    def cells_known(self, side: int = 5, cells: Sequence[tuple[int, int]] = (CELL,)) -> None:
        told: list[dict[str, Any]] = [
            {"column": column, "row": row, "count": 9, "images": 9, "classes": None, "exemplars": []}
            for column, row in cells
        ]
        columns = {name: np.array([cell[name] for cell in told], np.int32) for name in ("column", "row", "count")}
        self.done("cells", {f"cells-{side}": json.dumps(told).encode(), f"level-{side}": tables.pack(columns)})

    def drawn(self, stage: str, size: int, grey: int) -> bytes:
        icon = np.full((1, size, size, 3), grey, np.uint8)
        tile = compose_tile(icon, np.array([CELL], np.int32), *tile_shape((self.plan.spec.levels or [5])[0], 0, 0))
        self.done(stage, {"tile": tile}, icons=1, size=size)
        return tile

    def asked_for(self) -> list[str]:
        """Keys of the chunks on the interactive queue, the oldest first."""
        messages: Any = services(self.api).ledger._redis.lrange(INTERACTIVE, 0, -1)
        return [json.loads(message)["headers"]["argsrepr"].split("'")[3] for message in reversed(messages)]


@pytest.fixture
def job(api: TestClient) -> Job:
    return Job(api, api.post("/v1/atlases", json=request_of(api)).json()["id"])


def test_a_tile_is_a_preview_until_it_is_rendered(job: Job) -> None:
    assert job.api.get(job.level).json()["state"] == "waiting"
    preview = job.drawn("preview", PREVIEW_SIZE, 50)
    seen = job.api.get(job.tile)
    assert seen.content == preview
    assert (seen.headers["atlas-preview"], seen.headers["atlas-recipe"]) == ("true", "fast")
    assert seen.headers["cache-control"] == "no-cache"
    level = job.api.get(job.level).json()
    (told,) = level["tiles"]
    assert level["state"] == "previewed"
    assert (told["preview"], told["recipe"], told["icon_size"]) == (True, "fast", PREVIEW_SIZE)
    assert level["icon_size"] == 32  # of an unknown receptive field: the whole input

    own = job.drawn("render", SIZE, 200)
    fresh = job.api.get(job.tile, headers={"if-none-match": seen.headers["etag"]})
    assert (fresh.status_code, fresh.content) == (200, own)
    assert (fresh.headers["atlas-preview"], fresh.headers["atlas-recipe"]) == ("false", "vivid")
    level = job.api.get(job.level).json()
    assert level["state"] == "rendering"
    assert [(tile["preview"], tile["icon_size"]) for tile in level["tiles"]] == [(False, SIZE)]
    assert job.api.get(told["url"]).content == own  # whoever still holds the preview's address
    assert job.api.get(told["url"]).headers["cache-control"] == "no-cache"


def test_an_icon_is_cut_from_the_preview_in_its_own_size(job: Job) -> None:
    job.cells_known()
    icon = f"{job.level}/cells/{CELL[0]}-{CELL[1]}/icon"
    drawn = (("preview", PREVIEW_SIZE, 50, "true", "fast"), ("render", SIZE, 200, "false", "vivid"))
    for stage, size, grey, told, recipe in drawn:
        job.drawn(stage, size, grey)
        answer = job.api.get(icon)
        assert answer.headers["atlas-preview"] == told
        shown = Image.open(io.BytesIO(answer.content))
        assert f"(recipe {recipe})" in "".join(map(str, shown.info.values()))
        picture = np.asarray(shown)
        assert picture.shape == (size, size, 3)
        assert abs(int(picture.mean()) - grey) < 8


def test_what_is_not_there_yet_says_when_to_ask_again_unless_nobody_makes_it(job: Job) -> None:
    for path in (job.tile, f"{job.level}/cells", f"{job.level}/poster"):
        answer = job.api.get(path)
        assert "ask again later" in assert_problem(answer, 404, "not-yet")["detail"]
        assert int(answer.headers["retry-after"]) > 0
    job.api.post(f"/v1/atlases/{job.id}/cancel")
    answer = job.api.get(job.tile)
    assert "the job is cancelled; submit" in assert_problem(answer, 404, "not-found")["detail"]
    assert "retry-after" not in answer.headers


def test_a_tile_asked_for_is_enqueued_at_once_its_preview_first(job: Job) -> None:
    job.api.get(job.tile)
    assert job.asked_for() == []  # its cells are not known
    job.cells_known()
    for _ in range(2):
        assert job.api.get(job.tile).status_code == 404
    assert job.asked_for() == [job.chunk("preview").key]
    job.drawn("preview", PREVIEW_SIZE, 50)
    for _ in range(2):
        assert job.api.get(job.tile).status_code == 200
    assert job.asked_for() == [job.chunk("preview").key, job.chunk("render").key]
    job.drawn("render", SIZE, 200)
    job.api.get(job.tile)
    assert len(job.asked_for()) == 2


def test_of_a_cancelled_job_nothing_is_enqueued(job: Job) -> None:
    job.cells_known()
    job.api.post(f"/v1/atlases/{job.id}/cancel")
    job.api.get(job.tile)
    assert job.asked_for() == []


def test_events_told_anew_name_a_preview_only_while_it_is_seen(job: Job) -> None:
    def tiles() -> list[dict[str, Any]]:
        services(job.api).ledger._redis.delete(stream_of(job.id))  # as a flush does
        page = job.api.get(f"/v1/jobs/{job.id}/events", headers={"accept": "application/json"}).json()
        return [event["data"] for event in page["items"] if event["type"] == "tile"]

    place = {"layer": LAYER, "side": 5, "z": 0, "x": 0, "y": 0}
    assert tiles() == []
    job.drawn("preview", PREVIEW_SIZE, 50)
    assert tiles() == [{**place, "preview": True}]
    job.drawn("render", SIZE, 200)
    assert tiles() == [{**place, "preview": False}]


def test_the_client_takes_a_preview_and_then_the_tile(job: Job) -> None:
    with serving(job.app) as url, Client(url) as client:
        assert client.tile(job.id, LAYER, 0, 0, 0) is None
        for stage, size in (("preview", PREVIEW_SIZE), ("render", SIZE)):
            drawn = job.drawn(stage, size, 50)
            assert client.tile(job.id, LAYER, 0, 0, 0) == (drawn, stage == "preview")
        with pytest.raises(NotFoundError, match="outside of a level"):
            client.tile(job.id, LAYER, 0, 1, 0)


# With real workers


SPEC = {"samples": 1_200, "levels": [12], "recipe": "vivid", "allow_sparse": True}


def _tiles(client: Client, level: str) -> dict[tuple[int, int], bool]:
    """Places of the tiles that can be seen, and whether each is a preview."""
    return {(tile["x"], tile["y"]): tile["preview"] for tile in client.json("GET", level)["tiles"]}


def _asked_until(stack: Stack, tile: str, preview: str) -> httpx.Response:
    """Ask for a tile until it is there, a preview or not."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        answer = httpx.get(stack.url + tile)
        if answer.headers.get("atlas-preview") == preview:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"{tile} did not come within {SECONDS} s: {answer.text[:200]}")


@pytest.mark.proof
def test_a_late_tile_that_is_asked_for_comes_first_and_the_atlas_is_the_same(
    cards: Path, redis_server: str, tmp_path: Path
) -> None:
    with running_stack(tmp_path, redis_server) as stack, Client(stack.url) as client:
        request = {**registered(client, cards), **SPEC}
        atlas = client.submit(request)["id"]
        level = f"/v1/atlases/{atlas}/layers/features.4/levels/0"
        stack.running(atlas, "preview")
        stack.terminate("batch")  # from here on only what is asked for is made
        before = _tiles(client, level)
        late = (1, 1)
        assert late not in before
        missing = httpx.get(f"{stack.url}{level}/tiles/1/1")
        assert_problem(missing, 404, "not-yet")
        assert int(missing.headers["retry-after"]) > 0
        first = _asked_until(stack, f"{level}/tiles/1/1", "true")
        second = _asked_until(stack, f"{level}/tiles/1/1", "false")
        assert first.headers["etag"] != second.headers["etag"]
        assert _tiles(client, level) == {**before, late: False}

        stack.worker(*BATCH)
        done = stack.wait(client, atlas)
        told = [event.data for event in client.events(atlas) if event.type == "tile" and "x" in event.data]
    assert done["state"] == "succeeded"
    order = [(event["x"], event["y"], event["preview"]) for event in told]
    places = [(x, y) for y in range(2) for x in range(2)]
    assert sorted(order) == sorted((*place, preview) for place in places for preview in (True, False))
    assert all(order.index((*place, True)) < order.index((*place, False)) for place in places)
    assert next(event for event in order if not event[2]) == (*late, False)

    plain = {name: value for name, value in request.items() if name not in ("model", "dataset")}
    built = build_directory(cards / "model.json", cards / "dataset.json", plain, tmp_path / "built", lambda *_: None)
    assert (built["artifacts"], built["layers"]) == (done["manifest"]["artifacts"], done["manifest"]["layers"])
    assert not any("preview" in path for path in built["artifacts"])
