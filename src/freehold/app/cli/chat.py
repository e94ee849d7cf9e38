"""`chat`: a small chat in the terminal, a client of the door like any other. Knows HTTP and the OpenAI stream."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from freehold.app.cli import arguments

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection, HTTPResponse

    from freehold.app.cli.parser import Commands, Context
    from freehold.core.errors import FreeholdError


def register(commands: Commands) -> None:
    parser = commands.add(
        "chat", chat, "chat with a model through the door", "The key is taken from FREEHOLD_KEY or asked for."
    )
    parser.add_argument(
        "prompt", nargs="*", help="ask this and leave; without it, or with `-`, read from the terminal or a pipe"
    )
    parser.add_argument("--model", "-m", help="route or deployment (default: the first chat model)")
    parser.add_argument("--system", "-s", help="system message")
    parser.add_argument("--url", help="the door (default: FREEHOLD_URL, then [server] listen)")
    parser.add_argument("--ca", metavar="FILE", help="PEM file with the certificate authority of the door to trust")
    parser.add_argument("--max-tokens", type=arguments.positive, help="longest answer, tokens")


def chat(context: Context) -> int:
    args = context.args
    url = _url(context)
    door = Door(url, _key(context), _ca(context, url))
    model = args.model or door.first_model()
    messages: list[dict[str, str]] = [{"role": "system", "content": args.system}] if args.system else []
    prompt = " ".join(args.prompt)
    if prompt in ("", "-") and not sys.stdin.isatty():
        prompt = sys.stdin.read().strip()
    if prompt and prompt != "-":
        _turn(context, door, model, messages, prompt)
        return 0
    context.talk.say(f"{model} at {door.url}; an empty line or ctrl-d leaves")
    while True:
        try:
            prompt = input("> ").strip()
        except EOFError:
            print()
            return 0
        if not prompt:
            return 0
        _turn(context, door, model, messages, prompt)


def _turn(context: Context, door: Door, model: str, messages: list[dict[str, str]], prompt: str) -> None:
    messages.append({"role": "user", "content": prompt})
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if context.args.max_tokens:
        body["max_completion_tokens"] = context.args.max_tokens
    text, usage = "", None
    response = door.post("/v1/chat/completions", body)
    for event in events(response):
        usage = event.get("usage") or usage
        for choice in event.get("choices") or ():
            piece = choice.get("delta", {}).get("content") or ""
            text += piece
            if not context.talk.json:
                print(piece, end="", flush=True)
    messages.append({"role": "assistant", "content": text})
    deployment = response.headers.get("x-freehold-deployment")
    if context.talk.json:
        context.talk.result({"model": model, "deployment": deployment, "content": text, "usage": usage})
    else:
        print()
        if usage:
            context.talk.say(f"({deployment or model}, {usage['prompt_tokens']} + {usage['completion_tokens']} tokens)")


class Door:
    """The door as seen by a client. Raises ConnectFailed or UpstreamRejected with what the door said."""

    def __init__(self, url: str, key: str, ca: str | None) -> None:
        self.url = url.rstrip("/")
        self._key = key
        self._ca = ca

    def first_model(self) -> str:
        """Return the first model that chats."""
        models = json.loads(self._send("GET", "/v1/models", None).read())["data"]
        names = [model["id"] for model in models]
        chats = [model["id"] for model in models if _chats(model)]
        if not chats:
            from freehold.core.errors import NotFound

            raise NotFound(
                "this key reaches no chat model", hint=f"name one with --model; known: {', '.join(names) or 'none'}"
            )
        return str(chats[0])

    def post(self, path: str, body: dict[str, Any]) -> HTTPResponse:
        return self._send("POST", path, json.dumps(body).encode())

    def _send(self, method: str, path: str, body: bytes | None) -> HTTPResponse:
        import ssl

        from freehold.core.errors import ConnectFailed

        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        connection = self._connection()
        try:
            connection.request(method, self._path(path), body, headers)
            response = connection.getresponse()
        except ssl.SSLError as e:
            raise _untrusted(self.url, e) from e
        except OSError as e:
            raise ConnectFailed(
                f"{self.url} does not answer: {e}", hint="start it with `freehold up` or `freehold serve`"
            ) from e
        if response.status != 200:
            raise _refused(response.status, response.read())
        return response

    def _path(self, path: str) -> str:
        from urllib.parse import urlsplit

        return urlsplit(self.url).path.rstrip("/") + path

    def _connection(self) -> HTTPConnection:
        import http.client
        import ssl
        from urllib.parse import urlsplit

        from freehold.core.errors import ConfigError

        parts = urlsplit(self.url)
        if parts.scheme == "https":
            try:
                trust = ssl.create_default_context(cafile=self._ca)
            except ssl.SSLError as e:
                raise ConfigError(f"{self._ca} holds no certificate", hint="name a PEM file") from e
            return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=600, context=trust)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=600)


def _untrusted(url: str, error: ssl.SSLError) -> FreeholdError:
    """Return what is wrong with the door's certificate, or with speaking TLS to it."""
    import ssl

    from freehold.core.errors import ConnectFailed

    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectFailed(
            f"the certificate of {url} is not trusted: {error.verify_message}",
            hint="name the file of its authority, or the certificate itself when it is self-signed: --ca cert.pem",
        )
    return ConnectFailed(f"{url} does not speak TLS: {error.reason}", hint="write http:// if it has no certificate")


