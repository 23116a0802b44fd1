"""An audit without a service, on a network made by hand whose fault is known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core.audit import local
from atlas_core.audit.local import Cards, audit_directory
from atlas_core.audit.policy import PolicyError
from atlas_core.runtime import Runtime
from atlas_core.stages import run_chunk
from atlas_core.store import open_store
from tests.planted import LAYER, write_network, write_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atlas_core.plan import Plan
    from atlas_core.store import Store

POLICY = f"""\
[audit]
checks = ["shortcuts"]
layers = ["{LAYER}"]
side = 6

[shortcuts]
sizes = [0.25]
margin = 0.15
"""
FILES = {"report.html", "report.json", "junit.xml", "audit.sarif", "summary.md"}


class Here:
    """Runs what a pool of processes would, in this one."""

    def submit(self, function: Any, *arguments: Any) -> Here:
        self._made = function(*arguments)
        return self

    def result(self) -> Any:
        return self._made


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan is run in this process, which is much quicker than starting others."""
    from contextlib import contextmanager

    @contextmanager
    def processes(folder: Path, count: int | None) -> Iterator[Here]:
        yield Here()

    def run_plan(plan: Plan, store: Store, pool: Here, on_progress: Any) -> None:
        for chunk in plan.chunks:
            run_chunk(plan, chunk, Runtime(store))

    monkeypatch.setattr(local, "processes", processes)
    monkeypatch.setattr(local, "run_plan", run_plan)


def test_the_planted_network_fails_and_its_clean_twin_passes(tmp_path: Path, in_process: None) -> None:
    dataset = write_world(tmp_path)
    for planted, exit_code in ((True, 1), (False, 0)):
        out = tmp_path / f"out-{planted}"
        cards = Cards(write_network(tmp_path, planted=planted), dataset)
        found = audit_directory(cards, {"policy": POLICY}, out, lambda *_: None)
        assert found["exit_code"] == exit_code, found["reason"]
        repaired = {"repaired-red.onnx"} if planted else set()
        assert {path.name for path in out.iterdir() if path.is_file()} == FILES | repaired
        assert json.loads((out / "report.json").read_text()) == found
        counting = [one["target"]["name"] for one in found["checks"][0]["findings"] if one["gate"]]
        assert counting[:1] == (["red"] if planted else [])
        remedies = {one["remedy"]["model"] for one in found["checks"][0]["findings"] if one["remedy"]}
        assert remedies == repaired
    store = open_store(str(tmp_path / "out-True" / ".store"))
    assert store.get_documents("jobs")[0]["state"] == "succeeded"


def test_a_bad_policy_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="line 1"):
        audit_directory(Cards(tmp_path / "none", tmp_path / "none"), {"policy": "x = 1"}, tmp_path, lambda *_: None)
    assert list(tmp_path.iterdir()) == []
