"""Load: `python benchmarks/load.py [--minutes 10] [--model CARD --dataset CARD --layer NAME]`.

A client process asks the embedded service for tiles, cells and projections while atlases are submitted, all on this
machine's cores; and then tiles are asked for side by side with nginx that serves the same files. Needs nginx and wrk
on PATH (Debian: nginx-light, wrk). Writes Markdown tables: throughput, percentiles, error share, memory and its slope.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SMALL = {"samples": 240, "levels": [3], "recipe": "none", "attribution": "none"}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="load.py", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=8, help="connections of the client")
    parser.add_argument("--rounds", type=int, default=3, help="of tiles beside nginx; 0 for none")
    parser.add_argument("--seconds", type=int, default=8, help="of each of them")
    parser.add_argument("--model", type=Path, help="card; a tiny network by default")
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--layer")
    parser.add_argument("--data", type=Path, help="folder of the service, kept for the next run")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        return run(options, Path(temporary))


def run(options: argparse.Namespace, folder: Path) -> int:
    from atlas_client.client import Client
    from benchmarks.loading.files import side_by_side
    from benchmarks.loading.memory import Memory
    from service.embedded import embedded

    data = options.data or folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    with embedded(data) as up, Client(up.url, timeout=120) as client:
        given = wanted(client, options, folder)
        if options.minutes:
            request = {**given, "url": up.url, "seconds": 60 * options.minutes, "threads": options.threads}
            with Memory(up) as memory:
                said = subprocess.run([sys.executable, "-m", "benchmarks.loading.client"], input=json.dumps(request),
                                      capture_output=True, text=True, check=True, cwd=ROOT).stdout  # fmt: skip
            print(f"{options.threads} connections, {options.minutes:g} minutes, {len(os.sched_getaffinity(0))} cores\n")
            print(requests_table(json.loads(said), 60 * options.minutes), memory_table(memory), sep="\n\n")
        if options.rounds:
            tiles = given["paths"]["tile"]
            ours, nginx, size = side_by_side(up.url, tiles, seconds=options.seconds, rounds=options.rounds,
                                             connections=options.threads)  # fmt: skip
            print(f"\n{len(tiles)} tiles, {size:,} bytes in the median, {options.threads} connections\n")
            print(files_table(ours, nginx))
    return 0


def wanted(client: Any, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Make an atlas; returns what there is to ask of it."""
    from benchmarks.enduring.world import IMAGES, SPEC, register

    if options.model is None:
        spec = register(client, folder / "cards") | {"seed": 0}
    else:
        data = client.add_dataset(options.dataset)["id"]
        model = client.add_model(options.model)["id"]
        client.wait_ready("datasets", data)
        client.wait_ready("models", model)
        spec = {"model": model, "dataset": data, "layers": [options.layer], "samples": 12_000, "levels": [20, 40],
                "recipe": "fast", "seed": 0}  # fmt: skip
    atlas = client.wait(client.submit(spec)["id"])["id"]
    paths: dict[str, list[str]] = {"tile": [], "cells": [], "cell": []}
    for z in range(len(spec.get("levels", SPEC["levels"]))):
        level = client.json("GET", f"/v1/atlases/{atlas}/layers/{spec['layers'][0]}/levels/{z}")
        paths["tile"] += [tile["url"] for tile in level["tiles"]]
        paths["cells"].append(level["links"]["cells"])
        cells = client.json("GET", level["links"]["cells"])["items"]
        paths["cell"] += [f"{level['links']['cells']}/{cell['column']}-{cell['row']}" for cell in cells[:50]]
    images = [base64.b64encode(image).decode() for image in IMAGES]
    small = {**{name: spec[name] for name in ("model", "dataset", "layers")}, **SMALL}
    return {"paths": paths, "images": images, "projections": f"/v1/atlases/{atlas}/projections", "spec": small}


def requests_table(said: dict[str, Any], seconds: float) -> str:
    lines = ["| | a second | p50 ms | p95 | p99 | longest | requests | errors |", "| --- " + "| ---: " * 7 + "|"]
    for kind in sorted(said["seconds"]):
        spent = sorted(said["seconds"][kind])
        good = sum(count for status, count in said["statuses"][kind].items() if status.startswith("2"))
        cells = [f"{len(spent) / seconds:.1f}", *(f"{at(spent, share):.0f}" for share in (0.5, 0.95, 0.99, 1.0))]
        lines.append(f"| {kind} | {' | '.join(cells)} | {len(spent):,} | {1 - good / len(spent):.2%} |")
    bad = {kind: {status: count for status, count in counts.items() if not status.startswith("2")}
           for kind, counts in said["statuses"].items()}  # fmt: skip
    bad = {kind: counts for kind, counts in bad.items() if counts}
    return "\n".join(lines) + (f"\n\nErrors: {bad}" if bad else "")


def at(ordered: Sequence[float], share: float) -> float:
    """Milliseconds below which a share lies."""
    return 1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def memory_table(memory: Any) -> str:
    lines = ["| resident MB, with children | after a third | at the end | most | MB a minute from the third |",
             "| --- " + "| ---: " * 4 + "|"]  # fmt: skip
    for part, values in memory.megabytes.items():
        if values:
            cells = [values[len(values) // 3], values[-1], max(values)]
            lines.append(f"| {part} | {' | '.join(f'{value:.0f}' for value in cells)} | {memory.slope(part):+.2f} |")
    return "\n".join(lines)


def files_table(ours: Sequence[Any], nginx: Sequence[Any]) -> str:
    lines = [
        "| | tiles a second, each round | median | p50 ms | p99 ms | not 2xx |",
        "| --- " * 2 + "| ---: " * 4 + "|",
    ]
    for name, rates in (("service", ours), ("nginx", nginx)):
        each = ", ".join(f"{rate.a_second:,.0f}" for rate in rates)
        cells = [f"{median(rate.a_second for rate in rates):,.0f}", f"{median(rate.p50 for rate in rates):.2f}",
                 f"{median(rate.p99 for rate in rates):.2f}", str(sum(rate.bad for rate in rates))]  # fmt: skip
        lines.append(f"| {name} | {each} | {' | '.join(cells)} |")
    share = median(a.a_second / b.a_second for a, b in zip(ours, nginx, strict=True))
    return "\n".join([*lines, "", f"The service serves {share:.2f} of what nginx serves."])


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
