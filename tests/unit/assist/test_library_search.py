from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelves import Desk, conversation, say

from freehold import store as stores
from freehold.assist import conversations, search
from freehold.store import Store


def found(hits: search.Hits) -> list[tuple[str | None, list[str]]]:
    return [(hit.message, [text for text, is_hit in hit.parts if is_hit]) for hit in hits.items]


async def test_words_phrases_and_a_word_begun(shelf: Store) -> None:
    place = await conversation(shelf, "ann", "Untitled")
    one = await say(shelf, "ann", place, "The quick brown fox jumps over the lazy dog")
    two = await say(shelf, "ann", place, "A lazy afternoon; the fox was not quick")
    assert {hit[0] for hit in found(await search.search(shelf, "mem_ann", "quick fox"))} == {one, two}
    assert found(await search.search(shelf, "mem_ann", '"quick brown"')) == [(one, ["quick brown"])]
    assert found(await search.search(shelf, "mem_ann", "afterno")) == [(two, ["afternoon"])]
    assert found(await search.search(shelf, "mem_ann", "afterno quick")) == []  # only the last word may be begun
    assert found(await search.search(shelf, "mem_ann", "quick elephant")) == []
    assert found(await search.search(shelf, "mem_ann", "LAZY DO")) == [(one, ["lazy", "dog"])]
    assert found(await search.search(shelf, "mem_ann", "lazy d")) == []  # one letter is a word, not a beginning


@pytest.mark.parametrize(
    ("text", "question", "hits"),
    [
        ("我们在讨论机器学习的方法", "机器学习", ["机器学习"]),
        ("我们在讨论机器学习的方法", "学习", ["学习"]),
        ("これは日本語の文章です", "日本語", ["日本語"]),
        ("これはがくせいです", "かくせい", []),
        ("ภาษาไทยเป็นภาษา", "ไทย", ["ไทย"]),
        ("학교에서 배웠다", "학교", ["학교에서"]),
        ("Größe und naïve Café", "grosse NAIVE cafe", ["Größe", "naïve", "Café"]),
        ("Cafe\u0301 del mar", "café", ["Cafe\u0301"]),
        ("привет мир", "МИР", ["мир"]),
        ("call foo_bar(baz.qux)", "foo_bar", ["foo_bar"]),
        ("see RFC 9110 and 1e5 and v1.2.3", "1e5", ["1e5"]),
        ("see RFC 9110 and v1.2.3", "v1.2", ["v1.2"]),
        ("write to ann@example.org today", "ann@example.org", ["ann@example.org"]),
        ("path /usr/lib/x-y and -5", "/usr/lib", ["usr/lib"]),
        ("ﬁne ｆｕｌｌ", "fine full", ["ﬁne", "ｆｕｌｌ"]),
    ],
)
async def test_languages_and_signs(shelf: Store, text: str, question: str, hits: list[str]) -> None:
    place = await conversation(shelf, "ann", "-")
    await say(shelf, "ann", place, text)
    answer = await search.search(shelf, "mem_ann", question)
    assert [each for _, parts in found(answer) for each in parts] == hits
    if hits:
        assert "".join(piece for piece, _ in answer.items[0].parts) == text


async def test_titles_come_first_and_projects_narrow(shelf: Store) -> None:
    title = await conversation(shelf, "ann", "Budget für 2027", updated_at=5_000_000)
    other = await conversation(shelf, "ann", "Other", project="proj_1")
    message = await say(shelf, "ann", other, "the budget is tight")
    answer = await search.search(shelf, "mem_ann", "budget")
    first = answer.items[0]
    assert (first.conversation, first.message, first.role, first.at) == (title, None, "title", 5)
    assert answer.items[1].message == message
    inside = await search.search(shelf, "mem_ann", "budget", project="proj_1")
    assert [hit.message for hit in inside.items] == [message]
    assert not answer.more and (await search.search(shelf, "mem_ann", "budget", limit=1)).more


async def test_the_better_hit_is_first(shelf: Store) -> None:
    place = await conversation(shelf, "ann", "-")
    weak = await say(shelf, "ann", place, "zebra " + "nothing of interest here " * 40)
    strong = await say(shelf, "ann", place, "zebra zebra zebra")
    assert [hit.message for hit in (await search.search(shelf, "mem_ann", "zebra")).items] == [strong, weak]


async def test_nobody_finds_what_is_somebody_elses(shelf: Store) -> None:
    mine = await conversation(shelf, "ann", "Secret plan")
    await say(shelf, "ann", mine, "the secret plan")
    assert found(await search.search(shelf, "mem_ben", "secret")) == []
    # Not even by asking for what marks the owner in the index
    for question in ("ann", "mem_ann", 'member : "mem_ann"', 'x" OR member : "mem_ann'):
        assert found(await search.search(shelf, "mem_ben", question)) == []
    assert found(await search.search(shelf, "mem_ann", "ann")) == []


