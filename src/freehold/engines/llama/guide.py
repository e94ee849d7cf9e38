"""What a reply must be, as the engine's grammar takes it, and whether it takes it. Refuses to know requests.

llama.cpp has two grammars. Its own tries every way on against the whole vocabulary at each token, in the one loop that
all calls share: an enum of a thousand values holds everybody up for seconds. The other, llguidance, is built into
xllamacpp, takes milliseconds and has bounds of its own; but when it cannot take a grammar the reply goes on without
one, and only the log says so. So every grammar is asked for here first, off the loop.
"""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

_OPTIONS = {"lenient": True, "coerce_one_of": True, "whitespace_flexible": False}
_ROOM = 4096  # bytes; more than the library's settings take
_COMBINED = ("anyOf", "oneOf", "$ref")
_NAMED = ("properties", "$defs", "definitions", "patternProperties")


class _TokenizerInit(ctypes.Structure):
    """LlgTokenizerInit of llguidance's C interface."""

    _fields_ = [
        ("vocab_size", ctypes.c_uint32),
        ("tok_eos", ctypes.c_uint32),
        ("token_lens", ctypes.c_void_p),
        ("token_bytes", ctypes.c_void_p),
        ("tokenizer_json", ctypes.c_char_p),
        ("tokenize_assumes_string", ctypes.c_bool),
        ("tokenize_fn", ctypes.c_void_p),
        ("use_approximate_greedy_tokenize_fn", ctypes.c_bool),
        ("tokenize_user_data", ctypes.c_void_p),
        ("slices", ctypes.c_void_p),
    ]


class Guide:
    """llguidance, as xllamacpp carries it. Raises OSError when it does not, or not in the form that is known here."""

    def __init__(self, library: Path) -> None:
        try:
            self._library = ctypes.CDLL(str(library))
            self._validate = self._library.llg_validate_grammar
            self._defaults = self._library.llg_constraint_init_set_defaults
            new_tokenizer = self._library.llg_new_tokenizer
        except AttributeError as e:
            raise OSError(f"no llguidance in {library}") from e
        self._defaults.argtypes, self._defaults.restype = [ctypes.c_void_p, ctypes.c_void_p], None
        self._validate.argtypes = [ctypes.c_void_p, *[ctypes.c_char_p] * 2, ctypes.c_void_p, ctypes.c_size_t]
        self._validate.restype = ctypes.c_int32
        new_tokenizer.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
        new_tokenizer.restype = ctypes.c_void_p
        # A vocabulary of single bytes will do to see whether a grammar is sound.
        lengths = (ctypes.c_uint32 * 257)(*[1] * 256, 4)
        data = ctypes.create_string_buffer(bytes(range(256)) + b"\xff<e>", 260)
        init = _TokenizerInit(257, 256, ctypes.addressof(lengths), ctypes.addressof(data), None, False, None, True)
        message = ctypes.create_string_buffer(_ROOM)
        self._tokenizer = new_tokenizer(ctypes.byref(init), message, _ROOM)
        sound, unsound = grammar({"type": "integer"}), grammar({"enum": []})
        if not self._tokenizer or self.refusal(sound) or not self.refusal(unsound):
            raise OSError(f"the llguidance in {library} does not answer as expected")

    def refusal(self, text: str) -> str:
        """Why llguidance would not take a grammar; "" when it does. Blocks for milliseconds, without Python's lock."""
        init = ctypes.create_string_buffer(_ROOM)
        message = ctypes.create_string_buffer(_ROOM)
        self._defaults(init, self._tokenizer)
        if self._validate(init, b"lark", text.encode(), message, _ROOM) >= 0:
            return ""
        first = message.value.decode("utf-8", "replace").partition("\n")[0]
        return first.rpartition("failed to compile JSON schema: ")[2][:300] or "it cannot be turned into a grammar"


def grammar(schema: dict[str, Any]) -> str:
    """Return `schema` as a grammar for llguidance: compact JSON, no members that the schema does not name."""
    closed = schema if _merges(schema) else _closed(schema)
    text = json.dumps({**closed, "x-guidance": _OPTIONS}, ensure_ascii=False)
    return "%llguidance {}\nstart: %json " + text


def _merges(value: Any) -> bool:
    """Whether a schema anywhere puts objects together from several: closed, each would exclude what the others name."""
    if isinstance(value, list):
        return any(map(_merges, value))
    if not isinstance(value, dict):
        return False
    several = value.get("allOf")
    if isinstance(several, list) and (len(several) > 1 or "properties" in value):
        return True
    if "properties" in value and any(key in value for key in _COMBINED):
        return True
    return any(_merges(inner) for key, inner in value.items() if key not in ("enum", "const"))


def _closed(value: Any) -> Any:
    """`value` with every object closed that names members and says nothing of others: a small model would go on adding
    to it."""
    if isinstance(value, list):
        return [_closed(v) for v in value]
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for key, inner in value.items():
        if key in ("enum", "const"):
            out[key] = inner
        elif key in _NAMED and isinstance(inner, dict):
            out[key] = {name: _closed(v) for name, v in inner.items()}
        else:
            out[key] = _closed(inner)
    if isinstance(value.get("properties"), dict) and "patternProperties" not in value:
        out.setdefault("additionalProperties", False)
    return out
