"""The Helm chart: linted, rendered with several values, and every manifest checked against Kubernetes' schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

CHART = Path(__file__).parents[2] / "helm"
KUBERNETES = "1.33"
WARNING = 2
VALUES = {"default": {}} | {path.stem: yaml.safe_load(path.read_text()) for path in sorted(CHART.glob("ci/*.yaml"))}


def _manifests(values: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    rendered = helm_python.Chart.load(CHART).render(values, name="demo", namespace="atlas")
    documents = [
        document
        for path, text in rendered.items()
        if path.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document is not None
    ]
    manifests = {(document["kind"], document["metadata"]["name"]): document for document in documents}
    assert len(manifests) == len(documents)
    return manifests


def _environment(manifest: dict[str, Any]) -> dict[str, Any]:
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


def test_chart_lints_without_warnings() -> None:
    report = helm_python.lint(CHART, strict=True)
    assert [message for message in report["messages"] if message["severity"] >= WARNING] == []
    assert report["errors"] == []


@pytest.mark.parametrize("name", VALUES)
def test_manifests_are_valid(name: str) -> None:
    manifests = _manifests(VALUES[name])
    assert {key for key in manifests if key[0] == "Deployment"} == {
        ("Deployment", "demo-atlas-api"),
        ("Deployment", "demo-atlas-worker-batch"),
        ("Deployment", "demo-atlas-worker-interactive"),
    }
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", VALUES)
def test_services_select_the_pods_of_their_name(name: str) -> None:
    manifests = _manifests(VALUES[name])
    services = [manifest for (kind, _), manifest in manifests.items() if kind == "Service"]
    for service in services:
        matching = [
            manifest
            for (kind, _), manifest in manifests.items()
            if kind in {"Deployment", "StatefulSet"}
            and service["spec"]["selector"].items() <= manifest["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert [manifest["metadata"]["name"] for manifest in matching] == [service["metadata"]["name"]]


def test_default_reaches_its_own_redis_and_volume() -> None:
    manifests = _manifests({})
    environment = _environment(manifests["Deployment", "demo-atlas-worker-batch"])
    assert environment["ATLAS_REDIS_URL"] == "redis://demo-atlas-broker:6379/0"
    assert environment["ATLAS_CACHE_URL"] == "redis://demo-atlas-cache:6379/0"
    assert environment["WORKER_QUEUES"] == "cpu,gpu"
    assert environment["WORKER_CONCURRENCY"] == "2"
    assert {("Service", "demo-atlas-broker"), ("Service", "demo-atlas-cache")} <= set(manifests)
    assert ("PersistentVolumeClaim", "demo-atlas-data") in manifests


def test_managed_redis_and_volume_leave_nothing_that_holds_data() -> None:
    manifests = _manifests(VALUES["managed"])
    assert {kind for kind, _ in manifests} == {"Service", "Deployment"}
    environment = _environment(manifests["Deployment", "demo-atlas-api"])
    assert environment["ATLAS_REDIS_URL"] == {"secretKeyRef": {"name": "atlas-redis", "key": "brokerUrl"}}
    assert environment["ATLAS_DATASET_ROOTS"] == '["/data/datasets"]'


def test_a_bucket_needs_no_volume_and_its_keys_are_a_secret() -> None:
    manifests = _manifests(VALUES["s3"])
    assert {kind for kind, _ in manifests} == {"Service", "Deployment"}
    for name in ("api", "worker-batch", "worker-interactive"):
        manifest = manifests["Deployment", f"demo-atlas-{name}"]
        environment = _environment(manifest)
        assert environment["ATLAS_STORE_URL"] == "s3://atlases/production"
        assert environment["ATLAS_STORE_ENDPOINT"] == "http://rgw.storage.svc:8080"
        assert environment["ATLAS_STORE_ALLOW_HTTP"] == "true"
        assert environment["ATLAS_STORE_SECRET_ACCESS_KEY"]["secretKeyRef"]["name"] == "atlas-s3"
        pod = manifest["spec"]["template"]["spec"]
        assert [volume["name"] for volume in pod["volumes"]] == ["tmp"]


def test_worker_on_a_gpu_asks_for_one() -> None:
    manifests = _manifests(VALUES["gpu"])
    pod = manifests["Deployment", "demo-atlas-worker-batch"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"workerBatch": {"concurrency": 0}}, "concurrency"),
        ({"workerBatch": {"queues": "cpus"}}, "queues"),
        ({"redis": {"enabled": False}}, "redis.cacheUrl is needed"),
        ({"store": {"url": "/somewhere"}}, "url"),
        ({"store": {"url": "s3://key:secret@atlases"}}, "url"),
        ({"replicas": 3}, "replicas"),
    ],
    ids=["no-process", "unknown-queue", "no-redis", "no-folder", "secret-in-url", "unknown-value"],
)
def test_wrong_values_are_refused_by_name(values: dict[str, Any], named: str) -> None:
    chart = helm_python.Chart.load(CHART)
    with pytest.raises(helm_python.HelmError, match=named):
        chart.render(values, name="demo", namespace="atlas")
