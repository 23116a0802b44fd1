"""Where the keys of a TOML text stand: the standard library reads TOML, and tells lines of broken syntax alone."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import Any, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
LINES_OF_A_VALUE = 64
"""What is read again with every line of a value is bounded, and with it the time."""


class TomlError(ValueError):
    """Text that is no TOML, or whose lines cannot be told.

    Args:
        line: Where, from 1.
        detail: What is wrong there.
    """

    def __init__(self, line: int, detail: str) -> None:
        """Keep both."""
        super().__init__(f"line {line}: {detail}")
        self.line, self.detail = line, detail


class KeyLines:
    """The line of every key of a TOML text.

    Each statement, a table's header or a key with its value, is read by itself as soon as it is complete, so the
    standard library alone decides where one ends. Keys inside an inline table or an array count as their statement's.

    Args:
        text: The document.

    Attributes:
        value: What it says.

    Raises:
        TomlError: It is no TOML, or a value has more than 64 lines.
    """

    def __init__(self, text: str) -> None:
        """Read the text."""
        text = text.replace("\r\n", "\n")
        self._lines: dict[KeyPath, int] = {(): 1}
        self._entries: Counter[str] = Counter()
        self._read(text)
        self.value: dict[str, Any] = _parsed(text)

    def of(self, path: KeyPath) -> int:
        """The line, from 1, of a key, or where it does not stand there of the nearest table that does."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def _read(self, text: str) -> None:
        table: KeyPath = ()
        statement: list[str] = []
        for number, line in enumerate(text.split("\n"), start=1):
            statement.append(line)
            try:
                value = tomllib.loads("\n".join(statement))
            except tomllib.TOMLDecodeError as error:
                if len(statement) > LINES_OF_A_VALUE:
                    first = number - len(statement) + 1
                    _parsed(text)  # broken syntax is told where it is
                    raise TomlError(first, f"a value has more than {LINES_OF_A_VALUE} lines; shorten it") from error
                continue
            first = number - len(statement) + 1
            if statement[0].lstrip().startswith("["):
                table = self._header(value, first)
            else:
                self._note(table, value, first)
            statement = []

    def _header(self, value: Any, line: int) -> KeyPath:
        """Note a table's header; gives the table's path."""
        path: KeyPath = ()
        while value:
            ((name, value),) = value.items()
            path += (name,)
            if isinstance(value, list):  # another entry of an array of tables
                path += (self._entries[name],)
                self._entries[name] += 1
                value = value[0]
        self._lines.setdefault(path, line)
        self._lines.setdefault(path[:1], line)
        return path

    def _note(self, table: KeyPath, value: Any, line: int) -> None:
        for name, inner in value.items():
            path = (*table, name)
            self._lines.setdefault(path, line)
            if isinstance(inner, dict):
                self._note(path, inner, line)


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at (?:line (\d+), column \d+|end of document)\)", str(error))
        line = int(found[1]) if found and found[1] else text.rstrip("\n").count("\n") + 1
        said = re.sub(r" \(at .*\)$", "", str(error))
        raise TomlError(line, f"this is no TOML: {said[:1].lower()}{said[1:]}") from None
