"""What a recogniser found and what kinds there are. Pure; refuses to know how anything is recognised."""

from __future__ import annotations

from typing import Final, NamedTuple

from freehold.contracts.terms import DataClass


class Finding(NamedTuple):
    """Characters `start` to `end` of a text are of a `kind` (a key of KINDS).

    `note` says more: the country of a number (`DE`; of a national id with its name, `DE RVNR`), the issuer of a secret
    (`openai`), the network of a card (`visa`); empty where there is nothing to say.
    """

    kind: str
    start: int
    end: int
    note: str = ""


KINDS: Final[dict[str, str]] = {
    "EMAIL": "an e-mail address",
    "PHONE": "a telephone number, international or as its country writes it",
    "CARD": "the number of a payment card (issuer's range and Luhn check)",
    "IBAN": "a bank account (ISO 13616, check digits)",
    "IP": "an IPv4 or IPv6 address",
    "NATIONAL_ID": "a number that a state gives a person: identity, tax, social security, health (check digits)",
    "SECRET": "a key, a token, a password or a private key, by its issuer's form",
    "NAME": "a person's name (optional worker)",
    "PLACE": "a place or an address (optional worker)",
}

CLASS_OF: Final[dict[str, DataClass]] = {
    "EMAIL": "personal",
    "PHONE": "personal",
    "CARD": "personal",
    "IBAN": "personal",
    "IP": "personal",
    "NATIONAL_ID": "personal",
    "SECRET": "secret",
    "NAME": "personal",
    "PLACE": "personal",
}
"""The least data class of a text that holds the kind; class_of() knows of numbers that are special."""

HEALTH: Final[frozenset[str]] = frozenset({"GB NHS", "AU Medicare"})
"""Notes of numbers that tell of health (GDPR Art. 9)."""


def class_of(finding: Finding) -> DataClass:
    """Return the least data class of a text that holds the finding."""
    return "special" if finding.note in HEALTH else CLASS_OF[finding.kind]
