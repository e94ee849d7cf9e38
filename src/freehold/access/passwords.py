"""Passwords: what is taken for one, and how it is kept (Argon2id). Refuses to know members and HTTP.

Hashing takes tens of milliseconds and 19 MiB, on purpose. It runs in two threads of its own and only so many may wait,
so that a flood of sign-ins costs calls nothing.
"""

from __future__ import annotations

import asyncio
import os
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from freehold.core.errors import BadRequest, OverLimit

LEAST, MOST = 12, 1024
"""Characters of a password. No rules of composition: they make passwords worse (NIST SP 800-63B, section 3.1.1)."""

ITERATIONS, LANES, MEMORY = 2, 1, 19456
"""Cost of a hash: passes, lanes, KiB. OWASP's Password Storage Cheat Sheet, Argon2id."""

_HEAD = f"$argon2id$v=19$m={MEMORY},t={ITERATIONS},p={LANES}$"

AT_ONCE, WAITING = 2, 64
"""Hashes that are computed, and those that may be under way or wait, in this process."""

T = TypeVar("T")

_COMMON = (
    "password", "passwort", "motdepasse", "kennwort", "letmein", "welcome", "willkommen", "iloveyou", "admin",
    "administrator", "freehold", "qwerty", "qwertz", "azerty", "qwertyuiop", "qwertzuiop", "asdfghjkl",
    "zxcvbnm", "dragon", "monkey", "football", "baseball", "superman", "trustno", "sunshine", "princess",
    "changeme", "secret", "master", "shadow", "default", "correcthorsebatterystaple",
)  # fmt: skip
_RUNS = ("abcdefghijklmnopqrstuvwxyz", "0123456789", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm")
_TRIMMED = " \t0123456789!?.,;:-_*#+$%&@/\\'\"()[]{}=<>|^~"


class Passwords:
    """Hashes and checks passwords, at most `AT_ONCE` at a time. One for each process; `close` ends its threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "freehold-password")
        self._under_way = 0
        salt, nobody = (b64encode(os.urandom(size)).decode().rstrip("=") for size in (16, 32))
        self._decoy = f"{_HEAD}{salt}${nobody}"

    async def hash(self, password: str) -> str:
        """Return what is kept of `password`: a PHC string with its own salt. OverLimit when too many wait."""
        return await self._do(partial(seal, password))

    async def verify(self, password: str, kept: str | None) -> bool:
        """Return whether `password` is the one that `kept` was made of. With None the same work is done in vain, so
        that the time says nothing about who exists. OverLimit when too many wait."""
        return await self._do(partial(fits, password, kept or self._decoy)) and kept is not None

    async def _do(self, work: Callable[[], T]) -> T:
        if self._under_way >= WAITING:
            raise OverLimit(
                "Too many people sign in at this moment.",
                code="signin_busy",
                hint="try again in a few seconds",
                retry_after=2.0,
            )
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._under_way -= 1

    def close(self) -> None:
        """End the threads; what waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def seal(password: str) -> str:
    """Return the PHC string of `password`. Slow on purpose; Passwords runs it in a thread."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # noqa: PLC0415 - most processes hash nothing

    made = Argon2id(salt=os.urandom(16), length=32, iterations=ITERATIONS, lanes=LANES, memory_cost=MEMORY)
    return made.derive_phc_encoded(normal(password))


def fits(password: str, kept: str) -> bool:
    """Return whether `password` is the one that `kept` was made of. As slow as `seal`."""
    from cryptography.exceptions import InvalidKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # noqa: PLC0415

    try:
        Argon2id.verify_phc_encoded(normal(password), kept)
    except (InvalidKey, ValueError):
        return False
    return True


def dated(kept: str) -> bool:
    """Return whether `kept` was made at another cost than today's, so that it is to be made anew."""
    return not kept.startswith(_HEAD)


def normal(password: str) -> bytes:
    """Return the bytes that are hashed: however a keyboard composes a letter, it is the same password (NFKC). What is
    longer than any password is cut, which can make none of them fit."""
    return unicodedata.normalize("NFKC", password[: MOST + 1]).encode("utf-8", "surrogatepass")


def check(password: str, *names: str) -> None:
    """Raise BadRequest unless `password` may be one. `names` are words that an attacker would try first: the member's
    names, the address."""
    if len(password) > MOST:
        raise _bad(f"The password has more than {MOST} characters.", "choose a shorter one")
    plain = unicodedata.normalize("NFKC", password)
    if len(plain) < LEAST:
        raise _bad(
            f"The password has fewer than {LEAST} characters.", "take a few words in a row, or let a program make one"
        )
    low = plain.casefold()
    if _repeated(low) or any(low in run or low in run[::-1] for run in _doubled()):
        raise _bad("The password repeats or counts.", "take a few words in a row, or let a program make one")
    bare = low
    words = sorted({word.casefold() for name in names for word in (name, *name.split("@"))}, key=len, reverse=True)
    for word in (*words, *sorted(_COMMON, key=len, reverse=True)):
        if len(word) >= 3:
            bare = bare.replace(word, "")
    if len(bare.strip(_TRIMMED)) < 4:
        raise _bad(
            "The password is one of those that are tried first.",
            "take a few words in a row that nobody would guess of you, or let a program make one",
        )


def _doubled() -> tuple[str, ...]:
    return tuple(run * 4 for run in _RUNS)


def _repeated(text: str) -> bool:
    """Whether `text` is a piece of at most a quarter of it, over and over."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, len(text) // 4 + 1))


def _bad(message: str, hint: str) -> BadRequest:
    return BadRequest(message, code="weak_password", param="password", hint=hint)
