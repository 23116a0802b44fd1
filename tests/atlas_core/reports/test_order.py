from __future__ import annotations

from atlas_core.reports.order import before_and_after, by_role, explained, failing, in_order, summary_pictures
from atlas_core.reports.words import standing
from tests.audits import audit


def test_what_fails_comes_first_and_what_is_accepted_last() -> None:
    found = in_order(audit())
    assert [standing(finding) for finding in found] == ["fails", "fails", "noted", "accepted"]
    assert [finding.check for finding in found] == ["shortcuts", "regions", "shortcuts", "shortcuts"]
    known = [found[0].model_copy(update={"known_in_baseline": True}), found[0]]
    check = audit().checks[0].model_copy(update={"findings": known})
    assert [each.known_in_baseline for each in in_order(audit().model_copy(update={"checks": [check]}))] == [
        False,
        True,
    ]
    assert [len(failing(each)) for each in audit().checks] == [1, 0, 1, 0]


def test_every_finding_shows_a_picture_in_a_summary_before_one_shows_two() -> None:
    assert [each.name for each in summary_pictures(audit())] == [
        "shortcuts-after-1",
        "regions-region-1",
        "shortcuts-after-4",
    ]
    lone = audit().checks[0].model_copy(update={"findings": audit().checks[0].findings[:1]})
    shown = summary_pictures(audit().model_copy(update={"checks": [lone]}))
    assert [each.name for each in shown] == ["shortcuts-exemplar-0", "shortcuts-before-1", "shortcuts-after-1"]


def test_pictures_before_and_after_go_in_pairs_and_those_without_another_half_remain() -> None:
    shortcut, legitimate = audit().checks[0].findings[:2]
    assert [(a.name, b.name) for a, b in before_and_after(shortcut)] == [
        (f"shortcuts-before-{n}", f"shortcuts-after-{n}") for n in (1, 2, 3)
    ]
    assert (by_role(shortcut, "before"), by_role(shortcut, "after")) == ([], [])
    assert before_and_after(legitimate) == []
    assert [each.name for each in by_role(legitimate, "after")] == ["shortcuts-after-4"]


def test_what_a_kind_of_finding_means_is_said_once() -> None:
    twice = [*audit().checks[0].findings, audit().checks[0].findings[0].model_copy(update={"id": "another"})]
    assert explained(twice) == {finding.id for finding in audit().checks[0].findings}
