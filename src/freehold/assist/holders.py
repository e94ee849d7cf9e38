"""Which process holds a run, and whether that process is surely dead. Knows Linux; refuses to guess elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def mark() -> str:
    """Return what names this process among all that ever ran on this machine; "" where nothing tells them apart."""
    started = _started(os.getpid())
    place = _place()
    return f"{place}:{os.getpid()}:{started}" if place and started else ""


def dead(marked: str) -> bool:
    """Whether the process of `mark` is surely gone. False for one of another machine: only its lease can tell."""
    place, _, rest = marked.rpartition("@")[2].partition(":")
    pid, _, started = rest.partition(":")
    if not place or not started or not pid.isdigit():
        return False
    here = _place()
    if place.partition(".")[0] == here.partition(".")[0]:
        return place == here and _started(int(pid)) != started
    return False


def _place() -> str:
    """The boot of this machine and the space in which process ids are counted."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip().replace("-", "")
        space = os.readlink(PROC / "self/ns/pid").strip("pid:[]")
    except OSError:
        return ""
    return f"{boot}.{space}"


def _started(pid: int) -> str:
    """The moment at which a process began, in the kernel's ticks; "" when there is none, or only what is left of it."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
