"""A small door for the tests of its clients: real HTTP on loopback, answers as the real one gives them."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEY = "fh-test"
MODELS = [
    {"id": "all-minilm-l6-v2", "freehold": {"capabilities": ["embedding"]}},
    {"id": "xai/*", "freehold": {"capabilities": None}},
    {"id": "smollm2-135m-instruct", "freehold": {"capabilities": ["chat", "stream"]}},
]


class Handler(BaseHTTPRequestHandler):
    """Answers the listing and chats; the prompts `break` and `fail` end a stream as their names say."""

    calls: list[dict[str, Any]]

    def do_GET(self) -> None:
        if self._known():
            self._json(200, {"object": "list", "data": MODELS})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.calls.append(body)
        if not self._known():
            return
        if body["model"] == "nobody":
            self._json(404, {"error": {"message": "no model is called 'nobody'"}})
            return
        prompt = body["messages"][-1]["content"]
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": f"whole: {prompt}"}}
            self._json(200, {"choices": [choice], "usage": usage})
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("x-freehold-deployment", "own")
        self.end_headers()
        self._event({"choices": [{"index": 0, "delta": {"content": "said: "}}]})
        if prompt == "fail":
            self._event({"error": {"message": "the engine died"}})
        if prompt in ("fail", "break"):
            return
        self._event({"choices": [{"index": 0, "delta": {"content": prompt}}]})
        self._event({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, event: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _known(self) -> bool:
        if self.headers.get("authorization") == f"Bearer {KEY}":
            return True
        self._json(401, {"error": {"message": "this API key is not known here"}})
        return False

    def _json(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep stderr for what is tested."""


class Quiet(ThreadingHTTPServer):
    """Clients that do not trust us, or speak TLS to a door without it, are what some tests are about."""

    def handle_error(self, *_: Any) -> None:
        pass


@contextmanager
def open_door(certificate: Path | None = None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the address and the list of bodies that were posted; over TLS with a file of certificate and key."""
    handler = type("Here", (Handler,), {"calls": []})
    with Quiet(("127.0.0.1", 0), handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}", handler.calls
        finally:
            server.shutdown()
            thread.join()
