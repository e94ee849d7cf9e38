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
        yield "people: at home (told)", *filled("Please call me: {}. Thanks", [("PHONE", number)])
        yield "people: at home (bare)", *filled("Ask for Ann ({}) on Monday", [("PHONE", number)])
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
            yield "libphonenumber: at home (told)", *filled("Her phone number is {}.", [("PHONE", home)])
            yield "libphonenumber: at home (bare)", *filled("Ask for Ann ({}) on Monday", [("PHONE", home)])


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


CARDS = {
    "visa": "4111111111111111 4012888888881881 4242424242424242 4000056655665556 4917610000000000 4444333322221111",
    "mastercard": "5555555555554444 5105105105105100 5200828282828210 2223003122003222 2222400070000005",
    "amex": "378282246310005 371449635398431 378734493671000 370000000000002",
    "diners": "30569309025904 38520000023237 36227206271667 36006666333344",
    "discover": "6011111111111117 6011000990139424 6445644564456445",
    "jcb": "3530111333300000 3566002020360505 3569990010095841",
    "unionpay": "6200000000000005 6205500000000000004 6243030000000001",
    "maestro": "6771798021000008 6759649826438453 5000550000000029",
}
"""Test numbers that Stripe, Adyen, PayPal and the networks publish for their sandboxes."""
IBANS = """
    AD1200012030200359100100 AE070331234567890123456 AT611904300234573201 BE68539007547034
    BG80BNBG96611020345678 CH9300762011623852957 CY17002001280000001200527600 CZ6508000000192000145399
    DE89370400440532013000 DK5000400440116243 EE382200221020145685 ES9121000418450200051332 FI2112345600000785
    FR1420041010050500013M02606 GB29NWBK60161331926819 GI75NWBK000000007099453 GR1601101250000000012300695
    HR1210010051863000160 HU42117730161111101800000000 IE29AIBK93115212345678 IL620108000000099999999
    IS140159260076545510730339 IT60X0542811101000000123456 LI21088100002324013AA LT121000011101001000
    LU280019400644750000 LV80BANK0000435195001 MC5811222000010123456789030 MT84MALT011000012345MTLCAST001S
    NL91ABNA0417164300 NO9386011117947 PL61109010140000071219812874 PT50000201231234567890154
    RO49AAAA1B31007593840000 SA0380000000608010167519 SE4550000000058398257466 SI56263300012039086
    SK3112000000198742637541 SM86U0322509800000000270100 TN5910006035183598478831 TR330006100519786457841326
"""
"""The SWIFT IBAN registry's examples."""
KEYS = """
    anthropic sk-ant-api03-{A86}AA | openai sk-proj-{A40}T3BlbkFJ{A40} | openrouter sk-or-v1-{h64}
    deepseek sk-{h32} | xai xai-{A80} | groq gsk_{A52} | huggingface hf_{L34} | replicate r8_{A37}
    perplexity pplx-{A48} | nvidia nvapi-{A64} | github ghp_{A36} | github github_pat_{A22}_{A59}
    gitlab glpat-{A20} | aws AKIA{U16} | google AIza{A35} | google GOCSPX-{A28} | slack xoxb-{d12}-{d13}-{A24}
    slack xapp-1-{U11}-{d13}-{h64} | stripe sk_live_{A24} | stripe rk_test_{A24} | stripe whsec_{A32}
    twilio SK{h32} | sendgrid SG.{A22}.{A43} | mailgun key-{h32} | npm npm_{A36}
    pypi pypi-AgEIcHlwaS5vcmc{A90} | docker dckr_pat_{A27} | digitalocean dop_v1_{h64} | shopify shpat_{h32}
    databricks dapi{h32} | hashicorp hvs.{A90} | grafana glsa_{A32}_{h8} | newrelic NRAK-{U27}
    linear lin_api_{A40} | notion ntn_{A46} | atlassian ATATT3xFfGF0{A160} | figma figd_{A40}
    postman PMAK-{h24}-{h34} | discord MT{A22}.{A6}.{A38} | telegram {d10}:AA{A33} | azure {A52}JQQJ99{A26}
    langsmith lsv2_pt_{h32}_{h10} | tavily tvly-dev-{A32} | jwt eyJhbGciOiJIUzI1NiJ9.eyJ{A40}.{A43}
    freehold fh-{A40}
"""
"""Forms of keys as their issuers document them: A letters and digits, L letters, U capitals and digits 2 to 7,
h hexadecimal, d digits."""
SIGNS = {
    "A": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "h": "0123456789abcdef", "d": "0123456789",
    "L": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "U": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
}  # fmt: skip


def money() -> Iterator[tuple[str, str, list[list[Any]]]]:
    """Published test cards and accounts: plain, in groups, and written with look-alikes."""
    for name, row in CARDS.items():
        for number in row.split():
            groups = grouped(number, (4, 6, 9) if len(number) < 16 else (4, 4, 4, 4, 3))
            yield f"cards: {name}", *filled("Charge {} please", [("CARD", number)])
            for joint in " -":
                yield f"cards: {name}", *filled("Charge {} please", [("CARD", joint.join(groups))])
            wide = "".join(chr(ord(c) + 0xFEE0) for c in number)
            for alike in (wide, "\u00a0".join(groups), "\u2011".join(groups), "\u200b".join(groups)):
                yield "cards: look-alikes", *filled("Charge {} please", [("CARD", alike)])
    for number in IBANS.split():
        groups = re.findall(".{1,4}", number)
        yield "accounts", *filled("Pay to {}, please", [("IBAN", number)])
        yield "accounts", *filled("Pay to {}, please", [("IBAN", " ".join(groups))])
        yield "accounts: lower case", *filled("Pay to {}, please", [("IBAN", number.lower())])
        yield "accounts: look-alikes", *filled("Pay to {}, please", [("IBAN", "\u202f".join(groups))])


def grouped(number: str, sizes: tuple[int, ...]) -> list[str]:
    groups, at = [], 0
    for size in sizes:
        groups.append(number[at : at + size])
        at += size
    return [group for group in groups if group]


def keys() -> Iterator[tuple[str, str, list[list[Any]]]]:
    """Keys drawn by lot after their issuers' forms; passwords in URLs and settings."""
    lot = random.Random(8)
    for entry in re.split(r"[|\n]", KEYS.strip()):
        issuer, form = entry.split()
        for template in (
            "I use {} for it",
            "API_KEY={}\nDEBUG=1",
            '{"key": "{}"}',
            "curl -H 'Authorization: Bearer {}' x",
        ):
            key = re.sub(r"\{(\w)(\d+)\}", lambda m: "".join(lot.choices(SIGNS[m[1]], k=int(m[2]))), form)
            text = template.replace("{}", key)
            at = text.index(key)
            yield f"keys: {issuer}", text, [["SECRET", at, at + len(key)]]
    fake = Faker("en_US")
    fake.seed_instance(8)
    for _ in range(60):
        word = fake.password(length=lot.randrange(8, 20), special_chars=False)
        for template in ("postgres://app:{}@db.example/main", "password = '{}'", "DB_PASSWORD={}", '{"password": "{}"}',
                         "Server=db;User Id=sa;Password={};", "My password is {}"):  # fmt: skip
            text = template.replace("{}", word)
            yield "passwords", text, [["SECRET", text.index(word), text.index(word) + len(word)]]


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
    for source in (sentences, people, numbers, identities, money, keys, clean):
        for where, text, labels in source():
            sys.stdout.write(json.dumps({"set": where, "text": text, "labels": labels}) + "\n")


main()
