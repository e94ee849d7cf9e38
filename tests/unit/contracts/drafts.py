"""Contracts, deployments and use for tests: each with as little as it needs. Knows the forms; refuses to know
any test."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import msgspec

from freehold.contracts.finding import Case, Finding
from freehold.contracts.lint import watch
from freehold.contracts.organisation import Organisation
from freehold.contracts.register import Register, Version, read
from freehold.core.clock import begin
from freehold.routing import Deployment

TODAY = date(2026, 6, 1)


def contract(text: str = "", *, id: str = "deal", supplier: str = "openai", term: str = "", head: str = "") -> Version:
    """Return a contract in force since 2026-01-01. `term` goes into its table [term], `head` before all tables."""
    kind = "" if "kind =" in head else 'kind = "model-api"\n'
    start = "" if "start =" in term.split("[")[0] else "start = 2026-01-01\n"
    told = f'schema = "freehold.contract/1"\nid = "{id}"\n{kind}{head}\n'
    return Version.of(read(f'{told}[party]\nsupplier = "{supplier}"\n[term]\n{start}{term}\n{text}', f"{id}.toml"))


def deployment(name: str = "gpt", **said: Any) -> Deployment:
    """Return a deployment of OpenAI's under the contract `deal`."""
    told = {"kind": "openai", "model": "gpt-x", "maker": "openai", "seller": "openai", "host": "openai"}
    return Deployment(name=name, **{**told, "contract": "deal", **said})


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of a day's use, as the ledger's: cost in nano-units."""

    at: int
    contract: str = "deal"
    deployment: str = "gpt"
    cost: int = 0
    currency: str = "USD"
    input: int = 0
    output: int = 0
    asked: str = "assistant"
    function: str = ""
    use: str = ""


def used(day: date, cost: int = 0, **said: Any) -> Used:
    """Return use of `day` that cost so many whole units of its currency."""
    return Used(at=begin(day), cost=cost * 1_000_000_000, **said)


def case(
    *versions: Version,
    day: date = TODAY,
    deployments: Iterable[Deployment] = (),
    uses: Iterable[Used] | None = None,
    organisation: Organisation | None = None,
    window: int = 90,
) -> Case:
    return Case(
        register=Register(versions), day=day, organisation=organisation or Organisation(), window=window,
        deployments=tuple(deployments), uses=None if uses is None else tuple(uses),
    )  # fmt: skip


def lint(about: Case) -> tuple[Finding, ...]:
    """Return all that is found of a case."""
    return watch(about).findings


def found(code: str, *versions: Version, **about: Any) -> list[Finding]:
    """Return what one check finds."""
    return [finding for finding in lint(case(*versions, **about)) if finding.code == code]
