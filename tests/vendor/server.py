"""The vendor's sockets: a small HTTP/1.1 server on uvloop that answers, records what arrived and fails when told to.

Knows how bytes go over a connection; what an answer says is in `answers`, what an error says in `faults`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

import httptools
import msgspec
import uvloop

from tests.vendor import answers, faults, judges, quick
from tests.vendor.answers import Act, Problem

KINDS = {"chat/completions": "chat", "completions": "completion", "embeddings": "embedding"}
API_VERSIONS = frozenset(
    {"2024-02-01", "2024-06-01", "2024-10-21", "2025-03-01-preview", "2025-04-01-preview", "preview"}
)


class Seen(msgspec.Struct):
    """One request as it arrived. Times are `time.perf_counter` seconds; `gone_at` is set when the peer left early."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    at: float
    connection: int
    finished_at: float | None = None
    gone_at: float | None = None
    note: Any = None  # what `on_arrival` returned

    @property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, str]:
        return {key: values[-1] for key, values in parse_qs(self.target.partition("?")[2]).items()}

    def header(self, name: str) -> str | None:
        """The value of the first header called `name`, lower-case."""
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class _Connection(asyncio.Protocol):
    def __init__(self, vendor: Vendor, number: int) -> None:
        self.vendor, self.number = vendor, number
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.parser = httptools.HttpRequestParser(self)
        self.task: asyncio.Task[None] | None = None
        self.seen: Seen | None = None
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self.region = ""  # where it says that it served the request, as Azure does

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.vendor.connections.add(self)
        self.vendor.accepted += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.vendor.connections.discard(self)
        if self.seen is not None and self.seen.finished_at is None:
            self.seen.gone_at = time.perf_counter()
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.vendor.malformed += 1
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()

    def on_message_begin(self) -> None:
        self.headers, self.parts = [], []

    def on_url(self, url: bytes) -> None:
        self.target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.vendor.requests += 1
        planned = quick.plan_of(body) if body else None
        if planned is not None:
            plan, token = planned
            if self.vendor.record:
                self._note(body)
            if isinstance(plan, quick.Whole):
                self.transport.write(plan.before + token + plan.after)
                self._done()
            else:
                self.transport.write(plan.head)
                self._pace(plan, token, 0)
            return
        seen = self._note(body)
        self.task = asyncio.get_running_loop().create_task(self._serve(seen))

    def _note(self, body: bytes) -> Seen:
        heads = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in self.headers]
        method = self.parser.get_method().decode()
        seen = Seen(method, self.target.decode("latin-1"), heads, body, time.perf_counter(), self.number)
        self.seen = seen
        if self.vendor.record and not seen.target.startswith("/_"):
            if self.vendor.on_arrival is not None:
                seen.note = self.vendor.on_arrival(seen)
            self.vendor.seen.append(seen)
        return seen

    def _done(self) -> None:
        if self.seen is not None:
            self.seen.finished_at = time.perf_counter()

    def _pace(self, plan: quick.Paced, token: bytes, at: int) -> None:
        if self.transport.is_closing():
            return
        before, after = plan.chunks[at]
        self.transport.write(before + token + after)
        at += 1
        if at == len(plan.chunks):
            self.transport.write(plan.end)
            self._done()
        elif plan.every:
            asyncio.get_running_loop().call_later(plan.every, self._pace, plan, token, at)
        else:
            self._pace(plan, token, at)

    async def _serve(self, seen: Seen) -> None:
        azure = seen.path.startswith("/openai/")
        try:
            await self._route(seen, azure)
        except Problem as problem:
            self._json({"error": problem.error}, problem.status, problem.headers)
        except Exception as e:  # the vendor must not leave a test waiting because of its own mistake
            self.vendor.mistakes.append(repr(e))
            self._json({"error": {"message": repr(e), "type": "server_error", "param": None, "code": "mistake"}}, 500)
        self._done()

    def _write(self, status: int, kind: str, body: bytes | None, headers: Any = (), length: int | None = None) -> None:
        lines = [f"HTTP/1.1 {status} {faults.REASONS.get(status, 'Status')}", f"content-type: {kind}"]
        lines += ["x-request-id: req_vendor", "openai-processing-ms: 5", "x-ratelimit-remaining-requests: 9999"]
        lines += [f"x-ms-region: {self.region}"] if self.region else []
        lines += [f"{name}: {value}" for name, value in headers]
        if body is None:
            lines.append("transfer-encoding: chunked")
        else:
            lines.append(f"content-length: {len(body) if length is None else length}")
        self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))

    def _json(self, value: Any, status: int = 200, headers: Any = ()) -> None:
        self._write(status, "application/json", msgspec.json.encode(value), headers)

    async def _route(self, seen: Seen, azure: bool) -> None:
        path = seen.path
        if path.startswith("/_"):
            return self._control(seen)
        shown = seen.header("authorization") or seen.header("api-key") or seen.header("ocp-apim-subscription-key")
        if not shown:
            if azure:
                raise Problem(401, {"code": "401", "message": "Access denied due to missing subscription key."})
            raise answers.bad("You didn't provide an API key.", None, "invalid_api_key", 401)
        if not self.vendor.accepts(shown):
            if azure:
                raise Problem(401, {"code": "401", "message": "Access denied due to invalid subscription key."})
            raise answers.bad("Incorrect API key provided.", None, "invalid_api_key", 401)
        name, rest = None, path.removeprefix("/openai/v1/" if azure else "/v1/")
        if path.startswith("/openai/deployments/"):
            name, _, rest = path.removeprefix("/openai/deployments/").partition("/")
            version = seen.query.get("api-version")
            if not version:
                raise Problem(404, {"code": "404", "message": "Resource not found"})
            if version not in API_VERSIONS:
                raise Problem(400, {"code": "BadRequest", "message": "API version not supported"})
        if rest.startswith("models") and seen.method == "GET":
            return self._models(rest)
        if path == "/v1/moderations":
            return self._json(judges.moderation(msgspec.json.decode(seen.body)))
        if path == "/contentsafety/text:analyze":
            return self._json(judges.analysis(msgspec.json.decode(seen.body), seen.query))
        if rest not in KINDS or seen.method != "POST":
            raise answers.bad(f"Invalid URL ({seen.method} {path})", status=404)
        try:
            request = msgspec.json.decode(seen.body)
        except msgspec.DecodeError:
            raise answers.bad("We could not parse the JSON body of your request.") from None
        model = name or (request.get("model") if isinstance(request, dict) else None)
        if not model:
            raise answers.bad("you must provide a model parameter")
        act = self.vendor.act_for(model)
        self.region = act.args.get("region", "")
        if self.vendor.strict_models and model not in self.vendor.models:
            if azure:
                raise Problem(404, {"code": "DeploymentNotFound", "message": "The API deployment does not exist."})
            raise answers.bad(f"The model `{model}` does not exist.", "model", "model_not_found", 404)
        problem = faults.problem_of(act, azure)
        if problem is not None:
            raise problem
        answers.check(KINDS[rest], request)
        await asyncio.sleep(act.number("delay", 0) / 1000)
        await self._answer(KINDS[rest], request, act, azure, f"{model.partition(';')[0]}-2026-01-01")

    async def _answer(self, kind: str, request: answers.Json, act: Act, azure: bool, answered: str) -> None:
        if await self._broken_before_head(act):
            return
        if kind != "embedding" and request.get("stream"):
            make = answers.chat_events if kind == "chat" else answers.completion_events
            events = [
                b"data: " + msgspec.json.encode(event) + b"\n\n"
                for event in make(request, act, azure=azure, answered=answered)
            ]
            await self._stream(events, act)
            return
        whole = {
            "chat": answers.chat_whole,
            "completion": answers.completion_whole,
            "embedding": answers.embedding_whole,
        }[kind]
        body = msgspec.json.encode(whole(request, act, azure=azure, answered=answered))
        await self._body(body, act)

    async def _broken_before_head(self, act: Act) -> bool:
        match act.name:
            case "hang":
                await asyncio.Event().wait()
            case "garbage":
                self.transport.write(faults.GARBAGE)
                self.transport.close()
            case "close":
                self._end(act)
            case "html":
                self._write(int(act.number("code", 502)), "text/html", faults.HTML)
            case "redirect":
                self._write(307, "text/plain", b"", [("location", act.args["to"])])
            case "slow_head":
                for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"a" * 1000:
                    self.transport.write(bytes([byte]))
                    await asyncio.sleep(act.number("seconds", 0.1))
            case _:
                return False
        return True

    def _end(self, act: Act) -> None:
        if act.args.get("how") == "rst":
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            self.transport.abort()
        else:
            self.transport.close()

    async def _body(self, body: bytes, act: Act) -> None:
        if act.name == "huge":
            body = b'{"id":"' + b"x" * int(act.number("bytes", 1e9)) + b'"}'
        if act.name in ("cut", "truncated", "short"):
            self._write(200, "application/json", body[: len(body) // 2], length=len(body))
            await asyncio.sleep(0.02)
            self._end(act)
        elif act.name == "idle":
            self._write(200, "application/json", body[: len(body) // 2], length=len(body))
            await asyncio.Event().wait()
        elif act.name == "drip":
            self._write(200, "application/json", b"", length=len(body))
            for byte in body:
                self.transport.write(bytes([byte]))
                await asyncio.sleep(act.number("every", 1) / 1000)
        elif act.name == "long":
            self._write(200, "application/json", body + b"left over", length=len(body))
        elif act.name == "not_json":
            self._write(200, "application/json", b'{"id": "chatcmpl-1", "choices": [')
        elif act.name == "error_body":
            self._write(200, "application/json", faults.ERROR_EVENT[6:-2])
        else:
            self._write(200, "application/json", body)
            if act.name == "stale":
                await asyncio.sleep(act.number("after", 0) / 1000)
                self.transport.close()

    def _chunk(self, data: bytes) -> None:
        self.transport.write(b"%x\r\n" % len(data) + data + b"\r\n")

    async def _stream(self, events: list[bytes], act: Act) -> None:
        self._write(200, "text/event-stream; charset=utf-8", None)
        if act.name == "bare_done":
            events.append(b"data: [DONE]")
        elif act.name != "no_done":
            events.append(b"data: [DONE]\n\n")
        if act.name in ("odd", "drip"):
            return await self._odd(b"".join(events), act)
        after, every = int(act.number("after", 3)), act.number("every", 0) / 1000
        for n, event in enumerate(events):
            if n == after and await self._broken_in_stream(event, act):
                return
            self._chunk(event)
            if every:
                await asyncio.sleep(every)
        if act.name == "no_end":
            await asyncio.Event().wait()
        self.transport.write(b"0\r\n\r\n")
        if act.name == "stale":
            self.transport.close()

    async def _broken_in_stream(self, event: bytes, act: Act) -> bool:
        if act.name in ("cut", "truncated", "garbage_stream"):
            await asyncio.sleep(0.02)  # what went before shall have arrived when the connection breaks
        match act.name:
            case "idle":
                await asyncio.Event().wait()
            case "cut":
                self._end(act)
            case "truncated":
                self.transport.write(b"%x\r\n" % len(event) + event[: len(event) // 2])
                self.transport.close()
            case "garbage_stream":
                self.transport.write(b"zz\r\n\xff\xfe not a chunk \r\n")
                self.transport.close()
            case "held":
                await self.vendor.hold()
                return False
            case "error_event":
                self._chunk(faults.ERROR_EVENT)
                self.transport.write(b"0\r\n\r\n")
            case "not_json":
                self._chunk(b'data: {"id": "chatcmpl-1", "choices": [\n\n')
                return False
            case _:
                return False
        return True

    async def _odd(self, data: bytes, act: Act) -> None:
        """The same events as the standard allows them: CRLF, comments, and chunk borders anywhere."""
        data = b": keep-alive\r\n\r\n" + data.replace(b"\n\n", b"\r\n\r\n").replace(b"data: {", b"event: x\r\ndata:{")
        step = int(act.number("step", 1 if act.name == "drip" else 7))
        for at in range(0, len(data), step):
            self._chunk(data[at : at + step])
            await asyncio.sleep(act.number("every", 0) / 1000)
        self.transport.write(b"0\r\n\r\n")

    def _models(self, rest: str) -> None:
        cards = [
            {"id": name, "object": "model", "created": answers.CREATED, "owned_by": "vendor"}
            for name in self.vendor.models
        ]
        wanted = rest.removeprefix("models").removeprefix("/")
        if not wanted:
            return self._json({"object": "list", "data": cards})
        found = [card for card in cards if card["id"] == wanted]
        if not found:
            raise answers.bad(f"The model '{wanted}' does not exist", "model", "model_not_found", 404)
        return self._json(found[0])

    def _control(self, seen: Seen) -> None:
        vendor = self.vendor
        if seen.path == "/_seen" and seen.method == "DELETE":
            vendor.seen.clear()
            return self._json({"ok": True})
        if seen.path == "/_seen":
            rows = [
                {"method": s.method, "target": s.target, "headers": s.headers, "body": s.body.decode()}
                for s in vendor.seen
            ]
            return self._json(rows)
        if seen.path == "/_script":
            order = seen.json()
            vendor.script(order["model"], *order["acts"])
            return self._json({"ok": True})
        return self._json({"requests": vendor.requests, "connections": len(vendor.connections)})


class Vendor:
    """The running server. Use it as a context manager (in a thread of this process) or `await run()` in a process.

    `on_arrival(seen)` runs in the server's thread at the instant a request has arrived, before any answer. A model is
    asked to behave by its name (`status;code=429`), by `aliases` (name -> behaviour) or by `script`.
    """

    def __init__(
        self,
        *,
        record: bool = True,
        port: int = 0,
        on_arrival: Callable[[Seen], Any] | None = None,
        tls: ssl.SSLContext | None = None,
        aliases: Mapping[str, str] | None = None,
        key: str | None = None,
        strict_models: bool = False,
        models: tuple[str, ...] = ("ok", "vendor-small"),
    ) -> None:
        self.record, self.port, self.on_arrival, self.tls, self.models = record, port, on_arrival, tls, models
        self.aliases, self.key, self.strict_models = aliases or {}, key, strict_models
        self.seen: list[Seen] = []
        self.mistakes: list[str] = []
        self.connections: set[_Connection] = set()
        self.accepted = self.requests = self.malformed = 0
        self._held: list[asyncio.Event] = []
        self.holds = 0  # streams that ever waited for `release`
        self._scripts: dict[str, deque[str]] = {}
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def script(self, model: str, *acts: str) -> None:
        """Behave like `acts`, one a request, for the next requests to `model`; then as its name says."""
        self._scripts[model] = deque(acts)

    async def hold(self) -> None:
        """Wait in the middle of a stream (`held;after=3`) until the test says `release`."""
        gate = asyncio.Event()
        self._held.append(gate)
        self.holds += 1
        await gate.wait()

    def release(self) -> None:
        """Let all streams that are held now go on."""

        async def let_go() -> None:
            while self._held:
                self._held.pop().set()

        self._call(let_go())

    def accepts(self, credential: str) -> bool:
        """Whether `credential` (`Bearer KEY` or `KEY`) is good; without a key of our own every one is."""
        return self.key is None or credential.removeprefix("Bearer ") == self.key

    def act_for(self, model: str) -> Act:
        waiting = self._scripts.get(model)
        return Act.parse(waiting.popleft() if waiting else self.aliases.get(model, model))

    async def listen(self) -> None:
        """Accept connections, on the port that was held before if there was one."""
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self.port))
        self.port = sock.getsockname()[1]
        self._server = await loop.create_server(self._connect, sock=sock, backlog=4096, ssl=self.tls)

    def _connect(self) -> _Connection:
        return _Connection(self, self.accepted)

    async def unlisten(self) -> None:
        """Refuse new connections and cut the present ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            connection.transport.abort()

    def refuse(self) -> None:
        self._call(self.unlisten())

    def accept(self) -> None:
        self._call(self.listen())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def __enter__(self) -> Vendor:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vendor", daemon=True)
        self._thread.start()
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None and self._thread is not None
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        await self.unlisten()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
