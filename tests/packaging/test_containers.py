"""Dockerfiles and the compose file: there is no engine here to run them, so they are linted and compared."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from atlas_core.advance import QUEUES
from atlas_core.store.backends import StoreSettings
from service.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DOCKERFILES = ["service/Dockerfile", "workers/Dockerfile"]


def _compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def _run(*command: str) -> None:
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_dockerfile_passes_hadolint(dockerfile: str) -> None:
    _run("hadolint", dockerfile)


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_dockerfile_copies_what_exists(dockerfile: str) -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / dockerfile).read_text(), re.MULTILINE)
    names = " ".join(copied).split()
    assert {"pyproject.toml", "README.md", "atlas_client", "atlas_core", "service", "workers"} == set(names)
    assert all((ROOT / name).exists() for name in names)
    assert {f"!{name}" for name in names} <= set((ROOT / ".dockerignore").read_text().splitlines())


def test_torch_floors_are_those_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    method = project["optional-dependencies"]["method"]
    floors = re.findall(r"'(torch(?:vision)?>=[\d.]+)'", (ROOT / "workers/Dockerfile").read_text())
    assert len(floors) == 2
    assert set(floors) <= set(method)


def test_compose_file_follows_the_specification() -> None:
    _run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_yaml_is_tidy() -> None:
    _run("yamllint", "--strict", "docker-compose.yml", "helm")


def test_compose_names_targets_and_dependencies_that_exist() -> None:
    services = _compose()["services"]
    assert set(services) == {"api", "worker-interactive", "worker-batch", "broker", "cache"}
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "workers/Dockerfile").read_text(), re.MULTILINE)
    assert {"cpu", "cuda"} <= set(stages)
    for name in ("api", "worker-interactive", "worker-batch"):
        build = services[name]["build"]
        assert (ROOT / build["dockerfile"]).is_file()
        assert build.get("target", "${WORKER_TARGET:-cpu}") == "${WORKER_TARGET:-cpu}"
        assert set(services[name]["depends_on"]) == {"broker", "cache"}


def test_compose_gives_every_process_the_same_places_and_shares_the_queues_out() -> None:
    services = _compose()["services"]
    environments = [services[name]["environment"] for name in ("api", "worker-interactive", "worker-batch")]
    for variable in ("ATLAS_REDIS_URL", "ATLAS_CACHE_URL", "ATLAS_STORE_URL"):
        assert len({environment[variable] for environment in environments}) == 1
    assert environments[0]["ATLAS_REDIS_URL"] != environments[0]["ATLAS_CACHE_URL"]
    queues = [environment["WORKER_QUEUES"] for environment in environments[1:]]
    assert ",".join(queues).split(",") == list(QUEUES)


def test_compose_sets_only_what_the_service_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = _compose()["services"]["api"]["environment"]
    known = set(ServiceSettings.model_fields) | {f"store_{name}" for name in StoreSettings.model_fields}
    assert {name.removeprefix("ATLAS_").lower() for name in environment} <= known
    assert environment["ATLAS_STORE_URL"] == "${ATLAS_STORE_URL:-file:///data}"
    for name, value in environment.items():
        if value is not None:  # else the host's own
            monkeypatch.setenv(name, value.replace("${ATLAS_STORE_URL:-file:///data}", "file:///data"))
    assert ServiceSettings().store_url == "file:///data"
    assert ServiceSettings().redis_url == "redis://broker:6379/0"


def test_broker_never_evicts_and_cache_may() -> None:
    services = _compose()["services"]
    assert services["broker"]["command"][-2:] == ["--maxmemory-policy", "noeviction"]
    assert services["cache"]["command"][-2:] == ["--maxmemory-policy", "allkeys-lru"]


def test_the_api_is_published_on_this_machine_only() -> None:
    assert _compose()["services"]["api"]["ports"] == ["127.0.0.1:${ATLAS_PORT:-8000}:8000"]
