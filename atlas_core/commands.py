"""The commands that need no service: build, layers, open; and projection onto a local folder."""

from __future__ import annotations

import functools
import http.server
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from atlas_core.errors import InputError, NotFoundError
from atlas_core.plan import STAGES

RECIPES = "fast, detail, vivid, pure, or none: no icons."
LAYER_NOTES = {"block": "block", "fixed": "whole input", "silent": "no attribution"}
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on the standard output.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the `atlas` application."""
    app.command("build")(build)
    app.command("layers")(layers)
    app.command("open")(open_atlas)


def build(
    model: Annotated[Path, typer.Option(help="A model card.")],
    dataset: Annotated[Path, typer.Option(help="A dataset card.")],
    layer: Annotated[list[str], typer.Option(help="A layer; repeat it for more.")],
    out: Annotated[Path, typer.Option(help="The folder of the atlas.")],
    samples: Annotated[int | None, typer.Option(help="Activations to sample a layer.")] = None,
    levels: Annotated[str | None, typer.Option(help="Cells a side, such as 10,20,40.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all that is random.")] = None,
    recipe: Annotated[str | None, typer.Option(help=RECIPES)] = None,
    attribution: Annotated[str | None, typer.Option(help="auto, ablation, jvp or none.")] = None,
    allow_sparse: Annotated[bool, typer.Option(help="Take levels too fine for the samples.")] = False,
    images: Annotated[int | None, typer.Option(help="Images to sample at most.")] = None,
    images_per_class: Annotated[int | None, typer.Option(help="Images of a class to sample at most.")] = None,
    anchor: Annotated[Path | None, typer.Option(help="Folder of an atlas whose points stay fixed.")] = None,
    keep: Annotated[str | None, typer.Option(help="atlas, or samples: every sample's attribution too.")] = None,
    privacy: Annotated[str | None, typer.Option(help="standard, or strict: no picture and no file name.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Build an atlas on this machine, without a service; the same command continues what was interrupted."""
    from atlas_core.run import build_directory

    options = {"samples": samples, "levels": _sides(levels), "seed": seed, "recipe": recipe, "attribution": attribution,
               "images": images, "images_per_class": images_per_class, "keep": keep, "privacy": privacy}  # fmt: skip
    request = {name: value for name, value in options.items() if value is not None}
    with _bars() as on_progress:
        manifest = build_directory(
            model, dataset, {**request, "layers": layer, "allow_sparse": allow_sparse}, out, on_progress, processes,
            anchor=anchor,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(manifest, ensure_ascii=False))
        return
    _summary(manifest)
    typer.echo(f"atlas {manifest['id']} in {out}; look at it with: atlas open {out}")


def layers(
    card: Annotated[Path, typer.Argument(metavar="CARD", help="A model card.")], as_json: AsJson = False
) -> None:
    """List the layers of a model, outputs of blocks first, with their shapes and receptive fields."""
    from atlas_core.registration import load_card

    model = load_card(card)
    found = [layer.model_dump(mode="json") for layer in model.described()]
    for reason in model.unconvertible:
        typer.echo(f"Without icons and attributions, so ask for --recipe none: {reason}", err=True)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    for name in ("channels", "height", "width", "receptive field", "stride"):
        table.add_column(name, justify="right")
    table.add_column("")
    for layer in found:
        field = layer["receptive_field"]
        size = (f"{field['size'][0]:g} x {field['size'][1]:g}", f"{field['jump'][0]:g}") if field else ("", "")
        notes = [told for name, told in LAYER_NOTES.items() if layer[name]]
        table.add_row(layer["name"], *map(str, layer["shape"]), *size, ", ".join(notes))
    Console().print(table)


