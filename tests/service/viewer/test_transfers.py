"""What the page fetches of the real service, and what a later visit does not fetch again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.service.viewer.conftest import Served

MOST = 1_500_000


def _watched(page: Page) -> dict[str, Any]:
    """Bytes over the wire, and the addresses that the service was asked for, by the browser's own account."""
    seen: dict[str, Any] = {"bytes": 0, "asked": {}}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on(
        "Network.requestWillBeSent", lambda event: seen["asked"].update({event["requestId"]: event["request"]["url"]})
    )
    session.on("Network.requestServedFromCache", lambda event: seen["asked"].pop(event["requestId"], None))

    def received(event: dict[str, Any]) -> None:
        if event["response"].get("fromDiskCache"):
            seen["asked"].pop(event["requestId"], None)

    def loaded(event: dict[str, Any]) -> None:
        seen["bytes"] += event["encodedDataLength"]

    session.on("Network.responseReceived", received)
    session.on("Network.loadingFinished", loaded)
    return seen


def _visit(page: Page, served: Served) -> dict[str, Any]:
    seen = _watched(page)
    page.goto(f"{served.page}#side={served.sides[1]}")
    page.wait_for_function(
        "side => document.querySelector('.map')?.dataset.painted?.endsWith(` ${side}`)", arg=served.sides[1]
    )
    page.wait_for_timeout(200)
    page.close()
    return seen


def test_documents_come_compressed_and_pictures_as_they_are(served: Served) -> None:
    level = f"/v1/atlases/{served.atlas['id']}/layers/{served.layers[0]}/levels/1"
    for path, encoding in ((f"{level}/cells", "gzip"), ("/openapi.json", "gzip"), (f"{level}/tiles/0/0", None)):
        with httpx.stream("GET", f"{served.url}{path}", headers={"accept-encoding": "gzip"}) as answer:
            assert answer.headers.get("content-encoding") == encoding, path
            sent, read = len(b"".join(answer.iter_raw())), int(answer.headers["content-length"])
        assert sent == read
        plain = httpx.get(f"{served.url}{path}", headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert (len(plain.content) > 2 * sent) == (encoding is not None)


def test_a_first_look_is_light_and_a_second_asks_for_nothing_immutable(browser: Browser, served: Served) -> None:
    context = browser.new_context()
    first = _visit(context.new_page(), served)
    assert any("/tiles/" in url for url in first["asked"].values())
    assert 50_000 < first["bytes"] < MOST
    again = _visit(context.new_page(), served)
    context.close()
    asked = {
        url.removeprefix(served.url).partition("?")[0] for url in again["asked"].values() if url.startswith("http")
    }
    assert not {path for path in asked if "/tiles/" in path or "/assets/" in path or "/heatmap" in path}
    assert asked >= {"/", f"/v1/atlases/{served.atlas['id']}"}  # what can change is looked at anew
    assert again["bytes"] < first["bytes"] / 4
