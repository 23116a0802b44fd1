"""Make the pictures of docs/article.md: run its commands against a service, and keep what they draw as WebP beside it.

Usage: ATLAS_URL=http://127.0.0.1:8000 python docs/article.py FOLDER [--drawn]

FOLDER is where the commands work; with --drawn it holds what they drew before, and nothing is run.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from markdown_it import MarkdownIt
from PIL import Image

PAGE = Path(__file__).with_suffix(".md")
SIDE = 1000  # pixels that a picture has at most


def main(folder: Path, *, drawn: bool) -> None:
    text = PAGE.read_text(encoding="utf-8")
    if not drawn:
        folder.mkdir(parents=True, exist_ok=True)
        script = "\n".join(token.content for token in MarkdownIt().parse(text) if token.info == "sh")
        subprocess.run(["bash", "-ex", "-c", script], cwd=folder, check=True)
    for name in re.findall(r"\(article/([\w-]+)\.webp\)", text):
        with Image.open(folder / f"{name}.png") as picture:
            small = picture.convert("RGB")
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        target = PAGE.with_suffix("") / f"{name}.webp"
        target.parent.mkdir(exist_ok=True)
        small.save(target, quality=82, method=6)
        print(f"{target.name}: {target.stat().st_size // 1024} kB")


if __name__ == "__main__":
    arguments = [one for one in sys.argv[1:] if one != "--drawn"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    main(Path(arguments[0]), drawn="--drawn" in sys.argv)
