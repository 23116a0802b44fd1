"""Tiles from the service and the same files from nginx, asked by wrk in turn."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from statistics import median

import httpx

from service.embedded import free_port

CONFIGURATION = """
daemon off; worker_processes {workers}; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; types {{ image/webp webp; }}
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; add_header Cache-Control "public, max-age=31536000"; }}
}}
"""
SCRIPT = """
local paths = {{{paths}}}
local turn = 0
request = function()
  turn = turn % #paths + 1
  return wrk.format("GET", paths[turn])
end
"""


@dataclass(frozen=True)
class Rate:
    """What wrk saw: answers a second, milliseconds of the 50th and 99th in a hundred, and those that were no 2xx."""

    a_second: float
    p50: float
    p99: float
    bad: int


def side_by_side(
    url: str, tiles: Sequence[str], *, seconds: int, rounds: int, connections: int
) -> tuple[list[Rate], list[Rate], int]:
    """Rates of the service and of nginx, each so many rounds in turn, and the bytes of a tile in the median."""
    with tempfile.TemporaryDirectory(prefix="atlas-nginx-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        sizes, paths = [], []
        for number, tile in enumerate(tiles):
            path = folder / "files" / f"{number}.webp"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(httpx.get(url + tile).raise_for_status().content)
            sizes.append(path.stat().st_size)
            paths.append(f"/{number}.webp")
        ours: list[Rate] = []
        nginx: list[Rate] = []
        with serving_files(folder) as files:
            for _ in range(rounds):
                ours.append(asked(folder, url, tiles, seconds, connections))
                nginx.append(asked(folder, files, paths, seconds, connections))
        return ours, nginx, int(median(sizes))


@contextmanager
def serving_files(folder: Path, workers: int = 1) -> Iterator[str]:
    """nginx over a folder's `files`, until the block ends; gives its URL."""
    port = free_port()
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port, workers=workers))
    binary = which("nginx") or "/usr/sbin/nginx"
    with subprocess.Popen([binary, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 20
            while True:
                try:
                    httpx.get(url)
                    break
                except httpx.TransportError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
            yield url
        finally:
            process.terminate()


def asked(folder: Path, url: str, paths: Sequence[str], seconds: int, connections: int) -> Rate:
    """Ask for all paths in turn for so many seconds."""
    script = folder / "paths.lua"
    script.write_text(SCRIPT.format(paths=", ".join(f'"{path}"' for path in paths)))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return Rate(
        float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0]), _milliseconds(said, 50), _milliseconds(said, 99),
        int(bad[1]) if bad else 0,
    )  # fmt: skip


def _milliseconds(said: str, share: int) -> float:
    value, unit = re.findall(rf"{share}%\s+([\d.]+)(us|ms|s)", said)[0]
    return float(value) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]
