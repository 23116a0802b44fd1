"""Webhooks through the running service, to a receiver on this machine."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from atlas_client.errors import NotFoundError, RefusedError
from service.schemas.webhooks import WebhookEvent
from tests.receiver import receiving

if TYPE_CHECKING:
    from tests.service.conftest import Live


def add(live: Live, url: str, *events: str) -> dict[str, Any]:
    return live.client.json("POST", "/v1/webhooks", json={"url": url} | ({"events": list(events)} if events else {}))


def settled(live: Live, webhook: str) -> dict[str, Any]:
    """The webhook once nothing is pending."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        shown = live.client.json("GET", f"/v1/webhooks/{webhook}")
        if shown["deliveries"] and all(one["state"] != "pending" for one in shown["deliveries"]):
            return shown
        time.sleep(0.1)
    raise AssertionError(f"deliveries are still pending: {shown}")


def test_a_receiver_that_fails_twice_is_told_once_and_signed(live: Live) -> None:
    with receiving(503, 500, 204) as receiver:
        hook = add(live, receiver.url)
        job = live.client.submit({**live.spec, "seed": 77})
        live.client.cancel(job["id"])
        messages = receiver.wait(3)
        shown = settled(live, hook["id"])
        live.client.request("DELETE", f"/v1/webhooks/{hook['id']}")
    assert [message.status for message in messages] == [503, 500, 204]
    assert len({message.id for message in messages}) == 1
    assert len({message.body for message in messages}) == 1
    assert all(message.is_signed_with(hook["secret"]) for message in messages)
    assert len(receiver.messages) == 3
    told = json.loads(messages[0].body)
    assert WebhookEvent.model_validate(told).model_dump() == told
    assert told["type"] == "job.cancelled"
    assert "job.cancelled" in httpx.get(f"{live.service.url}/openapi.json").json()["webhooks"]
    assert told["data"]["id"] == job["id"]
    answer = httpx.get(live.service.url + told["data"]["links"]["atlas"]).json()
    assert (answer["id"], answer["finished"]) == (job["id"], told["timestamp"])
    (delivery,) = shown["deliveries"]
    assert (delivery["id"], delivery["job"], delivery["attempts"], delivery["status"], delivery["state"]) == (
        messages[0].id, job["id"], 3, 204, "delivered",
    )  # fmt: skip


def test_an_atlas_that_has_succeeded_is_told_to_who_asked_for_it(live: Live) -> None:
    with receiving() as wanted, receiving() as other:
        hooks = [add(live, wanted.url, "job.succeeded"), add(live, other.url, "job.failed", "job.cancelled")]
        atlas = live.client.submit({**live.spec, "levels": [3]})
        (message,) = wanted.wait(1)
        assert live.client.wait(atlas["id"])["digest"] == json.loads(message.body)["data"]["digest"]
        shown = live.client.json("GET", f"/v1/webhooks/{hooks[1]['id']}")
        for hook in hooks:
            live.client.request("DELETE", f"/v1/webhooks/{hook['id']}")
    assert json.loads(message.body)["type"] == "job.succeeded"
    assert message.is_signed_with(hooks[0]["secret"])
    assert shown["deliveries"] == other.messages == []


def test_the_secret_is_shown_once(live: Live) -> None:
    hook = add(live, "http://127.0.0.1:9/")
    assert hook["secret"].startswith("whsec_")
    assert (hook["state"], hook["events"]) == ("active", ["job.cancelled", "job.failed", "job.succeeded"])
    one = live.client.json("GET", f"/v1/webhooks/{hook['id']}")
    (listed,) = [shown for shown in live.client.items("/v1/webhooks") if shown["id"] == hook["id"]]
    assert listed == {name: text for name, text in hook.items() if name != "secret"}
    assert one == {**listed, "deliveries": []}
    live.client.request("DELETE", f"/v1/webhooks/{hook['id']}")
    for method in ("GET", "DELETE"):
        with pytest.raises(NotFoundError, match="no webhook"):
            live.client.request(method, f"/v1/webhooks/{hook['id']}")


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        ({"url": "https://hooks.example.com/"}, "/url", "ATLAS_WEBHOOK_HOSTS"),
        ({"url": "http://169.254.169.254/latest"}, "/url", "ATLAS_WEBHOOK_HOSTS"),
        ({"url": "http://user@127.0.0.1/"}, "/url", "neither a user"),
        ({"url": "http://127.0.0.1/", "events": ["job.other"]}, "/events/0", "job.succeeded"),
        ({"url": "http://127.0.0.1/", "events": []}, "/events", "at least 1"),
    ],
)
def test_where_webhooks_may_not_go_is_said(live: Live, body: dict[str, Any], pointer: str, says: str) -> None:
    with pytest.raises(RefusedError, match=says) as caught:
        live.client.json("POST", "/v1/webhooks", json=body)
    assert (caught.value.status, caught.value.errors[0]["pointer"]) == (422, pointer)
