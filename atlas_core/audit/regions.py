"""Where the model is wrong: regions of the map in which held-out images fail more often than elsewhere, or than before.

A region is a cell, or a block of 3 x 3 cells. An image counts once a region, however many of its samples lie there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from atlas_core.audit.findings import CheckResult, Evidence, Finding, FoundAt, with_more
from atlas_core.cards import Card
from atlas_core.errors import SpecError
from atlas_core.keys import digest
from atlas_core.plan import Chunk
from atlas_core.statistics import adjusted, fisher_greater, mcnemar_greater, paired_loss, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.audit.context import Context

    Measured = Mapping[str, Any]
    Region = dict[str, Any]

VERSION = 2
"""Raised whenever the same request would measure something else."""
LEAST_IMAGES = 100
"""Held-out images under which nothing is said for certain."""
OVERLAP = 0.5
"""Share of a region's wrong images that lie in a worse one, from which on it is that one's."""
SHOWN, A_CHUNK = 12, 500


class Options(Card):
    """What is measured: so many samples of each image, in regions of so many distinct images or more."""

    points: int = Field(default=4, ge=1, le=32)
    least: int = Field(default=50, ge=10, le=1000)


class Thresholds(Card):
    """What counts as a finding, and which findings fail the audit.

    A region is told where its error exceeds that of all images by `margin`, interval against interval, and is no
    chance at `q` over all regions. It fails the audit where its error surely is over `error`; or where it surely
    exceeds that of a baseline, on the same images, by more than `worse`.
    """

    margin: float = Field(default=0.1, ge=0, le=1)
    q: float = Field(default=0.05, gt=0, le=0.5)
    error: float = Field(default=0.5, ge=0, le=1)
    worse: float = Field(default=0.05, ge=0, le=1)


def chunks(context: Context, options: Options) -> list[Chunk]:
    """The chunks that place held-out images on the map, and the one that compares its regions.

    Args:
        context: Of the audit.
        options: What is measured.

    Raises:
        SpecError: Nothing is labelled, or the model says no classes.
    """
    atlas = context.atlas
    if atlas.dataset.classes is None:
        raise SpecError(f"the images of {atlas.dataset.name!r} have no labels, so nobody can tell where the model is "
                        "wrong; leave the check `regions` out, or give labels")  # fmt: skip
    if atlas.model.classes is None:
        raise SpecError(f"the model {atlas.model.card.name!r} has no logits, so it is neither right nor wrong")
    layers = list(context.layers)
    indexes = [atlas.find("publish", step="index", layer=layer)[0].key for layer in layers]
    common: dict[str, Any] = {"seed": context.seed, "points": options.points, "layers": layers, "version": VERSION,
                              "model": atlas.model.id, "dataset": atlas.dataset.digest}  # fmt: skip
    landed = [
        Chunk.of("publish", {"step": "landed", "base": list(context.base), "start": start, "stop": start + A_CHUNK,
                             **common}, [*indexes, *context.base])
        for start in range(0, min(context.passes, A_CHUNK * len(context.base)), A_CHUNK)
    ]  # fmt: skip
    before = list(context.baseline.base) if context.baseline is not None else []
    cells = [atlas.cells_of(layer).key for layer in layers]
    last = Chunk.of(
        "publish",
        {"step": "regions", "base": list(context.base), "baseline": before, "side": context.side,
         "least": options.least, **common},
        [*(chunk.key for chunk in landed), *cells, *context.base, *before],
    )  # fmt: skip
    return [*landed, last]


def judge(measured: Measured, thresholds: Thresholds) -> CheckResult:
    """Say where the model is wrong.

    Args:
        measured: The blob `measured` of the last chunk.
        thresholds: What counts as a finding.
    """
    regions, whole = judged(measured), measured["whole"]
    error_high = whole["error_interval"][1]
    worst = merged(one for one in regions if one["q"] < thresholds.q and one["low"] > error_high + thresholds.margin)
    worse = merged(sorted((one for one in regions if one["worse_q"] < thresholds.q
                           and one["worse_low"] > thresholds.worse), key=lambda one: -one["worse_low"]))  # fmt: skip
    findings = [_finding(one, measured, gate=one["low"] > thresholds.error) for one in worst]
    findings += [_regression(one, measured) for one in worse]
    verdict: Literal["pass", "fail", "inconclusive"] = "fail" if any(one.gate for one in findings) else "pass"
    reason, needs = _reason(measured, findings), None
    if (doubt := _doubt(measured, thresholds)) is not None:
        verdict, (reason, needs) = "inconclusive", doubt
        findings = [one.model_copy(update={"gate": False}) for one in findings]
    return CheckResult(
        check="regions", verdict=verdict, reason=reason, needs=needs,
        coverage=round(whole["covered"] / whole["asked"], 4) if whole["asked"] else 0.0,
        noise={"half_width": max(((one["high"] - one["low"]) / 2 for one in regions), default=None)},
        forward_passes=measured["passes"], findings=findings,
        tables={"worst": [_row(one) for one in merged(regions)[:SHOWN]], "regions": len(regions), "whole": whole,
                "images": f"{whole['images']} images of {measured['dataset']!r} that the atlas was not made of"},
    )  # fmt: skip


def judged(measured: Measured) -> list[Region]:
    """The regions with intervals and adjusted p, those first whose error is most surely high."""
    regions: Sequence[Mapping[str, Any]] = measured["regions"]
    if not regions:
        return []
    whole = measured["whole"]
    wrong, images = (np.array([one[name] for one in regions]) for name in ("wrong", "images"))
    p = fisher_greater(wrong, images, whole["wrong"] - wrong, whole["images"] - images)
    low, high = wilson(wrong, images)
    columns = {"error": wrong / images, "low": low, "high": high, "q": adjusted(p)}
    columns |= _against([one["lost"] for one in regions], [one["won"] for one in regions], images)
    made = [{**one, **{name: round(float(values[place]), 6) for name, values in columns.items()}}
            for place, one in enumerate(regions)]  # fmt: skip
    return sorted(made, key=lambda one: -one["low"])


def _against(lost: Sequence[int], won: Sequence[int], images: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """How much worse than the baseline's, on the same images."""
    low, high = paired_loss(lost, won, images)
    return {"worse": (np.asarray(lost) - np.asarray(won)) / images, "worse_low": low, "worse_high": high,
            "worse_q": adjusted(mcnemar_greater(lost, won))}  # fmt: skip


