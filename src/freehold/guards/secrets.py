"""Keys, tokens, passwords and private keys by the forms of those who issue them. Pure.

A form with a prefix of its own is taken by the prefix, its alphabet and its length. What has no form (a password, an
older cloud key) is taken where it is assigned to a name that says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from freehold.guards.finding import Finding

_BEGIN: Final = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_END: Final = re.compile(r"-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")

_GATE: Final = b"a" * 16
_ALPHABET: Final = bytes(
    ord("a")
    if chr(i).isascii() and (chr(i).isalnum() or chr(i) in "_-")
    else ord(".")
    if chr(i) in ".~:="
    else ord(" ")
    for i in range(256)
)
"""Letters and digits of keys; what may join their parts; the rest."""

W, U = "[A-Za-z0-9_-]", "[A-Za-z0-9]"
_ISSUED: Final = re.compile(
    rf"""(?<![A-Za-z0-9])(?:
      (?P<anthropic>sk-ant-{W}{{20,}}+)
    | (?P<openrouter>sk-or-{W}{{20,}}+)
    | (?P<openai>sk-(?:proj|svcacct|admin|None)-{W}{{20,}}+ | sk-{U}{{20}}T3BlbkFJ{U}{{20}} | sess-{U}{{40}}(?!{W}))
    | (?P<langfuse>[sp]k-lf-[0-9a-f-]{{36}})
    | (?P<sk>sk-{W}{{20,}}+)                                   # DeepSeek, Moonshot, LiteLLM and others
    | (?P<freehold>fh-{W}{{20,}}+)
    | (?P<xai>xai-{W}{{20,}}+) | (?P<perplexity>pplx-{W}{{20,}}+) | (?P<nvidia>nvapi-{W}{{20,}}+)
    | (?P<groq>gsk_{U}{{30,}}+) | (?P<huggingface>(?:hf|api_org)_{U}{{30,}}+) | (?P<replicate>r8_{U}{{37,}}+)
    | (?P<fireworks>fw_{U}{{20,}}+) | (?P<together>tgp_v1_{W}{{40,}}+) | (?P<cerebras>csk-{U}{{40,}}+)
    | (?P<langsmith>lsv2_(?:pt|sk)_[0-9a-f]{{32}}_[0-9a-f]{{10}}) | (?P<tavily>tvly-{W}{{20,}}+)
    | (?P<pinecone>pcsk_{W}{{40,}}+)
    | (?P<github>gh[opsur]_{U}{{30,}}+ | github_pat_[A-Za-z0-9_]{{50,}}+)
    | (?P<gitlab>gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct)-{W}{{20,}}+ | GR1348941{W}{{20,}}+)
    | (?P<aws>(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{{16}}(?!{U}) | ABSK{U}{{100,}}+={{0,2}})
    | (?P<google>AIza[A-Za-z0-9_-]{{35}}(?!{W}) | GOCSPX-{W}{{28}}(?!{W}) | AQ\.Ab{W}{{40,}}+ | ya29\.{W}{{30,}}+)
    | (?P<azure>{U}{{50,54}}JQQJ99{U}{{20,28}}(?!{U}) | [A-Za-z0-9_~.]{{3}}\dQ~[A-Za-z0-9_~.-]{{31,34}})
    | (?P<slack>xox[abceoprs]-{W}{{10,}}+ | xapp-\d-{W}{{20,}}+)
    | (?P<stripe>(?:sk|rk)_(?:live|test|prod)_{U}{{16,}}+ | whsec_{U}{{30,}}+)
    | (?P<square>sq0(?:atp|csp|idp)-{W}{{22,}}+ | EAAA{W}{{60}}(?!{W}))
    | (?P<shopify>shp(?:at|ca|pa|ss)_[0-9a-fA-F]{{32}}) | (?P<twilio>S[KC][0-9a-f]{{32}}(?!{U}))
    | (?P<sendgrid>SG\.{W}{{20,24}}\.{W}{{39,50}}) | (?P<mailgun>key-[0-9a-f]{{32}}(?!{U}))
    | (?P<mailchimp>[0-9a-f]{{32}}-us\d{{1,2}}(?!{W})) | (?P<brevo>xkeysib-[0-9a-f]{{64}}-{U}{{16}})
    | (?P<npm>npm_{U}{{36,}}+) | (?P<pypi>pypi-AgEIcHlwaS5vcmc{W}{{50,}}+) | (?P<docker>dckr_(?:pat|oat)_{W}{{20,}}+)
    | (?P<rubygems>rubygems_[0-9a-f]{{48}}) | (?P<crates>cio{U}{{32}}(?!{W}))
    | (?P<digitalocean>do[opr]_v1_[0-9a-f]{{64}}) | (?P<heroku>HRKU-{W}{{30,}}+) | (?P<flyio>fm[12][ar]?_{W}{{60,}}+)
    | (?P<vercel>vc[aikpr]_{U}{{20,}}+) | (?P<netlify>nf[pcoub]_{U}{{36,}}+)
    | (?P<supabase>sb[ps]_(?:secret_)?{W}{{20,}}+)
    | (?P<planetscale>pscale_(?:tkn|pw|oauth)_{W}{{32,}}+) | (?P<cloudflare>v1\.0-[0-9a-f]{{24}}-[0-9a-f]{{100,}}+)
    | (?P<hashicorp>hv[sbr]\.{W}{{24,}}+ | {U}{{14}}\.atlasv1\.{W}{{60,}}+) | (?P<pulumi>pul-[0-9a-f]{{40}})
    | (?P<databricks>dapi[0-9a-f]{{32}}(?:-\d)?(?!{W})) | (?P<grafana>gl(?:sa|c)_{W}{{32,}}+)
    | (?P<newrelic>NR(?:AK|AL|II|JS|BR|RA)-{W}{{19,}}+) | (?P<sentry>sntr(?:ys|yu)_[A-Za-z0-9+/=_-]{{40,}}+)
    | (?P<dynatrace>dt0[a-z]\d{{2}}\.[A-Z0-9]{{24}}\.[A-Z0-9]{{64}}) | (?P<postman>PMAK-[0-9a-f]{{24}}-[0-9a-f]{{34}})
    | (?P<linear>lin_(?:api|oauth)_{U}{{32,}}+) | (?P<notion>ntn_{U}{{40,}}+ | secret_{U}{{43}}(?!{W}))
    | (?P<atlassian>ATATT3{W}{{50,}}+ | ATCTT3{W}{{50,}}+ | ATBB{U}{{28,}}+) | (?P<figma>fig[dou]_{W}{{36,}}+)
    | (?P<airtable>pat{U}{{14}}\.[0-9a-f]{{64}}) | (?P<doppler>dp\.(?:pt|st|ct|sa|scim|audit)\.{W}{{30,}}+)
    | (?P<discord>[MNO]{W}{{23,27}}\.{W}{{6}}\.{W}{{27,38}}(?!{W})) | (?P<telegram>\d{{8,10}}:AA{W}{{33}}(?!{W}))
    | (?P<age>AGE-SECRET-KEY-1[0-9A-Z]{{58}})
    | (?P<onepassword>ops_eyJ{W}{{200,}}+ | A3-[A-Z0-9]{{6}}-[A-Z0-9-]{{25,32}})
    | (?P<artifactory>AKCp{U}{{69}} | cmVmd{U}{{59}}) | (?P<openshift>sha256~{W}{{43}}(?!{W}))
    | (?P<adobe>p8e-{U}{{32}}) | (?P<clickhouse>4b1d{U}{{38}}(?!{W})) | (?P<clojars>CLOJARS_{U}{{60}})
    | (?P<duffel>duffel_(?:test|live)_{W}{{43}}) | (?P<easypost>EZ[AT]K{U}{{54}}) | (?P<facebook>EAA[MC]{U}{{100,}}+)
    | (?P<flutterwave>FLWSECK(?:_TEST)?-{U}{{12,}}+) | (?P<frameio>fio-u-{W}{{64}}) | (?P<infracost>ico-{U}{{32}})
    | (?P<harness>[ps]at\.{W}{{22}}\.{U}{{24}}\.{U}{{20}}) | (?P<maxmind>{U}{{6}}_{U}{{29}}_mmk)
    | (?P<octopus>API-[A-Z0-9]{{26}}(?!{W})) | (?P<prefect>pn[ub]_{U}{{36}}) | (?P<readme>rdme_[a-z0-9]{{70}})
    | (?P<scalingo>tk-us-{W}{{48}}) | (?P<shippo>shippo_(?:live|test)_{U}{{40}}) | (?P<sourcegraph>sgp_{W}{{40,}}+)
    | (?P<alibaba>LTAI{U}{{16,26}}(?!{U})) | (?P<tencent>AKID{U}{{32}}(?!{U})) | (?P<yandex>AQVN{W}{{35,38}}(?!{W}))
    )""",
    re.VERBOSE,
)
_JWT: Final = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+\.eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*+")
_DIGIT: Final = re.compile(r"\d")

_LOGIN: Final = re.compile(r"://(?P<user>[^\s/:@\"'<>]{0,128}):(?P<password>[^\s/@\"'<>]{1,256})@(?=[A-Za-z0-9\[])")
"""A login in a URL: postgres://ann:s3cret@host/. Found from the name to the @."""

