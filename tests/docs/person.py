"""A person who works through a page: runs its blocks in their order, in one shell and one Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.docs.blocks import ROOT, Block

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

BIN = Path(sys.executable).parent


class Person:
    """Works in a folder, with a service at hand.

    Args:
        folder: Where; made ready by `at_home`.
        url: Of the service.
        patch: Undone when the page is read.
    """

    def __init__(self, folder: Path, url: str, patch: pytest.MonkeyPatch) -> None:
        """Nothing is run yet."""
        self._folder = folder
        self._state = folder / ".variables"
        self._state.unlink(missing_ok=True)
        self._names: dict[str, Any] = {"__name__": "page"}
        patch.chdir(folder)
        patch.setenv("ATLAS_URL", url)
        patch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("CURL_HOME", str(folder))
        patch.setenv("DEMO", f"--no-serve --data {folder / '.atlas'}")  # what `make demo` hands on

    def run(self, blocks: Iterable[Block]) -> None:
        """Run blocks; the first that fails ends it."""
        for block in blocks:
            if block.language == "sh":
                self._shell(block)
            elif block.language == "python":
                exec(compile(block.text, str(block), "exec"), self._names)

    def _shell(self, block: Block) -> None:
        """Run a block as bash does a script that ends at the first failure; its variables are kept for the next."""
        kept = f"if [ -e {self._state} ]; then source {self._state}; fi; set -aeo pipefail"
        script = f"{kept}\n{block.text}\nexport -p > {self._state}\n"
        where = ROOT if block.text.startswith("make ") else self._folder
        asked = ["bash", "-c", script]
        done = subprocess.run(asked, cwd=where, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        said = (done.stdout + done.stderr)[-4000:].decode(errors="replace")
        assert done.returncode == block.status, f"{block} ended with {done.returncode}:\n{block.text}\n{said}"


def at_home(folder: Path) -> None:
    """Make a folder look like a clone with an environment, for whoever works in it."""
    (folder / ".venv").symlink_to(BIN.parent)
    for name in ("examples", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".curlrc").write_text("fail\nsilent\nshow-error\n")
