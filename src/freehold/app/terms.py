"""The part of the configuration that binds: contracts, parties, functions, classes of data, policies. Checks how they
hang together; refuses to say what a term means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from freehold.access import CURRENCY
from freehold.app.config import Reader, join, suggest
from freehold.app.settings import Config, Deployment, File
from freehold.contracts.binding import OWN
from freehold.contracts.organisation import Entity, Function
from freehold.contracts.register import ContractsFaulty, Register, load
from freehold.contracts.terms import CLASSES
from freehold.guards.policy import ACTIONS, Moderation, Policy
from freehold.providers import vendors


def register(files: Iterable[Path], reader: Reader) -> Register:
    """Return the contracts in `files`; what is wrong with them is noted, and none is taken then."""
    try:
        return load(files)
    except ContractsFaulty as e:
        for problem in e.problems:
            reader.note(problem.place, problem.what, problem.hint)
    return Register()


def named(policies: Mapping[str, Policy]) -> dict[str, Policy]:
    """Return the policies, each knowing its name."""
    return {name: msgspec.structs.replace(policy, name=name) for name, policy in policies.items()}


def bare(config: Config) -> dict[str, Any]:
    """Return these tables as they would be if the file named the same things and said nothing of them."""
    return {
        "parties": {name: Entity() for name in config.parties},
        "functions": {name: Function() for name in config.functions},
        "policies": {name: Policy(name=name) for name in config.policies},
    }


def check(tables: File, deployments: Mapping[str, Deployment], found: Register, reader: Reader) -> None:
    """Note what does not fit together."""
    _check_deployments(deployments, found, reader)
    for ruled in tables.data_rules.rules:
        if ruled not in CLASSES:
            reader.note(join("data.rules", ruled), f"no such class: {ruled!r}", suggest(ruled, CLASSES))
    for name, policy in tables.policies.items():
        _check_policy(name, policy, tables, deployments, reader)


def _check_deployments(deployments: Mapping[str, Deployment], found: Register, reader: Reader) -> None:
    ids = [version.contract.id for version in found.versions]
    for name, deployment in deployments.items():
        where = join(join("deployments", name), "contract")
        if not deployment.contract or not ids:
            continue
        version = found.get(deployment.contract)
        if version is None:
            reader.note(where, f"no contract is called {deployment.contract!r}", suggest(deployment.contract, ids))
            continue
        for link in found.chain(deployment.contract):
            foreign = {row.currency for row in link.contract.price} - {CURRENCY}
            if foreign:
                reader.note(
                    where,
                    f"contract {link.contract.id} has prices in {', '.join(sorted(foreign))}, "
                    f"but budgets are counted in {CURRENCY}",
                    f"state them in {CURRENCY}, at the rate that you pay; nothing here converts currencies",
                )


def _check_policy(
    name: str, policy: Policy, tables: File, deployments: Mapping[str, Deployment], reader: Reader
) -> None:
    from freehold.guards.find import KINDS

    where = join("policies", name)
    if policy.name:
        reader.note(f"{where}.name", "is not written here", f"the policy is called {name}, as its table")
    for function in policy.functions:
        if function not in tables.functions:
            reader.note(
                f"{where}.functions", f"no function is called {function!r}", suggest(function, tables.functions)
            )
    privacy = policy.privacy
    for kind in (*privacy.kinds, *privacy.by_kind):
        if kind not in KINDS:
            reader.note(f"{where}.privacy", f"no such kind of finding: {kind!r}", suggest(kind, KINDS))
    known = _parties(tables, deployments)
    for party in privacy.recipients:
        if party not in known:
            reader.note(f"{where}.privacy.recipients", f"nobody is called {party!r}", suggest(party, known))
    for action in (*privacy.recipients.values(), *privacy.by_kind.values()):
        if action not in ACTIONS:
            reader.note(f"{where}.privacy", f"no such action: {action!r}", suggest(action, ACTIONS))
    if policy.moderation is not None:
        _check_moderation(f"{where}.moderation", policy.moderation, deployments, reader)


def _parties(tables: File, deployments: Mapping[str, Deployment]) -> set[str]:
    """Return every maker, seller and host that the file or the table of vendors knows."""
    known = {OWN, "microsoft", *tables.parties}
    for written in deployments.values():
        known |= {name for name in (written.maker, written.seller, written.host) if name}
    for row in vendors().values():
        known |= {name for name in (row.maker, row.seller, row.host) if name}
    return known


def _check_moderation(where: str, said: Moderation, deployments: Mapping[str, Deployment], reader: Reader) -> None:
    from freehold.guards.taxonomy import CATEGORIES

    for table, names in (("block", said.block), ("note", said.note)):
        for name in names:
            if name != "*" and name not in CATEGORIES:
                reader.note(f"{where}.{table}", f"no such category: {name!r}", suggest(name, ("*", *CATEGORIES)))
    if not said.deployment:
        return
    known = deployments.get(said.deployment)
    if known is None:
        hint = suggest(said.deployment, deployments)
        reader.note(f"{where}.deployment", f"no deployment is called {said.deployment!r}", hint)
    elif (said.form == "azure") != (known.kind == "contentsafety"):
        hint = 'form = "azure" is how a deployment of kind = "contentsafety" is asked, and only that'
        reader.note(f"{where}.form", f"{said.deployment} is of kind {known.kind!r}", hint)
    elif said.form == "openai" and known.kind == "llamacpp":
        hint = 'ask it with form = "json", or with form = "llama_guard" if it is such a model'
        reader.note(f"{where}.form", f"{said.deployment} has no moderation endpoint", hint)
