"""Does an audit with other seeds give the same verdict, and does the noise that it states cover those that differ?

    python benchmarks/seeds.py MODEL_CARD DATASET_CARD [--policy FILE] [--seeds 20] [--folder FOLDER]

Another seed maps other images, tests on the others, draws other crops, places and controls. What is done is kept in
--folder, so that a broken-off run goes on. See benchmarks/README.md, "Seeds".
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "benchmarks" / "out" / "seeds"
RARE = 0.05
"""Probability under which so many other verdicts are more than what the audits state."""

Told = dict[str, Any]


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    folder = options.folder / json.loads(options.model.read_text(encoding="utf-8"))["name"]
    folder.mkdir(parents=True, exist_ok=True)
    policy = None if options.policy is None else options.policy.read_text(encoding="utf-8")
    for seed in range(options.seeds + 1):
        print(f"seed {seed}: {audit(options.model, options.dataset, policy, seed, folder)}", flush=True)
    found = [json.loads((folder / f"{seed}.json").read_text(encoding="utf-8")) for seed in range(options.seeds + 1)]
    print(row(folder.name, found[0], found[1:]))
    return 0


def audit(model: Path, dataset: Path, policy: str | None, seed: int, folder: Path) -> Told:
    """What an audit with a seed says; done once."""
    from benchmarks.auditing.runs import audited

    file = folder / f"{seed}.json"
    if not file.is_file():
        import torch

        torch.set_num_threads(1)
        scratch = Path(tempfile.mkdtemp(prefix="audit-", dir=folder))
        try:
            document, spent = audited(model, dataset, policy, seed, scratch)
        finally:
            shutil.rmtree(scratch)
        file.write_text(json.dumps({**said(document), "seconds": round(sum(spent.values()), 1)}), encoding="utf-8")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def said(document: Told) -> Told:
    """Verdict and noise of a document: how likely other pastes give another verdict, by any of its checks.

    Checks that state no such number count with none.
    """
    stated = [check["noise"].get("another_verdict") or 0.0 for check in document["checks"]]
    counting = [one for check in document["checks"] for one in check["findings"] if one["gate"]]
    same = 1.0
    for share in stated:
        same *= 1 - share
    return {"verdict": document["verdict"], "another_verdict": round(1 - same, 4),
            "first": counting[0]["target"]["name"] if counting and counting[0]["target"] else None,
            "passes": sum(check["forward_passes"] for check in document["checks"])}  # fmt: skip


def row(name: str, own: Told, others: Sequence[Told]) -> str:
    """The table's line of a network.

    Args:
        name: Of the network.
        own: What its audit with seed 0 says.
        others: What those with other seeds say.
    """
    agreeing = sum(one["verdict"] == own["verdict"] for one in others)
    counted = ", ".join(f"{verdict} {n}" for verdict, n in Counter(one["verdict"] for one in others).most_common())
    first = ", ".join(f"{name or 'none'} {n}" for name, n in Counter(one["first"] for one in others).most_common())
    stated = [one["another_verdict"] for one in others]
    rest = len(others) - agreeing
    covered = "nothing to cover" if not rest else "yes" if at_least(rest, stated) >= RARE else "no"
    return (f"| {name} | {own['verdict']} | {agreeing} of {len(others)} | {counted} | {first} | "
            f"{median(stated):.3f}, {max(stated):.3f} | {covered} | {median(one['seconds'] for one in others):.0f} |"
            )  # fmt: skip


def at_least(count: int, shares: Sequence[float]) -> float:
    """Probability that so many or more of independent events happen, of which each has its own."""
    found = [1.0]  # of 0, 1, ... of them
    for share in shares:
        found = [(1 - share) * one + share * before for one, before in zip([*found, 0.0], [0.0, *found], strict=True)]
    return sum(found[count:])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--seeds", type=int, default=20, help="besides seed 0")
    parser.add_argument("--folder", type=Path, default=OUT)
    return parser


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
