"""Doors for official clients: a vendor behind Freehold, and one's own model behind Freehold.

With FREEHOLD_TEST_DIRECT=1 the clients talk to the vendor itself: what fails then is wrong in the test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.models import CHAT_MODEL, EMBEDDING_MODEL, find_or_pull
from tests.system import VENDOR_KEY, System, config, deployment
from tests.vendor import Vendor

API_VERSION = "2024-10-21"

ACTS = {
    "assistant": "ok",
    "slow": "ok;delay=3000",
    "invalid": "status;code=400",
    "unauthorised": "status;code=401",
    "forbidden": "status;code=403",
    "missing": "status;code=404",
    "conflict": "status;code=409",
    "unprocessable": "status;code=422",
    "limited": "status;code=429;retry_after=1",
    "flaky": "ok",  # scripted by the test that uses it
    "broken": "status;code=500",
    "busy": "status;code=503",
    "filtered": "filter",
    "too-long": "context",
    "unreadable": "html",
    "midway": "error_event;after=3",
    "cut": "cut;after=3",
    "paced": "ok;every=50;more=20",
}
"""Route -> what the vendor behind it does."""


class Door(msgspec.Struct):
    """Where a client connects. `model` chats, `embedder` embeds; `vendor` stands behind, if it is ours to see."""

    url: str
    key: str
    model: str
    embedder: str
    azure_model: str
    vendor: Vendor | None = None
    house: System | None = None

    @property
    def v1(self) -> str:
        return self.url + "/v1"


def vendor_door(folder: Path) -> Iterator[Door]:
    """The vendor behind Freehold; errors are not retried by the house, so that the client's own retries are seen."""
    with Vendor(aliases=ACTS, models=tuple(ACTS), key=VENDOR_KEY, strict_models=True) as vendor:
        if os.environ.get("FREEHOLD_TEST_DIRECT"):
            yield Door(vendor.url, VENDOR_KEY, "assistant", "assistant", "assistant", vendor)
            return
        parts = [deployment(name, vendor.url, name, more="retries = 0") for name in ACTS]
        for name in ("assistant", "filtered"):
            parts.append(deployment(f"azure-{name}", vendor.url, name, kind="azure", more="retries = 0"))
        house = System(folder, config(*parts))
        house.new_key()
        house.start()
        try:
            yield Door(house.url, house.key, "assistant", "assistant", "azure-assistant", vendor)
        finally:
            house.stop()


OWN = f"""
[deployments.own]
kind = "llamacpp"
model = "{CHAT_MODEL}"
[deployments.own-embedder]
kind = "llamacpp"
model = "{EMBEDDING_MODEL}"
"""


def own_house(folder: Path) -> System:
    """A system with the embedded chat and embedding models, not started yet."""
    shelf = find_or_pull(CHAT_MODEL).parents[1]
    assert find_or_pull(EMBEDDING_MODEL).parents[1] == shelf
    return System(folder, config(OWN), env={"FREEHOLD_HOME": str(shelf.parent)})


def own_door(folder: Path) -> Iterator[Door]:
    """The embedded models behind Freehold."""
    house = own_house(folder)
    house.new_key()
    house.start(120)
    try:
        yield Door(house.url, house.key, "own", "own-embedder", "own", house=house)
    finally:
        house.stop()