_STANDS_FOR_ONE: Final = re.compile(r"pass(?:word|wd)?|pwd|secret|token|x+|\*+|\.+|[<{$%].*", re.IGNORECASE)

_HINTS: Final = (
    "passwor", "passwd", "passphrase", "_pass", "pwd", "kennwort", "secret", "token", "credential", "key", "bearer",
)  # fmt: skip
_PASSWORDS: Final = frozenset(_HINTS[:6])
_KEY_OF: Final = re.compile(
    r"(?:api|access|account|auth|secret|private|shared|signing|subscription|encryption|master|license)[_ .-]?$",
    re.IGNORECASE,
)
_GIVEN: Final = re.compile(
    r"""(?:[_-]?[A-Za-z0-9]{1,16}){0,2}["'\]]{0,2}
    (?:[ \t]{0,3}(?:=>|:=|==?|:|\bis\b)[ \t]{0,3})["'`]?
    (?P<value>[^\s"'`<>,;&(){}\[\]$%*]{6,200}+)(?![({\[*<])""",
    re.VERBOSE,
)
_BEARER: Final = re.compile(r"(?:bearer|token|basic)[ ](?P<value>[A-Za-z0-9+/_.~=-]{16,}+)", re.IGNORECASE)
"""A value given to a name that says what it is: password=..., "api_key": "...", Authorization: Bearer ..."""
_PLACEHOLDER: Final = re.compile(
    r"://|your|example|changeme|placeholder|dummy|redacted|secret|passw|token|xxx|\.\.\.|env\b|environ|self\.|config|todo|none|null"
    r"|(.)\1{5}",
    re.IGNORECASE,
)
_IDENTIFIER: Final = re.compile(r"[A-Za-z_./:-]+|[\d.,:/-]+")
"""A word, a name of a program or a number: what is no password that one should have."""
_HOOK: Final = re.compile(r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<value>[A-Za-z0-9+/_-]{20,}+)")
_QUERY: Final = re.compile(r"[?&](?:sig|X-Amz-Signature|X-Goog-Signature)=(?P<value>[A-Za-z0-9%+/_-]{32,}+)")


