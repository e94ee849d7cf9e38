from __future__ import annotations

import random
import re

import pytest

from freehold.core.ids import new_secret
from freehold.guards.find import find

SIGNS = {"A": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "h": "0123456789abcdef",
         "d": "0123456789", "U": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"}  # fmt: skip
FORMS = [
    ("anthropic", "sk-ant-api03-{A93}AA"), ("openai", "sk-proj-{A74}T3BlbkFJ{A74}"),
    ("openai", "sk-{A20}T3BlbkFJ{A20}"),
    ("openrouter", "sk-or-v1-{h64}"), ("sk", "sk-{h32}"), ("xai", "xai-{A80}"), ("groq", "gsk_{A52}"),
    ("huggingface", "hf_{A34}"), ("replicate", "r8_{A37}"), ("perplexity", "pplx-{A48}"), ("nvidia", "nvapi-{A64}"),
    ("github", "ghp_{A36}"), ("github", "github_pat_{A22}_{A59}"), ("gitlab", "glpat-{A20}"), ("aws", "AKIA{U16}"),
    ("google", "AIza{A35}"), ("google", "GOCSPX-{A28}"), ("google", "ya29.{A60}"), ("slack", "xoxb-{d12}-{d13}-{A24}"),
    ("stripe", "sk_live_{A24}"), ("stripe", "whsec_{A32}"), ("twilio", "SK{h32}"), ("sendgrid", "SG.{A22}.{A43}"),
    ("npm", "npm_{A36}"), ("pypi", "pypi-AgEIcHlwaS5vcmc{A120}"), ("docker", "dckr_pat_{A27}"),
    ("digitalocean", "dop_v1_{h64}"), ("shopify", "shpat_{h32}"), ("databricks", "dapi{h32}"),
    ("hashicorp", "hvs.{A90}"),
    ("azure", "{A52}JQQJ99{A26}"), ("discord", "MT{A22}.{A6}.{A38}"), ("telegram", "{d10}:AA{A33}"),
    ("mailchimp", "{h32}-us12"), ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJ{A40}.{A43}"),
]  # fmt: skip


def drawn(form: str, lot: random.Random) -> str:
    return re.sub(r"\{(\w)(\d+)\}", lambda match: "".join(lot.choices(SIGNS[match[1]], k=int(match[2]))), form)


@pytest.mark.parametrize(("issuer", "form"), FORMS, ids=[form.partition("{")[0] or issuer for issuer, form in FORMS])
def test_keys_by_their_issuers_form(issuer: str, form: str) -> None:
    lot = random.Random(form)
    for template in ("I use {} for it", "{}", 'headers = {"x": "{}"}', "https://example.com/?q={}&x=1"):
        key = drawn(form, lot)
        text = template.replace("{}", key)
        (found,) = find(text)
        assert (found.kind, found.note, text[found.start : found.end]) == ("SECRET", issuer, key)


def test_our_own_keys() -> None:
    for _ in range(100):
        key = new_secret("fh")
        (found,) = find(f"Bearer {key}.")
        assert (found.note, found.end - found.start) == ("freehold", len(key))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("password = 'tr0ub4dor&3'", "tr0ub4dor"),
        ("DB_PASSWORD=Xk29fLq8", "Xk29fLq8"),
        ('{"password": "correct-Horse7"}', "correct-Horse7"),
        ("Server=db;User Id=sa;Password=Xk29!fLq8;", "Xk29!fLq8"),
        ("My password is Xk29fLq8.", "Xk29fLq8"),
        ("Passwort: Xk29fLq8", "Xk29fLq8"),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYq7Lw2v9Hs1",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYq7Lw2v9Hs1",
        ),
        ('api_key: "0123456789abcdef0123456789abcdef"', "0123456789abcdef0123456789abcdef"),
        ("Authorization: Bearer 8f3kd93jxq0w7bvm2aztl", "8f3kd93jxq0w7bvm2aztl"),
        ("DefaultEndpointsProtocol=https;AccountKey=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=;", "Zm9vYmFy"),
        ("postgres://ann:s3cret@db.example/x", "ann:s3cret@"),
        ("redis://:s3cret@db.example/0", ":s3cret@"),
        ("https://x.blob.core.windows.net/c?sv=1&sig=Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56%3D", "Ab12Cd34"),
        ("https://hooks.slack.com/services/T00000000/B00000000/Ab12Cd34Ef56Gh78Ij90Kl12", "T00000000/B00000000"),
    ],
)
def test_passwords_and_what_is_assigned(text: str, value: str) -> None:
    found = [text[each.start : each.end] for each in find(text) if each.kind == "SECRET"]
    assert len(found) == 1
    assert found[0].startswith(value)


@pytest.mark.parametrize(
    "text",
    [
        "password = get_password(user)",
        "password: str = field(default='')",
        "The password is required and must be long.",
        "token = tokenizer.encode(text)",
        "API_KEY=your-api-key-goes-here-1234",
        "password = os.environ['DB_PASSWORD']",
        "sk-learn-and-its-many-friends are a-very-long-hyphened-name",
        "the key is under the mat, and the secret is kept",
        "https://user:password@host/ and https://user:$PASS@host/",
        "max_tokens: 4096, token_count=12345678901234567890",
        "commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        "task-force_with_a_long_name and SCREAMING_SNAKE_CASE_NAME",
        "secret: {{ vault_secret }} and ${SECRET_TOKEN_VALUE_1}",
        "url = 'http://127.0.0.1:8080', token = 'http://127.0.0.1:8080/x1'",
    ],
)
def test_what_only_speaks_of_secrets(text: str) -> None:
    assert [text[each.start : each.end] for each in find(text) if each.kind == "SECRET"] == []
