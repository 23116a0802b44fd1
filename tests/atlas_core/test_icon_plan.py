import json
from typing import Any

import pytest

from atlas_core.costs.quantities import ModelCost
from atlas_core.errors import (
    AtlasError,
    ConflictError,
    InputError,
    NotFoundError,
    SpecError,
    UnknownLayerError,
    UnsupportedOperatorError,
)
from atlas_core.estimate import Estimate
from atlas_core.icon_plan import AT_ONCE, Cells, count_of, plan_icons, resolve
from atlas_core.icons import IconsRequest, Selection, parse_request
from atlas_core.plan import Plan, lacking
from tests.atlas_core.conftest import TinyAtlas
from tests.tiny import CLASSES, LAYER

IMAGE = "0" * 64


def cells_of(atlas: TinyAtlas, side: int) -> Cells:
    found: Cells = json.loads((atlas.directory / LAYER / str(side) / "cells.json").read_text())
    return found


def resolved(atlas: TinyAtlas, value: dict[str, Any], plan: Plan | None = None) -> IconsRequest:
    return resolve(parse_request(value), plan or atlas.plan, lambda _, side: cells_of(atlas, side))


def _place(atlas: TinyAtlas, number: int = 0) -> dict[str, int]:
    cell = cells_of(atlas, 3)[number]
    return {"column": cell["column"], "row": cell["row"]}


def test_what_is_left_out_is_filled_in_from_the_atlas(tiny_atlas: TinyAtlas) -> None:
    found = resolved(tiny_atlas, {"kind": "classes", "classes": [CLASSES[2], 0]})
    assert found.model_dump() == {
        "layer": LAYER, "z": 0, "recipe": "fast", "kind": "classes", "classes": [2, 0], "of": "cells",
    }  # fmt: skip


def test_a_logit_is_pure(tiny_atlas: TinyAtlas) -> None:
    assert resolved(tiny_atlas, {"kind": "classes", "classes": [0], "of": "logit"}).recipe == "pure"


@pytest.mark.parametrize("z", [0, 1])
def test_a_selection_becomes_the_list_of_its_cells(tiny_atlas: TinyAtlas, z: int) -> None:
    cells = cells_of(tiny_atlas, tiny_atlas.plan.spec.levels[z])  # type: ignore[index]  # resolved
    box = resolved(tiny_atlas, {"kind": "selection", "box": [0, 0, 1, 1], "z": z})
    assert isinstance(box, Selection)
    assert box.box is None
    assert [(cell.column, cell.row) for cell in box.cells or ()] == [
        (cell["column"], cell["row"]) for cell in cells if cell["column"] <= 1 and cell["row"] <= 1
    ]
    label = cells[0]["classes"][0]["name"]
    speaking = resolved(tiny_atlas, {"kind": "selection", "label": label, "z": z})
    assert isinstance(speaking, Selection)
    assert [(cell.column, cell.row) for cell in speaking.cells or ()] == [
        (cell["column"], cell["row"]) for cell in cells if cell["classes"][0]["name"] == label
    ]


REFUSED: list[tuple[dict[str, Any], type[AtlasError], str, str]] = [
    ({"kind": "channels", "channels": [128]}, NotFoundError, "it has 0 to 127", "/channels"),
    ({"kind": "channels", "channels": [0], "layer": "features.9"}, UnknownLayerError, "it has features.5", "/layer"),
    ({"kind": "channels", "channels": [0], "z": 2}, NotFoundError, "it has 0 to 1", "/z"),
    ({"kind": "sum", "cells": [{"column": 3, "row": 0}]}, NotFoundError, "run from 0 to 2", "/cells/0"),
    ({"kind": "classes", "classes": [0, "cat"]}, NotFoundError, "it has 0 to 2", "/classes/1"),
    ({"kind": "classes", "classes": [0], "of": "logit", "recipe": "fast"}, SpecError, "`pure`", "/recipe"),
    ({"kind": "selection", "box": [9, 9, 9, 9]}, NotFoundError, "no cell", ""),
    ({"kind": "composition", "cells": [{"column": 0, "row": 9, "x": 0, "y": 0}]}, NotFoundError, "0-9", "/cells/0"),
    ({"kind": "dream", "image": IMAGE, "target": {"of": "channel", "channel": 500}}, NotFoundError, "127",
     "/target/channel"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "error", "said", "pointer"), REFUSED)
def test_what_is_not_there_is_refused_with_its_range(
    tiny_atlas: TinyAtlas, value: dict[str, Any], error: type[AtlasError], said: str, pointer: str
) -> None:
    with pytest.raises(error, match=said) as raised:
        resolved(tiny_atlas, value)
    assert (raised.value.pointer or "") == pointer


def test_a_sum_of_nothing_is_refused(tiny_atlas: TinyAtlas) -> None:
    cells = [{**_place(tiny_atlas), "weight": 2.5}, {**_place(tiny_atlas), "weight": -2.5}]
    with pytest.raises(InputError, match="leads nowhere"):
        resolved(tiny_atlas, {"kind": "sum", "cells": cells})
    kept = resolved(tiny_atlas, {"kind": "sum", "cells": [*cells, {**_place(tiny_atlas, 1), "weight": -1}]})
    assert len(kept.model_dump()["cells"]) == 3


