from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from freehold.core.errors import EngineError
from freehold.guards import names_model
from freehold.guards.names import Names
from freehold.guards.names_tokens import Tokenizer, number, shape

TEXT = "My name is Lena Müller and I live in Berlin with John Smith."


@pytest.fixture
async def names() -> AsyncIterator[Names]:
    made = Names()
    yield made
    await made.close()


async def test_finds_names_and_places_in_a_child(names: Names) -> None:
    (found,) = await names.find([TEXT])
    assert [(each.kind, TEXT[each.start : each.end]) for each in found] == [
        ("NAME", "Lena Müller"),
        ("PLACE", "Berlin"),
        ("NAME", "John Smith"),
    ]


async def test_each_text_has_its_own_and_places_are_characters(names: Names) -> None:
    texts = ["", "𝒳 and \ud800 in London today", "nothing here", TEXT * 600]
    found = await names.find(texts)
    assert [len(each) for each in found[:3]] == [0, 1, 0]
    (place,) = found[1]
    assert texts[1][place.start : place.end] == "London"
    assert {texts[3][each.start : each.end] for each in found[3]} >= {"Berlin"}
    assert len(found[3]) > 1700


async def test_what_is_blank_starts_nothing(names: Names) -> None:
    assert await names.find(["", " \n"]) == [[], []]
    assert names._child is None


async def test_calls_at_once_each_get_their_answer(names: Names) -> None:
    towns = ["London", "Paris", "Berlin", "Rome", "Madrid"]
    answers = await asyncio.gather(*(names.find([f"I live in {town}."]) for town in towns))
    for town, ((place,),) in zip(towns, answers, strict=True):
        assert f"I live in {town}."[place.start : place.end] == town


async def test_a_child_that_dies_is_started_again_after_a_pause(names: Names) -> None:
    await names.find([TEXT])
    assert names._child is not None
    names._child.kill()
    await names._child.wait()
    assert len((await names.find([TEXT]))[0]) == 3  # it is seen to be dead, and a new one asked

    names._child.kill()  # dies with the question
    with pytest.raises(EngineError) as failed:
        await names.find([TEXT])
    assert failed.value.code == "names_failed"
    assert failed.value.hint
    with pytest.raises(EngineError):
        await names.find([TEXT])  # the pause
    await asyncio.sleep(0.6)
    assert len((await names.find([TEXT]))[0]) == 3


async def test_a_caller_that_goes_away_leaves_the_child_in_step(names: Names) -> None:
    await names.find([TEXT])
    gone = asyncio.create_task(names.find(["I live in Paris. " * 500]))
    await asyncio.sleep(0.01)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    (found,) = await names.find(["I live in London."])
    assert [each.kind for each in found] == ["PLACE"]


async def test_an_answer_that_takes_too_long_ends_the_child() -> None:
    names = Names(seconds=0.02)
    with pytest.raises(EngineError, match="no answer"):
        await names.find([TEXT])
    assert names._child is None
    await names.close()


async def test_too_little_memory_is_an_error() -> None:
    names = Names(memory=64 << 20)
    with pytest.raises(EngineError):
        await names.find([TEXT])
    await names.close()


async def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: Names
) -> None:
    # A search path on which the model cannot be found
    (tmp_path / "numpy.py").write_text("raise ImportError('No module named numpy')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(EngineError) as missing:
        await names.find([TEXT])
    assert (missing.value.code, missing.value.retryable) == ("names_missing", False)
    assert "EXTRAS=names" in missing.value.hint


async def test_it_sees_no_environment(monkeypatch: pytest.MonkeyPatch, names: Names) -> None:
    monkeypatch.setenv("FREEHOLD_TEST_SECRET", "s3cret")
    await names.find([TEXT])
    assert names._child is not None
    assert b"s3cret" not in Path(f"/proc/{names._child.pid}/environ").read_bytes()


@pytest.fixture(scope="module")
def model() -> names_model.NamesModel:
    return names_model.NamesModel(names_model.folder())


def test_numbers_and_shapes_are_those_that_the_model_was_trained_on() -> None:
    # Values of spaCy 3.8.18 and thinc 8.3
    assert number("hello") == 5983625672228268878
    assert number("é") == 16256712947286012828
    assert number("a" * 20) == 13064336556569770357
    assert (number(""), number("X"), number("det")) == (0, 101, 415)
    assert shape("Berlin") == "Xxxxx"
    assert shape("don't-12345") == "xxx'x-dddd"
    ids = names_model.np.array([1, 12345678901234567890], dtype=names_model.np.uint64)
    assert names_model.hashed(ids, 8).tolist() == [
        [1161550108, 2247783286, 1742325162, 1224191281],
        [825681028, 3746740173, 3386005190, 3472626611],
    ]


def test_words_are_parted_by_the_models_rules(model: names_model.NamesModel) -> None:
    words: Tokenizer = model._tokens
    text = "Dr. Patel's friend (don't ask!) at  https://example.org/a-b, e.g. twenty-one…"
    parted = [text[word.start : word.end] for word in words.words(text)]
    assert parted == [
        "Dr.", "Patel", "'s", "friend", "(", "do", "n't", "ask", "!", ")", "at", " ", "https://example.org/a-b", ",",
        "e.g.", "twenty", "-", "one", "…",
    ]  # fmt: skip


# What spaCy 3.8.18 finds in these with the component `ner` of the same model alone.
SPACY = [
    (
        "Dr. Patel of Springfield General met Maria Garcia in Chicago.",
        [("NAME", "Patel"), ("PLACE", "Springfield"), ("NAME", "Maria Garcia"), ("PLACE", "Chicago")],
    ),
    (
        "Please send the parcel to Oliver Twist, 221B Baker Street, London, and tell Ms. Nakamura in Osaka.",
        [("NAME", "Oliver Twist"), ("NAME", "Baker"), ("PLACE", "London"), ("NAME", "Nakamura"), ("PLACE", "Osaka")],
    ),
    (
        "Dear Mr. O'Neil, Fatima al-Zahra and José García Márquez will visit Lake Como, Italy, in May.",
        [
            ("NAME", "O'Neil"),
            ("NAME", "Fatima al-Zahra"),
            ("NAME", "José García Márquez"),
            ("PLACE", "Lake Como"),
            ("PLACE", "Italy"),
        ],
    ),
]


@pytest.mark.parametrize(("text", "found"), SPACY)
def test_finds_what_spacy_finds(model: names_model.NamesModel, text: str, found: list[tuple[str, str]]) -> None:
    assert [(kind, text[start:end]) for kind, start, end in model.find(text)] == found


def test_no_text_is_too_odd(model: names_model.NamesModel) -> None:
    for text in ("", " ", "\n\n", "\u200b", "a" * 5000, "()" * 500, "漢字" * 50, "\x00\x01"):
        for _, start, end in model.find(text):
            assert 0 <= start < end <= len(text)
