"""A comparison in plain words: what is beyond the noise, and a short text that a release note can quote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Told = dict[str, Any]
NAMED = 3
"""Of a kind at most, in the summary."""
LINES = 15
"""Of the summary at most."""


def findings(found: Told) -> list[Told]:
    """What is beyond the noise, the weightiest first: its kind, and a sentence on it.

    Args:
        found: A comparison's description.
    """
    return [{"kind": kind, "text": text} for kind, text in (*_answers(found), *_maps(found))]


def _answers(found: Told) -> Iterator[tuple[str, str]]:
    accuracy = found["accuracy"]
    if accuracy is None:
        return
    overall = accuracy["overall"]
    if overall["q"] <= found["alpha"]:
        word = "fell" if overall["change"] < 0 else "rose"
        yield "accuracy", f"Accuracy {word} from {overall['old']:.1%} to {overall['new']:.1%} ({_points(overall)})"
    for one in accuracy["classes"]:
        if one["verdict"] is not None:
            yield one["verdict"], (f"{one['name']} is {one['verdict']}: {one['old']:.1%} → {one['new']:.1%} right "
                                   f"({_points(one)}, {one['images']:,} images, q {one['q']:.2g})")  # fmt: skip


def _points(one: Told) -> str:
    """A change of accuracy in points, with its interval."""
    return f"{100 * one['change']:+.1f} points, 95 % {100 * one['low']:+.1f} to {100 * one['high']:+.1f}"


def _maps(found: Told) -> Iterator[tuple[str, str]]:
    for layer in found["layers"]:
        at, cells = layer["layer"], layer["cells"]
        for kind in ("lost", "born", "moved"):
            for cell in cells[kind]:
                yield kind, f"{at}: {_cell(kind, cell)}"
        for cell in cells["accuracy"]:
            yield "cell accuracy", (f"{at}, cell {cell['column']}-{cell['row']} ({_mix(cell)}): {cell['old']:.1%} → "
                                    f"{cell['new']:.1%} right of {cell['images']:,} images")  # fmt: skip
        for one in layer["neighbourhoods"]:
            for change in one["changes"]:
                yield "neighbours", (f"{at}: of what is nearest to {one['name']}, {change['name']} went from "
                                     f"{change['old']:.0%} to {change['new']:.0%}")  # fmt: skip


def _cell(kind: str, cell: Told) -> str:
    where = f"{cell['column']}-{cell['row']}"
    if kind == "moved":
        origin = f"{cell['from']['column']}-{cell['from']['row']}"
        return f"moved: {cell['astray']:,} images ({_mix(cell)}) went from cell {origin} to {where}"
    return f"{kind}: cell {where} ({_mix(cell)}), {cell['images']:,} images; the other has {cell['others']:,} there"


def _mix(cell: Told) -> str:
    return ", ".join(one["name"] for one in cell["classes"]) or "no class"


def markdown(found: Told) -> str:
    """A summary of 15 lines at most, plain enough to be quoted.

    Args:
        found: A comparison's description, with its findings.
    """
    old, new = found["old"]["name"], found["new"]["name"]
    what = f"**{new} against {old}**" if old != new else f"**{new}, two versions**"
    lines = [f"{what} on {found['images']:,} images of {found['dataset']['name']}: {_verdict(found)}", ""]
    lines += [f"- {line}" for line in (*_numbers(found), *_told_findings(found))]
    return "\n".join(lines[:LINES]) + "\n"


def _verdict(found: Told) -> str:
    count = len(found["findings"])
    if count == 0:
        return "nothing changed beyond the noise."
    damaged = [] if found["accuracy"] is None else found["accuracy"]["damaged"]
    named = f" Damaged: {', '.join(damaged[:NAMED])}{' and more' if len(damaged) > NAMED else ''}." if damaged else ""
    return f"{count} change{'s' * (count > 1)} beyond the noise.{named}"


def _numbers(found: Told) -> Iterator[str]:
    accuracy, agreement = found["accuracy"], found["agreement"]
    if accuracy is not None:
        one = accuracy["overall"]
        yield f"Accuracy {one['old']:.1%} → {one['new']:.1%} ({_points(one)}; q {one['q']:.2g})"
    if agreement is not None:
        yield f"The same answer on {agreement['share']:.1%} of the images"
    for layer in found["layers"][:NAMED]:
        alike, twins = layer["likeness"], layer["map"]["twins"]
        yield (f"{_named(layer)}: {_share(alike['neighbours'])} of the nearest neighbours are the same (chance "
               f"{alike['chance']:.1%}), CKA {_value(alike['cka'])}; twins on the map {twins['distance']:.3f} apart "
               f"(floor {twins['floor']:.3f})")  # fmt: skip


def _named(layer: Told) -> str:
    return layer["layer"] if layer["layer"] == layer["other"] else f"{layer['layer']} beside {layer['other']}"


def _share(one: Told | None) -> str:
    return "–" if one is None else f"{one['value']:.0%}"


def _value(one: Told | None) -> str:
    return "–" if one is None else f"{one['value']:.2f}"


def _told_findings(found: Told) -> Iterator[str]:
    """A few findings of each kind, and how many more there are."""
    kinds: dict[str, list[str]] = {}
    for one in found["findings"]:
        if one["kind"] != "accuracy":  # stands among the numbers
            kinds.setdefault(one["kind"], []).append(one["text"])
    each = 2 if len(kinds) < 4 else 1
    for texts in kinds.values():
        shown = texts[:each]
        more = len(texts) - len(shown)
        yield from shown[:-1]
        yield shown[-1] + (f" (and {more} more of this kind)" if more else "")
