"""The site is built as `make docs` builds it; a link that leads nowhere, or a page that no list names, fails it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    asked = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "docs", str(folder)]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_built_and_fetches_nothing_from_elsewhere(site: Path) -> None:
    pages = {page.relative_to(ROOT / "docs").with_suffix(".html") for page in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if not (site / page).is_file()} == set()
    for page in site.rglob("*.html"):
        fetched = re.findall(
            r'<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)="(https?:[^"]*)"', page.read_text("utf-8")
        )
        assert fetched == [], page
    for style in site.rglob("*.css"):
        assert "url(http" not in style.read_text("utf-8"), style


def test_the_references_are_of_this_code(site: Path) -> None:
    operations = (site / "reference" / "operations.html").read_text("utf-8")
    assert "POST /v1/atlases/{atlas}/projections" in operations
    assert "atlas heatmap" in (site / "reference" / "commands.html").read_text("utf-8")
    client = (site / "python.html").read_text("utf-8")
    assert 'id="atlas_client.client.Client.project_many"' in client


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md", "benchmarks/README.md"]
)
def test_links_of_pages_outside_of_the_site_lead_somewhere(page: str) -> None:
    links = LINK.findall((ROOT / page).read_text("utf-8"))
    lost = [link for link in links if "://" not in link and not (ROOT / page).parent.joinpath(link).exists()]
    assert lost == []
