"""The end of an audit: what a check measured is judged, and told with its pictures, on records written by hand."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas_core import tables
from atlas_core.audit import audit_plan, judging, policy
from atlas_core.audit.checks import Check
from atlas_core.audit.findings import Audit, CheckResult, Evidence, Finding, FoundAt, Target
from atlas_core.cards import Card
from atlas_core.keys import digest
from atlas_core.plan import Chunk
from atlas_core.runtime import Runtime
from atlas_core.stages import audit as audit_stage, run_chunk
from atlas_core.store import open_store
from tests.atlas_core.audit.test_audit_plan import MODEL, dataset, planned

if TYPE_CHECKING:
    from atlas_core.audit.context import Context
    from atlas_core.plan import Plan
    from atlas_core.store import Store

PICTURE = b"\x89PNG of the evidence"


class Options(Card):
    shade: float = 1.0


class Thresholds(Card):
    margin: float = 0.5


def _chunks(context: Context, options: Options) -> list[Chunk]:
    parameters = {"step": "measured by hand", "model": context.atlas.model.id, **options.model_dump()}
    return [Chunk.of("publish", parameters, context.base)]


def _judge(measured: Any, thresholds: Thresholds) -> CheckResult:
    """Finds the share that was measured, in the cell where it was."""
    evidence = [Evidence(name="evidence-0", caption="it", role="exemplar")]
    found = Finding(id=measured["id"], check="regions", title="Half are wrong here", gate=measured["share"] > 0.5,
                    layer="block.5", side=2, cell=FoundAt(**measured["cell"]), target=Target(index=1, name="wok"),
                    statistics={"share": measured["share"]}, evidence=evidence,
                    policy_key="regions.margin")  # fmt: skip
    verdict = "fail" if found.gate else "pass"
    return CheckResult(check="regions", verdict=verdict, reason="told", coverage=1, findings=[found],
                       tables={"rows": [{"evidence": [evidence[0].model_dump()]}]})  # fmt: skip


@pytest.fixture(autouse=True)
def one_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that measures nothing itself stands in for all others."""
    module = SimpleNamespace(Options=Options, Thresholds=Thresholds, chunks=_chunks, judge=_judge)
    checks = {"regions": Check(share=1, strength="share"), "drift": Check(share=1, strength="share", needs="drift")}
    none = SimpleNamespace(**{**vars(module), "chunks": lambda context, options: []})
    for user in (policy, audit_plan, audit_stage, judging):
        monkeypatch.setattr(user, "CHECKS", checks)
        if hasattr(user, "module_of"):
            monkeypatch.setattr(user, "module_of", lambda name: module if name == "regions" else none)


def put(store: Store, chunk: Chunk, blobs: dict[str, bytes]) -> None:
    named = {name: store.put_blob(data) for name, data in blobs.items()}
    store.put_record(chunk.stage, chunk.key, {"stage": chunk.stage, "parameters": {}, "inputs": [], "blobs": named,
                                              "info": {}})  # fmt: skip


def answers(right: int, images: int = 300) -> bytes:
    """What a model says of base images: right on the first of them, and two more without a label."""
    label = np.arange(images + 2, dtype=np.int32) % 2
    told = np.where(np.arange(images + 2) < right, label, 1 - label)
    label[images:] = -1
    return tables.pack({"image": np.arange(images + 2, dtype=np.int32), "label": label,
                        "logits": np.eye(2, dtype=np.float32)[told]})  # fmt: skip


def layout(points: list[tuple[float, float]]) -> bytes:
    """Where samples lie, two of each image."""
    count = len(points)
    return tables.pack({"layout": np.array(points, np.float32), "image": np.arange(count, dtype=np.int32) // 2,
                        "point": (np.arange(count) % 2).astype(np.int16)})  # fmt: skip


