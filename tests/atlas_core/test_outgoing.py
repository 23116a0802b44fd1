from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from atlas_core.errors import InputError
from atlas_core.outgoing import Allowed, UndeliveredError, addresses_of, is_public, post, target_of
from atlas_core.settings import Settings
from tests.receiver import receiving

HERE = Allowed(("127.0.0.1:*", "localhost:*"))


def resolving_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Have names resolve to these; gives the names that were asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *options: Any, **named: Any) -> list[Any]:
        if host.replace(".", "").isdigit() or ":" in host:  # an address
            return list(real(host, port, *options, **named))
        asked.append(host)
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


@pytest.mark.parametrize(
    ("hosts", "url", "there"),
    [
        (["hooks.example.com"], "https://hooks.example.com/a?b=c", True),
        (["hooks.example.com"], "https://HOOKS.example.com./", True),
        (["hooks.example.com"], "https://hooks.example.com:443/", True),
        (["hooks.example.com"], "https://hooks.example.com:8443/", False),
        (["hooks.example.com"], "https://example.com/", False),
        (["hooks.example.com"], "https://hooks.example.com.evil.example/", False),
        (["*.example.com"], "https://a.b.example.com/", True),
        (["*.example.com"], "https://example.com/", False),
        (["*.example.com"], "https://evilexample.com/", False),
        (["hooks.example.com:8443"], "https://hooks.example.com:8443/", True),
        (["hooks.example.com:8443"], "https://hooks.example.com/", False),
        (["hooks.example.com:*"], "https://hooks.example.com:9/", True),
        (["2001:db8::1"], "https://[2001:db8::1]/", True),
        (["[2001:db8::1]:8443"], "https://[2001:db8::1]:8443/", True),
        (["127.0.0.1"], "http://127.0.0.1/", True),
        (["127.0.0.1"], "http://2130706433/", False),
        (["*"], "https://hooks.example.com/", False),
        ([], "https://hooks.example.com/", False),
    ],
)
def test_only_hosts_on_the_list_are_called(hosts: list[str], url: str, there: bool) -> None:
    if there:
        assert target_of(url, Allowed(tuple(hosts))).path.startswith("/")
    else:
        with pytest.raises(InputError, match="ATLAS_WEBHOOK_HOSTS") as caught:
            target_of(url, Allowed(tuple(hosts)))
        assert caught.value.pointer == "/url"


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example.com", "ftp://hooks.example.com/", "https://", "https://:443/", "https://hooks.example.com:0/",
        "https://user:word@hooks.example.com/", "https://hooks.example.com/#part", "https://hooks.example.com/ä",
        "https://hooks.example.com/\r\nX: y", "https://hooks.example.com\\@127.0.0.1/", "https://hooks.example.com:x/",
        "https://hooks.example.com/" + "a" * 2000, "file:///etc/passwd",
    ],
)  # fmt: skip
def test_what_is_no_url_to_call_is_refused(url: str) -> None:
    with pytest.raises(InputError) as caught:
        target_of(url, Allowed(("hooks.example.com:*",), http=True))
    assert caught.value.pointer == "/url"


def test_without_tls_only_this_machine_is_called_unless_the_operator_allows() -> None:
    hosts = ("hooks.example.com", "localhost", "[::1]")
    with pytest.raises(InputError, match="ATLAS_WEBHOOK_HTTP"):
        target_of("http://hooks.example.com/", Allowed(hosts))
    assert target_of("http://hooks.example.com/", Allowed(hosts, http=True)).port == 80
    for url in ("http://localhost/", "http://[::1]/"):
        assert target_of(url, Allowed(hosts)).port == 80


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True), ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True), ("127.0.0.1", False),
        ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False),
        ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("255.255.255.255", False), ("::1", False),
        ("::", False), ("fe80::1", False), ("fc00::1", False), ("ff02::1", False), ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.215.14", True), ("64:ff9b::7f00:1", False), ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False), ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False), ("fec0::1", False),
    ],
)  # fmt: skip
def test_private_addresses_are_told_also_where_they_are_wrapped(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


def test_an_allowed_name_that_resolves_to_private_addresses_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch, "10.0.0.7", "169.254.169.254")
    target = target_of("https://hooks.example.com/", Allowed(("hooks.example.com",)))
    with pytest.raises(UndeliveredError, match=r"no public address.*ATLAS_WEBHOOK_NETWORKS"):
        addresses_of(target, Allowed())
    assert addresses_of(target, Allowed(networks=(ip_network("10.0.0.0/8"),))) == [ip_address("10.0.0.7")]


