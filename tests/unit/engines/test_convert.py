"""The conversion of BERT, held against a forward pass written here and against other readers of the format."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest

from freehold.core.errors import EngineError
from freehold.engines import convert, gguf

np = pytest.importorskip("numpy", reason="numpy is needed to compute the reference; the `local` extra brings it")

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "cat",
    "sat",
    "##s",
    "on",
    "mat",
    ".",
    "dog",
    "un",
    "##known",
]
CONFIG = {
    "_name_or_path": "tiny/bert",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
    "vocab_size": len(WORDS),
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "model_type": "bert",
}


def shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published tensors, those that the engine leaves out included."""
    h, f = 64, 96
    listed: dict[str, tuple[int, ...]] = {
        "embeddings.position_embeddings.weight": (32, h),
        "embeddings.token_type_embeddings.weight": (2, h),
        "embeddings.word_embeddings.weight": (len(WORDS), h),
        "pooler.dense.weight": (h, h),
        "pooler.dense.bias": (h,),
    }
    for layer in range(2):
        base = f"encoder.layer.{layer}."
        for name, shape in {
            "attention.self.query": (h, h),
            "attention.self.key": (h, h),
            "attention.self.value": (h, h),
            "attention.output.dense": (h, h),
            "intermediate.dense": (f, h),
            "output.dense": (h, f),
        }.items():
            listed |= {f"{base}{name}.weight": shape, f"{base}{name}.bias": (shape[0],)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            listed |= {f"{base}{name}.weight": (h,), f"{base}{name}.bias": (h,)}
    return listed | {"embeddings.LayerNorm.weight": (h,), "embeddings.LayerNorm.bias": (h,)}


def materials(folder: Path) -> tuple[dict[str, Path], dict[str, Any]]:
    """A small random BERT as its maker would publish it, and its weights."""
    chance = np.random.default_rng(7)
    weights = {
        name: (chance.normal(1 if "LayerNorm.weight" in name else 0, 0.3, shape)).astype(np.float32)
        for name, shape in shapes().items()
    }
    header, body = {}, b""
    for name, array in weights.items():
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + array.nbytes],
        }
        body += array.tobytes()
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    files = {
        "model.safetensors": struct.pack("<Q", len(text)) + text + body,
        "config.json": json.dumps(CONFIG).encode(),
        "vocab.txt": ("\n".join(WORDS) + "\n").encode(),
        "pooling.json": b'{"dimension": 64, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}',
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in files}, weights


def converted(paths: dict[str, Path]) -> bytes:
    out = bytearray()
    convert.write("bert", paths, out.extend)
    return bytes(out)


