"""Two owners on one service: what is whose, what is shared, and what neither learns of the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core import registry, webhooks
from atlas_core.build import plan
from atlas_core.owners import owners_of
from atlas_core.spec import parse_spec
from service.access.principal import OPEN
from tests.service.access.conftest import INPUT, SPEC, add_ready

if TYPE_CHECKING:
    import httpx

    from tests.service.access.conftest import Secured

Asker = Callable[..., "httpx.Client"]


def made(client: httpx.Client, path: str, body: dict[str, Any], status: int = 202) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(client: httpx.Client, path: str) -> set[str]:
    return {one["id"] for one in client.get(path).json()["items"]}


def test_what_another_owns_is_not_there(secured: Secured, asker: Asker) -> None:
    vision, other = asker("vision", "write"), asker("other", "write")
    job = made(vision, "/v1/atlases", {**secured.named, **SPEC, "seed": 1})["id"]
    vision.put("/v1/aliases/mine@prod", json={"id": job}).raise_for_status()
    model, paged = secured.named["model"], {"accept": "application/json"}
    for path in (
        f"/v1/models/{model}",
        f"/v1/datasets/{secured.named['dataset']}",
        f"/v1/atlases/{job}",
        f"/v1/jobs/{job}",
        f"/v1/jobs/{job}/events",
        f"/v1/atlases/{job}/manifest",
        f"/v1/atlases/{job}/tour",
        f"/v1/atlases/{job}/thumbnail",
        f"/v1/atlases/{job}/icons",
        f"/v1/atlases/{job}/projections",
        f"/v1/atlases/{job}/layers/features.3/levels/0",
        "/v1/atlases/mine@prod",
        "/v1/aliases/mine@prod",
    ):
        never = path.replace(job, "0" * 24).replace(model, "0" * 24).replace("mine@prod", "none@prod")
        hidden, absent = other.get(path, headers=paged), other.get(never, headers=paged)
        assert (hidden.status_code, absent.status_code) == (404, 404), path
        named = hidden.json()["detail"].replace(job, "X").replace(model, "X").replace("mine", "none")
        assert named == absent.json()["detail"].replace("0" * 24, "X"), path  # in the same words
        assert vision.get(path, headers=paged).status_code in (200, 404)
    for path in ("/v1/models", "/v1/datasets", "/v1/atlases", "/v1/jobs", "/v1/aliases"):
        assert not {job, model, secured.named["dataset"]} & ids(other, path), path
    assert other.post(f"/v1/jobs/{job}/cancel").status_code == 404
    assert other.delete(f"/v1/atlases/{job}").status_code == 404
    assert other.delete(f"/v1/models/{model}").status_code == 404
    refused = made(other, "/v1/atlases", {**secured.named, **SPEC}, 422)
    assert "there is no model" in refused["detail"]
    assert vision.get(f"/v1/jobs/{job}").json()["state"] == "queued"


def test_the_same_request_of_two_owners_is_two_jobs_with_the_same_work(secured: Secured, asker: Asker) -> None:
    vision, other = asker("vision", "write"), asker("partner", "write")
    add_ready(secured.services.store, "partner")
    body = {**secured.named, **SPEC, "seed": 2}
    first, second = (made(client, "/v1/atlases", body)["id"] for client in (vision, other))
    assert first != second
    assert made(vision, "/v1/atlases", body)["id"] == first
    plans = [registry.plan_of(secured.services.store, one) for one in (first, second)]
    assert [chunk.key for chunk in plans[0].chunks[:-1]] == [chunk.key for chunk in plans[1].chunks[:-1]]
    assert plans[0].chunks[-1].key != plans[1].chunks[-1].key  # the manifest, which says its id
    cancelled = vision.post(f"/v1/atlases/{first}/cancel").json()
    assert cancelled["state"] == "cancelled"
    assert other.get(f"/v1/atlases/{second}").json()["state"] == "queued"
    assert vision.delete(f"/v1/atlases/{first}").status_code == 204
    assert vision.get(f"/v1/atlases/{first}").status_code == 404
    assert other.get(f"/v1/atlases/{second}").status_code == 200


def test_a_model_of_two_owners_is_dropped_by_one_and_stays_the_other_s(secured: Secured, asker: Asker) -> None:
    services = secured.services
    weights = services.store.put_blob(b"shared weights")
    card = {"name": "shared", "format": "onnx", "source": f"sha256:{weights}", "input": INPUT.model_dump(mode="json")}
    first, second, third = (asker(owner, "write") for owner in ("first", "second", "third"))
    name = made(first, "/v1/models", {"card": card})["id"]
    assert second.get(f"/v1/models/{name}").status_code == 404
    assert made(second, "/v1/models", {"card": card})["id"] == name
    assert first.delete(f"/v1/models/{name}").status_code == 204
    assert (first.get(f"/v1/models/{name}").status_code, second.get(f"/v1/models/{name}").status_code) == (404, 200)
    assert third.delete(f"/v1/models/{name}").status_code == 404
    assert second.delete(f"/v1/models/{name}").status_code == 204
    assert services.store.get_document("models", name) is None


def test_a_worker_s_findings_and_a_new_owner_do_not_undo_each_other(secured: Secured) -> None:
    store = secured.services.store
    model = secured.named["model"]

    def meanwhile(found: dict[str, Any]) -> dict[str, Any]:
        if "late" not in owners_of(registry.document(store, "models", model)):
            registry.claim(store, "models", registry.document(store, "models", model), "late")
        return {"warnings": ["found"]}

    registry.change(store, "models", model, meanwhile)
    value = registry.document(store, "models", model)
    assert value["warnings"] == ["found"]
    assert owners_of(value) >= {"vision", "late"}


def test_aliases_are_each_owner_s_and_everybody_s_is_the_last_resort(secured: Secured, asker: Asker) -> None:
    vision, other = asker("vision", "write"), asker("elsewhere", "write")
    add_ready(secured.services.store, "elsewhere")
    model, dataset = secured.named["model"], secured.named["dataset"]
    vision.put("/v1/aliases/best", json={"id": model}).raise_for_status()
    assert other.get("/v1/aliases/best").status_code == 404
    other.put("/v1/aliases/best", json={"id": dataset}).raise_for_status()
    assert vision.get("/v1/aliases/best").json()["id"] == model
    assert other.get("/v1/datasets/best").json()["id"] == dataset
    assert [one["name"] for one in other.get("/v1/aliases").json()["items"]] == ["best"]
    assert other.delete("/v1/aliases/best").status_code == 204
    assert vision.get("/v1/models/best").json()["id"] == model


def test_what_was_made_while_access_was_open_is_everybody_s_to_read(secured: Secured, asker: Asker) -> None:
    store = secured.services.store
    named = add_ready(store, "", "everybody's")
    planned = plan(parse_spec({**named, **SPEC, "seed": 3}), registry.model_facts(store, named["model"]),
                   registry.dataset_facts(store, named["dataset"]))  # fmt: skip
    job = secured.services.seen_by(OPEN).submit(planned)["id"]
    stranger, admin = asker("stranger", "write"), asker("operator", "admin")
    assert stranger.get(f"/v1/atlases/{job}").status_code == 200
    for answer in (stranger.post(f"/v1/atlases/{job}/cancel"), stranger.delete(f"/v1/atlases/{job}"),
                   stranger.put(f"/v1/atlases/{job}/tour", json={"stops": []})):  # fmt: skip
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    assert admin.delete(f"/v1/atlases/{job}").status_code == 204


def test_an_administrator_sees_and_stops_what_others_own(secured: Secured, asker: Asker) -> None:
    vision, admin = asker("vision", "write"), asker("operator", "admin")
    job = made(vision, "/v1/atlases", {**secured.named, **SPEC, "seed": 4})["id"]
    assert job in ids(admin, "/v1/jobs?kind=atlas&page_size=1000")
    assert admin.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"


def test_an_idempotency_key_is_its_owner_s(secured: Secured, asker: Asker) -> None:
    vision, other = asker("vision", "write"), asker("third-party", "write")
    add_ready(secured.services.store, "third-party")
    key = {"idempotency-key": "the same"}
    body = {**secured.named, **SPEC, "seed": 5}
    first = vision.post("/v1/atlases", json=body, headers=key)
    again = vision.post("/v1/atlases", json=body, headers=key)
    assert again.headers["idempotent-replayed"] == "true"
    second = other.post("/v1/atlases", json=body, headers=key)
    assert "idempotent-replayed" not in second.headers
    assert second.json()["id"] != first.json()["id"]


def test_to_keep_a_batch_takes_the_scope_write(secured: Secured, asker: Asker) -> None:
    vision, reader = asker("vision", "write"), asker("vision", "read")
    job = made(vision, "/v1/atlases", {**secured.named, **SPEC, "seed": 6})["id"]
    store = secured.services.store
    for chunk in registry.plan_of(store, job).find("publish", step="index"):
        store.put_record("publish", chunk.key, {"blobs": {"index": "0" * 64}, "info": {}})
    kept = {"prefer": "respond-async", "content-type": "application/x-ndjson"}
    path = f"/v1/atlases/{job}/projections"
    assert reader.post(path, content=b"{}", headers=kept).json()["type"] == "/problems/forbidden"


@pytest.mark.parametrize(
    ("hook", "job", "hears"), [("a", "a", True), ("a", "b", False), ("a", "", True), ("", "a", False)]
)
def test_a_webhook_hears_of_its_owner_s_jobs(hook: str, job: str, hears: bool) -> None:
    assert webhooks.hears({"owner": hook}, {"owner": job}) is hears
