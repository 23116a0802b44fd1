from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from service import hot_tiles
from service.access.principal import Principal
from service.hot_tiles import HotTiles

if TYPE_CHECKING:
    from starlette.requests import Request

PATH = "/v1/atlases/a/layers/features.4/levels/0/tiles/0/0"
FOREVER = {"cache-control": "public, max-age=31536000, immutable", "vary": "Accept"}


class Answering:
    """A route of tiles that counts how often it is asked; `?v=old` is not for ever."""

    def __init__(self) -> None:
        self.asked = 0

    def answer(self, request: Request) -> Response:
        self.asked += 1
        forever = request.query_params.get("v") != "old"
        return Response(f"{request.url}", headers=FOREVER if forever else {"cache-control": "no-cache"})


@pytest.fixture
def route() -> Answering:
    return Answering()


@pytest.fixture
def tiles(route: Answering) -> TestClient:
    inner = Starlette(routes=[Route("/{rest:path}", route.answer)])
    hot = HotTiles(inner)

    async def known(scope: Any, receive: Any, send: Any) -> None:
        """As those who say who asks, and those who add headers, do."""
        who = dict(scope["headers"]).get(b"x-who", b"").decode()

        async def named(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", b"1")]
            await send(message)

        principal = Principal.of(f"key:{who}", who, who, frozenset({"read"}), {"requests_per_minute": 5})
        await hot({**scope, "state": {"principal": principal}}, receive, named)

    return TestClient(known)


def test_a_tile_of_a_digest_is_asked_for_once(tiles: TestClient, route: Answering) -> None:
    first, second, third = (tiles.get(f"{PATH}?v=abc") for _ in range(3))
    assert route.asked == 1
    assert first.content == second.content == third.content
    assert first.headers == third.headers
    assert third.headers.get_list("x-request-id") == ["1"]


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (PATH, {}),
        (f"{PATH}?v=old", {}),
        (f"{PATH}?v=abc", {"if-none-match": '"abc"'}),
        (f"{PATH.rpartition('/tiles')[0]}/cells?v=abc", {}),
    ],
    ids=["no-digest", "not-for-ever", "known", "no-tile"],
)
def test_anything_else_is_asked_each_time(
    tiles: TestClient, route: Answering, url: str, headers: dict[str, str]
) -> None:
    for _ in range(2):
        assert tiles.get(url, headers=headers).status_code == 200
    assert route.asked == 2


def test_who_asks_and_in_which_form_makes_a_difference(tiles: TestClient, route: Answering) -> None:
    for headers in ({"x-who": "me"}, {"x-who": "you"}, {"x-who": "me", "accept": "image/png"}):
        tiles.get(f"{PATH}?v=abc", headers=headers)
    assert route.asked == 3


def test_it_is_asked_again_after_a_while(tiles: TestClient, route: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot_tiles, "FRESH_SECONDS", 0)
    tiles.get(f"{PATH}?v=abc")
    tiles.get(f"{PATH}?v=abc")
    assert route.asked == 2


def test_the_oldest_make_room(tiles: TestClient, route: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(tiles.get(f"{PATH}?v=0").content)
    monkeypatch.setattr(hot_tiles, "MOST_BYTES", 2 * size)
    for turn in (1, 2, 2, 1, 0):
        tiles.get(f"{PATH}?v={turn}")
    assert route.asked == 4
