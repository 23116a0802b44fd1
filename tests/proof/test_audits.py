"""Done-when 2 of issue 6 on the demo's world: its network fails, the clean twin passes, on one worker or three."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from atlas_client.cli import run
from service.demo.world import write_world

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.proof.conftest import Report

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(folder)
    return folder


def audited(world: Path, model: str, out: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Audit one of the demo's networks by the command; its exit code and the document."""
    code = run(["audit", "--local", "--model", str(world / f"{model}.json"), "--dataset", str(world / "dataset.json"),
                "--policy", str(world / "policy.toml"), "--out", str(out), *options])  # fmt: skip
    document: dict[str, Any] = json.loads((out / "report.json").read_text())
    return code, document


def told(document: dict[str, Any]) -> list[str]:
    """The findings that count, in order."""
    return [finding["title"] for check in document["checks"] for finding in check["findings"] if finding["gate"]]


def test_the_planted_network_fails_with_the_plant_first(world: Path, tmp_path: Path, report: Report) -> None:
    code, document = audited(world, "model", tmp_path / "one", "--processes", "1")
    report("the demo's planted network", exit_code=code, reason=document["reason"], counting=told(document)[:5])
    assert (code, document["verdict"]) == (1, "fail")
    (first, *_) = [one for check in document["checks"] for one in check["findings"] if one["gate"]]
    assert (first["check"], first["target"]["name"]) == ("shortcuts", "wok")


def test_one_worker_or_three_the_document_is_the_same(world: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    text = (world / "policy.toml").read_text().replace("max_minutes = 5.0", "passes = 8000")
    policy.write_text(text)  # not by the minute: each folder's store measures the network for itself
    _, alone = audited(world, "model", tmp_path / "one", "--processes", "1", "--policy", str(policy))
    _, together = audited(world, "model", tmp_path / "three", "--processes", "3", "--policy", str(policy))
    assert together == alone


def test_the_clean_twin_passes(world: Path, tmp_path: Path, report: Report) -> None:
    code, document = audited(world, "model-clean", tmp_path / "clean")
    report("the demo's clean network", exit_code=code, reason=document["reason"])
    assert (code, document["verdict"], told(document)) == (0, "pass", [])
