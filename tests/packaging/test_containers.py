"""Dockerfiles and the compose file: there is no engine here to run them, so they are linted and compared."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import venv
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
OURS = ("api", "worker-interactive", "worker-batch")


def _text(name: str) -> str:
    return (ROOT / name).read_text()


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads(_text("pyproject.toml"))["project"]
    return project


def _defaults(text: str) -> str:
    """What compose makes of a value where the host sets no variable."""
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", text)


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
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", _text(dockerfile), re.MULTILINE)
    names = set(" ".join(copied).split())
    assert {"Makefile", "pyproject.toml", "README.md", "atlas_client", "atlas_core", "service", "workers"} <= names
    assert all((ROOT / name).exists() for name in names)
    let_through = set((ROOT / ".dockerignore").read_text().splitlines())
    assert {f"!{name.partition('/')[0]}" for name in names} <= let_through


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_images_are_built_by_make_in_stages_and_run_by_a_user_of_their_own(dockerfile: str) -> None:
    text = _text(dockerfile)
    verbs = re.findall(r"\bmake (\w+)(?: EXTRA=([\w,-]+))?", re.sub(r"^#.*$", "", text, flags=re.MULTILINE))
    rules = set(re.findall(r"^([a-z]+):", _text("Makefile"), re.MULTILINE))
    assert {verb for verb, _ in verbs} - {"install"} <= rules | {"viewer"}
    extras = {extra for verb, extra in verbs if verb == "install" and extra}
    wanted = {"service,telemetry"} if dockerfile.startswith("service") else {"worker,telemetry", "worker-gpu,telemetry"}
    assert extras == wanted
    assert set(",".join(extras).split(",")) <= set(_project()["optional-dependencies"])
    assert not re.search(r"\b(pip|npm) (install|ci)\b", text)
    assert text.count("make sbom") == len(extras)
    last = text[text.index("USER ") :]
    assert re.match(r"USER 10001\n", last)
    assert "apt-get" not in last


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_bases_are_named_by_a_version_that_can_be_pinned_further(dockerfile: str) -> None:
    text = _text(dockerfile)
    bases = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", text, re.MULTILINE))
    assert all(re.fullmatch(r"[a-z/]+:\d+(\.\d+)?-[a-z-]+", image) for image in bases.values())
    stages = set(re.findall(r" AS (\S+)$", text, re.MULTILINE))
    for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        assert base.strip("${}") in bases or base in stages


def test_whatever_compiles_or_caches_writes_below_tmp() -> None:
    environment = dict(re.findall(r"(\w+)=(\S+)", " ".join(re.findall(
        r"^ENV (.+?)$(?<!\\)", _text("workers/Dockerfile").replace("\\\n", " "), re.MULTILINE))))  # fmt: skip
    for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "TORCH_HOME", "TRITON_CACHE_DIR",
                 "TORCHINDUCTOR_CACHE_DIR", "CUDA_CACHE_PATH"):  # fmt: skip
        assert environment[name].startswith("/tmp")
    assert environment["HF_HUB_OFFLINE"] == environment["PIP_NO_INDEX"] == "1"


def test_a_worker_prints_nothing_but_its_log() -> None:
    command = re.findall(r"^CMD (.+)$", _text("workers/Dockerfile"), re.MULTILINE)[-1]
    assert json.loads(command)[-1].startswith("exec celery --quiet -A workers.app worker ")


def test_torch_floors_are_those_of_the_distribution() -> None:
    method = _project()["optional-dependencies"]["method"]
    floors = re.findall(r"'(torch(?:vision)?>=[\d.]+)'", _text("Makefile"))
    assert len(floors) == 2
    assert set(floors) <= set(method)


def test_what_an_environment_holds_is_listed_as_cyclonedx(tmp_path: Path) -> None:
    listed = tmp_path / "sbom.json"
    venv.create(tmp_path / "environment", with_pip=False)  # holds nothing, so it is quickly listed
    verb = ["make", "sbom", f"ENVIRONMENT={tmp_path / 'environment'}", f"SBOM={listed}"]
    subprocess.run(verb, cwd=ROOT, check=True, capture_output=True)
    found = json.loads(listed.read_text())
    assert found["bomFormat"] == "CycloneDX"
    assert found["metadata"]["component"]["name"] == "activation-atlas"


def test_compose_file_follows_the_specification() -> None:
    _run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_yaml_is_tidy() -> None:
    _run("yamllint", "--strict", "docker-compose.yml", "helm")


def test_compose_names_targets_and_dependencies_that_exist() -> None:
    services = _compose()["services"]
    assert set(services) == {*OURS, "worker-gpu", "broker", "cache", "storage"}
    stages = re.findall(r"^FROM \S+ AS (\S+)$", _text("workers/Dockerfile"), re.MULTILINE)
    for name in (*OURS, "worker-gpu"):
        build = services[name]["build"]
        assert (ROOT / build["dockerfile"]).is_file()
        assert build.get("target") in {None, *stages}
        assert {name: wait["condition"] for name, wait in services[name]["depends_on"].items()} == dict.fromkeys(
            ("broker", "cache", "storage"), "service_healthy"
        )
    assert services["worker-gpu"]["profiles"] == ["gpu"]
    (device,) = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"]) == ("nvidia", 1)


def test_compose_looks_after_every_service_and_confines_it() -> None:
    for name, service in _compose()["services"].items():
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped"
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["read_only"]
        if name in (*OURS, "worker-gpu"):
            assert service["tmpfs"] == ["/tmp"]


def test_compose_gives_every_process_the_same_places_and_shares_the_queues_out() -> None:
    services = _compose()["services"]
    environments = [services[name]["environment"] for name in (*OURS, "worker-gpu")]
    for variable in ("ATLAS_REDIS_URL", "ATLAS_CACHE_URL", "ATLAS_STORE_URL", "ATLAS_STORE_ENDPOINT"):
        assert len({environment[variable] for environment in environments}) == 1
    assert environments[0]["ATLAS_REDIS_URL"] != environments[0]["ATLAS_CACHE_URL"]
    queues = [_defaults(environment["WORKER_QUEUES"]) for environment in environments[1:3]]
    assert ",".join(queues).split(",") == list(QUEUES)
    assert environments[3]["WORKER_QUEUES"] == "gpu"


def test_compose_sets_only_what_the_service_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    services = _compose()["services"]
    environment = services["api"]["environment"]
    known = set(ServiceSettings.model_fields) | {f"store_{name}" for name in StoreSettings.model_fields}
    assert {name.removeprefix("ATLAS_").lower() for name in environment} <= known
    for name, value in environment.items():
        if value is not None:  # else the host's own
            monkeypatch.setenv(name, _defaults(value))
    assert ServiceSettings().store_url == "s3://atlases"
    assert ServiceSettings().redis_url == "redis://broker:6379/0"
    store, storage = StoreSettings(), services["storage"]
    assert store.endpoint == "http://storage:9000"
    assert store.secret_access_key is not None
    assert _defaults(storage["environment"]["AWS_SECRET_ACCESS_KEY"]) == store.secret_access_key.get_secret_value()
    assert {"-bucket=atlases", "-s3.port=9000"} <= set(storage["command"])
    assert ServiceSettings().store_url.endswith("//atlases")


def test_broker_never_evicts_and_cache_may() -> None:
    services = _compose()["services"]
    assert services["broker"]["command"][-2:] == ["--maxmemory-policy", "noeviction"]
    assert services["cache"]["command"][-2:] == ["--maxmemory-policy", "allkeys-lru"]


def test_what_is_published_is_published_on_this_machine_only() -> None:
    services = _compose()["services"]
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:${ATLAS_PORT:-8000}:8000"], "storage": ["127.0.0.1:9000:9000"]}
