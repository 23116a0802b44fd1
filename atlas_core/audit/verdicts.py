"""The verdict on what a shortcut audit measured: what stands out against its controls, and what would be needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from atlas_core.audit.findings import CheckResult, Evidence, Finding, FoundAt, Target, Verdict
from atlas_core.audit.kinds import KINDS, WHY, Kind, drawn_anew, grounds_of, purity, ruled
from atlas_core.audit.noise import another_verdict
from atlas_core.cards import Card
from atlas_core.keys import digest
from atlas_core.statistics import adjusted, fisher_greater, wilson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Measured = Mapping[str, Any]

LEAST_BASES = 100
"""Distinct base images under which nothing is said for certain."""
LEAST_CONTROLS = 10
"""Distinct images that a class's control crops are cut from, under which they stand for a few pictures."""
LEAST_EXEMPLARS = 2
"""Exemplars that must flip images each by itself: one lucky picture is no concept."""
UNSURE = 1 / 3
"""Chance of another verdict beyond which what stands out fails nothing: a failure is what two of three seeds say."""
SHOWN = 10


class Thresholds(Card):
    """What counts as a finding, and which findings fail the audit.

    A cell is found where its flips exceed the control's by `margin`, interval against interval, and are no chance at
    `q` over all tests; of patches of more than a quarter of the side by more, as their area is larger. `fixed` is how
    far from one place, in sides of the picture, what always lies there may be; never more than a third as far as what
    shows other classes. With `gate = "shortcuts"` features of
    the class (`atlas_core.audit.kinds`) are told and do not count; with `all` they fail the audit too.
    """

    margin: float = Field(default=0.2, ge=0, le=1)
    q: float = Field(default=0.05, gt=0, le=0.5)
    fixed: float = Field(default=0.1, ge=0, le=1)
    gate: Literal["shortcuts", "all"] = "shortcuts"


class Judged(NamedTuple):
    """A candidate with all that is said of it.

    `slack` is by how much it clears what it must, below 0 it does not; `again` how likely another seed holds it to
    count.
    """

    value: dict[str, Any]
    control: Mapping[str, Any]
    kind: Kind
    slack: float
    q: float
    again: float

    def found(self, thresholds: Thresholds) -> bool:
        """Whether it stands out."""
        flipping = sum(one["hits"] > 0 for one in self.value["exemplars"])
        several = flipping >= min(LEAST_EXEMPLARS, len(self.value["exemplars"]))
        return several and self.q < thresholds.q and self.slack > 0

    def counts(self, thresholds: Thresholds) -> bool:
        """Whether it is a finding."""
        return self.found(thresholds) and (self.kind != "feature" or thresholds.gate == "all")

    @property
    def certain(self) -> bool:
        """Whether there were images enough, of those pasted on and of those that the control was cut from."""
        return bool(self.value["bases"] >= LEAST_BASES) and _certain(self.control)


def judge(measured: Measured, thresholds: Thresholds) -> CheckResult:
    """Say what a shortcut audit found.

    Args:
        measured: The blob `measured` of its last chunk.
        thresholds: What counts as a finding.
    """
    judged = ranked(measured, thresholds)
    counting = _once([one for one in judged if one.counts(thresholds)])
    unsure: list[Judged] = []
    if _another(judged, "fail") > UNSURE:
        counting, unsure = unsure, counting
    findings = [_finding(one, measured) for one in counting]
    gating = [finding for finding in findings if finding.gate]
    features = _once([one for one in judged if one.found(thresholds) and not one.counts(thresholds)])
    verdict: Verdict = "fail" if gating else "pass"
    needs = _doubt(measured, judged)  # told of a failure too: its findings may be accepted
    if needs and not gating:
        verdict = "inconclusive"
    return CheckResult(
        check="shortcuts", verdict=verdict, needs=needs,
        reason=_reason(verdict, gating, measured, features=len(features), unsure=len(unsure)),
        coverage=round(measured["screened"] / measured["tests"], 4) if measured["tests"] else 0.0,
        noise=_noise(judged, counting, verdict),
        forward_passes=measured["passes"], findings=findings,
        tables={"base_images": measured["base"]["confirming"], "tests": measured["tests"],
                "screened": measured["screened"], "sizes": measured["sizes"],
                "features": [_row(one, measured, thresholds) for one in features],
                "unsure": [_row(one, measured, thresholds) for one in unsure],
                "strongest": [_row(one, measured, thresholds) for one in judged[:SHOWN]]},
    )  # fmt: skip


def _once(judged: Sequence[Judged]) -> list[Judged]:
    """Each cell once, at the size at which it is strongest."""
    cells = {(one.value["layer"], one.value["column"], one.value["row"]): one for one in reversed(judged)}
    return [one for one in judged if any(one is kept for kept in cells.values())]


def ranked(measured: Measured, thresholds: Thresholds) -> list[Judged]:
    """The candidates of an audit, the strongest first: those that count, features that stand out, and the rest."""
    order = _judged(measured, thresholds)
    return sorted(order, key=lambda one: (not one.counts(thresholds), not one.found(thresholds), -one.slack))


def _certain(control: Mapping[str, Any]) -> bool:
    return bool(control["bases"] >= LEAST_BASES and control["images"] >= LEAST_CONTROLS)


