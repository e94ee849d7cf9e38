"""What is known of an identity provider beforehand, and who may come by way of it. Refuses to know the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from freehold.access import RANKS, Role


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """An OpenID provider of the configuration."""

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret: str | None = None
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    allow: tuple[str, ...] = ()  # "example.org", "ann@example.org", or "*" for whoever the provider lets in
    role: Role = "member"  # of a member who comes for the first time
    role_claim: str = ""  # claim whose values `roles` gives roles for
    roles: tuple[tuple[str, Role], ...] = ()  # value of that claim -> role
    ca: str | None = None  # file of certificate authorities (PEM) to trust instead of the system's

    def __repr__(self) -> str:
        return f"Provider({self.name!r})"  # without its secret

    def allows(self, email: str | None) -> bool:
        """Whether a new member with this e-mail address, which was verified, may come in."""
        return "*" in self.allow or self.names(email)

    def names(self, email: str | None) -> bool:
        """Whether the configuration names this address or its domain: only then it may stand for a member who is
        here already."""
        if not email or "@" not in email:
            return False
        return email in self.allow or email.rpartition("@")[2] in self.allow

    def role_of(self, claims: Mapping[str, Any]) -> Role | None:
        """Return the highest role that the claims give; None when they say nothing of it."""
        values = claims.get(self.role_claim) if self.role_claim else None
        listed = values if isinstance(values, list) else [values]
        found = [role for value, role in self.roles if value in listed]
        return max(found, key=lambda role: RANKS[role], default=None)