def test_of_public_and_private_addresses_only_the_public_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch, "127.0.0.1", "93.184.215.14")
    assert addresses_of(target_of("https://h/", Allowed(("h",))), Allowed()) == [ip_address("93.184.215.14")]


def test_the_name_is_resolved_once_and_the_checked_address_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(204) as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        asked = resolving_to(monkeypatch, "127.0.0.1")
        allowed = Allowed(("rebound.example:*",), (ip_network("127.0.0.0/8"),), http=True)
        answer = post(f"http://rebound.example:{port}/x?y=z", b"{}", {"a": "b"}, allowed, 5)
    assert (answer.status, asked) == (204, ["rebound.example"])
    (message,) = receiver.messages
    assert (message.path, message.body, message.headers["a"]) == ("/x?y=z", b"{}", "b")
    assert message.headers["host"] == f"rebound.example:{port}"


def test_the_next_address_is_tried_where_one_is_not_listened_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiving(204) as receiver:
        resolving_to(monkeypatch, "::1", "127.0.0.1")
        url = receiver.url.replace("127.0.0.1", "localhost")
        assert post(url, b"{}", {}, HERE, 5).status == 204


def test_redirects_are_not_followed_and_retry_after_is_read() -> None:
    with receiving(302) as receiver:
        receiver.headers.update({"Location": receiver.url + "/other", "Retry-After": "7"})
        assert post(receiver.url, b"{}", {}, HERE, 5) == (302, 7.0)
        receiver.headers["Retry-After"] = "soon"
        assert post(receiver.url, b"{}", {}, HERE, 5).retry_after is None
    assert [message.path for message in receiver.messages] == ["/hook", "/hook"]


def test_nobody_there_is_said(free_port: int) -> None:
    with pytest.raises(UndeliveredError, match="no answer in HTTP"):
        post(f"http://127.0.0.1:{free_port}/", b"{}", {}, HERE, 5)


def test_a_receiver_without_tls_is_said() -> None:
    with receiving(204) as receiver, pytest.raises(UndeliveredError, match="no TLS"):
        post(receiver.url.replace("http:", "https:"), b"{}", {}, HERE, 5)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of hooks.test with its key in one file, signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    file = tmp_path / "hooks.pem"
    subject = ["-subj", "/CN=hooks.test", "-addext", "subjectAltName=DNS:hooks.test"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(file)]
    made = subprocess.run([openssl, "req", "-x509", "-days", "2", *key, *subject], capture_output=True, check=True)
    file.write_bytes(file.read_bytes() + made.stdout)
    return file


def test_who_answers_over_tls_must_be_who_the_name_says(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    resolving_to(monkeypatch, "127.0.0.1")
    allowed = Allowed(("*.test:*",), (ip_network("127.0.0.0/8"),))
    with receiving(204, tls=tls) as receiver:
        url = receiver.url.replace("127.0.0.1", "hooks.test")
        with pytest.raises(UndeliveredError, match="no TLS connection"):
            post(url, b"{}", {}, allowed, 5)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert post(url, b"{}", {}, allowed, 5).status == 204
        with pytest.raises(UndeliveredError, match="no TLS connection"):
            post(url.replace("hooks.test", "other.test"), b"{}", {}, allowed, 5)
    assert len(receiver.messages) == 1


def test_a_receiver_that_dribbles_is_ended() -> None:
    """A byte at a time would keep a timeout between bytes from ever ending it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def dribble() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    while True:
                        connection.sendall(b"H")
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=dribble)
        thread.start()
        with pytest.raises(UndeliveredError, match=r"no answer within 0\.3 s"):
            post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}, HERE, 0.3)
        thread.join(10)
        assert not thread.is_alive()


def test_a_list_of_hosts_holds_hosts() -> None:
    hosts = ["hooks.example.com", "*.example.com", "h:8443", "h:*", "10.0.0.1", "::1", "[::1]:8443", "[::1]"]
    assert Settings(webhook_hosts=hosts).webhook_hosts == hosts
    for wrong in ("https://hooks.example.com", "hooks.example.com/path", "*", "", "a b", "h:port", "a.*.com"):
        with pytest.raises(ValidationError, match="webhook_hosts"):
            Settings(webhook_hosts=[wrong])
    with pytest.raises(ValidationError, match="webhook_networks"):
        Settings(webhook_networks=["10.0.0.1/8"])
