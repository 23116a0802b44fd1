"""What the checks and their numbers are called, what they mean and what to do about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from atlas_core.audit.findings import Finding, Verdict

Standing: TypeAlias = Literal["fails", "noted", "accepted"]


@dataclass(frozen=True)
class CheckWords:
    """How reports speak of a check.

    Args:
        title: Its name for people.
        one: What one of its findings is called.
        asks: The question that it answers.
        means: What a finding that fails it means.
        noted: What a finding that does not fail it means.
        todo: What to do about a finding.
    """

    title: str
    one: str
    asks: str
    means: str
    noted: str
    todo: str


CHECKS: Mapping[str, CheckWords] = MappingProxyType(
    {
        "shortcuts": CheckWords(
            title="Shortcuts",
            one="Shortcut",
            asks="Does a small piece of picture, pasted where it does not belong, decide what the model says?",
            means="Pasted on pictures of other classes, this piece changes the prediction far more often than pieces "
            "of the same size that were cut at random. The model reads it as a sign of the class, so it will be "
            "wrong wherever the piece stands beside something else.",
            noted="Pasted on pictures of other classes, this piece changes the prediction too. It does not fail the "
            "check: it may be what makes the class, the baseline may have it as well, or there were too few pictures "
            "to be sure.",
            todo="Look for the piece in the training pictures of the class. Remove or cover it there, or add pictures "
            "that show it with other classes, and train again. Where that takes too long, mute its direction.",
        ),
        "properties": CheckWords(
            title="Image properties",
            one="Image property",
            asks="Does the model go by how a picture was taken, its light, colour, sharpness or border, and not by "
            "what it shows?",
            means="The prediction follows a property of the whole picture more than the labels do. Such a sign cannot "
            "be seen in one patch; it usually comes from one class having been photographed or stored in another "
            "way.",
            noted="The prediction follows this property, but the labels do as well, or too little to be told from "
            "chance.",
            todo="Compare how the pictures of this class came about with the others. Make the property the same for "
            "all classes, or vary it at random while training.",
        ),
        "regions": CheckWords(
            title="Worst regions",
            one="Region",
            asks="Is there a kind of picture on which the model is much worse, or much surer than it is right?",
            means="Pictures that activate this part of the map are got wrong clearly more often than pictures "
            "elsewhere. The average accuracy hides it.",
            noted="Pictures that activate this part of the map are got wrong more often than others, within what the "
            "policy allows.",
            todo="Look at the pictures: are their labels right, and does the training data hold enough like them? "
            "Correct or add, and train again.",
        ),
        "versions": CheckWords(
            title="Versions",
            one="Change",
            asks="What does this model see, or no longer see, that the baseline did?",
            means="Between the baseline and this model something changed for the worse by more than chance explains: "
            "images that the baseline gets right, or what lies where on a map of both.",
            noted="The two models differ here by more than chance, within what the policy allows.",
            todo="Decide whether the change was meant. If it was, accept it; if not, compare what differs in data and "
            "training.",
        ),
        "drift": CheckWords(
            title="Drift",
            one="Drift",
            asks="Do the pictures that the model is used on still look like those that it was made with?",
            means="These pictures activate the model otherwise than the atlas's do, by more than chance explains.",
            noted="These pictures activate the model otherwise than the atlas's do, within what the policy allows.",
            todo="Look at the cells that gained and lost. If the world has changed, collect and label pictures like "
            "these; if a camera or a conversion has, undo that.",
        ),
    }
)

FEATURE = {
    "one": "Feature",
    "means": "Only pictures of the class itself have it, so it may be what makes the class. The policy lets "
    "no class hang on one such thing alone.",
    "noted": "What only pictures of the class have may be what makes the class, so it does not fail the check. Look at "
    "it all the same.",
    "todo": "Look at it. Where it is what makes the class, accept it in the policy; where it is not, treat it "
    "as a shortcut.",
}
KINDS: Mapping[tuple[str, str], CheckWords] = MappingProxyType(
    {
        ("shortcuts", "feature"): replace(CHECKS["shortcuts"], **FEATURE),
        ("properties", "feature"): replace(CHECKS["properties"], **FEATURE),
        ("versions", "worse"): replace(CHECKS["versions"], one="Regression"),
        ("regions", "worse"): replace(
            CHECKS["regions"],
            one="Regression",
            means="Pictures that activate this part of the map are got wrong more often than by the baseline, on "
            "the same pictures. The average accuracy may hide it.",
            noted="Pictures that activate this part of the map are got wrong more often than by the baseline, "
            "within what the policy allows.",
            todo="Look at the pictures and at what changed since the baseline in data and training.",
        ),
    }
)
"""Of a check and what its findings give as their `kind`."""

STANDINGS: Mapping[Standing, str] = MappingProxyType(
    {"fails": "Fails the check", "noted": "For your information", "accepted": "Accepted by the policy"}
)

VERDICTS: Mapping[Verdict, tuple[str, str]] = MappingProxyType(
    {
        "pass": ("Pass", "passes the audit"),
        "fail": ("Fail", "fails the audit"),
        "inconclusive": ("Inconclusive", "could not be judged"),
    }
)
"""A verdict in a word, and as what a model does."""

ROLES: Mapping[str, str] = MappingProxyType(
    {
        "before": "Before",
        "after": "After",
        "exemplar": "What it looks like",
        "control": "Random pieces, for comparison",
        "region": "Pictures from there",
        "map": "Where it lies",
    }
)
"""Headings of pictures by their role, in the order in which they are shown."""


def standing(finding: Finding) -> Standing:
    """Whether a finding fails its check, is only told, or would fail it and is accepted."""
    if finding.accepted is not None:
        return "accepted"
    return "fails" if finding.gate else "noted"


def words_of(finding: Finding) -> CheckWords:
    """How reports speak of a finding: by its kind where that says more than its check."""
    return KINDS.get((finding.check, str(finding.statistics.get("kind"))), CHECKS[finding.check])


def sentence(text: str) -> str:
    """Text with a capital letter in front and a full stop behind."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def place(finding: Finding) -> str:
    """Where on the atlas a finding lies, in words; empty where it lies nowhere."""
    where = [finding.layer or ""]
    if finding.cell is not None:
        side = f" of {finding.side} × {finding.side}" if finding.side else ""
        where.append(f"column {finding.cell.column}, row {finding.cell.row}{side}")
    return ", ".join(filter(None, where))
