"""Which regions lie in which area, for terms that name one. Knows the big clouds' regions of Europe and a few more;
refuses to guess: what is not listed is in no area but its own.

Sources, read 2026-11: the vendors' lists of regions (Azure "regions list", AWS "Regions and Availability Zones", Google
Cloud "Regions and zones"). An organisation adds its own under `[data] areas`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_EU = (
    # Azure
    "northeurope", "westeurope", "francecentral", "francesouth", "germanywestcentral", "germanynorth", "italynorth",
    "polandcentral", "spaincentral", "swedencentral", "swedensouth", "austriaeast", "belgiumcentral", "denmarkeast",
    # AWS
    "eu-central-1", "eu-west-1", "eu-west-3", "eu-north-1", "eu-south-1", "eu-south-2",
    # Google Cloud
    "europe-west1", "europe-west3", "europe-west4", "europe-west8", "europe-west9", "europe-west10", "europe-west12",
    "europe-north1", "europe-north2", "europe-central2", "europe-southwest1",
)  # fmt: skip
_UK = ("uksouth", "ukwest", "eu-west-2", "europe-west2")
_CH = ("switzerlandnorth", "switzerlandwest", "eu-central-2", "europe-west6")
_NO = ("norwayeast", "norwaywest")
_US = (
    "eastus", "eastus2", "centralus", "northcentralus", "southcentralus", "westcentralus", "westus", "westus2",
    "westus3", "us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-central1", "us-east1", "us-east4", "us-east5",
    "us-south1", "us-west1", "us-west2", "us-west3", "us-west4",
)  # fmt: skip

AREAS: dict[str, frozenset[str]] = {
    "eu": frozenset(_EU),
    "eea": frozenset((*_EU, *_NO)),
    "uk": frozenset(_UK),
    "ch": frozenset(_CH),
    "us": frozenset(_US),
    "europe": frozenset((*_EU, *_NO, *_UK, *_CH)),
}
"""Areas that are shipped, by name. `eu` is the European Union, `eea` adds Norway, `europe` the United Kingdom and
Switzerland as well."""
_PARTS = {"eea": ("eu",), "europe": ("eu", "eea", "uk", "ch")}


def within(place: str, wanted: Iterable[str], own: Mapping[str, tuple[str, ...]] | None = None) -> bool:
    """Return whether a region or area lies in any of the regions or areas `wanted`; names in any case, blanks don't
    count. `own` are the organisation's areas, which add to the shipped ones and may name them."""
    place = _plain(place)
    areas = {_plain(name): places for name, places in (own or {}).items()}
    for name in map(_plain, wanted):
        if place == name or place in AREAS.get(name, ()) or place in _PARTS.get(name, ()):
            return True
        if name in areas and within(place, areas[name]):
            return True
    return False


def _plain(name: str) -> str:
    """A name as it is compared."""
    return name.replace(" ", "").lower()
