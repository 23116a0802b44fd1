"""Lines of keys: every form of TOML in which a policy may be written."""

from __future__ import annotations

import pytest

from atlas_core.audit.toml_lines import KeyLines, TomlError

TEXT = '''# a comment
seed = 1
text = """
[not.a.table]
seed = 2
"""

[shortcuts]  # a table
margin = 0.2
layers = [
  "a",  # the first
  "b",
]

[[accepted]]
reason = "one"

[[accepted]]
reason = "two"
dotted.key = 1
inline = { deep = 2 }
'''


def test_every_key_has_its_line() -> None:
    lines = KeyLines(TEXT)
    assert lines.value["accepted"][1]["dotted"] == {"key": 1}
    expected = {
        ("seed",): 2, ("text",): 3, ("shortcuts",): 8, ("shortcuts", "margin"): 9, ("shortcuts", "layers"): 10,
        ("accepted", 0): 15, ("accepted", 0, "reason"): 16, ("accepted", 1): 18, ("accepted", 1, "reason"): 19,
        ("accepted", 1, "dotted", "key"): 20, ("accepted", 1, "inline", "deep"): 21,
    }  # fmt: skip
    assert {path: lines.of(path) for path in expected} == expected


def test_what_does_not_stand_there_has_the_line_of_its_table() -> None:
    lines = KeyLines(TEXT)
    assert lines.of(("shortcuts", "q")) == 8
    assert lines.of(("shortcuts", "layers", 1)) == 10
    assert lines.of(("regions", "margin")) == 1


def test_carriage_returns_and_an_empty_text_change_nothing() -> None:
    assert KeyLines(TEXT.replace("\n", "\r\n")).of(("shortcuts", "margin")) == 9
    assert KeyLines("").value == {}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", 2),
        ("a = 1\na = 2\n", 2),
        ("[a]\n\n[a]\n", 3),
        ("a = [1,\n2\n", 2),
        ("a = 1\n" + "b = [\n" + "1,\n" * 70 + "]\n", 2),
        ("a = 1\n= 2\n" + "\n" * 90, 2),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(text: str, line: int) -> None:
    with pytest.raises(TomlError) as caught:
        KeyLines(text)
    assert caught.value.line == line
