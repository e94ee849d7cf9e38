"""What the checks of contracts are given, and what they find. Knows no check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Literal, Protocol

import msgspec

from freehold.contracts.binding import Reached
from freehold.contracts.organisation import Organisation
from freehold.contracts.pace import Used
from freehold.contracts.register import Register, Version

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
IN_FORCE = ("active", "in_notice")


class Covered(Reached, Protocol):
    """A deployment as far as its contract's checks go; a routing.Deployment is one."""

    @property
    def model(self) -> str: ...


class Told(Used, Protocol):
    """Sums of use by day with what the answers were for; a ledger.reliance.Use by day is one."""

    @property
    def asked(self) -> str: ...
    @property
    def function(self) -> str: ...
    @property
    def use(self) -> str: ...


class Finding(msgspec.Struct, frozen=True):
    """One thing to know of a contract.

    `code` names the check. `contract` is empty where it is about several, `place` is the dotted field it was read from:
    of the contract's file, or of freehold.toml when it begins with `deployments`. `what` is the case, `why` says why
    it matters, `todo` what to do.
    """

    severity: Severity
    code: str
    contract: str
    place: str
    what: str
    why: str
    todo: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at. `uses` are sums by day, None when nobody looked; `window` is how many days ahead deadlines are
    told."""

    register: Register
    day: date
    organisation: Organisation = Organisation()
    deployments: tuple[Covered, ...] = ()
    uses: tuple[Told, ...] | None = None
    window: int = 90

    @property
    def contracts(self) -> Mapping[str, str]:
        """The id of each deployment's contract, by its name."""
        return {deployment.name: deployment.contract for deployment in self.deployments}

    def standing(self, *states: str) -> Iterator[Version]:
        """Yield the versions in any of these states; without any: those in force."""
        for version in self.register.versions:
            if self.register.state(version, self.day) in (states or IN_FORCE):
                yield version

    def under(self, version: Version) -> tuple[Covered, ...]:
        """Return the deployments under any version of a contract."""
        ids = self.register.ids(version)
        return tuple(deployment for deployment in self.deployments if deployment.contract in ids)

    def group(self, version: Version) -> str:
        """Return the group of a contract's supplier: as the contract says, or the organisation."""
        party = version.contract.party
        return party.group or self.organisation.group(party.supplier)


def named(names: tuple[str, ...] | list[str]) -> str:
    """Return a few names for a sentence."""
    shown = ", ".join(names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown
