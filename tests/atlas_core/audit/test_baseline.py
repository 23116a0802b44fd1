"""Audits against a baseline: what the last release has too does not stop the next, what is new does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from atlas_core import registry
from atlas_core.audit.audit_plan import plan_audit, resolve
from atlas_core.audit.findings import Audit
from atlas_core.audit.local import read_audit
from atlas_core.audit.parties import AuditRequest, find_parties
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.stages import run_chunk
from atlas_core.store import open_store
from tests.atlas_core.audit.test_audit_plan import TODAY
from tests.planted import LAYER, write_network, write_world

if TYPE_CHECKING:
    from pathlib import Path

POLICY = f"""\
[audit]
checks = ["shortcuts", "versions"]
layers = ["{LAYER}"]
side = 6

[shortcuts]
sizes = [0.25]
margin = 0.15
confirm = 150
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """One store for all audits, so that what was measured of a network is measured once."""
    return Runtime(open_store(str(tmp_path_factory.mktemp("store"))))


@pytest.fixture(scope="module")
def ids(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The dataset, and three networks: the planted one, the same as another file, and the clean one."""
    folder = tmp_path_factory.mktemp("world")
    dataset, planted, clean = write_world(folder), *(write_network(folder, planted=each) for each in (True, False))
    again = folder / "again.json"
    card = json.loads(planted.read_text())
    again.write_text(json.dumps(card | {"name": "again", "input": card["input"] | {"mean": [1e-6] * 3}}))
    cards: dict[str, Path] = {"planted": planted, "again": again, "clean": clean}
    found = {name: register_cards(runtime.store, model, dataset)[0] for name, model in cards.items()}
    return {**found, "dataset": register_cards(runtime.store, planted, dataset)[1]}


def audited(runtime: Runtime, ids: dict[str, str], baseline: str) -> Audit:
    request = AuditRequest(model=ids["planted"], dataset=ids["dataset"], baseline=ids[baseline], policy=POLICY)
    parties = find_parties(runtime.store, request)
    made = plan_audit(resolve(request, parties, TODAY), parties)
    registry.add_job(runtime.store, made)
    for chunk in made.chunks:
        run_chunk(made, chunk, runtime)
    return Audit.model_validate(read_audit(runtime.store, made)[0])


def test_what_the_baseline_has_too_is_known_and_what_it_has_not_is_new(runtime: Runtime, ids: dict[str, str]) -> None:
    known = audited(runtime, ids, "again")
    assert (known.verdict, known.baseline and known.baseline.name) == ("pass", "again"), known.reason
    shortcuts, versions = known.checks
    reds = [one for one in shortcuts.findings if one.target and one.target.name == "red"]
    assert reds
    assert {one.known_in_baseline for one in reds} == {True}
    assert not any(one.gate for one in reds)
    assert (versions.check, versions.verdict) == ("versions", "pass")

    new = audited(runtime, ids, "clean")
    assert new.verdict == "fail"
    counting = [one for check in new.checks for one in check.findings if one.gate]
    assert (counting[0].target and counting[0].target.name, counting[0].known_in_baseline) == ("red", False)
