"""All pages are read as `make docs` reads them: a link that leads nowhere, or a page that no list names, fails it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)")


def built(folder: Path, builder: str) -> None:
    """Build the site; `dummy` looks at everything and writes no page."""
    asked = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "--builder", builder]
    done = subprocess.run([*asked, "docs", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_page_is_named_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    built(tmp_path, "dummy")
    operations = (ROOT / "docs" / "reference" / "operations.md").read_text("utf-8")
    assert "## `POST /v1/atlases/{atlas}/projections`" in operations
    assert "| `positions` | query |" in operations
    assert "`atlas heatmap" in (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md", "benchmarks/README.md"]
)
def test_links_of_pages_outside_of_the_site_lead_somewhere(page: str) -> None:
    links = LINK.findall((ROOT / page).read_text("utf-8"))
    lost = [link for link in links if "://" not in link and not (ROOT / page).parent.joinpath(link).exists()]
    assert lost == []
