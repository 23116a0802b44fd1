"""Clients that go on asking while things break, and judge every answer by the undisturbed twin's."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, Queue

from atlas_client.client import Client
from atlas_client.errors import ClientError, NotFoundError, UnavailableError
from benchmarks.enduring.world import IMAGES, Twin, land

POLL_SECONDS = 0.5
STUCK_SECONDS = 600.0
"""After which a job that has not ended counts as stuck."""


@dataclass
class Tally:
    """What happened so far; `bad` are lines that should not be there."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"job": [], "projection": []})
    bad: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str, kind: str | None = None, seconds: float = 0.0) -> None:
        with self.lock:
            self.counts[what] += 1
            if kind:
                self.seconds[kind].append(seconds)

    def refused(self, what: str, error: UnavailableError) -> None:
        """Count what may be refused while something is down; a crash may not."""
        if "answered 500" in str(error):
            self.wrong(f"{what}: {error}")
        else:
            self.count(what)

    def wrong(self, line: str) -> None:
        with self.lock:
            self.bad.append(line)
        print(f"{time.strftime('%H:%M:%S')} WRONG: {line}", flush=True)


class Asker:
    """Threads that submit and project until the time is over, and then wait for what they submitted.

    Args:
        url: Of the service.
        twins: What is asked for, and the right answers. The first is kept for projections; the others are deleted once
            they are done and asked for again.
        until: When to stop, by `time.monotonic`.
        seed: Of what is asked when.
    """

    def __init__(self, url: str, twins: Sequence[Twin], until: float, seed: int) -> None:
        self.tally = Tally()
        self._url, self._kept, self._until, self._seed = url, twins[0], until, seed
        self._wanted: Queue[Twin] = Queue()
        for twin in twins[1:]:
            self._wanted.put(twin)
        self.ready = threading.Event()

    def run(self, submitters: int, projectors: int) -> None:
        """Ask from so many threads each; returns when all have ended."""
        work: list[tuple[Callable[..., None], Sequence[int]]] = [(self._submit_all, ())] * submitters
        work += [(self._project_all, (number,)) for number in range(projectors)]
        work.append((self._make_kept, ()))
        threads = [threading.Thread(target=self._watched, args=one) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _watched(self, ask: Callable[..., None], arguments: Sequence[int]) -> None:
        """Ask; a client that breaks is told, or the rest of the run would prove less than it seems to."""
        try:
            ask(*arguments)
        except Exception as error:
            self.tally.wrong(f"a client broke: {error!r}")
            raise

    # Jobs

    def _make_kept(self) -> None:
        with Client(self._url, timeout=60) as client:
            if self._made(client, self._kept):
                self.ready.set()

    def _submit_all(self) -> None:
        with Client(self._url, timeout=60) as client:
            while time.monotonic() < self._until:
                try:
                    twin = self._wanted.get(timeout=1)
                except Empty:
                    continue
                if self._made(client, twin) and self._deleted(client, twin):
                    self._wanted.put(twin)

    def _made(self, client: Client, twin: Twin) -> bool:
        """Ask for an atlas until it is promised, wait for its end, and compare it."""
        began = time.monotonic()
        while True:
            try:
                name = client.submit(twin.spec)["id"]
                break
            except UnavailableError as error:
                self.tally.refused("submissions refused for now", error)
                time.sleep(POLL_SECONDS)
            except ClientError as error:
                self.tally.wrong(f"a submission was refused: {error}")
                return False
        self.tally.count("submissions promised")
        if name != twin.id:
            self.tally.wrong(f"seed {twin.spec['seed']} became the atlas {name} and not {twin.id}")
            return False
        return self._ended(client, twin, began)

    def _ended(self, client: Client, twin: Twin, began: float) -> bool:
        deadline = time.monotonic() + STUCK_SECONDS
        while time.monotonic() < deadline:
            try:
                job = client.status(twin.id)
            except UnavailableError as error:
                self.tally.refused("polls not answered", error)
                time.sleep(POLL_SECONDS)
                continue
            except NotFoundError as error:
                self.tally.wrong(f"lost: seed {twin.spec['seed']}: {error}")
                return False
            if job["state"] in ("succeeded", "failed", "cancelled"):
                return self._judged(twin, job, time.monotonic() - began)
            time.sleep(POLL_SECONDS)
        self.tally.wrong(f"stuck: seed {twin.spec['seed']} is {job['state']}, {job['progress']}")
        return False

    def _judged(self, twin: Twin, job: dict[str, object], seconds: float) -> bool:
        if job["state"] != "succeeded":
            self.tally.wrong(f"seed {twin.spec['seed']} {job['state']}: {job['error']}")
            return False
        self.tally.count("atlases made", "job", seconds)
        if job["digest"] != twin.digest:
            self.tally.wrong(f"seed {twin.spec['seed']} has the digest {job['digest']} and not {twin.digest}")
        return True

    def _deleted(self, client: Client, twin: Twin) -> bool:
        while time.monotonic() < self._until:
            try:
                client.delete("atlases", twin.id)
            except NotFoundError:
                pass  # an earlier request was carried out, only its answer was lost
            except UnavailableError as error:
                self.tally.refused("deletions refused for now", error)
                time.sleep(POLL_SECONDS)
                continue
            self.tally.count("atlases deleted")
            return True
        return False

    # Projections

    def _project_all(self, number: int) -> None:
        self.ready.wait(STUCK_SECONDS)
        turns = random.Random(f"{self._seed} {number}")
        with Client(self._url, timeout=60) as client:
            while time.monotonic() < self._until:
                self._project(client, turns.randrange(len(IMAGES)))
                time.sleep(turns.uniform(0, 0.5))

    def _project(self, client: Client, place: int) -> None:
        began = time.monotonic()
        try:
            answer = land(client, self._kept.id, IMAGES[place])
        except UnavailableError as error:
            late = time.monotonic() - began > 25
            self.tally.refused(f"projections not answered{' in time' if late else ''}", error)
            print(
                f"{time.strftime('%H:%M:%S')} no projection after {time.monotonic() - began:.1f} s: {error}", flush=True
            )
            time.sleep(POLL_SECONDS)
        except ClientError as error:
            self.tally.wrong(f"a projection was refused: {error}")
        else:
            self.tally.count("projections answered", "projection", time.monotonic() - began)
            if answer != self._kept.landings[place]:
                self.tally.wrong(f"image {place} landed elsewhere: {answer[:300]!r}")
