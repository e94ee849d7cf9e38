from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shelves import PNG, Desk, pdf

from freehold.assist.extract import IMAGE_TOKENS, Extractor, estimate
from freehold.assist.files import LibrarySettings, save
from freehold.assist.weigh import Passage, choose, divide, rank, weigh
from freehold.core.errors import NotFound
from freehold.store import Store

ROOMY = 1_000_000


async def keep(store: Store, name: str, data: bytes, who: str = "ann") -> str:
    return (await save(store, Extractor(), LibrarySettings(), f"mem_{who}", name, data)).id


def book(chapters: int, paragraphs: int = 4) -> str:
    """A text of which each chapter has a word of its own."""
    lines = ["# The book"]
    for chapter in range(chapters):
        lines.append(f"## Chapter {chapter}")
        lines += [f"Here we speak of topic{chapter} at length, and of nothing else. " * 6] * paragraphs
    return "\n\n".join(lines)


async def test_what_fits_goes_whole(shelf: Store) -> None:
    id = await keep(shelf, "a.md", b"# Title\n\nwords")
    (used,) = await weigh(shelf, "mem_ann", [id, id], "anything", ROOMY)
    assert (used.mode, used.text, used.name, used.media) == ("whole", "# Title\n\nwords", "a.md", "text/markdown")
    assert used.note == f"whole, {estimate(used.text)} tokens"


async def test_what_does_not_fit_goes_by_the_passages_nearest_to_the_question(shelf: Store) -> None:
    text = book(60)
    id = await keep(shelf, "book.md", text.encode())
    (used,) = await weigh(shelf, "mem_ann", [id], "topic41? topic7!", 3_000)
    assert used.mode == "passages"
    count = re.fullmatch(r"(\d+) of (\d+) passages, nearest to the question", used.note)
    assert count is not None and int(count[1]) < int(count[2])
    assert set(re.findall(r"topic\d+", used.text)) == {"topic7", "topic41"}
    assert used.text.index("topic7") < used.text.index("topic41"), "in the order of the text"
    assert re.search(r"\[passage \d+, The book > Chapter 41\]", used.text)
    assert estimate(used.text) <= 3_000 and f"These are {count[1]} of {count[2]} passages" in used.text


async def test_where_no_word_is_shared_it_is_the_beginning(shelf: Store) -> None:
    id = await keep(shelf, "book.md", book(60).encode())
    for question in ("zzz", ""):
        (used,) = await weigh(shelf, "mem_ann", [id], question, 2_000)
        assert used.note.endswith("passages, from the beginning") and "topic0" in used.text
        assert "topic59" not in used.text


async def test_a_pdf_says_the_page(shelf: Store) -> None:
    pages = [[f"page {p}: nothing of interest, line {n}" for n in range(40)] for p in range(30)]
    pages[16][5] = "the warranty ends after two years"
    id = await keep(shelf, "a.pdf", pdf(pages))
    (used,) = await weigh(shelf, "mem_ann", [id], "How long is the warranty?", 1_500)
    assert ", page 17]" in used.text and "warranty ends after two years" in used.text
    (whole,) = await weigh(shelf, "mem_ann", [id], "", ROOMY)
    assert whole.mode == "whole" and "[page 17]\n" in whole.text


async def test_a_table_says_that_rows_were_cut(shelf: Store) -> None:
    rows = [f"{n},customer{n},{n * 7}" for n in range(5_000)]
    id = await keep(shelf, "a.csv", "\n".join(["id,name,amount", *rows]).encode())
    (used,) = await weigh(shelf, "mem_ann", [id], "What did customer4321 pay?", 1_000)
    assert re.fullmatch(
        r"\d+ of 5,000 rows, nearest to the question: counts and sums over it would be wrong", used.note
    )
    assert "id,name,amount" in used.text and "4321,customer4321,30247" in used.text
    assert "Do not count, sum or rank" in used.text


async def test_pictures_scans_and_what_holds_nothing(shelf: Store) -> None:
    picture = await keep(shelf, "a.png", PNG)
    scan = await keep(shelf, "scan.pdf", pdf([[]]))
    blank = await keep(shelf, "blank.txt", b" \n ")
    used = await weigh(shelf, "mem_ann", [picture, scan, blank], "x", ROOMY)
    assert [(each.mode, each.note) for each in used] == [
        ("image", "picture"), ("none", "scanned, needs OCR"), ("none", "holds no text"),
    ]  # fmt: skip
    assert used[0].data_url == "data:image/png;base64," + base64.b64encode(PNG).decode()


