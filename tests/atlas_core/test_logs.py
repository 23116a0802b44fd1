from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, warnings
from atlas_core import logs
from atlas_core.origin import about
from atlas_core.settings import Settings

logging.getLogger("uvicorn.error").addHandler(logging.StreamHandler())
logs.configure(Settings(log_format={form!r}, log_level="info"))
log = logging.getLogger("some.where")
with about(request="abc", traceparent="00-{trace}-00f067aa0ba902b7-01"):
    with about(job="j1"):
        log.info("hello %s", "you")
    log.debug("not told")
    logging.getLogger("uvicorn.error").warning("once")
    logging.getLogger("uvicorn.access").info("GET / 200")
try:
    raise ValueError("bad\\nline")
except ValueError:
    log.exception("it failed")
warnings.warn("beware")
"""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def logged(form: str) -> list[str]:
    program = PROGRAM.format(form=form, trace=TRACE)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_line_of_json_says_what_it_is_about() -> None:
    hello, once, failed, beware = map(json.loads, logged("json"))
    assert {name: hello[name] for name in ("level", "logger", "message", "request", "job", "trace")} == {
        "level": "INFO", "logger": "some.where", "message": "hello you", "request": "abc", "job": "j1", "trace": TRACE,
    }  # fmt: skip
    assert hello["timestamp"].endswith("+00:00")
    assert (once["message"], once["request"], "job" in once) == ("once", "abc", False)
    assert "ValueError: bad\nline" in failed["exc_info"]
    assert "request" not in failed
    assert "beware" in beware["message"]


def test_so_does_a_line_of_text() -> None:
    hello, once, *_ = logged("text")
    assert hello.endswith(f"INFO some.where: hello you [request=abc job=j1 trace={TRACE}]")
    assert once.endswith(f"WARNING uvicorn.error: once [request=abc trace={TRACE}]")
