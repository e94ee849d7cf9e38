"""What a GGUF file says of itself, read from its header alone. Refuses to load a weight or to trust a length.

The layout is that of ggml's docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from freehold.core.errors import EngineError

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = Scalar | tuple[Scalar, ...]

_HEADER_LIMIT = 512 << 20  # bytes of header; the largest vocabularies in use take about 20 MiB
_STEP = 4 << 20  # bytes read at a time
_KEY_LIMIT = 65_535  # bytes; from the specification
_ENTRIES_LIMIT = 1 << 20  # metadata entries, and tensors
_KEPT_ARRAY = 4096  # longer arrays (vocabularies, merges, scores) are walked over and only counted
_DIMENSIONS = 4

_STRING, _ARRAY, _BOOL = 8, 9, 7
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<B", 10: "<Q", 11: "<q", 12: "<d"}

# ggml's tensor types by number: name, elements in a block, bytes in a block
_TENSOR_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}
# general.file_type by number: the mixture's usual name
_MIXTURES = (
    "F32 F16 Q4_0 Q4_1 - - - Q8_0 Q5_0 Q5_1 Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K IQ2_XXS IQ2_XS "
    "Q2_K_S IQ3_XS IQ3_XXS IQ1_S IQ4_NL IQ3_S IQ3_M IQ2_S IQ2_M IQ4_XS IQ1_M BF16 - - - TQ1_0 TQ2_0 MXFP4 NVFP4 Q1_0"
)
_FILE_TYPES = dict(enumerate(_MIXTURES.split()))
_POOLING = {0: "none", 1: "mean", 2: "cls", 3: "last", 4: "rank"}
_ENCODERS = frozenset(
    {"bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "modern-bert", "neo-bert"}
)

# Names of special tokens and the metadata keys that may declare them, the newer key first
_TOKEN_KEYS: dict[str, tuple[str, ...]] = {
    "bos": ("bos_token_id",),
    "eos": ("eos_token_id",),
    "eot": ("eot_token_id",),
    "eom": ("eom_token_id",),
    "unknown": ("unknown_token_id",),
    "separator": ("seperator_token_id", "separator_token_id"),
    "padding": ("padding_token_id",),
    "mask": ("mask_token_id",),
    "cls": ("cls_token_id",),
    "fim_prefix": ("fim_pre_token_id", "prefix_token_id"),
    "fim_suffix": ("fim_suf_token_id", "suffix_token_id"),
    "fim_middle": ("fim_mid_token_id", "middle_token_id"),
    "fim_pad": ("fim_pad_token_id",),
    "fim_repo": ("fim_rep_token_id",),
    "fim_file": ("fim_sep_token_id",),
}
# Most files declare no infill tokens although their vocabulary holds them, so their usual spellings are looked for
_TOKEN_TEXTS: dict[bytes, str] = {
    text.encode(): name
    for name, texts in {
        "fim_prefix": "<|fim_prefix|> <fim-prefix> <fim_prefix> <｜fim▁begin｜> <PRE> ▁<PRE> [PREFIX] <|code_prefix|>",
        "fim_suffix": "<|fim_suffix|> <fim-suffix> <fim_suffix> <｜fim▁hole｜> <SUF> ▁<SUF> [SUFFIX] <|code_suffix|>",
        "fim_middle": "<|fim_middle|> <fim-middle> <fim_middle> <｜fim▁end｜> <MID> ▁<MID> [MIDDLE] <|code_middle|>",
        "fim_pad": "<|fim_pad|> <fim-pad> <fim_pad>",
        "fim_repo": "<|repo_name|> <fim-repo> <reponame> <|fim_repo|>",
        "fim_file": "<|file_sep|>",
    }.items()
    for text in texts.split()
}


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the header of one GGUF file states. Numbers that it does not state are 0, texts are empty."""

    path: str  # the file that was read
    bytes: int  # size of the file
    ends_at: int  # offset at which the last tensor ends; more than `bytes` when the file is cut short
    version: int  # of the GGUF format
    arch: str  # general.architecture, e.g. "llama"
    name: str  # general.name
    licence: str  # general.license as its author wrote it; often empty
    parameters: int  # elements of all tensors
    tensors: int  # how many tensors
    quantisation: str  # the mixture's name, e.g. "Q4_K_M"
    n_ctx_train: int  # tokens of context it was trained for
    n_layer: int
    n_embd: int  # width of the hidden state, and of an embedding
    n_ff: int  # width of the feed-forward layer (the widest, where layers differ)
    n_head: int  # attention heads (the most of any layer)
    n_head_kv: int  # key/value heads (the most of any layer)
    kv_heads: tuple[int, ...]  # key/value heads of each layer; 0 for a layer without attention
    key_length: int  # elements of one key in one head
    value_length: int  # elements of one value in one head
    n_vocab: int
    n_expert: int  # experts of a mixture; 0 for a dense model
    n_expert_used: int
    sliding_window: int  # tokens that windowed layers look back on; 0 when no layer is windowed
    causal: bool  # false for encoders
    pooling: str  # "none", "mean", "cls", "last", "rank"; empty when not stated
    tokenizer: str  # tokenizer.ggml.model, e.g. "gpt2"
    chat_template: str  # Jinja source; empty when it has none
    tokens: dict[str, int]  # special tokens: bos, eos, eot, ..., fim_prefix, fim_suffix, fim_middle
    split: tuple[int, int]  # (this part, parts), counted from 0; (0, 1) for a single file
    metadata: dict[str, Value]  # every entry except long arrays

    @property
    def complete(self) -> bool:
        """Whether the file reaches to the end of its last tensor."""
        return self.bytes >= self.ends_at

    @property
    def embeds(self) -> bool:
        """Whether it was made to give embeddings rather than text."""
        return self.arch in _ENCODERS or not self.causal or self.pooling in ("mean", "cls", "last", "rank")


