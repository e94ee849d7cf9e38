"""Texts and names as they may be kept: no zero bytes, no lone surrogates, no tricks. Refuses to know whose they are."""

from __future__ import annotations

import re

from freehold.core.errors import BadRequest

_TURNING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSEEN = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff{_TURNING}]")
"""Control characters, and those that turn the direction of what follows: `invoice\u202efdp.exe` looks like a PDF."""

_RESERVED = re.compile(r'[<>:"|?*]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
_FILE_NAME = 120


def sound(value: str) -> str:
    """Return `value` without zero bytes and lone surrogates: every store and every encoder takes it."""
    value = value.replace("\0", "")
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def text(value: str, most: int, what: str) -> str:
    """Return `value` sound. Raises BadRequest when it is longer than `most` characters; `what` names it."""
    if len(value) > most:
        raise BadRequest(
            f"{what} has {len(value):,} characters; {most:,} are taken.",
            code="text_too_long",
            param=what,
            hint="shorten it, or put it in a file",
        )
    return sound(value)


def name(value: str, what: str = "name", most: int = 200) -> str:
    """Return `value` as one line without characters that are not seen. Raises BadRequest when nothing is left."""
    line = " ".join(_UNSEEN.sub(" ", text(value, most * 4, what)).split())[:most].strip()
    if not line:
        raise BadRequest(f"{what} is empty.", param=what, hint="write at least one letter")
    return line


def file_name(value: str) -> str:
    """Return the name of a file that is safe on every disk and in every archive: no folder, no reserved sign. Never
    empty, at most 120 characters, its ending kept."""
    value = re.split(r"[/\\]", sound(value))[-1]
    value = _RESERVED.sub("_", " ".join(_UNSEEN.sub("", value).split())).strip(" .") if value.strip(" .") else ""
    if not value:
        return "file"
    if _DEVICES.match(value):
        value = "_" + value
    if len(value) > _FILE_NAME:
        stem, dot, ending = value.rpartition(".")
        ending = (dot + ending)[:16] if stem else ""
        value = (stem or value)[: _FILE_NAME - len(ending)].rstrip(" .") + ending
    return value
