"""What a patch test says of what was measured: flips with intervals, gains, ranks, and a verdict beside controls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from atlas_core.audit.pasting import chance, image_interval
from atlas_core.statistics import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Measured = Mapping[str, NDArray[Any]]  # (sizes, places, bases), of a patch or a control

PLACES = ("fixed", "corners")
CORNERS = 4
CONFIDENCE = 0.95
LEAST_BASES = 100
"""Distinct base images under which nothing is said for certain."""
LEAST_CONTROLS = 10
"""Pictures of the target that control crops come from, likewise."""
CONTROLS = {"crops": "random crops of the target", "noise": "noise"}
Told = dict[str, Any]


def columns(measured: Measured, size: int) -> dict[str, NDArray[np.bool_]]:
    """Whether each base image flipped: at the top left, in the best corner, at a random place; each (bases,)."""
    flipped = measured["flipped"][size]
    found = {"fixed": flipped[0], "corners": flipped[:CORNERS].any(axis=0)}
    return found | ({"random": flipped[CORNERS]} if len(flipped) > CORNERS else {})


def described(
    measured: Measured, rivals: Sequence[Sequence[float]], target: int, sizes: Sequence[float], pixels: Sequence[int],
    seed: int,
) -> Told:  # fmt: skip
    """A patch at every size.

    Args:
        measured: Of the patch, or of a control's patches that took turns.
        rivals: Mean gain, and its rank among classes, of each rival, which were as large as the last size.
        target: Class.
        sizes: Sides of patches as shares.
        pixels: The same in pixels.
        seed: Of what is drawn by chance.

    Returns:
        `sizes`, an entry each, `best_size`, the place of that with most flips in the best corner, and among `rivals`
        the p of the patch's gain.
    """
    rows = [_size(measured, number, target, seed) | {"size": sizes[number], "pixels": pixels[number]}
            for number in range(len(sizes))]  # fmt: skip
    best = int(np.argmax([row["corners"]["hits"] for row in rows]))
    told: Told = {"sizes": rows, "best_size": best}
    if rivals:
        higher = sum(gain >= rows[-1]["gain"] for gain, _ in rivals)
        told["rivals"] = {"n": len(rivals), "higher": higher, "p": _short((1 + higher) / (1 + len(rivals)))}
    return told


def _size(measured: Measured, size: int, target: int, seed: int) -> Told:
    gain, mean = measured["gain"][size][0], measured["mean_gain"][size]
    low, high = image_interval(gain, np.arange(len(gain)), chance("gain", seed, size))
    best = measured["probability"][size][:CORNERS].max(axis=0)
    return {
        **{name: share(flipped) for name, flipped in columns(measured, size).items()},
        "gain": _short(gain.mean()), "gain_interval": [_short(low), _short(high)],
        "gain_rank": 1 + int((mean > mean[target]).sum()),
        "probability": {"fixed": _short(measured["probability"][size][0].mean()), "corners": _short(best.mean())},
    }  # fmt: skip


def share(flipped: NDArray[np.bool_]) -> Told:
    """Flips of base images, one paste each, with Wilson's interval."""
    low, high = wilson(flipped.sum(), len(flipped))
    return {"hits": int(flipped.sum()), "n": len(flipped), "share": _short(flipped.mean()),
            "interval": [_short(low), _short(high)]}  # fmt: skip


def pooled(measured: Sequence[Measured], sizes: Sequence[float], pixels: Sequence[int], seed: int) -> list[Told]:
    """All patches together at every size; intervals by drawing base images anew, for one image has many pastes.

    `judged` is the interval that the verdict goes by: wide enough for those of all sizes together to hold at 95 %.
    """
    found = []
    for number in range(len(sizes)):
        parts = [columns(one, number) for one in measured]
        told: Told = {"size": sizes[number], "pixels": pixels[number]}
        for name in parts[0] if parts else ():
            flipped = np.stack([part[name] for part in parts])  # (patches, bases)
            owner = np.tile(np.arange(flipped.shape[1]), len(flipped))
            ends = [image_interval(flipped.ravel().astype(np.float64), owner, chance("pooled", seed, number, name), one)
                    for one in (CONFIDENCE, confidence(len(sizes)))]  # fmt: skip
            interval, judged = ([_short(end) for end in one] for one in ends)
            told[name] = {"hits": int(flipped.sum()), "n": flipped.size, "share": _short(flipped.mean()),
                          "interval": interval}  # fmt: skip
            told |= {"judged": judged} if name == "corners" else {}
        found.append(told)
    return found


def confidence(sizes: int) -> float:
    """Of each of so many intervals that together hold at 95 % (Bonferroni)."""
    return 1 - (1 - CONFIDENCE) / sizes


def verdict(
    pooled: Sequence[Told], controls: Mapping[str, Told], bases: int, control_images: int
) -> tuple[Literal["flips", "no flips", "inconclusive"], str, str | None]:
    """Whether the patches flip more than controls do: at some size, in the best corner, as is counted of both.

    That the size is found by what it does is made good by wider intervals, for as many sizes as there are. The sentence
    speaks of the size that proves it; where none does, of that at which most flip, so that it never hides flips.

    Args:
        pooled: From `pooled`.
        controls: `described` of each control.
        bases: Base images.
        control_images: Pictures of the target that crops were cut from.

    Returns:
        The verdict, why in a sentence, and what would be needed where it is inconclusive.
    """
    if not pooled or "corners" not in pooled[0]:
        return "inconclusive", "nothing could be pasted", "base images that the model recognises, and a patch"
    margins = [own["judged"][0] - max((_ceiling(control["sizes"][number]["corners"], len(pooled))
                                       for control in controls.values()), default=0.0)
               for number, own in enumerate(pooled)]  # fmt: skip
    proven = max(margins) > 0
    size = int(np.argmax(margins if proven else [own["corners"]["share"] for own in pooled]))
    reason = _reason(pooled, controls, size, bases, "they flip most beyond controls" if proven else "they flip most")
    if bases < LEAST_BASES:
        return "inconclusive", reason, f"{LEAST_BASES} recognised base images or more; there are {bases}"
    if control_images < LEAST_CONTROLS:
        needs = f"{LEAST_CONTROLS} pictures or more that the model takes for the target, to cut controls from"
        return "inconclusive", reason, f"{needs}; there are {control_images}"
    return ("flips" if proven else "no flips"), reason, None


def _reason(pooled: Sequence[Told], controls: Mapping[str, Told], size: int, bases: int, where: str) -> str:
    """What patches and controls do at one size, all in the best corner."""
    told = ", ".join(f"{CONTROLS[name]} {percent(one['sizes'][size]['corners']['share'])}"
                     for name, one in controls.items())  # fmt: skip
    where = f", the one of {len(pooled)} sizes at which {where}," if len(pooled) > 1 else ""
    return (f"patches of {percent(pooled[size]['size'])} of the picture's side{where} flip "
            f"{percent(pooled[size]['corners']['share'])} of {bases} images in the best corner; {told}")  # fmt: skip


def percent(share: float) -> str:
    """A share as it is told everywhere of a patch test: to a tenth, halves up, but for whole ones."""
    tenths = math.floor(1000 * share + 0.5)
    return f"{tenths // 10} %" if tenths % 10 == 0 else f"{tenths / 10:.1f} %"


def _ceiling(control: Told, sizes: int) -> float:
    """Upper end of a control's interval, for as many sizes as there are."""
    return float(wilson(control["hits"], control["n"], confidence(sizes))[1])


def _short(value: Any) -> float:
    return float(f"{float(value):.4g}")
