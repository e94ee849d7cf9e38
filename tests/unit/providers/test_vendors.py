from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from freehold.providers import Settings, build, discover, vendor, vendors


def test_every_row_is_sound() -> None:
    rows = vendors()
    assert len(rows) >= 60
    for name, row in rows.items():
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) and row.name == name and row.seller
        assert urlsplit(row.base_url).scheme == "https" and not row.base_url.endswith("/")
        assert row.env and all(re.fullmatch(r"[A-Z0-9_]+", variable) for variable in row.env)
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", row.date) and row.sources
        assert row.tier == ("verified" if len(row.sources) > 1 or "docs" in row.sources else "listed")
        if "{" not in row.base_url:
            build(Settings(name=name, kind="openai", endpoint=name, model="*", key="k"))


def test_no_variable_stands_for_two_vendors() -> None:
    found = [variable for row in vendors().values() if row.found for variable in row.env]
    assert len(found) == len(set(found))


def test_a_url_is_no_vendor() -> None:
    assert vendor("https://api.x.ai/v1") is None and vendor("nosuch") is None and vendor("") is None


def test_keys_in_the_environment_become_deployments() -> None:
    found = discover({"XAI_API_KEY": "a", "GOOGLE_API_KEY": "b", "MISTRAL_API_KEY": "", "PATH": "/bin"})
    assert found == {
        "xai": {
            "kind": "openai",
            "endpoint": "xai",
            "model": "*",
            "key": {"env": "XAI_API_KEY"},
            "maker": "xai",
            "seller": "xai",
            "host": "xai",
        },
        "gemini": {
            "kind": "openai",
            "endpoint": "gemini",
            "model": "*",
            "key": {"env": "GOOGLE_API_KEY"},
            "maker": "google",
            "seller": "google",
            "host": "google",
        },
    }


@pytest.mark.parametrize(
    "variable", ["GITHUB_TOKEN", "HF_TOKEN", "CLOUDFLARE_API_TOKEN", "WANDB_API_KEY", "DATABRICKS_TOKEN"]
)
def test_a_key_that_opens_other_things_sends_no_prompts_anywhere(variable: str) -> None:
    assert discover({variable: "x"}) == {}


def test_openai_elsewhere() -> None:
    found = discover({"OPENAI_API_KEY": "a", "OPENAI_BASE_URL": "http://localhost:8000/v1"})["openai"]
    assert found["endpoint"] == "http://localhost:8000/v1" and "seller" not in found


def test_azure_needs_an_endpoint() -> None:
    assert discover({"AZURE_OPENAI_API_KEY": "a"}) == {}
    base = {"AZURE_OPENAI_API_KEY": "a", "AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com"}
    found = discover(base)["azure"]
    assert found["kind"] == "azure" and found["model"] == "*" and found["key"] == {"env": "AZURE_OPENAI_API_KEY"}
    named = discover({**base, "AZURE_OPENAI_DEPLOYMENT": "gpt", "OPENAI_API_VERSION": "2024-06-01"})["azure"]
    assert (named["model"], named["api_version"]) == ("gpt", "2024-06-01")


def test_secrets_are_named_not_copied() -> None:
    secret = "sk-secret-value"
    everything = {variable: secret for row in vendors().values() for variable in row.env}
    assert secret not in repr(discover(everything))
