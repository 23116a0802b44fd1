"""Aliases over HTTP: moved by anybody, taken wherever an id is, and in the way of deleting what they name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from atlas_client.cli import run
from atlas_client.errors import ConflictError, NotFoundError, RefusedError

if TYPE_CHECKING:
    from tests.service.conftest import Live


def test_an_alias_is_taken_wherever_an_id_is(live: Live, cards: Path) -> None:
    client, atlas = live.client, live.atlas["id"]
    for name, target in (("tiny@prod", live.spec["model"]), ("world", live.spec["dataset"]), ("map@prod", atlas)):
        client.set_alias(name, target)
    assert client.model("tiny@prod")["id"] == live.spec["model"]
    assert client.dataset("world")["id"] == live.spec["dataset"]
    assert client.status("map@prod")["id"] == atlas
    assert client.json("GET", "/v1/jobs/map@prod")["id"] == atlas
    level = client.json("GET", "/v1/atlases/map@prod/layers/features.4/levels/0")
    assert level["links"]["self"] == live.level
    assert client.request("GET", "/v1/atlases/map%40prod/layers/features.4/levels/0/tiles/0/0").content
    assert client.request("GET", "/v1/atlases/map@prod/events", headers={"accept": "application/json"}).is_success
    assert client.project("map@prod", cards / "pictures" / "waves" / "02.png")["layers"]
    assert client.cancel("map@prod")["state"] == "succeeded"
    again = client.submit({**live.spec, "model": "tiny@prod", "dataset": "world"})
    assert (again["id"], again["spec"]["model"], again["spec"]["dataset"]) == (
        atlas, live.spec["model"], live.spec["dataset"],
    )  # fmt: skip
    anchored = client.dry_run({**live.spec, "anchor": "map@prod"})
    assert anchored["spec"]["anchor"] == atlas
    assert client.add_model(cards / "model.json", "world")["id"] == live.spec["model"]
    assert {"tiny@prod", "world", "map@prod"} <= {alias["name"] for alias in client.aliases()}
    client.delete_alias("map@prod")  # other tests drop the atlas


def test_an_alias_of_another_kind_is_refused_where_it_is_named(live: Live) -> None:
    live.client.set_alias("kind", live.spec["dataset"])
    with pytest.raises(NotFoundError, match="'kind' names a dataset, not an atlas"):
        live.client.status("kind")
    with pytest.raises(RefusedError, match="'kind' names a dataset, not a model") as caught:
        live.client.submit({**live.spec, "model": "kind"})
    assert (caught.value.status, caught.value.errors[0]["pointer"]) == (422, "/model")
    with pytest.raises(RefusedError, match="no model, dataset or atlas") as caught:
        live.client.set_alias("kind", "nobody")
    assert caught.value.errors[0]["pointer"] == "/id"


def test_what_an_alias_names_is_not_deleted(live: Live) -> None:
    client = live.client
    client.set_alias("keep-me", live.atlas["id"])
    client.set_alias("keep-it", live.spec["model"])
    for path, name in ((f"/v1/atlases/{live.atlas['id']}", "keep-me"), ("/v1/models/keep-it", "keep-it")):
        with pytest.raises(ConflictError, match=f"'{name}'"):
            client.request("DELETE", path)
    client.delete_alias("keep-me")
    with pytest.raises(NotFoundError):
        client.alias("keep-me")
    assert client.status(live.atlas["id"])["state"] == "succeeded"


def test_one_of_two_who_move_what_they_saw_is_told(live: Live) -> None:
    live.client.set_alias("release", live.spec["model"])
    url = f"{live.service.url}/v1/aliases/release"
    tag = {"If-Match": httpx.get(url).headers["etag"]}
    first = httpx.delete(url, headers=tag)
    second = httpx.put(url, headers=tag, json={"id": live.spec["model"]})
    assert (first.status_code, second.status_code, second.json()["type"]) == (204, 412, "/problems/stale")
    again = httpx.put(url, json={"id": live.spec["dataset"]})
    assert (again.status_code, again.headers["etag"], again.json()["version"]) == (200, '"2"', 2)
    assert [move["id"] for move in again.json()["history"]] == [live.spec["dataset"], None, live.spec["model"]]


def test_the_command_sets_shows_and_takes_aliases(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    url = ["--url", live.service.url]
    assert run(["alias", "set", "by-hand", live.atlas["id"], *url]) == 0
    assert capsys.readouterr().out.startswith(f"by-hand  atlas  {live.atlas['id']}\n")
    assert run(["alias", "show", "by-hand", "--json", *url]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == live.atlas["id"]
    assert run(["alias", "list", *url]) == 0
    assert "by-hand" in capsys.readouterr().out
    assert run(["status", "by-hand", *url]) == 0
    assert live.atlas["id"] in capsys.readouterr().out
    assert run(["alias", "delete", "by-hand", *url]) == 0
    assert run(["alias", "show", "by-hand", *url]) == 4
