"""No code block of README or docs goes unlooked at: each is run, or checked otherwise with a reason why."""

from __future__ import annotations

import ast
import json
import subprocess
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
import typer
import yaml

from atlas_client.cli import application
from tests.docs.blocks import MARK, Block, all_blocks, atlas_commands, pages

RUN = ("sh", "python")
READ = ("json", "toml", "yaml")
OTHER = {
    "text": "what is printed, or drawn in letters",
    "ts": "the viewer's own source, which npm run check has in whole",
    "promql": "a query; those of the alerts are checked with the chart",
    "{eval-rst}": "run by the site's build",
    "{toctree}": "run by the site's build",
    "{literalinclude}": "run by the site's build",
}
BLOCKS = all_blocks()
ELLIPSIS = "…"


def of(*languages: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", [one for one in BLOCKS if one.language.split(" ")[0] in languages], ids=str)


def test_every_block_says_what_it_is_and_every_mark_belongs_to_one() -> None:
    known = {*RUN, *READ, *OTHER}
    assert [str(block) for block in BLOCKS if block.language.split(" ")[0] not in known] == []
    lines = [line for page in pages() for line in page.read_text(encoding="utf-8").splitlines()]
    assert len([line for line in lines if MARK.fullmatch(line)]) == len(
        [block for block in BLOCKS if block.run != "test"]
    )
    assert all(block.language in RUN for block in BLOCKS if block.run != "test")
    assert len(BLOCKS) > 40


@of("sh")
def test_the_shell_can_read_it_and_atlas_has_its_commands_and_options(block: Block) -> None:
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    group: Any = typer.main.get_command(application([]))
    for arguments in atlas_commands(block.text):
        _parse(group, arguments)


def _parse(group: Any, arguments: list[str]) -> None:
    """Parse the arguments of a command as the command would, down to the subcommand; nothing is run."""
    context = group.make_context("atlas", list(arguments), resilient_parsing=False)
    while True:
        name, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
        if not hasattr(command, "resolve_command"):
            return


@of("python")
def test_python_compiles(block: Block) -> None:
    ast.parse(block.text)


@of(*READ)
def test_data_can_be_read(block: Block) -> None:
    text = block.text.replace("{" + ELLIPSIS + "}", "{}")
    readers: dict[str, Callable[[str], Any]] = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
    assert readers[block.language](text)
