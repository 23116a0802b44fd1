"""Policies: what they say, and the line of everything that is wrong with one."""

from __future__ import annotations

import tomllib

import pytest

from atlas_core.audit.checks import CHECKS, module_of
from atlas_core.audit.policy import AuditTable, BaselineTable, PolicyError, default_policy, parse_policy

WRONG = """\
[audit]
seeed = 3
coverage = 2
checks = ["shortcuts", "luck"]
max_minutes = "ten"

[shortcuts]
margin = -0.1
sizes = [0.2, 7]
marginn = 0.3

[shortcutts]

[[accepted]]
check = "shortcuts"
expires = 2026-02-30
"""


def told(text: str) -> list[tuple[int, str]]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    assert caught.value.detail.startswith(f"policy.toml: line {caught.value.problems[0].line}: ")
    assert "\n" not in caught.value.detail
    return [(one.line, one.detail) for one in caught.value.problems]


def test_every_mistake_is_told_with_its_line() -> None:
    found = told(WRONG.replace("2026-02-30", '"soon"'))
    assert [line for line, _ in found] == [2, 3, 4, 5, 8, 9, 10, 12, 14, 16]
    said = dict(found)
    assert said[2] == "unknown key `audit.seeed`; did you mean `seed`?"
    assert said[3] == "audit.coverage should be less than or equal to 1, not 2"
    assert said[4].startswith("audit.checks[2] should be 'shortcuts'")
    assert said[5] == "audit.max_minutes should be a valid number, not 'ten'"
    assert said[9] == "shortcuts.sizes[2] should be less than or equal to 0.7, not 7"
    assert said[10] == "unknown key `shortcuts.marginn`; did you mean `margin`?"
    assert said[12] == "unknown key `shortcutts`; did you mean `shortcuts`?"
    assert said[14] == "accepted[1] needs `reason`"
    assert "accepted[1].expires" in said[16]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("[audit]\nseed = \n", 2, "this is no TOML: invalid value"),
        ("[audit]\nseed = 1\nseed = 2\n", 3, "this is no TOML: cannot overwrite a value"),
        (WRONG, 16, "this is no TOML"),  # February has no such day
        ("accepted = 3\n", 1, "[[accepted]]"),
        ("shortcuts = 3\n", 1, "[shortcuts]"),
        ("audit = 3\n", 1, "audit should be"),
        ('[[accepted]]\ncheck = "shortcuts"\nreason = "x"\ndirection = "???"\n', 4, "base64 of one signed byte"),
        ("# " + "x" * 300_000, 1, "at most 262,144 characters"),
        ("[audit]\nchecks = []\n", 2, "at least 1 item"),
        ('[[accepted]]\ncheck = "shortcuts"\nreason = "x"\n', 1, "needs the finding's `direction`, or its `id`"),
    ],
)
def test_a_mistake_is_told(text: str, line: int, part: str) -> None:
    found = told(text)
    assert found[0][0] == line
    assert part in found[0][1]


def test_a_key_has_the_line_of_its_table_where_it_is_left_out() -> None:
    policy = parse_policy("\n[shortcuts]\nq = 0.01\n")
    assert [policy.line_of(key) for key in ("shortcuts.q", "shortcuts.margin", "regions.error")] == [3, 2, 1]


def test_a_table_holds_what_is_measured_and_what_is_judged_by() -> None:
    policy = parse_policy("[shortcuts]\nmargin = 0.3\nscreen = 20\n")
    assert policy.options["shortcuts"].model_dump()["screen"] == 20
    assert policy.thresholds["shortcuts"].model_dump()["margin"] == 0.3


def test_the_default_policy_is_valid_and_says_every_default() -> None:
    text = default_policy()
    policy, empty = parse_policy(text), parse_policy("")
    assert (policy.audit, policy.baseline, policy.accepted) == (empty.audit, empty.baseline, ())
    assert (policy.options, policy.thresholds) == (empty.options, empty.thresholds)
    said = tomllib.loads(text)
    assert said["audit"].keys() == AuditTable.model_fields.keys() - {"checks", "layers", "passes"}
    assert said["baseline"].keys() == BaselineTable.model_fields.keys()
    for name in CHECKS:
        module = module_of(name)
        assert said[name].keys() == {*module.Options.model_fields, *module.Thresholds.model_fields}
