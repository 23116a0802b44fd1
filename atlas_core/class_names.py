"""What classes are called: by their index in a list of names, or by the index itself where that says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from atlas_core.errors import InputError

TOP_CLASSES = 5
"""That a cell names."""
LONGEST_INDEX = 18
"""Digits of an index; Python refuses to read very long numbers."""


def class_name(index: int, names: Sequence[str]) -> str:
    """What a class is called.

    Args:
        index: Of the class, at least 0.
        names: Of the classes, as far as they have any.
    """
    return names[index] if index < len(names) else str(index)


def told_class(index: int, names: Sequence[str]) -> dict[str, Any]:
    """A class as it is told: its index and what it is called."""
    return {"index": int(index), "name": class_name(index, names)}


def class_index(asked: int | str, names: Sequence[str], count: int, pointer: str) -> int:
    """Index of a class that is asked for by its name or index.

    Args:
        asked: Name or index.
        names: Of the classes.
        count: How many classes there are.
        pointer: To where it was named.

    Raises:
        InputError: There is none; says what there is.
    """
    if asked in names:
        return list(names).index(str(asked))
    if (isinstance(asked, int) or (asked.isdecimal() and len(asked) <= LONGEST_INDEX)) and 0 <= int(asked) < count:
        return int(asked)
    examples = f", or a name such as {', '.join(names[:3])}" if names else ""
    raise InputError(f"there is no class {asked!r}; give an index from 0 to {count - 1}{examples}", pointer=pointer)
