"""Entries keep their form for ever, and the seal finds every way to change them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold import store as stores
from freehold.ledger import Entry, Ledger, Mark, verify
from freehold.ledger.entry import clean, decode, encode, pack
from freehold.ledger.seal import Verifier, seal
from freehold.store import Head

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
ENTRIES = st.builds(
    Entry, st.sampled_from(["intent", "outcome", "admin"]), TEXT, st.integers(0, 9), st.just("serve"),
    st.integers(0, 2**63 - 1), key=TEXT, asked=TEXT, answered=TEXT, cost=st.integers(0, 2**63 - 1),
    estimated=st.booleans(), first_ms=st.floats(0, 1e9), dropped=st.lists(TEXT, max_size=3).map(tuple), note=TEXT,
)  # fmt: skip


@given(ENTRIES)
def test_canonical_bytes_come_back(entry: Entry) -> None:
    assert decode(encode(entry)) == entry and encode(decode(encode(entry))) == encode(entry)


def test_rows_of_an_older_form_decode_with_defaults_and_the_form_is_pinned() -> None:
    old = b'["outcome","call_1",0,"serve",5,"key_a"]'
    entry = decode(old)
    assert (entry.key, entry.cost, entry.limits, entry.note) == ("key_a", 0, (), "")
    names = " ".join(Entry.__struct_fields__)
    assert sha256(names.encode()).hexdigest()[:16] == "b4a7af296c2ce9ee", (
        "fields only ever come at the end: then pin anew"
    )


@given(st.lists(ENTRIES, min_size=1, max_size=12))
def test_any_chain_verifies_and_its_head_is_the_hash_of_all(chain: list[Entry]) -> None:
    rows = seal([pack(entry) for entry in chain])(Head())
    verifier = Verifier([Mark(len(chain), rows[-1][1])])
    assert verifier.feed((row[0], row[1], row[2], *row[3:]) for row in rows) and verifier.verdict().ok
    digest = bytes(32)
    for entry in chain:
        digest = sha256(digest + encode(entry)).digest()
    assert verifier.verdict().hash == digest


def test_what_no_store_holds_is_cut_down() -> None:
    wild = Entry("outcome", "c", 0, "serve", 1, answered="a\0\ud800", input=10**30, cost=-5, dropped=("x\udfff",))
    tame = clean(wild)
    assert (tame.answered, tame.input, tame.cost, tame.dropped) == ("a?", 2**63 - 1, 0, ("x?",))
    pack(tame)


@pytest.fixture
async def ledger_file(tmp_path: Path) -> Path:
    path = tmp_path / "l.db"
    store = await stores.open(f"sqlite:///{path}")
    ledger = Ledger(store)
    for i in range(6):
        await ledger.intend(Entry("intent", f"call_{i}", 0, "serve", i, key="k", maker="openai"))
    await ledger.close()
    await store.close()
    return path


def swap(db: sqlite3.Connection) -> None:
    db.execute("UPDATE entry SET seq = 100 WHERE seq = 3")
    db.execute("UPDATE entry SET seq = 3 WHERE seq = 4")
    db.execute("UPDATE entry SET seq = 4 WHERE seq = 100")


def rewrite(db: sqlite3.Connection) -> None:
    """Change an entry and make the whole chain anew, as somebody with the run of the store could."""
    rows = db.execute("SELECT seq, data FROM entry ORDER BY seq").fetchall()
    digest = bytes(32)
    for seq, data in rows:
        entry = decode(data)
        if seq == 2:
            entry = msgspec.structs.replace(entry, maker="xai")
            db.execute("UPDATE entry SET maker = 'xai' WHERE seq = 2")
        digest = sha256(digest + encode(entry)).digest()
        db.execute("UPDATE entry SET data = ?, hash = ? WHERE seq = ?", (encode(entry), digest, seq))


@pytest.mark.parametrize(
    ("change", "fault", "seq"),
    [
        (lambda db: None, "", 0),
        (lambda db: db.execute("UPDATE entry SET maker = 'xai' WHERE seq = 3"), "column maker", 3),
        (lambda db: db.execute("UPDATE entry SET cost = 1 WHERE seq = 6"), "column cost", 6),
        (lambda db: db.execute("UPDATE entry SET data = replace(data, 'openai', 'xai') WHERE seq = 2"), "type", 2),
        (lambda db: db.execute("UPDATE entry SET data = CAST(replace(data, 'openai', 'xai') AS BLOB) WHERE seq = 2"),
         "hash does not follow", 2),
        (lambda db: db.execute("UPDATE entry SET hash = zeroblob(32) WHERE seq = 5"), "hash does not follow", 5),
        (lambda db: db.execute("DELETE FROM entry WHERE seq = 4"), "missing", 4),
        (lambda db: db.execute("DELETE FROM entry WHERE seq = 1"), "missing", 1),
        (swap, "hash does not follow", 3),
        (lambda db: db.execute("DELETE FROM entry WHERE seq = 6"), "ends before", 6),
        (rewrite, "was rewritten", 6),
        (lambda db: db.execute("DELETE FROM entry"), "ends before", 6),
    ],
)  # fmt: skip
async def test_every_change_is_found(
    ledger_file: Path, change: Callable[[sqlite3.Connection], object], fault: str, seq: int
) -> None:
    store = await stores.open(f"sqlite:///{ledger_file}")
    noted = await verify(store)
    db = sqlite3.connect(ledger_file)
    change(db)
    db.commit()
    db.close()
    mark = Mark.parse(f"{noted.seq}:{noted.hash.hex()}")
    verdict = await verify(store, [mark])
    assert fault in verdict.fault and verdict.fault_seq == seq and verdict.ok == (not fault)
    await store.close()


def test_a_mark_is_read_strictly() -> None:
    for text in ("", "5", "5:zz", "5:abcd", f"-1:{'00' * 32}"):
        with pytest.raises(ValueError):
            Mark.parse(text)
