"""Failures of object storage: which pass by themselves, how long to wait for that, and how to tell the rest."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    NotFoundError as MissingError,
    NotModifiedError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)

from atlas_core.errors import DependencyError, NotFoundError

log = logging.getLogger(__name__)
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 3.0  # seconds
ABSENT = (FileNotFoundError, MissingError)
PRESENT = (FileExistsError, AlreadyExistsError)
REFUSED = (PermissionError, PermissionDeniedError, UnauthenticatedError)
FINAL = (*REFUSED, InvalidPathError, NotSupportedError, *PRESENT, PreconditionError, NotModifiedError,
         UnknownConfigurationKeyError)  # fmt: skip
CLIENT_ERROR = re.compile(r"status code:? 4(?!08|25|29)\d\d|Client error with status 4(?!08|25|29)\d\d")
FORBIDDEN = re.compile(r"status code:? 40[13]\b")
NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|status code:? 404\b")
SIGNED = re.compile(r"(://[^\s?]*)\?\S*")
GONE = "the store's bucket or folder does not exist; make it, or name another"
_T = TypeVar("_T")


class MisconfiguredError(DependencyError):
    """The storage answers, and does not know the bucket or the credentials: waiting does not help."""


def is_transient(error: Exception) -> bool:
    """Whether a failure may pass: the server's own errors, timeouts, broken connections."""
    return not isinstance(error, FINAL) and not CLIENT_ERROR.search(str(error))


def patiently(call: Callable[[], _T], seconds: float) -> _T:
    """Call until it succeeds, again after transient failures with growing, random pauses.

    Args:
        call: Talks to the storage library; may be repeated.
        seconds: After which no further attempt begins; 0 for one attempt.

    Raises:
        NotFoundError: The object is not there.
        DependencyError: The failure is final, or did not pass in time.
        FileExistsError, AlreadyExistsError: As the storage library tells of a `create` that lost.
    """
    deadline, longest = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        try:
            return call()
        except ABSENT:
            raise NotFoundError("the object is not in the store") from None
        except PRESENT:
            raise
        except (BaseError, OSError) as error:
            pause = random.uniform(0, longest)
            if not is_transient(error) or time.monotonic() + pause >= deadline:
                raise told(error) from None
            log.info("the store failed (%s), trying again", type(error).__name__)
        time.sleep(pause)
        longest = min(2 * longest, LONGEST_PAUSE)


def told(error: Exception) -> DependencyError:
    """A failure of the storage library as ours; the log gets its first line, without what a URL is signed with."""
    first = (str(error).strip().splitlines() or [""])[0]
    log.warning("the store cannot be used: %s: %s", type(error).__name__, SIGNED.sub(r"\1?…", first)[:300])
    if isinstance(error, REFUSED) or FORBIDDEN.search(str(error)):
        return MisconfiguredError("the store refuses access; check its credentials and permissions, then try again")
    if NO_BUCKET.search(str(error)):
        return MisconfiguredError(GONE)
    return DependencyError(
        f"the store cannot be used ({type(error).__name__}); check that it is up and writable, then try again"
    )
