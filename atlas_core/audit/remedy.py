"""The remedy for shortcuts: mute their directions at the layer, and see what is left of the flips and the accuracy.

For each of the classes with the strongest findings, what a layer makes of the patches that were found to give it is
muted: the cells' means, and the means of groups of the activations under the patches, pasted on other pictures
(`atlas_core.audit.muting`). Where and how hard is chosen on some base images; what it does is measured on others, flips
on none that the findings were screened or confirmed on, as long as there are enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atlas_core.audit.findings import Remedy
from atlas_core.plan import Chunk
from atlas_core.statistics import paired_loss, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.audit.context import Context
    from atlas_core.audit.findings import CheckResult, Finding
    from atlas_core.cards import Card

VERSION = 2
"""Raised whenever the same request would measure something else."""
CLASSES = 3
LEAST_IMAGES, MOST_IMAGES, PASSES_AN_IMAGE = 100, 300, 60
"""Images that a remedy is chosen on, by the audit's forward passes."""
TESTED = 2
"""Images and pastes that a remedy is tested on, for each that it is chosen on; of pastes there are half as many."""
LEAST_APART = 50
"""Recognised images that nothing was found on, under which a remedy's flips are told of those that it was found on."""
MOST_CELLS = 6
"""Of a class that are muted together, the strongest."""
LADDER = ((0.99, 1), (0.95, 1), (0.8, 1), (0.5, 1), (0.95, 3), (0.5, 3))
"""Share of ordinary activations that stay as they are, and times that what exceeds it is taken off; mildest first."""
LEAST_FALL, MOST_LOST = 0.5, 0.02
"""What a remedy has to do: take more than this share of the flips, and cost less than this share of all answers."""


class Treatment(NamedTuple):
    """A class to be cured, and its findings, the strongest first."""

    target: int
    name: str
    findings: list[Finding]


