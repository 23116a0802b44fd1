from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from atlas_client import project
from atlas_client.cli import run

if TYPE_CHECKING:
    from tests.atlas_client.conftest import Answers

PNG = b"\x89PNG\r\n\x1a\n"
COLLECT = {"done": 3, "running": 1, "total": 10, "fraction": 0.35}
ATLAS = {"id": "a", "name": "map", "state": "running", "progress": {"collect": COLLECT}}


def test_json_and_nothing_else_on_stdout(server: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("GET /v1/atlases/a", body=ATLAS)
    assert run(["status", "a", "--json", "--url", server.url]) == 0
    assert json.loads(capsys.readouterr().out) == ATLAS


def test_status_for_people(server: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("GET /v1/atlases/a", body=ATLAS)
    assert run(["status", "a", "--url", server.url]) == 0
    assert capsys.readouterr().out == f"a  map  running\n  collect         3 of 10\n{server.url}/?atlas=a\n"


def test_what_is_deleted_is_named_by_kind_and_id(server: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("DELETE /v1/audits/a", 204)
    assert run(["delete", "audits", "a", "--url", server.url]) == 0
    assert capsys.readouterr().out == "a is deleted\n"
    assert run(["delete", "cells", "a", "--url", server.url]) == 4
    assert "'models', 'datasets', 'atlases', 'audits', 'comparisons'" in capsys.readouterr().err


def test_the_url_may_stand_in_the_environment(server: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add("GET /v1/models", body={"items": [], "next_page_token": None})
    monkeypatch.setenv("ATLAS_URL", server.url)
    assert run(["models", "list"]) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["statsu"], "No such command 'statsu'"),
        (["status"], "Missing argument"),
        (["status", "a", "--nope"], "No such option"),
        (["models"], "Missing command"),
        (["submit", "--model", "m"], "Missing option"),
        (["submit", "--model", "m", "--dataset", "d", "--layer", "l", "--levels", "10;20"], "--levels takes cells"),
        (["status", "a", "--url", "nowhere"], "is no URL"),
        (["models", "add", "gone/model.json"], "cannot read the card"),
        (["project", "no/such", "a.png"], "no folder no/such"),
    ],
)
def test_usage_and_bad_input_end_in_4(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("atlas: error: ")
    assert says in captured.err
    assert captured.err.count("\n") == 1


def test_a_service_that_is_not_there_ends_in_2(free_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "a", "--url", f"http://127.0.0.1:{free_port}"]) == 2
    assert "cannot reach the service" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "exit_code"), [(404, 4), (409, 4), (422, 4), (500, 2), (503, 2), (429, 2)])
def test_refusals_end_in_4_and_outages_in_2(server: Answers, status: int, exit_code: int) -> None:
    server.add("GET /v1/atlases/a", status, {"detail": "so it is"})
    assert run(["status", "a", "--url", server.url]) == exit_code


