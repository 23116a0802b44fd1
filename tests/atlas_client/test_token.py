from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from atlas_client.cli import run
from atlas_client.client import Client
from atlas_client.errors import BadInputError, NotAllowedError, UnavailableError
from atlas_client.token import RunnerTokens, auth_of

RUNNER = "https://runner.example/token?api-version=2"


def shown(
    respond: Callable[[httpx.Request], httpx.Response] | None = None, token: str | None = None
) -> list[str | None]:
    """What a client shows with two requests."""
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json={}) if respond is None else respond(request)

    with Client("http://atlas.example", transport=httpx.MockTransport(answer), token=token) as client:
        client.json("GET", "/a")
        client.json("GET", "/b")
    return seen


def test_a_key_is_given_or_in_the_environment_or_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert shown() == [None, None]
    file = tmp_path / "key"
    file.write_text("atlas_file\n")
    monkeypatch.setenv("ATLAS_TOKEN_FILE", str(file))
    assert shown() == ["Bearer atlas_file"] * 2
    monkeypatch.setenv("ATLAS_TOKEN", "atlas_environment")
    assert shown() == ["Bearer atlas_environment"] * 2
    assert shown(token="atlas_given") == ["Bearer atlas_given"] * 2


def test_a_key_is_shown_to_no_other_host() -> None:
    def redirected(request: httpx.Request) -> httpx.Response:
        if request.url.host == "atlas.example":
            return httpx.Response(307, headers={"location": "https://elsewhere.example/"})
        return httpx.Response(200, json={})

    assert shown(redirected, token="atlas_given") == ["Bearer atlas_given", None] * 2


@pytest.mark.parametrize("token", ["two words", "atlas_\u00e9", "atlas_\nx", " "])
def test_what_can_be_no_token_is_refused(token: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="holds what a token cannot"):
        auth_of(token)
    monkeypatch.setenv("ATLAS_TOKEN_FILE", str(tmp_path / "none"))
    with pytest.raises(BadInputError, match="cannot be read"):
        shown()


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_is_told_so(status: int) -> None:
    problem = {"type": "/problems/unauthorized", "detail": "this service asks for a key"}
    with pytest.raises(NotAllowedError, match="asks for a key") as refused:
        shown(lambda _: httpx.Response(status, json=problem))
    assert (refused.value.status, refused.value.exit_code) == (status, 4)


def of_seconds(seconds: float, name: str) -> str:
    payload = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + seconds, "name": name}).encode()).decode()
    return f"head.{payload.rstrip('=')}.signature"


def test_a_runner_s_token_is_asked_for_and_again_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = [of_seconds(300, "first"), of_seconds(300, "second")]
    asked: list[httpx.Request] = []

    def get(url: str, **options: object) -> httpx.Response:
        asked.append(httpx.Request("GET", url, params=options["params"], headers=options["headers"]))  # type: ignore[arg-type]
        return httpx.Response(200, json={"value": tokens[len(asked) - 1]}, request=asked[-1])

    monkeypatch.setattr(httpx, "get", get)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", RUNNER)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner's")
    monkeypatch.setenv("ATLAS_AUDIENCE", "https://atlas.example")
    assert shown() == [f"Bearer {tokens[0]}"] * 2
    assert dict(asked[0].url.params) == {"api-version": "2", "audience": "https://atlas.example"}
    assert asked[0].headers["authorization"] == "Bearer runner's"
    known = RunnerTokens("https://atlas.example")
    del asked[:]
    tokens[0] = of_seconds(59, "short")
    assert [known(), known(), known()] == [tokens[0], tokens[1], tokens[1]]


def test_where_no_runner_gives_tokens_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInputError, match="id-token: write"):
        RunnerTokens("https://atlas.example")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner's")
    with pytest.raises(UnavailableError, match="the runner gives no token"):
        RunnerTokens("https://atlas.example")()


def test_the_command_takes_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[str | None] = []

    def send(self: httpx.Client, request: httpx.Request, **_: object) -> httpx.Response:
        request = next(self.auth.auth_flow(request)) if self.auth else request
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json={"items": [], "next_page_token": None}, request=request)

    monkeypatch.setattr(httpx.Client, "send", send)
    monkeypatch.setenv("ATLAS_TOKEN", "atlas_environment")
    monkeypatch.setenv("ATLAS_TOKEN_FILE", "none")
    (tmp_path / "key").write_text("atlas_file")
    assert run(["models", "list"]) == 0
    assert run(["--token", "atlas_given", "models", "list"]) == 0
    monkeypatch.delenv("ATLAS_TOKEN")
    assert run(["--token-file", str(tmp_path / "key"), "models", "list"]) == 0
    assert seen == ["Bearer atlas_environment", "Bearer atlas_given", "Bearer atlas_file"]
