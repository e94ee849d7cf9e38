"""The templates of DORA's register of information that contracts and a ledger can fill in part, and the codes that
stand in them. Data; refuses to know what fills a cell.

Templates: Commission Implementing Regulation (EU) 2024/2956 (OJ L, 2.12.2024), Annex I, as corrected by the corrigendum
OJ L, 2025/90725 of 19.9.2025, which among others moved the option "assessment not performed" of B_07.01.0110 from 7 to
3 and lets B_05.01.0090 refer to B_05.01.0100. Codes: the EBA's "List of possible values for all data fields with drop
downs" of 3.3.2025 (DPM 4.0). Both were read through public copies in November 2026, not in the Official Journal itself:
have them checked before a register is filed.
"""

from __future__ import annotations

import re

import msgspec

SOURCE = (
    "Columns by Commission Implementing Regulation (EU) 2024/2956, Annex I, with the corrigendum OJ L, 2025/90725 of "
    "19 September 2025; codes by the EBA's list of possible values of 3 March 2025 (DPM 4.0)."
)
OPEN_END = "9999-12-31"
"""The end of what has none, as the regulation writes it."""


class Column(msgspec.Struct, frozen=True):
    """A column of a template: its code, what stands above it, and when it has to be filled: always, `critical` (where a
    critical or important function is supported), `if` (under another condition), or optional."""

    code: str
    title: str
    needed: str = "always"


def _columns(text: str) -> tuple[Column, ...]:
    rows = (line.split("|") for line in text.strip().splitlines())
    return tuple(Column(code.strip(), title.strip(), needed.strip() or "always") for code, title, needed in rows)


TEMPLATES: dict[str, tuple[str, tuple[Column, ...]]] = {
    "B_02.01": (
        "Contractual arrangements: general information",
        _columns("""
            0010 | Contractual arrangement reference number |
            0020 | Type of contractual arrangement |
            0030 | Overarching contractual arrangement reference number | if
            0040 | Currency of the amount reported in B_02.01.0050 |
            0050 | Annual expense or estimated cost of the contractual arrangement for the past year |
        """),
    ),
    "B_02.02": (
        "Contractual arrangements: specific information",
        _columns("""
            0010 | Contractual arrangement reference number |
            0020 | LEI of the entity making use of the ICT service(s) |
            0030 | Identification code of the ICT third-party service provider |
            0040 | Type of code to identify the ICT third-party service provider |
            0050 | Function identifier |
            0060 | Type of ICT services |
            0070 | Start date of the contractual arrangement |
            0080 | End date of the contractual arrangement |
            0090 | Reason of the termination or ending of the contractual arrangement | if
            0100 | Notice period for the financial entity making use of the ICT service(s) | critical
            0110 | Notice period for the ICT third-party service provider | critical
            0120 | Country of the governing law of the contractual arrangement | critical
            0130 | Country of provision of the ICT services | critical
            0140 | Storage of data | critical
            0150 | Location of the data at rest (storage) | if
            0160 | Location of management of the data (processing) | if
            0170 | Sensitiveness of the data stored by the ICT third-party service provider | if
            0180 | Level of reliance on the ICT service supporting the critical or important function | critical
        """),
    ),
    "B_05.01": (
        "ICT third-party service providers",
        _columns("""
            0010 | Identification code of the ICT third-party service provider |
            0020 | Type of code to identify the ICT third-party service provider |
            0030 | Additional identification code of the ICT third-party service provider | optional
            0040 | Type of additional identification code of the ICT third-party service provider | if
            0050 | Legal name of the ICT third-party service provider |
            0060 | Name of the ICT third-party service provider in Latin alphabet |
            0070 | Type of person of the ICT third-party service provider |
            0080 | Country of the ICT third-party service provider's headquarters |
            0090 | Currency of the amount reported in B_05.01.0100 | if
            0100 | Total annual expense or estimated cost of the ICT third-party service provider | if
            0110 | Identification code of the ICT third-party service provider's ultimate parent undertaking |
            0120 | Type of code to identify the ultimate parent undertaking |
        """),
    ),
    "B_05.02": (
        "ICT service supply chains",
        _columns("""
            0010 | Contractual arrangement reference number |
            0020 | Type of ICT services |
            0030 | Identification code of the ICT third-party service provider |
            0040 | Type of code to identify the ICT third-party service provider |
            0050 | Rank |
            0060 | Identification code of the recipient of sub-contracted ICT services | if
            0070 | Type of code to identify the recipient of sub-contracted ICT services | if
        """),
    ),
    "B_07.01": (
        "Assessment of the ICT services",
        _columns("""
            0010 | Contractual arrangement reference number |
            0020 | Identification code of the ICT third-party service provider |
            0030 | Type of code to identify the ICT third-party service provider |
            0040 | Type of ICT services |
            0050 | Substitutability of the ICT third-party service provider |
            0060 | Reason if the provider is considered not substitutable or difficult to be substitutable | if
            0070 | Date of the last audit on the ICT third-party service provider |
            0080 | Existence of an exit plan |
            0090 | Possibility of reintegration of the contracted ICT service |
            0100 | Impact of discontinuing the ICT services |
            0110 | Are there alternative ICT third-party service providers identified? |
            0120 | Identification of alternative ICT third-party service providers | optional
        """),
    ),
}
"""The templates by their names, each with its title and columns."""

