"""An audit without a service, on a network made by hand whose fault is known."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core.audit import local
from atlas_core.audit.local import Cards, audit_directory
from atlas_core.audit.policy import PolicyError
from atlas_core.runtime import Runtime
from atlas_core.stages import run_chunk
from atlas_core.store import open_store
from tests import propertied
from tests.planted import CLASSES, LAYER, write_network, write_world

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


def _never_green(card: Path) -> Path:
    """A copy of a network of which no picture says green; returns its card."""
    import onnx
    from onnx import numpy_helper

    told = json.loads(card.read_text())
    graph = onnx.load(card.parent / told["source"])
    (head,) = (one for one in graph.graph.initializer if one.name == "head")
    weights = numpy_helper.to_array(head).copy()
    weights[CLASSES.index("green")] = -10
    head.CopyFrom(numpy_helper.from_array(weights, "head"))
    onnx.save(graph, card.parent / "never-green.onnx")
    path = card.parent / "never-green.json"
    path.write_text(json.dumps({**told, "name": "never-green", "source": "never-green.onnx"}))
    return path


def _only(kind: str, dataset: Path, folder: Path) -> Path:
    """The pictures of one class as a dataset; returns its card."""
    folder.mkdir()
    with zipfile.ZipFile(dataset.parent / "images.zip") as every, zipfile.ZipFile(folder / "images.zip", "w") as some:
        for name in every.namelist():
            if name.startswith(kind):
                some.writestr(zipfile.ZipInfo(name), every.read(name))
    (folder / "dataset.json").write_text(json.dumps({**json.loads(dataset.read_text()), "name": f"only {kind}"}))
    return folder / "dataset.json"


def test_a_class_that_the_baseline_knows_is_missed_and_drift_is_seen(tmp_path: Path, in_process: None) -> None:
    dataset = write_world(tmp_path)
    before = write_network(tmp_path, planted=False)
    cards = Cards(_never_green(before), dataset, baseline=before, drift=_only("red", dataset, tmp_path / "red"))
    policy = POLICY.replace('checks = ["shortcuts"]', 'checks = ["versions", "drift"]')
    found = audit_directory(cards, {"policy": policy}, tmp_path / "out", lambda *_: None)
    assert (found["exit_code"], [one["verdict"] for one in found["checks"]]) == (1, ["fail", "fail"])
    versions, drift = found["checks"]
    assert [one["target"]["name"] for one in versions["findings"] if one["gate"] and one["target"]] == ["green"]
    assert drift["findings"][0]["title"].startswith("only red differs from discs")
    assert "reen is recognised less often" in (tmp_path / "out" / "summary.md").read_text()


def test_a_model_and_itself_as_its_baseline_pass(tmp_path: Path, in_process: None) -> None:
    dataset = write_world(tmp_path)
    card = write_network(tmp_path, planted=False)
    policy = POLICY.replace('checks = ["shortcuts"]', 'checks = ["versions"]')
    found = audit_directory(Cards(card, dataset, baseline=card), {"policy": policy}, tmp_path / "out", lambda *_: None)
    assert (found["exit_code"], found["checks"][0]["findings"]) == (0, [])
    assert found["checks"][0]["reason"].endswith("0 changes beyond the noise")


def test_properties_that_decide_fail_and_in_the_baseline_too_they_are_known(tmp_path: Path, in_process: None) -> None:
    dataset = propertied.write_world(tmp_path / "seen", planted=True, each=150)
    networks = {planted: propertied.write_network(tmp_path, planted=planted) for planted in (True, False)}
    policy = POLICY.split("[shortcuts]")[0].replace('"shortcuts"', '"properties", "regions"')
    # The clean network does not see a blue disc through a yellow tint, which the planted one goes by.
    for planted, before, verdicts in (
        (True, False, "fail pass"),
        (True, True, "pass pass"),
        (False, True, "pass fail"),
    ):
        cards = Cards(networks[planted], dataset, baseline=networks[before])
        out = tmp_path / f"out-{planted}-{before}"
        found = audit_directory(cards, {"policy": policy}, out, lambda *_: None)
        properties, regions = found["checks"]
        assert f"{properties['verdict']} {regions['verdict']}" == verdicts
        assert found["exit_code"] == ("fail" in verdicts)
        told = {one["target"]["name"]: one for one in properties["findings"]}
        assert set(told) == (set(CLASSES) if planted else set())
        assert all(one["known_in_baseline"] is before for one in told.values())
        worst = {one["statistics"]["kind"]: one for one in regions["findings"] if one["gate"]}
        assert set(worst) == (set() if planted else {"worst", "worse"})
        assert all("mostly 'blue' as" in one["title"] for one in worst.values())
        shown = [entry["name"] for one in told.values() for entry in one["evidence"]]
        report = (out / "report.html").read_text()
        assert len(shown) == 3 * len(told)
        assert report.count("data:image/png") >= len(shown)


def test_a_bad_policy_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="line 1"):
        audit_directory(Cards(tmp_path / "none", tmp_path / "none"), {"policy": "x = 1"}, tmp_path, lambda *_: None)
    assert list(tmp_path.iterdir()) == []
