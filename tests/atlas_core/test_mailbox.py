from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from atlas_core.ledger import connect
from atlas_core.mailbox import Mailbox


@pytest.fixture
def mailbox(redis_server: str) -> Iterator[Mailbox]:
    with connect(redis_server) as client:
        client.flushall()
        yield Mailbox(client)


def test_requests_come_in_order_with_their_bytes(mailbox: Mailbox) -> None:
    names = [mailbox.put("atlas", bytes([number, 255]), ["a"], "all", 5) for number in range(3)]
    taken = mailbox.take(2)
    assert [request.id for request in taken] == names[:2]
    assert (taken[1].data, taken[1].layers, taken[1].positions) == (b"\x01\xff", ["a"], "all")
    assert [request.id for request in mailbox.take()] == names[2:]
    assert mailbox.take() == []


def test_an_answer_reaches_its_own_request(mailbox: Mailbox) -> None:
    first, second = (mailbox.put("atlas", b"", None, "default", 5) for _ in range(2))
    mailbox.answer(second, {"value": 2})
    mailbox.answer(first, {"value": 1})
    assert mailbox.wait(first, 1) == {"value": 1}
    assert mailbox.wait(second, 1) == {"value": 2}


def test_a_request_that_nobody_waits_for_any_more_is_skipped(mailbox: Mailbox) -> None:
    mailbox.put("atlas", b"", None, "default", 0.05)
    time.sleep(0.1)
    assert mailbox.take() == []


def test_waiting_ends(mailbox: Mailbox) -> None:
    assert mailbox.wait("nobody", 0.1) is None
