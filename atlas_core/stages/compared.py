"""What two models made of the same samples at a layer: neighbours, answers, and both halves of their map."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from atlas_core.stages.coupled import twins_of
from atlas_core.stages.models import classes_of, models_at_layer, told_of_images
from atlas_core.versions.changes import changes, halves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core.stages.step import Step


class Compared:
    """Two models at a layer.

    Args:
        step: The step that compares, its inputs the two maps, both models' neighbours and all shards.

    Attributes:
        step: That step.
        old: The old model.
        new: The new one.
        twin: The new model's sample that is the same image and point, of each of the old one's; -1 for none.
        maps: Layouts of both halves: of the two models, and of the old one and itself.
        answers: Of each model what is known of every image, as `told_of_images` gives it.
        halves: Both halves of the map.
        found: Where its halves differ.
    """

    def __init__(self, step: Step) -> None:
        """Read what both made of the samples."""
        self.step = step
        self.old, self.new = models_at_layer(step)
        self.twin = twins_of(self.old, self.new)
        self.maps = [step.table(record, "layout") for record in step.inputs("layout", step="coupled")]
        self.answers = [told_of_images(step, one.plan.model.id) for one in (self.old, self.new)]
        images = [one.samples["image"] for one in (self.old, self.new)]
        self.halves = halves(self.maps[0]["old"], images[0], self.maps[0]["new"], images[1], self.twin)
        floor = np.hypot(*(self.maps[1]["old"].astype(np.float64) - self.maps[1]["new"]).T)
        self.found = changes(*self.halves, floor, self.side)

    @property
    def side(self) -> int:
        """Cells a side."""
        return int(self.step.parameters["side"])

    @property
    def alpha(self) -> float:
        """Of the p under which a change may be told, once it is adjusted for all that was looked at."""
        return float(self.step.parameters["alpha"])

    @cached_property
    def label(self) -> NDArray[np.int64]:
        """Class of each image by its place in the listing: its label, or what the old model takes it for; -1."""
        return classes_of(self.answers[0], self.old.plan)[0]

    @cached_property
    def names(self) -> Sequence[str]:
        """Names of these classes."""
        return classes_of(self.answers[0], self.old.plan)[1]
