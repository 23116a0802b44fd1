"""Small networks with planted shortcuts, their clean twins, and plants that predict nothing.

    python benchmarks/audit.py train         trains them, some eight seconds of a processor each

All is kept in --folder (benchmarks/out/audit), so that a broken-off run goes on; --only takes networks whose names
begin so, such as planted-cast.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
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
ACTIONS = ("train",)


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    from benchmarks.auditing.cases import cases, make

    chosen = [case for case in cases() if case.name.startswith(tuple(options.only))]
    if options.count is not None:
        chosen = chosen[: options.count]
    if options.action == "train":
        _over(make, chosen, options, lambda name, facts: f"{name}: accuracy {facts['accuracy']}, "
              f"flips {facts['flips']}, {facts['seconds']} s")  # fmt: skip
    return 0


def _over(work: Work, chosen: list[Case], options: argparse.Namespace, told: Callable[[str, Facts], str]) -> None:
    """Do something for each network, some at once; what is done is told as it comes."""
    from benchmarks.auditing.pools import WORLDS, pool

    for name in WORLDS:  # before processes would draw them at once
        pool(name, options.folder)
    if options.processes == 1:
        import torch

        torch.set_num_threads(1)
        for case in chosen:
            print(told(case.name, work(case, options.folder)), flush=True)
        return
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as processes:
        for case, done in zip(chosen, processes.map(partial(work, out=options.folder), chosen), strict=True):
            print(told(case.name, done), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--folder", type=Path, default=OUT)
    parser.add_argument("--only", nargs="+", default=[""], help="networks whose names begin so")
    parser.add_argument("--count", type=int, help="the first so many, which are even over the kinds")
    parser.add_argument("--processes", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
