"""A vendor for tests: the published wire formats of OpenAI and Azure OpenAI over real sockets, faults included.

Knows the wire format; refuses to know Freehold.
"""

from tests.vendor.server import Seen, Vendor

__all__ = ["Seen", "Vendor"]
