"""The check `drift`: drift fails, none passes where it would have been seen, and else nothing is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from atlas_core import registry
from atlas_core.audit.context import Context
from atlas_core.audit.drift import Options, Thresholds, chunks, judge, others
from atlas_core.plan import Plan
from atlas_core.stages import run_chunk
from tests.atlas_core.stages.test_drift import dataset_of, noisy
from tests.tiny import CLASSES, LAYER

if TYPE_CHECKING:
    import pytest

    from atlas_core.audit.findings import CheckResult
    from atlas_core.facts import DatasetFacts
    from tests.atlas_core.conftest import TinyAtlas


def context(atlas: Plan, drift: DatasetFacts | None) -> Context:
    return Context(atlas=atlas, base=(), layers=(LAYER,), side=5, seed=0, passes=1000, drift=drift)


def judged(atlas: TinyAtlas, dataset: str, **thresholds: Any) -> CheckResult:
    """Plan as an audit does, run, and judge what was measured."""
    own = context(atlas.plan, registry.dataset_facts(atlas.store, dataset))
    made, about = chunks(own, Options(alpha=0.05)), others(own, Options(alpha=0.05))
    value = atlas.plan.model_dump() | {
        "id": "audit", "kind": "audit", "atlas": atlas.plan.id, "chunks": (*atlas.plan.chunks, *made),
        "ground": len(atlas.plan.chunks), "others": about,
    }  # fmt: skip
    plan = Plan.model_validate(value)
    for chunk in made:
        run_chunk(plan, chunk, atlas.runtime)
    record = atlas.store.get_record("publish", made[-1].key)
    assert record is not None
    return judge(json.loads(atlas.store.get_blob(record["blobs"]["measured"])), Thresholds(**thresholds))


def test_another_kind_of_pictures_fails(tiny_atlas: TinyAtlas, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("lastweek")
    dataset = dataset_of(tiny_atlas, folder, {"stripes": range(100, 160)}, make=noisy)
    found = judged(tiny_atlas, dataset)
    assert found.verdict == "fail"
    (one,) = found.findings
    assert one.title.startswith("lastweek differs from shapes")
    assert (one.gate, one.layer, one.policy_key) == (True, LAYER, "drift.alpha")
    assert found.tables["cells"]


def test_alike_pictures_pass_where_drift_would_have_been_seen(
    tiny_atlas: TinyAtlas, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dataset = dataset_of(tiny_atlas, tmp_path_factory.mktemp("alike"), dict.fromkeys(CLASSES, range(200, 230)))
    found = judged(tiny_atlas, dataset, detect=1.0)
    assert (found.verdict, found.findings) == ("pass", [])
    assert found.reason.startswith("no drift between alike and shapes")
    few = judged(tiny_atlas, dataset, detect=0.0001)
    assert few.verdict == "inconclusive"
    assert few.needs is not None
    assert few.needs.startswith("more images of alike")


def test_without_a_dataset_there_is_nothing_to_do(tiny_atlas: TinyAtlas) -> None:
    assert chunks(context(tiny_atlas.plan, None), Options()) == []
    assert others(context(tiny_atlas.plan, None), Options()) == ()
