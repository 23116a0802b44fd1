"""From a request for icons to a plan: checked against the atlas, and cut into chunks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from atlas_core.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    SpecError,
    UnsupportedOperatorError,
)
from atlas_core.featurevis.recipes import recipe_named
from atlas_core.icons import (
    MOST_ICONS,
    Cell,
    Channels,
    Classes,
    Composition,
    Dream,
    Grid,
    IconsRequest,
    Label,
    OneCell,
    OneChannel,
    OneClass,
    Selection,
    Sum,
    Walk,
    WeightedCell,
    icons_id,
)
from atlas_core.plan import Chunk, Plan

if TYPE_CHECKING:
    from atlas_core.cards import LayerInfo
    from atlas_core.featurevis.recipes import Recipe

AT_ONCE, LOGITS_AT_ONCE = 50, 8
"""Pictures of one chunk at most; those of logits are as large as the input."""
ICONS_VERSION = 2
"""Raised whenever the same request would give other pictures by anything but its recipe."""
LARGEST = 2
"""Sides of a composition or a dream over the longer side of the model's input, at most."""
Cells = Sequence[dict[str, Any]]


def resolve(request: IconsRequest, plan: Plan, cells_of: Callable[[str, int], Cells]) -> IconsRequest:
    """A request with everything filled in that it leaves out, checked against the atlas.

    Classes become indices, and a selection the list of its cells.

    Args:
        request: As asked.
        plan: The atlas's.
        cells_of: Gives the cells of a layer at a level of so many cells a side; raises where they are not made yet.

    Raises:
        UnknownLayerError: The atlas has no such layer.
        UnsupportedOperatorError: The model has no gradients.
        NotFoundError: There is no such level, cell, channel or class; names the range.
        SpecError: Privacy, or the model, does not allow it.
        ConflictError: A selection is by class, and the classes of the cells are not made yet.
    """
    if plan.model.unconvertible:
        reasons = "; ".join(plan.model.unconvertible)
        raise UnsupportedOperatorError(f"icons of the model {plan.model.card.name!r} cannot be rendered: {reasons}")
    layer = request.layer or plan.spec.layers[0]
    plan.check_layer(layer, "/layer")
    levels = plan.spec.levels or []
    if request.z >= len(levels):
        raise NotFoundError(f"the atlas has no level {request.z}; it has 0 to {len(levels) - 1}, coarse to fine",
                            pointer="/z")  # fmt: skip
    checked = _Checked(plan, layer, levels[request.z], cells_of(layer, levels[request.z]))
    filled: dict[str, Any] = {"layer": layer, "recipe": _recipe(request, plan), **checked.of(request)}
    _check_privacy(request, plan, filled["recipe"])
    return request.model_copy(update=filled)


def _recipe(request: IconsRequest, plan: Plan) -> str | None:
    if isinstance(request, Dream):
        return None
    if isinstance(request, Classes) and request.of == "logit":
        if request.recipe not in (None, "pure"):
            raise SpecError(f"a logit has no pictures of the dataset to start from, as the recipe {request.recipe!r} "
                            "does; ask for `pure`, or for the class of `cells`", pointer="/recipe")  # fmt: skip
        return "pure"
    own = plan.spec.recipe if plan.spec.rendered else "pure" if plan.spec.strict else "vivid"
    return request.recipe or own


def _check_privacy(request: IconsRequest, plan: Plan, recipe: str | None) -> None:
    if not plan.spec.strict:
        return
    if isinstance(request, Grid | Dream):
        raise SpecError("this atlas was made with privacy `strict`, which keeps no picture: upload none to it; make an "
                        "atlas with privacy `standard` for that", pointer="/image")  # fmt: skip
    if recipe is not None and recipe_named(recipe).seeded:
        raise SpecError(f"icons of the recipe {recipe!r} start from pictures of the dataset, of which privacy `strict` "
                        "keeps none; ask for `pure`", pointer="/recipe")  # fmt: skip


