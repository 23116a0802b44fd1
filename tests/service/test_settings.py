"""Every setting stands on one page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from atlas_core.ledger import Ledger, Worker
from atlas_core.redis_client import connect
from atlas_core.store.backends import StoreSettings
from service.main import create_app
from service.settings import ServiceSettings
from service.settings_page import OWN, names, settings_page

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[2]
PACKAGES = ("atlas_client", "atlas_core", "service", "workers")
NAME = re.compile(r"\bATLAS_[A-Z][A-Z_]*[A-Z]\b")
# Variables of other programs that we read or set.
FOREIGN = {"CUDA_VISIBLE_DEVICES"}


def test_the_page_says_what_the_code_reads() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_page(), "run `make docs`"
    assert all(meaning and default for _, meaning, default in re.findall(
        r"^\| `(\w+)` \| (.*) \| (.*) \|$", settings_page(), re.MULTILINE))  # fmt: skip


def test_whatever_the_code_and_the_documents_name_is_a_setting() -> None:
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    pages = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), ROOT / "docker-compose.yml", *ROOT.rglob("helm/**/*.*")]
    for path in [*sources, *pages]:
        found = set(NAME.findall(path.read_text()))
        assert found <= names() | set(OWN), path.name


def test_the_environment_is_read_nowhere_else() -> None:
    reads = re.compile(r"""os\.(?:environ(?:\.get|\.pop|\.setdefault)?|getenv)[\[(]\s*["']([A-Z_]+)["']""")
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            found = set(reads.findall(path.read_text()))
            assert found <= names() | FOREIGN, path.name


# For what is text or a list: another value than the default.
OTHER = {
    "store_url": "s3://bucket", "redis_url": "rediss://host", "cache_url": "redis://host/1", "device": "cpu",
    "dataset_stores": '{"lake": "s3://lake"}', "dataset_roots": '["/data"]', "trusted_hosts": '["here"]',
    "ready_queues": "[]", "webhook_hosts": '["here"]', "webhook_networks": '["10.0.0.0/8"]',
    "log_format": "json", "log_level": "debug", "traces_endpoint": "http://collector:4318",
    "webhook_retry_seconds": "[1]", "cache_folder": "/copies", "access": "open",
    "oidc_issuer": "https://issuer.example", "oidc_keys_url": "https://issuer.example/keys",
    "oidc_rules": '[{"claims": {"repository": "acme/vision"}, "scopes": ["read"], "owner": "acme"}]',
}  # fmt: skip


def _other(name: str, field: FieldInfo) -> str:
    """Another valid value of a setting than its default, as a variable holds it."""
    if name in OTHER:
        return OTHER[name]
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, bool):
        return str(not default).lower()
    if isinstance(default, int | float):
        return str(default + 1)
    return "1"


@pytest.mark.parametrize("kind", [ServiceSettings, StoreSettings])
def test_every_setting_is_read_from_its_variable(kind: type[BaseSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = kind.model_config["env_prefix"]
    for name in kind.model_fields:
        monkeypatch.delenv(f"{prefix}{name.upper()}", raising=False)
    before = kind()
    for name, field in kind.model_fields.items():
        monkeypatch.setenv(f"{prefix}{name.upper()}", _other(name, field))
    after = kind()
    assert [name for name in kind.model_fields if getattr(after, name) == getattr(before, name)] == []


def test_a_service_answers_to_the_names_that_are_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATLAS_TRUSTED_HOSTS", '["atlas.example"]')
    monkeypatch.setenv("ATLAS_STORE_URL", str(tmp_path))
    with TestClient(create_app(), base_url="http://atlas.example") as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/healthz", headers={"Host": "other.example"}).status_code == 400


def test_readiness_asks_for_workers_of_the_queues_that_are_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, redis_server: str
) -> None:
    monkeypatch.setenv("ATLAS_REDIS_URL", redis_server)
    monkeypatch.setenv("ATLAS_STORE_URL", str(tmp_path))
    with connect(redis_server) as client:
        client.flushall()
        Ledger(client).beat(Worker("w", ("cpu",), 1), 60)
    for queues, status in (("[]", 200), ('["cpu"]', 200), ('["cpu", "gpu"]', 503)):
        monkeypatch.setenv("ATLAS_READY_QUEUES", queues)
        with TestClient(create_app()) as client:
            assert client.get("/readyz").status_code == status
