"""A hand-made atlas, and a server that answers as it is told, for how the client takes answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.corners import write_corners
from tests.listening import listening


class Answers:
    """What the server answers, by method and path, the last of several again and again; and what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, list[tuple[int, Any, dict[str, str]]]] = {}
        self.requests: list[tuple[str, str, bytes, dict[str, str]]] = []

    def add(self, request: str, status: int = 200, body: Any = None, *, given: bytes = b"", **headers: str) -> None:
        """Answer a request such as `GET /v1/models`, after those that were added for it before.

        With `given` only one that holds these bytes.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.setdefault(f"{request} {given!r}" if given else request, []).append((status, body, named))

    def take(self, request: str, given: bytes) -> tuple[int, Any, dict[str, str]]:
        """The next answer."""
        waiting = self.answers.get(f"{request} {given!r}") or self.answers.get(request)
        if not waiting:
            return 404, {"type": "x/not-found", "detail": f"no {request} here"}, {}
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def asked(self) -> list[str]:
        """Methods and paths, in order."""
        return [f"{method} {path}" for method, path, _, _ in self.requests]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: Answers

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.partition("?")[0]
        self.answers.requests.append((self.command, self.path, body, {k.lower(): v for k, v in self.headers.items()}))
        status, value, headers = self.answers.take(f"{self.command} {path}", body)
        data = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_DELETE = do_GET = do_HEAD = do_PUT = do_POST = _answer  # noqa: N815 the base class's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Answers]:
    answers = Answers()
    handler = type("Handler", (_Handler,), {"answers": answers})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    answers.url = f"http://127.0.0.1:{http.server_address[1]}"
    with listening(http):
        yield answers


@pytest.fixture(scope="session")
def corners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corners(tmp_path_factory.mktemp("atlas") / "corners")
