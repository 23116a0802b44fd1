"""The code blocks of README and docs: what they are, and how each is run.

A block of `sh` or `python` is run by `make test`, page by page in its order (tests/service/test_pages.py). An HTML
comment on the line before it says otherwise: `<!-- run: proof -->`, only by `make proof`, because it takes minutes
(`<!-- run: proof, exits 1 -->`: and ends so, as the page says), and `<!-- run: no, REASON -->`, never here. Both are
still checked: that the shell can read it, that every `atlas` command has the options that are named, that Python
compiles.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
MARK = re.compile(r"<!-- run: (?P<run>proof|no)(?:, (?:exits (?P<status>[0-9])|(?P<reason>\S.*\S)))? -->")


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        page: Its page, below the repository's root.
        line: Where it begins, from 1.
        language: After the fence.
        text: What is in it.
        run: `test`, `proof` or `no`.
        reason: Why it is not run.
        status: With which it ends.
    """

    page: str
    line: int
    language: str
    text: str
    run: str = "test"
    reason: str = ""
    status: int = 0

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README, and all pages of docs but those that are generated."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples" / "README.md"]
    return found + [page for page in sorted((ROOT / "docs").rglob("*.md")) if "reference" not in page.parts]


def blocks_of(page: Path) -> Iterator[Block]:
    """The code blocks of a page in its order; also those that are only indented, whose language is empty."""
    text = page.read_text(encoding="utf-8")
    lines = text.splitlines()
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type not in ("fence", "code_block") or token.map is None:
            continue
        mark = MARK.fullmatch(lines[token.map[0] - 1].strip()) if token.map[0] else None
        said = mark.groupdict(default="") if mark else {"run": "test", "reason": "", "status": ""}
        yield Block(str(page.relative_to(ROOT)), token.map[0] + 1, token.info.strip(), token.content,
                    said["run"], said["reason"], int(said["status"] or 0))  # fmt: skip


def all_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [block for page in pages() for block in blocks_of(page)]


def atlas_commands(text: str) -> Iterator[list[str]]:
    """The arguments of every `atlas` command of a shell block, variables as they stand."""
    for words in _lines(re.sub(r"\\\n\s*", " ", text)):
        command: list[str] = []
        for word in [*words, ";"]:
            if set(word) <= set("();<>|&"):
                if command[:1] == ["atlas"]:
                    yield command[1:]
                command = []
            else:
                command.append(word)


def _lines(text: str) -> Iterator[list[str]]:
    """The words of each line of a shell's; quotes may reach over several."""
    begun = ""
    for line in text.splitlines(keepends=True):
        begun += line
        words = shlex.shlex(begun, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        try:
            found = list(words)
        except ValueError:
            continue
        yield found
        begun = ""
