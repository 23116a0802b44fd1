"""Audits through the service: a planted network fails and its clean twin passes; what cannot be audited says why."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as Xml

import httpx
import onnx
import pytest
from PIL import Image

from atlas_client.cli import run
from atlas_client.errors import ConflictError, InvalidError, NotFoundError
from tests.planted import LAYER, write_network, write_world
from tests.tiny import write_dataset

if TYPE_CHECKING:
    from tests.service.conftest import Live

POLICY = f"""\
[audit]
checks = ["shortcuts"]
layers = ["{LAYER}"]
side = 6
icons = "none"
passes = 4000

[shortcuts]
sizes = [0.25]
margin = 0.15
"""
FILES = {"report.html", "report.json", "junit.xml", "audit.sarif", "summary.md"}


@dataclass(frozen=True)
class World:
    """Cards of the planted network, its clean twin and their world, and a policy."""

    planted: Path
    clean: Path
    dataset: Path
    policy: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("planted")
    (folder / "policy.toml").write_text(POLICY)
    planted, clean = (write_network(folder, planted=planted) for planted in (True, False))
    return World(planted, clean, write_world(folder), folder / "policy.toml")


def command(live: Live, world: World, model: Path, out: Path, *options: str) -> list[str]:
    return ["audit", "--server", live.service.url, "--model", str(model), "--dataset", str(world.dataset),
            "--policy", str(world.policy), "--out", str(out), *options]  # fmt: skip


@pytest.fixture(scope="module")
def failed(live: Live, world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """The planted network's audit, made by the command; its job and the folder of its reports."""
    out = tmp_path_factory.mktemp("reports") / "planted"
    assert run(command(live, world, world.planted, out)) == 1
    (job,) = [one for one in live.client.all_audits() if one["summary"]["verdict"] == "fail"]
    return live.client.made_audit(job), out