def open_atlas(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder made by `atlas build`.")],
    port: Annotated[int, typer.Option(help="Port of this machine; any free one by default.")] = 0,
) -> None:
    """Show a local atlas in the browser; needs neither a service nor torch."""
    _manifest(directory)
    page = Path(str(files("service") / "viewer" / "static"))
    if not (page / "index.html").is_file():
        raise NotFoundError(
            "the viewer was not built; run `make setup` in the project's folder, which needs Node.js 18"
        )
    handler = functools.partial(_Pages, directory=str(directory), page=page)
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        typer.echo(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("")


def project_directory(directory: Path, images: list[Path]) -> Iterator[dict[str, Any]]:
    """Place images on a local atlas, one after the other; each answer depends on its image alone.

    Args:
        directory: A folder made by `atlas build`, with its `.store`.
        images: JPEG, PNG or WebP files, or arrays (.npy).

    Yields:
        What `project.project_image` gives with the name of the image, or `image` and `error`.

    Raises:
        InputError: The folder is no atlas.
    """
    import torch

    from atlas_core.project import project_image
    from atlas_core.registry import plan_of
    from atlas_core.runtime import Runtime
    from atlas_core.store import open_store

    manifest = _manifest(directory)
    if not (directory / ".store").is_dir():
        raise InputError(f"{directory} has no .store, without which nothing can be projected; build it again")
    torch.set_num_threads(1)
    store = open_store(str(directory / ".store"))
    plan, runtime = plan_of(store, manifest["id"]), Runtime(store)
    for image in images:
        try:
            data = image.read_bytes()
        except OSError as error:
            yield {"image": str(image), "error": f"cannot be read: {error.strerror}"}
            continue
        try:
            yield {"image": str(image), **project_image(plan, runtime, data)}
        except InputError as error:
            yield {"image": str(image), "error": error.detail}


def audit_locally(
    named: Mapping[str, str], options: Mapping[str, Any], out: Path, processes: int | None
) -> dict[str, Any]:
    """Audit a model on this machine into a folder, and show how far it is.

    Args:
        named: Cards by the fields of an `AuditRequest`.
        options: Its other fields.
        out: The folder.
        processes: As many as cores by default.

    Returns:
        The document.

    Raises:
        InputError: A card, the policy or the data is bad.
    """
    from atlas_core.audit.local import Cards, audit_directory

    cards = Cards(**{name: Path(card) for name, card in named.items()})
    with _bars() as on_progress:
        return audit_directory(cards, options, out, on_progress, processes)


class _Pages(http.server.SimpleHTTPRequestHandler):
    """An atlas's files, and the viewer's own page beside them."""

    def __init__(self, *args: Any, page: Path, **kwargs: Any) -> None:
        self._page = page
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        """Files; at the root the page, told that the atlas is beside it."""
        if self.path != "/":
            return super().do_GET()
        self.send_response(http.HTTPStatus.FOUND)
        self.send_header("Location", "/?folder")
        self.send_header("Content-Length", "0")
        return self.end_headers()

    def translate_path(self, path: str) -> str:
        """Files of the page where the atlas has none; nothing hidden."""
        name = unquote(path.partition("?")[0].partition("#")[0]).lstrip("/") or "index.html"
        if any(part.startswith(".") for part in name.split("/")):
            return str(self._page / "missing")
        ours = self._page / name
        if ours.is_file():
            return str(ours)
        # Folders of layers are percent-encoded on disk, so their addresses are encoded twice.
        return super().translate_path(path)

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        """Folders are not found: only files are served."""
        self.send_error(http.HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _manifest(directory: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((directory / "manifest.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise NotFoundError(f"{directory} holds no atlas: there is no manifest.json in it") from None


def _sides(text: str | None) -> list[int] | None:
    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--levels takes cells a side, such as 10,20,40; got {text!r}") from None


@contextmanager
def _bars() -> Iterator[Any]:
    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {stage: progress.add_task(stage, total=None, start=False, visible=False) for stage in STAGES}

        def on_progress(stage: str, done: int, total: int) -> None:
            progress.start_task(bars[stage])
            progress.update(bars[stage], completed=done, total=total, visible=True)

        yield on_progress


def _summary(manifest: dict[str, Any]) -> None:
    from atlas_core.manifest import said_of_icons
    from atlas_core.spec import parse_spec

    table = Table(box=None, pad_edge=False, caption=said_of_icons(parse_spec(manifest["spec"])))
    table.add_column("layer", overflow="fold")
    for name in ("side", "cells", "shown", "whitened cosine", "robust", "retrieval"):
        table.add_column(name, justify="right", max_width=9)
    table.add_column("marked")
    for name, layer in manifest["layers"].items():
        for level in layer["levels"]:
            row = (name, str(level["side"]), str(level["cells"]), f"{level['shown']:.1%}")
            table.add_row(*row, *_fidelity(level["icons"]))
    Console().print(table)


def _fidelity(icons: dict[str, float] | None) -> list[str]:
    from atlas_core.marks import MARKS

    if icons is None:
        return ["", "", "", "no icons"]
    marks = [f"{icons[f'{mark}_share']:.1%} {mark.replace('_', ' ')}" for mark in MARKS if icons[f"{mark}_share"]]
    return [f"{icons['whitened_cosine']:.2f}", f"{icons['robust']:.2f}", f"{icons['retrieval_top1']:.0%}",
            ", ".join(marks) or "none"]  # fmt: skip
