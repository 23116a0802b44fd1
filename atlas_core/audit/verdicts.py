"""The verdict on what a shortcut audit measured: what stands out against its controls, and what kind of thing it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from atlas_core.audit.anywhere import again_anywhere, anywhere, finding_anywhere, redrawn
from atlas_core.audit.findings import CheckResult, Evidence, Finding, FoundAt, Target
from atlas_core.audit.screening import allowance
from atlas_core.cards import Card
from atlas_core.keys import digest
from atlas_core.statistics import adjusted, fisher_greater, wilson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Measured = Mapping[str, Any]

LEAST_BASES = 100
"""Distinct base images under which nothing is said for certain."""
LEAST_CONTROLS = 10
"""Distinct images that a class's control crops are cut from, under which they stand for a few pictures."""
LEAST_EXEMPLARS = 2
"""Exemplars that must flip images each by itself: one lucky picture is no concept."""
SHOWN = 10


class Thresholds(Card):
    """What counts as a finding, and which findings fail the audit.

    A cell is found where its flips exceed the control's by `margin`, interval against interval, and are no chance at
    `q` over all tests; of patches of more than a quarter of the side by more, as their area is larger. With
    `gate = "shortcuts"` those fail the audit that do the same cut from pictures of other classes, or that lie at one
    place of their pictures, spread by less than `fixed` of its side: what only pictures of the class have, here and
    there, may be what makes the class.
    """

    margin: float = Field(default=0.2, ge=0, le=1)
    q: float = Field(default=0.05, gt=0, le=0.5)
    fixed: float = Field(default=0.08, ge=0, le=1)
    gate: Literal["shortcuts", "all"] = "shortcuts"


class Judged(NamedTuple):
    """A candidate with all that is said of it."""

    value: Mapping[str, Any]
    control: Mapping[str, Any]
    low: float
    high: float
    control_low: float
    control_high: float
    q: float
    again: float
    """How likely another seed's pastes on other images find it too."""

    def excess(self) -> float:
        """Flips beyond the control's, interval against interval."""
        return self.low - self.control_high

    def rank(self) -> float:
        """Sorts the strongest first, each by what a patch of its size may do."""
        return -self.excess() / allowance(self.value["share"])

    def found(self, thresholds: Thresholds) -> bool:
        """Whether it stands out."""
        flipping = sum(one["hits"] > 0 for one in self.value["exemplars"])
        several = flipping >= min(LEAST_EXEMPLARS, len(self.value["exemplars"]))
        return several and self.q < thresholds.q and self.excess() > thresholds.margin * allowance(self.value["share"])

    @property
    def certain(self) -> bool:
        """Whether there were images enough, of those pasted on and of those that the control was cut from."""
        return self.value["bases"] >= LEAST_BASES and _certain(self.control)


def judge(measured: Measured, thresholds: Thresholds) -> CheckResult:
    """Say what a shortcut audit found.

    Args:
        measured: The blob `measured` of its last chunk.
        thresholds: What counts as a finding.
    """
    judged = sorted(_judged(measured, thresholds.margin), key=Judged.rank)
    found = [one for one in judged if one.found(thresholds)]
    findings = [_finding(one, measured, thresholds) for one in found]
    findings += _anywhere(measured, thresholds)
    gating = [finding for finding in findings if finding.gate]
    bases = measured["base"]["confirming"]
    verdict: Literal["pass", "fail", "inconclusive"] = "fail" if gating else "pass"
    needs = None
    if not gating and (doubt := _doubt(measured, judged)):
        verdict, needs = "inconclusive", doubt
    return CheckResult(
        check="shortcuts", verdict=verdict, reason=_reason(verdict, findings, measured), needs=needs,
        coverage=round(measured["screened"] / measured["tests"], 4) if measured["tests"] else 0.0,
        noise=_noise(judged, found, again_anywhere(measured, thresholds.margin), verdict),
        forward_passes=measured["passes"], findings=findings,
        tables={"base_images": bases, "tests": measured["tests"], "screened": measured["screened"],
                "sizes": measured["sizes"],
                "strongest": [_row(one, measured, thresholds) for one in judged[:SHOWN]]},
    )  # fmt: skip


