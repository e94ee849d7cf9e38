"""POST /v1/embeddings. Knows what OpenAI documents of it; refuses to know sockets."""

from __future__ import annotations

import array
import base64
import math
import sys
from typing import Any

import msgspec

from freehold.core.errors import BadRequest, ContextTooLong, EngineError
from freehold.engines.llama import parameters
from freehold.engines.llama.native import Native
from freehold.engines.llama.reply import JSON_HEADERS
from freehold.engines.llama.slots import Slots
from freehold.wire.server import Exchange

_INPUTS = 2048  # OpenAI's limit for one request


class _Item(msgspec.Struct):
    embedding: str
    index: int


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0


class _Reply(msgspec.Struct):
    data: list[_Item]
    usage: _Usage


_decode = msgspec.json.Decoder(_Reply).decode


async def embed(native: Native, slots: Slots, exchange: Exchange) -> None:
    """Answer one request; raises FreeholdError."""
    request = parameters.read(exchange.body, parameters.EMBEDDING)
    parameters.text(request, "user")
    inputs = _inputs(request, native.settings.vocabulary)
    form = request.get("encoding_format", "float")
    if form not in ("float", "base64"):
        raise parameters.wrong("encoding_format", "float or base64 is needed")
    size = parameters.whole(request, "dimensions", 1, 1 << 20, 1) if "dimensions" in request else None
    vectors: list[array.array[float]] = []
    tokens = 0
    # A native call cannot be stopped: small ones let a caller who left give way after one round of slots.
    for start in range(0, len(inputs), slots.size):
        part = inputs[start : start + slots.size]
        await slots.take(len(part))
        try:
            reply = _decode(await native.embed(part))
        except ContextTooLong as e:
            e.param = "input"
            raise
        finally:
            slots.give(len(part))
        vectors += [_vector(item, size) for item in sorted(reply.data, key=lambda item: item.index)]
        tokens += reply.usage.prompt_tokens
    shown: list[Any] = [_base64(v) if form == "base64" else v.tolist() for v in vectors]
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": i, "embedding": e} for i, e in enumerate(shown)],
        "model": native.settings.name,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    exchange.reply(200, JSON_HEADERS, msgspec.json.encode(body))


def _inputs(request: parameters.Body, vocabulary: int) -> list[str | list[int]]:
    given = request.get("input")
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list) or not given:
        raise parameters.wrong("input", "a text, a list of texts, of tokens or of lists of tokens is needed")
    if all(isinstance(v, int) and not isinstance(v, bool) for v in given):
        given = [given]
    if len(given) > _INPUTS:
        raise parameters.wrong("input", f"at most {_INPUTS} inputs are taken at once")
    for value in given:
        if isinstance(value, list) and value:
            parameters.tokens(value, vocabulary, "input")
        elif not isinstance(value, str) or not value:
            raise parameters.wrong("input", "every input is a non-empty text or list of tokens")
    return given


def _vector(item: _Item, size: int | None) -> array.array[float]:
    """The embedding, cut to its first `size` numbers and brought back to length 1 (Matryoshka)."""
    vector = array.array("f")
    vector.frombytes(base64.b64decode(item.embedding))
    if sys.byteorder == "big":
        vector.byteswap()
    if not all(map(math.isfinite, vector)):
        raise EngineError("The engine gave an embedding that is not finite.", status=500, hint="try another model file")
    if size is None or size == len(vector):
        return vector
    if size > len(vector):
        raise BadRequest(
            f"This model's embeddings have {len(vector)} dimensions; {size} were asked for.",
            param="dimensions",
            hint="ask for fewer dimensions, or leave it out",
        )
    vector = vector[:size]
    length = math.sqrt(math.fsum(v * v for v in vector)) or 1.0
    return array.array("f", (v / length for v in vector))


def _base64(vector: array.array[float]) -> str:
    if sys.byteorder == "big":
        vector = array.array("f", vector)
        vector.byteswap()
    return base64.b64encode(vector.tobytes()).decode()
