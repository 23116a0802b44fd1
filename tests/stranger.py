"""A stranger's package that offers a model of its own by the entry point `atlas.models`."""

from __future__ import annotations

from pathlib import Path


def installed_stranger(folder: Path, source: str) -> Path:
    """Write a package whose function `make` builds the model `stranger`; returns the folder for PYTHONPATH.

    Args:
        folder: To write it into.
        source: Of its module.
    """
    (folder / "stranger-1.dist-info").mkdir(parents=True)
    (folder / "stranger.py").write_text(source)
    (folder / "stranger-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1\n")
    (folder / "stranger-1.dist-info" / "entry_points.txt").write_text("[atlas.models]\nstranger = stranger:make\n")
    return folder