def _anywhere(measured: Measured, thresholds: Thresholds) -> list[Finding]:
    """Classes that the grain of their pictures gives away."""
    return [finding_anywhere(one, measured, _certain(one.measured)) for one in anywhere(measured)
            if one.found(thresholds.margin, thresholds.q)]  # fmt: skip


def _certain(control: Mapping[str, Any]) -> bool:
    return bool(control["bases"] >= LEAST_BASES and control["images"] >= LEAST_CONTROLS)


def _judged(measured: Measured, margin: float) -> list[Judged]:
    values, controls = measured["candidates"], measured["controls"]
    if not values:
        return []
    mine = [controls[f"{one['target']} {one['size']}"] for one in values]
    hits, n = (np.array([one[name] for one in values]) for name in ("hits", "n"))
    control_hits, control_n = (np.array([one[name] for one in mine]) for name in ("hits", "n"))
    p = np.ones(max(measured["tests"], len(values)))
    p[: len(values)] = fisher_greater(hits, n, control_hits, control_n)  # all that was not confirmed is at 1
    q = adjusted(p)[: len(values)]
    (low, high), (control_low, control_high) = wilson(hits, n), wilson(control_hits, control_n)
    allowed = np.array([allowance(one["share"]) for one in values])
    again = _again(hits, n, control_hits, control_n, margin * allowed)
    return [Judged(*row) for row in zip(values, mine, *(column.tolist() for column in (
        low, high, control_low, control_high, q, again)), strict=True)]  # fmt: skip


def _again(hits: NDArray[np.int64], n: NDArray[np.int64], control_hits: NDArray[np.int64],
           control_n: NDArray[np.int64], margin: NDArray[np.float64]) -> NDArray[np.float64]:  # fmt: skip
    """How likely each candidate clears the margin with other pastes: shares drawn as they may be, then pastes anew."""
    random = np.random.Generator(np.random.Philox(key=0))
    low, _ = wilson(redrawn(random, hits, n), n)
    _, high = wilson(redrawn(random, control_hits, control_n), control_n)
    return np.asarray((low > high + margin).mean(axis=0))


def _noise(
    judged: Sequence[Judged], found: Sequence[Judged], classes: Sequence[float], verdict: str
) -> dict[str, float | int | None]:
    """Half the width of the flips' intervals, and how likely other pastes on other images give another verdict."""
    if not judged:
        return {"half_width": None, "another_verdict": None}
    half = float(np.median([(one.high - one.low) / 2 for one in (found or judged)]))
    nothing = float(np.prod([1 - again for again in (*(one.again for one in judged), *classes)]))
    return {"half_width": round(half, 4), "another_verdict": round(nothing if verdict == "fail" else 1 - nothing, 4)}


