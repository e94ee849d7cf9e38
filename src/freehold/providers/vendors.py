"""The table of vendors that speak OpenAI's dialect, and the deployments that their keys in an environment stand for.

The table is `catalog.toml`, read on first use. Refuses to read the environment itself.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec
from msgspec import Struct

from freehold.providers.base import StreamUsage


class Vendor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of the table: whom one reaches, where, and what it does differently from OpenAI."""

    name: str  # as in `xai/grok-4`
    base_url: str  # {NAME} stands for something that differs by account
    env: tuple[str, ...]  # variables that may hold the key, the usual one first
    seller: str  # who bills
    maker: str = ""  # who trained the models, when it is one party
    host: str = ""  # whose compute it is, when it is one party
    region: str = ""  # where that is, when it is one place
    found: bool = True  # whether the key alone makes a deployment; not so when it serves other things as well
    auth_header: str = "authorization"
    auth_prefix: str = "Bearer "
    headers: dict[str, str] = {}
    unsupported: frozenset[str] = frozenset()  # members that it refuses or ignores
    max_tokens: Literal["max_tokens", "max_completion_tokens"] | None = None  # the one name that it knows
    stream_usage: StreamUsage = "ask"
    docs: str = ""  # the vendor's own page that was read
    sources: tuple[str, ...]  # where address and key's name were read: names of the table's sources
    date: str  # when the newest of them was read

    @property
    def tier(self) -> Literal["verified", "listed"]:
        """`verified`: two sources agree, or the vendor's own documentation was read. Nobody has sent it a request."""
        return "verified" if len(self.sources) > 1 or "docs" in self.sources else "listed"


class _Source(Struct, forbid_unknown_fields=True):
    what: str
    date: str


class _Table(Struct, forbid_unknown_fields=True):
    sources: dict[str, _Source]
    vendors: dict[str, dict[str, Any]]


@cache
def vendors() -> Mapping[str, Vendor]:
    """Return all rows by name."""
    text = files("freehold.providers").joinpath("catalog.toml").read_text("utf-8")
    table = msgspec.convert(tomllib.loads(text), _Table)
    rows = {}
    for name, row in table.vendors.items():
        date = max(table.sources[source].date for source in row["sources"])
        rows[name] = msgspec.convert({**row, "name": name, "date": date}, Vendor)
    return rows


def vendor(name: str) -> Vendor | None:
    """Return the row of that name, or None; a URL is no name."""
    return None if "/" in name or ":" in name else vendors().get(name)


def discover(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return deployment tables, as `freehold.toml` would hold them, for the vendors whose keys stand in `environ`.

    Each takes any model: a client asks for `xai/grok-4`, and `grok-4` is sent. A vendor's key that also opens other
    things (a code host's token, say) makes no deployment. Azure needs AZURE_OPENAI_ENDPOINT as well;
    AZURE_OPENAI_DEPLOYMENT names one deployment, else the client's name does.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, row in vendors().items():
        variable = next((variable for variable in row.env if environ.get(variable)), None)
        if variable is None or not row.found or "{" in row.base_url:
            continue
        table: dict[str, Any] = {"kind": "openai", "endpoint": name, "model": "*", "key": {"env": variable}}
        parties = {"maker": row.maker, "seller": row.seller, "host": row.host, "region": row.region}
        found[name] = table | {party: value for party, value in parties.items() if value}
    base = environ.get("OPENAI_BASE_URL")
    if base and "openai" in found:
        found["openai"] = {"kind": "openai", "endpoint": base, "model": "*", "key": {"env": "OPENAI_API_KEY"}}
    if environ.get("AZURE_OPENAI_API_KEY") and environ.get("AZURE_OPENAI_ENDPOINT"):
        found["azure"] = {
            "kind": "azure",
            "endpoint": environ["AZURE_OPENAI_ENDPOINT"],
            "model": environ.get("AZURE_OPENAI_DEPLOYMENT") or "*",
            "key": {"env": "AZURE_OPENAI_API_KEY"},
            "seller": "microsoft",
            "host": "microsoft",
        }
        if environ.get("OPENAI_API_VERSION"):
            found["azure"]["api_version"] = environ["OPENAI_API_VERSION"]
    return found
