"""Commands of the other packages, found through the entry-point group `atlas.commands`."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer

from atlas_client.errors import ClientError

GROUP = "atlas.commands"
OURS = ("atlas_client", "atlas_core", "service", "workers")
# Entry point -> the extra that it needs, and its commands for when that extra is missing.
EXTRAS = {
    "core": ("worker", {"build": "Build an atlas here, without a service.", "layers": "List the layers of a model.",
                        "open": "Look at an atlas in a local folder."}),
    "service": ("service", {"up": "Start the service here, with all that it needs.",
                            "demo": "Make a small world, its atlas, and show it.",
                            "gc": "Delete what nothing refers to.", "backup": "Copy a whole deployment.",
                            "restore": "Fill an empty deployment from a copy.",
                            "upgrade": "Write anew what an earlier version wrote.",
                            "doctor": "Check a deployment, and say what to do.",
                            "keys": "Make, list and revoke keys."}),
}  # fmt: skip
OF_THE_CLIENT = {"mcp": "mcp"}  # a command of the client's own, and the extra that it needs


class MissingExtraError(ClientError):
    """A command whose packages are not installed."""

    def __init__(self, command: str, extra: str) -> None:
        """Name the command and the extra."""
        super().__init__(f"`atlas {command}` needs the extra `{extra}`: pip install 'activation-atlas[{extra}]'")


def is_missing_extra(error: ModuleNotFoundError, entry: str = "") -> bool:
    """Whether a failed import is of what an extra would bring, and no mistake of ours.

    Args:
        error: The failed import.
        entry: Module of an entry point, which may itself be missing.
    """
    name = error.name or ""
    return name.partition(".")[0] not in OURS or name in (entry, entry.partition(".")[0])


def extra_of(command: str) -> str:
    """The extra that brings a command."""
    others = (extra for extra, commands in EXTRAS.values() if command in commands)
    return OF_THE_CLIENT.get(command) or next(others, "worker")


def register_all(application: typer.Typer) -> None:
    """Add every installed package's commands; those of a missing extra say which it is when they are called."""
    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    for name in sorted(installed.keys() | EXTRAS.keys()):
        register = _load(installed[name]) if name in installed else None
        if register is not None:
            register(application)
        elif name in EXTRAS:
            _register_absent(application, *EXTRAS[name])


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except ModuleNotFoundError as error:
        if not is_missing_extra(error, entry.module):
            raise
        return None


def _register_absent(application: typer.Typer, extra: str, commands: dict[str, str]) -> None:
    def absent(context: typer.Context) -> None:
        raise MissingExtraError(str(context.info_name), extra)

    anything = {"allow_extra_args": True, "ignore_unknown_options": True}
    for command, text in commands.items():
        described = f"{text} [needs activation-atlas\\[{extra}]]"
        application.command(command, help=described, context_settings=anything, add_help_option=False)(absent)


def core_commands(command: str) -> Any:
    """The module of the core's commands.

    Args:
        command: For whom, named when it is missing.

    Raises:
        MissingExtraError: It is not installed.
    """
    entry = next((entry for entry in entry_points(group=GROUP) if entry.name == "core"), None)
    if entry is None:
        raise MissingExtraError(command, "worker")
    try:
        return import_module(entry.module)
    except ModuleNotFoundError as error:
        if not is_missing_extra(error, entry.module):
            raise
        raise MissingExtraError(command, "worker") from None
