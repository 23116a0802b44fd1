"""How to accept a finding: the lines that a policy needs for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atlas_core.audit.findings import Finding


def acceptance(finding: Finding) -> str:
    """An `[[accepted]]` entry for a finding, recognised by its direction, or by its id where it has none.

    Its reason is left empty, which a policy refuses: somebody has to give one.
    """
    known: dict[str, str | None] = {
        "check": finding.check,
        "class": finding.target.name if finding.target else None,
        "layer": finding.layer,
    }
    if finding.direction:
        known["direction"] = finding.direction
    else:
        known["id"] = finding.id
    lines = [f"{key} = {_quoted(value)}" for key, value in known.items() if value]
    asked = ['reason = ""  # why it may stay', "# expires = 2030-12-31  # the last day on which it holds"]
    return "\n".join(["[[accepted]]", *lines, *asked])


def _quoted(text: str) -> str:
    """Text as a basic string of TOML, which is one of JSON but for the delete character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