def find_secrets(text: str, raw: bytes) -> Iterator[Finding]:
    """Yield the secrets of a text in no order; they may overlap. `raw`: the text with a byte for each character."""
    if "-----BEGIN" in text:
        yield from _private_keys(text)
    if "@" in text and "://" in text:
        for match in _LOGIN.finditer(text):
            if _STANDS_FOR_ONE.fullmatch(match["password"]) is None:
                yield Finding("SECRET", match.start("user"), match.end(), "password")
    if "hooks.slack" in text:
        for match in _HOOK.finditer(text):
            yield Finding("SECRET", *match.span("value"), "slack")
    letters = raw.translate(_ALPHABET)
    if _GATE in letters:
        yield from _issued(text, letters)
    low = text.lower()
    if "?" in text and ("sig=" in low or "signature=" in low):
        for match in _QUERY.finditer(text):
            yield Finding("SECRET", *match.span("value"), "signature")
    if (
        "pass" in low
        or "pwd" in low
        or "secret" in low
        or "token" in low
        or "key" in low
        or "bearer" in low
        or "credential" in low
        or "kennwort" in low
    ):
        yield from _assigned(text, low)


def _private_keys(text: str) -> Iterator[Finding]:
    """One that does not end is taken to the end of the text, so that a key in a body that was cut short is not kept;
    and so no beginning is searched from twice."""
    at = 0
    while (begin := _BEGIN.search(text, at)) is not None:
        end = _END.search(text, begin.end())
        at = end.end() if end is not None else len(text)
        yield Finding("SECRET", begin.start(), at, "private key")


def _issued(text: str, letters: bytes) -> Iterator[Finding]:
    """Keys by their forms: in words with sixteen characters in a row, which no words of a language have."""
    at = letters.find(_GATE)
    while at >= 0:
        start = letters.rfind(b" ", max(0, at - 256), at) + 1 or max(0, at - 256)
        end = letters.find(b" ", at)
        if end < 0:
            end = len(text)
        for match in _ISSUED.finditer(text, start, end):
            if random(match[0]):
                yield Finding("SECRET", *match.span(), match.lastgroup or "")
        at = letters.find(_GATE, end)
    if "eyJ" in text:
        for match in _JWT.finditer(text):
            yield Finding("SECRET", *match.span(), "jwt")


def _assigned(text: str, low: str) -> Iterator[Finding]:
    if len(low) != len(text):
        return
    for hint in _HINTS:
        at = low.find(hint)
        while at >= 0:
            found = _value(text, at, hint)
            if found is not None:
                yield found
            at = low.find(hint, at + len(hint))


def _value(text: str, at: int, hint: str) -> Finding | None:
    """What is given to the name that has `hint` in it at `at`, if it looks secret."""
    if hint == "key" and _KEY_OF.search(text[max(0, at - 14) : at]) is None:
        return None
    match = _GIVEN.match(text, at + len(hint)) or _BEARER.match(text, at)
    if match is None:
        return None
    value = match["value"].rstrip(".:!?")
    if hint in _PASSWORDS:
        taken = len(value) >= 6
    else:
        taken = len(value) >= 16 and _DIGIT.search(value) is not None and len(set(value)) >= 10
    if not taken or _IDENTIFIER.fullmatch(value) or _PLACEHOLDER.search(value):
        return None
    start = match.start("value")
    return Finding("SECRET", start, start + len(value), "password" if hint in _PASSWORDS else "assigned")


def random(found: str) -> bool:
    """Return whether it looks drawn by lot: digits, or letters of both cases. A long hyphened name has neither."""
    return _DIGIT.search(found) is not None or not (found.islower() or found.isupper())
