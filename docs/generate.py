"""The references of the site, written from the code: commands, HTTP operations, and the benchmarks' pages."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from http_operations import operations_page
from typer.cli import get_docs_for_click

from atlas_client.cli import application
from service.main import create_app
from service.settings_page import settings_page

ROOT = Path(__file__).parents[1]
ELSEWHERE = {"](../docs/": "](../../", "](README.md": "](index.md", "](../examples/": "](../../../examples/"}

OTHERS = """
## Logs and longer tables, with their dates

```{toctree}
:maxdepth: 1
:glob:

*
```
"""


def write_reference(folder: Path) -> None:
    """Write all references, each file only where it changed, so that a second build has little to do."""
    openapi = create_app().openapi()
    _write(folder / "commands.md", _commands())
    _write(folder / "operations.md", operations_page(openapi))
    _write(folder / "openapi.json", json.dumps(openapi, indent=1) + "\n")
    for page in (ROOT / "benchmarks").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for here, there in ELSEWHERE.items():
            text = text.replace(here, there)
        name = page.name
        if page.stem == "README":
            name, text = "index.md", text + OTHERS
        _write(folder / "benchmarks" / name, text)


def _commands() -> str:
    group = typer.main.get_command(application([]))
    told = get_docs_for_click(obj=group, ctx=typer.Context(group, info_name="atlas"), name="atlas")
    return told.replace("# `atlas`", "# Commands", 1).rstrip() + "\n"


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    docs = ROOT / "docs"
    write_reference(docs / "reference")
    _write(docs / "settings.md", settings_page())
    print("docs/reference and docs/settings.md say what the code says")
