from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core.costs.quantities import ModelCost, Quantities, filled
from atlas_core.estimate import Estimate
from atlas_core.featurevis.recipes import RECIPES, canvas_size
from atlas_core.rates import ANY, LITTLE_SECONDS, Rate, expected, is_measured, kinds, known_rates, learn, measured
from atlas_core.store import open_store
from tests.atlas_core.test_build import MODEL, _plan

if TYPE_CHECKING:
    from atlas_core.plan import Chunk

MEASURED = ModelCost(forward_seconds=0.5, shares={"early": 0.25, "late": 0.75})
PLAN = _plan()
ESTIMATE = Estimate(PLAN, MEASURED)
QUANTITIES = Quantities(PLAN, MEASURED)


def _took(factor: float, size: float = 1.0, estimate: Estimate = ESTIMATE) -> Any:
    def record(chunk: Chunk) -> dict[str, Any]:
        cost = estimate.cost(chunk)
        seconds = factor * cost.seconds
        return {"cost": {"seconds": seconds, "cpu_seconds": seconds / 2, "bytes": size * cost.bytes}}

    return record


def test_a_rate_is_what_chunks_took_over_what_was_expected() -> None:
    collect = PLAN.find("collect")
    rates = measured(PLAN, collect, MEASURED, _took(4, 1.5))
    whole = sum(ESTIMATE.cost(chunk).seconds for chunk in collect)
    for kind in kinds(PLAN, collect[0]):
        assert rates[kind].seconds == pytest.approx((4 * whole + LITTLE_SECONDS) / (whole + LITTLE_SECONDS))
        assert rates[kind].cpu_seconds == pytest.approx((2 * whole + LITTLE_SECONDS) / (whole + LITTLE_SECONDS))
        assert rates[kind].bytes == pytest.approx(1.5)
    assert 3.9 < rates[ANY].seconds < 4


def test_little_work_says_little() -> None:
    (manifest,) = [PLAN.chunks[-1]]
    rate = measured(PLAN, [manifest], MEASURED, _took(100))[ANY]
    base = ESTIMATE.cost(manifest).seconds
    assert rate.seconds == pytest.approx((100 * base + 1) / (base + 1))


def test_the_most_particular_rate_counts() -> None:
    (early, late) = (PLAN.find("cells", layer=layer)[0] for layer in ("early", "late"))
    particular, by_model, by_name, by_any = kinds(PLAN, early)
    rates = {particular: Rate(2, 3, 4), by_model: Rate(5, 5, 5), by_name: Rate(6, 6, 6), by_any: Rate(7, 7, 7)}
    cost = ESTIMATE.cost(early)
    found = expected(PLAN, early, cost, rates)
    assert (found.seconds, found.cpu_seconds, found.bytes) == (2 * cost.seconds, 3 * cost.seconds, 4 * cost.bytes)
    assert expected(PLAN, late, cost, rates).seconds == 5 * cost.seconds
    assert expected(PLAN, PLAN.chunks[-1], cost, rates).seconds == 7 * cost.seconds
    assert (is_measured(PLAN, late, rates), is_measured(PLAN, PLAN.chunks[-1], rates)) == (True, False)


def test_a_model_that_was_never_seen_takes_the_rate_of_others() -> None:
    rates = measured(PLAN, PLAN.find("collect"), MEASURED, _took(4))
    other = _plan(MODEL.model_copy(update={"id": "another"}))
    chunk = other.find("collect")[0]
    assert expected(other, chunk, ESTIMATE.cost(chunk), rates).seconds > 3.9 * ESTIMATE.cost(chunk).seconds


