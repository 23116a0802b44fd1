"""Every block of README and docs by the letter, minutes and all: from an empty folder, against a service of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.embedded import embedded
from tests.docs.blocks import all_blocks
from tests.docs.person import Person, at_home

pytestmark = pytest.mark.proof

# The tutorial first: it makes what the others take up.
PAGES = ["docs/tutorial.md", "README.md"]
BLOCKS = [block for block in all_blocks() if block.run != "no" and block.language in ("sh", "python")]
OTHERS = [page for page in dict.fromkeys(block.page for block in BLOCKS) if page not in PAGES]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("home")
    at_home(folder)
    with embedded(folder / "data") as service:
        yield folder, service.url


@pytest.mark.parametrize("page", [*PAGES, *OTHERS])
def test_a_page_works_to_the_letter(home: tuple[Path, str], page: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Person(*home, patch).run(block for block in BLOCKS if block.page == page)