def reference(weights: dict[str, Any], ids: list[int]) -> Any:
    """The mean of BERT's last hidden state, normalised: the published architecture in numpy."""

    def norm(x: Any, name: str) -> Any:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * weights[name + ".weight"] + weights[name + ".bias"]

    def linear(x: Any, name: str) -> Any:
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    n = len(ids)
    x = weights["embeddings.word_embeddings.weight"][ids] + weights["embeddings.position_embeddings.weight"][:n]
    x = norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(2):
        base = f"encoder.layer.{layer}."
        q, k, v = (
            linear(x, f"{base}attention.self.{part}").reshape(n, 4, 16).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = np.exp(q @ k.transpose(0, 2, 1) / 4)
        mixed = (scores / scores.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(n, 64)
        x = norm(x + linear(mixed, base + "attention.output.dense"), base + "attention.output.LayerNorm")
        inner = linear(x, base + "intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = norm(x + linear(inner, base + "output.dense"), base + "output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    paths, _ = materials(tmp_path)
    assert converted(paths) == converted(paths)


def test_our_reader_and_the_formats_own_agree_with_the_weights(tmp_path: Path) -> None:
    paths, weights = materials(tmp_path)
    out = tmp_path / "out.gguf"
    out.write_bytes(converted(paths))
    facts = gguf.read(out)
    assert (facts.arch, facts.pooling, facts.n_layer, facts.n_embd, facts.n_head, facts.n_ff) == (
        "bert",
        "mean",
        2,
        64,
        4,
        96,
    )
    assert facts.embeds and not facts.causal and facts.complete and facts.ends_at <= facts.bytes
    assert facts.n_vocab == len(WORDS) and facts.tokens["separator"] == 3 and facts.tokens["bos"] == 2

    reader = pytest.importorskip("gguf", reason="the gguf package is the oracle; the `local` extra brings it")
    read = reader.GGUFReader(out)
    tensors = {t.name: np.asarray(t.data).reshape(tuple(reversed(t.shape))) for t in read.tensors}
    assert len(tensors) == 5 + 2 * 16
    half = weights["encoder.layer.1.intermediate.dense.weight"].astype(np.float16)
    assert (tensors["blk.1.ffn_up.weight"] == half).all() and tensors["blk.1.ffn_up.weight"].dtype == np.float16
    assert (tensors["token_types.weight"] == weights["embeddings.token_type_embeddings.weight"]).all()
    assert (tensors["blk.0.attn_q.bias"] == weights["encoder.layer.0.attention.self.query.bias"]).all()
    tokens = [
        bytes(read.fields["tokenizer.ggml.tokens"].parts[i]).decode() for i in read.fields["tokenizer.ggml.tokens"].data
    ]
    assert tokens[:8] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "▁the", "▁cat", "▁sat"]
    assert tokens[8] == "s"


def test_the_engine_gives_the_embeddings_of_the_published_model(tmp_path: Path) -> None:
    xllamacpp = pytest.importorskip("xllamacpp", reason="the engine is needed; the `local` extra brings it")
    paths, weights = materials(tmp_path)
    out = tmp_path / "out.gguf"
    out.write_bytes(converted(paths))
    params = xllamacpp.CommonParams()
    params.model.path = str(out)
    params.embedding = True
    params.n_ctx = params.n_batch = params.n_ubatch = 32
    params.n_parallel = 1
    params.warmup = False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    texts = {
        "The cat sat on the mat.": [2, 5, 6, 7, 9, 5, 10, 11, 3],
        "cats": [2, 6, 8, 3],
        "Dog unknown zebra": [2, 12, 13, 14, 1, 3],
    }
    answer = server.handle_embeddings({"input": list(texts), "model": "tiny"})
    for row, ids in zip(answer["data"], texts.values(), strict=True):
        got = np.array(row["embedding"])
        assert float(got @ reference(weights, ids) / np.linalg.norm(got)) > 0.9999
    del server


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("config.json", b'"gelu"', b'"relu"'),
        ("config.json", b'"model_type": "bert"', b'"model_type": "roberta"'),
        ("config.json", b'"hidden_size": 64, ', b""),
        ("config.json", b'"num_hidden_layers": 2', b'"num_hidden_layers": 3'),
        ("vocab.txt", b"[MASK]\n", b""),
        ("vocab.txt", b"[MASK]", b"[mask]"),
        ("pooling.json", b"true", b"false"),
        ("pooling.json", b"{", b""),
        ("model.safetensors", b'"F32"', b'"F16"'),
        ("model.safetensors", b"word_embeddings", b"bird_embeddings"),
        ("model.safetensors", b"{", b"["),
    ],
)
def test_what_the_recipe_does_not_expect_is_refused(tmp_path: Path, name: str, old: bytes, new: bytes) -> None:
    paths, _ = materials(tmp_path)
    data = paths[name].read_bytes()
    assert old in data
    paths[name].write_bytes(data.replace(old, new, 1))
    with pytest.raises(EngineError) as caught:
        converted(paths)
    assert caught.value.code == "model_file_invalid" and caught.value.hint


def test_missing_materials_and_unknown_recipes_are_named(tmp_path: Path) -> None:
    paths, _ = materials(tmp_path)
    paths.pop("vocab.txt")
    with pytest.raises(EngineError, match=r"vocab\.txt"):
        converted(paths)
    with pytest.raises(EngineError, match="gpt9"):
        convert.write("gpt9", paths, lambda data: None)


def test_weights_beyond_half_precision_and_cut_files_are_refused(tmp_path: Path) -> None:
    paths, weights = materials(tmp_path)
    data = paths["model.safetensors"].read_bytes()
    huge = weights["embeddings.word_embeddings.weight"].tobytes()[:4]
    paths["model.safetensors"].write_bytes(data.replace(huge, struct.pack("<f", 1e9), 1))
    with pytest.raises(EngineError, match="half precision"):
        converted(paths)
    paths["model.safetensors"].write_bytes(data[:-200])
    with pytest.raises(EngineError):
        converted(paths)
