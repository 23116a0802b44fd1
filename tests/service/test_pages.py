"""The pages' code blocks that take seconds, run page by page against the live service; the others: tests/proof."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from service.demo.world import write_world
from tests.docs.blocks import ROOT, all_blocks
from tests.docs.person import Person, at_home

if TYPE_CHECKING:
    from tests.service.conftest import Live

PICTURES = 200
MAP = {"layers": ["features.7"], "samples": 1200, "levels": [4], "recipe": "fast"}
BLOCKS = [block for block in all_blocks() if block.run == "test" and block.language in ("sh", "python")]


@pytest.fixture(scope="module")
def home(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages' long blocks would have made: a world, pictures, an atlas, and its names."""
    folder = tmp_path_factory.mktemp("home")
    at_home(folder)
    write_world(folder / "world", pictures=PICTURES)
    with zipfile.ZipFile(folder / "world" / "images.zip") as pictures:
        pictures.extractall(folder / "pictures")
    (folder / "my-atlas").symlink_to(ROOT / "examples" / "demo-atlas")
    client = live.client
    names = {"dataset": client.add_dataset(folder / "world" / "dataset.json")["id"]}
    names["model"] = client.add_model(folder / "world" / "model.json", names["dataset"])["id"]
    for kind, name in names.items():
        client.wait_ready(f"{kind}s", name)
    atlas = client.submit({**names, **MAP})["id"]
    for name, target in {"my-net": names["model"], "my-pictures": names["dataset"], "my-map": atlas}.items():
        client.set_alias(name, target)
    client.wait(atlas)
    return folder


@pytest.fixture
def person(home: Path, live: Live) -> Iterator[Person]:
    with pytest.MonkeyPatch.context() as patch:
        yield Person(home, live.service.url, patch)


@pytest.mark.parametrize("page", dict.fromkeys(block.page for block in BLOCKS))
def test_the_blocks_of_a_page_run_in_their_order(person: Person, page: str) -> None:
    person.run(block for block in BLOCKS if block.page == page)


def test_the_notebook_runs_as_it_is(person: Person, home: Path) -> None:
    read: Any = nbformat.read  # it has no types
    notebook = read(ROOT / "examples" / "notebook.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(home)}}).execute()
    shown = [output["data"] for cell in notebook.cells for output in cell.get("outputs", ()) if "data" in output]
    assert sum("image/png" in data for data in shown) == 4  # the map, an icon, a heat map, where a picture landed
