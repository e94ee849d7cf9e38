"""The hash chain over canonical bytes: making it, and proving it. Refuses to know how entries come about.

hash(n) = SHA-256(hash(n-1) || canonical bytes of n), hash(0) = 32 zero bytes. Whoever can rewrite the whole store can
also rewrite the whole chain: note a head elsewhere (`verify` prints it) and have it expected later. Short of that, the
store notes from time to time how far its ledger reached, so that an end that was cut off is missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from freehold.ledger.entry import COLUMNS, columns, decode
from freehold.store import Build, Head, Row, Store

PAGE = 2000
REACHED = "SELECT COALESCE(MAX(value), 0) FROM meta WHERE name IN ('reached', 'closed', 'spent')"
NOTE_REACHED = """INSERT INTO meta(name, value) VALUES ('reached', ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE meta.value < excluded.value"""


def seal(packed: Sequence[tuple[Any, ...]]) -> Build:
    """Return what `Store.append` needs to chain rows made by `entry.pack`, which begin with the canonical bytes."""

    def build(head: Head) -> list[Row]:
        seq, digest = head.seq, head.hash
        rows = []
        for row in packed:
            seq += 1
            digest = sha256(digest + row[0]).digest()
            rows.append((seq, digest, *row))
        return rows

    return build


class Mark(msgspec.Struct, frozen=True):
    """A head that was noted elsewhere."""

    seq: int
    hash: bytes

    @classmethod
    def parse(cls, text: str) -> Mark:
        """Read `SEQ:HASH` (hexadecimal). Raises ValueError."""
        seq, _, digest = text.partition(":")
        mark = cls(int(seq), bytes.fromhex(digest))
        if len(mark.hash) != 32 or mark.seq < 0:
            raise ValueError(f"not SEQ:HASH with 64 hexadecimal digits: {text!r}")
        return mark


class Proof(msgspec.Struct, frozen=True):
    """`fault` is what is wrong first, at `fault_seq`; empty when the chain is whole. `seq` and `hash` are its head."""

    seq: int
    hash: bytes
    fault: str = ""
    fault_seq: int = 0

    @property
    def ok(self) -> bool:
        return not self.fault


class Verifier:
    """Takes rows (seq, hash, data, *COLUMNS) in order of seq and says what is wrong with them first."""

    def __init__(self, expect: Iterable[Mark] = (), reached: int = 0) -> None:
        """`reached` is a number that the ledger is known to have come to, without its hash."""
        self._expect = {mark.seq: mark.hash for mark in expect}
        self._reached = reached
        self._seq = 0
        self._hash = bytes(32)
        self._fault = ""
        self._at = 0

    def feed(self, rows: Iterable[Row]) -> bool:
        """Check more rows; return False once a fault was found."""
        for row in rows:
            fault = self._check(row)
            if fault:
                self._fault, self._at = fault, self._seq + 1
                return False
        return True

    def verdict(self) -> Proof:
        """Say how it ended; a noted head beyond the last row means that the end was cut off."""
        if not self._fault:
            for seq, digest in sorted(self._expect.items()):
                if seq == 0 and digest != bytes(32):
                    return Proof(self._seq, self._hash, "entry 0 has no such hash", 0)
                if seq > self._seq:
                    return Proof(self._seq, self._hash, f"the ledger ends before the noted entry {seq}", seq)
            if self._seq < self._reached:
                fault = f"the ledger ends here, but it reached entry {self._reached} once: its end was cut off"
                return Proof(self._seq, self._hash, fault, self._seq + 1)
        return Proof(self._seq, self._hash, self._fault, self._at)

    def _check(self, row: Row) -> str:
        seq, digest, data, *kept = row
        if seq != self._seq + 1:
            return f"entry {self._seq + 1} is missing" if seq > self._seq else f"entry number {seq} is out of order"
        if not isinstance(data, bytes) or not isinstance(digest, bytes):
            return "the bytes or the hash are of another type"
        if sha256(self._hash + data).digest() != digest:
            return "the hash does not follow from the entry and the hash before it"
        try:
            entry = decode(data)
        except msgspec.DecodeError as e:
            return f"the bytes are no Entry: {e}"
        said = columns(entry)
        if said != tuple(kept):
            wrong = [name for name, a, b in zip(COLUMNS, said, kept, strict=True) if a != b]
            return f"the column {', '.join(wrong)} does not say what the entry says"
        if self._expect.get(seq, digest) != digest:
            return "the hash is not the one that was noted: the chain was rewritten"
        self._seq, self._hash = seq, digest
        return ""


async def verify(
    store: Store, expect: Iterable[Mark] = (), progress: Callable[[int, int], None] | None = None
) -> Proof:
    """Prove the whole ledger from its first entry; `progress` is told entries done and in all. Raises StoreError."""
    reached = int((await store.fetch(REACHED))[0][0])  # first, as others may be adding entries
    total = int((await store.fetch("SELECT COALESCE(MAX(seq), 0) FROM entry"))[0][0])
    verifier = Verifier(expect, reached)
    after = None
    while True:
        where = "" if after is None else f"WHERE seq > {after}"
        rows = await store.fetch(
            f"SELECT seq, hash, data, {', '.join(COLUMNS)} FROM entry {where} ORDER BY seq LIMIT {PAGE}"
        )
        if not rows or not await asyncio.to_thread(verifier.feed, rows):
            return verifier.verdict()
        after = int(rows[-1][0])
        if progress is not None:
            progress(after, max(total, after))
