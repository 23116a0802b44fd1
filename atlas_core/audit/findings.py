"""What an audit says: findings, checks, and the whole document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from atlas_core.cards import Card

CheckName = Literal["shortcuts", "properties", "regions", "versions", "drift"]
Verdict = Literal["pass", "fail", "inconclusive"]
Number = float | int | None
Interval = tuple[float, float]


class Target(Card):
    """A class of the model."""

    index: int
    name: str


class FoundAt(Card):
    """A cell of a level, counted from the top left."""

    column: int
    row: int


class Evidence(Card):
    """A picture that a finding rests on: PNG, `name` in the audit's record, None where privacy keeps no picture."""

    name: str | None
    caption: str
    role: Literal["exemplar", "before", "after", "control", "region", "map"]


class Accepted(Card):
    """That the policy accepts a finding, why and until when (a date, or for good)."""

    reason: str
    expires: str | None


class Remedy(Card):
    """What muting a finding's direction does: flips and accuracy before and after, and whether that is enough."""

    works: bool
    summary: str
    statistics: dict[str, Number | Interval | str]
    model: str | None = Field(default=None, description="name of the repaired model's blob in the audit's record")


class Finding(Card):
    """One thing that was found.

    `id` is the same for the same thing found again; `gate` says whether it fails the check; `direction` is what it is
    recognised by: from `pack_direction`.
    """

    id: str
    check: CheckName
    title: str = Field(description="one sentence that a person understands")
    gate: bool
    layer: str | None = None
    side: int | None = None
    cell: FoundAt | None = None
    target: Target | None = None
    statistics: dict[str, Number | Interval | str] = Field(default_factory=dict)
    direction: str | None = None
    evidence: list[Evidence] = Field(default_factory=list)
    accepted: Accepted | None = None
    known_in_baseline: bool | None = None
    remedy: Remedy | None = None
    policy_key: str | None = Field(
        default=None, description="the policy's key that it breaks, such as shortcuts.margin"
    )
    policy_line: int | None = None


def with_more(title: str, more: int) -> str:
    """A finding's title where so many others stand behind it."""
    return f"{title}; and {more} more finding{'s' if more > 1 else ''}" if more else title


class CheckResult(Card):
    """What one check found, how much of what there is it looked at, and how sure it is.

    `needs` says what would make an inconclusive one conclusive, or a failed one whose findings are accepted; `noise`
    how far its numbers change by chance alone.
    """

    check: CheckName
    verdict: Verdict
    reason: str = Field(description="one sentence")
    needs: str | None = None
    coverage: float = Field(ge=0, le=1)
    noise: dict[str, Number] = Field(default_factory=dict)
    forward_passes: int = 0
    findings: list[Finding] = Field(default_factory=list)
    tables: dict[str, Any] = Field(default_factory=dict, description="what a report shows besides")


class Named(Card):
    """A model or dataset, by id and name; of a dataset how many images."""

    id: str
    name: str
    images: int | None = None


class PolicyText(Card):
    """The policy as it was given: its name, its text and what that hashes to."""

    name: str
    text: str
    sha256: str


class Accuracy(Card):
    """Share of the labelled base images that the model is right on, with Wilson's 95 % interval."""

    top1: float
    interval: Interval
    images: int


class Audit(Card):
    """An audit's document; `digest` is over all the rest.

    `skipped` are checks that the policy asks for and that had nothing to compare with, each with the reason; `warnings`
    are the policy's. `atlas` is None where there were too few images to make one. `exit_code` is what the command ends
    with: 0 pass, 1 fail, 3 inconclusive, or 0 where the policy allows that.
    """

    schema_version: Literal[1] = 1
    id: str
    verdict: Verdict
    reason: str = Field(description="one sentence")
    exit_code: Literal[0, 1, 3] = 0
    atlas: str | None
    model: Named
    dataset: Named
    base: Named
    baseline: Named | None = None
    policy: PolicyText
    seed: int
    accuracy: Accuracy | None = None
    checks: list[CheckResult]
    skipped: dict[CheckName, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    digest: str