def _refused(status: int, body: bytes) -> FreeholdError:
    """Return what the door said. What is wrong with the call itself is the caller's; a busy or failing door is not."""
    from freehold.core.errors import NotFound, Refused, Unauthenticated, UpstreamRejected

    try:
        said = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        said = body[:200].decode("utf-8", "replace")
    message = f"the door says {status}: {said}"
    if status == 401:
        return Unauthenticated(message, hint="set FREEHOLD_KEY to a key of `freehold keys create`")
    if status == 404:
        return NotFound(message, hint="leave --model out to take the first model, or see GET /v1/models")
    kind = Refused if status < 500 and status != 429 else UpstreamRejected
    return kind(message, status=status, hint="`freehold status` says how the engines are" if status >= 500 else "")


def events(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    """Yield the events of a stream. Raises UpstreamBroken when it carries an error or ends without its closing mark."""
    from freehold.core.errors import UpstreamBroken

    for line in response:
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            return
        event: dict[str, Any] = json.loads(data)
        if "error" in event:
            raise UpstreamBroken(str(event["error"].get("message", event["error"])), hint="ask again")
        yield event
    raise UpstreamBroken("the answer broke off", hint="ask again; `freehold status` says how the engines are")


def _chats(model: dict[str, Any]) -> bool:
    """Whether a model of the listing chats, as far as its capabilities are known; `name/*` is no model by itself."""
    capabilities = model.get("freehold", {}).get("capabilities")
    return not model["id"].endswith("/*") and (capabilities is None or "chat" in capabilities)


def _url(context: Context) -> str:
    from freehold.app.first_run import base_url

    return context.args.url or context.environment.get("FREEHOLD_URL") or base_url(context.config)


def _key(context: Context) -> str:
    key = context.environment.get("FREEHOLD_KEY")
    if key is None and sys.stdin.isatty():
        key = getpass.getpass("key: ")
    if not key:
        from freehold.core.errors import ConfigError

        raise ConfigError(
            "no key to show to the door", hint="export FREEHOLD_KEY=..., from `freehold keys create NAME`"
        )
    return key.strip()


def _ca(context: Context, url: str) -> str | None:
    """Return the file with the authority to trust. Raises NotFound when --ca names none."""
    import os

    if context.args.ca is not None:
        if not os.path.isfile(context.args.ca):
            from freehold.core.errors import NotFound

            raise NotFound(f"there is no file {context.args.ca}", hint="name the PEM file of the door's certificate")
        return str(context.args.ca)
    if context.args.url or context.environment.get("FREEHOLD_URL") or not url.startswith("https:"):
        return None
    tls = context.config.server.tls
    return str(tls.cert) if tls is not None else None