def chunks(context: Context, thresholds: Card, shortcuts: Sequence[Chunk]) -> list[Chunk]:
    """The chunks that try remedies, one for each class, and the one that puts them together.

    Args:
        context: Of the audit.
        thresholds: Of the shortcut audit: only what fails it is treated.
        shortcuts: Its chunks.
    """
    last = shortcuts[-1]
    images = max(LEAST_IMAGES, min(MOST_IMAGES, context.passes // PASSES_AN_IMAGE))
    common: dict[str, Any] = {
        "seed": context.seed, "base": list(context.base), "side": context.side, "model": context.atlas.model.id,
        "layers": list(context.layers), "thresholds": thresholds.model_dump(mode="json"),
        "images": images, "passes": passes_of(images, len(context.layers)), "parts": 1, "version": VERSION,
    }  # fmt: skip
    inputs = [*last.inputs, last.key]
    parts = [Chunk.of("publish", {"step": "remedy", "place": place, **common}, inputs) for place in range(CLASSES)]
    joined = Chunk.of("publish", {"step": "remedies", "version": VERSION}, [part.key for part in parts])
    return [*parts, joined]


def passes_of(images: int, layers: int) -> int:
    """Forward passes that trying to cure a class takes, on top of the audit's: at every step half of one, about.

    Args:
        images: That it is chosen on.
        layers: That are looked at.
    """
    pictures = images + images // 2  # as they are, and pasted
    return pictures * (layers * (1 + len(LADDER)) + 2 * TESTED)


def of_others(labels: NDArray[np.integer[Any]], target: int) -> NDArray[np.bool_]:
    """Which images are known to be of other classes than a target; of one without a label nothing is known."""
    return np.asarray((labels >= 0) & (labels != target))


def treatments(result: CheckResult) -> list[Treatment]:
    """What to treat: the classes of the strongest findings that fail the check, of those that crops make.

    Args:
        result: Of the shortcut audit, its findings the strongest first.
    """
    found: dict[int, Treatment] = {}
    for finding in result.findings:
        if not finding.gate or finding.target is None or "size" not in finding.statistics:
            continue  # what lies all over a picture is no crop, and no direction of a cell
        target, name = finding.target.index, finding.target.name
        treated = found.setdefault(target, Treatment(target, name, []))
        if len(treated.findings) < MOST_CELLS:
            treated.findings.append(finding)
    return list(found.values())[:CLASSES]


class Strength(NamedTuple):
    """Where and how hard is muted: so many directions, what exceeds this share of the ordinary, so many times over.

    Taken off once, an activation stops at what is ordinary; taken off more often it speaks against the class.
    """

    layer: str
    directions: int
    quantile: float
    times: int


class Counts(NamedTuple):
    """Answers with the network as it is and with something muted.

    `flips` are pastes that turn an image into the class, of `pastes`; `right` answers that are right, of `images`;
    `lost` those that were right and no longer are, `won` the other way round.
    """

    pastes: int
    flips_before: int
    flips_after: int
    images: int
    right_before: int
    lost: int
    won: int

    @property
    def cost(self) -> float:
        """Share of the flips that is left, and the square of the accuracy lost in units of what may be."""
        left = self.flips_after / max(1, self.flips_before)
        lost = max(0, self.lost - self.won) / max(1, self.images) / MOST_LOST
        return left + lost**2

    @property
    def works(self) -> bool:
        """Whether flips fall far enough at little enough accuracy."""
        fallen = self.flips_after < (1 - LEAST_FALL) * self.flips_before
        return fallen and self.lost - self.won < MOST_LOST * self.images


def counted(before: Iterable[Any], after: Iterable[Any], target: int, plain_before: Iterable[Any],
            plain_after: Iterable[Any], labels: Iterable[Any]) -> Counts:  # fmt: skip
    """Count answers: of pastes before and after, and of plain images with their labels, integers each."""
    first, second = np.asarray(before) == target, np.asarray(after) == target
    right, still = np.asarray(plain_before) == labels, np.asarray(plain_after) == labels
    return Counts(len(first), int(first.sum()), int(second.sum()), len(right), int(right.sum()),
                  int((right & ~still).sum()), int((~right & still).sum()))  # fmt: skip


def ladder(layer: str, directions: int) -> list[Strength]:
    """What is tried at a layer, from the mildest on: one direction or all, at every step."""
    counts = dict.fromkeys((1, directions))
    return [Strength(layer, count, quantile, times) for quantile, times in LADDER for count in counts]


def chosen(tried: Mapping[Strength, Counts]) -> Strength:
    """The strength that costs least, the mildest of equals: tried from the mildest on."""
    return min(tried, key=lambda strength: tried[strength].cost)


def told(treatment: Treatment, strength: Strength, counts: Counts, model: str, *, apart: bool = True) -> Remedy:
    """What a remedy did, on images that it was not chosen on.

    Args:
        treatment: What was treated.
        strength: How hard was muted.
        counts: What came of it.
        model: Name of the repaired model's blob, should it work.
        apart: Whether flips are of images that the findings were neither screened nor confirmed on.
    """
    before, after = counts.flips_before / max(1, counts.pastes), counts.flips_after / max(1, counts.pastes)
    accuracy, lost = counts.right_before / max(1, counts.images), (counts.lost - counts.won) / max(1, counts.images)
    many = "1 direction" if strength.directions == 1 else f"{strength.directions} directions"
    effect = (f"{many} muted at {strength.layer}, flips into {treatment.name!r} "
              f"{'fall' if after < before else 'go'} from {before:.0%} to {after:.0%}, and accuracy "
              f"{'falls' if lost > 0 else 'goes'} from {accuracy:.1%} to {accuracy - lost:.1%}")  # fmt: skip
    summary = f"with {effect}" if counts.works else f"muting does not help enough: with {effect}"
    if not apart:
        summary += "; flips are of images that it was found on, because there are too few others"
    statistics: dict[str, Any] = {
        "layer": strength.layer, "directions": strength.directions, "quantile": strength.quantile,
        "times": strength.times,
        "flips_before": round(before, 4), "flips_before_interval": _ends(wilson(counts.flips_before, counts.pastes)),
        "flips_after": round(after, 4), "flips_after_interval": _ends(wilson(counts.flips_after, counts.pastes)),
        "pastes": counts.pastes, "apart": apart,
        "accuracy_before": round(accuracy, 4), "accuracy_after": round(accuracy - lost, 4),
        "accuracy_lost": round(lost, 4), "base_images": counts.images,
        "accuracy_lost_interval": _ends(paired_loss(counts.lost, counts.won, counts.images)),
    }  # fmt: skip
    return Remedy(works=counts.works, summary=summary, statistics=statistics, model=model if counts.works else None)


def _ends(interval: tuple[NDArray[np.float64], NDArray[np.float64]]) -> tuple[float, float]:
    """An interval as it is told."""
    return round(float(interval[0]), 4), round(float(interval[1]), 4)


def blob_name(name: str, index: int) -> str:
    """What a repaired model is called: `repaired-CLASS.onnx`, the class in letters that any system takes.

    Args:
        name: Of the class.
        index: Of the class, for names without such letters.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    return f"repaired-{plain or index}.onnx"


def is_model(name: str) -> bool:
    """Whether a blob of an audit's record is a repaired model."""
    return name.startswith("repaired-") and name.endswith(".onnx")


def with_remedies(result: CheckResult, measured: Mapping[str, Any]) -> CheckResult:
    """A shortcut audit's result, its findings with what was tried for them.

    Args:
        result: Of the shortcut audit.
        measured: The blob `measured` of the last remedy chunk: remedies by the ids of findings.
    """
    findings = [finding.model_copy(update={"remedy": Remedy(**measured[finding.id])}) if finding.id in measured
                else finding for finding in result.findings]  # fmt: skip
    return result.model_copy(update={"findings": findings})
