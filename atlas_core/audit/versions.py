"""The check `versions`: what changed since the baseline, and which of it stops a release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from atlas_core.audit.findings import CheckResult, Evidence, Finding, FoundAt, Target
from atlas_core.cards import Card
from atlas_core.errors import SpecError
from atlas_core.keys import digest
from atlas_core.versions.plan import Pair, versions_chunks

if TYPE_CHECKING:
    from atlas_core.audit.context import Context
    from atlas_core.plan import Chunk

NAME = "versions"
LARGEST_ALPHA = 0.05
"""Under which changes are measured; a policy may ask for surer ones."""
Role = Literal["exemplar", "after", "map"]
STATISTICS = ("images", "others", "astray", "old", "new", "p", "q")
Told = dict[str, Any]


class Options(Card):
    """How two versions are compared: `twin_weight` is of the edges between twins on their map."""

    twin_weight: float = Field(default=1.0, ge=0.01, le=100)


class Thresholds(Card):
    """When a change fails the check, where it is surer than `alpha`, adjusted for the number of things looked at.

    `accuracy_lost` is how much lower the accuracy may be, overall; `class_lost` that of a class; `region_lost` that of
    a cell. `changed_cells` are those born, lost and moved: `fail` where a release may have none.
    """

    alpha: float = Field(default=0.05, ge=0.0001, le=LARGEST_ALPHA)
    accuracy_lost: float = Field(default=0.02, ge=0, le=1)
    class_lost: float = Field(default=0.05, ge=0, le=1)
    region_lost: float = Field(default=0.2, ge=0, le=1)
    changed_cells: Literal["report", "fail"] = "report"


def chunks(context: Context, options: Options) -> list[Chunk]:
    """The chunks that compare the baseline with the model; none without a baseline.

    Raises:
        SpecError: The two have other layers, so none stands beside another.
    """
    if context.baseline is None:
        return []
    old, new = context.baseline, context
    if len(old.layers) != len(new.layers):
        raise SpecError(f"the baseline is looked at at {len(old.layers)} layers, the model at {len(new.layers)}; name "
                        "layers that both have in the policy", pointer="/baseline")  # fmt: skip
    pairs = [Pair(*pair) for pair in zip(old.layers, new.layers, strict=True)]
    return versions_chunks(old.atlas, new.atlas, pairs, weight=options.twin_weight, side=min(old.side, new.side),
                           alpha=LARGEST_ALPHA)  # fmt: skip


def judge(measured: Told, thresholds: Thresholds) -> CheckResult:
    """Judge what changed.

    Args:
        measured: A comparison's description.
        thresholds: The policy's.
    """
    found = [*_answers(measured, thresholds), *_cells(measured, thresholds)]
    gating = [one for one in found if one.gate]
    accuracy = measured["accuracy"]
    if accuracy is None:
        return CheckResult(check=NAME, verdict="inconclusive", reason="neither version can be told right or wrong",
                           needs="a labelled dataset", coverage=1, findings=found)  # fmt: skip
    overall = accuracy["overall"]
    told = (f"accuracy {overall['old']:.1%} → {overall['new']:.1%} on {overall['images']:,} images; "
            f"{len(measured['findings'])} changes beyond the noise")  # fmt: skip
    noise = {f"{layer['layer']}: {name}": layer["map"][measure]["floor"] for layer in measured["layers"]
             for name, measure in (("distance of twins", "twins"), ("retrieval of twins", "retrieval"))}  # fmt: skip
    noise["accuracy"] = (overall["high"] - overall["low"]) / 2
    return CheckResult(
        check=NAME, verdict="fail" if gating else "pass", reason=gating[0].title if gating else told, coverage=1,
        noise=noise, findings=found, tables=_tables(measured),
    )  # fmt: skip


def _answers(measured: Told, thresholds: Thresholds) -> Iterator[Finding]:
    accuracy = measured["accuracy"]
    if accuracy is None:
        return
    overall = accuracy["overall"]
    if overall["q"] <= thresholds.alpha and overall["change"] < 0:
        yield _finding("overall", f"Accuracy fell from {overall['old']:.1%} to {overall['new']:.1%}", overall,
                       gate=-overall["change"] > thresholds.accuracy_lost, key="accuracy_lost")  # fmt: skip
    for one in accuracy["classes"]:
        if one["q"] <= thresholds.alpha and one["change"] < 0:
            title = f"{one['name']} is recognised less often: {one['old']:.1%} before, {one['new']:.1%} now"
            said = Counter(example["now"] for example in one["examples"]).most_common(1)
            now = f", now mostly {said[0][0]}" if said else ""
            caption = f"{one['name']} that only the baseline recognises{now}"
            yield _finding(f"class {one['name']}", title, one, gate=-one["change"] > thresholds.class_lost,
                           key="class_lost", target=Target(index=one["index"], name=one["name"]),
                           evidence=_shown(one, caption, "after"))  # fmt: skip


def _cells(measured: Told, thresholds: Thresholds) -> Iterator[Finding]:
    for number, layer in enumerate(measured["layers"]):
        for cell in layer["cells"]["accuracy"]:
            if cell["q"] <= thresholds.alpha and cell["change"] < 0:
                title = (f"Images with {_mix(cell)} are recognised less often: {cell['old']:.1%} before, "
                         f"{cell['new']:.1%} now")  # fmt: skip
                yield _in_cell(number, layer, cell, "worse", title, gate=-cell["change"] > thresholds.region_lost,
                               key="region_lost")  # fmt: skip
        for kind in ("lost", "born", "moved"):
            for cell in layer["cells"][kind]:
                if cell["q"] <= thresholds.alpha:
                    yield _in_cell(number, layer, cell, kind, _title(kind, cell), key="changed_cells",
                                   gate=thresholds.changed_cells == "fail")  # fmt: skip


def _in_cell(number: int, layer: Told, cell: Told, kind: str, title: str, *, gate: bool, key: str) -> Finding:
    at, place = layer["layer"], FoundAt(column=cell["column"], row=cell["row"])
    return _finding(f"{kind} {at} {place.column}-{place.row}", title, cell, gate=gate, key=key, kind=kind, layer=at,
                    side=layer["cells"]["side"], cell=place,
                    evidence=[*_shown(cell, "what lies there", "exemplar"), Evidence(**_map(number, at))])  # fmt: skip


def _shown(one: Told, caption: str, role: Role) -> list[Evidence]:
    """The picture of a class or cell, of one that has any."""
    name = one.get("evidence")
    return [] if name is None else [Evidence(name=name, caption=caption, role=role)]


def _title(kind: str, cell: Told) -> str:
    what = f"{cell['astray']:,} images with {_mix(cell)}"
    if kind == "moved":
        return f"{what} moved on the map, from cell {cell['from']['column']}-{cell['from']['row']}"
    return f"{what} stand where {'only the model' if kind == 'born' else 'only the baseline'} has any"


def _mix(cell: Told) -> str:
    return ", ".join(one["name"] for one in cell["classes"]) or "no class"


def _finding(what: str, title: str, told: Told, *, gate: bool, key: str, kind: str = "worse", **where: Any) -> Finding:
    """A finding, named by what it is about and not by how much."""
    statistics: dict[str, Any] = {"kind": kind, **{name: told[name] for name in STATISTICS if name in told}}
    if "change" in told:
        statistics["lost"] = -told["change"]
    if "low" in told:
        statistics["lost_interval"] = (-told["high"], -told["low"])
    return Finding(id=digest([NAME, what])[:16], check=NAME, title=title, gate=gate, statistics=statistics,
                   policy_key=f"{NAME}.{key}", **where)  # fmt: skip


def _tables(measured: Told) -> Told:
    """What a report shows besides: agreement, the accuracy of every class, and how alike both see at each layer."""
    accuracy = measured["accuracy"] or {"classes": []}
    classes = [{name: one[name] for name in ("name", "images", "old", "new", "change", "low", "high", "q")}
               for one in accuracy["classes"]]  # fmt: skip
    return {"agreement": measured["agreement"], "classes": classes,
            "layers": [_layer(number, layer) for number, layer in enumerate(measured["layers"])]}  # fmt: skip


def _layer(number: int, layer: Told) -> Told:
    alike, twins = layer["likeness"], layer["map"]["twins"]
    return {
        "layer": layer["layer"], "cka": alike["cka"] and alike["cka"]["value"],
        "common_neighbours": alike["neighbours"] and alike["neighbours"]["value"], "chance": alike["chance"],
        "twins_apart": twins["distance"], "floor": twins["floor"],
        "cells_changed": sum(layer["cells"]["numbers"].values()), "map": _map(number, layer["layer"]),
    }  # fmt: skip


def _map(number: int, layer: str) -> Told:
    return {"name": f"evidence-{number}", "caption": f"{layer}: the baseline's half of the map, and the model's",
            "role": "map"}  # fmt: skip
