"""From a URL and the environment to an object storage: folder, memory, S3, Google Cloud Storage, Azure."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from atlas_core.errors import InputError
from atlas_core.store.failures import told

Backend: TypeAlias = LocalStore | MemoryStore | S3Store | GCSStore | AzureStore
SCHEMES = ("", "file", "memory", "s3", "gs", "az")
OPTIONS = ("endpoint", "region", "allow_http", "virtual_hosted", "anonymous")
MIB = 1 << 20


class StoreSettings(BaseSettings):
    """How object storage is reached and used; every field is read from `ATLAS_STORE_` + its name.

    What is not given here is taken from the provider's own variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_NAME,
    AZURE_STORAGE_ACCOUNT_KEY, and so on, or from the machine's role.
    """

    model_config = SettingsConfigDict(env_prefix="ATLAS_STORE_", env_ignore_empty=True, extra="ignore", frozen=True)

    endpoint: str | None = Field(default=None, description="URL of an S3-compatible server or another endpoint")
    region: str | None = Field(default=None, description="region of the bucket; any for most S3-compatible servers")
    allow_http: bool = Field(default=False, description="whether the endpoint, from wherever, may be plain http")
    virtual_hosted: bool = Field(default=False, description="bucket in the host name instead of in the path (S3)")
    anonymous: bool = Field(default=False, description="send unsigned requests, for public buckets")
    access_key_id: str | None = Field(default=None, description="S3 access key, or Azure account name")
    secret_access_key: SecretStr | None = Field(default=None, description="S3 secret key, or Azure account key")
    session_token: SecretStr | None = Field(default=None, description="S3 session token")
    timeout_seconds: float = Field(default=30, gt=0, description="of one request")
    retry_seconds: float = Field(default=20, ge=0, description="that transient failures are waited out")
    part_bytes: int = Field(default=8 * MIB, ge=5 * MIB, description="part of a large blob on its way")
    concurrency: int = Field(default=4, ge=1, le=64, description="requests of one large blob or list at a time")
    public_endpoint: str | None = Field(default=None, description="endpoint as clients reach it, for uploads")
    cache_folder: Path | None = Field(default=None, description="copies of remote blobs opened as files")
    cache_bytes: int = Field(default=20 << 30, ge=0, description="size of the copies together")


def open_backend(url: str, settings: StoreSettings | None = None, *, create: bool = False) -> Backend:
    """Open the object storage at a URL, with bounded timeouts and retries.

    Args:
        url: `memory://`, a folder or file:// URL, `s3://bucket/prefix`, `gs://bucket/prefix` or
            `az://container/prefix`; the last three take `?endpoint=…&region=…&allow_http=true&virtual_hosted=true
            &anonymous=true` where they differ from the settings.
        settings: From the environment by default.
        create: Make a folder that is missing.

    Raises:
        InputError: The URL is none of these, holds credentials or an unknown option, or names a plain http endpoint
            that is not allowed.
        DependencyError: It cannot be opened.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise InputError(f"the store's scheme {parts.scheme!r} is not known; use a folder, file://, memory://, "
                         "s3://, gs:// or az://")  # fmt: skip
    try:
        if parts.scheme == "memory":
            return MemoryStore()
        if parts.scheme in ("", "file"):
            return _folder(local_folder(url), create=create)
        return _remote(url, settings or StoreSettings())
    except (BaseError, OSError) as error:
        raise told(error) from None


def local_folder(url: str) -> Path:
    """The folder that a plain path or a file:// URL names."""
    parts = urlsplit(url)
    return Path(unquote(parts.path) if parts.scheme else url).expanduser().resolve()


def _folder(root: Path, *, create: bool) -> LocalStore:
    if create:
        root.mkdir(parents=True, exist_ok=True)
    if not root.is_dir():
        raise NotADirectoryError("the folder does not exist")
    return LocalStore(root)


def _remote(url: str, settings: StoreSettings) -> Backend:
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise InputError("a store's URL may hold no credentials; give them by the environment (ATLAS_STORE_… or "
                         "the provider's own variables)")  # fmt: skip
    if not parts.hostname:
        raise InputError(f"the store's URL names no bucket; write it as {parts.scheme}://bucket/prefix")
    settings = _with_options(settings, parts.query)
    if settings.endpoint and settings.endpoint.startswith("http://") and not settings.allow_http:
        raise InputError("the store's endpoint is plain http; use https, or set ATLAS_STORE_ALLOW_HTTP=true")
    bucket, prefix = parts.netloc, unquote(parts.path).strip("/") or None
    common: dict[str, Any] = {
        "prefix": prefix,
        "client_options": _client_options(settings),
        "retry_config": {
            "max_retries": 6 if settings.retry_seconds else 0,
            "retry_timeout": timedelta(seconds=settings.retry_seconds),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=3), "base": 2},
        },
    }
    if parts.scheme == "s3":
        return S3Store(bucket, config=_s3(settings), **common)
    if parts.scheme == "gs":
        return GCSStore(bucket, config=_given(base_url=settings.endpoint, skip_signature=_yes(settings.anonymous)),
                        **common)  # fmt: skip
    return AzureStore(bucket, config=_azure(settings), **common)


def _with_options(settings: StoreSettings, query: str) -> StoreSettings:
    options = dict(parse_qsl(query))
    if unknown := sorted(options.keys() - set(OPTIONS)):
        raise InputError(f"the store's URL has the unknown option {unknown[0]!r}; there are {', '.join(OPTIONS)}")
    values: dict[str, Any] = {
        name: value if name in ("endpoint", "region") else value.lower() in ("1", "true", "yes")
        for name, value in options.items()
    }
    return settings.model_copy(update=values)


def _client_options(settings: StoreSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=min(5.0, settings.timeout_seconds)),
        "timeout": timedelta(seconds=settings.timeout_seconds),
    }
    return options | ({"allow_http": True} if settings.allow_http else {})


def _s3(settings: StoreSettings) -> Any:
    return _given(
        endpoint=settings.endpoint,
        region=settings.region or ("us-east-1" if settings.endpoint else None),
        access_key_id=settings.access_key_id,
        secret_access_key=_secret(settings.secret_access_key),
        session_token=_secret(settings.session_token),
        virtual_hosted_style_request=_yes(settings.virtual_hosted),
        skip_signature=_yes(settings.anonymous),
    )


def _azure(settings: StoreSettings) -> Any:
    return _given(
        endpoint=settings.endpoint,
        account_name=settings.access_key_id,
        account_key=_secret(settings.secret_access_key),
        skip_signature=_yes(settings.anonymous),
    )


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None


def _yes(value: bool) -> bool | None:
    return value or None


def _given(**values: Any) -> Any:
    return {name: value for name, value in values.items() if value is not None}
