"""The Helm chart: linted, rendered with several values, and every manifest checked against Kubernetes' schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

from atlas_core.advance import QUEUES
from atlas_core.settings import Settings
from atlas_core.store.backends import StoreSettings
from service.settings import ServiceSettings

CHART = Path(__file__).parents[2] / "helm"
KUBERNETES = "1.33"
WARNING = 2
VALUES = {"default": {}} | {path.stem: yaml.safe_load(path.read_text()) for path in sorted(CHART.glob("ci/*.yaml"))}
# Of kinds that Kubernetes itself does not know, what we use: names of fields, and their kinds.
DEFINED = {
    "ScaledObject": {
        "scaleTargetRef": {"name": str}, "minReplicaCount": int, "maxReplicaCount": int, "pollingInterval": int,
        "cooldownPeriod": int, "fallback": {"failureThreshold": int, "replicas": int, "behavior": str},
        "triggers": [{"type": str, "metricType": str, "metadata": {
            "url": str, "format": str, "valueLocation": str, "targetValue": str, "activationTargetValue": str,
            "authMode?": str,
        }, "authenticationRef?": {"name": str}}],
    },
    "TriggerAuthentication": {"secretTargetRef": [{"parameter": str, "name": str, "key": str}]},
    "ServiceMonitor": {
        "selector": {"matchLabels": dict}, "endpoints": [{"port": str, "path": str, "interval": str, "authorization?": {
            "type": str, "credentials": {"name": str, "key": str}}}],
    },
    "PrometheusRule": {"groups": [dict]},
}  # fmt: skip


def _render(values: dict[str, Any]) -> dict[str, str]:
    rendered: dict[str, str] = helm_python.Chart.load(CHART).render(values, name="demo", namespace="atlas")
    return rendered


def _manifests(values: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    documents = [
        document
        for path, text in _render(values).items()
        if path.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document is not None
    ]
    manifests = {(document["kind"], document["metadata"]["name"]): document for document in documents}
    assert len(manifests) == len(documents)
    return manifests


def _pods(manifests: dict[tuple[str, str], dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod that is asked for, by the name of what asks for it."""
    for (kind, name), manifest in manifests.items():
        if kind in ("Deployment", "StatefulSet"):
            yield name, manifest["spec"]["template"]["spec"]
        if kind == "CronJob":
            yield name, manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def _environment(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    names = [entry["name"] for entry in container["env"]]
    assert len(names) == len(set(names))
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


def _pod(manifests: dict[tuple[str, str], dict[str, Any]], name: str) -> dict[str, Any]:
    return dict(_pods(manifests))[f"demo-atlas-{name}"]


def _check(value: Any, shape: Any) -> None:
    """Refuse a field that is not in a shape, or is of another kind; one that ends with `?` may be missing."""
    if isinstance(shape, dict):
        shape = {
            name.removesuffix("?"): below for name, below in shape.items() if name[-1] != "?" or name[:-1] in value
        }
        assert set(value) == set(shape)
        for name, below in shape.items():
            _check(value[name], below)
    elif isinstance(shape, list):
        assert value
        for one in value:
            _check(one, shape[0])
    else:
        assert isinstance(value, shape)


def test_chart_lints_without_warnings() -> None:
    report = helm_python.lint(CHART, strict=True)
    assert [message for message in report["messages"] if message["severity"] >= WARNING] == []
    assert report["errors"] == []


@pytest.mark.parametrize("name", VALUES)
def test_manifests_are_valid(name: str) -> None:
    manifests = _manifests(VALUES[name])
    assert {"demo-atlas-api", "demo-atlas-worker-cpu", "demo-atlas-worker-interactive"} <= {
        name for kind, name in manifests if kind == "Deployment"
    }
    for (kind, _), manifest in manifests.items():
        if kind in DEFINED:
            _check(manifest["spec"], DEFINED[kind])
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", VALUES)
def test_pods_keep_to_the_restricted_standard(name: str) -> None:
    for _, pod in _pods(_manifests(VALUES[name])):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        for volume in pod.get("volumes", []):
            assert set(volume) - {"name"} <= {"emptyDir", "persistentVolumeClaim", "secret", "configMap"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
            mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert mounted & {"/tmp", "/data"}


@pytest.mark.parametrize("name", VALUES)
def test_services_and_budgets_select_the_pods_of_their_name(name: str) -> None:
    manifests = _manifests(VALUES[name])
    selectors = {
        name: selector
        for (kind, name), manifest in manifests.items()
        if kind in ("Service", "PodDisruptionBudget")
        for selector in [manifest["spec"]["selector"]]
    }
    for wanted, selector in selectors.items():
        labels = selector.get("matchLabels", selector)
        matching = [
            name
            for (kind, name), manifest in manifests.items()
            if kind in {"Deployment", "StatefulSet"}
            and labels.items() <= manifest["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert matching == [wanted]


@pytest.mark.parametrize("name", VALUES)
def test_every_queue_has_workers_of_one_kind(name: str) -> None:
    environments = [
        _environment(pod) for name, pod in _pods(_manifests(VALUES[name])) if name.startswith("demo-atlas-worker")
    ]
    queues = [queue for environment in environments for queue in environment["WORKER_QUEUES"].split(",")]
    assert sorted(queues) == sorted(QUEUES)


@pytest.mark.parametrize("name", VALUES)
def test_a_stopped_worker_has_the_time_that_celery_takes(name: str) -> None:
    for pod_name, pod in _pods(_manifests(VALUES[name])):
        if pod_name.startswith("demo-atlas-worker"):
            environment = _environment(pod)
            assert environment["REMAP_SIGTERM"] == "SIGQUIT"
            assert pod["terminationGracePeriodSeconds"] >= int(environment["ATLAS_SHUTDOWN_SECONDS"]) + 20


@pytest.mark.parametrize("name", VALUES)
def test_pods_are_given_only_settings_that_are_read(name: str) -> None:
    known = {f"ATLAS_{field.upper()}" for kind in (Settings, ServiceSettings) for field in kind.model_fields}
    known |= {f"ATLAS_STORE_{field.upper()}" for field in StoreSettings.model_fields}
    for pod_name, pod in _pods(_manifests(VALUES[name])):
        if not pod_name.endswith(("broker", "cache")):
            given = set(_environment(pod))
            assert given <= known | {"WORKER_QUEUES", "WORKER_CONCURRENCY", "REMAP_SIGTERM"}
            assert {"ATLAS_REDIS_URL", "ATLAS_CACHE_URL", "ATLAS_STORE_URL"} <= given


def test_default_reaches_its_own_redis_and_volume() -> None:
    manifests = _manifests({})
    environment = _environment(_pod(manifests, "worker-cpu"))
    assert environment["ATLAS_REDIS_URL"] == "redis://demo-atlas-broker:6379/0"
    assert environment["ATLAS_CACHE_URL"] == "redis://demo-atlas-cache:6379/0"
    assert environment["WORKER_QUEUES"] == "cpu,gpu"
    assert environment["WORKER_CONCURRENCY"] == "2"
    assert {("Service", "demo-atlas-broker"), ("Service", "demo-atlas-cache")} <= set(manifests)
    assert ("PersistentVolumeClaim", "demo-atlas-data") in manifests


def test_an_api_without_workers_is_ready_so_that_workers_can_be_started_by_its_metrics() -> None:
    assert json.loads(_environment(_pod(_manifests({}), "api"))["ATLAS_READY_QUEUES"]) == []


def test_external_services_leave_nothing_that_holds_data_and_their_secrets_are_secrets() -> None:
    manifests = _manifests(VALUES["external"])
    assert {kind for kind, _ in manifests} == {"Service", "ServiceAccount", "Deployment", "PodDisruptionBudget"}
    for name in ("api", "worker-cpu", "worker-interactive"):
        pod = _pod(manifests, name)
        environment = _environment(pod)
        assert environment["ATLAS_REDIS_URL"] == {"secretKeyRef": {"name": "atlas-redis", "key": "brokerUrl"}}
        assert environment["ATLAS_STORE_URL"] == "s3://atlases/production"
        assert environment["ATLAS_STORE_ENDPOINT"] == "http://rgw.storage.svc:8080"
        assert environment["ATLAS_STORE_ALLOW_HTTP"] == "true"
        assert environment["ATLAS_STORE_SECRET_ACCESS_KEY"]["secretKeyRef"]["name"] == "atlas-s3"
        assert environment["ATLAS_DATASET_STORES"] == '{"lake": "s3://pictures"}'
        assert [volume["name"] for volume in pod["volumes"]] == ["tmp", "authority"]
        assert {"name": "authority", "mountPath": "/ca", "readOnly": True} in pod["containers"][0]["volumeMounts"]


def test_who_is_let_in_besides_keys_is_told_to_the_api_by_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = _manifests(VALUES["restricted"])
    environment = _environment(_pod(manifests, "api"))
    for name in ("OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_RULES", "JOBS_PER_DAY", "STORED_BYTES"):
        monkeypatch.setenv(f"ATLAS_{name}", environment[f"ATLAS_{name}"])
    settings = ServiceSettings()
    assert settings.oidc_audience == "https://atlas.example"
    (rule,) = settings.oidc_rules
    assert (rule.owner, rule.scopes) == ("vision", frozenset({"write"}))
    assert rule.claims == {"repository": "acme/vision", "ref": "refs/heads/main"}
    assert (settings.jobs_per_day, settings.stored_bytes) == (200, 10**12)
    assert not any("OIDC" in name for name in _environment(_pod(_manifests({}), "api")))
    with pytest.raises(helm_python.HelmError, match=r"access\.oidc\.rules are needed"):
        _render({"access": {"oidc": {"issuer": "https://issuer.example", "audience": "atlas"}}})
    with pytest.raises(helm_python.HelmError, match="typo"):
        _render({"access": {"limits": {"typo": 1}}})


def test_gpus_are_started_from_zero_by_queued_and_running_work() -> None:
    manifests = _manifests(VALUES["gpu"])
    scaled = manifests["ScaledObject", "demo-atlas-worker-gpu"]["spec"]
    assert scaled["minReplicaCount"] == 0
    assert _environment(_pod(manifests, "api"))["ATLAS_METRICS_PUBLIC"] == "true"
    (trigger,) = scaled["triggers"]
    assert trigger["metadata"] == {
        "url": "http://demo-atlas-api.atlas.svc:8000/metrics", "format": "prometheus",
        "valueLocation": 'atlas_queue_work{queue="gpu"}', "targetValue": "1", "activationTargetValue": "0",
    }  # fmt: skip
    assert "replicas" not in manifests["Deployment", "demo-atlas-worker-gpu"]["spec"]
    pod = _pod(manifests, "worker-gpu")
    assert pod["containers"][0]["image"].endswith(":cuda")
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert (pod["runtimeClassName"], pod["nodeSelector"]) == ("nvidia", {"accelerator": "nvidia"})
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    (trigger,) = manifests["ScaledObject", "demo-atlas-worker-cpu"]["spec"]["triggers"]
    assert trigger["metadata"]["valueLocation"] == 'atlas_queue_work{queue="cpu"}'
    assert trigger["metadata"]["targetValue"] == "2"


def test_policies_close_everything_and_open_what_is_needed() -> None:
    manifests = _manifests(VALUES["restricted"])
    policies = {name: manifest["spec"] for (kind, name), manifest in manifests.items() if kind == "NetworkPolicy"}
    closed = policies["demo-atlas-closed"]
    assert closed["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(closed)
    for (kind, _), manifest in manifests.items():
        if kind == "Deployment":
            labels = manifest["spec"]["template"]["metadata"]["labels"]
            assert closed["podSelector"]["matchLabels"].items() <= labels.items()
    (let_in,) = policies["demo-atlas-api"]["ingress"]
    assert let_in["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ingress-nginx"}
    names, outside = policies["demo-atlas-out"]["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert outside["to"] == [{"ipBlock": {"cidr": "10.20.0.0/16"}}]


def test_policies_let_only_this_release_reach_its_own_redis() -> None:
    policies = {name: manifest["spec"] for (kind, name), manifest in
                _manifests({"networkPolicy": {"enabled": True}}).items() if kind == "NetworkPolicy"}  # fmt: skip
    (let_in,) = policies["demo-atlas-redis"]["ingress"]
    assert let_in["from"] == [{"podSelector": {"matchLabels": {
        "app.kubernetes.io/name": "activation-atlas", "app.kubernetes.io/instance": "demo"}}}]  # fmt: skip
    assert len(policies["demo-atlas-out"]["egress"]) == 2


def test_restricted_has_what_production_asks_for() -> None:
    manifests = _manifests(VALUES["restricted"])
    assert manifests["HorizontalPodAutoscaler", "demo-atlas-api"]["spec"]["minReplicas"] == 2
    assert "replicas" not in manifests["Deployment", "demo-atlas-api"]["spec"]
    (rule,) = manifests["Ingress", "demo-atlas"]["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "demo-atlas-api", "port": {"name": "http"}}
    monitor = manifests["ServiceMonitor", "demo-atlas"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["endpoints"][0]["authorization"]["credentials"] == {"name": "atlas-metrics", "key": "key"}
    (trigger,) = manifests["ScaledObject", "demo-atlas-worker-interactive"]["spec"]["triggers"]
    assert trigger["metadata"]["authMode"] == "bearer"
    assert ("TriggerAuthentication", trigger["authenticationRef"]["name"]) in manifests
    command = _pod(manifests, "gc")["containers"][0]["command"]
    assert command == ["atlas", "gc", "--json", "--older-than", "90"]


def test_every_alert_and_dashboard_that_is_there_is_installed() -> None:
    manifests = _manifests({"metrics": {name: {"enabled": True} for name in ("rules", "dashboards")}})
    rules = manifests.get(("PrometheusRule", "demo-atlas"), {"spec": {"groups": []}})["spec"]["groups"]
    wanted = [group["name"] for path in sorted(CHART.glob("alerts/*.yaml"))
              for group in yaml.safe_load(path.read_text())["groups"]]  # fmt: skip
    assert [group["name"] for group in rules] == wanted
    boards = manifests.get(("ConfigMap", "demo-atlas-dashboards"), {"data": {}})["data"]
    assert {name: json.loads(text) for name, text in boards.items()} == {
        path.name: json.loads(path.read_text()) for path in CHART.glob("dashboards/*.json")
    }


def test_notes_name_the_service_and_what_looks_after_it() -> None:
    notes = next(text for path, text in _render(VALUES["restricted"]).items() if path.endswith("NOTES.txt"))
    assert "service/demo-atlas-api 8000:8000" in notes
    assert "atlas doctor" in notes
    assert "https://atlas.example" in notes


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"workers": {"cpu": {"concurrency": 0}}}, "concurrency"),
        ({"workers": {"gpu": {"concurrency": 2}}}, "concurrency"),
        ({"redis": {"enabled": False}}, "redis.cacheUrl is needed"),
        ({"redis": {"enabled": False, "brokerUrl": "amqp://broker"}}, "brokerUrl"),
        ({"store": {"url": "/somewhere"}}, "url"),
        ({"store": {"url": "s3://key:secret@atlases"}}, "url"),
        ({"ingress": {"enabled": True}}, "ingress.host is needed"),
        ({"networkPolicy": {"enabled": True}, "store": {"url": "s3://atlases"}}, "networkPolicy.egress is needed"),
        ({"metrics": {"serviceMonitor": {"enabled": True}}}, "metrics.existingSecret or metrics.public is needed"),
        (
            {"workers": {"cpu": {"autoscaling": {"enabled": True}}}},
            "metrics.existingSecret or metrics.public is needed",
        ),
    ],
    ids=[
        "no-process",
        "shared-card",
        "no-redis",
        "no-such-redis",
        "no-folder",
        "secret-in-url",
        "no-host",
        "cut-off",
        "blind",
        "blind-scaling",
    ],
)
def test_wrong_values_are_refused_by_name(values: dict[str, Any], named: str) -> None:
    with pytest.raises(helm_python.HelmError, match=re.escape(named)):
        _render(values)


def _paths(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _paths(value, (*path, name))


# Their keys are names of the user's or of Kubernetes.
FREE = {"nodeSelector", "podAnnotations", "annotations", "labels", "requests", "limits", "nodeAffinity"}


def test_typos_are_refused_wherever_they_stand() -> None:
    chart = yaml.safe_load((CHART / "values.yaml").read_text())
    places = [path for path in _paths(chart) if not set(path) & FREE]
    assert len(places) > 30
    for path in places:
        values: dict[str, Any] = {"typo": 1}
        for name in reversed(path):
            values = {name: values}
        with pytest.raises(helm_python.HelmError, match="typo"):
            _render(values)