def test_a_canvas_is_bounded_by_the_models_input(tiny_atlas: TinyAtlas) -> None:
    cells = [{**_place(tiny_atlas), "x": 0.5, "y": 0.5}]
    assert resolved(tiny_atlas, {"kind": "composition", "cells": cells}).model_dump()["size"] == 64
    with pytest.raises(SpecError, match="larger than 128"):
        resolved(tiny_atlas, {"kind": "composition", "cells": cells, "size": 129})


@pytest.mark.parametrize("value", [{"kind": "grid", "image": IMAGE}, {"kind": "dream", "image": IMAGE},
                                   {"kind": "channels", "channels": [0], "recipe": "fast"}])  # fmt: skip
def test_strict_privacy_takes_no_pictures(tiny_atlas: TinyAtlas, value: dict[str, Any]) -> None:
    spec = tiny_atlas.plan.spec.model_copy(update={"privacy": "strict", "recipe": "none"})
    strict = tiny_atlas.plan.model_copy(update={"spec": spec})
    with pytest.raises(SpecError, match="strict"):
        resolved(tiny_atlas, value, strict)
    assert resolved(tiny_atlas, {"kind": "channels", "channels": [0]}, strict).recipe == "pure"


def test_a_model_without_gradients_has_no_icons(tiny_atlas: TinyAtlas) -> None:
    model = tiny_atlas.plan.model.model_copy(update={"unconvertible": ["the operator Odd cannot be converted"]})
    with pytest.raises(UnsupportedOperatorError, match="the operator Odd"):
        resolved(tiny_atlas, {"kind": "channels", "channels": [0]}, tiny_atlas.plan.model_copy(update={"model": model}))


def test_a_plan_lacks_its_own_chunks_and_none_of_the_finished_atlas(tiny_atlas: TinyAtlas) -> None:
    request = resolved(tiny_atlas, {"kind": "channels", "channels": list(range(AT_ONCE + 1))})
    plan = plan_icons(tiny_atlas.plan, request)
    of_class = plan_icons(tiny_atlas.plan, resolved(tiny_atlas, {"kind": "classes", "classes": [0]}))
    kept = {chunk.key for chunk in tiny_atlas.plan.chunks if chunk.stage != "attribute"}
    assert lacking(of_class, kept) == of_class.own
    done = {chunk.key for chunk in tiny_atlas.plan.chunks} - {c.key for c in plan.chunks if c.stage == "attribute"}
    assert [chunk.key for chunk in lacking(plan, done)] == [chunk.key for chunk in plan.own]
    assert [(chunk.stage, chunk.parameters.get("first"), chunk.parameters.get("count")) for chunk in plan.own] == [
        ("render", 0, AT_ONCE), ("render", AT_ONCE, 1), ("publish", None, None),
    ]  # fmt: skip
    assert (plan.kind, plan.atlas) == ("icons", tiny_atlas.plan.id)
    for one in (plan, of_class):
        cost = Estimate(one, ModelCost()).cost
        assert all(cost(chunk).seconds > 0 < cost(chunk).bytes for chunk in one.chunks)


@pytest.mark.parametrize(
    ("value", "speaks"),
    [
        ({"kind": "classes", "classes": [0]}, True),
        ({"kind": "dream", "image": IMAGE, "target": {"of": "class", "label": 0}}, True),
        ({"kind": "dream", "image": IMAGE, "target": {"of": "channel", "channel": 0}}, False),
        ({"kind": "classes", "classes": [0], "of": "logit"}, False),
        ({"kind": "channels", "channels": [0]}, False),
    ],
)
def test_only_what_asks_cells_for_a_class_needs_attributions(
    tiny_atlas: TinyAtlas, value: dict[str, Any], speaks: bool
) -> None:
    plan = plan_icons(tiny_atlas.plan, resolved(tiny_atlas, value))
    assert bool(plan.find("attribute")) == speaks
    for chunk in plan.own:
        assert (tiny_atlas.plan.classes_of(LAYER).key in chunk.inputs) == speaks
        assert tiny_atlas.plan.cells_of(LAYER).key in chunk.inputs


def test_a_selection_by_class_is_refused_until_classes_are_known(tiny_atlas: TinyAtlas) -> None:
    unknown = [{**cell, "classes": None} for cell in cells_of(tiny_atlas, 3)]
    request = parse_request({"kind": "selection", "label": 0})
    with pytest.raises(ConflictError, match=r"classes of the cells of 'features\.5' are not made yet; ask again"):
        resolve(request, tiny_atlas.plan, lambda layer, side: unknown)


def test_a_plan_survives_being_written_down(tiny_atlas: TinyAtlas) -> None:
    plan = plan_icons(tiny_atlas.plan, resolved(tiny_atlas, {"kind": "grid", "image": IMAGE}))
    assert Plan.model_validate(json.loads(plan.model_dump_json())) == plan


def test_a_grid_has_an_icon_for_each_position_inside_the_border(tiny_atlas: TinyAtlas) -> None:
    assert count_of(resolved(tiny_atlas, {"kind": "grid", "image": IMAGE}), tiny_atlas.plan) == 25  # of 7 x 7
