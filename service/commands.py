"""The commands that start the service: up and demo."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from atlas_client.client import Client

from atlas_core.errors import DependencyError
from service import upkeep
from service.embedded import Embedded, embedded, free_port, port_is_free, stopped_by_signals
from service.key_commands import app as keys_app
from service.upkeep import AsJson, put

DEFAULT_PORT = 8000
Data = Annotated[
    Path, typer.Option("--data", envvar="ATLAS_DATA", help="Data folder; made where it is missing.", file_okay=False)
]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="8000 by default, a free one where that is taken.")]

DEMO_LAYERS = ["features.4", "features.7"]
DEMO_OPTIONS: dict[str, Any] = {"samples": 12_000, "levels": [10, 20], "recipe": "vivid", "name": "demo"}
HELD_OUT_SEED = 1


def register(app: typer.Typer) -> None:
    """Add the commands to the `atlas` application."""
    app.command("up")(up)
    app.command("demo")(demo)
    upkeep.register(app)
    app.add_typer(keys_app, name="keys")


def up(
    data: Data = Path(".atlas"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Port = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Of the batch worker; as many as cores.")] = None,
    as_json: AsJson = False,
) -> None:
    """Start the service here, with all that it needs, until Ctrl-C."""
    with (
        stopped_by_signals() as stopped,
        embedded(data, host=host, port=_port(port), processes=processes) as service,
    ):
        if as_json:
            put(json.dumps({"url": service.url, "data": str(data.resolve())}))
        else:
            put(f"{service.url}  (data in {data}, Ctrl-C stops it)")
        stopped.wait()


def demo(
    data: Data = Path(".atlas"),
    port: Port = None,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Go on serving at the end.")] = True,
    data_only: Annotated[
        Path | None, typer.Option(help="Only write the world, its cards, weights and policy into this folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a small world of pictures, the atlas of a network trained on it, and show it."""
    if data_only is not None:
        _write_world(data_only)
        put(json.dumps({"folder": str(data_only)}) if as_json else f"the world is in {data_only}")
        return
    if port is not None:
        _port(port)  # refused before the world is drawn
    world = data / "demo-world"
    if not (world / "dataset.json").is_file():
        _write_world(world)
    with stopped_by_signals() as stopped, embedded(data, port=_port(port)) as service:
        answer = _make_atlas(service, world, lambda: stopped.is_set())
        put(json.dumps(answer) if as_json else _told(answer))
        if serve:
            if not as_json:
                put("serving; Ctrl-C stops it")
            stopped.wait()


def _port(wanted: int | None) -> int:
    if wanted is not None:
        if not port_is_free(wanted):
            raise DependencyError(f"the port {wanted} is taken; stop what listens there, or name another with --port")
        return wanted
    return DEFAULT_PORT if port_is_free(DEFAULT_PORT) else free_port()


def _write_world(folder: Path) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from service.demo.world import write_world

    with Progress(console=Console(stderr=True)) as bars:
        task = bars.add_task("drawing the world", total=None)
        write_world(folder, on_progress=lambda done, total: bars.update(task, completed=done, total=total))


def _make_atlas(service: Embedded, world: Path, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Over HTTP, as anybody would: register, submit, wait, project."""
    from atlas_client.client import Client
    from atlas_client.progress import inspection_bar, job_bars

    began = time.monotonic()

    def unless_stopped(show: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
        def on_progress(document: dict[str, Any]) -> None:
            if stopped():
                raise KeyboardInterrupt
            show(document)

        return on_progress

    with Client(service.url) as client:
        dataset = client.add_dataset(world / "dataset.json")["id"]
        model = client.add_model(world / "model.json", dataset)["id"]
        with inspection_bar() as show:
            client.wait_ready("datasets", dataset, unless_stopped(show))
            described = client.wait_ready("models", model, unless_stopped(show))
        atlas = client.submit({"model": model, "dataset": dataset, "layers": DEMO_LAYERS, **DEMO_OPTIONS})["id"]
        sys.stderr.write(f"watch it grow: {service.url}/?atlas={atlas}\n")
        with job_bars() as show:
            done = client.wait(atlas, unless_stopped(show))
        stops = _add_tour(client, atlas)
        projection = client.project(atlas, _held_out())
    return {
        "url": f"{service.url}/?atlas={atlas}",
        "atlas": atlas,
        "model": model,
        "dataset": dataset,
        "accuracy": described["accuracy"],
        "digest": done["digest"],
        "seconds": round(time.monotonic() - began, 1),
        "projection": projection,
        "stops": stops,
    }


def _add_tour(client: Client, atlas: str) -> int:
    """Save the demo's tour, unless somebody saved places of this map before; gives how many there are."""
    from service.demo.tour import TITLE, tour_of

    tour = client.tour(atlas)
    if tour["version"] == 0:
        tour = client.set_tour(atlas, tour_of(client, atlas), TITLE)
    return len(tour["stops"])


def _held_out() -> bytes:
    """A picture that the network was not trained on and the atlas was not made of: a wok."""
    from service.demo.world import encode, generate

    return next(encode(picture) for name, _, _, picture in generate(HELD_OUT_SEED, 10, True) if name == "wok")


def _told(answer: dict[str, Any]) -> str:
    projection = answer["projection"]
    classes = ", ".join(f"{one['name']} {one['probability']:.0%}" for one in projection["classes"][:3])
    (layer, placed), *_ = projection["layers"].items()
    positions = placed["positions"]
    side = str(DEMO_OPTIONS["levels"][-1])
    cells = {(one["cells"][side]["column"], one["cells"][side]["row"]) for one in positions}
    accuracy = answer["accuracy"]
    return "\n".join(
        [
            f"the network is right on {accuracy['top1']:.1%} of {accuracy['images']:,} pictures" if accuracy else "",
            f"a new picture of a wok: {classes}",
            f"  {layer}: {len(positions)} positions land in {len(cells)} cells of {side} x {side}",
            f"made in {answer['seconds']:.0f} s; look at it: {answer['url']}",
        ]
    ).lstrip()
