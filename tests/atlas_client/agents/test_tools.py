from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from atlas_client.agents.server import SHOWN_SIDE, picture_of
from atlas_client.agents.tools import Tools
from atlas_client.client import Client
from atlas_client.errors import BadInputError

if TYPE_CHECKING:
    from tests.atlas_client.conftest import Answers

AUDIT: dict[str, Any] = {"id": "a", "kind": "audit", "name": None, "created": "2026-01-02T03:04:05Z", "error": None}


def png(colour: str, size: tuple[int, int] = (4, 3)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "PNG")
    return data.getvalue()


def test_an_audit_is_read_as_its_summary_with_the_pictures_that_this_shows(server: Answers) -> None:
    server.add("GET /v1/audits/a", body={**AUDIT, "state": "succeeded", "summary": {"verdict": "fail"}})
    server.add("GET /v1/audits/a.md", body=b"# FAIL\n![flips](pictures/flips.png)\n")
    server.add("GET /v1/audits/a/evidence/flips", body=png("red"))
    with Client(server.url) as client:
        document, summary, picture = Tools(client).read_audit("a")
    assert isinstance(document, dict)
    assert document["summary"] == {"verdict": "fail"}
    assert summary == "# FAIL\n![flips](pictures/flips.png)\n"
    assert isinstance(picture, Image.Image)
    assert picture.getpixel((0, 0)) == (255, 0, 0)


def test_an_audit_that_runs_tells_how_far_it_is(server: Answers) -> None:
    progress = {"collect": {"done": 2, "running": 1, "total": 5, "fraction": 0.4}}
    server.add("GET /v1/audits/a", body={**AUDIT, "state": "running", "progress": progress, "eta_seconds": 12.0})
    with Client(server.url) as client:
        (told,) = Tools(client).read_audit("a")
    assert isinstance(told, dict)
    assert (told["state"], told["progress"], told["eta_seconds"]) == ("running", {"collect": "2 of 5"}, 12.0)


def test_a_heat_map_is_of_one_thing_and_nothing_is_asked_before(server: Answers) -> None:
    with Client(server.url) as client, pytest.raises(BadInputError, match="of a class or of a measure"):
        Tools(client).heat_map("a", of_class="wok", measure="error")
    assert server.requests == []


def test_a_picture_is_sent_small() -> None:
    sent = picture_of(Image.new("RGBA", (3000, 1500), "blue"))
    assert sent.data is not None
    with Image.open(io.BytesIO(sent.data)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (SHOWN_SIDE, SHOWN_SIDE // 2))
