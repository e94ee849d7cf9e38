"""A member's things deleted whole, on both stores; nobody else's are touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from freehold import store as stores
from freehold.assist.leaving import forget
from freehold.store import Store

MADE = {
    "conversation": "INSERT INTO conversation(id, member, title, created_at, updated_at) "
    "VALUES ('c-{m}', '{m}', '', 1, 1)",
    "message": "INSERT INTO message(id, conversation, role, parts, state, created_at, updated_at) "
    "VALUES ('m-{m}', 'c-{m}', 'user', '[\"a blue whale\"]', 'done', 1, 1)",
    "message_search": "INSERT INTO message_search(message, conversation, member, words) "
    "VALUES ('m-{m}', 'c-{m}', '{m}', ' blue whale')",
    "run": "INSERT INTO run(message, conversation, member, holder, beat_at) VALUES ('m-{m}', 'c-{m}', '{m}', 'w', 1)",
    "share": "INSERT INTO share(id, token, member, conversation, title, content, created_at) "
    "VALUES ('s-{m}', 't-{m}', '{m}', 'c-{m}', '', 'a blue whale', 1)",
    "file": "INSERT INTO file(id, member, name, media, bytes, sha256, data, created_at) "
    "VALUES ('f-{m}', '{m}', 'n', 'text/plain', 1, '', '', 1)",
    "project": "INSERT INTO project(id, member, name, kind, created_at, updated_at) "
    "VALUES ('p-{m}', '{m}', 'n', 'k', 1, 1)",
    "prompt": "INSERT INTO prompt(id, member, name, text, created_at, updated_at) "
    "VALUES ('q-{m}', '{m}', 'n', 't', 1, 1)",
    "assistant": "INSERT INTO assistant(id, member, name, shared, created_at, updated_at) "
    "VALUES ('a-{m}', '{m}', 'n', 1, 1, 1)",
    "memory": "INSERT INTO memory(id, member, text, state, created_at, updated_at) "
    "VALUES ('y-{m}', '{m}', 't', 'kept', 1, 1)",
    "import": "INSERT INTO import(id, member, name, bytes, state, created_at, updated_at) "
    "VALUES ('i-{m}', '{m}', 'n', 1, 'done', 1, 1)",
    "tool_rule": "INSERT INTO tool_rule(member, server, tool, allow) VALUES ('{m}', 's', 't', 'never')",
}


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path}/l.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = await stores.open(url, durable=False)
    yield opened
    await opened.close()


async def counts(store: Store) -> dict[str, int]:
    return {table: int((await store.fetch(f"SELECT COUNT(*) FROM {table}"))[0][0]) for table in MADE}


async def test_all_that_a_member_made_goes_and_nothing_else(store: Store) -> None:
    for member in ("ann", "bob"):
        await store.write(*((sql.format(m=member), [()]) for sql in MADE.values()))
    await store.write(("UPDATE conversation SET assistant = 'a-ann' WHERE member = 'bob'", [()]))
    assert set((await counts(store)).values()) == {2}
    gone = await forget(store, "ann")
    assert gone["conversation"] == 1 and gone["file"] == 1 and "tool_rule" not in gone
    assert set((await counts(store)).values()) == {1}
    assert await store.fetch("SELECT id, assistant FROM conversation") == [("c-bob", None)]
    assert set((await forget(store, "ann")).values()) == {0}
