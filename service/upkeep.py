"""The commands that look after a deployment: gc, backup, restore, upgrade, doctor."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.embedded import places

if TYPE_CHECKING:
    from atlas_core.backup import Copied

Data = Annotated[
    Path, typer.Option("--data", envvar="ATLAS_DATA", help="Data folder, where ATLAS_REDIS_URL is not set.",
                       file_okay=False)
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on the standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing, only say what would be.")]
Place = Annotated[str, typer.Argument(metavar="PLACE", help="Folder, or URL as ATLAS_STORE_URL takes it.")]
MARKS = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}


def register(app: typer.Typer) -> None:
    """Add the commands to the `atlas` application."""
    app.command("gc")(gc)
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("upgrade")(upgrade)
    app.command("doctor")(doctor)


@contextmanager
def deployment(data: Path) -> Iterator[tuple[str, str | None]]:
    """URLs of the store and of Redis: of the environment where it names a Redis, else of a data folder."""
    from atlas_core.settings import Settings

    if "ATLAS_REDIS_URL" in os.environ:
        settings = Settings()
        yield settings.store_url, settings.redis_url
        return
    with places(data) as found:
        yield found


def gc(
    data: Data = Path(".atlas"),
    grace: Annotated[
        float | None, typer.Option(min=0, help="Hours that what nobody refers to is kept; 24 by default.")
    ] = None,
    older_than: Annotated[
        float | None, typer.Option(min=0, help="Drop first what ended more days ago and no alias names.")
    ] = None,
    keep_bytes: Annotated[
        int | None, typer.Option(min=0, help="Drop first what ended first, until the rest takes no more.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Delete what no atlas, model or dataset refers to; where ATLAS_REDIS_URL is set, in the deployment it names."""
    from atlas_core.gc import collect_garbage
    from atlas_core.ledger import Ledger
    from atlas_core.redis_client import connect
    from atlas_core.retention import expire
    from atlas_core.settings import Settings
    from atlas_core.store import open_store

    settings = Settings()
    hours = settings.garbage_hours if grace is None else grace
    days = settings.retain_days if older_than is None else older_than
    most = settings.retain_bytes if keep_bytes is None else keep_bytes
    with deployment(data) as (store_url, redis_url):
        ledger = None if redis_url is None else Ledger(connect(redis_url))
        store = open_store(store_url)
        dropped = expire(store, ledger, days=days, most_bytes=most, dry_run=dry_run)
        swept = collect_garbage(store, ledger, grace=timedelta(hours=hours), dry_run=dry_run)
    if as_json:
        put(json.dumps({"dry_run": dry_run, "dropped": dropped, **asdict(swept)}))
        return
    for name in dropped:
        put(f"{'would drop' if dry_run else 'dropped'} {name}")
    put(f"{'would delete' if dry_run else 'deleted'} {swept.records} records, {swept.blobs} blobs, {swept.uploads} "
         f"unfinished uploads, {swept.documents} documents: {swept.bytes / 1e6:,.1f} MB")  # fmt: skip


def backup(
    place: Place,
    data: Data = Path(".atlas"),
    prune: Annotated[bool, typer.Option("--prune", help="Delete from the backup what was deleted here.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read again what is there, and mend it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a copy of the whole deployment up to date: models, datasets, atlases, names and keys."""
    from atlas_core.backup import backup as copy
    from atlas_core.store import open_store

    with deployment(data) as (store_url, _):
        copied = copy(open_store(store_url), open_store(place), _progress, prune=prune, verify=verify)
    _say(copied, as_json)


def restore(place: Place, data: Data = Path(".atlas"), as_json: AsJson = False) -> None:
    """Fill an empty deployment from a copy that `atlas backup` made; start it afterwards."""
    from atlas_core.backup import restore as copy
    from atlas_core.store import open_store

    if "ATLAS_REDIS_URL" not in os.environ:
        data.mkdir(parents=True, exist_ok=True)
    with deployment(data) as (store_url, _):
        copied = copy(open_store(place), open_store(store_url), _progress)
    _say(copied, as_json)


def upgrade(data: Data = Path(".atlas"), dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Write anew what an earlier version wrote, once no process of that version runs; it is read without, too."""
    from atlas_core.store import open_store

    with deployment(data) as (store_url, _):
        count = open_store(store_url).upgrade_documents(dry_run=dry_run)
    told = {"dry_run": dry_run, "documents": count}
    put(json.dumps(told) if as_json else f"{count} documents {'would be' if dry_run else 'were'} brought up to date")


def doctor(data: Data = Path(".atlas"), as_json: AsJson = False) -> None:
    """Check Redis, store, workers, devices and versions, and say what to do; status 1 where something failed."""
    from atlas_core.settings import Settings
    from service.doctor import examine

    with deployment(data) as (store_url, redis_url):
        findings = examine(store_url, redis_url, Settings().cache_url if "ATLAS_REDIS_URL" in os.environ else None)
    if as_json:
        put(json.dumps([finding._asdict() for finding in findings]))
    else:
        for finding in findings:
            put(f"{MARKS[finding.state]} {finding.part}: {finding.detail}")
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(1)


def _progress(done: int, total: int) -> None:
    """How far a copy is, on the standard error, where somebody looks at it."""
    if sys.stderr.isatty() and (done == total or done % 100 == 0):
        sys.stderr.write(f"\r{done:,} of {total:,} objects" + "\n" * (done == total))


def _say(copied: Copied, as_json: bool) -> None:
    if as_json:
        put(json.dumps(asdict(copied)))
        return
    deleted = f", {copied.deleted} deleted" if copied.deleted else ""
    put(f"copied {copied.blobs} blobs and {copied.objects} records and documents, {copied.bytes / 1e6:,.1f} MB; "
         f"{copied.known} were there{deleted}")  # fmt: skip


def put(line: str) -> None:
    """One line on the standard output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
