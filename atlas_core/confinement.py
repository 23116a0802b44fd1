"""What a process that reads a stranger's bytes gives up first: memory, time, files, the network, other programs.

Linux only; elsewhere only the limits of POSIX hold. Nothing here needs privileges, so it works in containers too, but a
kernel may lack a part: `available` says which are there.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

LIMITS, FILES, CALLS = "limits", "files", "calls"
OPEN_FILES = 256
PAGE = resource.getpagesize()

NO_NEW_PRIVILEGES, SECCOMP = 38, 22  # of prctl
SECCOMP_FILTER = 2
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # Landlock's calls, the same on every processor
READ_FILE, READ_DIR = 1 << 2, 1 << 3
FILE_RIGHTS = (13, 14, 15, 15, 16)
"""Bits of rights over files that versions 1 to 5 of Landlock know."""
TCP, SCOPES = 0b11, 0b11
READABLE = (
    "/usr/lib", "/lib", "/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/proc/cpuinfo", "/proc/meminfo",
    "/sys/devices/system/cpu", "/dev/null", "/dev/urandom",
)  # fmt: skip
"""What libraries look at while they compute, beside what Python itself is installed in."""

# Numbers of the calls that are refused: sockets, programs, other processes' memory, and ways around a filter.
REFUSED = {
    "x86_64": (
        0xC000003E,
        (41, 42, 49, 50, 57, 58, 59, 322, 101, 310, 311, 425, 321, 272, 308, 165, 249, 250, 323, 298),
    ),
    "aarch64": (0xC00000B7, (198, 203, 200, 201, 221, 281, 117, 270, 271, 425, 280, 97, 268, 40, 217, 219, 282, 241)),
}
CLONE = {"x86_64": 56, "aarch64": 220}
CLONE3 = 435
CLONE_THREAD = 0x10000
X32 = 0x40000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def available() -> dict[str, bool]:
    """Which parts of a confinement this machine has: limits, files, calls.

    `files` without `calls` still keeps TCP from a process, `calls` without `files` leaves it what its user may read.
    """
    linux = sys.platform == "linux"
    return {
        LIMITS: True,
        FILES: linux and _landlock() > 0,
        CALLS: linux and platform.machine() in REFUSED and _has_seccomp(),
    }


def confine(memory: int, seconds: int, longest: int) -> dict[str, bool]:
    """Give up, for good, what is not needed to read bytes and compute; for a process of one thread.

    Args:
        memory: Bytes of address space beyond what is taken now.
        seconds: Of a processor, after which the process ends unless it asks for more.
        longest: Of a processor in all.

    Returns:
        As `available`: what was given up.
    """
    _limit(memory, seconds, longest)
    held = available()
    if held[FILES] or held[CALLS]:
        _libc().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if held[FILES]:
        held[FILES] = _only_read((*READABLE, sys.prefix, sys.base_prefix, *sys.path))
    if held[CALLS]:
        held[CALLS] = _refuse_calls()
    return held


def _limit(memory: int, seconds: int, longest: int) -> None:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE if sys.platform == "linux" else 0
    for what, soft, hard in (
        (resource.RLIMIT_AS, taken + memory, taken + memory),
        (resource.RLIMIT_CPU, seconds, longest),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES),
    ):
        _lower(what, soft, hard)


def _lower(what: int, soft: int, hard: int) -> None:
    most = resource.getrlimit(what)[1]
    most = hard if most == resource.RLIM_INFINITY else min(hard, most)
    resource.setrlimit(what, (min(soft, most), most))


def harden() -> None:
    """For a process that keeps files and network: no rights by starting programs, no memory left in core files."""
    _lower(resource.RLIMIT_CORE, 0, 0)
    if sys.platform == "linux":
        _libc().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def allow_longer() -> None:
    """Let the process go on for as long as it may in all."""
    longest = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (longest, longest))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _landlock() -> int:
    """Version of Landlock, 0 or less where there is none."""
    return int(_libc().syscall(CREATE_RULESET, None, 0, 1))


def _has_seccomp() -> bool:
    return "Seccomp:" in Path("/proc/self/status").read_text()


def _only_read(places: Iterable[str]) -> bool:
    """Leave only these places to be read, and none to be written, with neither TCP nor signals to others."""
    libc, version = _libc(), _landlock()
    rules = _Ruleset((1 << FILE_RIGHTS[min(version, 5) - 1]) - 1, TCP * (version >= 4), SCOPES * (version >= 6))
    ruleset = libc.syscall(CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    if ruleset < 0:
        return False
    for place in {os.path.realpath(place) for place in places if place and os.path.exists(place)}:
        descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
        rule = _Beneath(READ_FILE | READ_DIR if os.path.isdir(place) else READ_FILE, descriptor)
        libc.syscall(ADD_RULE, ruleset, 1, ctypes.byref(rule), 0)
        os.close(descriptor)
    done = int(libc.syscall(RESTRICT_SELF, ruleset, 0)) == 0
    os.close(ruleset)
    return done


def _refuse_calls() -> bool:
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _filter(platform.machine()))
    given = _Program(len(program) // 8, program)
    return int(_libc().prctl(SECCOMP, SECCOMP_FILTER, ctypes.byref(given), 0, 0)) == 0


def _filter(machine: str) -> list[tuple[int, int, int, int]]:
    """A program of the kernel's packet filter over (number, processor, …, arguments); threads are let be made."""
    processor, refused = REFUSED[machine]
    checks = [
        (LOAD, 0, 0, 4), (EQUAL, 1, 0, processor), (RETURN, 0, 0, EPERM),
        (LOAD, 0, 0, 0), (AT_LEAST, 0, 1, X32), (RETURN, 0, 0, EPERM),
        (EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, ENOSYS),  # then the C library makes threads by clone, which can be told
        (EQUAL, 0, 3, CLONE[machine]), (LOAD, 0, 0, 16), (ANY_BIT, 1, 0, CLONE_THREAD), (RETURN, 0, 0, EPERM),
        (LOAD, 0, 0, 0),
    ]  # fmt: skip
    for number in refused:
        checks += [(EQUAL, 0, 1, number), (RETURN, 0, 0, EPERM)]
    return [*checks, (RETURN, 0, 0, ALLOW)]
