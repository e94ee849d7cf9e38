"""Who provides, and who stands behind whom: templates B_05.01 and B_05.02. Knows the chain that contract files state;
refuses to guess who works for whom where they don't."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from freehold.contracts.binding import OWN
from freehold.contracts.register import Version
from freehold.exits import dora_codes as codes
from freehold.exits.dora_cells import Cell, Facts, empty, missing, service, type_of
from freehold.exits.glyphs import encoded


class Link(msgspec.Struct, frozen=True):
    """One provider in the chain behind a contract: its place, whom it works for ("" for the first), and where that is
    from."""

    party: str
    rank: int
    recipient: str
    how: str


def links(version: Version) -> list[Link]:
    """Return the chain behind a contract, as its file states it: who signed, who runs the service, whose machines it
    runs on, and further ones that see data, which are taken to work for whoever signed."""
    contract = version.contract
    chain, supplier = contract.chain, contract.party.supplier
    found = [Link(supplier, 1, "", f"{contract.id}: party.supplier")]
    before = supplier
    for party, field in ((chain.host, "chain.host"), (chain.compute_owner, "chain.compute_owner")):
        if party and party != OWN and all(party != link.party for link in found):
            found.append(Link(party, found[-1].rank + 1, before, f"{contract.id}: {field}"))
            before = party
    for party in chain.subprocessors:
        if all(party != link.party for link in found):
            how = f"{contract.id}: chain.subprocessors; whom it works for is not stated, taken to be who signed"
            found.append(Link(party, 2, supplier, how))
    return found


def provided(facts: Facts) -> Iterator[tuple[str, list[Cell]]]:
    """Yield the rows of B_05.01: every provider once, and the parents that they name."""
    signed: dict[str, list[Version]] = {}
    for version in facts.versions:
        signed.setdefault(version.contract.party.supplier, []).append(version)
    parties = dict.fromkeys(link.party for version in facts.versions for link in links(version))
    parties |= dict.fromkeys(_parent(facts, party, signed.get(party, [])) for party in list(parties))
    for party in parties:
        yield party, _provider(facts, party, signed.get(party, []))


def _provider(facts: Facts, party: str, signed: list[Version]) -> list[Cell]:
    version = signed[-1] if signed else None
    identifier = facts.lei(party, version)
    name = _name(facts, party, version)
    parent = _parent(facts, party, signed)
    above = identifier if parent == party else facts.lei(parent)
    direct = f"eba_CU:{facts.currency}"
    return [
        identifier,
        type_of(identifier),
        empty("none is kept here"),
        empty("none is kept here"),
        name,
        _latin(name),
        Cell(codes.LEGAL_PERSON, "computed", "it has an LEI, which individuals have as businesses only: check")
        if identifier.value
        else missing("whether it is a legal person is stated nowhere"),
        facts.country(party, version),
        Cell(direct, "ledger", "currency of the costs of most calls") if signed else empty("no contract is with it"),
        facts.spent(signed) if signed else empty("no contract is with it"),
        above,
        type_of(above),
    ]


def _parent(facts: Facts, party: str, signed: list[Version]) -> str:
    group = signed[-1].contract.party.group if signed else ""
    return group or facts.ground.organisation.group(party)


def _name(facts: Facts, party: str, version: Version | None) -> Cell:
    if version is not None and version.contract.party.entity:
        return Cell(version.contract.party.entity, "contract", f"{version.contract.id}: party.entity")
    entity = facts.ground.organisation.parties.get(party)
    if entity is not None and entity.name:
        return Cell(entity.name, "configuration", f"parties.{party}.name: see that it is the legal name")
    return missing(f"its legal name is not stated: party.entity in the contract, or [parties.{party}] name")


def _latin(name: Cell) -> Cell:
    if not name.value:
        return missing("its name is not known")
    if encoded(name.value)[1]:
        return missing("its name is in another script, and no other is stated")
    return msgspec.structs.replace(name, how=f"{name.how}, which is in Latin letters")


def supplied(facts: Facts) -> Iterator[tuple[str, list[Cell]]]:
    """Yield the rows of B_05.02. All links are told; the regulation asks for those that a critical or important
    function effectively rests on."""
    for version in facts.versions:
        chain = links(version)
        for link in chain:
            first = link.rank == 1
            identifier = facts.lei(link.party, version if first else None)
            recipient = facts.lei(link.recipient, version if link.recipient == chain[0].party else None)
            yield (
                f"{version.contract.id}, {link.party}",
                [
                    Cell(version.contract.id, "contract", f"id, terms {version.hash}"),
                    service(version),
                    identifier,
                    type_of(identifier),
                    Cell(str(link.rank), "contract", link.how),
                    empty("not for rank 1") if first else recipient,
                    empty("not for rank 1") if first else type_of(recipient),
                ],
            )
