"""Checks are held against python-stdnum's; forms and words against published examples."""

from __future__ import annotations

import importlib
import random
import re
from typing import Any

import pytest

from freehold.guards import national_checks as checks
from freehold.guards.find import find
from freehold.guards.national_checks import Check

SAME: list[tuple[str, Check]] = [
    ("gb.nhs", checks.gb_nhs), ("de.idnr", checks.de_steuer), ("es.dni", checks.es_dni), ("es.nie", checks.es_dni),
    ("pl.pesel", checks.pl_pesel), ("br.cpf", checks.br_cpf), ("in_.aadhaar", checks.in_aadhaar),
    ("ca.sin", checks.ca_sin), ("mx.curp", checks.mx_curp), ("jp.in_", checks.jp_number), ("au.tfn", checks.au_tfn),
    ("tr.tckimlik", checks.tr_kimlik), ("th.pin", checks.th_id), ("gr.amka", checks.gr_amka), ("nl.bsn", checks.nl_bsn),
    ("hr.oib", checks.mod_11_10), ("pt.nif", checks.pt_nif), ("il.idnr", checks.il_id), ("ch.ssn", checks.ch_ahv),
]  # fmt: skip
"""python-stdnum's modules that ask what ours ask, no more and no less."""


@pytest.mark.parametrize(("name", "check"), SAME, ids=[name for name, _ in SAME])
def test_checks_agree_with_python_stdnum(name: str, check: Check) -> None:
    module = importlib.import_module(f"stdnum.{name}")
    valid = [number for number in examples(module) if module.is_valid(number)]
    lot, agreed, good = random.Random(name), 0, 0
    for number in valid:
        plain = module.compact(number)
        assert check(plain)
        for _ in range(400):
            changed = "".join(lot.choice("0123456789") if c.isdigit() and lot.random() < 0.3 else c for c in plain)
            assert check(changed) == bool(module.is_valid(changed)), changed
            agreed += 1
            good += check(changed)
    assert agreed >= 400
    assert good > 0


def examples(module: Any) -> list[str]:
    return re.findall(r"(?:validate|is_valid)\(u?'([^']+)'\)", module.__doc__)


ALONE = [
    ("US SSN", "078-05-1120"), ("US SSN", "912-70-1234"), ("US MBI", "1EG4-TE5-MK73"), ("GB NINO", "AB123456C"),
    ("GB NINO", "AB 12 34 56 C"), ("IT codice fiscale", "RSSMRA85T10A562S"), ("ES DNI", "12345678Z"),
    ("ES NIE", "X1234567L"), ("IE PPS", "1234567FA"), ("IE PPS", "6433435FT"), ("DE RVNR", "15 070649 C 103"),
    ("DE Steuer-ID", "36 574 261 809"), ("FR NIR", "2 55 08 14 168 025 38"), ("FR NIR", "255081416802538"),
    ("BE NRN", "85.07.30-033.28"), ("CH AHV", "756.9217.0769.85"), ("CH AHV", "7569217076985"),
    ("SE personnummer", "811218-9876"), ("DK CPR", "211062-5629"), ("FI HETU", "131052-308T"),
    ("FI HETU", "131052A308T"),
    ("NO fødselsnummer", "29029600013"), ("CZ rodné číslo", "710319/2745"), ("LV personas kods", "161175-19997"),
    ("BR CPF", "390.533.447-05"), ("CL RUT", "12.531.909-2"), ("AR CUIL", "20-05536168-2"),
    ("UY cédula", "1.234.567-2"),
    ("MX CURP", "HEGG560427MVZRRL04"), ("IN Aadhaar", "2341 2341 2346"), ("IN PAN", "ABCPE1234F"),
    ("SG NRIC", "S1234567D"), ("HK ID", "A123456(3)"), ("TW ID", "A123456789"), ("CN 身份证", "11010519491231002X"),
    ("MY NRIC", "840805-13-5148"), ("TH ID", "1-2345-45678-78-1"), ("RU СНИЛС", "112-233-445 95"),
]  # fmt: skip


@pytest.mark.parametrize(("note", "number"), ALONE)
def test_forms_that_stand_alone(note: str, number: str) -> None:
    text = f"It is {number}, thanks"
    assert [(each.kind, each.note, text[each.start : each.end]) for each in find(text)] == [
        ("NATIONAL_ID", note, number)
    ]


TOLD = [
    ("US SSN", "SSN 078051120"), ("US SSN", "078051120 is my social security number"), ("CA SIN", "SIN 123-456-782"),
    ("GB NHS", "NHS no. 943 476 5919"), ("NL BSN", "BSN: 111222333"), ("PL PESEL", "PESEL 44051401359"),
    ("PT NIF", "NIF 501964843"), ("AT SVNR", "SV-Nummer 1237010180"), ("BR CPF", "CPF 39053344705"),
    ("DE Steuer-ID", "36574261809 ist meine Steueridentifikationsnummer"), ("DK CPR", "CPR 2110625629"),
    ("AU TFN", "TFN 123 456 782"), ("AU Medicare", "Medicare 2123 45670 1"),
    ("JP My Number", "マイナンバー 6214 9832 0257"),
    ("KR RRN", "주민등록번호 9710131019902"), ("HR OIB", "OIB 33392005961"), ("RO CNP", "CNP 1630615123457"),
    ("BG ЕГН", "ЕГН 7523169263"), ("TR kimlik", "T.C. kimlik no 17291716060"), ("RU ИНН", "ИНН 123456789047"),
    ("GR ΑΜΚΑ", "ΑΜΚΑ 01013099997"), ("EE isikukood", "isikukood 36805280109"), ("IR کد ملی", "کد ملی 0499370899"),
    ("TH ID", "บัตรประชาชน 1234545678781"), ("IL ת.ז.", "תעודת זהות 039337423"), ("DO cédula", "cédula 00113918205"),
    ("CL RUT", "RUT 125319092"), ("ID NIK", "NIK 3171011708450001"), ("ZA ID", "identity number 7503305044089"),
]  # fmt: skip


@pytest.mark.parametrize(("note", "text"), TOLD)
def test_bare_digits_where_a_word_tells(note: str, text: str) -> None:
    assert [each.note for each in find(text)] == [note]
    bare = re.sub(r"[^\d -]", "", text).strip()
    assert [each for each in find(f"Order {bare} of") if each.kind == "NATIONAL_ID" and each.note != "AT SVNR"] == []


@pytest.mark.parametrize(
    "text",
    ["SSN 000-12-3456", "SSN 666-12-3456", "NHS 943 476 5918", "12345678A", "AB123456E", "BG123456C",
     "RSSMRA85T10A562T",
     "2341 2341 2347", "390.533.447-06", "811218-9877", "131052-308U", "PESEL 44051401358", "HEGG560427MVZRRL05"],
)  # fmt: skip
def test_a_wrong_check_is_no_id(text: str) -> None:
    assert [each for each in find(text) if each.kind == "NATIONAL_ID"] == []


@pytest.mark.parametrize("day", ["13.11.2016", "2026-11-24", "2039.01.07 10:30", "22/09/2014", "2019-2024"])
@pytest.mark.parametrize("word", ["tfn", "ird", "rut", "bsn", "ssn"])
def test_a_date_is_no_number_of_a_persons_whatever_word_stands_by_it(day: str, word: str) -> None:
    assert find(f"{word} {day}, the day") == find(f"on {day} {word}") == []
