from __future__ import annotations

from atlas_core.reports.page import report_html
from atlas_core.reports.told import ToldFinding, told
from tests.audits import audit, clean

TOLD = told(audit())
FIRST = TOLD.findings[0]


def _all(name: str) -> list[ToldFinding]:
    return [each for each in TOLD.findings if each.standing == name]


def test_it_says_in_its_title_and_reason_what_the_report_says() -> None:
    assert TOLD.title == "pan-vision@candidate fails the audit"
    assert told(clean()).title == "pan-vision@candidate passes the audit"
    assert TOLD.reason.startswith("Noodles decide that a picture is a wok")
    assert TOLD.reason.endswith(".")


def test_findings_that_fail_come_first_and_each_says_where_it_lies() -> None:
    standings = [each.standing for each in TOLD.findings]
    assert standings == sorted(standings, key=["fails", "noted", "accepted"].index)
    assert (FIRST.one, FIRST.standing, FIRST.layer, FIRST.side, FIRST.cell) == (
        "Shortcut", "fails", "features.7", 20, "3-17",
    )  # fmt: skip
    assert FIRST.title.startswith("Pasted on pictures of other classes")
    assert FIRST.place == "features.7, column 3, row 17 of 20 × 20"


def test_numbers_carry_their_interval_and_are_drawn_where_they_are_shares() -> None:
    flips, control = FIRST.numbers.items[:2]
    assert (flips.label, flips.text, flips.interval_text) == ("Flips to the class", "75 %", "70 to 79 %")
    assert (flips.value, flips.interval, flips.is_compared_with) == (0.747, (0.695, 0.793), False)
    assert control.is_compared_with
    assert FIRST.numbers.scale == 1
    gain = next(each for each in FIRST.numbers.items if each.label.startswith("Gain"))
    assert (gain.text, gain.interval_text, gain.value, gain.interval) == ("6.21", "5.9 to 6.5", None, None)
    assert not {"Kind", "Why"} & {each.label for each in FIRST.numbers.items}


def test_pictures_before_and_after_are_pairs_and_others_stand_under_their_heading() -> None:
    pairs, *others = FIRST.pictures
    assert tuple(each.caption for each in pairs.pairs[0]) == ("fish, .91", "wok, .81")
    assert [each.heading for each in others] == ["What it looks like", "Random pieces, for comparison"]
    assert others[1].items[1].name is None


def test_what_it_means_and_what_to_do_is_said_once_for_each_kind() -> None:
    shortcuts = [each for each in _all("fails") if each.one == "Shortcut"]
    assert [each.means is not None for each in shortcuts] == [True] + [False] * (len(shortcuts) - 1)
    assert (FIRST.todo or "").startswith("Look for the piece in the training pictures")
    assert FIRST.why == "Shortcut: crops of 12 pictures of other classes do the same."
    assert all(each.todo is None for each in _all("noted"))
    assert all(each.means is None and each.accepted is not None for each in _all("accepted"))


def test_what_fails_has_a_remedy_and_the_lines_that_accept_it() -> None:
    assert FIRST.remedy is not None
    assert (FIRST.remedy.works, FIRST.remedy.model) == (True, "repaired-wok.onnx")
    assert FIRST.remedy.numbers.items
    assert (FIRST.acceptance or "").startswith('[[accepted]]\ncheck = "shortcuts"')
    assert all(each.acceptance is None for each in _all("noted") + _all("accepted"))


def test_every_check_tells_its_verdict_and_tables_and_those_not_run_why() -> None:
    checks = {each.check: each for each in TOLD.checks}
    assert [checks[name].verdict for name in ("shortcuts", "properties", "versions")] == [
        "fail",
        "inconclusive",
        "pass",
    ]
    assert checks["drift"].verdict is None
    assert checks["drift"].coverage is None
    assert checks["shortcuts"].findings == sum(each.check == "shortcuts" for each in TOLD.findings)
    assert checks["properties"].needs
    strongest = checks["shortcuts"].tables[0]
    assert (strongest.title, len(strongest.rows)) == ("Strongest", 20)
    assert all(len(row) == len(strongest.columns) for row in strongest.rows)
    assert all(table.rows or table.pictures for each in TOLD.checks for table in each.tables)
    assert checks["shortcuts"].values["Base images"] == "214"


def test_it_says_nothing_that_the_report_does_not_say() -> None:
    page = report_html(audit(), {}, None).decode()
    for finding in TOLD.findings:
        numbers = [each.text for each in finding.numbers.items if "<" not in each.text]
        assert all(text in page for text in (finding.place, finding.one, *numbers))
