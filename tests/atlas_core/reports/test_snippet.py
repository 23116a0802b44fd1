from __future__ import annotations

import tomllib

from atlas_core.audit.findings import Target
from atlas_core.reports.snippet import acceptance
from tests.audits import HOSTILE, audit


def test_a_finding_is_accepted_by_its_direction() -> None:
    finding = audit().checks[0].findings[0]
    (entry,) = tomllib.loads(acceptance(finding))["accepted"]
    assert entry == {
        "check": "shortcuts", "class": "wok", "layer": "features.7", "direction": finding.direction, "reason": "",
    }  # fmt: skip


def test_without_a_direction_it_is_known_by_its_id_and_names_may_hold_anything() -> None:
    finding = audit().checks[2].findings[0].model_copy(update={"target": Target(index=1, name=f'{HOSTILE}"\n\x7f\\')})
    (entry,) = tomllib.loads(acceptance(finding))["accepted"]
    assert entry["id"] == finding.id
    assert entry["class"] == f'{HOSTILE}"\n\x7f\\'
