"""From HTTP responses and transport failures to the client's errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx

from atlas_client.errors import BY_STATUS, RefusedError, UnavailableError

PATIENT = (425, 429)


def problem(response: httpx.Response) -> dict[str, Any]:
    """The problem+json of a response; an empty one where it has none."""
    response.read()
    try:
        value = response.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def slug_of(problem: dict[str, Any]) -> str:
    """The last part of a problem's `type`, such as `unknown-layer`; empty where it has none."""
    return str(problem.get("type", "")).rstrip("/").rpartition("/")[2]


def retry_after(response: httpx.Response) -> float | None:
    """Seconds of a `Retry-After` header, None without one that is a number."""
    with contextlib.suppress(ValueError):
        return max(0.0, float(response.headers.get("retry-after", "")))
    return None


def check(response: httpx.Response) -> httpx.Response:
    """Pass a successful response on, also one that is not read yet.

    Raises:
        RefusedError: 4xx; of the status's own kind.
        UnavailableError: 5xx, and 429.
    """
    if response.status_code < 400:
        return response
    value = problem(response)
    detail = value.get("detail") or value.get("title") or f"{response.reason_phrase or 'no reason given'}"
    status = response.status_code
    if status >= 500 or status in PATIENT:
        raise UnavailableError(f"the service answered {status}: {detail}", retry_after(response))
    errors = tuple(error for error in value.get("errors") or () if isinstance(error, dict))
    raise BY_STATUS.get(status, RefusedError)(str(detail), status, slug_of(value), errors)


@contextlib.contextmanager
def reaching(url: str) -> Iterator[None]:
    """Name the service when it cannot be reached.

    Raises:
        UnavailableError: Refused, timed out, or broken off.
    """
    try:
        yield
    except httpx.TimeoutException:
        raise UnavailableError(f"the service at {url} did not answer in time; try again later") from None
    except httpx.TransportError as error:
        raise UnavailableError(
            f"cannot reach the service at {url} ({error}); start one with `atlas up`, or name another with --url"
        ) from None
