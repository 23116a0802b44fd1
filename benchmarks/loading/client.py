"""The client of load.py, a process of its own: `python -m benchmarks.loading.client`, JSON in and JSON out.

Each thread has one connection and asks for the next thing as soon as it has the last, in the shares that are given.
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from typing import Any
from urllib.parse import urlsplit

SHARES = {"tile": 0.70, "cells": 0.10, "cell": 0.10, "projection": 0.05, "projection, kept": 0.05}
SUBMIT_SECONDS = 20.0
"""Between two submissions: each is work for minutes of a worker."""


class Load:
    """What is asked for and what came of it.

    Args:
        given: `url`, `seconds`, `threads`, `paths` by kind, `images` in base64, `projections` and `spec`.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        self._images = [base64.b64decode(image) for image in given["images"]]
        self._until = time.monotonic() + given["seconds"]
        self._lock = threading.Lock()
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def run(self) -> None:
        threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(self._given["threads"])]
        threads.append(threading.Thread(target=self._submit))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask(self, number: int) -> None:
        turns, place = random.Random(number), urlsplit(self._given["url"])
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
        kinds, shares = list(SHARES), list(SHARES.values())
        while time.monotonic() < self._until:
            kind = turns.choices(kinds, shares)[0]
            if kind.startswith("projection"):
                fresh = {} if kind.endswith("kept") else {"cache-control": "no-cache"}
                headers = {"content-type": "image/png", **fresh}
                self._send(connection, kind, "POST", self._given["projections"], turns.choice(self._images), headers)
            else:
                self._send(connection, kind, "GET", turns.choice(self._given["paths"][kind]), None, {})
        connection.close()

    def _submit(self) -> None:
        place, seed = urlsplit(self._given["url"]), 1000
        while time.monotonic() < self._until:
            connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
            body = json.dumps({**self._given["spec"], "seed": seed}).encode()
            self._send(connection, "submission", "POST", "/v1/atlases", body, {"content-type": "application/json"})
            connection.close()
            seed += 1
            time.sleep(max(0.0, min(SUBMIT_SECONDS, self._until - time.monotonic())))

    def _send(
        self, connection: http.client.HTTPConnection, kind: str, method: str, path: str, body: bytes | None,
        headers: dict[str, str],
    ) -> None:  # fmt: skip
        began = time.perf_counter()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            status = str(answer.status)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            status = type(error).__name__
        took = time.perf_counter() - began
        with self._lock:
            self.seconds[kind].append(took)
            self.statuses[kind][status] += 1


if __name__ == "__main__":
    load = Load(json.load(sys.stdin))
    load.run()
    json.dump({"seconds": load.seconds, "statuses": load.statuses}, sys.stdout)