class _Checked:
    """Names of a request, looked up.

    Args:
        plan: The atlas's.
        layer: The layer.
        side: Cells a side of the level.
        cells: The level's.
    """

    def __init__(self, plan: Plan, layer: str, side: int, cells: Cells) -> None:
        self._plan, self._layer, self._side, self._cells = plan, layer, side, cells
        self._places = {(cell["column"], cell["row"]) for cell in cells}

    def of(self, request: IconsRequest) -> dict[str, Any]:
        """What changes in a request once its names are looked up; raises as `resolve`."""
        match request:
            case Channels(channels=channels):
                self._check_channels(channels, "/channels")
            case Classes(classes=classes, of=of):
                return {"classes": [self._class(label, f"/classes/{n}", of) for n, label in enumerate(classes)]}
            case Sum(cells=cells):
                self._check_cells(cells, "/cells/{}")
                _check_weights(cells)
            case Composition(cells=cells):
                self._check_cells(cells, "/cells/{}")
                self._check_cells([] if request.ground is None else [request.ground], "/ground")
                return {"size": self._size(request.size)}
            case Walk(start=start, end=end):
                self._check_cells([start], "/start")
                self._check_cells([end], "/end")
            case Selection():
                return {"cells": self._selected(request), "box": None, "label": None}
            case Dream(target=target):
                return {"target": self._target(target)}
        return {}

    def _check_channels(self, channels: Sequence[int], pointer: str) -> None:
        count = self._plan.model.layer(self._layer).shape[0]
        for channel in channels:
            if channel >= count:
                raise NotFoundError(f"the layer {self._layer!r} has no channel {channel}; it has 0 to {count - 1}",
                                    pointer=pointer)  # fmt: skip

    def _check_cells(self, cells: Iterable[Cell], pointer: str) -> None:
        for number, cell in enumerate(cells):
            if (cell.column, cell.row) not in self._places:
                last = self._side - 1
                raise NotFoundError(
                    f"cell {cell.column}-{cell.row} of {self._layer!r} at {self._side} cells a side is empty or "
                    f"outside; columns and rows run from 0 to {last}, and {len(self._places)} cells are filled",
                    pointer=pointer.format(number),
                )

    def _class(self, label: Label, pointer: str, of: str = "cells") -> int:
        model = self._plan.model
        reason = self._plan.unattributed(self._layer) if of == "cells" else None
        if model.classes is None:
            reason = f"the model {model.card.name!r} has no logits"
        if reason is not None:
            raise InputError(f"nothing can be asked of {self._layer!r} by class: {reason}", pointer=pointer)
        names = model.class_names
        index = label if isinstance(label, int) else names.index(label) if label in names else None
        if index is None or index >= (model.classes or 0):
            raise NotFoundError(f"the model {model.card.name!r} has no class {label!r}; it has 0 to "
                                f"{(model.classes or 0) - 1}, or their names", pointer=pointer)  # fmt: skip
        return index

    def _size(self, size: int | None) -> int:
        card = self._plan.model.card.input
        longer, fixed = max(card.height, card.width), self._plan.model.layer(self._layer).fixed
        most = min(card.height, card.width) if fixed else LARGEST * longer
        if size is not None and size > most:
            raise SpecError(f"a canvas of {size} pixels is larger than {most}, the most that this layer takes",
                            pointer="/size")  # fmt: skip
        return size or min(most, longer)

    def _selected(self, request: Selection) -> list[Cell]:
        if request.cells is not None:
            self._check_cells(request.cells, "/cells/{}")
            found = request.cells
        elif request.box is not None:
            left, top, right, bottom = request.box
            found = [Cell(column=cell["column"], row=cell["row"]) for cell in self._cells
                     if left <= cell["column"] <= right and top <= cell["row"] <= bottom]  # fmt: skip
        else:
            found = self._speaking(self._class(request.label or 0, "/label"))
        if not found:
            raise NotFoundError("no cell of the level is in this selection")
        if len(found) > MOST_ICONS:
            raise InputError(f"the selection has {len(found)} cells, more than {MOST_ICONS} at a time; ask for a "
                             "smaller one, or at a coarser level")  # fmt: skip
        return found

    def _speaking(self, index: int) -> list[Cell]:
        """Cells whose strongest class is this one.

        Raises:
            ConflictError: Nobody knows yet.
        """
        if any(cell["classes"] is None for cell in self._cells):
            raise ConflictError(f"the classes of the cells of {self._layer!r} are not made yet; ask again when they "
                                "are", pointer="/label")  # fmt: skip
        return [Cell(column=cell["column"], row=cell["row"]) for cell in self._cells
                if cell["classes"] and cell["classes"][0]["index"] == index]  # fmt: skip

    def _target(self, target: Any) -> Any:
        match target:
            case OneChannel(channel=channel):
                self._check_channels([channel], "/target/channel")
            case OneCell():
                self._check_cells([target], "/target")
            case OneClass(label=label):
                return target.model_copy(update={"label": self._class(label, "/target/label")})
        return target


