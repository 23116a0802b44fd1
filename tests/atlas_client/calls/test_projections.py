from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image

from atlas_client.client import Client
from atlas_client.errors import BadInputError, InvalidError, JobError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from atlas_client.pictures import Picture
    from tests.atlas_client.conftest import Answers

PNG = b"\x89PNG\r\n\x1a\n"
JOB: dict[str, Any] = {"id": "j", "atlas": "a b", "kind": "projections", "links": {"self": "/v1/made"}}


def test_project(server: Answers) -> None:
    server.add("POST /v1/atlases/a/projections", 200, {"layers": {}})
    with Client(server.url) as client:
        client.project("a", PNG, ["features.5", "x y"], "all")
    method, path, body, headers = server.requests[0]
    assert (method, body, headers["content-type"]) == ("POST", PNG, "image/png")
    assert path.partition("?")[2] in ("layers=features.5&layers=x+y&positions=all",
                                      "layers=features.5&layers=x%20y&positions=all")  # fmt: skip


def test_project_many_puts_errors_in_their_place(server: Answers, tmp_path: Path) -> None:
    server.add("POST /v1/atlases/a/projections", 200, {"n": 1})
    server.add("POST /v1/atlases/a/projections", 422, {"detail": "no image"})
    server.add("POST /v1/atlases/a/projections", 200, {"n": 3})
    with Client(server.url) as client:
        images: list[Picture] = [PNG, b"text", tmp_path / "gone.png", PNG]
        first, second, gone, third = client.project_many("a", images, at_a_time=1)
    assert (first, third) == ({"n": 1}, {"n": 3})
    assert isinstance(second, InvalidError)
    assert isinstance(gone, BadInputError)
    with Client(server.url) as client, pytest.raises(NotFoundError):
        list(client.project_many("b", [PNG]))


def test_images_are_projected_side_by_side_with_each_answer_in_its_place() -> None:
    together, refused = threading.Barrier(4), set[bytes]()

    def service(request: httpx.Request) -> httpx.Response:
        image = request.content
        if image == b"bad":
            return httpx.Response(422, json={"type": "/problems/invalid-image", "detail": "no picture"})
        if image == b"3" and image not in refused:
            refused.add(image)
            return httpx.Response(429, headers={"retry-after": "0.01"}, json={"detail": "too many"})
        together.wait(10)
        return httpx.Response(200, json={"image": image.decode()})

    images = [b"0", b"1", b"bad", b"2", b"3"]
    with Client("http://x", transport=httpx.MockTransport(service)) as client:
        answers = list(client.project_many("a", images, at_a_time=5))
    assert [answer if isinstance(answer, dict) else type(answer) for answer in answers] == [
        {"image": "0"}, {"image": "1"}, type(answers[2]), {"image": "2"}, {"image": "3"},
    ]  # fmt: skip
    assert isinstance(answers[2], BadInputError)


class Batches:
    """A service that takes a batch for a job, with what it answers."""

    def __init__(self, results: bytes | Iterator[bytes] = b"", state: str = "succeeded") -> None:
        self.results, self.state = results, state
        self.sent: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        match request.method, request.url.path:
            case "POST", "/v1/atlases/a b/projections":
                return httpx.Response(202, json=JOB | {"state": "queued"})
            case "GET", "/v1/jobs/j":
                return httpx.Response(200, json=JOB | {"state": self.state})
            case "GET", "/v1/made":
                return httpx.Response(200, json=JOB | {"state": "succeeded", "links": {"results": "/v1/results"}})
            case "GET", "/v1/results":
                return httpx.Response(200, content=self.results)
        return httpx.Response(404, json={})

    def client(self) -> Client:
        return Client("http://x", transport=httpx.MockTransport(self))


def test_images_are_sent_for_later_with_the_names_of_their_files(tmp_path: Path) -> None:
    service, file = Batches(), tmp_path / "green.png"
    file.write_bytes(PNG)
    with service.client() as client:
        assert client.project_later("a b", [file, b"b", Image.new("L", (1, 1))], ["x y"], "all")["id"] == "j"
    (request,) = service.sent
    assert dict(request.url.params) == {"layers": "x y", "positions": "all"}
    assert (request.headers["content-type"], request.headers["prefer"]) == ("application/x-ndjson", "respond-async")
    named, *others = map(json.loads, request.content.splitlines())
    assert named == {"id": "green.png", "image": base64.b64encode(PNG).decode()}
    assert [list(other) for other in others] == [["image"], ["image"]]
    assert base64.b64decode(others[1]["image"]).startswith(PNG)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with Batches().client() as client, pytest.raises(BadInputError, match=r"cannot read .*gone\.png"):
        client.project_later("a b", [b"a", tmp_path / "gone.png"])


def test_what_was_asked_for_later_comes_in_order_with_errors_in_their_place() -> None:
    parting = "a\u2028b\u0085c"  # ends of lines for str.splitlines, not for JSON
    lines = [
        {"id": "green.png", "projection": {"classes": [{"name": parting, "probability": 1}]}},
        {"id": 1, "problem": {"type": "/problems/invalid-image", "detail": "no image"}},
        {"id": 2, "projection": {"n": 3}},
    ]
    text = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
    service, seen = Batches(text[at : at + 7] for at in range(0, len(text), 7)), list[str]()
    with service.client() as client:
        first, second, third = client.projected(JOB, lambda job: seen.append(job["state"]))
    assert not isinstance(first, BadInputError)
    assert (first.name, first.classes) == ("green.png", [(parting, 1)])
    assert isinstance(second, InvalidError)
    assert (second.detail, second.slug) == ("no image", "invalid-image")
    assert third == {"n": 3}
    assert seen == ["succeeded"]


def test_answers_come_before_the_rest_is_there_and_one_that_breaks_off_is_said() -> None:
    def broken() -> Iterator[bytes]:
        yield b'{"id": 0, "projection": {"n": 1}}\n{"id": 1, "proj'
        raise httpx.ReadError("reset")

    with Batches(broken()).client() as client:
        answers = client.projected(JOB)
        assert next(answers) == {"n": 1}
        with pytest.raises(UnavailableError, match="cannot reach"):
            next(answers)


def test_a_batch_that_was_cancelled_has_no_answers() -> None:
    with Batches(state="cancelled").client() as client, pytest.raises(JobError, match="the job j was cancelled"):
        client.projected(JOB)
