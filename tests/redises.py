"""Redis servers of a test that ask who is there: TLS, a user of an access list, replicas and their Sentinel."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import redis
import trustme

from atlas_core.redis_client import connect
from atlas_core.run import die_with_parent
from service.embedded import free_port, redis_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "p/w:@ #1"  # what a URL has to quote
QUOTED = "p%2Fw%3A%40%20%231"


class Redises:
    """A folder of TLS certificates and the servers started with them.

    Args:
        folder: Of certificates, configurations and logs.
        stack: Ends the servers.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        authority = trustme.CA()
        self.authority = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))

    def start(self, *lines: str, sentinel: bool = False) -> tuple[int, subprocess.Popen[bytes]]:
        """Start a server that speaks nothing but TLS, and whose only user is `atlas`; returns its port."""
        port = free_port()
        place = self.folder / str(port)
        place.mkdir()
        pem = self.folder / "server.pem"
        common = [
            "bind 127.0.0.1", "port 0", f"tls-port {port}", f"tls-cert-file {pem}", f"tls-key-file {pem}",
            f"tls-ca-cert-file {self.authority}", "tls-auth-clients no", "tls-replication yes",
            *([] if sentinel else ["repl-diskless-sync-delay 0"]), f"dir {place}",
            f"logfile {place / 'log'}", 'save ""', f'user atlas on ">{PASSWORD}" ~* &* +@all', "user default off",
        ]  # fmt: skip
        configuration = place / "redis.conf"
        configuration.write_text("\n".join([*common, *lines]) + "\n")
        command = [redis_binary(), str(configuration), *(["--sentinel"] if sentinel else [])]
        process = self._stack.enter_context(subprocess.Popen(command, preexec_fn=die_with_parent))
        self._stack.callback(process.kill)
        _wait_until_up(self.url(port), place / "log")
        return port, process

    def url(self, port: int) -> str:
        return f"rediss://atlas:{QUOTED}@127.0.0.1:{port}/0?ssl_ca_certs={self.authority}"


def _wait_until_up(url: str, log: Path) -> None:
    deadline = time.monotonic() + 10
    with connect(url) as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.02)
            else:
                return


@contextmanager
def redises(folder: Path) -> Iterator[Redises]:
    """Servers that end with the block."""
    with ExitStack() as stack:
        yield Redises(folder, stack)
