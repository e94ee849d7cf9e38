"""What was agreed with whom: contracts, prices and charges. Pure; refuses to know who is asked, and what day it is."""

from __future__ import annotations

from freehold.contracts.book import PriceBook, read_price, shipped
from freehold.contracts.faults import ContractsFaulty, Problem
from freehold.contracts.price import OWN_COMPUTE, Price, Tier, ceiling, charge
from freehold.contracts.register import Register, Version, load, read
from freehold.contracts.terms import Contract

__all__ = [
    "OWN_COMPUTE",
    "Contract",
    "ContractsFaulty",
    "Price",
    "PriceBook",
    "Problem",
    "Register",
    "Tier",
    "Version",
    "ceiling",
    "charge",
    "load",
    "read",
    "read_price",
    "shipped",
]
