"""report.json: the document itself, for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atlas_core.audit.findings import Audit


def report_json(audit: Audit) -> bytes:
    """The document with sorted keys and indented, so that two can be compared line by line."""
    said = json.dumps(audit.model_dump(mode="json"), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{said}\n".encode()
