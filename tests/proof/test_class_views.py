"""Class views of ResNet-20 on CIFAR-10: do they show the classes that they are asked for?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from atlas_core import registry
from atlas_core.build import plan
from atlas_core.class_index import ClassIndex
from atlas_core.manifest import manifest_of
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.search import SampleTable
from atlas_core.spec import parse_spec
from atlas_core.store import open_store
from tests.atlas_core.conftest import run_all
from tests.atlas_core.stages.test_selections import selection_of, tables_of

if TYPE_CHECKING:
    from atlas_core.plan import Plan
    from tests.proof.conftest import Report

pytestmark = pytest.mark.proof
LAYER = "/layer3/layer3.2/Relu_1_output_0"
SIDE = 20
CAT, DOG = 3, 5


class Views(NamedTuple):
    """An atlas of ten classes, and what is known of its samples, each by its number."""

    runtime: Runtime
    plan: Plan
    table: SampleTable
    known: ClassIndex
    attributions: np.ndarray

    def of(self, request: dict[str, Any]) -> tuple[Plan, float]:
        """A selection, made, and the seconds that it took."""
        made = selection_of(self.runtime, self.plan, recipe="none", **request)
        began = time.monotonic()
        run_all(made, self.runtime)
        return made, time.monotonic() - began

    def table_of(self, made: Plan) -> SampleTable:
        return SampleTable.from_tables(tables_of(self.runtime, made, "publish", "samples", step="samples")[0])


@pytest.fixture(scope="module")
def views(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Views:
    store = open_store(str(tmp_path_factory.mktemp("views")))
    model, dataset = register_cards(store, shared / "cifar10" / "model.json", shared / "cifar10" / "dataset-train.json")
    spec = parse_spec({"model": model, "dataset": dataset, "layers": [LAYER], "samples": 20_000, "levels": [SIDE],
                       "images_per_class": 200, "recipe": "none", "seed": 1})  # fmt: skip
    made = plan(spec, registry.model_facts(store, model), registry.dataset_facts(store, dataset))
    registry.add_job(store, made)
    runtime = Runtime(store)
    run_all(made, runtime)
    (table,) = tables_of(runtime, made, "publish", "samples", step="samples")
    (index,) = tables_of(runtime, made, "cells", "index", step="classes")
    parts = tables_of(runtime, made, "attribute", "attributions")
    attributions = np.concatenate([part["attributions"] for part in parts])
    return Views(runtime, made, SampleTable.from_tables(table), ClassIndex.from_tables(index), attributions)


def test_rank_and_magnitude_are_what_brute_force_finds(views: Views) -> None:
    strongest = views.attributions.argmax(axis=1)
    for label in range(10):
        own = views.attributions[:, label]
        ranked = np.argsort(-own, kind="stable")[:2000]
        np.testing.assert_array_equal(views.known.by_magnitude(label), np.sort(ranked[own[ranked] > 0]))
        np.testing.assert_array_equal(views.known.by_rank(label), np.flatnonzero(strongest == label))


def test_a_class_s_heat_map_is_warmest_where_its_images_are(views: Views, report: Report) -> None:
    (heat,) = tables_of(views.runtime, views.plan, "cells", f"attribution-{SIDE}", step="classes")
    (level,) = tables_of(views.runtime, views.plan, "cells", f"level-{SIDE}", step=None)
    enough, shares = level["count"] >= 10, []
    for label in range(10):
        cell = int(np.argmax(np.where(enough, heat["attribution"][label], -np.inf)))
        rows = views.table.in_cell(SIDE, int(level["column"][cell]), int(level["row"][cell]))
        shares.append(float((views.table.label[rows] == label).mean()))
    report("share of a class in its warmest cell, of .1", median=round(float(np.median(shares)), 2),
           least=round(min(shares), 2))  # fmt: skip
    assert np.median(shares) > 0.5
    assert min(shares) > 0.2


def test_a_class_atlas_holds_mostly_the_class(views: Views, report: Report) -> None:
    for by in ("rank", "magnitude"):
        made, seconds = views.of({"kind": "class", "label": CAT, "by": by})
        table = views.table_of(made)
        share = float((table.label == CAT).mean())
        told = manifest_of(made, views.runtime.store)["layers"][LAYER]
        report(f"cats by {by}", samples=len(table), share=round(share, 2), seconds=round(seconds, 1),
               side=told["levels"][0]["side"], trustworthiness=told["layout"]["trustworthiness"])  # fmt: skip
        assert share > 0.2
        assert told["levels"][0]["side"] == 8


def test_a_comparison_parts_its_classes(views: Views, report: Report) -> None:
    made, seconds = views.of({"kind": "classes", "classes": (CAT, DOG)})
    table = views.table_of(made)
    cats, dogs = (np.sort(table.layout[table.label == label, 0]) for label in (CAT, DOG))
    above = float(np.searchsorted(cats, dogs).mean() / len(cats))  # of a dog's sample, the cats' on its left
    told = manifest_of(made, views.runtime.store)["layers"][LAYER]["layout"]
    report("cats against dogs", samples=len(table), right_of=round(above, 3), seconds=round(seconds, 1),
           scale=told["scale"], trustworthiness=told["trustworthiness"])  # fmt: skip
    assert above > 0.7
    assert told["trustworthiness"] > 0.65


def test_errors_are_a_map_too(views: Views, report: Report) -> None:
    made, seconds = views.of({"kind": "errors"})
    table = views.table_of(made)
    assert (table.label != table.predicted).all()
    report("errors", samples=len(table), images=len(np.unique(table.image)), seconds=round(seconds, 1))