def merged(regions: Iterable[Region]) -> list[Region]:
    """Regions in order, but for those whose wrong images lie mostly in one before, which tells how many it stands for.

    Args:
        regions: The worst first.
    """
    kept: list[Region] = []
    sets: list[set[int]] = []
    for one in regions:
        mine = set(one["wrong_images"])
        if not mine:
            continue
        same = next((place for place, other in enumerate(sets) if len(mine & other) > OVERLAP * len(mine)), None)
        if same is None:
            kept.append({**one, "stands_for": 1})
            sets.append(mine)
        else:
            kept[same]["stands_for"] += 1
    return kept


def _doubt(measured: Measured, thresholds: Thresholds) -> tuple[str, str] | None:
    """Why nothing is sure, and what would be needed; None where enough was there."""
    whole = measured["whole"]
    if whole["images"] < LEAST_IMAGES:
        few = f"{whole['images']} labelled held-out images are too few to tell where the model is wrong"
        return few, f"at least {LEAST_IMAGES} of them"
    if not measured["regions"]:
        few = f"no cell, and no 3 x 3 cells, hold {measured['least']} held-out images"
        return few, f"more images, or fewer than {measured['least']} a region by the policy's `least`"
    if whole["error_interval"][0] > thresholds.error:
        everywhere = f"the model is wrong on {whole['error']:.0%} of all images, so no region stands out"
        return everywhere, "a model that is mostly right: check the card's input and the order of the labels"
    return None


def _reason(measured: Measured, findings: Sequence[Finding]) -> str:
    whole = measured["whole"]
    gating = [one for one in findings if one.gate]
    if gating:
        return with_more(gating[0].title, len(gating) - 1)
    stands = "1 stands" if len(findings) == 1 else f"{len(findings)} stand"
    found = f"; {stands} out, within what the policy allows" if findings else ""
    return (f"the model is wrong on {whole['error']:.1%} of {whole['images']:,} held-out images, and none of "
            f"{len(measured['regions']):,} regions fails{found}")  # fmt: skip


def where(one: Mapping[str, Any]) -> str:
    """A region in words."""
    cells = "cell" if one["cells"] == 1 else "the 3 x 3 cells around"
    return f"{cells} {one['column']}-{one['row']} of {one['layer']}"


def _finding(one: Mapping[str, Any], measured: Measured, *, gate: bool) -> Finding:
    whole = measured["whole"]["error"]
    title = (f"The model is wrong on {one['error']:.0%} of the {one['images']} images in {where(one)}, against "
             f"{whole:.0%} of all{_mostly(one)}")  # fmt: skip
    return _told(one, measured, "worst", title, gate=gate, key="regions.error")


def _regression(one: Mapping[str, Any], measured: Measured) -> Finding:
    title = (f"In {where(one)} the model is wrong on {one['lost']} images that the baseline gets right, and right on "
             f"{one['won']} that it gets wrong, of {one['images']}{_mostly(one)}")  # fmt: skip
    return _told(one, measured, "worse", title, gate=True, key="regions.worse")


def _mostly(one: Mapping[str, Any]) -> str:
    return f", mostly {one['confused'][0]['label']!r} as {one['confused'][0]['predicted']!r}" if one["confused"] else ""


def _told(one: Mapping[str, Any], measured: Measured, kind: str, title: str, *, gate: bool, key: str) -> Finding:
    name = [kind, one["layer"], one["column"], one["row"], one["cells"]]
    statistics = {"kind": kind, "of_all": measured["whole"]["error"], **_row(one)}
    return Finding(
        id=digest(["regions", *name])[:16], check="regions", title=title, gate=gate, layer=one["layer"],
        side=measured["side"], cell=FoundAt(column=one["column"], row=one["row"]),
        statistics={field: value for field, value in statistics.items() if field != "confused"},
        direction=one["direction"], evidence=[Evidence(**entry) for entry in one["evidence"]], policy_key=key,
    )  # fmt: skip


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "where": where(one), "images": one["images"], "wrong": one["wrong"], "error": round(one["error"], 4),
        "error_interval": (round(one["low"], 4), round(one["high"], 4)), "q": one["q"],
        "confidence": one["confidence"], "calibration": one["calibration"], "stands_for": one.get("stands_for", 1),
        "confused": one["confused"],
    }  # fmt: skip
    if one["paired"]:
        interval = round(one["worse_low"], 4), round(one["worse_high"], 4)
        told |= {"worse": round(one["worse"], 4), "worse_interval": interval, "worse_q": one["worse_q"],
                 "lost": one["lost"], "won": one["won"]}  # fmt: skip
    return told
