"""The `atlas` command: what it asks of a service over HTTP, and the commands of whatever else is installed."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from atlas_client.agents.command import mcp
from atlas_client.audit import audit
from atlas_client.cells import cells
from atlas_client.client import Client
from atlas_client.connection import DEFAULT_URL, Document
from atlas_client.drift import drift
from atlas_client.errors import BAD_INPUT, COULD_NOT_RUN, BadInputError, ClientError
from atlas_client.export.command import export
from atlas_client.icons import icons
from atlas_client.options import AtlasId, Json, Url
from atlas_client.output import (
    put,
    put_alias,
    put_error,
    put_estimate,
    put_event,
    put_job,
    put_json,
    put_registered,
    put_table,
)
from atlas_client.patches import patch
from atlas_client.plugins import MissingExtraError, extra_of, is_missing_extra, register_all
from atlas_client.progress import inspection_bar, job_bars, upload_bar
from atlas_client.project import project
from atlas_client.search import search
from atlas_client.story.command import story
from atlas_client.token import TOKEN, TOKEN_FILE
from atlas_client.versions import versions
from atlas_client.views import compare, heatmap, select

INTERRUPTED = 130
# Slugs of errors of the core (which the client does not import) that are not the caller's to mend.
NOT_THE_CALLERS = ("internal", "dependency-down", "other-version", "integrity", "cancelled")
# typer brings click along or inside; either way this is its base of usage errors.
USAGE_ERRORS: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end, showing progress.")]
Card = Annotated[Path, typer.Argument(help="A card: model.json or dataset.json.")]
Alias = Annotated[str | None, typer.Option("--alias", help="Have this name stand for it, wherever an id is taken.")]
Token = Annotated[str | None, typer.Option(help="Key to show the service; better in ATLAS_TOKEN or a file.")]
TokenFile = Annotated[Path | None, typer.Option(help="File that holds the key; also ATLAS_TOKEN_FILE.")]
AliasName = Annotated[str, typer.Argument(metavar="NAME", help="An alias, such as pan-vision@prod.")]

models = typer.Typer(help="Models of the service.")
datasets = typer.Typer(help="Datasets of the service.")
alias = typer.Typer(help="Names that stand for a model, dataset or atlas, and can be moved.")


@contextlib.contextmanager
def connected(url: str) -> Iterator[Client]:
    """A client that shows its uploads."""
    with upload_bar() as on_upload, Client(url, on_upload=on_upload) as client:
        yield client


@models.command("add")
def add_model(
    card: Card,
    dataset: Annotated[str | None, typer.Option(help="Measure accuracy on this labelled dataset.")] = None,
    alias: Alias = None,
    wait: Wait = False,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Register a model; what its card names is uploaded."""
    with connected(url) as client:
        document = _named(client, client.add_model(card, dataset), alias)
    _registered("models", document, url, wait=wait, as_json=as_json)


@datasets.command("add")
def add_dataset(
    card: Card, alias: Alias = None, wait: Wait = False, url: Url = DEFAULT_URL, as_json: Json = False
) -> None:
    """Register a dataset; its zip, or its folder packed into one, is uploaded."""
    with connected(url) as client:
        document = _named(client, client.add_dataset(card), alias)
    _registered("datasets", document, url, wait=wait, as_json=as_json)


def _named(client: Client, document: Document, name: str | None) -> Document:
    if name is not None:
        client.set_alias(name, document["id"])
    return document


def _registered(kind: str, document: Document, url: str, *, wait: bool, as_json: bool) -> None:
    if wait:
        with inspection_bar() as on_progress, Client(url) as client:
            document = client.wait_ready(kind, document["id"], on_progress)
    put_json(document) if as_json else put_registered(document)


