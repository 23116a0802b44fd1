"""A real S3 server for the tests: Ceph's object gateway over one monitor and one object server in memory."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import obstore
from obstore.exceptions import BaseError

from atlas_core.run import die_with_parent
from atlas_core.store.backends import StoreSettings, open_backend
from atlas_core.store.objects import Objects
from service.embedded import free_port

START_SECONDS = 120.0
CONFIGURATION = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_v2},v1:127.0.0.1:{mon_v1}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
run dir = {folder}
pid file =
crash dir = {folder}/crash
mon data = {folder}/mon
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
paxos propose interval = 0.02
paxos min wait = 0.01
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
osd max object name len = 1024
osd op threads = 2
rgw data = {folder}/rgw
rgw thread pool size = 64
rgw enable usage log = false
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
"""


@dataclass(frozen=True)
class Rgw:
    """A running gateway.

    Attributes:
        endpoint: Its URL.
        access_key: Of its one user.
        secret_key: Of its one user.
    """

    endpoint: str
    access_key: str
    secret_key: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process is to be told to use it."""
        return {
            "ATLAS_STORE_ENDPOINT": self.endpoint,
            "ATLAS_STORE_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    def settings(self, **changes: object) -> StoreSettings:
        """Settings with which it can be used from this process."""
        values: dict[str, object] = {
            "endpoint": self.endpoint,
            "allow_http": True,
            "access_key_id": self.access_key,
            "secret_access_key": self.secret_key,
        }
        return StoreSettings(**(values | changes))  # type: ignore[arg-type]

    def bucket(self) -> str:
        """A new bucket's URL."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        backend = open_backend(f"s3://{name}", self.settings())
        httpx.put(Objects(backend).signed("PUT", "", 3600)).raise_for_status()
        return f"s3://{name}"


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [*command, "-c", str(folder / "ceph.conf")], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}")
    return done.stdout


class _Daemons:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str) -> None:
        with (self._folder / f"{Path(command[0]).name}.out").open("wb") as output:
            self._processes.append(
                subprocess.Popen(
                    [*command, "-f", "-c", str(self._folder / "ceph.conf")],
                    stdout=output,
                    stderr=output,
                    stdin=subprocess.DEVNULL,
                    preexec_fn=die_with_parent,
                )
            )

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.kill()  # all of it is thrown away
            process.wait()


@contextmanager
def running_rgw(folder: Path) -> Iterator[Rgw]:
    """A gateway for as long as the block runs; everything of it lies in the folder and goes with us."""
    fsid, osd, port = str(uuid.uuid4()), str(uuid.uuid4()), free_port()
    conf = CONFIGURATION.format(folder=folder, fsid=fsid, mon_v2=free_port(), mon_v1=free_port(), port=port)
    (folder / "ceph.conf").write_text(conf)
    for name in ("mon", "osd", "rgw", "crash"):
        (folder / name).mkdir()
    _keyring(folder)
    rgw = Rgw(f"http://127.0.0.1:{port}", uuid.uuid4().hex[:20].upper(), uuid.uuid4().hex)
    daemons = _Daemons(folder)
    try:
        address = next(line for line in conf.splitlines() if line.startswith("mon host")).partition("= ")[2]
        _run(folder, "monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, str(folder / "monmap"))
        _run(folder, "ceph-mon", "--mkfs", "-i", "a", "--monmap", str(folder / "monmap"))
        daemons.start("ceph-mon", "-i", "a")
        _run(folder, "ceph", "--connect-timeout", "60", "osd", "new", osd)
        _run(folder, "ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osd)
        daemons.start("ceph-osd", "-i", "0")
        _run(
            folder,
            "radosgw-admin",
            "user",
            "create",
            "--uid",
            "test",
            "--display-name",
            "test",
            "--access-key",
            rgw.access_key,
            "--secret-key",
            rgw.secret_key,
            "-n",
            "client.rgw",
        )
        daemons.start("radosgw", "-n", "client.rgw")
        _wait(rgw, folder)
        yield rgw
    finally:
        daemons.stop()


def _keyring(folder: Path) -> None:
    capabilities = {
        "mon.": ["--cap", "mon", "allow *"],
        "client.admin": ["--cap", "mon", "allow *", "--cap", "osd", "allow *"],
        "client.rgw": ["--cap", "mon", "allow *", "--cap", "osd", "allow *"],
        "osd.0": ["--cap", "mon", "allow *", "--cap", "osd", "allow *"],
    }
    path = folder / "keyring"
    for name, caps in capabilities.items():
        create = [] if path.exists() else ["--create-keyring"]
        subprocess.run(
            ["ceph-authtool", *create, str(path), "--gen-key", "-n", name, *caps],
            check=True,
            capture_output=True,
            timeout=60,
        )


def _wait(rgw: Rgw, folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError, BaseError):
            url = rgw.bucket()
            obstore.put(open_backend(url, rgw.settings()), "first", b"slow")  # the pools are made with it
            return
        time.sleep(0.1)
    raise RuntimeError(f"radosgw did not start: {(folder / 'radosgw.out').read_text()[-2000:]}")
