"""The check `versions`: which changes since the baseline stop a release, and what it is planned of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atlas_core import build
from atlas_core.audit.context import Context
from atlas_core.audit.versions import Options, Thresholds, chunks, judge
from atlas_core.errors import SpecError
from tests.atlas_core.versions.damaged import damaged_model
from tests.atlas_core.versions.described import described
from tests.tiny import LAYER

if TYPE_CHECKING:
    from atlas_core.plan import Plan
    from tests.atlas_core.conftest import TinyAtlas


def context(atlas: Plan, **more: Any) -> Context:
    return Context(**{"atlas": atlas, "base": (), "layers": (LAYER,), "side": 5, "seed": 0, "passes": 1000, **more})


def test_a_damaged_class_fails_and_is_named() -> None:
    found = judge(described(), Thresholds())
    assert found.verdict == "fail"
    assert found.reason == "Accuracy fell from 81.0% to 77.0%"
    gating = {one.title: one for one in found.findings if one.gate}
    one = gating["cat is recognised less often: 70.0% before, 20.0% now"]
    assert one.target is not None
    assert one.target.name == "cat"
    assert one.statistics["lost"] == pytest.approx(0.5)
    interval = one.statistics["lost_interval"]
    assert isinstance(interval, tuple)
    assert list(interval) == pytest.approx([0.45, 0.55])
    assert one.policy_key == "versions.class_lost"
    assert [(shown.name, shown.caption) for shown in one.evidence] == [
        ("evidence-1", "cat that only the baseline recognises, now mostly dog")]  # fmt: skip
    assert any("Images with cat are recognised less often" in title for title in gating)
    assert not any("dog" in title or "ship" in title for title in gating)
    assert found.noise["layer3: distance of twins"] == 0.003


def test_thresholds_say_what_is_too_much() -> None:
    loose = Thresholds(accuracy_lost=0.05, class_lost=0.6, region_lost=0.5)
    found = judge(described(), loose)
    assert (found.verdict, found.coverage) == ("pass", 1)
    assert found.reason.startswith("accuracy 81.0% → 77.0% on 200 images; 8 changes")
    strict = judge(described(), loose.model_copy(update={"changed_cells": "fail"}))
    assert strict.verdict == "fail"
    assert strict.reason == "38 images with ship stand where only the baseline has any"
    assert {one.policy_key for one in strict.findings if one.gate} == {"versions.changed_cells"}
    assert all(one.evidence[0].name == "evidence-0" for one in strict.findings if one.cell)
    surer = judge(described(), Thresholds(alpha=0.0005))
    assert {one.title.split()[0] for one in surer.findings} == {"Accuracy", "cat"}


def test_a_finding_is_the_same_however_strong_it_is() -> None:
    first, second = described(), described()
    second["accuracy"]["classes"][0]["new"] = 0.5
    ids = [[one.id for one in judge(found, Thresholds()).findings] for found in (first, second)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


def test_without_labels_nothing_can_be_said() -> None:
    found = judge(described(accuracy=None), Thresholds())
    assert (found.verdict, found.needs) == ("inconclusive", "a labelled dataset")


def test_it_is_made_of_both_atlases_and_of_nothing_without_a_baseline(
    tiny_atlas: TinyAtlas, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = damaged_model(tiny_atlas, tmp_path_factory.mktemp("candidate"), 0)
    spec = tiny_atlas.plan.spec.model_copy(update={"model": model.id})
    candidate = build.plan(spec, model, tiny_atlas.plan.dataset)
    assert chunks(context(candidate), Options()) == []
    before = context(tiny_atlas.plan)
    made = chunks(context(candidate, baseline=before), Options())
    known = {chunk.key for plan in (candidate, tiny_atlas.plan) for chunk in plan.chunks} | {one.key for one in made}
    assert all(set(chunk.inputs) <= known for chunk in made)
    last = made[-1].parameters
    assert (last["old"], last["new"]) == (tiny_atlas.plan.model.id, model.id)
    with pytest.raises(SpecError, match="the baseline is looked at at 1 layers, the model at 2"):
        chunks(context(candidate, layers=(LAYER, LAYER), baseline=before), Options())