async def test_small_files_stay_whole_beside_a_large_one(shelf: Store) -> None:
    large = await keep(shelf, "large.md", book(200).encode())
    small = await keep(shelf, "small.txt", b"a small note")
    picture = await keep(shelf, "a.png", PNG)
    used = await weigh(shelf, "mem_ann", [large, small, picture], "topic3", 4_000 + IMAGE_TOKENS)
    assert [each.mode for each in used] == ["passages", "whole", "image"]
    assert sum(estimate(each.text) for each in used) <= 4_000


@pytest.mark.parametrize("room", [0, -5, 1, 60])
async def test_no_room_is_said(shelf: Store, room: int) -> None:
    id = await keep(shelf, "book.md", book(10).encode())
    (used,) = await weigh(shelf, "mem_ann", [id], "topic3", room)
    assert (used.mode, used.text) == ("none", "") and used.note.startswith("not used: not even one of")


async def test_files_of_others_are_not_there(shelf: Store) -> None:
    id = await keep(shelf, "a.txt", b"secret of ann")
    for ids in ([id], ["file_x"]):
        with pytest.raises(NotFound):
            await weigh(shelf, "mem_ben", ids, "secret", ROOMY)
    (used,) = await weigh(shelf, "mem_ben", [id], "secret", ROOMY, lenient=True)
    assert (used.mode, used.name, used.text, used.note) == ("none", "", "", "no longer there")


async def test_files_of_a_shared_assistant_are_readable_while_it_is_shared(desk: Desk) -> None:
    id = (await desk.ann.post("/api/files", params={"name": "a.txt"}, content=b"for everybody")).json()["id"]
    made = await desk.ann.post("/api/assistants", json={"name": "Guide", "files": [id], "shared": True})
    (used,) = await weigh(desk.store, "mem_ben", [id], "", ROOMY)
    assert used.text == "for everybody"
    assert (await desk.ben.get(f"/api/files/{id}")).content == b"for everybody"
    assert (await desk.ben.delete(f"/api/files/{id}")).status_code == 404
    await desk.ann.patch(f"/api/assistants/{made.json()['id']}", json={"shared": False})
    assert (await desk.ben.get(f"/api/files/{id}")).status_code == 404


@given(st.text(st.sampled_from("ab c.\n#\f字"), max_size=4000), st.sampled_from(["", "text/markdown"]))
def test_passages_hold_all_of_a_text(text: str, media: str) -> None:
    passages = divide(text, media)
    assert "".join("".join(p.text for p in passages).split()) == "".join(text.split())
    assert all(passage.text.strip() and len(passage.text) <= 2_000 for passage in passages)


@given(st.lists(st.text(st.sampled_from("ab c"), min_size=1, max_size=50), max_size=30), st.integers(-10, 500))
def test_what_is_chosen_fits(texts: list[str], room: int) -> None:
    passages = [Passage(text) for text in texts]
    taken, _ = choose(passages, "a b", room)
    assert taken == sorted(set(taken))
    assert sum(estimate(passages[n].text) for n in taken) <= max(room, 0)


def test_rare_words_weigh_more_than_frequent_ones() -> None:
    passages = [Passage(text) for text in ("the the the the", "the needle", "the hay", "the straw")]
    scores = rank(passages, "the needle")
    assert max(range(4), key=scores.__getitem__) == 1
    assert rank(passages, "nothing") == [0.0] * 4 and rank([], "x") == []


@given(
    st.lists(st.text(st.sampled_from("ab1 _.é"), max_size=40), max_size=20),
    st.text(st.sampled_from("ab1 "), max_size=9),
)
def test_words_are_counted_the_same_in_plain_and_other_text(texts: list[str], question: str) -> None:
    """What is searched for each word finds what taking the text apart finds."""
    from collections import Counter

    from freehold.assist.search import words
    from freehold.assist.weigh import _count

    asked = set(words(question))
    for text in texts:
        assert _count(text, asked) == Counter(word for word in words(text) if word in asked)
