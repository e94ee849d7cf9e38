"""Whether contracts and deployments fit each other: who is under what, which prices and commitments meet nobody, which
data can never go where it is meant to. Knows terms and deployments; refuses to choose a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from fnmatch import fnmatchcase

from freehold.contracts.areas import within
from freehold.contracts.binding import Bonds, bind, own
from freehold.contracts.finding import Case, Covered, Finding, named
from freehold.contracts.register import Version, ahead
from freehold.contracts.terms import CLASSES, ContractPrice
from freehold.core.clock import begin

_ANY_MODEL = "*"


def find(case: Case) -> Iterator[Finding]:
    """Yield where contracts and deployments do not fit."""
    bonds = bind(case.deployments, case.register, case.organisation, case.day)
    for deployment in case.deployments:
        yield from _deployment(case, deployment)
        yield from _default_class(case, deployment, bonds)
    for version in case.standing():
        yield from _unused(case, version)
        yield from _commitments(case, version)
        yield from _priced(case, version)
        yield from _idle_prices(case, version)
        yield from _classes(case, version, bonds)
    yield from _training(case)


def _deployment(case: Case, deployment: Covered) -> Iterator[Finding]:
    id, place = deployment.contract, f"deployments.{deployment.name}.contract"
    if own(deployment) and not id:
        return
    if not id:
        if len(case.register):
            yield Finding(
                "info", "no_contract", "", place, f"{deployment.name} names no contract",
                "no terms bind what it is sent", "name the contract that it is under",
            )  # fmt: skip
        return
    if case.register.get(id) is None:
        yield Finding(
            "warning", "contract_unknown", id, place, f"{deployment.name} is under {id}, which is on no file",
            "nothing is known of its terms, so none is held to",
            "write its file, and have [contracts] include name it",
        )  # fmt: skip
        return
    version = case.register.at(id, case.day)
    if version is None:
        states = {each.contract.id: case.register.state(each, case.day) for each in case.register.chain(id)}
        said = ", ".join(f"{each} is {state.replace('_', ' ')}" for each, state in states.items())
        yield Finding(
            "error", "not_in_force", id, place, f"{deployment.name} is under a contract that is not in force: {said}",
            "it is sent nothing", "renew the contract, or move its routes elsewhere",
        )  # fmt: skip
        return
    yield from _other_seller(case, deployment, version)
    yield from _other_place(case, deployment, version)


def _other_seller(case: Case, deployment: Covered, version: Version) -> Iterator[Finding]:
    group = case.organisation.group
    supplier = version.contract.party.supplier
    # A model on machines of one's own is billed by nobody; its contract is with whoever lends the machines.
    if (
        not own(deployment)
        and deployment.seller
        and group(deployment.seller) not in (group(supplier), case.group(version))
    ):
        yield Finding(
            "warning", "other_seller", version.contract.id, f"deployments.{deployment.name}.seller",
            f"{deployment.name} is sold by {deployment.seller}, and its contract is with {supplier}",
            "its prices and terms may not hold for it", "correct the seller, or name the right contract",
        )  # fmt: skip


def _other_place(case: Case, deployment: Covered, version: Version) -> Iterator[Finding]:
    data = version.contract.data
    places = data.processing_regions or data.regions
    if deployment.region and places and not within(deployment.region, places, case.organisation.areas):
        yield Finding(
            "warning", "other_region", version.contract.id, f"deployments.{deployment.name}.region",
            f"{deployment.name} runs in {deployment.region}, and the contract speaks of {', '.join(places)}",
            "what the contract promises of data may not hold there", "move it, or have the contract name the region",
        )  # fmt: skip


def _default_class(case: Case, deployment: Covered, bonds: Bonds) -> Iterator[Finding]:
    bond = bonds.at(deployment.name, begin(case.day))
    why = bond.refused.get(case.organisation.default_class, "") if bond is not None else ""
    if not why:
        return
    every = bond is not None and all(name in bond.refused for name in CLASSES)
    yield Finding(
        "error" if every else "warning",
        "no_class" if every else "default_class",
        deployment.contract,
        f"deployments.{deployment.name}",
        f"{deployment.name} may take no call at all" if every
        else f"{deployment.name} may not take {case.organisation.default_class} data, which a call is when nobody "
        "says otherwise",
        why,
        "agree on terms that meet [data] rules, or take it out of the routes",
    )  # fmt: skip


def _unused(case: Case, version: Version) -> Iterator[Finding]:
    contract = version.contract
    if contract.kind in ("partner", "compute") or case.under(version):
        return
    yield Finding(
        "info", "unused", contract.id, "id", "no deployment names it",
        "it is paid for or could be, and nothing goes there",
        f'write contract = "{contract.id}" in a deployment, or end it',
    )  # fmt: skip


def _commitments(case: Case, version: Version) -> Iterator[Finding]:
    for index, commitment in enumerate(version.contract.commitment):
        if commitment.end < case.day or case.register.counts(version, commitment, case.contracts):
            continue
        lost = commitment.start <= case.day and commitment.shortfall == "pay"
        globs = ", ".join(commitment.counts)
        yield Finding(
            "error" if lost else "warning", "commitment_unmatched", version.contract.id, f"commitment.{index}.counts",
            f"no deployment counts towards commitment {commitment.id}: {globs} names none",
            "what was promised is paid for without being used" if lost else "nothing will count towards it",
            "correct the globs, or name the deployments that are meant",
        )  # fmt: skip


def _models(row: ContractPrice, deployment: Covered) -> bool:
    """Whether a price is for a deployment; one that takes any model may send one that the price is for."""
    return fnmatchcase(deployment.name, row.deployment) and (
        deployment.model == _ANY_MODEL or fnmatchcase(deployment.model, row.model)
    )


def _priced(case: Case, version: Version) -> Iterator[Finding]:
    """Yield deployments under a contract with prices whose own has run out, will soon, or never was."""
    contract = version.contract
    for deployment in case.under(version) if contract.price else ():
        rows = [(index, row) for index, row in enumerate(contract.price) if _models(row, deployment)]
        holding = [row for _, row in rows if _valid(row, case.day)]
        if holding:
            until = max((row.valid_to or date.max for row in holding), default=date.max)
            yield from _running_out(case, version, deployment, rows, until)
            continue
        past = [(index, row) for index, row in rows if row.valid_to is not None and row.valid_to < case.day]
        if past:
            index, row = max(past, key=lambda each: each[1].valid_to or date.min)
            code, place = "price_expired", f"price.{index}.valid_to"
            what = f"the price of {deployment.model} at {deployment.name} ended on {row.valid_to}"
        else:
            code, place = "price_missing", "price"
            what = f"no price is stated for {deployment.model} at {deployment.name}"
        yield Finding(
            "warning", code, contract.id, place, what,
            "calls are charged at the deployment's own or the list price, or at none",
            "state the price that holds now",
        )  # fmt: skip


def _valid(row: ContractPrice, day: date) -> bool:
    return (row.valid_from is None or row.valid_from <= day) and (row.valid_to is None or day <= row.valid_to)


def _running_out(
    case: Case, version: Version, deployment: Covered, rows: list[tuple[int, ContractPrice]], until: date
) -> Iterator[Finding]:
    if until >= ahead(case.day, case.window) or any(_valid(row, until + timedelta(days=1)) for _, row in rows):
        return
    last = case.register.last_day(version, case.day)
    if last is not None and last <= until and case.register.at(version.contract.id, until + timedelta(days=1)) is None:
        return  # the contract ends with it, which is said elsewhere
    index = next(index for index, row in rows if row.valid_to == until)
    yield Finding(
        "info", "price_ending", version.contract.id, f"price.{index}.valid_to",
        f"the price of {deployment.model} at {deployment.name} ends on {until}",
        "no other price is stated for the days after", "ask what holds then",
    )  # fmt: skip


def _idle_prices(case: Case, version: Version) -> Iterator[Finding]:
    under = case.under(version)
    for index, row in enumerate(version.contract.price if under else ()):
        if row.valid_to is not None and row.valid_to < case.day:
            continue
        if not any(_models(row, deployment) for deployment in under):
            yield Finding(
                "info", "price_unmatched", version.contract.id, f"price.{index}",
                f"no deployment under the contract is priced by deployment {row.deployment}, model {row.model}",
                "a name that was meant may be misspelt", "correct the globs, or leave the row for a model to come",
            )  # fmt: skip


def _classes(case: Case, version: Version, bonds: Bonds) -> Iterator[Finding]:
    """Yield classes that a contract allows and that the organisation's own rules never let it have."""
    contract = version.contract
    refused: dict[tuple[str, str], list[str]] = {}
    for deployment in case.under(version):
        bond = bonds.at(deployment.name, begin(case.day))
        for name in contract.data.classes_allowed if bond is not None and bond.contract == contract.id else ():
            if bond is not None and name in bond.refused:
                refused.setdefault((name, bond.refused[name]), []).append(deployment.name)
    for (allowed, why), deployments in refused.items():
        yield Finding(
            "warning", "class_unreachable", contract.id, "data.classes_allowed",
            f"{allowed} data is allowed, and [data] rules.{allowed} never lets {named(deployments)} have it",
            why.removeprefix(f"contract {contract.id}: "),
            "agree on what the rule asks for, or take the class out of classes_allowed",
        )  # fmt: skip


def _training(case: Case) -> Iterator[Finding]:
    """Yield contracts whose answers trained a model, as the calls said, though their terms do not allow it."""
    seen: dict[tuple[str, str], set[str]] = {}
    for use in case.uses or ():
        if use.use and use.contract:
            version = case.register.at(use.contract, case.day)
            allowed = version.contract.use.output_may_train if version is not None else "any"
            if allowed != "any" and not (allowed == "not_competing" and use.use == "train") and version is not None:
                seen.setdefault((version.contract.id, allowed), set()).add(use.asked)
    for (id, said), asked in seen.items():
        terms = {"none": "do not allow it", "not_competing": "do not allow it for a model that competes"}
        yield Finding(
            "error", "training_forbidden", id, "use.output_may_train",
            f"calls to {named(sorted(asked))} say that their answers train a model, and the terms "
            f"{terms.get(said, 'do not say that it is allowed')}",
            "a model that learnt from them may have to be given up",
            "send such calls to a deployment whose terms allow it; what was made of earlier answers is for a lawyer",
        )  # fmt: skip
