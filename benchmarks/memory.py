"""Memory of collection on few and on many images, with the same number of samples.

Runs the collect chunks of a real plan, a fresh process for every number of images, and prints how much the process's
peak grew beyond its peak after the first batch: the median of some runs, because the allocator alone moves a run by
some MiB. Goal: the medians differ by at most 15 %.

    python benchmarks/memory.py MODEL_CARD DATASET_CARD LAYER [--images 1000 10000] [--samples 20000] [--runs 5]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from statistics import median

GOAL = 0.15


def peak_kib() -> int:
    """Peak resident memory of this process so far, in KiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError("this system does not tell a process's peak memory")


def subset(card: Path, count: int, folder: Path) -> Path:
    """A dataset card of a dataset's first images, in a zip of their own."""
    from atlas_core.cards import resolve_dataset_card
    from atlas_core.datasets.dataset import open_dataset
    from atlas_core.store import open_store

    resolved = resolve_dataset_card(card)
    with (
        open_dataset(resolved, open_store(str(folder / "unused")).open_blob) as dataset,
        zipfile.ZipFile(folder / "images.zip", "w") as archive,
    ):
        for image in dataset.listing.images[:count]:
            archive.writestr(image, dataset.read(image))
    path = folder / "dataset.json"
    classes = None if resolved.classes is None else list(resolved.classes)
    path.write_text(json.dumps({"name": f"first {count}", "source": "images.zip", "classes": classes}))
    return path


def register(folder: Path, model: Path, dataset: Path, layer: str, samples: int) -> Path:
    """Register a model and a dataset in a store and write the plan."""
    from atlas_core import registry
    from atlas_core.build import plan
    from atlas_core.registration import register_cards
    from atlas_core.spec import parse_spec
    from atlas_core.store import open_store

    store = open_store(str(folder / "store"))
    model_id, dataset_id = register_cards(store, model, dataset)
    spec = parse_spec({"model": model_id, "dataset": dataset_id, "layers": [layer], "samples": samples, "seed": 0,
                       "levels": [10]})  # fmt: skip
    planned = plan(spec, registry.model_facts(store, model_id), registry.dataset_facts(store, dataset_id))
    path = folder / "plan.json"
    path.write_text(planned.model_dump_json())
    return path


def collect(folder: Path) -> dict[str, int]:
    """Run a plan's collect chunks here; peaks in KiB."""
    import torch

    from atlas_core.plan import Plan
    from atlas_core.runtime import Runtime
    from atlas_core.stages import run_chunk
    from atlas_core.store import open_store

    torch.set_num_threads(1)
    planned = Plan.model_validate_json((folder / "plan.json").read_text())
    runtime = Runtime(open_store(str(folder / "store")))
    first: list[int] = []

    def note(done: int, total: int) -> None:
        if not first:
            first.append(peak_kib())

    chunks = planned.find("collect")
    for chunk in chunks:
        run_chunk(planned, chunk, runtime, note)
    return {"chunks": len(chunks), "first": first[0], "peak": peak_kib()}


def measure(arguments: argparse.Namespace, images: int) -> list[dict[str, int]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        register(folder, arguments.model, subset(arguments.dataset, images, folder), arguments.layer, arguments.samples)
        command = [sys.executable, __file__, "--child", str(folder)]
        found = []
        for _ in range(arguments.runs):
            shutil.rmtree(folder / "store" / "records", ignore_errors=True)  # or nothing would be left to do
            found.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("layer")
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    if len(sys.argv) == 1:
        print(f"Needs a model, a dataset and a layer; nothing measured.\n\n{__doc__}")
        return 0
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(collect(Path(sys.argv[2]))))
        return 0
    arguments = parser.parse_args()
    print("| images | chunks | peak after the first batch, MiB | peak, MiB | growth, MiB, each run | median |")
    print("| --- | --- | --- | --- | --- | --- |")
    growths = []
    for images in arguments.images:
        runs = measure(arguments, images)
        grown = [run["peak"] - run["first"] for run in runs]
        growths.append(median(grown))
        first, peak = (median([run[name] for run in runs]) / 1024 for name in ("first", "peak"))
        each = " ".join(f"{value / 1024:.1f}" for value in grown)
        print(f"| {images} | {runs[0]['chunks']} | {first:.1f} | {peak:.1f} | {each} | {growths[-1] / 1024:.1f} |")
    difference = (max(growths) - min(growths)) / max(1, min(growths))
    print(f"\nGrowth differs by {difference:.1%}; the goal is at most {GOAL:.0%}.")
    return 0 if difference <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