async def test_what_is_rewritten_or_forgotten_is_no_longer_found(shelf: Store) -> None:
    place = await conversation(shelf, "ann", "-")
    message = await say(shelf, "ann", place, "alpha")
    await shelf.write(search.index("mem_ann", place, message, "omega"))
    assert found(await search.search(shelf, "mem_ann", "alpha")) == []
    assert [hit.message for hit in (await search.search(shelf, "mem_ann", "omega")).items] == [message]
    await shelf.write(*conversations.gone([place]))
    assert found(await search.search(shelf, "mem_ann", "omega")) == []
    assert await shelf.fetch("SELECT COUNT(*) FROM message_search") == [(0,)]


async def test_a_long_text_is_taken(shelf: Store) -> None:
    place = await conversation(shelf, "ann", "-")
    text = " ".join(f"word{n:x}{'字' * (n % 3)}" for n in range(120_000)) + " " + "x" * 100_000
    message = await say(shelf, "ann", place, "start\0 " + text)
    assert [hit.message for hit in (await search.search(shelf, "mem_ann", "start word1")).items] == [message]


@pytest.mark.parametrize("question", ["", " ", '"', '""', "*", "-", "😀", "\0", "\ud800", "(" * 1000])
async def test_a_question_without_words_finds_nothing(shelf: Store, question: str) -> None:
    await conversation(shelf, "ann", "😀 * -")
    assert await search.search(shelf, "mem_ann", question) == search.Hits([], False)


async def test_no_question_is_a_fault(shelf: Store) -> None:
    """The engines have a syntax of their own; nothing of a question may reach it."""
    place = await conversation(shelf, "ann", "-")
    await say(shelf, "ann", place, "plain text")
    pieces = ("plain", '"', "'", "*", "AND", "OR", "NOT", "NEAR(", ")", "^", ":", "words:", "&", "|", "!", "<->", "\\",
              "?", "$1", "%", "-", "+", ";", "--", "/*", "\0", "字", "\u202e", "{", "}", "١٢", "²", "ǅ")  # fmt: skip
    for first in pieces:
        for second in pieces:
            await search.search(shelf, "mem_ann", f"{first} {second}")
            await search.search(shelf, "mem_ann", first + second + "x")


@settings(max_examples=300, deadline=None)
@given(st.text(), st.text())
def test_a_snippet_is_the_text_and_nothing_else(text: str, question: str) -> None:
    spans = search.places(text, search.terms(question))
    shown = "".join(piece for piece, _ in search.cut(text, spans))
    plain = " ".join(shown.replace("…", " ").split())
    assert plain in " ".join(text.replace("…", " ").split())
    for (_, end), (start, _) in pairwise(spans):
        assert end <= start


async def test_over_http(desk: Desk) -> None:
    place = await conversation(desk.store, "ann", "Trip to Rome")
    message = await say(desk.store, "ann", place, "We saw the Colosseum.\nAnd the Forum.")
    answer = (await desk.ann.get("/api/search", params={"q": "colos"})).json()
    assert answer == {
        "items": [
            {
                "conversation": place, "title": "Trip to Rome", "message": message, "role": "user", "at": 86_400_000,
                "parts": [["We saw the ", False], ["Colosseum", True], [". And the Forum.", False]],
            }
        ],
        "more": False,
    }  # fmt: skip
    assert (await desk.ben.get("/api/search", params={"q": "colos"})).json() == {"items": [], "more": False}
    assert (await desk.ann.get("/api/search")).status_code == 400
    assert (await desk.nobody.get("/api/search", params={"q": "x"})).status_code == 401


async def test_forgotten_words_leave_the_file(tmp_path: Path) -> None:
    opened = await stores.open(f"sqlite:///{tmp_path}/x.db", durable=False)
    try:
        for name in ("kept", "gone"):
            place = await conversation(opened, "ann", "-", id=f"conv_{name}")
            for number in range(300):
                await say(opened, "ann", place, f"zq{name}xj{number} and something else")
        files = [tmp_path / "x.db", tmp_path / "x.db-wal"]

        def there(word: bytes) -> bool:
            return any(word in path.read_bytes() for path in files)

        await opened.shred("message", ("DELETE FROM message WHERE conversation = ?", [("conv_gone",)]))
        await opened.shred("message_search", *conversations.gone(["conv_gone"]))
        assert there(b"zqgonexj"), "the index itself still has them"
        await search.scrub(opened)
        assert not there(b"zqgonexj") and not there(b"gonexj") and there(b"zqkeptxj")
        assert len((await search.search(opened, "mem_ann", "zqkept", limit=400)).items) == 300
    finally:
        await opened.close()
