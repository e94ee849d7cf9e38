"""Writes a GGUF file from the files that a model's maker publishes. The same input gives the same bytes, whatever is
installed. Refuses to quantise: matrices become 16-bit floats, the rest stays as it is."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import msgspec

from freehold.core.errors import EngineError

Write: TypeAlias = Callable[[bytes], None]

_ALIGNMENT = 32
_F32, _F16 = 0, 1  # ggml's tensor types
_CHUNK = 1 << 18  # numbers converted at a time
_HEADER_LIMIT = 64 << 20  # bytes of a safetensors header

# Types of GGUF's metadata values
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
_NORMAL, _CONTROL = 1, 3  # types of a token

_CONTROLS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_POOLING = {"pooling_mode_mean_tokens": 1, "pooling_mode_cls_token": 2, "pooling_mode_lasttoken": 3}

# A BERT layer's tensors as they are published, and as ggml calls them
_OUTER = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
_INNER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


class _Bert(msgspec.Struct):
    """The members of a BERT config.json that matter here."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    type_vocab_size: int
    vocab_size: int
    layer_norm_eps: float
    hidden_act: str = "gelu"
    model_type: str = "bert"
    name: str = msgspec.field(name="_name_or_path", default="")


class _Entry(msgspec.Struct):
    """A tensor as a safetensors header describes it."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


class _Tensor(msgspec.Struct, frozen=True):
    """A tensor on its way from one file into the other."""

    name: str
    shape: tuple[int, ...]
    begin: int  # byte in the safetensors file
    kind: int

    @property
    def elements(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def size(self) -> int:
        return self.elements * (2 if self.kind == _F16 else 4)


def write(recipe: str, materials: Mapping[str, Path], out: Write) -> None:
    """Give the bytes of a GGUF file made from `materials` (by name) to `out`, in order.

    The recipe "bert" wants `model.safetensors`, `config.json`, `vocab.txt` and `pooling.json` (the pooling layer's
    configuration as sentence-transformers writes it). Raises EngineError when they are not what the recipe expects.
    """
    if recipe != "bert":
        raise _wrong(f"there is no recipe {recipe!r}")
    missing = {"model.safetensors", "config.json", "vocab.txt", "pooling.json"} - materials.keys()
    if missing:
        raise _wrong(f"the recipe bert misses {', '.join(sorted(missing))}")
    config = _json(materials["config.json"], _Bert)
    if config.model_type != "bert" or config.hidden_act != "gelu":
        raise _wrong(f"a {config.model_type} with {config.hidden_act}; the recipe knows bert with gelu")
    tokens = materials["vocab.txt"].read_text("utf-8").splitlines()
    if len(tokens) != config.vocab_size or not set(_CONTROLS) <= set(tokens):
        raise _wrong(
            f"{len(tokens)} tokens in vocab.txt, {config.vocab_size} in config.json, or a special one is missing"
        )
    with materials["model.safetensors"].open("rb") as weights:
        tensors = list(_tensors(weights, config))
        out(_head(_metadata(config, tokens, _pooling(materials["pooling.json"])), tensors))
        for tensor in tensors:
            _copy(weights, tensor, out)


def _wrong(what: str) -> EngineError:
    return EngineError(
        f"the model cannot be converted: {what}",
        code="model_file_invalid",
        retryable=False,
        hint="check that the materials are the files that the maker published",
    )


def _json(path: Path, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as e:
        raise _wrong(f"{path.name}: {e}") from e


def _pooling(path: Path) -> int:
    """How the embedding is made of the tokens', as GGUF's number for it."""
    modes = [key for key, on in _json(path, dict[str, Any]).items() if key.startswith("pooling_mode") and on is True]
    if len(modes) != 1 or modes[0] not in _POOLING:
        raise _wrong(f"the pooling {', '.join(modes) or '(none)'}")
    return _POOLING[modes[0]]


# ---- the safetensors side


def _tensors(weights: BinaryIO, config: _Bert) -> Iterator[_Tensor]:
    """Every tensor that the engine needs, in the order in which they are written."""
    size = weights.seek(0, 2)
    weights.seek(0)
    length = int.from_bytes(weights.read(8), "little")
    if not 0 < length <= min(_HEADER_LIMIT, size - 8):
        raise _wrong("model.safetensors has no sound header")
    try:
        table = msgspec.json.decode(weights.read(length), type=dict[str, msgspec.Raw])
        table.pop("__metadata__", None)
        entries = {name: msgspec.json.decode(raw, type=_Entry) for name, raw in table.items()}
    except msgspec.DecodeError as e:
        raise _wrong(f"model.safetensors: {e}") from e
    for published, name in _names(config.num_hidden_layers):
        entry = entries.get(published)
        if entry is None:
            raise _wrong(f"model.safetensors holds no {published}")
        # The engine multiplies by matrices in half precision; what is added or looked up by position stays exact
        half = len(entry.shape) == 2 and name not in ("position_embd.weight", "token_types.weight")
        tensor = _Tensor(name, entry.shape, 8 + length + entry.data_offsets[0], _F16 if half else _F32)
        begin, end = entry.data_offsets
        if entry.dtype != "F32" or not 0 <= begin <= end <= size - 8 - length or end - begin != 4 * tensor.elements:
            raise _wrong(f"{published} is {entry.dtype} {entry.shape} at {entry.data_offsets}")
        yield tensor


def _names(layers: int) -> Iterator[tuple[str, str]]:
    yield from _OUTER.items()
    for layer in range(layers):
        for published, name in _INNER.items():
            for part in ("weight", "bias"):
                yield f"encoder.layer.{layer}.{published}.{part}", f"blk.{layer}.{name}.{part}"


def _copy(weights: BinaryIO, tensor: _Tensor, out: Write) -> None:
    """Write one tensor and the bytes up to the next one's place."""
    weights.seek(tensor.begin)
    left = tensor.elements
    while left:
        count = min(left, _CHUNK)
        data = weights.read(4 * count)
        if len(data) != 4 * count:
            raise _wrong("model.safetensors is cut short")
        out(_half(data, count) if tensor.kind == _F16 else data)
        left -= count
    out(bytes(-tensor.size % _ALIGNMENT))


