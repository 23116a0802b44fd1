from typing import Any

import pytest

from atlas_core.build import SHARD_PIXELS, plan, shards
from atlas_core.cards import LayerInfo, ModelCard
from atlas_core.errors import SpecError, UnknownLayerError, UnsupportedOperatorError
from atlas_core.facts import DatasetFacts, ModelFacts
from atlas_core.plan import Plan, lacking
from atlas_core.pooling import COPIES, LEAST_IMAGES
from atlas_core.spec import parse_spec

CARD = ModelCard.model_validate({
    "name": "m", "format": "torchvision", "architecture": "resnet18", "weights": "sha256:00",
    "input": {"channels": 3, "height": 224, "width": 224, "mean": [0.5] * 3, "std": [0.5] * 3},
})  # fmt: skip
LAYERS = [LayerInfo(name="early", shape=(8, 20, 20)), LayerInfo(name="late", shape=(16, 12, 12))]
MODEL = ModelFacts(id="model", card=CARD, layers=LAYERS, classes=5)
DATASET = DatasetFacts(id="dataset", digest="abc", name="d", listing="", images=200, classes=None)


def _plan(model: ModelFacts = MODEL, dataset: DatasetFacts = DATASET, **changes: Any) -> Plan:
    request = {
        "model": "model",
        "dataset": "dataset",
        "layers": ["early", "late"],
        "samples": 4_000,
        "levels": [10, 20],
    }
    return plan(parse_spec({**request, **changes}), model, dataset)


def test_inputs_come_before_what_needs_them_and_every_key_is_its_own() -> None:
    made = _plan()
    seen: set[str] = set()
    for chunk in made.chunks:
        assert set(chunk.inputs) <= seen
        assert chunk.key not in seen
        seen.add(chunk.key)
    assert made.chunks[-1].parameters["step"] == "manifest"


def test_coarse_levels_are_rendered_first_over_all_layers() -> None:
    rendered = [(chunk.parameters["side"], chunk.parameters["layer"]) for chunk in _plan().find("render", step=None)]
    assert rendered == [(10, "early"), (10, "late")] + [(20, "early")] * 4 + [(20, "late")] * 4


def _order(**changes: Any) -> list[tuple[str, int, str]]:
    """Stage, side and layer of the chunks that make tiles, in order, each once."""
    tiles = [chunk for chunk in _plan(**changes).chunks if chunk.is_tile]
    return list(dict.fromkeys((c.stage, c.parameters["side"], c.parameters["layer"]) for c in tiles))


def test_previews_of_a_level_come_before_the_tiles_of_the_level_before() -> None:
    def both(stage: str, side: int) -> list[tuple[str, int, str]]:
        return [(stage, side, "early"), (stage, side, "late")]

    levels = {"levels": [5, 10, 20, 40], "allow_sparse": True}
    assert _order(**levels) == [
        *both("preview", 5), *both("preview", 10), *both("render", 5), *both("preview", 20), *both("render", 10),
        *both("preview", 40), *both("render", 20), *both("render", 40),
    ]  # fmt: skip
    assert _order(levels=[10]) == [*both("preview", 10), *both("render", 10)]


def _stages(**changes: Any) -> list[tuple[str, str | None]]:
    """Stage and layer of a plan's chunks up to the index of the last layer, in order, those in a row once."""
    chunks = _plan(**changes).chunks
    last = max(place for place, chunk in enumerate(chunks) if chunk.parameters.get("step") == "index")
    told = [(chunk.parameters.get("step") or chunk.stage, chunk.parameters.get("layer")) for chunk in chunks[:last]]
    return [one for place, one in enumerate(told) if place == 0 or told[place - 1] != one]


@pytest.mark.parametrize(
    ("changes", "pictures"), [({}, ["preview"]), ({"recipe": "fast"}, ["render"]), ({"recipe": "none"}, [])]
)
def test_first_come_pictures_of_the_coarsest_level_and_then_classes(
    changes: dict[str, Any], pictures: list[str]
) -> None:
    def seen(layer: str, *steps: str) -> list[tuple[str, str | None]]:
        return [(step, layer) for step in (*steps, "cells", *pictures)]

    assert _stages(**changes) == [
        ("collect", None), *seen("early", "neighbours", "optimise"), *seen("late", "neighbours", "optimise", "twins"),
        ("attribute", "early"), ("classes", "early"), ("index", "early"), ("samples", "early"),
        ("quality", "early"),
        ("attribute", "late"), ("classes", "late"),
    ]  # fmt: skip


