from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from freehold.core.call import Call
from freehold.core.errors import ConfigError, Unsupported
from freehold.engines.llama import parameters
from freehold.providers import KINDS, Outgoing, Settings, build, vendor
from freehold.providers.llamacpp import HONOURED
from freehold.wire.dialects import openai
from freehold.wire.origin import Origin

KEY = "sk-very-secret"


def provider(kind: str = "openai", **settings: Any) -> Any:
    return build(Settings(**{"name": "dep", "kind": kind, "model": "real", "key": KEY, **settings}))


def call(kind: Any = "chat", **members: Any) -> Call:
    usual: dict[str, Any] = {
        "chat": {"messages": [{"role": "user", "content": "hi"}]},
        "completion": {"prompt": "hi"},
        "embedding": {"input": "hi"},
    }[kind]
    return openai.parse(kind, json.dumps({"model": "public/name/x", **usual, **members}).encode())


def sent(outgoing: Outgoing) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(outgoing.body)
    return body


def headers(outgoing: Outgoing) -> dict[str, str]:
    assert outgoing.headers.endswith(b"\r\n")
    return dict(line.split(": ", 1) for line in outgoing.headers.decode().splitlines())  # type: ignore[misc]


def test_openai() -> None:
    got = provider(endpoint="https://api.example.com:8443/v1/").request(call(temperature=1, own="kept"))
    assert got.origin == Origin("https", "api.example.com", 8443) and got.target == b"/v1/chat/completions"
    assert sent(got) == {
        "model": "real",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 1,
        "own": "kept",
    }
    assert headers(got)["authorization"] == f"Bearer {KEY}" and headers(got)["content-type"] == "application/json"
    assert (got.sent, got.dropped, got.strip_usage) == ("real", (), False)


@pytest.mark.parametrize(("kind", "path"), [("completion", b"/completions"), ("embedding", b"/embeddings")])
def test_other_endpoints(kind: Any, path: bytes) -> None:
    assert provider(endpoint="http://h/v1").request(call(kind)).target == b"/v1" + path


def test_headers_and_query() -> None:
    got = provider(
        endpoint="http://h/a b", organization="org", project="proj", headers={"X-Own": "1"}, query={"v": "a&b"}
    ).request(call())
    said = headers(got)
    assert (said["openai-organization"], said["openai-project"], said["x-own"]) == ("org", "proj", "1")
    assert got.target == b"/a%20b/chat/completions?v=a%26b"


def test_no_key_no_header() -> None:
    assert "authorization" not in headers(provider(endpoint="http://h/v1", key=None).request(call()))


def test_the_public_name_below_a_wildcard_is_sent() -> None:
    got = provider(endpoint="http://h/v1", model="*").request(call())
    assert got.sent == "name/x" == sent(got)["model"]


def test_a_socket_may_be_the_endpoint() -> None:
    got = provider(endpoint="unix:/run/e.sock").request(call())
    assert got.origin == Origin("http", "localhost", 80, unix="/run/e.sock") and got.target == b"/v1/chat/completions"


def test_proxy_and_certificates_reach_the_origin() -> None:
    got = provider(endpoint="https://h/v1", proxy="http://p:3128", ca="/ca.pem", verify=False).request(call())
    assert got.origin == Origin("https", "h", 443, verify=False, ca="/ca.pem", proxy="http://p:3128")


@pytest.mark.parametrize(
    ("members", "options", "strip"),
    [
        ({"stream": True}, {"include_usage": True}, True),
        ({"stream": True, "stream_options": None}, {"include_usage": True}, True),
        (
            {"stream": True, "stream_options": {"include_usage": False, "include_obfuscation": False}},
            {"include_usage": True, "include_obfuscation": False},
            True,
        ),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"include_usage": True}, False),
        ({"stream": False}, None, False),
    ],
)
@pytest.mark.parametrize("kind", ["openai", "llamacpp"])
def test_a_stream_is_asked_for_its_usage(kind: str, members: dict[str, Any], options: Any, strip: bool) -> None:
    got = provider(kind, endpoint="http://h/v1").request(call(**members))
    assert sent(got).get("stream_options") == options and got.strip_usage is strip


