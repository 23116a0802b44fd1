"""Run a plan on this machine: a pool of processes, each with the workers' thread setting."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas_core import devices, registry
from atlas_core.advance import GPU, STAGE_QUEUES
from atlas_core.build import plan
from atlas_core.errors import AtlasError, InputError, MissingInputError
from atlas_core.gc import drop_samples
from atlas_core.manifest import publish_files
from atlas_core.plan import Chunk, Plan, lacking
from atlas_core.scratch import clear_scratch
from atlas_core.settings import Settings
from atlas_core.spec import parse_spec
from atlas_core.store import Store, open_store

if TYPE_CHECKING:
    from atlas_core.facts import AnchorFacts

Progress = Callable[[str, int, int], None]
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
PR_SET_PDEATHSIG = 1
MOST_REPAIRS = 3

_runtime: Any = None


def single_threaded_environment() -> dict[str, str]:
    """Variables that give every process one thread of computation, as workers have it."""
    return dict.fromkeys(THREAD_VARIABLES, "1")


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel end this process when its parent's does, also by kill -9; Linux only, else nothing.

    Args:
        parent: Its process id, where it may be gone already: then this process ends at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent not in (None, os.getppid()):
            os._exit(1)


def _start(store: str, parent: int, device: str) -> None:
    global _runtime
    die_with_parent(parent)
    clear_scratch()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from atlas_core.runtime import Runtime

    _runtime = Runtime(open_store(store), stores=Settings().dataset_stores, device=device)


def _run(plan: Plan, chunk: Chunk) -> None:
    from atlas_core.stages import run_chunk

    run_chunk(plan, chunk, _runtime)


def _register(model: Path, dataset: Path) -> tuple[str, str]:
    from atlas_core.registration import register_cards

    return register_cards(_runtime.store, model, dataset, Settings().dataset_stores)


class Divided(Executor):
    """Chunks that compute on the GPU in the one process that has it, all else in others beside it.

    Args:
        gpu: Of one process.
        others: On the CPU.
    """

    def __init__(self, gpu: Executor, others: Executor) -> None:
        self._gpu = gpu
        self._others = others

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Have something done where it belongs."""
        on_gpu = work is _run and STAGE_QUEUES[arguments[1].stage] == GPU
        return (self._gpu if on_gpu else self._others).submit(work, *arguments, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all processes."""
        for pool in (self._gpu, self._others):
            pool.shutdown(wait, cancel_futures=cancel_futures)


def _pool(store: Path, count: int, device: str) -> Executor:
    def start(count: int, device: str) -> Executor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(count, context, _start, (str(store), os.getpid(), device))

    return (
        Divided(start(1, device), start(max(1, count - 1), devices.CPU))
        if devices.is_gpu(device)
        else start(count, device)
    )


@contextmanager
def processes(store: Path, count: int | None = None) -> Iterator[Executor]:
    """A pool of processes with the store open; they end with this process.

    Args:
        store: Folder of the store.
        count: Processes, as many as there are cores by default; where there is a GPU one of them has it.

    Raises:
        ConflictError: The GPU of ATLAS_DEVICE is in use.
    """
    device = devices.resolved(Settings().device)
    claim = devices.claim(device)
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(single_threaded_environment())
    pool = _pool(store, count or len(os.sched_getaffinity(0)), device)
    try:
        yield pool
    except BrokenProcessPool:
        raise AtlasError(
            "a process was killed, for lack of memory perhaps; run the same command again, what is finished is kept"
        ) from None
    except KeyboardInterrupt:
        # Whoever interrupts does not wait for running chunks: they are done again next time.
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        if claim is not None:
            claim.close()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def run_plan(plan: Plan, store: Store, pool: Executor, on_progress: Progress) -> None:
    """Run what a plan still lacks, in its order; finished chunks are found in the store.

    Args:
        plan: The plan.
        store: Holds the records.
        pool: From `processes`, on the same store.
        on_progress: Called with (stage, chunks done, chunks) for every chunk.

    Raises:
        AtlasError: A chunk failed; everything finished is kept.
    """
    there = store.have_records([(chunk.stage, chunk.key) for chunk in plan.chunks])
    done = {chunk.key for chunk, known in zip(plan.chunks, there, strict=True) if known}

    def report(stage: str) -> None:
        keys = [chunk.key for chunk in plan.find(stage)]
        on_progress(stage, sum(key in done for key in keys), len(keys))

    for stage in dict.fromkeys(chunk.stage for chunk in plan.chunks if chunk.key in done):
        report(stage)
    waiting = lacking(plan, done)
    repairs = 0
    running: dict[Future[None], Chunk] = {}
    try:
        while waiting or running:
            for chunk in [chunk for chunk in waiting if done.issuperset(chunk.inputs)]:
                running[pool.submit(_run, plan, chunk)] = chunk
                waiting.remove(chunk)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                chunk = running.pop(future)
                lost = _lost(future, repairs)
                if lost:
                    repairs += 1
                    done.difference_update(lost)
                    waiting = [chunk for chunk in lacking(plan, done) if chunk not in running.values()]
                else:
                    done.add(chunk.key)
                    report(chunk.stage)
    finally:
        for future in running:
            future.cancel()


def _lost(future: Future[None], repairs: int) -> tuple[str, ...]:
    """Keys of the chunks that have to be run again before one that has ended can: none where it is done."""
    try:
        future.result()
    except MissingInputError as error:
        if repairs >= MOST_REPAIRS:
            raise
        return error.chunks
    return ()


def build_directory(
    model: Path,
    dataset: Path,
    request: dict[str, Any],
    out: Path,
    on_progress: Progress,
    count: int | None = None,
    *,
    anchor: Path | None = None,
) -> dict[str, Any]:
    """Build an atlas into a folder; the same call continues what an earlier one began.

    Args:
        model: A model card.
        dataset: A dataset card.
        request: The fields of an AtlasSpec but for model and dataset.
        out: The folder; `out/.store` keeps blobs and records.
        on_progress: As in `run_plan`.
        count: Processes.
        anchor: Folder of an atlas whose points stay fixed.

    Returns:
        The manifest.

    Raises:
        InputError: A card, the request or the data is bad.
    """
    parse_spec({**request, "model": "-", "dataset": "-"})
    store_folder = out / ".store"
    store = open_store(str(store_folder))
    fixed = None if anchor is None else adopt(store, anchor)
    with processes(store_folder, count) as pool:
        model_id, dataset_id = pool.submit(_register, model, dataset).result()
        anchor_id = fixed and fixed.id
        spec = parse_spec({**request, "model": model_id, "dataset": dataset_id, "anchor": anchor_id, "preview": "none"})
        planned = plan(spec, registry.model_facts(store, model_id), registry.dataset_facts(store, dataset_id), fixed)
        registry.add_job(store, planned)
        registry.put_plan(store, planned)  # a finished atlas made anew by a newer version has other chunks
        run_plan(planned, store, pool, on_progress)
    manifest = publish_files(planned, store, out)
    registry.update(store, "jobs", planned.id, state="succeeded", digest=manifest["digest"])
    drop_samples(planned.id, store, None)
    return manifest


def adopt(store: Store, folder: Path) -> AnchorFacts:
    """Copy what an anchor is needed for from the folder of another atlas, so that the new one stands alone.

    Args:
        store: Of the new atlas.
        folder: Made by `atlas build`.

    Raises:
        InputError: The folder is no atlas with its `.store`.
    """
    manifest = folder / "manifest.json"
    if not manifest.is_file() or not (folder / ".store").is_dir():
        raise InputError(f"{folder} is no atlas to anchor on: it needs its manifest.json and its .store")
    source = open_store(str(folder / ".store"))
    facts = registry.anchor_facts(source, str(json.loads(manifest.read_text(encoding="utf-8"))["id"]))
    laid_out = [key for layer in facts.layers.values() for key in (layer.neighbours, layer.layout)]
    for stage, keys in (("collect", facts.collected), ("layout", laid_out)):
        for key in keys:
            record = source.get_record(stage, key)
            if record is None:
                raise InputError(f"the atlas in {folder} is not complete; build it again")
            for sha256 in record["blobs"].values():
                if store.blob_size(sha256) is None:
                    store.put_blob(source.get_blob(sha256))
            store.put_record(stage, key, record)
    return facts
