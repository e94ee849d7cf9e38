"""The filled templates as files: one CSV each with the codes of the EBA's data model, a companion that says where each
cell is from, and the pieces of a report package that are simple. Refuses to call that a filing."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import msgspec

from freehold.exits import dora_codes as codes
from freehold.exits.dora import Register, Row, Template
from freehold.exits.sheets import comma_separated

ORIGINS = (
    "template", "row", "about", "column", "title", "needed", "value", "meaning", "origin", "how",
)  # fmt: skip
_OTHERS = (
    "B_01.01", "B_01.02", "B_01.03", "B_02.03", "B_03.01", "B_03.02", "B_03.03", "B_04.01", "B_06.01", "B_99.01",
)  # fmt: skip
_MODULE = "http://www.eba.europa.eu/eu/fr/xbrl/crr/fws/dora/4.0/mod/dora.json"
"""Entry point of the EBA's DORA taxonomy 4.0, as report packages of the 2025 and 2026 collections name it."""
_FIRST = (1980, 1, 1, 0, 0, 0)
_READ_ME = """Parts of a register of information (DORA, Art. 28(3)), filled by Freehold as of {day}.

{source}

reports/b_*.csv   the templates, with the codes of the EBA's data model; empty cells are empty
origins.csv       every cell with where its value is from, how it was reckoned, or why it is empty
META-INF, reports/report.json, parameters.csv, FilingIndicators.csv   pieces of an xBRL-CSV report package

This is no filing: the other templates ({others}) are yours, functions and identifiers have to agree with them, and
entityID in parameters.csv says .IND (an individual register) where yours may be consolidated. Whether it is complete
and right is for you to judge.
{notes}
"""


def table(template: Template) -> bytes:
    """Return one template as CSV: c0010 and so on in the first line."""
    names = {column.code: f"c{column.code}" for column in template.columns}
    rows = [{names[code]: cell.value for code, cell in row.cells.items()} for row in template.rows]
    return comma_separated(tuple(names.values()), rows)


def origins(register: Register) -> list[dict[str, Any]]:
    """Return every cell of every template by ORIGINS."""
    return [cell for template in register.templates for cell in _cells(template)]


def _cells(template: Template) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(template.rows, 1):
        for column in template.columns:
            yield _origin(template, number, row, column)


def _origin(template: Template, number: int, row: Row, column: codes.Column) -> dict[str, Any]:
    cell = row.cells[column.code]
    meaning = codes.label(cell.value)
    values = (
        template.id, number, row.about, f"{template.id}.{column.code}", column.title, column.needed, cell.value or None,
        meaning if meaning != cell.value else None, cell.origin, cell.how,
    )  # fmt: skip
    return dict(zip(ORIGINS, values, strict=True))


def package(register: Register) -> bytes:
    """Return all of it as a ZIP file. The same register makes the same bytes."""
    name = f"register-{register.day}"
    text = _READ_ME.format(
        day=register.day, source=register.source, others=", ".join(_OTHERS), notes="\n".join(register.notes)
    )  # fmt: skip
    files: dict[str, bytes] = {
        "README.txt": text.encode(),
        "origins.csv": comma_separated(ORIGINS, origins(register)),
        "META-INF/reportPackage.json": _json({"documentType": "https://xbrl.org/report-package/2023"}),
        "reports/report.json": _json({"documentType": "https://xbrl.org/2021/xbrl-csv", "extends": [_MODULE]}),
        "reports/parameters.csv": comma_separated(("name", "value"), _parameters(register)),
        "reports/FilingIndicators.csv": comma_separated(("templateID", "reported"), _indicators(register)),
    }
    files |= {f"reports/{template.id.lower()}.csv": table(template) for template in register.templates}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(f"{name}/{path}", _FIRST), data, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _json(info: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode({"documentInfo": info}), indent=2)


def _parameters(register: Register) -> list[dict[str, str]]:
    pairs = {
        "entityID": f"rs:{register.lei.value}.IND" if register.lei.value else "",
        "refPeriod": str(register.day),
        "baseCurrency": f"iso4217:{register.currency}",
        "decimalsInteger": "0",
        "decimalsMonetary": "2",
    }
    return [{"name": name, "value": value} for name, value in pairs.items()]


def _indicators(register: Register) -> list[dict[str, Any]]:
    ours = {template.id for template in register.templates}
    return [{"templateID": id, "reported": id in ours} for id in sorted([*ours, *_OTHERS])]
