"""The shared fixtures of tests/conftest.py."""

from __future__ import annotations

import socket

import redis


def test_redis_server_is_a_real_server_that_runs_scripts(redis_server: str) -> None:
    with redis.Redis.from_url(redis_server) as client:
        assert client.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, "greeting", "hello") == b"OK"
        assert client.get("greeting") == b"hello"
        client.delete("greeting")


def test_free_port_can_be_bound(free_port: int) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port))
