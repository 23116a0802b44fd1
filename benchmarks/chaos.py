"""Chaos: `python benchmarks/chaos.py [--minutes 30]`.

Atlases are submitted, deleted and submitted again, and images projected, while workers, API and Redis are killed at
random and the store, a real S3 server, fails one call in twenty. Every manifest's digest and every projection is
compared with those of an undisturbed twin. Writes a Markdown table; exits 1 where anything was lost, stuck or wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
SETTLED_SECONDS = 120.0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="chaos.py", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--share", type=float, default=0.05, help="of the store's calls that fail")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--atlases", type=int, default=6, help="specs that are asked for in turn")
    parser.add_argument("--submitters", type=int, default=2)
    parser.add_argument("--projectors", type=int, default=2)
    parser.add_argument(
        "--pause", type=float, nargs=2, default=[4.0, 16.0], help="seconds between two kills, at least and at most"
    )
    parser.add_argument("--folder", type=Path, help="where logs stay; else a temporary one")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        return run(options, options.folder or Path(temporary))


def run(options: argparse.Namespace, folder: Path) -> int:
    from atlas_client.client import Client
    from benchmarks.enduring.asking import Asker
    from benchmarks.enduring.killing import Killer
    from benchmarks.enduring.world import register, twins
    from service.embedded import embedded
    from tests.faulty_proxy import faulty_proxy
    from tests.rgw import running_rgw

    folder.mkdir(parents=True, exist_ok=True)
    expected = twins(folder, range(options.atlases))
    print(f"{time.strftime('%H:%M:%S')} the {len(expected)} undisturbed twins are made", flush=True)
    with (
        running_rgw(Path(tempfile.mkdtemp(prefix="rgw-", dir=folder))) as rgw,
        faulty_proxy(rgw.endpoint, options.share, options.seed) as proxy,
        patch.dict(os.environ, {**rgw.environment, "ATLAS_STORE_URL": rgw.bucket(), "ATLAS_STORE_ENDPOINT": proxy.url,
                                "ATLAS_STORE_PUBLIC_ENDPOINT": rgw.endpoint}),
        embedded(folder / "disturbed") as up,
        Client(up.url, timeout=60) as client,
    ):  # fmt: skip
        register(client, folder / "cards")
        began = time.monotonic()
        until = began + 60 * options.minutes
        asker = Asker(up.url, expected, until, options.seed)
        with Killer(up, options.seed, until, tuple(options.pause)) as killer:
            asker.run(options.submitters, options.projectors)
        minutes = (time.monotonic() - began) / 60
        left = settled(up.url)
        if left:
            asker.tally.wrong(f"work is left although every job has ended: {left}")
    print(table(minutes, killer.counts, proxy.counts, asker.tally))
    return 1 if asker.tally.bad else 0


def settled(url: str) -> dict[str, float]:
    """What /metrics says is still queued or running, jobs under way too, once nothing is asked for any more."""
    import httpx
    from prometheus_client.parser import text_string_to_metric_families

    deadline = time.monotonic() + SETTLED_SECONDS
    while True:
        time.sleep(1)
        try:
            text = httpx.get(f"{url}/metrics", timeout=30).text
        except httpx.TransportError:
            continue
        samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
        left = {f"{one.name} {one.labels}": one.value for one in samples
                if one.name in ("atlas_queue_work", "atlas_jobs") and one.value}  # fmt: skip
        known = any(one.name == "atlas_queue_work" for one in samples)
        if (known and not left) or time.monotonic() > deadline:
            return left if known else {"metrics": 0.0}


def table(minutes: float, killed: dict[str, int], store: dict[str, int], tally: object) -> str:
    from benchmarks.enduring.asking import Tally

    assert isinstance(tally, Tally)
    failed = sum(count for kind, count in store.items() if kind != "served")
    rows = [("minutes", f"{minutes:.1f}")]
    rows += [(f"killed: {name}", str(count)) for name, count in sorted(killed.items())]
    rows.append(("calls of the store, failed", f"{sum(store.values()):,}, {failed:,}"))
    rows += [(name, f"{count:,}") for name, count in sorted(tally.counts.items())]
    for kind, seconds in tally.seconds.items():
        if seconds:
            ordered = sorted(seconds)
            p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
            rows.append((f"seconds of a {kind}: median, p99, longest",
                         f"{median(ordered):.1f}, {p99:.1f}, {ordered[-1]:.1f}"))  # fmt: skip
    rows.append(("lost, stuck, failed or wrong", str(len(tally.bad))))
    return "\n".join(["| | |", "| --- | ---: |", *(f"| {name} | {value} |" for name, value in rows), "", *tally.bad])


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