@models.command("list")
def list_models(url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """List the models."""
    with Client(url) as client:
        found = client.models()
    put_json(found) if as_json else put_table(found, "id", "name", "state", "layers", "classes")


@datasets.command("list")
def list_datasets(url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """List the datasets."""
    with Client(url) as client:
        found = client.datasets()
    put_json(found) if as_json else put_table(found, "id", "name", "state", "images", "classes")


@alias.command("set")
def set_alias(
    name: AliasName,
    target: Annotated[str, typer.Argument(metavar="ID", help="Of a model, dataset or atlas; or another alias.")],
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Have a name stand for something, wherever an id is taken."""
    with Client(url) as client:
        document = client.set_alias(name, target)
    put_json(document) if as_json else put_alias(document)


@alias.command("show")
def show_alias(name: AliasName, url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """Show what a name stands for, and what it stood for before."""
    with Client(url) as client:
        document = client.alias(name)
    put_json(document) if as_json else put_alias(document)


@alias.command("list")
def list_aliases(url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """List the aliases."""
    with Client(url) as client:
        found = client.aliases()
    put_json(found) if as_json else put_table(found, "name", "kind", "id", "moved")


@alias.command("delete")
def delete_alias(name: AliasName, url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """Have a name stand for nothing; its history is kept."""
    with Client(url) as client:
        client.delete_alias(name)
    put_json({"deleted": name}) if as_json else put(f"{name} stands for nothing now")


def _sides(text: str | None) -> list[int] | None:
    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError:
        raise BadInputError(f"--levels takes cells a side, such as 10,20,40; got {text!r}") from None


def submit(
    model: Annotated[str, typer.Option(help="Id or alias of a model.")],
    dataset: Annotated[str, typer.Option(help="Id or alias of a dataset.")],
    layer: Annotated[list[str], typer.Option(help="A layer; repeat it for more.")],
    samples: Annotated[int | None, typer.Option(help="Activations to sample a layer.")] = None,
    levels: Annotated[str | None, typer.Option(help="Cells a side, such as 10,20,40.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all that is random.")] = None,
    recipe: Annotated[str | None, typer.Option(help="fast, detail, vivid, pure, or none: no icons.")] = None,
    attribution: Annotated[str | None, typer.Option(help="auto, ablation, jvp or none.")] = None,
    allow_sparse: Annotated[bool, typer.Option(help="Take levels too fine for the samples.")] = False,
    images: Annotated[int | None, typer.Option(help="Images to sample at most.")] = None,
    images_per_class: Annotated[int | None, typer.Option(help="Images of a class to sample at most.")] = None,
    anchor: Annotated[str | None, typer.Option(help="Id or alias of an atlas whose points stay fixed.")] = None,
    keep: Annotated[str | None, typer.Option(help="atlas, or samples: every sample's attribution too.")] = None,
    privacy: Annotated[str | None, typer.Option(help="standard, or strict: no picture and no file name.")] = None,
    preview: Annotated[str | None, typer.Option(help="fast, or none: what tiles show until rendered.")] = None,
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    alias: Alias = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    wait: Wait = False,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Ask the service for an atlas."""
    options = {
        "samples": samples, "levels": _sides(levels), "seed": seed, "recipe": recipe, "attribution": attribution,
        "allow_sparse": allow_sparse or None, "images": images, "images_per_class": images_per_class, "anchor": anchor,
        "keep": keep, "privacy": privacy, "preview": preview, "name": name,
    }  # fmt: skip
    spec: Document = {"model": model, "dataset": dataset, "layers": layer}
    spec |= {field: value for field, value in options.items() if value is not None}
    with Client(url) as client:
        if wait:
            with inspection_bar() as on_progress:
                client.wait_ready("models", model, on_progress)
                client.wait_ready("datasets", dataset, on_progress)
        if dry_run:
            estimate = client.dry_run(spec)
            put_json(estimate) if as_json else put_estimate(estimate)
            return
        document = _named(client, client.submit(spec), alias)
        if wait:
            with job_bars() as on_progress:
                document = client.wait(document["id"], on_progress)
    put_json(document) if as_json else put_job(document, client.url)


def status(
    atlas: AtlasId,
    wait: Wait = False,
    watch: Annotated[bool, typer.Option("--watch", help="The same as --wait.")] = False,
    events: Annotated[bool, typer.Option("--events", help="Print what happens, a line each, until it ends.")] = False,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Say how far an atlas is."""
    with Client(url) as client:
        if events:
            for event in client.events(atlas):
                put_event(event._asdict(), as_json=as_json)
            return
        if wait or watch:
            with job_bars() as on_progress:
                document = client.wait(atlas, on_progress)
        else:
            document = client.status(atlas)
    put_json(document) if as_json else put_job(document, client.url)


def cancel(atlas: AtlasId, url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """Cancel an atlas; what is finished is kept."""
    with Client(url) as client:
        document = client.cancel(atlas)
    put_json(document) if as_json else put_job(document, client.url)


class Kind(StrEnum):
    """What can be deleted by its id."""

    MODELS = "models"
    DATASETS = "datasets"
    ATLASES = "atlases"
    AUDITS = "audits"
    COMPARISONS = "comparisons"


def delete(
    kind: Annotated[Kind, typer.Argument(help="What it is.")],
    name: Annotated[str, typer.Argument(metavar="ID", help="Its id or alias.")],
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Delete a model, dataset, atlas, audit or comparison that nothing else is made of."""
    with Client(url) as client:
        client.delete(kind, name)
    put_json({"deleted": name, "kind": kind}) if as_json else put(f"{name} is deleted")


OWN: dict[str, Callable[..., None]] = {
    "submit": submit, "status": status, "cancel": cancel, "delete": delete, "project": project, "icons": icons,
    "drift": drift, "search": search, "heatmap": heatmap, "select": select, "compare": compare,
    "versions": versions, "audit": audit, "patch": patch, "cells": cells, "story": story, "export": export, "mcp": mcp,
}  # fmt: skip
GROUPS = {"models": models, "datasets": datasets, "alias": alias}


def application(arguments: Sequence[str]) -> typer.Typer:
    """The command, with what is installed beside the client where the arguments may mean it."""
    app = typer.Typer(help="Activation atlases: maps of what a vision network has learned.", add_completion=False)

    @app.callback(invoke_without_command=True)
    def help_without_command(context: typer.Context, token: Token = None, token_file: TokenFile = None) -> None:
        for name, value in ((TOKEN, token), (TOKEN_FILE, token_file)):
            if value is not None:
                os.environ[name] = str(value)
        if context.invoked_subcommand is None:
            sys.stdout.write(context.get_help() + "\n")

    for name, group in GROUPS.items():
        app.add_typer(group, name=name)
    for name, command in OWN.items():
        app.command(name)(command)
    if not arguments or arguments[0] not in {*OWN, *GROUPS}:
        register_all(app)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run the command; gives the exit code.

    Args:
        arguments: Without the program's name.
    """
    try:
        result = application(arguments)(args=list(arguments), prog_name="atlas", standalone_mode=False)
    except USAGE_ERRORS as error:
        put_error(error.format_message())
        return BAD_INPUT
    except (KeyboardInterrupt, typer.Abort):
        put_error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return COULD_NOT_RUN
    except Exception as error:
        return _failed(error, arguments)
    return result if isinstance(result, int) else 0


def _failed(error: Exception, arguments: Sequence[str]) -> int:
    if isinstance(error, ModuleNotFoundError) and is_missing_extra(error):
        command = arguments[0] if arguments else ""
        error = MissingExtraError(command, extra_of(command))
    if isinstance(error, ClientError):
        put_error(error.detail)
        return error.exit_code
    detail: Any = getattr(error, "detail", None)
    slug: Any = getattr(error, "slug", None)
    if not isinstance(detail, str) or not isinstance(slug, str):
        return _failed_unexpectedly(error)
    put_error(detail)
    return COULD_NOT_RUN if slug in NOT_THE_CALLERS else BAD_INPUT


def _failed_unexpectedly(error: Exception) -> int:
    if os.environ.get("ATLAS_DEBUG"):
        traceback.print_exception(error)
    kind = type(error).__name__
    said = error.strerror if isinstance(error, OSError) else None
    put_error(said or f"failed unexpectedly ({kind}); set ATLAS_DEBUG=1 to see where")
    return COULD_NOT_RUN


def main() -> None:
    """Entry point of the `atlas` command."""
    sys.exit(run(sys.argv[1:]))
