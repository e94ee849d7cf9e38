"""The engine child with a real embedding model."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.engines.child_process import ChildProcess

PATH = "/v1/embeddings"


@pytest.fixture(scope="module")
def child(embedding_model: Path) -> Iterator[ChildProcess]:
    with ChildProcess(embedding_model, context=512, cache_mib=0) as running:
        assert running.said.get("ready"), running.log.read_text()
        yield running


def vectors(child: ChildProcess, **body: Any) -> list[list[float]]:
    status, reply = child.post(PATH, **body)
    assert status == 200, reply
    assert reply["object"] == "list" and reply["model"] == "tiny"
    assert [d["index"] for d in reply["data"]] == list(range(len(reply["data"])))
    return [d["embedding"] for d in reply["data"]]


def length(vector: list[float]) -> float:
    return math.sqrt(sum(v * v for v in vector))


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / length(a) / length(b)


def test_meaning_shows_and_order_is_kept(child: ChildProcess) -> None:
    cat, kitten, tax, *_ = vectors(child, input=["a cat", "a kitten", "income tax law", "x", "y", "z"])
    assert len(cat) == 384 and length(cat) == pytest.approx(1, abs=1e-3)
    assert cosine(cat, kitten) > cosine(cat, tax) + 0.2


def test_base64_holds_the_same_floats(child: ChildProcess) -> None:
    (plain,) = vectors(child, input="hello")
    (packed,) = vectors(child, input="hello", encoding_format="base64")
    assert isinstance(packed, str)
    assert list(struct.unpack(f"<{len(plain)}f", base64.b64decode(packed))) == plain


def test_fewer_dimensions_are_cut_and_brought_to_length_one(child: ChildProcess) -> None:
    (full,) = vectors(child, input="hello")
    (cut,) = vectors(child, input="hello", dimensions=64)
    assert len(cut) == 64 and length(cut) == pytest.approx(1, abs=1e-5)
    assert cosine(cut, full[:64]) == pytest.approx(1, abs=1e-5)
    status, reply = child.post(PATH, input="hello", dimensions=385)
    assert (status, reply["error"]["param"]) == (400, "dimensions")


def test_tokens_are_taken_as_well_as_text(child: ChildProcess) -> None:
    (one,) = vectors(child, input=[101, 7592, 102])
    assert vectors(child, input=[[101, 7592, 102]]) == [one]
    (text,) = vectors(child, input="hello")
    assert cosine(one, text) > 0.999
    assert child.post(PATH, input=[10**9])[0] == 400


def test_a_long_input_is_embedded_whole_and_too_long_a_one_refused(child: ChildProcess) -> None:
    status, reply = child.post(PATH, input="tree " * 500)
    assert status == 200 and reply["usage"]["prompt_tokens"] >= 500
    status, reply = child.post(PATH, input="tree " * 600)
    assert (status, reply["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize(
    "body", [{}, {"input": []}, {"input": ""}, {"input": [""]}, {"input": "x", "encoding_format": "hex"}]
)
def test_wrong_inputs_are_refused(child: ChildProcess, body: dict[str, Any]) -> None:
    assert child.post(PATH, **body)[0] == 400


def test_it_does_not_chat_and_lives(child: ChildProcess) -> None:
    assert child.post("/v1/chat/completions", messages=[{"role": "user", "content": "x"}])[0] == 400
    assert child.ask("POST", "/probe", {})[0] == 200