def test_a_vendor_that_always_states_usage_is_not_asked() -> None:
    always = provider(endpoint="http://h/v1", stream_usage="always")
    for options in ({}, {"stream_options": {"include_usage": True}}):
        got = always.request(call(stream=True, **options))
        assert "stream_options" not in sent(got) and got.dropped == () and got.strip_usage is not bool(options)


def test_a_vendor_that_never_states_usage_loses_what_was_asked_for() -> None:
    never = provider(endpoint="http://h/v1", stream_usage="never")
    asked = call(stream=True, stream_options={"include_usage": True})
    with pytest.raises(Unsupported):
        never.request(asked)
    got = never.request(asked, "warn")
    assert got.dropped == ("stream_options",) and "stream_options" not in sent(got)
    assert "stream_options" not in sent(never.request(call(stream=True)))


@pytest.mark.parametrize("kind", ["openai", "azure", "llamacpp"])
def test_what_cannot_be_honoured_is_refused_or_named(kind: str) -> None:
    strict = provider(kind, endpoint="http://h/v1", unsupported=frozenset({"seed", "logit_bias"}))
    with pytest.raises(Unsupported) as caught:
        strict.request(call(seed=1, temperature=0))
    assert caught.value.param == "seed" and "dep" in caught.value.message and caught.value.status == 400
    got = strict.request(call(seed=1, logit_bias={"5": 1}, temperature=0), "warn")
    assert got.dropped == ("seed", "logit_bias") and {"seed", "logit_bias"}.isdisjoint(sent(got))
    lenient = provider(kind, endpoint="http://h/v1", unsupported=frozenset({"seed"}), on_loss="warn")
    assert lenient.request(call(seed=1)).dropped == ("seed",)
    with pytest.raises(Unsupported):
        lenient.request(call(seed=1), "strict")


def test_what_asks_for_nothing_is_left_out_in_silence() -> None:
    groq = provider(endpoint="groq")
    got = groq.request(call(n=1, logprobs=False, logit_bias=None))
    assert got.dropped == () and {"n", "logprobs", "logit_bias"}.isdisjoint(sent(got))
    with pytest.raises(Unsupported):
        groq.request(call(n=2))


def test_the_bound_on_output_takes_the_name_that_the_vendor_knows() -> None:
    old = provider(endpoint="http://h/v1", max_tokens="max_tokens").request(call(max_completion_tokens=5))
    new = provider(endpoint="openai").request(call(max_tokens=5))
    legacy = provider(endpoint="openai").request(call("completion", max_tokens=5))
    same = provider(endpoint="http://h/v1").request(call(max_completion_tokens=5))
    assert sent(old)["max_tokens"] == 5 and "max_completion_tokens" not in sent(old) and old.dropped == ()
    assert sent(new)["max_completion_tokens"] == 5 and "max_tokens" not in sent(new)
    assert sent(legacy)["max_tokens"] == 5 and sent(same)["max_completion_tokens"] == 5


def test_vendors_by_name() -> None:
    got = provider(endpoint="xai", model="*").request(call())
    assert got.origin == Origin("https", "api.x.ai", 443) and got.target == b"/v1/chat/completions"
    assert provider("mistral").request(call()).origin == Origin("https", "api.mistral.ai", 443)
    said = headers(provider(endpoint="portkey").request(call()))
    assert said["x-portkey-api-key"] == KEY and "authorization" not in said


def test_azure() -> None:
    got = provider("azure", endpoint="https://r.openai.azure.com/", model="my dep").request(call())
    assert got.target == b"/openai/deployments/my%20dep/chat/completions?api-version=2024-10-21"
    assert headers(got)["api-key"] == KEY and "authorization" not in headers(got) and got.sent == "my dep"


