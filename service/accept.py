"""Which of several forms a reader prefers, by the `Accept` header (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

from service.errors import NotAcceptableError


def preferred(accept: str, offered: Sequence[str]) -> str:
    """The media type that a reader likes best.

    A type goes by the most particular range that it lies in; of types liked equally that comes first whose range the
    header names first, then that which is offered first.

    Args:
        accept: The header; empty where there is none.
        offered: Media types in lower case, the usual one first.

    Raises:
        NotAcceptableError: The reader takes none of them; names them.
    """
    ranges = [_range(part) for part in accept.lower().split(",") if part.strip()] or [("*/*", 1.0)]
    liked = {kind: _liked(kind, ranges) for kind in offered}
    best = min(offered, key=lambda kind: (-liked[kind][0], liked[kind][1]))
    if liked[best][0] == 0:
        raise NotAcceptableError(f"this comes as {', '.join(offered)}; name one of these in `Accept`, or */*")
    return best


def _range(part: str) -> tuple[str, float]:
    """A media range and its quality, 0 to 1; one that cannot be read counts as 1."""
    kind, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return kind, min(1.0, max(0.0, float(value)))
            except ValueError:
                return kind, 1.0
    return kind, 1.0


def _liked(kind: str, ranges: Sequence[tuple[str, float]]) -> tuple[float, int]:
    """How much a type is liked, and where the header says so."""
    for pattern in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        for place, (given, quality) in enumerate(ranges):
            if given == pattern:
                return quality, place
    return 0.0, len(ranges)
