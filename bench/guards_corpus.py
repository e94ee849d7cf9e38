"""Texts with labels from published packages, one JSON object a line: {"set", "text", "labels": [[kind, start, end]]}.

Runs in the environment of requirements/guards.txt (no Freehold in it). Seeds are fixed: the same texts each time.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import random
import re
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import phonenumbers
from faker import Faker

Label = tuple[str, str]
LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_BR", "sv_SE", "da_DK", "fi_FI",
           "no_NO", "de_AT", "de_CH", "fr_BE", "cs_CZ", "en_IN", "en_AU", "en_CA")  # fmt: skip
KIND_OF = {
    "credit_card_number": "CARD", "phone_number": "PHONE", "email": "EMAIL", "iban": "IBAN", "ip_address": "IP",
    "ssn": "NATIONAL_ID", "person": "NAME", "name": "NAME", "first_name": "NAME", "last_name": "NAME",
    "name_female": "NAME", "name_male": "NAME", "first_name_male": "NAME", "first_name_female": "NAME",
    "last_name_female": "NAME", "last_name_male": "NAME", "first_name_nonbinary": "NAME", "address": "PLACE",
    "city": "PLACE", "country": "PLACE", "street_name": "PLACE",
}  # fmt: skip
WORDS = {
    "us.ssn": "SSN", "gb.nhs": "NHS number", "de.idnr": "Steuer-ID", "fr.nir": "sécurité sociale", "es.dni": "DNI",
    "es.nie": "NIE", "it.codicefiscale": "codice fiscale", "nl.bsn": "BSN", "be.nn": "rijksregisternummer",
    "pl.pesel": "PESEL", "se.personnummer": "personnummer", "dk.cpr": "CPR", "fi.hetu": "HETU",
    "no.fodselsnummer": "fødselsnummer", "is_.kennitala": "kennitala", "ch.ssn": "AHV", "at.vnr": "SVNR",
    "ie.pps": "PPS", "br.cpf": "CPF", "in_.aadhaar": "Aadhaar", "in_.pan": "PAN", "au.tfn": "TFN", "ca.sin": "SIN",
    "mx.curp": "CURP", "kr.rrn": "주민등록번호", "jp.in_": "マイナンバー", "cn.ric": "身份证", "cz.rc": "rodné číslo",
    "bg.egn": "ЕГН", "ro.cnp": "CNP", "ee.ik": "isikukood", "lt.asmens": "asmens kodas", "gr.amka": "ΑΜΚΑ",
    "hr.oib": "OIB", "tr.tckimlik": "kimlik", "th.pin": "บัตรประชาชน", "za.idnr": "identity number", "id.nik": "NIK",
    "il.idnr": "תעודת זהות", "cl.rut": "RUT", "do.cedula": "cédula", "my.nric": "NRIC", "pt.nif": "NIF",
    "nz.ird": "IRD", "ec.ci": "cédula", "ua.rntrc": "РНОКПП",
}  # fmt: skip
"""python-stdnum's modules of numbers of persons, and what such a number is called at home."""


def filled(template: str, values: list[tuple[str, str]]) -> tuple[str, list[list[Any]]]:
    """Put (kind, value) for each {} of the template, in turn; return the text and where the values are."""
    text, labels = "", []
    parts = template.split("{}")
    for part, (kind, value) in zip(parts, [*values, ("", "")], strict=True):
        text += part
        if kind:
            labels.append([kind, len(text), len(text) + len(value)])
        text += value
    return text, labels


def published(name: str) -> str:
    """A file of presidio-evaluator, read without importing it: its other needs are large."""
    path = distribution("presidio-evaluator").locate_file(f"presidio_evaluator/data_generator/raw_data/{name}")
    return Path(str(path)).read_bytes().decode("utf-8-sig", "replace")


def sentences() -> Iterator[tuple[str, str, list[list[Any]]]]:
    """presidio-evaluator's templates, filled by faker in twenty locales."""
    templates = [line for line in published("templates.txt").splitlines() if line.strip()]
    templates = [line.replace("\\n", "\n") for line in templates]
    fakers = {locale: Faker(locale) for locale in LOCALES}
    for number, fake in enumerate(fakers.values()):
        fake.seed_instance(number)
    lot = random.Random(4)
    for template in templates * 6:
        fake = fakers[lot.choice(LOCALES)]
        values = []
        for field in re.findall(r"\{\{(\w+)\}\}", template):
            value = one(fake, field)
            values.append((KIND_OF.get(field, "-"), value))
        text, labels = filled(re.sub(r"\{\{\w+\}\}", "{}", template.replace("{}", "")), values)
        yield "sentences", text, [label for label in labels if label[0] != "-"]


def one(fake: Any, field: str) -> str:
    renamed = {"person": "name", "ip_address": "ipv4", "organization": "company", "age": "random_int",
               "nationality": "country", "first_name_nonbinary": "first_name", "zipcode": "postcode",
               "date_of_birth": "date"}  # fmt: skip
    try:
        return str(getattr(fake, renamed.get(field, field))()).replace("\n", ", ")
    except AttributeError:
        return str(fake.word())


