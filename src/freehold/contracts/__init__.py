"""What a vendor is owed: prices and charges. Pure; refuses to know where prices are kept and who is asked."""

from __future__ import annotations

from freehold.contracts.book import PriceBook, read_price, shipped
from freehold.contracts.price import OWN_COMPUTE, Price, Tier, ceiling, charge

__all__ = ["OWN_COMPUTE", "Price", "PriceBook", "Tier", "ceiling", "charge", "read_price", "shipped"]