def test_the_plant_is_found_first_and_told_in_every_form(
    live: Live, failed: tuple[dict[str, Any], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    job, out = failed
    document = job["description"]
    (check,) = document["checks"]
    assert (check["check"], check["verdict"]) == ("shortcuts", "fail")
    assert check["findings"][0]["target"]["name"] == "red"
    assert check["findings"][0]["policy_line"] == POLICY[: POLICY.index("margin")].count("\n") + 1
    assert job["summary"]["exit_code"] == 1
    assert {path.name for path in out.iterdir() if path.is_file()} == {*FILES, "repaired-red.onnx"}
    assert json.loads((out / "report.json").read_text()) == document
    assert Xml.parse(out / "junit.xml").getroot().get("failures") != "0"
    results = json.loads((out / "audit.sarif").read_text())["runs"][0]["results"]
    assert results[0]["level"] == "error"
    assert "<html" in (out / "report.html").read_text()
    pictures = list((out / "pictures").iterdir())
    assert pictures
    for file in pictures:
        with Image.open(file) as picture:
            assert picture.format == "PNG"


def test_without_a_service_the_document_is_the_same(
    world: World, failed: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    arguments = ["audit", "--local", "--model", str(world.planted), "--dataset", str(world.dataset), "--policy",
                 str(world.policy), "--processes", "1", "--out", str(tmp_path)]  # fmt: skip
    assert run(arguments) == 1
    _, out = failed
    for name in ("report.json", "junit.xml", "repaired-red.onnx"):  # the others link to the service
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name


def test_a_report_is_had_by_suffix_or_accept_and_its_pictures_by_name(
    live: Live, failed: tuple[dict[str, Any], Path]
) -> None:
    job, out = failed
    address = f"{live.service.url}/v1/audits/{job['id']}"
    assert httpx.get(f"{address}.md").content == (out / "summary.md").read_bytes()
    for kind, begins in (("application/sarif+json", b"{"), ("text/html, */*", b"<!"), ("application/xml", b"<?xml")):
        answer = httpx.get(address, headers={"accept": kind})
        assert answer.headers["content-type"].startswith(kind.partition(",")[0])
        assert answer.content.startswith(begins)
    assert httpx.get(address, headers={"accept": "application/json"}).json()["kind"] == "audit"
    name = job["description"]["checks"][0]["findings"][0]["evidence"][0]["name"]
    with Image.open(io.BytesIO(live.client.picture(f"/v1/audits/{job['id']}/evidence/{name}"))) as picture:
        assert picture.format == "PNG"
    browser = httpx.get(address, headers={"accept": "application/json;q=0.1, text/html;q=0.9, */*;q=0.5"})
    assert browser.headers["content-type"].startswith("text/html")
    assert httpx.get(address, headers={"accept": "image/png"}).status_code == 406
    for wrong in (f"{address}.pdf", f"{address}/evidence/none", f"{live.service.url}/v1/audits/none"):
        assert httpx.get(wrong).status_code == 404


def test_who_has_a_report_already_is_told_so(live: Live, failed: tuple[dict[str, Any], Path]) -> None:
    address = f"{live.service.url}/v1/audits/{failed[0]['id']}"
    tags = set()
    for suffix in ("", ".html", ".json", ".xml", ".sarif", ".md"):
        first = httpx.get(address + suffix)
        tag = first.headers["etag"]
        again = httpx.get(address + suffix, headers={"if-none-match": f'"other", {tag}'})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
        assert (again.headers["etag"], again.headers["vary"]) == (tag, "Accept, Accept-Encoding")
        assert first.headers["vary"] == (again.headers["vary"] if len(first.content) >= 1000 else "Accept")
        assert httpx.get(address + suffix, headers={"if-none-match": '"other"'}).status_code == 200
        tags.add(tag)
    assert len(tags) == 6


def test_the_repaired_model_comes_with_the_reports_and_by_its_name(
    live: Live, failed: tuple[dict[str, Any], Path]
) -> None:
    job, out = failed
    remedy = job["description"]["checks"][0]["findings"][0]["remedy"]
    assert (remedy["works"], remedy["model"]) == (True, "repaired-red.onnx")
    address = f"{live.service.url}/v1/audits/{job['id']}"
    answer = httpx.get(f"{address}/models/repaired-red.onnx")
    assert answer.headers["content-disposition"] == 'attachment; filename="repaired-red.onnx"'
    assert answer.content == (out / "repaired-red.onnx").read_bytes()
    onnx.load_model_from_string(answer.content)
    assert httpx.get(f"{address}/evidence/repaired-red.onnx").status_code == 404
    assert httpx.get(f"{address}/models/description").status_code == 404


def test_the_atlas_is_one_to_look_at_and_neither_goes_with_the_other(
    live: Live, failed: tuple[dict[str, Any], Path]
) -> None:
    job, _ = failed
    assert job["links"]["self"] == f"/v1/audits/{job['id']}"
    assert job["links"]["atlas"] == f"/v1/atlases/{job['atlas']}"
    atlas = live.client.wait(job["atlas"])
    assert (atlas["state"], atlas["spec"]["levels"]) == ("succeeded", [6])
    live.client.request("DELETE", f"/v1/atlases/{job['atlas']}")
    assert live.client.json("GET", job["links"]["self"])["description"] == job["description"]


def test_the_clean_twin_passes(live: Live, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command(live, world, world.clean, tmp_path / "clean")) == 0
    said = capsys.readouterr().out
    assert said.startswith("PASS: ")
    assert "shortcuts: pass, 100% looked at" in said


def test_too_few_images_are_inconclusive(
    live: Live, world: World, cards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["audit", "--server", live.service.url, "--model", str(cards / "model.json"), "--dataset",
           str(cards / "dataset.json"), "--out", str(tmp_path)]  # fmt: skip
    assert run(few) == 3
    said = capsys.readouterr().out
    assert said.startswith("INCONCLUSIVE: the dataset 'patterns' has 60 images; an audit takes 200 or more")
    errors = {suite.get("name"): suite.get("errors") for suite in Xml.parse(tmp_path / "junit.xml").getroot()}
    assert errors["Shortcuts"] == "1"


def test_what_cannot_be_audited_is_refused_in_one_line(
    live: Live, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.policy.with_name("wrong.toml").write_text("[shortcuts]\nmargn = 0.3\n")
    wrong = command(live, world, world.planted, tmp_path, "--policy", str(world.policy.with_name("wrong.toml")))
    assert run(wrong) == 4
    said = capsys.readouterr().err.splitlines()
    assert said[-1].endswith("wrong.toml: line 2: unknown key `shortcuts.margn`; did you mean `margin`?")
    spec = live.spec
    with pytest.raises(InvalidError, match="no model 'none'"):
        live.client.audit("none", spec["dataset"])
    with pytest.raises(InvalidError, match="no dataset 'none'"):
        live.client.audit(spec["model"], spec["dataset"], drift="none")
    card = json.loads(world.dataset.read_text()) | {"name": "unlabelled"}
    del card["classes"]
    flat = world.dataset.with_name("flat.json")
    flat.write_text(json.dumps(card | {"prefix": "red/"}))
    dataset = live.client.add_dataset(flat)["id"]
    assert live.client.wait_ready("datasets", dataset)["class_counts"] is None
    with pytest.raises(InvalidError, match="'unlabelled' has no labels"):
        live.client.audit(spec["model"], dataset)


def test_the_same_request_is_the_same_job_until_it_is_dropped(live: Live, tmp_path: Path) -> None:
    model, dataset = live.spec["model"], live.client.add_dataset(write_dataset(tmp_path, each=7))["id"]
    live.client.wait_ready("datasets", dataset)
    job = live.client.audit(model, dataset, seed=4)
    assert live.client.audit(model, dataset, seed=4)["id"] == job["id"] != live.client.audit(model, dataset)["id"]
    live.client.made_audit(job)
    with pytest.raises(ConflictError, match="is used by"):
        live.client.request("DELETE", f"/v1/datasets/{dataset}")
    live.client.request("DELETE", job["links"]["self"])
    with pytest.raises(NotFoundError):
        live.client.json("GET", job["links"]["self"])


def test_what_an_audit_has_not_made_says_how_it_stands(live: Live, world: World) -> None:
    model, dataset = live.client.add_model(world.clean)["id"], live.client.add_dataset(world.dataset)["id"]
    live.client.wait_ready("models", model)
    live.client.wait_ready("datasets", dataset)
    job = live.client.audit(model, dataset, seed=5)  # of many pictures, so that it runs for longer than this
    live.client.request("POST", f"/v1/jobs/{job['id']}/cancel")
    for part in (".html", "/evidence/none", "/models/none"):
        with pytest.raises(NotFoundError, match="not made yet and the job is cancelled; submit the audit again"):
            live.client.request("GET", f"{job['links']['self']}{part}")