def _doubt(measured: Measured, judged: Sequence[Judged]) -> str | None:
    """What would be needed to be sure that nothing is wrong; None where enough was there."""
    base = measured["base"]
    if base["confirming"] < LEAST_BASES:
        wanted = -(-3 * LEAST_BASES // 2)
        return (f"at least {wanted} held-out images that the model recognises, a third of them for the first stage; "
                f"there are {base['screening'] + base['confirming']} of {base['images']}")  # fmt: skip
    few = sorted({one.control["images"] for one in judged if not one.certain})
    if few:
        return (f"at least {LEAST_CONTROLS} pictures that the model takes for each class, to cut controls from; some "
                f"classes have {few[0]}, and crops of so few stand for nothing but themselves")  # fmt: skip
    return None if judged else "cells of 10 samples or more, of which there are none; map more images"


def kind_of(one: Judged, thresholds: Thresholds) -> tuple[str, str]:
    """Whether what was found is a shortcut or may be a feature of the class, and why."""
    value, strays = one.value, one.value["strays"]
    margin = thresholds.margin * allowance(value["share"])
    if strays["n"] and wilson(strays["hits"], strays["n"])[0] > one.control_high + margin:
        return "shortcut", f"crops of {strays['images']} pictures of other classes do the same"
    if value["spread"] < thresholds.fixed:
        return "shortcut", "it always lies at the same place of its pictures, as nothing in the world does"
    if strays["n"]:
        return "feature", "the same cell in pictures of other classes does nothing of the kind"
    return "feature", "only pictures of the class have it, so it may be what makes the class: look at it"


def _finding(one: Judged, measured: Measured, thresholds: Thresholds) -> Finding:
    value = one.value
    kind, why = kind_of(one, thresholds)
    name = measured["classes"][value["target"]]
    share, control = value["hits"] / value["n"], one.control["hits"] / max(1, one.control["n"])
    gate = one.certain and (kind == "shortcut" or thresholds.gate == "all")
    title = (f"Pasted on other pictures, what cell {value['column']}-{value['row']} of {value['layer']} shows turns "
             f"{share:.0%} of them into {name!r}; random crops of {name!r} turn {control:.0%}")  # fmt: skip
    return Finding(
        id=digest(["shortcuts", value["layer"], value["column"], value["row"], value["target"]])[:16],
        check="shortcuts", title=title, gate=gate, layer=value["layer"], side=measured["side"],
        cell=FoundAt(column=value["column"], row=value["row"]),
        target=Target(index=value["target"], name=name),
        statistics={**_statistics(one), "kind": kind, "why": why}, direction=value["direction"],
        evidence=[Evidence(**entry) for entry in value.get("evidence", ())],
        policy_key="shortcuts.margin",
    )  # fmt: skip


def _statistics(one: Judged) -> dict[str, Any]:
    value, control = one.value, one.control
    shares = [each["hits"] / each["n"] for each in value["exemplars"] if each["n"]]
    strays = value["strays"]
    told: dict[str, Any] = {
        "flips": round(value["hits"] / value["n"], 4), "flips_interval": (round(one.low, 4), round(one.high, 4)),
        "control": round(control["hits"] / max(1, control["n"]), 4),
        "control_interval": (round(one.control_low, 4), round(one.control_high, 4)),
        "q": float(f"{one.q:.3g}"), "pastes": value["n"], "base_images": value["bases"],
        "control_images": control["images"], "size": value["pixels"],
        "gain": value["gain"], "gain_interval": tuple(value["gain_interval"]), "gain_rank": value["gain_rank"],
        "lowest_exemplar": round(min(shares, default=0), 4), "exemplars": len(shares),
        "exemplars_that_flip": sum(share > 0 for share in shares),
        "images": value["images"], "samples": value["count"], "spread": value["spread"],
        "another_seed_finds_it": round(one.again, 3),
    }  # fmt: skip
    if value["labelled"]:
        low, high = wilson(value["own"], value["labelled"])
        told |= {"purity": round(value["own"] / value["labelled"], 4),
                 "purity_interval": (round(float(low), 4), round(float(high), 4))}  # fmt: skip
    if strays["n"]:
        low, high = wilson(strays["hits"], strays["n"])
        told |= {"strays": round(strays["hits"] / strays["n"], 4), "strays_images": strays["images"],
                 "strays_interval": (round(float(low), 4), round(float(high), 4))}  # fmt: skip
    return told


def _row(one: Judged, measured: Measured, thresholds: Thresholds) -> dict[str, Any]:
    """A candidate in the table of the strongest, found or not."""
    value = one.value
    return {"layer": value["layer"], "column": value["column"], "row": value["row"],
            "class": measured["classes"][value["target"]], "found": one.found(thresholds), "certain": one.certain,
            "evidence": list(value.get("evidence", ())), **_statistics(one)}  # fmt: skip


def _reason(verdict: str, findings: Sequence[Finding], measured: Measured) -> str:
    tested = f"{measured['screened']:,} of {measured['tests']:,} tests of cells and sizes were made"
    if verdict == "fail":
        gating = [one for one in findings if one.gate]
        names = ", ".join(dict.fromkeys(repr(one.target.name) for one in gating if one.target))
        things = "1 thing makes" if len(gating) == 1 else f"{len(gating)} things make"
        return f"{things} the model see {names} in pictures of other classes; {tested}"
    if verdict == "inconclusive":
        return f"there are too few images to be sure; {tested}"
    if findings:
        return f"what makes the model see a class may be what makes the class, in all that was found; {tested}"
    return f"no cell turns pictures into a class by more than the margin over random crops of it; {tested}"
