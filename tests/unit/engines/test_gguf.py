"""The GGUF header reader, on files made here, on damaged ones, and on the real embedded model where it is present."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.core.errors import EngineError
from freehold.engines import gguf

REAL = Path(os.environ.get("FREEHOLD_HOME", Path.home() / ".cache" / "freehold")) / "models" / "smollm2-135m-instruct"


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key: str, value: Any) -> bytes:
    """One metadata entry; ints are uint32, lists take the type of their first element."""
    return text(key) + typed(value)


def typed(value: Any) -> bytes:
    match value:
        case bool():
            return struct.pack("<IB", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + text(value)
        case list():
            kind = typed(value[0])[:4] if value else struct.pack("<I", 4)
            return struct.pack("<I", 9) + kind + struct.pack("<Q", len(value)) + b"".join(typed(v)[4:] for v in value)
    raise AssertionError(value)


LLAMA: dict[str, Any] = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "general.license": "apache-2.0",
    "general.file_type": 15,
    "llama.block_count": 3,
    "llama.context_length": 2048,
    "llama.embedding_length": 64,
    "llama.feed_forward_length": 128,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": ["<s>", "</s>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "a"],
    "tokenizer.ggml.eos_token_id": 1,
    "tokenizer.chat_template": "{{ messages }}",
}
TENSORS = [("token_embd.weight", (64, 6), 0), ("blk.0.ffn_up.weight", (256, 2), 12)]


def build(
    metadata: dict[str, Any], tensors: list[tuple[str, tuple[int, ...], int]] = TENSORS, *, version: int = 3
) -> bytes:
    """A whole GGUF file with zeros for weights."""
    sizes = {0: (1, 4), 1: (1, 2), 12: (256, 144)}
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    head += b"".join(entry(k, v) for k, v in metadata.items())
    offset = 0
    for name, shape, kind in tensors:
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        elements = 1
        for length in shape:
            elements *= length
        block, size = sizes[kind]
        offset += -(-(elements // block * size) // 32) * 32
    return head + bytes(-len(head) % 32) + bytes(offset)


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def make(data: bytes) -> Path:
        path = tmp_path / "model.gguf"
        path.write_bytes(data)
        return path

    return make


def test_reads_what_the_header_states(file: Any) -> None:
    facts = gguf.read(file(build(LLAMA)))
    assert (facts.arch, facts.name, facts.licence, facts.quantisation) == ("llama", "Tiny", "apache-2.0", "Q4_K_M")
    assert (facts.n_ctx_train, facts.n_layer, facts.n_embd, facts.n_ff) == (2048, 3, 64, 128)
    assert (facts.n_head, facts.n_head_kv, facts.kv_heads) == (4, 2, (2, 2, 2))
    assert (facts.key_length, facts.value_length, facts.n_vocab) == (16, 16, 6)
    assert facts.parameters == 64 * 6 + 256 * 2
    assert facts.tokens == {"eos": 1, "fim_prefix": 2, "fim_suffix": 3, "fim_middle": 4}
    assert facts.chat_template and facts.complete and not facts.embeds
    assert facts.chat_template == "{{ messages }}"
    assert facts.split == (0, 1)


def test_a_declared_token_beats_its_spelling_and_one_outside_the_vocabulary_is_dropped(file: Any) -> None:
    more = LLAMA | {
        "tokenizer.ggml.fim_pre_token_id": 5,
        "tokenizer.ggml.prefix_token_id": 0,
        "tokenizer.ggml.bos_token_id": 6,
    }
    facts = gguf.read(file(build(more)))
    assert facts.tokens["fim_prefix"] == 5
    assert "bos" not in facts.tokens


def test_layers_may_differ(file: Any) -> None:
    more = LLAMA | {
        "llama.attention.head_count_kv": [4, 0, 2],
        "llama.attention.key_length": 128,
        "llama.attention.value_length": 96,
    }
    facts = gguf.read(file(build(more)))
    assert (facts.kv_heads, facts.n_head_kv, facts.key_length, facts.value_length) == ((4, 0, 2), 4, 128, 96)


def test_an_encoder_embeds(file: Any) -> None:
    meta = {"general.architecture": "bert", "bert.pooling_type": 1, "bert.attention.causal": False}
    facts = gguf.read(file(build(meta)))
    assert facts.embeds and facts.pooling == "mean" and not facts.causal and not facts.chat_template


def test_the_mixture_is_guessed_from_the_tensors_when_it_is_not_named(file: Any) -> None:
    meta = {k: v for k, v in LLAMA.items() if k != "general.file_type"}
    assert gguf.read(file(build(meta))).quantisation == "Q4_K"


def test_a_shard_says_which(file: Any) -> None:
    assert gguf.read(file(build(LLAMA | {"split.no": 1, "split.count": 3}))).split == (1, 3)


def test_long_vocabularies_are_walked_across_reads(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf, "_STEP", 512)
    words = [f"word{i}" for i in range(6000)]
    words[5990] = "<|fim_middle|>"
    facts = gguf.read(file(build(LLAMA | {"tokenizer.ggml.tokens": words, "tokenizer.ggml.scores": [0.5] * 6000})))
    assert facts.n_vocab == 6000 and facts.tokens["fim_middle"] == 5990
    assert "tokenizer.ggml.tokens" not in facts.metadata and "tokenizer.ggml.scores" not in facts.metadata


def code(path: Path) -> str:
    with pytest.raises(EngineError) as caught:
        gguf.read(path)
    assert caught.value.hint and not caught.value.retryable
    return caught.value.code


def test_a_file_that_is_cut_short_is_refused(file: Any) -> None:
    whole = build(LLAMA)
    path = file(whole[:-40])
    assert code(path) == "model_file_truncated"
    facts = gguf.read(path, whole=False)
    assert not facts.complete and facts.ends_at > facts.bytes


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert code(tmp_path / "absent.gguf") == "model_file_missing"
    assert code(tmp_path) == "model_file_missing"


HUGE = 1 << 62


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GGUF",
        b"GGML" + bytes(60),
        b"GGUF" + struct.pack("<IQQ", 1, 0, 0),
        b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, HUGE),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", HUGE),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IQ", 8, HUGE),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 4, HUGE),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 8, 30) + bytes(30),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 9, 1) + bytes(30),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 99),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 0),
        build({"general.architecture": "llama", "general.alignment": 3}),
        build({"general.architecture": "llama", "llama.block_count": 1 << 31}),
        build({"general.architecture": "llama"}, [("t", (255,), 12)]),
        build({"general.architecture": "llama"}, [("t", (1, 1, 1, 1, 1), 0)]),
        b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text("t") + struct.pack("<I2QIQ", 2, HUGE, HUGE, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + entry("a", 1) + entry("a", 2),
    ],
)
def test_what_is_not_sound_is_refused(file: Any, data: bytes) -> None:
    assert code(file(data)) == "model_file_invalid"


def test_a_type_of_tensor_that_is_new_does_not_stop_the_reading(file: Any) -> None:
    data = bytearray(build(LLAMA))
    at = data.index(b"token_embd.weight") + len(b"token_embd.weight") + 4 + 16
    data[at : at + 4] = struct.pack("<I", 999)
    assert gguf.read(file(bytes(data))).parameters == 64 * 6 + 256 * 2


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 1200), at=st.integers(0, 1100), flip=st.binary(min_size=1, max_size=9))
def test_damage_ends_in_facts_or_in_our_error_never_otherwise(tmp_path: Path, cut: int, at: int, flip: bytes) -> None:
    data = bytearray(build(LLAMA))[: len(build(LLAMA)) - cut]
    data[at : at + len(flip)] = flip
    path = tmp_path / "damaged.gguf"
    path.write_bytes(bytes(data))
    try:
        assert gguf.read(path).complete
    except EngineError as e:
        assert e.code in ("model_file_invalid", "model_file_truncated")


@pytest.mark.skipif(not REAL.is_dir(), reason="the embedded model is not pulled here; `make test` pulls it")
def test_the_embedded_model() -> None:
    facts = gguf.read(next(REAL.glob("*.gguf")))
    assert (facts.arch, facts.quantisation, facts.n_ctx_train, facts.n_layer) == ("llama", "Q4_1", 8192, 30)
    assert (facts.n_vocab, facts.kv_heads, facts.key_length, facts.parameters) == (49152, (3,) * 30, 64, 134515008)
    assert facts.bytes == facts.ends_at == 98362432
    assert facts.licence == "apache-2.0" and facts.chat_template
