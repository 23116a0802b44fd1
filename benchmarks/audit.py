"""Small networks with planted shortcuts, their clean twins, and what an audit finds in them.

    python benchmarks/audit.py               all of it
    python benchmarks/audit.py train         trains them, some eight seconds of a processor each
    python benchmarks/audit.py audit         audits those that are trained, half a minute each
    python benchmarks/audit.py table         the table, of those that are audited

All is kept in --folder (benchmarks/out/audit), so that a broken-off run goes on; --only takes networks whose names
begin so, such as planted-cast. See benchmarks/README.md, "Audits".
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.auditing.cases import Case

    Facts = dict[str, Any]
    Work = Callable[[Case, Path], Facts]

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "benchmarks" / "out" / "audit"
ACTIONS = ("train", "audit", "table", "all")


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    from benchmarks.auditing.cases import cases, make

    chosen = [case for case in cases(options.seed) if case.name.startswith(tuple(options.only))]
    if options.count is not None:
        chosen = chosen[: options.count]
    if options.action in ("train", "all"):
        _over(make, chosen, options, lambda facts: f"accuracy {facts['accuracy']}, flips {facts['flips']}, "
              f"{facts['seconds']} s")  # fmt: skip
    if options.action in ("audit", "all"):
        from benchmarks.auditing.runs import audit

        trained = [case for case in chosen if (options.folder / case.name / "facts.json").is_file()]
        _over(audit, trained, options, lambda found: f"{found['verdict']}, {sum(found['seconds'].values()):.0f} s")
    if options.action in ("table", "all"):
        from benchmarks.auditing.table import rows, table

        print(table(rows(chosen, options.folder)))
    return 0


def _over(work: Work, chosen: list[Case], options: argparse.Namespace, told: Callable[[Facts], str]) -> None:
    """Do something for each network, some at once; what is done is told as it comes."""
    from benchmarks.auditing.pools import WORLDS, pool

    for name in WORLDS:  # before processes would draw them at once
        pool(name, options.folder)
    if options.processes == 1:
        import torch

        torch.set_num_threads(1)
        for case in chosen:
            print(f"{case.name}: {told(work(case, options.folder))}", flush=True)
        return
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as processes:
        for case, done in zip(chosen, processes.map(work, chosen, repeat(options.folder)), strict=True):
            print(f"{case.name}: {told(done)}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="all")
    parser.add_argument("--folder", type=Path, default=OUT)
    parser.add_argument("--only", nargs="+", default=[""], help="networks whose names begin so")
    parser.add_argument("--count", type=int, help="the first so many, which are even over the kinds")
    parser.add_argument("--seed", type=int, default=0, help="the first; from 64 on all networks are others")
    parser.add_argument("--processes", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
