"""The version of what lies in a store, and how documents of earlier versions are read.

Every document of the registry says its version; those written before they did are of version 1. A document is brought
up to date when it is read, so nothing waits for an upgrade, and two versions of this software share a store while one
replaces the other; `atlas upgrade` writes what was brought up to date, so that a later version need not know how.
A step may add fields and rename them. What it may not do is change what an earlier document meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from atlas_core.errors import VersionError

FIELD = "schema"
SCHEMA = 2
Document = dict[str, Any]
FIRST_STAGES = {"collect": 4, "layout": 2, "cells": 4, "render": 2, "publish": 2}
"""Versions of the stages at schema 1, of those whose version was not 1."""


def _chunks_say_their_version(kind: str, value: Document) -> Document:
    """1 to 2: a plan's chunks say which version of their stage they are made by; there was one version only."""
    if kind != "plans":
        return value
    chunks = [{**chunk, "version": FIRST_STAGES.get(chunk["stage"], 1)} for chunk in value["chunks"]]
    return {**value, "chunks": chunks}


STEPS: Mapping[int, Callable[[str, Document], Document]] = {1: _chunks_say_their_version}
"""By the version that they start from."""


def marked(value: Document) -> Document:
    """A document as it is written: with the version."""
    return {**value, FIELD: SCHEMA}


def version_of(stored: Document) -> int:
    """Version of a document as it is stored."""
    return int(stored.get(FIELD, 1))


def current(kind: str, stored: Document) -> Document:
    """A stored document as it is now, without its version.

    Args:
        kind: Of the document, such as `plans`.
        stored: As it was read.

    Raises:
        VersionError: A later version of this software wrote it.
    """
    version = version_of(stored)
    if version > SCHEMA:
        raise VersionError(
            f"a document of the store was written by a later version (schema {version}, this one reads {SCHEMA}); "
            "bring every API process and worker to that version"
        )
    value = {name: held for name, held in stored.items() if name != FIELD}
    for step in range(version, SCHEMA):
        value = STEPS[step](kind, value)
    return value
