"""Alerts, their pages and the dashboard: they name each other, and only metrics and labels that the service tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from atlas_core import errors
from atlas_core.chunk_ledger import LOST
from atlas_core.meters import FAMILIES
from service.errors import NoAnswerError, TooManyError

ROOT = Path(__file__).parents[2]
RULES = [
    rule
    for path in sorted((ROOT / "helm" / "alerts").glob("*.yaml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
PANELS = [
    panel
    for path in sorted((ROOT / "helm" / "dashboards").glob("*.json"))
    for panel in json.loads(path.read_text())["panels"]
]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in PANELS for target in panel.get("targets", [])
]
CAUSES = {kind.slug for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "slug")} | {
    LOST["type"], "internal", NoAnswerError.slug, TooManyError.slug
}  # fmt: skip


def parsed(expression: str) -> Any:
    """An expression by Prometheus's grammar; Grafana's variables stand for durations."""
    return promql_parser.parse(expression.replace("$__rate_interval", "5m"))


def selectors(node: Any) -> Iterator[Any]:
    """The selectors of vectors in an expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vs", "vector_selector", "param"):
        if (child := getattr(node, name, None)) is not None and not isinstance(child, str):
            yield from selectors(child)
    for child in getattr(node, "args", None) or []:
        yield from selectors(child)


def labels_of(name: str) -> set[str]:
    """Labels that a metric can be selected by."""
    family = FAMILIES.get(re.sub("_(bucket|count|sum)$", "", name))
    return set(family.labels) if family else {"kind"} if name == "atlas_gpu_memory_bytes" else set()


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    names = [rule["alert"] for rule in RULES]
    assert sorted(names) == sorted(path.stem for path in (ROOT / "docs" / "runbooks").glob("Atlas*.md"))
    assert len(names) == len(set(names))
    for rule in RULES:
        page = ROOT / rule["annotations"]["runbook_url"]
        assert page.stem == rule["alert"]
        text = page.read_text()
        assert text.startswith(f"# {rule['alert']}\n")
        assert {"## Likely causes", "## What to do"} <= set(text.splitlines())
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]


def test_pages_point_at_what_is_there() -> None:
    for page in (ROOT / "docs" / "runbooks").glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert (page.parent / link).is_file(), (page.name, link)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_are_prometheus_and_aggregate_what_every_process_tells_by_max(expression: str) -> None:
    found = list(selectors(parsed(expression)))
    assert found
    assert len(found) == len(re.findall(r"\batlas_\w+", expression))
    for selector in found:
        assert not re.search(rf"(sum|avg|count)[^()]*\((rate|increase)?\(?{selector.name}\b", expression)
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels_of(selector.name)
            if matcher.name == "cause":
                assert set(matcher.value.split("|")) <= CAUSES


def test_counted_families_have_names_and_labels_as_prometheus_wants_them() -> None:
    for name, family in FAMILIES.items():
        assert name.endswith("_seconds" if family.bounds else "_total")
        assert list(family.bounds) == sorted(set(family.bounds))
        assert re.fullmatch("atlas_[a-z_]+", name)
        assert len(family.labels) == len(set(family.labels))


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
