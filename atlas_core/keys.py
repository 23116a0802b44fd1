"""Digests and keys: how things are named by what they are made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces; NaN and infinities are refused (ValueError)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of a value, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def record_key(stage: str, version: int, parameters: dict[str, Any], inputs: Sequence[str]) -> str:
    """Key of a chunk's record: what it does, with which parameters, from which records.

    Keys use the inputs' keys, not their bytes, so that a plan knows every key at once.
    """
    return digest([stage, version, parameters, list(inputs)])
