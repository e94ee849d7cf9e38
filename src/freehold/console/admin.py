"""All that the console offers for running the house, as one list of endpoints. Refuses to know who may: the table says
the least role of each, and whoever identifies holds to it."""

from __future__ import annotations

from freehold.console import (
    contracts_api,
    dependency_api,
    deployments,
    gap_api,
    guards_api,
    keys_api,
    ledger_api,
    models_api,
    overview,
    seen_api,
    settings_api,
    settlement_api,
)
from freehold.console.office import Control, Office
from freehold.wire.api import Endpoint

__all__ = ["Control", "Office", "endpoints"]


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoints below /api/admin, but for members and their sessions."""
    rooms = (
        overview, deployments, models_api, keys_api, ledger_api, settings_api, dependency_api, gap_api, contracts_api,
        settlement_api, seen_api, guards_api,
    )  # fmt: skip
    return [endpoint for room in rooms for endpoint in room.endpoints(office)]
