"""Progress bars on the standard error, of uploads and of jobs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from atlas_client.connection import OnDocument
from atlas_client.uploads import OnBytes

ETA = "left"


def stage_counts(document: dict[str, Any]) -> list[tuple[str, int, int, float]]:
    """Stage, chunks done, chunks in all, and the share done with what runs counted in, of a job's document."""
    progress = document.get("progress") or {}
    return [(stage, one["done"], one["total"], one["fraction"]) for stage, one in progress.items()]


def duration(seconds: float) -> str:
    """A number of seconds for people."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


@contextlib.contextmanager
def upload_bar() -> Iterator[OnBytes]:
    """A bar that appears with the first bytes of a file that has to be sent."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    bars = Progress(*columns, console=Console(stderr=True))
    current: list[TaskID] = []

    def on_upload(sent: int, size: int) -> None:
        if not current:
            bars.start()  # not before: a bar without a task is an empty line
            current.append(bars.add_task("uploading", total=size))
        bars.update(current[0], completed=sent, total=size)
        if sent == size:
            current.clear()

    try:
        yield on_upload
    finally:
        if bars.tasks:
            bars.stop()


@contextlib.contextmanager
def job_bars() -> Iterator[OnDocument]:
    """A bar for each stage of a job."""
    columns = (TextColumn("{task.description:<10}"), BarColumn(), TextColumn("{task.fields[counted]}"))
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def on_progress(document: dict[str, Any]) -> None:
            for stage, done, total, fraction in stage_counts(document):
                counted = f"{done}/{total}"
                if stage not in tasks:
                    tasks[stage] = bars.add_task(stage, total=1.0, counted=counted)
                bars.update(tasks[stage], completed=fraction, counted=counted)
            left = document.get("eta_seconds")
            if not tasks or (left is None and ETA not in tasks):
                return
            told = "" if left is None else f"about {duration(left)}"
            if ETA not in tasks:
                tasks[ETA] = bars.add_task(ETA, total=None, counted=told, visible=True)
            bars.update(tasks[ETA], counted=told, visible=left is not None)

        yield on_progress


@contextlib.contextmanager
def inspection_bar() -> Iterator[OnDocument]:
    """A line that says what is being waited for."""
    with Console(stderr=True).status("inspecting") as line:

        def on_progress(document: dict[str, Any]) -> None:
            line.update(f"{document.get('name', document['id'])}: {document['state']}")

        yield on_progress
