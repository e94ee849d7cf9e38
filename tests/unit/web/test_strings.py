"""Each text of the page is in each catalogue, said with the same placeholders and in every form of the language."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from scripts.strings import CATEGORIES, STATIC, faults, load, read, write

NARROW, NO_BREAK = "\u202f", "\u00a0"


def test_every_text_is_written_where_it_can_be_found() -> None:
    words = read()
    assert words.unreadable == []
    assert len(words.texts) > 500 and len(words.plurals) > 10


@pytest.mark.parametrize("name", CATEGORIES)
def test_a_catalogue_says_all_of_it_and_nothing_else(name: str) -> None:
    assert list(faults(name, read(), load(name))) == []


@pytest.mark.parametrize("name", CATEGORIES)
def test_a_catalogue_is_in_order_and_has_each_key_once(name: str) -> None:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys))
        return dict(pairs)

    text = (STATIC / "i18n" / f"{name}.json").read_text("utf-8")
    keys = [*json.loads(text, object_pairs_hook=once)]
    assert keys == sorted(keys, key=lambda key: (key.casefold(), key))


def _all(name: str) -> list[str]:
    values = load(name).values()
    return [form for value in values for form in (value.values() if isinstance(value, dict) else [value])]


def test_french_marks_stand_behind_a_narrow_space() -> None:
    for text in _all("fr"):
        plain = re.sub(r"`[^`]*`|\{\{.*?\}\}|\w+:[A-Z]+/", "", text)
        assert not re.search(rf"[^{NARROW}\s][;?!»]|[^{NARROW}\s]:(?!\w)|[ {NO_BREAK}][:;?!%»]|«[^{NARROW}]", plain), (
            text
        )
        assert "'" not in plain, text


def test_arabic_has_its_own_marks() -> None:
    for text in _all("ar"):
        assert not re.search(r"[\u0600-\u06ff][,;?]", text), text


def _page(folder: Path, script: str) -> Path:
    (folder / "i18n").mkdir(parents=True)
    (folder / "vendor").mkdir()
    (folder / "page.js").write_text(script, "utf-8")
    (folder / "vendor" / "theirs.js").write_text('t("Theirs")', "utf-8")
    return folder


SCRIPT = """
// t("Not said") in a comment
import { t } from "./i18n.js";
export function t(text) { return text; }
const a = t("One \\"text\\""), b = t('It\\'s two', { x: 1 }), c = t(`Three`), d = t("Four " +
  "pieces {n}", { n: f(2) });
const e = plural(sum(["a, b", (1, 2)]), "{n} bee", "{n} bees"), f = about("no"), g = it.t("no");
"""


def test_texts_are_found_however_they_are_written(tmp_path: Path) -> None:
    words = read(_page(tmp_path, SCRIPT))
    assert [*words.texts] == ['One "text"', "It's two", "Three", "Four pieces {n}"]
    assert [*words.plurals] == ["{n} bees"]
    assert words.unreadable == []


@pytest.mark.parametrize("call", ["t(name)", "t(`a ${b}`)", 't("a" + b)', 't(a ? "b" : "c")', 'plural(n, "a", many)'])
def test_a_text_that_is_no_literal_is_named(tmp_path: Path, call: str) -> None:
    words = read(_page(tmp_path, f"x({call})"))
    assert words.texts == {} and words.plurals == {}
    assert len(words.unreadable) == 1 and call in words.unreadable[0]


def test_what_is_wrong_with_a_catalogue_is_said(tmp_path: Path) -> None:
    words = read(_page(tmp_path, 't("Save"); t("Stop {name}"); t("Empty"); plural(n, "{n} bee", "{n} bees")'))
    bees = {
        "zero": "لا نحل",
        "one": "نحلة",
        "two": "نحلتان",
        "few": "{n} نحلات",
        "many": "{n} نحلة",
        "other": "{n} نحلة",
    }
    good = {"Save": "حفظ", "Stop {name}": "إيقاف {name}", "Empty": "فارغ", "{n} bees": bees}
    assert list(faults("ar", words, {**good})) == []
    bad = {"Stop {name}": "إيقاف", "Empty": " ", "{n} bees": {**bees, "few": "نحلات"}, "Gone": "ذهب"}
    assert list(faults("ar", words, {**bad})) == [
        "ar: missing: Save",
        "ar: other placeholders: Stop {name}",
        "ar: missing: Empty",
        "ar: other placeholders: {n} bees",
        "ar: unused: Gone",
    ]
    assert list(faults("ar", words, {**good, "{n} bees": {"one": "نحلة", "other": "{n}"}})) == [
        "ar: forms one, other are not those of the language: {n} bees"
    ]
    assert list(faults("ar", words, {**good, "Save": {"other": "حفظ"}})) == [
        "ar: forms other are not those of the language: Save"
    ]


def test_missing_keys_are_written_in_order_and_unused_ones_go(tmp_path: Path) -> None:
    folder = _page(tmp_path, 't("b"); t("A"); plural(n, "{n} bee", "{n} bees")')
    (folder / "i18n" / "de.json").write_text('{"b": "be", "gone": "weg"}', "utf-8")
    write("de", read(folder), folder)
    written = load("de", folder)
    assert [*written.items()] == [("A", ""), ("b", "be"), ("{n} bees", {"one": "", "other": ""})]