@pytest.mark.parametrize(
    ("endpoint", "version", "target"),
    [
        ("https://r", "2025-04-01-preview", "/openai/deployments/real/chat/completions?api-version=2025-04-01-preview"),
        ("https://r", "v1", "/openai/v1/chat/completions"),
        ("https://r/openai/v1/", None, "/openai/v1/chat/completions"),
        ("https://r/openai", "preview", "/openai/v1/chat/completions?api-version=preview"),
        ("https://r/a/b", None, "/a/b/openai/deployments/real/chat/completions?api-version=2024-10-21"),
    ],
)
def test_azures_paths(endpoint: str, version: str | None, target: str) -> None:
    got = provider("azure", endpoint=endpoint, api_version=version).request(call())
    assert got.target.decode() == target and got.body.startswith(b'{"model":"real"')


def test_azure_takes_the_deployment_that_the_client_names() -> None:
    got = provider("azure", endpoint="https://r", model="*").request(call())
    assert got.target == b"/openai/deployments/name%2Fx/chat/completions?api-version=2024-10-21"


def test_azure_with_a_bearer_token() -> None:
    said = headers(provider("azure", endpoint="https://r", bearer=True).request(call()))
    assert said["authorization"] == f"Bearer {KEY}" and "api-key" not in said


def test_llamacpp() -> None:
    got = provider("llamacpp", key=None).request(call(temperature=0, web_search_options=None))
    assert got.origin is None and got.target == b"/v1/chat/completions" and got.sent == "real"
    assert sent(got) == {"model": "real", "messages": [{"role": "user", "content": "hi"}], "temperature": 0}
    with pytest.raises(Unsupported) as caught:
        provider("llamacpp").request(call(web_search_options={}))
    assert caught.value.param == "web_search_options"


def test_the_engine_honours_what_is_sent_to_it() -> None:
    assert HONOURED == {"chat": parameters.CHAT, "completion": parameters.COMPLETION, "embedding": parameters.EMBEDDING}


def judged(text: str = "words") -> Call:
    fields = {"model": Raw(b'"m"'), "input": Raw(json.dumps(text).encode())}
    return Call("c", "openai", "moderation", "m", fields, 20)


def test_a_moderation_endpoint() -> None:
    got = provider(endpoint="https://api.example.com/v1").request(judged())
    assert got.target == b"/v1/moderations" and sent(got) == {"model": "real", "input": "words"}


def test_content_safety() -> None:
    got = provider("contentsafety", endpoint="https://x.cognitiveservices.azure.com/").request(judged())
    assert got.target == b"/contentsafety/text:analyze?api-version=2024-09-01"
    assert headers(got)["ocp-apim-subscription-key"] == KEY and "authorization" not in headers(got)
    assert sent(got)["text"] == "words" and sent(got)["outputType"] == "FourSeverityLevels"
    assert headers(provider("contentsafety", endpoint="https://x", bearer=True).request(judged()))["authorization"]
    with pytest.raises(Unsupported):
        provider("contentsafety", endpoint="https://x").request(call())


def test_our_own_engine_judges_nothing() -> None:
    with pytest.raises(Unsupported):
        provider("llamacpp").request(judged())


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_secrets_never_show(kind: str) -> None:
    settings = Settings(name="d", kind=kind, model="m", endpoint="http://h/v1", key=KEY)
    got = build(settings).request(judged() if kind == "contentsafety" else call())
    for shown in (settings, build(settings), got):
        assert KEY not in repr(shown) and KEY not in str(shown)
    assert KEY.encode() not in got.body


@pytest.mark.parametrize(
    "settings",
    [
        {"endpoint": "not a vendor"},
        {"endpoint": "ftp://h/v1"},
        {"endpoint": "http://h:99999/v1"},
        {"endpoint": "cloudflare"},
        {"kind": "azure", "endpoint": None},
        {"kind": "nosuch"},
        {"endpoint": "http://h/v1", "key": "a\r\nx: y"},
        {"endpoint": "http://h/v1", "key": "ключ"},
        {"endpoint": "http://h/v1", "headers": {"a b": "c"}},
    ],
)
def test_wrong_settings_are_refused_without_showing_the_key(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        provider(**settings)
    assert caught.value.hint and "ключ" not in str(caught.value) and "x: y" not in str(caught.value)


def test_a_vendor_by_account_takes_its_address_from_the_settings() -> None:
    assert "{" in (vendor("cloudflare") or pytest.fail()).base_url
    with pytest.raises(ConfigError, match="differs by account"):
        provider("cloudflare")
