"""The ledger's ways for the path of a call: what is promised late, kept at once, and never lost."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from freehold import ledger, store
from freehold.ledger import Entry


async def rows(opened: store.Store) -> list[tuple[int, str]]:
    return [(kind, call) for kind, call in await opened.fetch("SELECT kind, call FROM entry ORDER BY seq")]


@pytest.mark.parametrize("durability", ["strict", "batched"])
async def test_a_promise_is_written_unless_its_outcome_comes_first(tmp_path: Path, durability: str) -> None:
    opened = await store.open(f"sqlite:///{tmp_path}/l.db", durable=True)
    book = ledger.Ledger(opened, durability=durability, flush_ms=10_000)  # type: ignore[arg-type]
    made = []

    def intent(call: str) -> Entry:
        made.append(call)
        return Entry("intent", call, 0, "serve", 1, key="key_1")

    for call in ("call_a", "call_b"):
        waiting = book.promise(call, 0, lambda call=call: intent(call))  # type: ignore[misc]
        assert (waiting is None) == (durability == "batched")
        if waiting is not None:
            await waiting
    done = Entry("outcome", "call_a", 0, "serve", 2, key="key_1")
    waiting = book.keep(done)
    if waiting is not None:
        await waiting
    assert made == ([] if durability == "batched" else ["call_a", "call_b"])
    await book.flush()
    late = book.keep(msgspec.structs.replace(done, call="call_b"))  # its intent is on the disk by now
    assert late is not None
    await late
    await book.close()
    if durability == "batched":
        assert made == ["call_b"]
        assert await rows(opened) == [(1, "call_a"), (0, "call_b"), (1, "call_b")]
    else:
        assert await rows(opened) == [(0, "call_a"), (0, "call_b"), (1, "call_a"), (1, "call_b")]
    assert (await ledger.verify(opened)).ok
    await opened.close()