def audited(
    text: str = "", *, right: int = 280, measured: Any = None, before: Any = None, images: int = 600, **options: Any
) -> tuple[Audit, dict[str, bytes]]:
    """Write what was measured of a model, and perhaps of its baseline, and run the last chunk."""
    baseline = None if before is None else MODEL.model_copy(update={"id": "old"})
    made = planned(text, baseline=baseline, dataset=dataset("all", images), **options)
    store = open_store("memory://")
    cell = {"column": 0, "row": 0}
    for told, of in zip(made.chunks[-1].parameters["measured"], (measured, before), strict=False):
        value = {"id": "here", "share": 0.7, "cell": cell, **(of or {})}
        corner = [(0.1, 0.9)] * 4 + [(0.9, 0.1)] * 6  # the first four samples lie in cell 0-0
        for key in told["base"]:
            put(store, made.by_key[key], {"base": answers(right)})
        for key in told["layouts"].values():
            put(store, made.by_key[key], {"layout": layout(value.pop("points", corner))})
            value.setdefault("points", corner)
        blobs = {"measured": json.dumps(value).encode(), "evidence-0": PICTURE}
        put(store, made.by_key[told["checks"]["regions"]], blobs)
    return document(made, store)


def document(made: Plan, store: Store) -> tuple[Audit, dict[str, bytes]]:
    last = made.chunks[-1]
    run_chunk(made, last, Runtime(store))
    record = store.get_record(last.stage, last.key)
    assert record is not None
    blobs = {name: store.get_blob(blob) for name, blob in record["blobs"].items()}
    value = json.loads(blobs.pop("description"))
    assert value["digest"] == record["info"]["digest"] == digest({k: v for k, v in value.items() if k != "digest"})
    assert record["info"]["summary"]["verdict"] == value["verdict"]
    return Audit.model_validate(value), blobs


def test_a_finding_fails_the_audit_and_is_told_with_its_pictures() -> None:
    made, pictures = audited("[regions]\nmargin = 0.5\n")
    assert (made.verdict, made.exit_code, made.reason) == ("fail", 1, "Half are wrong here")
    assert (made.model.name, made.dataset.name, made.base.name, made.dataset.images) == ("m", "all", "all", 600)
    assert made.accuracy is not None
    assert (made.accuracy.top1, made.accuracy.images) == (0.93333, 300)
    assert made.skipped == {"drift": "the request names no dataset to compare"}
    (check,) = made.checks
    assert check.findings[0].policy_line == 2
    assert check.findings[0].evidence[0].name == "regions-evidence-0"
    assert check.tables["rows"][0]["evidence"][0]["name"] == "regions-evidence-0"
    assert pictures == {"regions-evidence-0": PICTURE}


def test_what_passes_and_what_is_accepted_exits_with_0() -> None:
    made, _ = audited(measured={"share": 0.4})
    assert (made.verdict, made.exit_code) == ("pass", 0)
    text = '[[accepted]]\ncheck = "regions"\nid = "here"\nreason = "known"\nexpires = 2026-04-30\n'
    made, _ = audited(text)
    assert made.verdict == "fail"  # today is a day later
    assert "line 1: this acceptance expired on 2026-04-30" in made.warnings[0]
    made, _ = audited(text.replace("04-30", "05-01"))
    assert (made.verdict, made.warnings) == ("pass", [])


def test_a_model_near_chance_or_too_few_images_are_inconclusive_in_one_line() -> None:
    made, _ = audited(right=160)
    assert (made.verdict, made.exit_code) == ("inconclusive", 3)
    assert [(check.check, check.verdict, check.findings) for check in made.checks] == [("regions", "inconclusive", [])]
    assert made.reason.startswith("the model 'm' is right on 160 of 300 base images, near chance (1 in 2)")
    made, _ = audited('[audit]\ninconclusive = "allow"\n', right=160)
    assert (made.verdict, made.exit_code) == ("inconclusive", 0)
    made, _ = audited(images=150)
    assert (made.verdict, made.exit_code, made.atlas) == ("inconclusive", 3, None)
    assert made.reason.startswith("the dataset 'all' has 150 images; an audit takes 200 or more")


def test_what_lies_where_the_baseline_failed_too_is_not_new() -> None:
    made, _ = audited(before={"id": "there"})
    assert (made.verdict, made.baseline and made.baseline.id) == ("pass", "old")
    assert made.checks[0].findings[0].known_in_baseline is True
    elsewhere = {"id": "there", "points": [(0.9, 0.1)] * 6 + [(0.1, 0.9)] * 4}  # other samples lie in its cell
    made, _ = audited(before=elsewhere)
    assert (made.verdict, made.checks[0].findings[0].known_in_baseline) == ("fail", False)
    made, _ = audited(before={"id": "there", "share": 0.55})
    assert (made.verdict, made.checks[0].findings[0].known_in_baseline) == ("fail", True)  # worse by .15
