"""The end of an audit: what was measured is judged, and told in one document with its pictures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.audit.checks import CHECKS, module_of
from atlas_core.audit.findings import Accuracy, Audit, CheckResult, Named, PolicyText
from atlas_core.audit.judging import Judgement, exit_code, judge_audit
from atlas_core.audit.parties import LEAST_IMAGES
from atlas_core.audit.policy import parse_policy
from atlas_core.audit.remedy import with_remedies
from atlas_core.binning import assign_cells
from atlas_core.keys import canonical_json, digest
from atlas_core.models.evidence import near_chance
from atlas_core.stages.base import base_of
from atlas_core.stages.step import Output, Step, significant
from atlas_core.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from atlas_core.audit.findings import CheckName, Finding
    from atlas_core.audit.policy import Policy
    from atlas_core.facts import ModelFacts

SAID = {"baseline": "the request names no baseline", "drift": "the request names no dataset to compare"}


def publish_audit(step: Step) -> Output:
    """Judge what was measured, and write the document; its pictures and repaired models are blobs of its record."""
    parameters = step.parameters
    request = parameters["request"]
    policy = parse_policy(request["policy"], request["policy_name"])
    measured = [Measured(step, told) for told in parameters["measured"]]
    judgement = _judged(step, policy, measured)
    subjects = {name: Named(**told) for name, told in parameters["subjects"].items()}
    checks, blobs = _with_pictures(measured, judgement.checks)
    document = Audit(
        id=parameters["id"], verdict=judgement.verdict, reason=judgement.reason,
        exit_code=exit_code(policy, judgement.verdict),
        atlas=step.plan.atlas, model=subjects["model"], dataset=subjects["dataset"],
        base=subjects.get("base", subjects["dataset"]), baseline=subjects.get("baseline"),
        policy=PolicyText(name=policy.name, text=policy.text, sha256=hashlib.sha256(policy.text.encode()).hexdigest()),
        seed=request["seed"], accuracy=_accuracy(measured[0].right()) if measured else None, checks=checks,
        skipped=_skipped(step, policy),
        warnings=policy.warnings(tuple(parameters["expired"])), digest="",
    ).model_dump(mode="json", exclude={"digest"})  # fmt: skip
    document["digest"] = digest(document)
    told = {name: document[name] for name in ("verdict", "reason", "exit_code")}
    told["checks"] = {check.check: check.verdict for check in checks}
    repaired = measured[0].repaired if measured else {}
    return Output(
        {"description": canonical_json(document), **blobs, **repaired}, {"digest": document["digest"], "summary": told}
    )


@dataclass(frozen=True)
class Measured:
    """What was measured of one model.

    Args:
        step: The audit's last.
        told: Keys of the chunks: `checks` by name, `base`, the layouts by layer, and the last of `remedies`, if any.
    """

    step: Step
    told: dict[str, Any]

    def results(self, policy: Policy) -> list[CheckResult]:
        """What each check says of it, in their order."""
        found = [module_of(name).judge(json.loads(self.blob(name, "measured")), policy.thresholds[name])
                 for name in CHECKS if name in self.told["checks"]]  # fmt: skip
        blob = self._remedies.get("measured")
        tried = {} if blob is None else json.loads(self._read(blob))
        return [with_remedies(one, tried) if one.check == "shortcuts" else one for one in found]

    @property
    def repaired(self) -> dict[str, bytes]:
        """The repaired models by their names."""
        return {name: self._read(sha256) for name, sha256 in self._remedies.items() if name != "measured"}

    @property
    def _remedies(self) -> dict[str, str]:
        """Blobs of the last chunk that tried remedies."""
        records = [self.step.runtime.record(self.step.plan, key) for key in self.told["remedies"]]
        return dict(records[0]["blobs"]) if records else {}

    def _read(self, sha256: str) -> bytes:
        return self.step.runtime.store.get_blob(sha256)

    def blob(self, check: CheckName, name: str) -> bytes:
        """A blob of the record that holds what a check measured."""
        record = self.step.runtime.record(self.step.plan, self.told["checks"][check])
        return self.step.runtime.store.get_blob(record["blobs"][name])

    def right(self) -> NDArray[np.bool_]:
        """Whether the model is right, of each base image that could be read and has a label, shape (n,)."""
        base = base_of(self.step, self.told["base"])
        labelled = base["label"] >= 0
        if not labelled.any():
            return np.zeros(0, np.bool_)
        return np.asarray(base["logits"].argmax(axis=1)[labelled] == base["label"][labelled])

    def samples(self, findings: Sequence[Finding]) -> set[tuple[int, int]]:
        """The samples in the cells of findings, as (image, point): for every model the same places of the images."""
        return {sample for finding in findings for sample in self._samples(finding)}

    def _samples(self, finding: Finding) -> Iterator[tuple[int, int]]:
        if finding.cell is None or finding.side is None or finding.layer not in self.told["layouts"]:
            return
        record = self.step.runtime.record(self.step.plan, self.told["layouts"][finding.layer])
        table = self.step.table(record, "layout")
        cells = assign_cells(table["layout"], finding.side)
        inside = (cells == (finding.cell.column, finding.cell.row)).all(axis=1)
        yield from zip(table["image"][inside].tolist(), table["point"][inside].tolist(), strict=True)


def _judged(step: Step, policy: Policy, measured: Sequence[Measured]) -> Judgement:
    """The verdict; inconclusive where nothing can be said whatever was measured."""
    hindrance = step.parameters["hindrance"] or _hindrance(step.plan.model, measured[0].right())
    if hindrance is not None:
        asked = [name for name in CHECKS if name in policy.audit.checks and name not in _skipped(step, policy)]
        told = [CheckResult(check=name, verdict="inconclusive", reason=hindrance, coverage=0) for name in asked]
        return Judgement("inconclusive", hindrance, told)
    audited, *before = measured

    def shared(finding: Finding, others: Sequence[Finding]) -> float:
        own = audited.samples([finding])
        return len(own & before[0].samples(others)) / max(1, len(own))

    known = {result.check: result for result in before[0].results(policy)} if before else None
    return judge_audit(policy, audited.results(policy), expired=step.parameters["expired"], baseline=known,
                       shared=shared)  # fmt: skip


def _hindrance(model: ModelFacts, right: NDArray[np.bool_]) -> str | None:
    """Why nothing can be said of a model by its answers on base images; None where something can."""
    if len(right) < LEAST_IMAGES:
        return f"{len(right)} base images could be read and are labelled; an audit takes {LEAST_IMAGES} or more"
    if near_chance(right, model.classes or 1):
        chance = (
            f"near chance (1 in {model.classes}): its weights, its preprocessing or the order of the classes is wrong"
        )
        return f"the model {model.card.name!r} is right on {right.sum()} of {len(right)} base images, {chance}"
    return None


def _accuracy(right: NDArray[np.bool_]) -> Accuracy | None:
    if not len(right):
        return None
    low, high = map(float, wilson(right.sum(), len(right)))
    return Accuracy(top1=significant(right.mean()), interval=(significant(low), significant(high)), images=len(right))


def _with_pictures(
    measured: Sequence[Measured], checks: Sequence[CheckResult]
) -> tuple[list[CheckResult], dict[str, bytes]]:
    """The checks with all that they show named as in this record, and those blobs."""
    blobs: dict[str, bytes] = {}
    told = []
    for result in checks:
        value = result.model_dump(mode="json")
        for shown in _shown(value):
            name = f"{result.check}-{shown['name']}"
            blobs[name] = blobs.get(name) or measured[0].blob(result.check, shown["name"])
            shown["name"] = name
        told.append(CheckResult.model_validate(value))
    return told, blobs


def _shown(value: Any) -> Iterator[dict[str, Any]]:
    """Whatever in a check's result is evidence with a picture, in its findings and tables."""
    if isinstance(value, dict):
        if {"name", "caption", "role"} <= value.keys() and value["name"]:
            yield value
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from _shown(inner)


def _skipped(step: Step, policy: Policy) -> dict[CheckName, str]:
    """The checks that are asked for and have nothing to compare with."""
    request = step.parameters["request"]
    return {name: SAID[check.needs] for name, check in CHECKS.items()
            if name in policy.audit.checks and check.needs and request[check.needs] is None}  # fmt: skip