def _judged(measured: Measured, thresholds: Thresholds) -> list[Judged]:
    values, controls = measured["candidates"], measured["controls"]
    if not values:
        return []
    mine = [controls[f"{one['target']} {one['size']}"] for one in values]
    hits, n = (np.array([one[name] for one in values]) for name in ("hits", "n"))
    control_hits, control_n = (np.array([one[name] for one in mine]) for name in ("hits", "n"))
    p = np.ones(max(measured["tests"], len(values)))
    p[: len(values)] = fisher_greater(hits, n, control_hits, control_n)  # all that was not confirmed is at 1
    random = np.random.Generator(np.random.Philox(key=0))
    found = []
    for value, control, q in zip(values, mine, adjusted(p)[: len(values)].tolist(), strict=True):
        known = grounds_of(value, control, measured["general"][str(value["size"])])
        here, others = (ruled(one, value, thresholds) for one in (known, drawn_anew(known, value, random)))
        counting = (others.slack > 0) & ((others.kind != KINDS.index("feature")) | (thresholds.gate == "all"))
        found.append(Judged(value, control, KINDS[here.kind[0]], float(here.slack[0]), q, float(counting.mean())))
    return found


def _noise(judged: Sequence[Judged], counting: Sequence[Judged], verdict: Verdict) -> dict[str, float | int | None]:
    """Half the width of the flips' intervals, and how likely an audit with another seed gives another verdict."""
    if not judged:
        return {"half_width": None, "another_verdict": None}
    ends = [wilson(one.value["hits"], one.value["n"]) for one in (counting or judged)]
    half = float(np.median([(high - low) / 2 for low, high in ends]))
    return {"half_width": round(half, 4), "another_verdict": _another(judged, verdict)}


def _another(judged: Sequence[Judged], verdict: Verdict) -> float:
    again = (((one.value["layer"], one.value["column"], one.value["row"]), one.again) for one in judged)
    return another_verdict(verdict, again)


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


def _finding(one: Judged, measured: Measured) -> Finding:
    value = one.value
    name = measured["classes"][value["target"]]
    share, control = value["hits"] / value["n"], one.control["hits"] / max(1, one.control["n"])
    title = (f"Pasted on pictures of other classes, pieces from cell {value['column']}-{value['row']} of "
             f"{value['layer']} turn {share:.0%} of them into {name!r}; random pieces of {name!r} turn "
             f"{control:.0%}")  # fmt: skip
    return Finding(
        id=digest(["shortcuts", value["layer"], value["column"], value["row"], value["target"]])[:16],
        check="shortcuts", title=title, gate=one.certain, layer=value["layer"], side=measured["side"],
        cell=FoundAt(column=value["column"], row=value["row"]),
        target=Target(index=value["target"], name=name),
        statistics=_statistics(one), direction=value["direction"],
        evidence=[Evidence(**entry) for entry in value.get("evidence", ())],
        policy_key="shortcuts.margin",
    )  # fmt: skip


def _statistics(one: Judged) -> dict[str, Any]:
    value, control, strays = one.value, one.control, one.value["strays"]
    shares = [each["hits"] / each["n"] for each in value["exemplars"] if each["n"]]
    told: dict[str, Any] = {
        "kind": one.kind, "why": WHY[one.kind], **_share("flips", value), **_share("control", control),
        "q": float(f"{one.q:.3g}"), "pastes": value["n"], "base_images": value["bases"],
        "control_images": control["images"], "size": value["pixels"],
        "gain": value["gain"], "gain_interval": tuple(value["gain_interval"]), "gain_rank": value["gain_rank"],
        "lowest_exemplar": round(min(shares, default=0), 4), "exemplars": len(shares),
        "exemplars_that_flip": sum(share > 0 for share in shares),
        "images": value["images"], "samples": value["count"],
        "another_seed_finds_it": round(one.again, 3),
    }  # fmt: skip
    if value["labelled"]:
        told |= {**_share("purity", {"hits": value["own"], "n": value["labelled"]}), "purity": round(purity(value), 4)}
    told |= {name: value[name] for name in ("spread", "usual_spread") if value[name] is not None}
    if strays["n"]:
        told |= {
            **_share("strays", strays),
            "strays_images": strays["images"],
            "strays_classes": len(strays["by_class"]),
        }
    return told


def _share(name: str, counted: Mapping[str, Any]) -> dict[str, Any]:
    low, high = wilson(counted["hits"], counted["n"])
    return {name: round(counted["hits"] / max(1, counted["n"]), 4),
            f"{name}_interval": (round(float(low), 4), round(float(high), 4))}  # fmt: skip


def _row(one: Judged, measured: Measured, thresholds: Thresholds) -> dict[str, Any]:
    """A candidate in a table, found or not; `slack` is by how much it clears what it must."""
    value = one.value
    return {"layer": value["layer"], "column": value["column"], "row": value["row"],
            "class": measured["classes"][value["target"]], "certain": one.certain,
            "found": one.found(thresholds), "slack": round(one.slack, 4),
            "evidence": list(value.get("evidence", ())), **_statistics(one)}  # fmt: skip


def _reason(verdict: str, gating: Sequence[Finding], measured: Measured, *, features: int, unsure: int) -> str:
    tested = f"{measured['screened']:,} of {measured['tests']:,} tests of cells and sizes were made"
    if verdict == "fail":
        names = ", ".join(dict.fromkeys(repr(one.target.name) for one in gating if one.target))
        things = "1 thing makes" if len(gating) == 1 else f"{len(gating)} things make"
        return f"{things} the model see {names} in pictures of other classes; {tested}"
    if verdict == "inconclusive":
        return f"there are too few images to be sure; {tested}"
    cells = "1 cell does whose pieces seem" if features == 1 else f"{features} cells do whose pieces seem"
    own = f"{cells} to be what makes the class; " if features else ""
    seen = f"{_cells(unsure)} out here and with one other seed in three or more would not; " if unsure else ""
    return f"no piece of picture that is foreign to a class makes the model see it; {seen}{own}{tested}"


def _cells(count: int) -> str:
    return "1 cell stands" if count == 1 else f"{count} cells stand"