def _half(data: bytes, count: int) -> bytes:
    """32-bit floats as 16-bit ones, to the nearest, ties to even."""
    try:
        return struct.pack(f"<{count}e", *struct.unpack(f"<{count}f", data))
    except OverflowError as e:
        raise _wrong("a weight is too large for half precision") from e


# ---- the GGUF side


def _metadata(config: _Bert, tokens: Sequence[str], pooling: int) -> bytes:
    place = {text: index for index, text in enumerate(tokens)}
    entries = [
        _text("general.architecture", "bert"),
        _text("general.type", "model"),
        _text("general.name", "all-MiniLM-L6-v2" if "MiniLM-L6" in config.name else config.name),
        _number("general.file_type", 1),
        _number("general.quantization_version", 2),
        _number("bert.block_count", config.num_hidden_layers),
        _number("bert.context_length", config.max_position_embeddings),
        _number("bert.embedding_length", config.hidden_size),
        _number("bert.feed_forward_length", config.intermediate_size),
        _number("bert.attention.head_count", config.num_attention_heads),
        _key("bert.attention.layer_norm_epsilon", _FLOAT32) + struct.pack("<f", config.layer_norm_eps),
        _key("bert.attention.causal", _BOOL) + b"\0",
        _number("bert.pooling_type", pooling),
        _text("tokenizer.ggml.model", "bert"),
        _text("tokenizer.ggml.pre", "default"),
        _number("tokenizer.ggml.token_type_count", config.type_vocab_size),
        _list("tokenizer.ggml.tokens", _STRING, [_string(_spelling(t)) for t in tokens]),
        _list(
            "tokenizer.ggml.token_type",
            _INT32,
            [struct.pack("<i", _CONTROL if t in _CONTROLS else _NORMAL) for t in tokens],
        ),
        _number("tokenizer.ggml.bos_token_id", place["[CLS]"]),
        _number("tokenizer.ggml.unknown_token_id", place["[UNK]"]),
        _number("tokenizer.ggml.seperator_token_id", place["[SEP]"]),  # the key is spelt like this
        _number("tokenizer.ggml.padding_token_id", place["[PAD]"]),
        _number("tokenizer.ggml.cls_token_id", place["[CLS]"]),
        _number("tokenizer.ggml.mask_token_id", place["[MASK]"]),
    ]
    return struct.pack("<Q", len(entries)) + b"".join(entries)


def _spelling(token: str) -> str:
    """A token of WordPiece as the engine wants it: it marks the beginning of a word, WordPiece the rest of one."""
    if token in _CONTROLS:
        return token
    return token[2:] if token.startswith("##") else "\u2581" + token


def _head(metadata: bytes, tensors: Sequence[_Tensor]) -> bytes:
    """Everything before the first tensor's data."""
    offset, listed = 0, []
    for tensor in tensors:
        shape = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *reversed(tensor.shape))
        listed.append(_string(tensor.name) + shape + struct.pack("<IQ", tensor.kind, offset))
        offset += tensor.size + -tensor.size % _ALIGNMENT
    head = b"GGUF" + struct.pack("<IQ", 3, len(tensors)) + metadata + b"".join(listed)
    return head + bytes(-len(head) % _ALIGNMENT)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _key(key: str, kind: int) -> bytes:
    return _string(key) + struct.pack("<I", kind)


def _number(key: str, value: int) -> bytes:
    return _key(key, _UINT32) + struct.pack("<I", value)


def _text(key: str, value: str) -> bytes:
    return _key(key, _STRING) + _string(value)


def _list(key: str, kind: int, items: Sequence[bytes]) -> bytes:
    return _key(key, _ARRAY) + struct.pack("<IQ", kind, len(items)) + b"".join(items)