def test_submit_says_only_what_was_said(server: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("POST /v1/atlases", 202, {"id": "a", "state": "queued"})
    arguments = [
        "submit",
        "--model",
        "m",
        "--dataset",
        "d",
        "--layer",
        "x",
        "--layer",
        "y",
        "--levels",
        "10,20",
        "--seed",
        "0",
        "--preview",
        "none",
        "--json",
        "--url",
    ]
    assert run([*arguments, server.url]) == 0
    spec = {"model": "m", "dataset": "d", "layers": ["x", "y"], "levels": [10, 20], "seed": 0, "preview": "none"}
    assert json.loads(server.requests[0][2]) == spec
    assert json.loads(capsys.readouterr().out) == {"id": "a", "state": "queued"}


def test_submit_and_wait(server: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("models", "datasets"):
        server.add(f"GET /v1/{kind}/x", body={"id": "x", "name": "x", "state": "ready"})
    server.add("POST /v1/atlases", 202, {"id": "a", "state": "queued"})
    server.add("GET /v1/atlases/a", body=ATLAS)
    server.add("GET /v1/atlases/a", body={"id": "a", "state": "failed", "error": {"type": "internal", "detail": "no"}})
    arguments = ["submit", "--model", "x", "--dataset", "x", "--layer", "l", "--wait", "--json", "--url"]
    assert run([*arguments, server.url]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "collect" in captured.err
    assert "the atlas a failed: no" in captured.err


def test_a_model_that_is_waited_for(server: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "model.json"
    card.write_text('{"name": "net", "source": "sha256:ab"}')
    server.add("POST /v1/models", 202, {"id": "m", "name": "net", "state": "inspecting"})
    server.add(
        "GET /v1/models/m",
        body={"id": "m", "name": "net", "state": "ready", "warnings": ["near chance"],
              "accuracy": {"top1": 0.125, "top5": 0.5, "images": 2000}},
    )  # fmt: skip
    assert run(["models", "add", str(card), "--wait", "--url", server.url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["m  net  ready", "top-1 12.5%, top-5 50.0% of 2,000 images", "- near chance"]


def test_what_is_asked_for_gets_a_name(server: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("POST /v1/atlases", 202, {"id": "a" * 24, "state": "queued", "progress": {}})
    server.add("PUT /v1/aliases/my-map", body={"name": "my-map", "kind": "atlas", "id": "a" * 24, "history": []})
    asked = ["submit", "--model", "m", "--dataset", "d", "--layer", "l", "--alias", "my-map", "--url", server.url]
    assert run(asked) == 0
    assert capsys.readouterr().out.startswith("a" * 24)
    ((_, _, body, _),) = (one for one in server.requests if one[0] == "PUT")
    assert json.loads(body) == {"id": "a" * 24}


def _pictures(tmp_path: Path) -> list[str]:
    for name, data in (("one.png", PNG + b"1"), ("text.png", b"text"), ("two.png", PNG + b"2")):
        (tmp_path / name).write_bytes(data)
    return [str(tmp_path / name) for name in ("one.png", "text.png", "two.png")]


def test_project_over_http(server: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, text, two = _pictures(tmp_path)
    route = "POST /v1/atlases/a/projections"
    answers: list[tuple[int, Any]] = [
        (200, {"layers": {}, "n": 1}), (422, {"type": "x/invalid-image", "detail": "no image"}),
        (200, {"layers": {}, "n": 2}),
    ]  # fmt: skip
    for name, (status, body) in zip((one, text, two), answers, strict=True):
        server.add(route, status, body, given=Path(name).read_bytes())
    assert run(["project", "a", one, text, two, "--json", "--url", server.url]) == 4
    assert json.loads(capsys.readouterr().out) == [
        {"image": one, "layers": {}, "n": 1},
        {"image": text, "error": "no image"},
        {"image": two, "layers": {}, "n": 2},
    ]


def test_project_puts_a_line_for_each_image(
    server: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, text, two = _pictures(tmp_path)
    server.add("POST /v1/atlases/a/projections", 422, {"detail": "no image"}, given=b"text")
    server.add("POST /v1/atlases/a/projections", body={"layers": {}})
    assert run(["project", "a", one, text, two, "--lines", "--url", server.url]) == 4
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"image": one, "layers": {}}, {"image": text, "error": "no image"}, {"image": two, "layers": {}},
    ]  # fmt: skip


def test_project_for_people(server: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [{"cells": {"10": {"column": column, "row": 3}}} for column in (1, 2, 2)]
    classes = [{"name": "heron", "probability": 0.75}, {"name": "tractor", "probability": 0.25}]
    parts = {"energy": {"p": 0.5, "says": "how little"}, "spoiled": {"p": 0.01, "says": "how much it looks turned"}}
    novelty = {"word": "rare", "novelty_p": 0.02, "n": 300, "parts": parts}
    body = {"classes": classes, "layers": {"l": {"positions": places}}, "novelty": novelty}
    server.add("POST /v1/atlases/a/projections", body=body)
    one = _pictures(tmp_path)[0]
    assert run(["project", "a", one, "--url", server.url]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{one}: heron 75.0%, tractor 25.0%",
        "  rare as a whole: p 0.02 among 300 images of the atlas",
        "  strangest is how much it looks turned",
        "  l, 10 cells a side: 3 positions in 2 cells; most in 2-3 (2), 1-3 (1)",
    ]


def test_project_on_a_folder_asks_the_core(
    corners: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def project_directory(folder: Path, images: list[Path]) -> list[dict[str, Any]]:
        asked.append((folder, images))
        return [{"image": str(image), "layers": {}} for image in images]

    core = SimpleNamespace(project_directory=project_directory)
    monkeypatch.setattr(project, "core_commands", lambda command: core)
    assert run(["project", str(corners), "x.png", "--json"]) == 0
    assert asked == [(corners, [Path("x.png")])]
    assert json.loads(capsys.readouterr().out) == [{"image": "x.png", "layers": {}}]


@pytest.mark.parametrize(("slug", "exit_code"), [("unknown-layer", 4), ("dependency-down", 2), ("integrity", 2)])
def test_errors_of_the_core_are_one_line_too(
    corners: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], slug: str, exit_code: int
) -> None:
    class CoreError(Exception):
        detail = "so it is"

    def project_directory(folder: Path, images: list[Path]) -> list[dict[str, Any]]:
        raise CoreError

    monkeypatch.setattr(CoreError, "slug", slug, raising=False)
    monkeypatch.setattr(project, "core_commands", lambda command: SimpleNamespace(project_directory=project_directory))
    assert run(["project", str(corners), "x.png"]) == exit_code
    assert capsys.readouterr().err == "atlas: error: so it is\n"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(28, "No space left on device", "/host/path"), "No space left on device"),
        (OSError(), "failed unexpectedly (OSError); set ATLAS_DEBUG=1 to see where"),
        (ZeroDivisionError("a secret"), "failed unexpectedly (ZeroDivisionError); set ATLAS_DEBUG=1 to see where"),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_what_nobody_foresaw_is_one_line_and_ends_in_2(
    corners: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    says: str,
    debug: bool,
) -> None:
    def project_directory(folder: Path, images: list[Path]) -> list[dict[str, Any]]:
        raise error

    monkeypatch.setenv("ATLAS_DEBUG", "1" if debug else "")
    monkeypatch.setattr(project, "core_commands", lambda command: SimpleNamespace(project_directory=project_directory))
    assert run(["project", str(corners), "x.png"]) == 2
    *trace, line = capsys.readouterr().err.splitlines()
    assert line == f"atlas: error: {says}"
    assert bool(trace) == debug


def test_help_is_quick_and_light() -> None:
    code = (
        "import sys; from atlas_client.cli import run; code = run(['--help']);"
        "heavy = {'torch', 'numpy', 'numba', 'umap', 'atlas_core.stages'} & set(sys.modules);"
        "sys.exit(code or bool(heavy) and str(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("build", "layers", "open", "up", "demo", "models", "submit"):
        assert command in done.stdout


def test_aliases_are_set_and_shown(server: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    moves = [{"id": "b", "moved": "2026-01-02"}, {"id": None, "moved": "2026-01-01"}]
    server.add("PUT /v1/aliases/pan%40prod", body={"name": "pan@prod", "kind": "model", "id": "b", "history": moves})
    assert run(["alias", "set", "pan@prod", "b", "--url", server.url]) == 0
    assert json.loads(server.requests[0][2]) == {"id": "b"}
    assert capsys.readouterr().out == "pan@prod  model  b\n  2026-01-02  b\n  2026-01-01  deleted\n"
    server.add("GET /v1/aliases/pan%40prod", body={"name": "pan@prod", "id": "b"})
    assert run(["alias", "show", "pan@prod", "--json", "--url", server.url]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "b"
    server.add("DELETE /v1/aliases/pan%40prod", 204)
    assert run(["alias", "delete", "pan@prod", "--url", server.url]) == 0
