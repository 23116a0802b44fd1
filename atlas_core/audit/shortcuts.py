"""The shortcut audit: which crops of real pictures make the model see a class that is not there.

Every cell of the map is tried in two stages (method.md, section 9): a few pastes of its exemplars each, then many, on
fresh images, of those that did most. `atlas_core.audit.verdicts` says what stands out against the controls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from atlas_core.audit.context import parts_of
from atlas_core.audit.screening import FEWEST_KEPT
from atlas_core.audit.verdicts import Thresholds, judge
from atlas_core.cards import Card
from atlas_core.errors import SpecError
from atlas_core.plan import Chunk

if TYPE_CHECKING:
    from atlas_core.audit.context import Context

__all__ = ["Options", "Thresholds", "chunks", "judge"]

VERSION = 8
"""Raised whenever the same request would measure something else."""
MOST_PARTS = 32
SCREENING = 0.5
"""Of the forward passes, for the first stage."""
SEARCHING = 0.1
"""Of the forward passes at most, to search mapped pictures for what the kept cells show."""


class Options(Card):
    """What is measured.

    `sizes` are sides of patches, as shares of the shorter side of the model's input. In the first stage a cell has
    `screen` pastes at each size; the share `keep` of the cells that did most, and at least 12, have `confirm` pastes in
    the second.
    """

    sizes: list[Annotated[float, Field(ge=0.05, le=0.7)]] = Field(default=[0.16, 0.25, 0.4], min_length=1, max_length=5)
    screen: int = Field(default=40, ge=10, le=400)
    confirm: int = Field(default=300, ge=50, le=4000)
    keep: float = Field(default=0.12, gt=0, le=1)


def chunks(context: Context, options: Options) -> list[Chunk]:
    """The chunks of a shortcut audit: parts of the first stage, of the search and of the second, and what they found.

    Args:
        context: Of the audit.
        options: What is measured.

    Raises:
        SpecError: The atlas keeps no exemplars, or its model says no classes.
    """
    atlas = context.atlas
    if atlas.spec.strict:
        raise SpecError("the shortcut audit pastes crops of the dataset's pictures, of which privacy `strict` keeps "
                        "none; leave the check `shortcuts` out, or ask for privacy `standard`")  # fmt: skip
    if atlas.model.classes is None:
        raise SpecError(f"the model {atlas.model.card.name!r} has no logits, so no paste can change its class")
    common: dict[str, Any] = {
        "layers": list(context.layers), "side": context.side, "seed": context.seed, "passes": context.passes,
        "base": list(context.base), "options": options.model_dump(mode="json"), "model": atlas.model.id,
        "version": VERSION,
    }  # fmt: skip
    ground = [chunk.key for chunk in atlas.find("collect")]
    for layer in context.layers:
        ground += [atlas.layout_of(layer).key, atlas.cells_of(layer).key, atlas.classes_of(layer).key]
    stands_on = [*ground, *context.base]
    cells = len(context.layers) * context.side**2  # at most: none of them may be empty
    most: float = cells * len(options.sizes) * options.screen
    screens = parts_of("screen", min(SCREENING * context.passes, most), MOST_PARTS, common, stands_on)
    most = 2 * max(FEWEST_KEPT, options.keep * cells) * len(options.sizes) * options.confirm  # with the controls
    stands_on += [part.key for part in screens]
    searches = parts_of("search", SEARCHING * context.passes, MOST_PARTS, common, stands_on)
    stands_on += [part.key for part in searches]
    confirms = parts_of("confirm", min(SCREENING * context.passes, most), MOST_PARTS, common, stands_on)
    last = Chunk.of("publish", {"step": "shortcuts", **common}, [*stands_on, *(part.key for part in confirms)])
    return [*screens, *searches, *confirms, last]
