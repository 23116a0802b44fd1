"""What a chunk reads can be gone or damaged: then whoever made it is no longer done, and makes it again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from atlas_core.errors import IntegrityError, MissingInputError, NotFoundError

if TYPE_CHECKING:
    from atlas_core.plan import Plan
    from atlas_core.runtime import Runtime
    from atlas_core.store import Store

log = logging.getLogger(__name__)


@contextmanager
def repairing(plan: Plan, runtime: Runtime) -> Iterator[None]:
    """Run a step; where it fails for a lost or damaged input, undo the chunk that made it.

    Records are written last, so a blob that a record names was there: it was lost since, or collected as garbage by
    somebody who could not know of this job yet.

    Raises:
        MissingInputError: Names the chunks to be run again; nothing of theirs is left that would hinder it.
    """
    runtime.read.clear()
    try:
        yield
    except (NotFoundError, IntegrityError) as error:
        lost = [key for key, record in runtime.read.items() if not _whole(runtime.store, record)]
        if not lost:
            raise
        for key in lost:
            log.warning("the chunk %s %s has lost what it made and is done again", plan.by_key[key].stage, key[:12])
            runtime.store.delete_record(plan.by_key[key].stage, key)
        stages = ", ".join(sorted({plan.by_key[key].stage for key in lost}))
        raise MissingInputError(f"what {stages} made is gone from the store or damaged, and is made again "
                                f"({error.detail})", tuple(lost)) from None  # fmt: skip


def _whole(store: Store, record: dict[str, Any] | None) -> bool:
    """Whether a record is there and every blob that it names; a damaged blob is deleted, for it would be kept."""
    if record is None:
        return False
    whole = True
    for sha256 in record["blobs"].values():
        try:
            store.get_blob(sha256)
        except NotFoundError:
            whole = False
        except IntegrityError:
            store.delete_blob(sha256)
            whole = False
    return whole
