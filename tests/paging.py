"""Lists of samples, page after page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def all_of(read: Callable[[dict[str, Any]], dict[str, Any]], size: int, **parameters: Any) -> list[dict[str, Any]]:
    """Every item of a list whose pages are read by their parameters; checks what pages say of the whole."""
    found: list[dict[str, Any]] = []
    token = None
    while True:
        page = read({**parameters, "page_size": size} | ({"page_token": token} if token else {}))
        found += page["items"]
        token = page["next_page_token"]
        if token is None:
            assert page["total"] == len(found)
            return found
        assert len(page["items"]) == size
        assert page["total"] > len(found)