def read(path: Path | str, *, whole: bool = True) -> Facts:
    """Return the facts in the header of the GGUF file at `path`.

    Raises EngineError (`model_file_missing`, `model_file_invalid`) when the file cannot be read, is not GGUF, or
    contradicts itself; and, with `whole`, when its tensors reach beyond its end (`model_file_truncated`).
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            facts = _facts(_Header(file, path), path)
    except OSError as e:
        raise EngineError(
            f"cannot read the model file {path}: {e.strerror or e}",
            code="model_file_missing",
            retryable=False,
            hint="check the path and its permissions, or fetch the model with `freehold models pull`",
        ) from e
    if whole and not facts.complete:
        raise EngineError(
            f"{path} is cut short: it holds {facts.bytes} bytes, its tensors need {facts.ends_at}",
            code="model_file_truncated",
            retryable=False,
            hint="remove it with `freehold models rm` and pull it again",
        )
    return facts


class _Header:
    """A cursor over the start of a file. Reads, never maps: a file that shrinks meanwhile must not kill us."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path
        self.size = file.seek(0, 2)
        file.seek(0)
        self.buffer = bytearray()
        self.at = 0
        self.tokens: dict[str, int] = {}
        self.lengths: dict[str, int] = {}  # elements of each array

    def wrong(self, what: str) -> EngineError:
        return EngineError(
            f"{self.path} is not a sound GGUF file: {what}",
            code="model_file_invalid",
            retryable=False,
            hint="fetch it again from its publisher, or check that it is a .gguf file",
        )

    def need(self, count: int) -> None:
        """Have `count` bytes from the cursor on in the buffer."""
        end = self.at + count
        if end <= len(self.buffer):
            return
        if end > self.size:
            raise self.wrong(f"the header ends too early (byte {self.at} of {self.size})")
        if end > _HEADER_LIMIT:
            raise self.wrong(f"the header is larger than {_HEADER_LIMIT} bytes")
        self.buffer += self.file.read(max(_STEP, end - len(self.buffer)))
        if end > len(self.buffer):
            raise self.wrong("the file shrank while it was read")

    def number(self, form: str) -> int | float:
        size = struct.calcsize(form)
        self.need(size)
        (value,) = struct.unpack_from(form, self.buffer, self.at)
        self.at += size
        return value  # type: ignore[no-any-return]

    def count(self, what: str, limit: int, form: str = "<Q") -> int:
        value = int(self.number(form))
        if value > limit:
            raise self.wrong(f"{value} {what}, more than {limit}")
        return value

    def text(self, limit: int = _HEADER_LIMIT) -> str:
        size = self.count("bytes in a text", limit)
        self.need(size)
        self.at += size
        return self.buffer[self.at - size : self.at].decode("utf-8", "replace")

    def value(self, key: str, kind: int) -> Value | None:
        """Read a value of type `kind`; None for an array that is too long to keep."""
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            return self.array(key)
        if kind not in _SCALARS:
            raise self.wrong(f"{key} has the unknown type {kind}")
        number = self.number(_SCALARS[kind])
        return bool(number) if kind == _BOOL else number

    def array(self, key: str) -> tuple[Scalar, ...] | None:
        kind = int(self.number("<I"))
        length = self.count(f"elements in {key}", self.size)
        self.lengths[key] = length
        if kind == _STRING:
            if length <= _KEPT_ARRAY and key != "tokenizer.ggml.tokens":
                return tuple(self.text() for _ in range(length))
            self.walk(length, key == "tokenizer.ggml.tokens")
            return None
        if kind not in _SCALARS:  # arrays of arrays are legal, but nothing writes them
            raise self.wrong(f"{key} is an array of the unknown or nested type {kind}")
        size = struct.calcsize(_SCALARS[kind]) * length
        self.need(size)
        self.at += size
        if length > _KEPT_ARRAY:
            return None
        values = struct.unpack_from(f"<{length}{_SCALARS[kind][1]}", self.buffer, self.at - size)
        return tuple(map(bool, values)) if kind == _BOOL else values

    def walk(self, length: int, vocabulary: bool) -> None:
        """Pass over `length` texts; of a vocabulary, note where the infill tokens stand."""
        at, buffer = self.at, self.buffer
        for index in range(length):
            if at + 8 > len(buffer):
                self.at = at
                self.need(8)
            size = int.from_bytes(buffer[at : at + 8], "little")
            at += 8 + size
            if at > len(buffer):
                self.at = at - size
                self.need(size)
            if vocabulary and 5 <= size <= 20:
                name = _TOKEN_TEXTS.get(bytes(buffer[at - size : at]))
                if name is not None:
                    self.tokens.setdefault(name, index)
        self.at = at