def people() -> Iterator[tuple[str, str, list[list[Any]]]]:
    """presidio-evaluator's three thousand people of FakeNameGenerator.com, of thirty countries."""
    for row in csv.DictReader(io.StringIO(published("FakeNameGenerator.com_3000.csv"))):
        number, code = row["TelephoneNumber"].strip(), row["TelephoneCountryCode"].strip()
        yield "people: at home, told", *filled("Please call me: {}. Thanks", [("PHONE", number)])
        yield "people: at home, bare", *filled("Ask for Ann ({}) on Monday", [("PHONE", number)])
        abroad = f"+{code} {number.removeprefix('0')}"
        yield "people: international", *filled("Ask for Ann, {}, on Monday", [("PHONE", abroad)])
        yield "people: mail", *filled("Write to {} today", [("EMAIL", row["EmailAddress"])])


def numbers() -> Iterator[tuple[str, str, list[list[Any]]]]:
    """libphonenumber's example numbers: each region, fixed, mobile and toll-free, in its own forms."""
    kinds = phonenumbers.PhoneNumberType
    forms = phonenumbers.PhoneNumberFormat
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (kinds.FIXED_LINE, kinds.MOBILE, kinds.TOLL_FREE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            home = phonenumbers.format_number(number, forms.NATIONAL)
            abroad = phonenumbers.format_number(number, forms.INTERNATIONAL)
            e164 = phonenumbers.format_number(number, forms.E164)
            yield "libphonenumber: international", *filled("Ask for Ann, {}, on Monday", [("PHONE", abroad)])
            yield "libphonenumber: E.164", *filled("Ask for Ann, {}, on Monday", [("PHONE", e164)])
            yield "libphonenumber: at home, told", *filled("Her phone number is {}.", [("PHONE", home)])
            yield "libphonenumber: at home, bare", *filled("Ask for Ann ({}) on Monday", [("PHONE", home)])


def identities() -> Iterator[tuple[str, str, list[list[Any]]]]:
    """The valid numbers in python-stdnum's documentation, as written there; those that go on are random and valid."""
    lot = random.Random(5)
    for name, word in WORDS.items():
        try:
            module = importlib.import_module(f"stdnum.{name}")
        except ImportError:
            continue
        found = re.findall(r"(?:validate|is_valid)\(u?'([^']+)'\)", module.__doc__ or "")
        valid = [number for number in found if good(module, number)]
        for number in valid[:1] * 400:
            changed = "".join(lot.choice("0123456789") if c.isdigit() and lot.random() < 0.5 else c for c in number)
            if good(module, changed) and len(valid) < 12:
                valid.append(changed)
        for number in valid:
            yield f"ids: told, {name[:2]}", *filled(f"{word}: {{}}, thanks", [("NATIONAL_ID", number)])
            yield f"ids: bare, {name[:2]}", *filled("It is {}, thanks", [("NATIONAL_ID", number)])


def good(module: Any, number: str) -> bool:
    try:
        return bool(module.is_valid(number)) and module.compact(number) == re.sub(r"[^0-9A-Za-z]", "", number)
    except Exception:
        return False


def clean() -> Iterator[tuple[str, str, list[list[Any]]]]:
    """What has nothing in it: Python's documentation topics, its library's code, and numbers of other kinds."""
    from pydoc_data import topics

    prose = "\n".join(topics.topics.values())
    for at in range(0, len(prose), 600):
        yield "clean: Python's documentation", prose[at : at + 600], []
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.glob("*.py"))[::3]:
        code = path.read_text("utf-8", "replace")
        for at in range(0, min(len(code), 30000), 600):
            yield "clean: code", code[at : at + 600], []
    lot = random.Random(6)
    fake = Faker("en_US")
    fake.seed_instance(6)
    makers = {
        "orders of 8 to 12 digits": lambda: str(lot.randrange(10 ** lot.randrange(7, 11), 10**12)),
        "orders of 16 digits": lambda: str(lot.randrange(10**15, 10**16)),
        "orders in groups": lambda: f"{lot.randrange(1000):03}-{lot.randrange(10**7):07}-{lot.randrange(10**7):07}",
        "ISBN": lambda: fake.isbn13() if lot.random() < 0.5 else fake.isbn10(),
        "EAN": lambda: fake.ean(),
        "UUID": lambda: fake.uuid4(),
        "hashes": lambda: fake.sha1(),
        "dates and times": lambda: fake.date_time().isoformat(sep=" "),
        "timestamps": lambda: str(lot.randrange(1_600_000_000_000, 1_800_000_000_000)),
        "coordinates": lambda: f"{fake.latitude()}, {fake.longitude()}",
        "amounts": lambda: f"{lot.randrange(10**9):,}.{lot.randrange(100):02}",
        "amounts with spaces": lambda: f"{lot.randrange(10**6, 10**10):,}".replace(",", " "),
        "versions": lambda: ".".join(str(lot.randrange(40)) for _ in range(3)),
        "measurements": lambda: " ".join(f"{lot.random() * 100:.3f}" for _ in range(8)),
        "tables": lambda: " ".join(str(lot.randrange(1000)) for _ in range(12)),
        "tracking": lambda: fake.bothify("??#########??").upper(),
    }
    for name, make in makers.items():
        for _ in range(300):
            yield f"clean: {name}", f"Order {make()} was shipped; see item {make()}.", []


def main() -> None:
    for source in (sentences, people, numbers, identities, clean):
        for where, text, labels in source():
            sys.stdout.write(json.dumps({"set": where, "text": text, "labels": labels}) + "\n")


main()