def _check_weights(cells: Sequence[WeightedCell]) -> None:
    totals: defaultdict[tuple[int, int], float] = defaultdict(float)
    for cell in cells:
        totals[cell.column, cell.row] += cell.weight
    if not any(totals.values()):
        raise InputError("the weights of every cell add up to 0, so the sum leads nowhere; give some cell another",
                         pointer="/cells")  # fmt: skip


def largest_of(layer: LayerInfo) -> int:
    """How large a picture a layer takes, in sides of the model's input."""
    return 1 if layer.fixed else LARGEST


def count_of(request: IconsRequest, plan: Plan) -> int:
    """How many icons a resolved request makes."""
    from atlas_core.project import chosen_positions  # loads numpy, which the command line's help does without

    match request:
        case Channels(channels=channels):
            return len(channels)
        case Classes(classes=classes):
            return len(classes)
        case Walk(steps=steps):
            return steps
        case Selection(cells=cells):
            return len(cells or ())
        case Grid():
            return len(chosen_positions(plan.model.layer(str(request.layer)), "default")[0])
    return 1


def plan_icons(atlas: Plan, request: IconsRequest) -> Plan:
    """Plan icons on request: the chunks of the atlas that they need, done as a rule, and their own.

    Args:
        atlas: The atlas's plan.
        request: From `resolve`.
    """
    ground = [atlas.cells_of(str(request.layer)).key]
    if _speaks(request):
        ground.append(atlas.classes_of(str(request.layer)).key)
    chunks = atlas.needed(ground)
    content = request.model_dump(mode="json")
    recipe: Recipe | None = None if request.recipe is None else recipe_named(request.recipe)
    common = {"layer": request.layer, "request": content, "model": atlas.model.id,
              "version": [ICONS_VERSION, recipe and recipe.version]}  # fmt: skip
    total = count_of(request, atlas)
    most = LOGITS_AT_ONCE if isinstance(request, Classes) and request.of == "logit" else AT_ONCE
    parts = [
        Chunk.of("render", {"step": "pictures", "first": first, "count": min(most, total - first), **common}, ground)
        for first in range(0, total, most)
    ]
    last = Chunk.of("publish", {"step": "icons", **common}, [*ground, *(part.key for part in parts)])
    return Plan(id=icons_id(atlas.id, request), kind="icons", spec=atlas.spec, model=atlas.model, dataset=atlas.dataset,
                chunks=(*chunks, *parts, last), anchor=atlas.anchor, atlas=atlas.id, request=content,
                ground=len(chunks), others=atlas.others)  # fmt: skip


def _speaks(request: IconsRequest) -> bool:
    """Whether icons are made from what cells add to classes."""
    match request:
        case Classes(of="cells"):
            return True
        case Dream(target=OneClass()):
            return True
    return False
