"""`atlas keys`: make, list and revoke keys, in a data folder or in the deployment that the settings name."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.upkeep import AsJson, Data, deployment, put

if TYPE_CHECKING:
    from atlas_core.store import Store

app = typer.Typer(help="Keys of the service: who may use it.")


@contextmanager
def _store(data: Path) -> Iterator[Store]:
    from atlas_core.store import open_store

    with deployment(data) as (url, _):
        yield open_store(url)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="For people: whose it is, or what for.", metavar="NAME")],
    scope: Annotated[list[str] | None, typer.Option(help="read, write, admin or metrics; read by default.")] = None,
    owner: Annotated[str | None, typer.Option(help="In whose name it acts; NAME by default.")] = None,
    days: Annotated[float | None, typer.Option(min=0.001, help="After which it expires.")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(min=0, help="0 for any; as set by default.")] = None,
    jobs_per_day: Annotated[int | None, typer.Option(min=0, help="0 for any; as set by default.")] = None,
    upload_bytes_per_day: Annotated[int | None, typer.Option(min=0, help="0 for any; as set by default.")] = None,
    stored_bytes: Annotated[int | None, typer.Option(min=0, help="0 for any; as set by default.")] = None,
    data: Data = Path(".atlas"),
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once, and only its hash is kept."""
    from service.access import keys
    from service.access.principal import SCOPES

    wanted = [one for one in SCOPES if one in (scope or ["read"])]
    if unknown := set(scope or ()) - set(SCOPES):
        raise typer.BadParameter(f"there is no scope {sorted(unknown)[0]!r}; take of {', '.join(SCOPES)}")
    limits = {"requests_per_minute": requests_per_minute, "jobs_per_day": jobs_per_day,
              "upload_bytes_per_day": upload_bytes_per_day, "stored_bytes": stored_bytes}  # fmt: skip
    own = {limit: most for limit, most in limits.items() if most is not None}
    with _store(data) as store:
        token, made = keys.create(store, name, owner or name, wanted, by=getpass.getuser(), days=days, limits=own)
    told = keys.shown(made)
    if as_json:
        put(json.dumps(told | {"key": token}))
        return
    put(token)
    sys.stderr.write(f"a key of {told['owner']} with {', '.join(told['scopes'])}; it is not shown again. Revoke it "
                     f"with `atlas keys revoke {told['id']}`\n")  # fmt: skip


@app.command("list")
def list_keys(data: Data = Path(".atlas"), as_json: AsJson = False) -> None:
    """List the keys, without what would let anybody in."""
    from atlas_client.output import put_table
    from service.access import keys

    with _store(data) as store:
        found = keys.listed(store)
    if as_json:
        put(json.dumps(found))
        return
    rows: list[dict[str, Any]] = [key | {"scopes": ", ".join(key["scopes"])} for key in found]
    put_table(rows, "id", "name", "owner", "scopes", "created", "expires", "revoked")


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="Id of the key, as `atlas keys list` shows it.", metavar="ID")],
    data: Data = Path(".atlas"),
    as_json: AsJson = False,
) -> None:
    """Have a key be of no use any more; running services learn of it within ATLAS_KEY_CACHE_SECONDS."""
    from service.access import keys

    with _store(data) as store:
        value = keys.revoke(store, key, by=getpass.getuser())
    put(json.dumps({"id": value["id"], "revoked": value["revoked"]}) if as_json else f"the key {key} is revoked")


@app.command("usage")
def usage(data: Data = Path(".atlas"), as_json: AsJson = False) -> None:
    """Say how many bytes each owner's things need; what several need counts for each."""
    from atlas_client.output import put_table
    from atlas_core.accounting import bytes_by_owner
    from atlas_core.owners import EVERYBODY

    with _store(data) as store:
        found = bytes_by_owner(store)
    if as_json:
        put(json.dumps(found))
        return
    rows = [{"owner": "(everybody)" if owner == EVERYBODY else owner, "bytes": f"{size:,}"}
            for owner, size in found.items()]  # fmt: skip
    put_table(rows, "owner", "bytes")
