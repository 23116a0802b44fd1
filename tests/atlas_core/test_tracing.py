from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from atlas_core import tracing
from atlas_core.errors import DependencyError
from atlas_core.origin import about, carried, said
from atlas_core.settings import Settings
from tests.collector import Collector, collecting

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector
        tracing.disable()


def test_nothing_is_sent_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tracing.STANDARD:
        monkeypatch.delenv(name, raising=False)
    tracing.enable(Settings(), "api")
    with tracing.span("render") as made:
        assert made is None
        assert carried() == {}
    tracing.waited("wait in gpu", time.time())


def test_spans_lie_below_where_the_work_comes_from(collector: Collector) -> None:
    tracing.enable(Settings(traces_endpoint=collector.url), "worker")
    sent = time.time() - 5
    with about(request="abc", traceparent=PARENT):
        tracing.waited("wait in gpu", sent)
        with suppress(ValueError), tracing.span("render", job="j1"):
            assert carried()["traceparent"] != PARENT  # what is sent from within belongs to this span
            with tracing.span("below"):
                raise ValueError("broken")
        assert carried() == {"request": "abc", "traceparent": PARENT}
    tracing.disable()
    spans = {one.name: one for one in collector.spans}
    assert {one.trace for one in collector.spans} == {PARENT.split("-")[1]}
    assert spans["render"].parent == spans["wait in gpu"].parent == PARENT.split("-")[2]
    assert spans["below"].parent == spans["render"].id
    assert spans["render"].attributes == {"atlas.job": "j1"}
    assert spans["render"].service == "atlas-worker"
    assert spans["wait in gpu"].end - spans["wait in gpu"].start == pytest.approx(5, abs=1)


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(DependencyError, match=r"pip install activation-atlas\[telemetry\]"):
        tracing.enable(Settings(traces_endpoint="http://127.0.0.1:4318"), "api")


def test_only_what_is_meant_to_travels() -> None:
    with about(request="abc", job="j1", chunk=None):
        assert carried() == {"request": "abc"}
        assert said() == {"request": "abc", "job": "j1"}
    assert carried({"request": "abc", "sent": 1.0, "task": "x"}) == {"request": "abc"}
    assert said() == {}
