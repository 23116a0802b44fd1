"""Sessions of browsers, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from atlas_core.redis_client import connect
from service.access import keys

if TYPE_CHECKING:
    import httpx

    from tests.service.access.conftest import Secured


@pytest.fixture
def browser(secured: Secured) -> Iterator[httpx.Client]:
    """Keeps cookies, and says where its requests come from, as browsers do."""
    with secured.client() as client:
        client.headers["sec-fetch-site"] = "same-origin"
        yield client


def signed_in(browser: httpx.Client, key: str) -> str:
    """The cookie of a session."""
    answer = browser.post("/v1/session", json={"key": key})
    assert answer.status_code == 200
    return answer.headers["set-cookie"]


def test_a_key_is_exchanged_for_a_cookie_that_scripts_and_other_sites_cannot_use(
    secured: Secured, browser: httpx.Client
) -> None:
    key = secured.key("vision", "write")
    assert browser.get("/v1/models").status_code == 401
    cookie = signed_in(browser, key)
    assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= set(cookie.lower().split("; "))
    assert key not in cookie
    assert "secure" not in cookie.lower()
    assert secured.named["model"] in [one["id"] for one in browser.get("/v1/models").json()["items"]]
    assert browser.get("/v1/session").json() == {
        "access": "keys", "name": "vision's", "owner": "vision", "scopes": ["read", "write"],
    }  # fmt: skip


def test_behind_tls_the_cookie_goes_by_tls_alone(secured: Secured, browser: httpx.Client) -> None:
    browser.headers["x-forwarded-proto"] = "https"
    assert "; secure" in signed_in(browser, secured.key("vision", "read")).lower()


@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
     {"sec-fetch-site": "", "origin": "https://evil.example"}, {"sec-fetch-site": "", "origin": "null"}],
)  # fmt: skip
def test_a_page_of_another_origin_changes_nothing(
    secured: Secured, browser: httpx.Client, headers: dict[str, str]
) -> None:
    signed_in(browser, secured.key("vision", "write"))
    body = {"id": secured.named["model"]}
    sent = {name: value for name, value in headers.items() if value}
    if not headers["sec-fetch-site"]:
        del browser.headers["sec-fetch-site"]
    refused = browser.put("/v1/aliases/crossed", json=body, headers=sent)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
    assert browser.post("/v1/session", json={"key": "atlas_x"}, headers=sent).status_code == 403
    assert browser.get("/v1/aliases/crossed").status_code == 404
    assert browser.put("/v1/aliases/crossed", json=body, headers={"origin": secured.url, **browser.headers}).is_success
    assert browser.delete("/v1/aliases/crossed").status_code == 204


def test_a_session_ends_by_signing_out(secured: Secured, browser: httpx.Client) -> None:
    signed_in(browser, secured.key("vision", "read"))
    kept = dict(browser.cookies)
    assert browser.delete("/v1/session").status_code == 204
    assert not browser.cookies
    browser.cookies.update(kept)
    assert browser.get("/v1/models").status_code == 401


def test_a_session_ends_with_its_key_and_with_a_flushed_redis(secured: Secured, browser: httpx.Client) -> None:
    token, made = keys.create(secured.services.store, "x", "vision", ["read"], by="me")
    signed_in(browser, token)
    with connect(secured.services.settings.redis_url) as client:
        assert 0 < client.ttl(next(client.scan_iter("atlas:session:*"))) <= 43_200
        assert browser.cookies["atlas_session"] not in "".join(client.scan_iter("atlas:session:*"))
        assert browser.get("/v1/models").status_code == 200
        keys.revoke(secured.services.store, made["id"], by="me")
        assert browser.get("/v1/models").status_code == 401
        signed_in(browser, secured.key("vision", "read"))
        client.flushdb()
    assert browser.get("/v1/models").status_code == 401


@pytest.mark.parametrize("key", ["atlas_0123456789abcdef_x", "x", "x" * 201])
def test_what_is_no_key_begins_no_session(browser: httpx.Client, key: str) -> None:
    answer = browser.post("/v1/session", json={"key": key})
    assert answer.status_code == (422 if len(key) > 200 else 401)
    assert "set-cookie" not in answer.headers
