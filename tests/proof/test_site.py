"""The finished site: every page there, nothing fetched from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT
from tests.docs.test_site import built

pytestmark = pytest.mark.proof
FETCHED = re.compile(r'<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)="(https?:[^"]*)"')


def test_the_site_is_whole_and_needs_no_other(tmp_path: Path) -> None:
    built(tmp_path, "html")
    pages = {page.relative_to(ROOT / "docs").with_suffix(".html") for page in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if not (tmp_path / page).is_file()} == set()
    for page in tmp_path.rglob("*.html"):
        assert FETCHED.findall(page.read_text("utf-8")) == [], page
    for style in tmp_path.rglob("*.css"):
        assert "url(http" not in style.read_text("utf-8"), style
    assert 'id="atlas_client.client.Client.project_many"' in (tmp_path / "python.html").read_text("utf-8")
