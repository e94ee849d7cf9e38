"""The child's endpoints and their guard. Knows paths, the key and health; refuses to know how answers are made."""

from __future__ import annotations

import hashlib
import hmac
import os
from importlib import metadata

import msgspec

from freehold.core.clock import tick
from freehold.core.errors import (
    FreeholdError,
    MethodNotAllowed,
    NotFound,
    Unauthenticated,
    Unsupported,
)
from freehold.engines.llama.chat import chat
from freehold.engines.llama.completion import complete
from freehold.engines.llama.embedding import embed
from freehold.engines.llama.native import Native, resident_bytes
from freehold.engines.llama.reply import JSON_HEADERS, error_headers, render_error
from freehold.engines.llama.slots import Slots
from freehold.wire.server import Exchange


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What GET /health says."""

    status: str = "ok"
    model: str
    asleep: bool  # the weights were given back; the next call takes them up again
    busy: int  # native calls in progress
    waiting: int  # calls in line for a slot
    slots: int
    context: int  # tokens that one call may use
    beats: int  # signs of life since the start: tokens and prompt steps
    idle: float  # seconds since the last call ended; 0 while one runs
    rss: int  # memory held, bytes
    vision: bool = False


class Service:
    """Answers requests over one loaded model."""

    def __init__(self, native: Native) -> None:
        self.native = native
        self.slots = Slots(native.settings.slots)
        self._key = native.settings.key.encode()
        self._token = f"Bearer {native.settings.key}".encode()
        self._fingerprint = fingerprint(native.settings.path)

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        try:
            await self._route(exchange)
        except FreeholdError as e:
            self.refuse(exchange, e)

    def refuse(self, exchange: Exchange, error: FreeholdError) -> None:
        """Answer with an error in OpenAI's form; cut the connection when an answer had begun."""
        if exchange.gone:
            return
        if exchange.answered:
            exchange.abort()
        else:
            exchange.reply(error.status, error_headers(error), render_error(error))

    async def _route(self, exchange: Exchange) -> None:
        if not self._knows_key(exchange.headers):
            raise Unauthenticated("The engine's key is missing or wrong.", hint="engines are asked through the door")
        path = exchange.path
        method = "GET" if path == "/health" else "POST"
        if path not in ("/health", "/probe", "/v1/chat/completions", "/v1/completions", "/v1/embeddings"):
            raise NotFound(f"An engine has no {path}.", hint="rerank, lora and the like are not offered")
        if exchange.method != method:
            raise MethodNotAllowed(f"{path} takes {method}.", hint=f"send {method}")
        if path == "/health":
            exchange.reply(200, JSON_HEADERS, msgspec.json.encode(self.health()))
        elif path == "/probe":
            await self._probe()
            exchange.reply(200, JSON_HEADERS, b'{"status":"ok"}')
        elif self.native.settings.embedding != (path == "/v1/embeddings"):
            kind = "gives embeddings only" if self.native.settings.embedding else "gives no embeddings"
            raise Unsupported(f"The model {self.native.settings.name} {kind}.", param="model", hint="ask another model")
        elif path == "/v1/embeddings":
            await embed(self.native, self.slots, exchange)
        elif path == "/v1/completions":
            await complete(self.native, self.slots, exchange, self._fingerprint)
        else:
            await chat(self.native, self.slots, exchange, self._fingerprint)

    def _knows_key(self, headers: dict[bytes, bytes]) -> bool:
        """The key comes as bearer token or as the host's name: who knows an engine's Origin is let in."""
        host = headers.get(b"host", b"").partition(b":")[0]
        bearer = headers.get(b"authorization", b"")
        return hmac.compare_digest(host, self._key) or hmac.compare_digest(bearer, self._token)

    def health(self) -> Health:
        native, settings = self.native, self.native.settings
        return Health(
            model=settings.name,
            asleep=native.asleep(),
            busy=native.busy,
            waiting=self.slots.waiting + native.unread,
            slots=settings.slots,
            context=settings.context,
            beats=native.beats,
            idle=0.0 if native.busy else tick() - native.quiet_since,
            rss=resident_bytes(),
            vision=native.caps.vision,
        )

    async def _probe(self) -> None:
        """Generate one token: the only proof that the engine lives. Waits for a slot as every call does."""
        native = self.native
        await self.slots.take(1)
        try:
            if native.settings.embedding:
                await native.embed([[native.any_token()]])
                return
            body = {"prompt": [native.any_token()], "n_predict": 1, "stream": True, "cache_prompt": False}
            await native.generate(False, msgspec.json.encode(body), _ignore)
        finally:
            self.slots.give(1)


def _ignore(batch: list[bytes]) -> None:
    """A probe's answer is that there was one."""


def fingerprint(path: str) -> str:
    """What changes when the same seed may give another answer: the engine's release and the model file."""
    try:
        version = metadata.version("xllamacpp")
    except metadata.PackageNotFoundError:
        version = "none"
    text = f"{version} {os.path.basename(path)} {os.path.getsize(path) if os.path.exists(path) else 0}"
    return "fp_" + hashlib.sha256(text.encode()).hexdigest()[:10]
