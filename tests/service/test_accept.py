from __future__ import annotations

import pytest

from service.accept import preferred
from service.errors import NotAcceptableError

JSON, HTML, XML = OFFERED = ("application/json", "text/html", "application/xml")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", HTML),  # as browsers ask
        ("application/json;q=0.1, application/xml;q=0.2", XML),
        ("text/html;q=0.5, application/json", JSON),
        ("application/xml, text/html", XML),
        ("text/*", HTML),
        ("application/*", JSON),
        ("*/*, application/json;q=0", HTML),
        ("TEXT/HTML; charset=utf-8; Q=0.7, application/json;q=0.6", HTML),
        ("text/html;q=much, application/json;q=0.9", HTML),
    ],
)
def test_the_form_that_is_liked_best_is_taken(accept: str, expected: str) -> None:
    assert preferred(accept, OFFERED) == expected


@pytest.mark.parametrize("accept", ["image/png", "*/*;q=0", "application/json;q=0"])
def test_where_nothing_fits_it_says_what_there_is(accept: str) -> None:
    with pytest.raises(NotAcceptableError, match="this comes as application/json, text/html, application/xml"):
        preferred(accept, OFFERED)
