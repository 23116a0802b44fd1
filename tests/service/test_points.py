"""The points of a layer as bytes, against the same samples told one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import numpy as np

from tests.paging import all_of

if TYPE_CHECKING:
    from tests.service.conftest import Live


def test_they_are_the_samples_in_the_order_of_their_numbers(live: Live) -> None:
    layer = live.level.removesuffix("/levels/0")
    answer = httpx.get(f"{live.service.url}{layer}/points")
    n = int(answer.headers["x-points"])
    points = np.frombuffer(answer.content, "<f4", 2 * n).reshape(n, 2)
    label, predicted = np.frombuffer(answer.content, "<i2", 2 * n, offset=8 * n).reshape(2, n)
    right = np.frombuffer(answer.content, np.int8, offset=12 * n)
    told = all_of(lambda asked: live.client.json("GET", f"{layer}/samples", params=asked), 1000)
    told.sort(key=lambda sample: sample["sample"])
    assert len(right) == n == len(told)
    np.testing.assert_allclose(points, [(one["x"], one["y"]) for one in told], atol=1e-6)
    assert label.tolist() == [one["label"]["index"] for one in told]
    assert predicted.tolist() == [one["predicted"]["index"] for one in told]
    assert right.tolist() == [int(one["right"]) for one in told]
    assert 0 < right.sum() < n


def test_they_are_sent_once(live: Live) -> None:
    url = f"{live.service.url}{live.level.removesuffix('/levels/0')}/points"
    first = httpx.get(url)
    assert first.headers["cache-control"] == "no-cache"
    assert httpx.get(url, headers={"if-none-match": first.headers["etag"]}).status_code == 304
    versioned = httpx.get(url, params={"v": first.headers["etag"].strip('"')})
    assert "immutable" in versioned.headers["cache-control"]
