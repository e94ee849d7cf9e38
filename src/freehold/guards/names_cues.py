"""Names and addresses by what stands beside them, in a dozen languages: titles, introductions, kinds of streets, post
codes. Pure; helps a model that knows English alone, and refuses to know it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

Found = tuple[str, int, int]

_INTRODUCED: Final = re.compile(
    r"""\b(?:
      (?:my|his|her|whose)\ (?:full\ )?name\ is | name['’]s | (?:call|calls|called|named)\ (?:me|him|her)
    | mein\ name\ ist | ich\ hei(?:ß|ss)e | je\ m['’]appelle | mon\ nom\ est | me\ llamo | mi\ nombre\ es | mi\ chiamo
    | il\ mio\ nome\ è | meu\ nome\ é | chamo-me | mijn\ naam\ is | ik\ heet | jag\ heter | mitt\ namn\ är
    | jeg\ he(?:te|dde)r | mit\ navn\ er | nimeni\ on | nazywam\ się | jmenuji\ se
    | (?:sehr\ )?geehrte[rs]?\ (?:herr|frau) | dear | hi | hello | hey | lieber? | bonjour | chère? | hola
    | querid[oa] | estimad[oa] | ciao | gentile | beste | hej | olá
    | (?:(?:first|last|full|family|given|sur)\ ?)?name: | vorname: | nachname: | nom: | prénom: | nombre: | apellidos?:
    | nome: | cognome: | naam: | patient(?:in)?: | cardholder: | customer: | kunde: | kundin:
    )\s+""",
    re.VERBOSE | re.IGNORECASE,
)
_TITLE: Final = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Sir|Lady|Herrn?|Frau|Hr|Monsieur|Madame|Mme|Mlle|Señora?|Sra?|Srta|Doña|Don|Sig|"
    r"Signora?|Dott|Ing|Dhr|Mevr|Pani?|Fru|Senhora?|MUDr|JUDr|Mag|Dipl)\b\.?(?:-Ing\.)?\s+"
)
_WORD: Final = re.compile(r"[^\W\d_](?:['’-]?[^\W\d_]){0,30}\.?")
_PARTICLES: Final = frozenset(
    ["van", "von", "vom", "de", "den", "der", "del", "della", "di", "da", "dos", "du", "la", "le", "el", "al", "bin",
     "ibn", "ter", "ten", "zu", "y", "e"]
)  # fmt: skip
_NOBODY: Final = frozenset(
    ["sir", "madam", "customer", "all", "team", "everyone", "everybody", "world", "there", "support", "colleagues",
     "friends", "damen", "herren", "herr", "frau", "kunde", "kundin", "kollegen", "freunde", "mr", "mrs", "ms", "dr",
     "monsieur", "madame", "i", "the", "this", "my", "we", "you", "it", "as", "if", "god", "lord", "a", "an"]
)  # fmt: skip
"""What follows a greeting and is no name."""
_MONTHS: Final = frozenset(
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
     "december", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "januar",
     "februar", "märz", "mai", "juni", "juli", "oktober", "dezember", "janvier", "février", "mars", "avril", "juin",
     "juillet", "août", "septembre", "octobre", "novembre", "décembre", "enero", "febrero", "marzo", "abril", "mayo",
     "junio",
     "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre", "gennaio", "febbraio", "aprile", "maggio",
     "giugno", "luglio", "settembre", "ottobre", "dicembre"]
)  # fmt: skip
"""A number beside one is a day."""

_CAP: Final = (
    r"(?!(?:Apt|Suite|Unit|Flat|Studio|Piso)\b)[A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶĹĻĽŁŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŲŹŻŽ][\w'’.-]{0,30}"
)
_KINDS: Final = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Square|Sq|Place|Pl|Way|Terrace|Highway|"
    r"Hwy|Parkway|Pkwy|Plaza|Circle|Close|Crescent|Gardens|Grove|Hill|Mews|Row|Walk)\b\.?"
)
_STREETS: Final = re.compile(
    rf"""
      \b\d{{1,5}}[A-Za-z]?(?:\ bis|\ ter)?,?\ (?:
          (?P<kind>(?:{_CAP}\ ){{1,4}}{_KINDS})
        | (?P<french>(?:rue|avenue|boulevard|place|chemin|impasse|allée|quai|route|cours|square)\ 
            (?:[\w'’-]{{1,30}}\ ?){{1,5}})
        | {_CAP}(?:\ {_CAP}){{0,4}})
    | \b(?P<first>(?:Calle|Avenida|Av\.|Plaza|Paseo|Via|Viale|Piazza|Corso|Vicolo|Rua|Travessa|Praça|ul\.|Aleja|Borgo)\ 
          (?:[\w'’.-]{{1,30}}\ ){{0,5}}?[\w'’.-]{{1,30}},?\ \d{{1,4}}\b)
    | \b(?P<word>{_CAP}(?:\ {_CAP}){{0,3}}),?\ \d{{1,4}}(?:[/-]\d{{1,4}}|\ ?[A-Za-z]\b)?(?!\d)
    """,
    re.VERBOSE,
)
_ENDS: Final = (
    "straße", "strasse", "gasse", "allee", "platz", "damm", "ufer", "straat", "laan", "plein", "gracht", "weg", "str.",
    "katu", "gata", "gatan", "vägen", "vej", "gade", "veien", "kade", "utca",
)  # fmt: skip
"""What names of streets end with that stand before their number."""
_CODE: Final = (
    r"(?:\b(?:[A-Z]{1,2}[- ])?\d{5}(?:-?\d{3,4})?\b|\b\d{6}\b|\b(?:[A-Z]{1,2}-)?\d{4}\b(?:\ ?[A-Z]{2}\b)?"
    r"|\b\d{4}[A-Z]{2}\b|\b[A-Z]{1,2}\d[A-Z\d]?\ ?\d[A-Z]{2}\b|\b[A-Z]\d[A-Z]\ ?\d[A-Z]\d\b|\b\d{3}\ \d{2}\b"
    r"|\b\d{2}-\d{3}\b)"
)
"""Post codes."""
_TAIL: Final = re.compile(
    rf"(?:,?\s(?:Apt|Suite|Unit|Flat|Studio|Appartement)\.?\s?\w{{1,8}})?"
    rf"(?:[,\s]\s{{0,3}}{_CAP}(?:\ {_CAP}){{0,3}}){{0,3}}[,\s]\s{{0,3}}"
    rf"{_CODE}(?:,?\ (?:{_CAP})(?:\ (?:{_CAP}|de|do|da|im|am)){{0,4}})?(?:\ /\ [A-Z]{{2}}\b)?"
)


def cues(text: str) -> list[Found]:
    """Return names and addresses as (kind, start, end), in order, apart."""
    found = sorted([*_streets(text), *_named(text)], key=lambda each: each[1])
    apart: list[Found] = []
    for each in found:
        if not apart or each[1] >= apart[-1][2]:
            apart.append(each)
    return apart


def joined(first: list[Found], more: list[Found]) -> list[Found]:
    """Return both in order; what overlaps is one finding, of the kind that `first` says."""
    found: list[Found] = []
    for kind, start, end, _ in sorted([(*each, 0) for each in first] + [(*each, 1) for each in more], key=_place):
        if found and start < found[-1][2]:
            last, begin, stop = found[-1]
            found[-1] = (last if (last, begin, stop) in first else kind, begin, max(stop, end))
        else:
            found.append((kind, start, end))
    return found


def _place(each: tuple[str, int, int, int]) -> tuple[int, int]:
    return each[1], each[3]


def _named(text: str) -> Iterator[Found]:
    for cue in (_INTRODUCED, _TITLE):
        for match in cue.finditer(text):
            end = _name(text, match.end())
            if end > match.end():
                yield "NAME", match.end(), end


def _name(text: str, start: int) -> int:
    """Where the words that begin with capitals end which begin at `start`; five at most, particles between."""
    at = end = start
    for _ in range(5):
        word = _WORD.match(text, at)
        if word is None:
            break
        written = word[0]
        if written.lower().rstrip(".") in _NOBODY and end == start:
            break
        if written[0].isupper():
            short = written.endswith(".") and len(written) > 3
            end = word.end() - short
            if short:
                break
        elif written not in _PARTICLES:
            break
        if text[word.end() : word.end() + 1] != " ":
            break
        at = word.end() + 1
    return end


def _streets(text: str) -> Iterator[Found]:
    for match in _STREETS.finditer(text):
        tail = _TAIL.match(text, match.end())
        whole = text[match.start() : tail.end() if tail is not None else match.end()]
        if not _MONTHS.isdisjoint(whole.lower().replace(",", " ").replace(".", " ").split()):
            continue
        if tail is not None:
            yield "PLACE", match.start(), tail.end()
        elif match["kind"] or match["french"] or match["first"] or (match["word"] or "").lower().endswith(_ENDS):
            yield "PLACE", match.start(), match.start() + len(match[0].rstrip())
