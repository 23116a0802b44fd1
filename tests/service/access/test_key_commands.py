from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atlas_client.cli import run
from atlas_core.store import open_store
from service.access.keys import KeyRing
from service.embedded import access_of
from tests.service.access.conftest import add_ready

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What `atlas keys …` prints, on a data folder."""

    def call(*arguments: str, code: int = 0) -> str:
        assert run(["keys", *arguments, "--data", str(tmp_path)]) == code
        return capsys.readouterr().out if code == 0 else capsys.readouterr().err

    return call


def test_keys_are_made_listed_and_revoked_by_command(said: Callable[..., str], tmp_path: Path) -> None:
    token = said("create", "ci", "--scope", "write", "--owner", "vision").strip()
    ring = KeyRing(open_store(str(tmp_path / "store")), 0)
    found = ring.find(token)
    assert found is not None
    assert (found.name, found.owner) == ("ci", "vision")
    assert found.scopes == {"read", "write"}
    (listed,) = json.loads(said("list", "--json"))
    assert {"owner": "vision", "scopes": ["write"], "revoked": None}.items() <= listed.items()
    assert "sha256" not in listed
    assert token.split("_", 2)[2] not in said("list")
    assert listed["id"] in said("list")
    said("revoke", listed["id"])
    assert ring.find(token) is None
    assert "was revoked at" in said("revoke", listed["id"], code=4)


def test_a_key_has_its_own_limits_and_end(said: Callable[..., str], tmp_path: Path) -> None:
    options = ["--days", "30", "--jobs-per-day", "5", "--scope", "read", "--scope", "metrics", "--json"]
    made = json.loads(said("create", "prometheus", *options))
    assert (made["owner"], made["scopes"], made["limits"]) == ("prometheus", ["metrics", "read"], {"jobs_per_day": 5})
    assert made["expires"] > made["created"]
    found = KeyRing(open_store(str(tmp_path / "store")), 0).find(made["key"])
    assert found is not None
    assert found.limits == {"jobs_per_day": 5}


def test_what_each_owner_s_things_need_is_told(said: Callable[..., str], tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    for owner in ("vision", "other"):
        add_ready(store, owner)
    add_ready(store, "vision", "more")
    assert json.loads(said("usage", "--json")) == {"other": len("content"), "vision": len("content") + len("more")}
    assert "vision  11" in said("usage")


def test_what_cannot_be_made_is_said(said: Callable[..., str]) -> None:
    assert "there is no scope 'root'" in said("create", "ci", "--scope", "root", code=4)
    assert "can be no owner" in said("create", "two words", code=4)
    assert "there is no key 'none'" in said("revoke", "none", code=4)


def test_a_service_is_open_on_loopback_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ATLAS_ACCESS")
    assert [access_of(host) for host in ("127.0.0.1", "localhost", "0.0.0.0")] == ["open", "open", "keys"]
    monkeypatch.setenv("ATLAS_ACCESS", "keys")
    assert access_of("127.0.0.1") == "keys"
    monkeypatch.setenv("ATLAS_ACCESS", "open")
    assert run(["up", "--host", "0.0.0.0", "--data", str(tmp_path / "data")]) == 4
    assert "ATLAS_ACCESS=open is for loopback alone" in capsys.readouterr().err
