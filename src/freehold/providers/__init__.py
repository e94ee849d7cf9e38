"""Talks to vendors: one file for each dialect of theirs, and the table of those that speak OpenAI's.

Knows how a Call becomes a vendor's request and a vendor's refusal becomes our error. Refuses to know routing and money;
does no I/O.
"""

from __future__ import annotations

from freehold.providers.base import Outgoing, Provider, Settings
from freehold.providers.registry import KINDS, build
from freehold.providers.vendors import Vendor, discover, vendor, vendors

__all__ = ["KINDS", "Outgoing", "Provider", "Settings", "Vendor", "build", "discover", "vendor", "vendors"]
