"""What is tried again, and what is told."""

import time

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from atlas_core.errors import DependencyError, NotFoundError
from atlas_core.store.failures import patiently


class Call:
    """Raises the given errors one after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that would have been slept; the clock moves with them."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(time, "monotonic", lambda: sum(pauses))
    return pauses


@pytest.mark.parametrize(
    "error",
    [
        GenericError("Server returned non-2xx status code: 503 Service Unavailable"),
        GenericError("Server returned non-2xx status code: 429 Too Many Requests"),
        GenericError("error sending request: connection reset"),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    call = Call(error, error, error)
    assert patiently(call, 60) == "answer"
    assert call.times == 4


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (GenericError("Server returned non-2xx status code: 400 Bad Request"), "cannot be used"),
        (GenericError("Server returned non-2xx status code: 403 Forbidden"), "refuses access"),
        (PermissionDeniedError("no"), "refuses access"),
        (GenericError("status code: 404 Not Found: NoSuchBucket"), "does not exist"),
    ],
)
def test_what_stays_is_told_at_once(error: Exception, told: str) -> None:
    call = Call(error)
    with pytest.raises(DependencyError, match=told):
        patiently(call, 60)
    assert call.times == 1


def test_a_missing_object_is_no_failure() -> None:
    with pytest.raises(NotFoundError):
        patiently(Call(FileNotFoundError()), 60)


def test_pauses_grow_and_end(slept: list[float]) -> None:
    call = Call(*[TimeoutError()] * 1000)
    with pytest.raises(DependencyError):
        patiently(call, 30)
    assert 15 < sum(slept) < 30
    assert max(slept[:2]) <= 0.2
    assert 1 < max(slept) <= 3
    assert len(set(slept)) == len(slept)


def test_signatures_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    url = "https://account.example/container/blob?sv=1&sig=hush"
    with pytest.raises(DependencyError):
        patiently(Call(GenericError(f"error sending request for {url}: refused")), 0)
    assert "https://account.example/container/blob?…" in caplog.text
    assert "hush" not in caplog.text
