"""Processes that belong together."""

from __future__ import annotations

from pathlib import Path


def children(pid: int) -> list[int]:
    """Processes right below a process."""
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()]  # fmt: skip
