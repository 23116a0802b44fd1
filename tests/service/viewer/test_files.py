"""How the viewer's built files are served."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.routers import viewer


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("the page")
    (tmp_path / "assets" / "main-ABC.js").write_text("plain")
    (tmp_path / "assets" / "main-ABC.js.gz").write_bytes(gzip.compress(b"packed"))
    (tmp_path / "secret.txt").write_text("outside")
    monkeypatch.setattr(viewer, "FOLDER", tmp_path)
    app = FastAPI()
    app.include_router(viewer.router)
    return TestClient(app, raise_server_exceptions=False)


def test_the_page_is_asked_for_anew_and_the_same_is_not_sent_twice(client: TestClient) -> None:
    first = client.get("/")
    assert (first.status_code, first.text) == (200, "the page")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")


def test_what_is_named_by_its_content_is_kept_for_a_year(client: TestClient) -> None:
    answer = client.get("/assets/main-ABC.js")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(("accept", "sent"), [("br, gzip", "packed"), ("gzip;q=0", "plain"), ("identity", "plain")])
def test_it_is_sent_as_the_browser_takes_it(client: TestClient, accept: str, sent: str) -> None:
    answer = client.get("/assets/main-ABC.js", headers={"accept-encoding": accept})
    assert answer.text == sent
    assert answer.headers.get("content-encoding") == ("gzip" if sent == "packed" else None)
    assert answer.headers["vary"] == "Accept-Encoding"


def test_a_page_that_was_not_built_says_so(client: TestClient) -> None:
    (viewer.FOLDER / "index.html").unlink()
    answer = client.get("/")
    assert answer.status_code == 503
    assert "make setup" in answer.text


@pytest.mark.parametrize("name", ["..%2fsecret.txt", "none-ABC.js", "main-ABC.js.gz"])
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/assets/{name}").status_code >= 400


def test_only_the_own_origin_is_allowed(client: TestClient) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert not re.search(r"https?:|\*|unsafe", policy)