LABELS = {
    "eba_CO:x1": "Standalone arrangement",
    "eba_CO:x2": "Overarching arrangement",
    "eba_CO:x3": "Subsequent or associated arrangement",
    "eba_CO:x4": "Termination not for cause: expired and not renewed",
    "eba_CO:x9": "Other reasons for termination",
    "eba_TA:S17": "Cloud services: IaaS",
    "eba_TA:S18": "Cloud services: PaaS",
    "eba_TA:S19": "Cloud services: SaaS",
    "eba_BT:x28": "Yes",
    "eba_BT:x29": "No",
    "eba_BT:x21": "Assessment not performed",
    "eba_ZZ:x791": "Low",
    "eba_ZZ:x792": "Medium",
    "eba_ZZ:x793": "High",
    "eba_ZZ:x799": "Assessment not performed",
    "eba_ZZ:x794": "Not significant",
    "eba_ZZ:x795": "Low reliance",
    "eba_ZZ:x796": "Material reliance",
    "eba_ZZ:x797": "Full reliance",
    "eba_ZZ:x959": "Not substitutable",
    "eba_ZZ:x960": "Highly complex substitutability",
    "eba_ZZ:x961": "Medium complexity in terms of substitutability",
    "eba_ZZ:x962": "Easily substitutable",
    "eba_ZZ:x963": "Lack of real alternatives",
    "eba_ZZ:x964": "Difficulties in migrating or reintegrating",
    "eba_ZZ:x965": "Lack of real alternatives and difficulties in migrating or reintegrating",
    "eba_CT:x212": "Legal person, excluding individual acting in a business capacity",
    "eba_qCO:qx2000": "Legal Entity Identifier (LEI)",
    "eba_GA:qx2007": "Not applicable",
}
"""What codes mean."""

STANDALONE = "eba_CO:x1"
EXPIRED = "eba_CO:x4"
LEI = "eba_qCO:qx2000"
LEGAL_PERSON = "eba_CT:x212"
YES, NO, NOT_PERFORMED = "eba_BT:x28", "eba_BT:x29", "eba_BT:x21"
NO_COUNTRY = "eba_GA:qx2007"
LEVELS = {"low": "eba_ZZ:x791", "medium": "eba_ZZ:x792", "high": "eba_ZZ:x793"}
NO_IMPACT = "eba_ZZ:x799"
RELIANCE = {"not_significant": "eba_ZZ:x794", "low": "eba_ZZ:x795", "material": "eba_ZZ:x796", "full": "eba_ZZ:x797"}
NOT_SUBSTITUTABLE, HIGHLY_COMPLEX, MEDIUM_COMPLEXITY = "eba_ZZ:x959", "eba_ZZ:x960", "eba_ZZ:x961"
NO_ALTERNATIVES = "eba_ZZ:x963"

_REGIONS = """
    AT austriaeast
    BE belgiumcentral europe-west1
    CH switzerlandnorth switzerlandwest eu-central-2 europe-west6
    DE germanywestcentral germanynorth eu-central-1 europe-west3 europe-west10
    DK denmarkeast
    ES spaincentral eu-south-2 europe-southwest1
    FI europe-north1
    FR francecentral francesouth eu-west-3 europe-west9
    GB uksouth ukwest eu-west-2 europe-west2 uk
    IE northeurope eu-west-1
    IT italynorth eu-south-1 europe-west8 europe-west12
    NL westeurope europe-west4
    NO norwayeast norwaywest
    PL polandcentral europe-central2
    SE swedencentral swedensouth eu-north-1 europe-north2
    US eastus eastus2 centralus northcentralus southcentralus westcentralus westus westus2 westus3 us-east-1 us-east-2
    US us-west-1 us-west-2 us-central1 us-east1 us-east4 us-east5 us-south1 us-west1 us-west2 us-west3 us-west4
"""
"""Countries of the big clouds' regions, by the vendors' lists (Azure, AWS, Google Cloud; read 2026-11)."""
_COUNTRIES = {name: line.split()[0] for line in _REGIONS.strip().splitlines() for name in line.split()[1:]}
_AREAS = frozenset({"eu", "uk"})


def country(place: str) -> str:
    """Return the ISO 3166-1 code of the country that a region lies in, or that a name is; "" where it is none or
    several (an area such as eu)."""
    name = place.replace(" ", "").lower()
    if name in _COUNTRIES:
        return _COUNTRIES[name]
    return name.upper() if re.fullmatch("[a-z]{2}", name) and name not in _AREAS else ""


def label(value: str) -> str:
    """Return what a value means: what its code stands for, or itself."""
    if value.startswith(("eba_GA:", "eba_CU:")) and value not in LABELS:
        return value.partition(":")[2]
    return LABELS.get(value, value)
