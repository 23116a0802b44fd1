"""From URLs and settings to storages; GCS and Azure are constructed only."""

from pathlib import Path

import pytest
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store

from atlas_core.errors import DependencyError, InputError
from atlas_core.store import open_backend
from atlas_core.store.backends import StoreSettings


def test_every_scheme_has_its_storage(tmp_path: Path) -> None:
    settings = StoreSettings(endpoint="https://s3.example", access_key_id="me", secret_access_key="c2VjcmV0")
    assert isinstance(open_backend("memory://"), MemoryStore)
    assert isinstance(open_backend(str(tmp_path)), LocalStore)
    assert isinstance(open_backend(f"file://{tmp_path}"), LocalStore)
    s3 = open_backend("s3://bucket/some/prefix/?region=moon", settings)
    assert isinstance(s3, S3Store)
    assert s3.prefix == "some/prefix"
    assert (s3.config["bucket"], s3.config["region"]) == ("bucket", "moon")
    assert s3.config["endpoint"] == "https://s3.example"
    assert isinstance(open_backend("gs://bucket/prefix?anonymous=true"), GCSStore)
    azure = open_backend("az://container/prefix", StoreSettings(access_key_id="me", secret_access_key="c2VjcmV0"))
    assert isinstance(azure, AzureStore)


def test_requests_are_bounded_in_time() -> None:
    store = open_backend("s3://bucket", StoreSettings(timeout_seconds=7, retry_seconds=9))
    assert isinstance(store, S3Store)
    assert store.retry_config is not None
    assert store.retry_config["retry_timeout"].total_seconds() == 9
    assert store.client_options is not None
    assert set(store.client_options) == {"timeout", "connect_timeout"}


def test_a_folder_is_made_only_when_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DependencyError):
        open_backend(str(tmp_path / "new"))
    open_backend(str(tmp_path / "new"), create=True)
    assert (tmp_path / "new").is_dir()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host/folder", "'ftp'"),
        ("s3://key:hush@bucket", "no credentials"),
        ("s3:///prefix", "names no bucket"),
        ("s3://bucket?secret_access_key=hush", "unknown option 'secret_access_key'"),
        ("s3://bucket?endpoint=http://10.0.0.1", "plain http"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        open_backend(url, StoreSettings())
    assert "hush" not in caught.value.detail


def test_options_of_a_url_go_before_the_settings() -> None:
    url = "s3://bucket?endpoint=http://127.0.0.1:1&allow_http=true&region=mars&virtual_hosted=true&anonymous=true"
    store = open_backend(url, StoreSettings(endpoint="https://s3.example"))
    assert isinstance(store, S3Store)
    assert store.config["endpoint"] == "http://127.0.0.1:1"
    assert store.config["skip_signature"]
    assert store.config["virtual_hosted_style_request"]


def test_secrets_are_not_shown() -> None:
    settings = StoreSettings(access_key_id="me", secret_access_key="hush", session_token="hush")
    assert "hush" not in repr(settings) + str(settings) + repr(open_backend("s3://bucket?region=x", settings))