def test_what_is_not_to_be_seen_soon_keeps_no_worker_from_pictures() -> None:
    made = _plan()
    for layer in ("early", "late"):
        for chunk, collected in zip(made.find("attribute", layer=layer), made.find("collect"), strict=True):
            assert chunk.inputs == (collected.key, made.cells_of(layer).key)
        (index,) = made.find("publish", layer=layer, step="index")
        assert index.inputs[-1] == made.classes_of(layer).key
    plain = _plan(attribution="none")
    indexes = [[one.key for one in each.find("publish", step="index")] for each in (made, plain)]
    assert indexes[0] == indexes[1]


def test_what_tells_new_images_comes_last_and_nothing_but_the_manifest_waits_for_it() -> None:
    made = _plan(dataset=DATASET.model_copy(update={"images": 2_000}))
    copies, (novelty,) = made.find("publish", step="copies"), made.find("publish", step="novelty")
    collected = [chunk.key for chunk in made.find("collect")]
    classes = [made.classes_of(layer).key for layer in ("early", "late")]
    assert [chunk.stage for chunk in made.chunks[-len(copies) - 2 :]] == ["publish"] * (len(copies) + 2)
    assert made.chunks[-2] == novelty
    assert len(copies) == -(-COPIES * 224**2 // SHARD_PIXELS)  # each about the work of a shard
    assert [key for chunk in copies for key in chunk.inputs if key not in classes] == collected
    assert all(set(classes) < set(chunk.inputs) for chunk in copies)
    assert novelty.inputs == (*collected, *(chunk.key for chunk in copies))
    waiting = {chunk.key for chunk in made.chunks for key in chunk.inputs if key in novelty.inputs[len(collected) :]}
    assert waiting == {novelty.key}
    assert [chunk.key for chunk in made.chunks if novelty.key in chunk.inputs] == [made.chunks[-1].key]
    few = _plan(dataset=DATASET.model_copy(update={"images": LEAST_IMAGES - 1}), levels=[10])
    assert few.find("publish", step="copies") == []
    assert few.find("publish", step="novelty")


def test_no_picture_waits_for_an_attribution_and_a_published_level_does() -> None:
    made = _plan()

    def needed(key: str) -> set[str]:
        return {key}.union(*(needed(before) for before in made.by_key[key].inputs))

    attributions = {chunk.key for chunk in made.find("attribute", layer="late")}
    assert attributions
    for chunk in made.find("preview", layer="late") + made.find("render", layer="late"):
        assert not needed(chunk.key) & attributions
    for chunk in made.find("publish", layer="late", step="level"):
        assert attributions <= needed(chunk.key)
    assert not needed(made.classes_of("late").key) & {chunk.key for chunk in made.find("attribute", layer="early")}
    assert _plan(attribution="none").cells_of("late").key == made.cells_of("late").key


def test_a_tile_comes_after_its_preview_and_is_the_same_without() -> None:
    made, plain = _plan(), _plan(preview="none")
    assert plain.totals["preview"] == 0
    own = [chunk for chunk in made.find("render") if chunk.is_tile]
    assert made.totals["preview"] == len(own) == 10
    for chunk in own:
        place = {name: chunk.parameters[name] for name in ("layer", "side", "x", "y")}
        (before,) = made.find("preview", **place)
        assert (before.parameters["recipe"], chunk.parameters["recipe"]) == ("fast", "vivid")
        assert before.key in chunk.inputs
    others = [chunk.key for chunk in made.chunks if chunk.stage != "preview"]
    assert sorted(others) == sorted(chunk.key for chunk in plain.chunks)
    assert (made.id, made.spec.identity) == (plain.id, plain.spec.identity)


@pytest.mark.parametrize(
    ("changes", "preview"),
    [
        ({}, "fast"),
        ({"recipe": "detail"}, "fast"),
        ({"recipe": "vivid", "preview": "none"}, "none"),
        ({"recipe": "fast"}, "none"),
        ({"recipe": "pure"}, "none"),
        ({"recipe": "none"}, "none"),
        ({"privacy": "strict"}, "none"),
    ],
)
def test_there_are_previews_only_where_data_may_be_seen_and_icons_take_longer(
    changes: dict[str, Any], preview: str
) -> None:
    made = _plan(**changes)
    assert made.spec.preview == preview
    assert bool(made.find("preview")) == (preview == "fast")


def test_a_preview_runs_only_for_a_tile_that_is_not_there() -> None:
    made = _plan(levels=[10])
    (early,) = made.tiles("early", 10)
    left = {chunk.key for chunk in lacking(made, {early.key})}
    previews = {chunk.parameters["layer"]: chunk.key for chunk in made.find("preview")}
    assert previews["late"] in left
    assert previews["early"] not in left


def test_icons_are_compared_with_starts_and_patches_once_a_layer_and_after_its_coarsest_tiles() -> None:
    made = _plan()
    for layer in ("early", "late"):
        (beside,) = made.find("render", layer=layer, step="beside")
        (tile,) = made.tiles(layer, 10)
        coarsest, finer = made.find("publish", layer=layer, step="level")
        assert beside.inputs == (made.cells_of(layer).key,)
        assert made.chunks.index(beside) == made.chunks.index(tile) + 1
        assert beside.key in coarsest.inputs
        assert beside.key not in finer.inputs
        assert (tile.is_tile, beside.is_tile, coarsest.is_tile) == (True, False, False)
        assert len(made.tiles(layer, 20)) == 4
    assert _plan(recipe="none").find("render") == []
    strict = _plan(recipe="pure", privacy="strict")
    assert strict.find("render", step="beside") == []


def test_shards_cover_the_listing_once() -> None:
    parts = shards(1_000, 1_000, MODEL)
    assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
    assert parts[-1].stop == 1_000
    assert max(part.stop - part.start for part in parts) * 224 * 224 <= 4_000_000


@pytest.mark.parametrize(("images", "samples"), [(1_000, 20_000), (10_000, 20_000), (606, 100_000)])
def test_a_shard_is_bounded_in_samples_too(images: int, samples: int) -> None:
    small = MODEL.model_copy(update={"card": CARD.model_copy(update={"input": CARD.input.model_copy(
        update={"height": 32, "width": 32})})})  # fmt: skip
    largest = max(part.stop - part.start for part in shards(images, samples, small))
    assert largest * samples / images <= 2_000


def test_a_layer_starts_from_the_one_before() -> None:
    made = _plan()
    early, late = made.find("layout", step="optimise")
    assert early.key in late.inputs


def test_a_plan_comes_back_from_json() -> None:
    made = _plan()
    assert Plan.model_validate_json(made.model_dump_json()) == made


def test_keys_tell_what_changes_results_from_what_does_not() -> None:
    def keys(stage: str, **changes: Any) -> set[str]:
        return {chunk.key for chunk in _plan(**changes).find(stage)}

    assert keys("collect") == keys("collect", recipe="fast")
    assert keys("cells") == keys("cells", recipe="fast")
    assert not keys("render") & keys("render", recipe="fast")
    assert not keys("collect") & keys("collect", seed=1)
    elsewhere = DATASET.model_copy(update={"id": "other", "name": "copy"})
    assert keys("collect") == keys("collect", dataset=elsewhere)


def test_a_model_without_logits_has_nothing_to_attribute() -> None:
    made = _plan(MODEL.model_copy(update={"classes": None}))
    assert made.find("attribute") == []
    assert made.spec.attribution == "none"
    assert made.classes_of("early").inputs == (made.cells_of("early").key, made.layout_of("early").key)


def test_an_unknown_layer_names_the_nearest() -> None:
    with pytest.raises(UnknownLayerError, match="'erly'; the nearest are early"):
        _plan(layers=["erly"])


def test_a_level_is_judged_by_the_samples_that_a_layer_can_give() -> None:
    # 'late' has 10 x 10 interior positions, a quarter of them for each of 200 images: 5,000 samples
    with pytest.raises(SpecError, match="this atlas has 5,000"):
        _plan(layers=["late"], samples=1_000_000, levels=[40])


def test_a_layer_without_interior_is_refused() -> None:
    model = MODEL.model_copy(update={"layers": [LayerInfo(name="early", shape=(8, 2, 2))]})
    with pytest.raises(SpecError, match="none inside its border"):
        _plan(model, layers=["early"])


def test_a_model_without_gradients_is_refused_with_the_operator() -> None:
    model = MODEL.model_copy(update={"unconvertible": ["the operator Einsum of opset 17 cannot be converted"]})
    with pytest.raises(UnsupportedOperatorError, match="Einsum of opset 17"):
        _plan(model)
    with pytest.raises(UnsupportedOperatorError, match=r"attributions .* Einsum of opset 17"):
        _plan(model, recipe="none", attribution="jvp")


def test_without_a_recipe_nothing_is_rendered_and_the_rest_is_the_same() -> None:
    model = MODEL.model_copy(update={"unconvertible": ["the operator Einsum of opset 17 cannot be converted"]})
    for facts, attribution in ((MODEL, "auto"), (model, "none")):
        made = _plan(facts, recipe="none")
        assert made.totals["render"] == 0
        assert made.spec.attribution == attribution
        assert len(made.find("publish", step="level")) == len(made.find("publish", step="index")) * 2 == 4
    rendered, plain = _plan(), _plan(recipe="none")
    assert [chunk.key for chunk in plain.find("cells")] == [chunk.key for chunk in rendered.find("cells")]
    assert plain.id != rendered.id
