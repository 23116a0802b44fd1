"""Jobs: waiting until they have ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

from atlas_client.connection import Connection, Document, OnDocument, path_of
from atlas_client.errors import ClientError, JobError, RefusedError, UnavailableError
from atlas_client.events import OUTAGE, TERMINAL, follow
from atlas_client.problems import slug_of

POLL_FIRST, POLL_LAST = 0.2, 2.0  # seconds between looks at a job, growing
LOOK = 1.0  # seconds between looks at a job of which events come


class Jobs(Connection):
    """Waits for what a service makes."""

    def _wait(self, path: str, on_progress: OnDocument | None) -> Document:
        value = self.json("GET", path)
        if on_progress:
            on_progress(value)
        if value["state"] not in TERMINAL:
            self._sit_out(path, on_progress)
            value = self._poll(path, TERMINAL, on_progress)
        if value["state"] != "succeeded":
            raise job_error(value)
        return value

    def _sit_out(self, path: str, on_progress: OnDocument | None) -> None:
        """Look at a job whenever something happened to it, until it has ended or its events cannot be had now."""
        looked = time.monotonic()

        def look() -> None:
            nonlocal looked
            if on_progress and time.monotonic() - looked > LOOK:
                looked = time.monotonic()
                on_progress(self.json("GET", path))

        events = follow(self._http, self.url, f"{path}/events", patience=0, on_beat=look)
        with contextlib.suppress(ClientError), contextlib.closing(events):
            for event in events:
                if event.type == "state" and event.data["state"] in TERMINAL:
                    return
                look()

    def _poll(self, path: str, until: Sequence[str], on_progress: OnDocument | None) -> Document:
        pause, reached = POLL_FIRST, time.monotonic()
        while True:
            try:
                value = self.json("GET", path)
            except UnavailableError:
                # A job outlives a restart of what it runs on, so waiting for one does too.
                if time.monotonic() - reached > OUTAGE:
                    raise
                time.sleep(POLL_LAST)
                continue
            reached = time.monotonic()
            if on_progress:
                on_progress(value)
            if value["state"] in until:
                return value
            time.sleep(pause)
            pause = min(POLL_LAST, pause * 1.3)

    def _made(self, job: Document, on_progress: OnDocument | None) -> Document:
        self._wait(path_of("jobs", job["id"]), on_progress)
        return self.json("GET", job["links"]["self"])


def job_error(value: Document) -> JobError | RefusedError:
    """Why a job that ended did not succeed, from its document."""
    error = value.get("error") or {}
    detail = str(error.get("detail") or error.get("title") or "no reason given")
    slug = slug_of(error)
    what = "atlas" if value.get("kind", "atlas") == "atlas" else "job"
    if value["state"] == "cancelled":
        return JobError(f"the {what} {value['id']} was cancelled; submit it again to continue", "cancelled")
    if slug.startswith(("invalid-", "unknown-", "unsupported-")):
        return RefusedError(detail, 422, slug)
    return JobError(f"the {what} {value['id']} failed: {detail}", "failed")