def test_a_deployment_learns_from_job_to_job(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    store.append_document("models", MODEL.id, {"cost": {"forward_seconds": 0.5, "shares": {}, "closed": []}})
    assert known_rates(store) == {}
    first, second = PLAN, _plan(seed=2)
    kind = kinds(first, first.find("cells", layer="late")[0])[0]
    for plan, factor in ((first, 2.0), (second, 8.0)):
        for chunk in plan.chunks:
            store.put_record(chunk.stage, chunk.key, _took(1, factor, Estimate(plan, MEASURED))(chunk))
        learn(plan, store)
    assert known_rates(store)[kind].bytes == pytest.approx(4.0)


def test_costs_follow_the_work() -> None:
    """Literal figures of chunks of 4,000 samples of 200 images: 20 of each layer, 5 classes, 224 x 224 pixels."""
    chunk = PLAN.find("collect")[0]
    images = chunk.parameters["stop"] - chunk.parameters["start"]
    cost = ESTIMATE.cost(chunk)
    samples = 20 * images
    assert cost.seconds == pytest.approx(0.1 + images * (0.75 + 4e-8 * 224**2) + 2 * samples * 5e-5)
    thumbnail, pooled = QUANTITIES.thumbnail, 2 * (2 * (8 + 16) + 8 + 16)
    assert cost.bytes == pytest.approx(
        images * (8 + 4 * 5 + 2 * (8 + 16) + pooled) + samples * (2 * 8 + 2 * 16 + 2 * thumbnail + 16)
    )
    copies = [ESTIMATE.cost(chunk) for chunk in PLAN.find("publish", step="copies")]
    assert sum(one.bytes for one in copies) == pytest.approx(5 * 200 * pooled)  # five of each image
    assert sum(one.seconds for one in copies) == pytest.approx(
        0.1 * len(copies) + 200 * 4e-8 * 224**2 + 5 * 200 * (0.75 + 5e-8 * 224**2)
    )
    attribute = PLAN.find("attribute", layer="early")[0]
    assert ESTIMATE.cost(attribute).bytes == pytest.approx(2 * samples * 5)


def test_a_preview_takes_its_own_recipes_steps_and_is_not_measured() -> None:
    (preview,), (own,) = (PLAN.tiles("early", 10, stage) for stage in ("preview", "render"))
    icons, step = filled(10) * 100, 1.6 * 1.5 * 0.5 * 0.25 + 3.5e-4  # on the whole input: the field is not known
    assert ESTIMATE.cost(preview).seconds == pytest.approx(icons * RECIPES["fast"].steps * step)
    assert ESTIMATE.cost(own).seconds == pytest.approx(icons * (RECIPES["vivid"].steps + 4) * step)
    assert ESTIMATE.cost(preview).bytes == pytest.approx(icons * 0.4 * 224**2)
    assert kinds(PLAN, preview)[2] == "preview"


def test_cells_cost_their_channels_and_their_classes_the_models_classes() -> None:
    cells, classes = (ESTIMATE.cost(find("late")) for find in (PLAN.cells_of, PLAN.classes_of))
    filled_cells = filled(10) * 100 + filled(20) * 400
    samples = QUANTITIES.samples(200, "late")
    found = samples * filled_cells * (1.8e-9 + 16 * 1.8e-11)  # each cell looks for its icon's start among all
    assert cells.seconds == pytest.approx(0.15 + 4.4e-8 * 2 * samples * 16 + found)
    assert classes.seconds == pytest.approx(0.15 + 4.4e-8 * 2 * samples * 5)
    index = 4 * samples + 6 * 5 * min(0.5 * samples, 2_000)  # half of a class's attributions are positive
    assert classes.bytes == pytest.approx(filled_cells * (540 + 390 + 2 * 5) + index)
    assert kinds(PLAN, PLAN.classes_of("late"))[2] == "cells classes"


def test_a_comparison_measures_two_pictures_a_cell_and_reads_an_image() -> None:
    (chunk,) = PLAN.find("render", layer="late", step="beside")
    canvas = canvas_size(RECIPES["vivid"], MODEL.layer("late"), MODEL.card.input)
    passes = 2 * 4 * (1.6 * 1.5 * 0.5 * 0.75 * (canvas / 224) ** 2 + 3.5e-4)
    cost = ESTIMATE.cost(chunk)
    assert cost.seconds == pytest.approx(64 * (passes + 4e-8 * 224**2))
    assert cost.bytes == 2 * 64 * 52
    assert kinds(PLAN, chunk)[2] == "render beside"


def test_samples_and_sides_make_work_grow() -> None:
    few, many = (Estimate(plan, MEASURED) for plan in (PLAN, _plan(samples=8_000)))
    for stage in ("collect", "attribute", "layout", "cells"):
        costs = [sum(one.cost(chunk).seconds for chunk in one._plan.find(stage)) for one in (few, many)]
        assert costs[0] <= costs[1]
    assert 0.6 < filled(20) < filled(5) < 1.01


def test_a_layer_with_a_closed_form_is_attributed_without_the_network() -> None:
    closed = Estimate(PLAN, ModelCost(0.5, MEASURED.shares, ("late",)))
    late = PLAN.find("attribute", layer="late")[0]
    assert closed.cost(late).seconds < ESTIMATE.cost(late).seconds / 10
