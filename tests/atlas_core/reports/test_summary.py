from __future__ import annotations

import re

from atlas_core.reports.summary import plain, summary_files, summary_md
from tests.audits import audit, clean, pictures

PICTURE = re.compile(r"!\[((?:\\.|[^\]\\])*)\]\(([^)]*)\)")


def test_it_is_short_however_much_was_found() -> None:
    check = audit().checks[0]
    many = check.model_copy(update={"findings": check.findings * 40})
    made = audit().model_copy(update={"checks": [many, *audit().checks[1:]]})
    text = summary_md(made, pictures(), None).decode()
    assert len(text.splitlines()) <= 60
    assert "And 116 more in the report." in text
    assert re.findall(r"^(\d)\. \*\*", text, re.MULTILINE) == ["1", "2", "3", "4", "5"]


def test_pictures_are_three_at_most_with_words_and_stand_beside_it() -> None:
    text = summary_md(audit(), pictures(), None).decode()
    shown = PICTURE.findall(text)
    assert [path for _, path in shown] == [
        "pictures/shortcuts-after-1.png",
        "pictures/regions-region-1.png",
        "pictures/shortcuts-after-4.png",
    ]
    assert shown[0][0] == "Finding 1, after: wok, .81"
    assert summary_files(audit(), pictures()) == {
        f"pictures/{name}.png": pictures()[name]
        for name in ("shortcuts-after-1", "regions-region-1", "shortcuts-after-4")
    }


def test_pictures_that_were_not_kept_are_not_linked() -> None:
    text = summary_md(audit(), {}, None).decode()
    assert PICTURE.findall(text) == []
    assert summary_files(audit(), {}) == {}


def test_it_says_the_verdict_why_and_what_each_check_found() -> None:
    lines = summary_md(audit(), {}, "https://atlas.example").decode().splitlines()
    assert lines[0] == "## ❌ Fail: audit of pan-vision\\@candidate"
    assert any(line.startswith("| Shortcuts | ❌ Fail | 3, 1 accepted | 86 % | 1 cell of the map") for line in lines)
    assert "| Drift | Not run | | | No dataset to compare with was named. |" in lines
    assert any("Flips to the class 75 % (70 to 79 %)" in line and "New since the baseline" in line for line in lines)
    assert any("(accepted until 2030-01-31: The rim is what makes it a mask.)" in line for line in lines)
    assert f"[The atlas](https://atlas.example/?atlas={audit().atlas})" in lines[-1]
    assert summary_md(clean(), {}, None).decode().startswith("## ✅ Pass: ")


def test_users_text_means_nothing_but_itself() -> None:
    text = summary_md(audit(), pictures(), None).decode()
    assert "<script>" not in text
    assert plain("a|b\n\n# c") == "a\\|b \\# c"
