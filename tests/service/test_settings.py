"""Every setting stands on one page."""

from __future__ import annotations

import re
from pathlib import Path

from service.settings_page import OWN, names, settings_page

ROOT = Path(__file__).parents[2]
PACKAGES = ("atlas_client", "atlas_core", "service", "workers")
NAME = re.compile(r"\bATLAS_[A-Z][A-Z_]*[A-Z]\b")
# Variables of other programs that we read or set.
FOREIGN = {"CUDA_VISIBLE_DEVICES"}


def test_the_page_says_what_the_code_reads() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_page(), "run `make docs`"
    assert all(meaning and default for _, meaning, default in re.findall(
        r"^\| `(\w+)` \| (.*) \| (.*) \|$", settings_page(), re.MULTILINE))  # fmt: skip


def test_whatever_the_code_and_the_documents_name_is_a_setting() -> None:
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    pages = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), ROOT / "docker-compose.yml", *ROOT.rglob("helm/**/*.*")]
    for path in [*sources, *pages]:
        found = set(NAME.findall(path.read_text()))
        assert found <= names() | set(OWN), path.name


def test_the_environment_is_read_nowhere_else() -> None:
    reads = re.compile(r"""os\.(?:environ(?:\.get|\.pop|\.setdefault)?|getenv)[\[(]\s*["']([A-Z_]+)["']""")
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            found = set(reads.findall(path.read_text()))
            assert found <= names() | FOREIGN, path.name
