from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core.mailbox import KEPT_BYTES, PUT, WOKEN, Answer, Mailbox, Request, body_key, kept_key, put_call
from atlas_core.redis_client import connect

if TYPE_CHECKING:
    import redis


class Box:
    """Both sides of a mailbox, of which 100 bytes of answers may be kept."""

    def __init__(self, client: redis.Redis) -> None:
        self.redis = client
        self.mailbox = Mailbox(client, keep_seconds=60, keep_bytes=100)
        self._put = client.register_script(PUT)

    def put(self, name: str, data: bytes = b"", *, most: int = 9, seconds: float = 5, keep: str = "") -> list[Any]:
        asked = Request(name, "inbox", "atlas", 1, ["a"], "all", keep, data)
        taken, wait, woken = self._put(**put_call(asked, seconds=seconds, most=most))
        return [taken, float(wait), woken]

    def take(self, limit: int = 32) -> list[Request]:
        return self.mailbox.take(limit, 0)

    def answers(self) -> list[Answer]:
        found: Any = self.redis.lrange("inbox", 0, -1)
        return [Answer.from_bytes(data) for data in found]


@pytest.fixture
def box(redis_server: str) -> Iterator[Box]:
    with connect(redis_server, decode=False) as client:
        client.flushall()
        yield Box(client)


def test_requests_come_in_order_with_their_bytes(box: Box) -> None:
    for number in range(3):
        box.put(str(number), b"\n\x01\xff" + bytes([number]))
    taken = box.take(2)
    assert [request.name for request in taken] == ["0", "1"]
    assert taken[1] == Request("1", "inbox", "atlas", 1, ["a"], "all", "", b"\n\x01\xff\x01")
    assert [request.name for request in box.take()] == ["2"]
    assert box.take() == []


def test_a_request_that_comes_is_waited_for(box: Box) -> None:
    box.put("late")
    assert [request.name for request in box.mailbox.take(32, 5)] == ["late"]
    began = time.monotonic()
    assert box.mailbox.take(32, 0.05) == []
    assert time.monotonic() - began >= 0.04


def test_a_request_that_nobody_waits_for_any_more_is_skipped(box: Box) -> None:
    box.put("expired", seconds=0.02)
    box.put("withdrawn")
    box.redis.delete(body_key("withdrawn"))
    box.put("wanted")
    time.sleep(0.05)
    assert [request.name for request in box.take()] == ["wanted"]


def test_one_task_is_on_its_way_at_a_time(box: Box) -> None:
    assert [box.put("a")[2], box.put("b")[2]] == [1, 0]
    assert not box.mailbox.wake()
    box.mailbox.begin()
    assert box.put("c")[2] == 1
    box.redis.delete(WOKEN)
    assert box.mailbox.wake()


def test_no_more_wait_than_may(box: Box) -> None:
    assert [box.put(str(number), most=2)[0] for number in range(3)] == [1, 1, 0]
    assert [request.name for request in box.take()] == ["0", "1"]


def test_the_wait_goes_by_the_pace_of_all_processes(box: Box) -> None:
    box.mailbox.note_pace("one", 0.5)
    box.mailbox.note_pace("two", 1.0)  # together 3 a second
    assert [box.put(str(number), seconds=0.9)[:2] for number in range(3)] == [
        [1, 0.0], [1, pytest.approx(1 / 3)], [1, pytest.approx(2 / 3)],
    ]  # fmt: skip
    assert box.put("too late", seconds=0.9)[:2] == [0, pytest.approx(1.0)]


def test_an_answer_goes_to_who_asked_and_is_kept_by_what_it_answers(box: Box) -> None:
    box.put("a", keep="digest")
    box.put("b", keep="other")
    one, two = box.take()
    box.mailbox.answer(one, b'{"x": 1}')
    box.mailbox.answer(two, b"{}", failed=True)
    assert box.answers() == [Answer("a", False, b'{"x": 1}'), Answer("b", True, b"{}")]
    assert box.redis.get(kept_key("digest")) == b'{"x": 1}'
    assert box.redis.get(kept_key("other")) is None
    assert json.loads(box.answers()[0].data) == {"x": 1}


def test_kept_answers_make_room_for_newer_ones(box: Box) -> None:
    for number, size in enumerate((40, 50, 60, 101)):
        box.put(str(number), keep=str(number))
        box.mailbox.answer(box.take()[0], b"x" * size)
        time.sleep(0.002)  # their age is told in milliseconds
    assert [box.redis.exists(kept_key(str(number))) for number in range(4)] == [0, 0, 1, 0]
    assert box.redis.get(KEPT_BYTES) == b"60"
