"""The check `drift`: does a dataset, last week's pictures say, still look like the one that the atlas was made of?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from atlas_core.audit.findings import CheckResult, Finding
from atlas_core.cards import Card
from atlas_core.drift_plan import LEAST_IMAGES, DriftRequest, plan_drift, resolve
from atlas_core.keys import digest

if TYPE_CHECKING:
    from atlas_core.audit.context import Context
    from atlas_core.plan import Chunk, Other, Plan

NAME = "drift"
SHOWN = 10
"""Cells of a layer that are told."""
Told = dict[str, Any]


class Options(Card):
    """How the two sets are compared: as in a request for drift; `alpha` is that of the smallest share seen, too."""

    alpha: float = Field(default=0.01, ge=0.0001, le=0.5)
    compared_images: int = Field(default=2000, ge=LEAST_IMAGES, le=4000)
    permutations: int = Field(default=999, ge=99, le=9999)


class Thresholds(Card):
    """What may not go unnoticed: that a share of `detect` of the images were replaced by others of one kind."""

    detect: float = Field(default=0.2, gt=0, le=1)


def chunks(context: Context, options: Options) -> list[Chunk]:
    """The chunks that compare the dataset with the atlas's own; none without one.

    Raises:
        SpecError: There are too few images.
    """
    planned = _planned(context, options)
    return [] if planned is None else planned.own


def others(context: Context, options: Options) -> tuple[Other, ...]:
    """What some of these chunks are about in place of the atlas's dataset."""
    planned = _planned(context, options)
    return () if planned is None else planned.others


def _planned(context: Context, options: Options) -> Plan | None:
    if context.drift is None:
        return None
    request = DriftRequest(dataset=context.drift.id, layers=list(context.layers), images=options.compared_images,
                           permutations=options.permutations, alpha=options.alpha, seed=context.seed)  # fmt: skip
    return plan_drift(context.atlas, resolve(request, context.atlas, context.drift), context.drift)


def judge(measured: Told, thresholds: Thresholds) -> CheckResult:
    """Judge what differs: drift fails; none found passes where enough of it would have been.

    Args:
        measured: A drift's description.
        thresholds: The policy's.
    """
    alpha, p, share = measured["request"]["alpha"], measured["p"], measured["smallest_share"]
    names = {which: told["name"] for which, told in measured["sets"].items()}
    findings = [_finding(name, layer, names) for name, layer in measured["layers"].items() if layer["q"] <= alpha]
    between = f"{names['dataset']} and {names['atlas']}"
    seen = "of no share for certain" if share is None else f"of {share:.0%} of the images"
    noise = {f"{name}: discrepancy": layer["mmd"]["null_deviation"] for name, layer in measured["layers"].items()}
    verdict, reason, needs = "pass", f"no drift between {between} (p {p:.2g}); one {seen} would have been seen", None
    if findings:
        verdict, reason = "fail", findings[0].title
    elif share is None or share > thresholds.detect:
        verdict = "inconclusive"
        reason = f"no drift between {between} (p {p:.2g}), and only one {seen} would have been seen"
        needs = f"more images of {names['dataset']}, so that one of {thresholds.detect:.0%} would be seen"
    return CheckResult.model_validate({"check": NAME, "verdict": verdict, "reason": reason, "needs": needs,
                                       "coverage": 1, "noise": noise, "findings": findings,
                                       "tables": _tables(measured)})  # fmt: skip


def _finding(name: str, layer: Told, names: Told) -> Finding:
    """A layer at which the two sets differ, named by the layer and not by the dataset: next week's is another."""
    cells = layer["cells"]["moved"]
    where = f", most of all in {len(cells)} cells of the map" if cells else ""
    statistics = {"q": layer["q"], "discrepancy": layer["mmd"]["value"], "smallest_share": layer["smallest_share"],
                  "cells": len(cells), "without_home": layer["without_home"]["share"]}  # fmt: skip
    return Finding(id=digest([NAME, name])[:16], check=NAME, gate=True, layer=name, statistics=statistics,
                   title=f"{names['dataset']} differs from {names['atlas']}{where} (p {layer['q']:.2g})",
                   policy_key=f"{NAME}.alpha")  # fmt: skip


def _tables(measured: Told) -> Told:
    """What a report shows besides: the cells that moved, and the classes that differ."""
    cells = [{"layer": name, "side": layer["cells"]["side"],
              **{field: cell[field] for field in ("column", "row", "change", "atlas", "dataset", "q")},
              "images": [patch["image"] for patch in cell["exemplars"]]}
             for name, layer in measured["layers"].items() for cell in layer["cells"]["moved"][:SHOWN]]  # fmt: skip
    alpha = measured["request"]["alpha"]
    classes = {kind: [one for one in (mix or {"classes": []})["classes"] if one["q"] <= alpha]
               for kind, mix in measured["classes"].items()}  # fmt: skip
    return {"sets": measured["sets"], "shared_images": measured["shared_images"], "cells": cells, "classes": classes}
