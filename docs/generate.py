"""Write from the code docs/settings.md, and docs/reference: commands as Markdown, the HTTP interface as OpenAPI."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from typer.cli import get_docs_for_click

from atlas_client.cli import application
from service.main import create_app
from service.settings_page import settings_page

REFERENCE = Path(__file__).parent / "reference"


def main() -> None:
    (REFERENCE.parent / "settings.md").write_text(settings_page())
    REFERENCE.mkdir(exist_ok=True)
    group = typer.main.get_command(application([]))
    context = typer.Context(group, info_name="atlas")
    commands = get_docs_for_click(obj=group, ctx=context, name="atlas")
    (REFERENCE / "commands.md").write_text(commands.rstrip() + "\n")
    openapi = create_app().openapi()
    (REFERENCE / "openapi.json").write_text(json.dumps(openapi, indent=1) + "\n")
    print(f"wrote {len(openapi['paths'])} paths and the commands to docs/reference")


if __name__ == "__main__":
    main()
