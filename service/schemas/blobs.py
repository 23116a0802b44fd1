"""Uploads over the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Blob(BaseModel):
    """Stored bytes."""

    sha256: str
    bytes: int


class BlobPart(BaseModel):
    """An upload in parts: its first bytes up to `offset` are there, of `total`."""

    sha256: str
    offset: int
    total: int


class SignedUpload(BaseModel):
    """Where to PUT the bytes straight into the store, and what to POST to when that is done."""

    method: Literal["PUT"]
    url: str
    expires_seconds: int
    complete: str
