"""The second detector: properties of whole pictures that make the model see a class. method.md, section 9, point 8.

A class's pictures are compared with all others'; what goes with the class is given to base images of other classes, and
it is counted how many the model then takes for it, against the same done with another class's property.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from atlas_core.audit.context import parts_of
from atlas_core.audit.findings import CheckResult, Evidence, Finding, Target, Verdict, with_more
from atlas_core.audit.noise import anew, another_verdict
from atlas_core.audit.traits import TRAITS
from atlas_core.cards import Card
from atlas_core.errors import SpecError
from atlas_core.keys import digest
from atlas_core.plan import Chunk
from atlas_core.statistics import adjusted, fisher_greater, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.audit.context import Context

    Measured = Mapping[str, Any]

VERSION = 3
"""Raised whenever the same request would measure something else."""
SCREENING = 0.5
"""Of the forward passes, for the first stage."""
MOST_PARTS = 16
LEAST_BASES = 100
"""Distinct base images under which nothing is said for certain."""
LEAST_DONORS = 20
LEAST_KEPT = 8
SHOWN = 12


class Options(Card):
    """What is measured.

    Properties are learned from `donors` pictures of each class. In the first stage `screen` base images are given each
    that goes with a class; the share `keep` of them that flipped most, and at least 8, are given to `confirm`.
    """

    donors: int = Field(default=96, ge=LEAST_DONORS, le=512)
    screen: int = Field(default=40, ge=10, le=400)
    confirm: int = Field(default=200, ge=50, le=2000)
    keep: float = Field(default=0.12, gt=0, le=1)


class Thresholds(Card):
    """What counts as a finding, and which findings fail the audit.

    A property is found where its flips exceed the control's by `margin`, interval against interval, and are no chance
    at `q` over all classes and properties. With `gate = "shortcuts"` those fail the audit that lie at the edges of the
    class's pictures, or of whose flips at least `spread` are left where they are learned from these edges alone: what
    sits on the thing may be what makes it.
    """

    margin: float = Field(default=0.2, ge=0, le=1)
    q: float = Field(default=0.05, gt=0, le=0.5)
    spread: float = Field(default=0.5, ge=0, le=1)
    gate: Literal["shortcuts", "all"] = "shortcuts"


def chunks(context: Context, options: Options) -> list[Chunk]:
    """The chunks that look for properties: what goes with classes, parts of two stages, and what they found together.

    Args:
        context: Of the audit.
        options: What is measured.

    Raises:
        SpecError: Nothing is labelled, or the model says no classes.
    """
    atlas = context.atlas
    if atlas.dataset.classes is None:
        raise SpecError(f"the images of {atlas.dataset.name!r} have no labels, so nothing tells what goes with a "
                        "class; leave the check `properties` out, or give labels")  # fmt: skip
    if atlas.model.classes is None:
        raise SpecError(f"the model {atlas.model.card.name!r} has no logits, so no property can change its class")
    collected = [chunk.key for chunk in atlas.find("collect")]
    common: dict[str, Any] = {"seed": context.seed, "options": options.model_dump(mode="json"), "version": VERSION,
                              "model": atlas.model.id, "dataset": atlas.dataset.digest}  # fmt: skip
    traits = Chunk.of("publish", {"step": "traits", **common}, collected)
    common |= {"passes": context.passes, "base": list(context.base), "layer": context.layers[-1]}
    stands_on = [*collected, *context.base, traits.key]
    pairs = atlas.model.classes * len(TRAITS)
    given = parts_of("give", min(SCREENING * context.passes, pairs * options.screen), MOST_PARTS, common, stands_on)
    most = max(LEAST_KEPT, options.keep * pairs) * 2 * options.confirm
    confirmed = parts_of("give again", min(context.passes, most), MOST_PARTS, common,
                       [*stands_on, *(part.key for part in given)])  # fmt: skip
    last = Chunk.of("publish", {"step": "properties", **common},
                    [*stands_on, *(part.key for part in (*given, *confirmed))])  # fmt: skip
    return [traits, *given, *confirmed, last]


def judge(measured: Measured, thresholds: Thresholds) -> CheckResult:
    """Say which properties make the model see a class.

    Args:
        measured: The blob `measured` of the last chunk.
        thresholds: What counts as a finding.
    """
    tests = judged(measured)
    passed = (one for one in tests if one["q"] < thresholds.q and one["excess"] > thresholds.margin)
    found = together(passed, thresholds.spread)
    findings = [_finding(one, thresholds, certain=measured["base"]["images"] >= LEAST_BASES) for one in found]
    verdict: Verdict = "fail" if any(one.gate for one in findings) else "pass"
    needs = None if verdict == "fail" else _lacking(measured)
    verdict = "inconclusive" if needs else verdict
    pairs = measured["pairs"]
    return CheckResult(
        check="properties", verdict=verdict, reason=_reason(measured, findings), needs=needs,
        coverage=round(measured["looked_at"] / pairs, 4) if pairs else 0.0,
        noise={"half_width": max((one["half_width"] for one in found or tests), default=None),
               "another_verdict": _another_verdict(verdict, tests, thresholds)},
        forward_passes=measured["passes"], findings=findings,
        tables={"strongest": [_row(one) for one in tests[:SHOWN]], "associations": measured["associations"],
                "files": measured["files"], "base_images": measured["base"]["images"],
                "classes": measured["classes"], "pairs": pairs},
    )  # fmt: skip


def judged(measured: Measured) -> list[dict[str, Any]]:
    """The tests with intervals and adjusted p, those that exceed their control most first."""
    tests: Sequence[Mapping[str, Any]] = measured["tests"]
    if not tests:
        return []
    hits, n, control_hits, control_n = (np.array([one[name] for one in tests])
                                        for name in ("flips", "given", "control_flips", "control_given"))  # fmt: skip
    p = np.ones(max(measured["pairs"], len(tests)))  # what was not given twice counts as chance
    p[: len(tests)] = fisher_greater(hits, n, control_hits, control_n)
    (low, high), (control_low, control_high) = wilson(hits, n), wilson(control_hits, control_n)
    columns = {"q": adjusted(p), "low": low, "high": high, "control_low": control_low, "control_high": control_high,
               "excess": low - control_high, "half_width": (high - low) / 2}  # fmt: skip
    made = [{**one, **{name: round(float(values[place]), 6) for name, values in columns.items()}}
            for place, one in enumerate(tests)]  # fmt: skip
    return sorted(made, key=lambda one: (-one["excess"], TRAITS.index(one["trait"])))  # of equal places the smallest


def _another_verdict(verdict: Verdict, tests: Sequence[Mapping[str, Any]], thresholds: Thresholds) -> float | None:
    """How likely others of the images that are given them, and of their donors, give another verdict; None of none."""
    random = np.random.Generator(np.random.Philox(key=0))
    again = [(one["class"], float(_counting_again(one, thresholds, random).mean())) for one in tests]
    return another_verdict(verdict, again) if tests else None


def _counting_again(one: Mapping[str, Any], thresholds: Thresholds, random: np.random.Generator) -> NDArray[np.bool_]:
    """Whether a property is held to fail the audit by counts that are drawn anew, shape (draws,)."""
    flips, control = (anew(random, one[name], one[of])
                      for name, of in (("flips", "given"), ("control_flips", "control_given")))  # fmt: skip
    excess = wilson(flips, one["given"])[0] - wilson(control, one["control_given"])[1]
    found = excess > thresholds.margin
    if one["place"] or thresholds.gate == "all":
        return np.asarray(found)
    left = anew(random, round((one["spread"] or 0) * one["flips"]), one["given"])
    return np.asarray(found & (left >= thresholds.spread * flips))


def together(tests: Iterable[dict[str, Any]], spread: float) -> list[dict[str, Any]]:
    """Tests in order, those of a class and a kind as one, which names the others: a tint tints corners and frames too.

    Args:
        tests: The strongest first.
        spread: From which on a property lies on everything.
    """
    kept: dict[tuple[int, bool], dict[str, Any]] = {}
    for one in tests:
        place = one["class"], is_shortcut(one, spread)
        if place in kept:
            kept[place]["also"].append(one["trait"])
        else:
            kept[place] = {**one, "also": []}
    return list(kept.values())


def _lacking(measured: Measured) -> str | None:
    """What would be needed to be sure that nothing is wrong; None where enough was there."""
    if not measured["classes"]["looked_at"]:
        return f"classes with {LEAST_DONORS} mapped images or more, of which there are none"
    images = measured["base"]["images"]
    if images < LEAST_BASES:
        return (f"at least {LEAST_BASES} held-out images that the model recognises in the second stage; there are "
                f"{images} of {measured['base']['looked_at']}")  # fmt: skip
    return None


def _reason(measured: Measured, findings: Sequence[Finding]) -> str:
    gating = [one for one in findings if one.gate]
    if gating:
        return with_more(gating[0].title, len(gating) - 1)
    if _lacking(measured):
        return "there are too few images to say that no property of whole pictures decides"
    told = f"of {measured['pairs']:,} pairs of a class and a property of whole pictures none is a shortcut"
    alone = f"; {len(findings)} of them would do, but sit on the thing itself and may be what makes the class"
    return told + (alone if findings else "")


def is_shortcut(one: Mapping[str, Any], least: float) -> bool:
    """Whether a property lies on everything: at the edges of the picture, or learned there it does as much."""
    return one["place"] or (one["spread"] is not None and one["spread"] >= least)


def _finding(one: Mapping[str, Any], thresholds: Thresholds, *, certain: bool) -> Finding:
    shortcut = is_shortcut(one, thresholds.spread)
    kind = "shortcut" if shortcut else "feature"
    share, control = one["flips"] / one["given"], one["control_flips"] / max(1, one["control_given"])
    what = f"the {one['trait']} of" if one["place"] else f"the {one['trait']} that goes with"
    title = (f"Pictures given {what} {one['class_name']!r} are taken for it: {share:.0%} of them, against "
             f"{control:.0%} given another class's")  # fmt: skip
    why = "its pictures have it all over" if shortcut else "it sits on the thing and may be what makes the class"
    if one["place"]:
        why = "it lies at the edges of the picture"
    return Finding(
        id=digest(["properties", one["class"], kind])[:16], check="properties", title=title,
        gate=certain and (shortcut or thresholds.gate == "all"), layer=one["layer"],
        target=Target(index=one["class"], name=one["class_name"]),
        statistics={**_row(one), "kind": kind, "why": why,
                    "also": ", ".join(one["also"])},
        direction=one["direction"], evidence=[Evidence(**entry) for entry in one["evidence"]],
        policy_key="properties.margin",
    )  # fmt: skip


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "property": one["trait"], "class": one["class_name"],
        "flips": round(one["flips"] / one["given"], 4), "flips_interval": (round(one["low"], 4), round(one["high"], 4)),
        "control": round(one["control_flips"] / max(1, one["control_given"]), 4),
        "control_interval": (round(one["control_low"], 4), round(one["control_high"], 4)), "q": one["q"],
        "given": one["given"], "base_images": one["images"], "gain": one["gain"], "spread": one["spread"],
        "separation": one["separation"], "beyond_label": one["beyond"], "donors": one["donors"],
        "donors_that_flip": one["donors_that_flip"],
    }  # fmt: skip