class _Tensors(msgspec.Struct):
    """What the list of tensors adds up to."""

    count: int = 0
    elements: int = 0
    end: int = 0  # bytes after the start of the tensor data
    by_type: dict[str, int] = {}


def _tensors(header: _Header, count: int) -> _Tensors:
    total = _Tensors(count=count)
    for _ in range(count):
        name = header.text(_KEY_LIMIT)
        dimensions = header.count(f"dimensions in tensor {name!r}", _DIMENSIONS, "<I")
        elements = 1
        for _ in range(dimensions):
            elements *= int(header.number("<Q"))
        kind, offset = int(header.number("<I")), int(header.number("<Q"))
        if elements >= 1 << 63 or offset >= 1 << 63:
            raise header.wrong(f"tensor {name!r} is impossibly large")
        # A type newer than this table: its bytes are unknown, its start still has to lie within the file
        label, block, size = _TENSOR_TYPES.get(kind, (f"type {kind}", 1, 0))
        if elements % block:
            raise header.wrong(f"tensor {name!r} has {elements} elements, not whole blocks of {block}")
        total.elements += elements
        total.end = max(total.end, offset + elements // block * size)
        total.by_type[label] = total.by_type.get(label, 0) + elements
    return total


def _facts(header: _Header, path: Path) -> Facts:
    if header.size < 24:
        raise header.wrong(f"it holds only {header.size} bytes")
    header.need(4)
    if header.buffer[:4] != b"GGUF":
        raise header.wrong(f"it begins with {bytes(header.buffer[:4])!r}, not with b'GGUF'")
    header.at = 4
    version = int(header.number("<I"))
    if version & 0xFFFF == 0:
        raise header.wrong("its numbers are big-endian")
    if version not in (2, 3):
        raise header.wrong(f"version {version} of the format; 2 and 3 are known")
    count = header.count("tensors", _ENTRIES_LIMIT)
    entries = header.count("metadata entries", _ENTRIES_LIMIT)
    metadata: dict[str, Value] = {}
    for _ in range(entries):
        key = header.text(_KEY_LIMIT)
        if key in metadata or key in header.lengths:
            raise header.wrong(f"the key {key!r} stands twice")
        value = header.value(key, int(header.number("<I")))
        if value is not None:
            metadata[key] = value
    tensors = _tensors(header, count)
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 8 or alignment & (alignment - 1):
        raise header.wrong(f"an alignment of {alignment!r}")
    begin = -(-header.at // alignment) * alignment
    return _compose(header, path, version, metadata, tensors, begin + tensors.end if count else header.at)


def _compose(
    header: _Header, path: Path, version: int, metadata: dict[str, Value], tensors: _Tensors, ends_at: int
) -> Facts:
    arch = _text(metadata, "general.architecture")
    if not arch:
        raise header.wrong("general.architecture is missing")

    def own(key: str) -> tuple[int, ...]:
        """A number of this architecture, or one for each layer."""
        value = metadata.get(f"{arch}.{key}", ())
        values = value if isinstance(value, tuple) else (value,)
        return tuple(v for v in values if isinstance(v, int))

    def most(key: str, otherwise: int = 0) -> int:
        return max(own(key), default=otherwise)

    n_layer, n_head, n_embd = most("block_count"), most("attention.head_count"), most("embedding_length")
    if n_layer > 1 << 16:
        raise header.wrong(f"{n_layer} layers")
    kv_heads = own("attention.head_count_kv") or (n_head,)
    kv_heads = kv_heads * n_layer if len(kv_heads) == 1 else kv_heads
    per_head = n_embd // n_head if n_head else 0
    pooling = own("pooling_type")
    split = _split(metadata)
    return Facts(
        path=str(path),
        bytes=header.size,
        ends_at=ends_at,
        version=version,
        arch=arch,
        name=_text(metadata, "general.name"),
        licence=_text(metadata, "general.license"),
        parameters=tensors.elements,
        tensors=tensors.count,
        quantisation=_quantisation(metadata, tensors),
        n_ctx_train=most("context_length"),
        n_layer=n_layer,
        n_embd=n_embd,
        n_ff=most("feed_forward_length"),
        n_head=n_head,
        n_head_kv=max(kv_heads, default=0),
        kv_heads=kv_heads,
        key_length=most("attention.key_length", per_head),
        value_length=most("attention.value_length", per_head),
        n_vocab=header.lengths.get("tokenizer.ggml.tokens", 0) or most("vocab_size"),
        n_expert=most("expert_count"),
        n_expert_used=most("expert_used_count"),
        sliding_window=most("attention.sliding_window"),
        causal=metadata.get(f"{arch}.attention.causal") is not False,
        pooling=_POOLING.get(pooling[0], "") if pooling else "",
        tokenizer=_text(metadata, "tokenizer.ggml.model"),
        chat_template=_text(metadata, "tokenizer.chat_template"),
        tokens=_special_tokens(header, metadata),
        split=split,
        metadata=metadata,
    )


def _text(metadata: dict[str, Value], key: str) -> str:
    value = metadata.get(key, "")
    return value if isinstance(value, str) else ""


def _split(metadata: dict[str, Value]) -> tuple[int, int]:
    """Which part of how many a file is, e.g. (0, 3) for the first of three."""
    part, parts = metadata.get("split.no", 0), metadata.get("split.count", 1)
    return (part, max(parts, 1)) if isinstance(part, int) and isinstance(parts, int) else (0, 1)


def _quantisation(metadata: dict[str, Value], tensors: _Tensors) -> str:
    """The name its author gave the mixture, else the type that most of its elements have."""
    declared = metadata.get("general.file_type")
    name = _FILE_TYPES.get(declared, "-") if isinstance(declared, int) else "-"
    return max(tensors.by_type, key=lambda t: tensors.by_type[t], default="") if name == "-" else name


def _special_tokens(header: _Header, metadata: dict[str, Value]) -> dict[str, int]:
    """Declared ids come before spellings found in the vocabulary; an id outside of the vocabulary is dropped."""
    vocabulary = header.lengths.get("tokenizer.ggml.tokens", 0)
    found = dict(header.tokens)
    for name, keys in _TOKEN_KEYS.items():
        for key in reversed(keys):
            value = metadata.get(f"tokenizer.ggml.{key}")
            if isinstance(value, int) and 0 <= value < vocabulary:
                found[name] = value
    return found
