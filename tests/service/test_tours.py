"""Tours over HTTP: shared by whoever looks at a map, and lost by nobody who saves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from atlas_client.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from tests.service.conftest import Live

STOPS: list[dict[str, Any]] = [{"caption": "Waves", "view": "layer=features.4&x=0.25"}, {"caption": "", "view": ""}]


def test_a_saved_tour_is_read_by_others_and_one_who_did_not_is_told(live: Live) -> None:
    atlas = live.atlas["id"]
    assert live.client.json("GET", f"/v1/atlases/{atlas}")["links"]["tour"] == f"/v1/atlases/{atlas}/tour"
    before = live.client.tour(atlas)
    saved = live.client.set_tour(atlas, STOPS, "A walk", before["version"])
    assert live.client.tour(atlas) == saved
    assert (saved["title"], saved["stops"]) == ("A walk", STOPS)
    answer = httpx.get(f"{live.service.url}/v1/atlases/{atlas}/tour")
    assert answer.headers["etag"] == f'"{saved["version"]}"'
    kept = httpx.get(answer.url, headers={"if-none-match": answer.headers["etag"]})
    assert (kept.status_code, kept.content, kept.headers["etag"]) == (304, b"", answer.headers["etag"])
    with pytest.raises(RefusedError, match="somebody else saved it") as caught:
        live.client.set_tour(atlas, [], version=before["version"])
    assert (caught.value.status, caught.value.slug) == (412, "stale")
    assert live.client.set_tour(atlas, [], version=saved["version"])["stops"] == []
    assert httpx.get(answer.url, headers={"if-none-match": answer.headers["etag"]}).json()["stops"] == []


@pytest.mark.parametrize(
    ("stops", "pointer"),
    [
        ([{"caption": "c" * 1001, "view": ""}], "/stops/0/caption"),
        ([{"caption": "", "view": "v" * 4001}], "/stops/0/view"),
        ([{"caption": "", "view": "", "more": 1}], "/stops/0/more"),
        ([{"caption": "", "view": ""}] * 101, "/stops"),
    ],
)
def test_what_is_too_long_is_refused(live: Live, stops: list[dict[str, Any]], pointer: str) -> None:
    with pytest.raises(RefusedError) as caught:
        live.client.set_tour(live.atlas["id"], stops)
    assert caught.value.errors[0]["pointer"] == pointer


def test_a_map_that_is_not_there_has_none(live: Live) -> None:
    with pytest.raises(NotFoundError):
        live.client.tour("0" * 24)
    with pytest.raises(NotFoundError):
        live.client.set_tour("0" * 24, [])
