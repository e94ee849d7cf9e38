"""One taxonomy and the three of others: what comes from one of them goes back to where it came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import ModerationCreateResponse
from tests.unit.wire.dialects.published import valid

from freehold.guards import taxonomy
from freehold.guards.taxonomy import AZURE, CATEGORIES, FLAGS, MLCOMMONS, OPENAI, SEVERITIES, Concern

severities = st.sampled_from([0, 2, 4, 6])
categories = st.sampled_from(sorted(CATEGORIES))
concerns = st.lists(st.builds(Concern, categories, severities), max_size=6)


@pytest.mark.parametrize("name", OPENAI)
def test_openais_come_back(name: str) -> None:
    assert CATEGORIES[taxonomy.from_openai(name)].openai == name


@pytest.mark.parametrize("name", [*AZURE, *FLAGS])
def test_azures_come_back(name: str) -> None:
    assert CATEGORIES[taxonomy.from_azure(name)].azure == name


@pytest.mark.parametrize("code", MLCOMMONS)
def test_mlcommons_come_back(code: str) -> None:
    assert CATEGORIES[taxonomy.from_mlcommons(code.lower())].mlcommons == code


def test_there_are_as_many_as_they_publish() -> None:
    assert (len(OPENAI), len(AZURE), len(MLCOMMONS)) == (13, 4, 14)
    assert list(MLCOMMONS) == [f"S{n}" for n in range(1, 15)]


def test_names_of_nobody_are_unnamed() -> None:
    assert {taxonomy.from_openai("x/y"), taxonomy.from_azure("Custom"), taxonomy.from_mlcommons("S99")} == {"unnamed"}


def test_content_safety_writes_azures_names_otherwise() -> None:
    found = [taxonomy.from_azure(name) for name in ("Hate", "SelfHarm", "Sexual", "Violence")]
    assert found == ["hate", "self_harm", "sexual", "violence"]


@given(categories)
def test_a_detour_over_another_taxonomy_ends_where_it_leads(name: str) -> None:
    """Going out and back twice is going once: the nearest of the nearest is itself."""
    for field, back in (
        ("openai", taxonomy.from_openai), ("azure", taxonomy.from_azure), ("mlcommons", taxonomy.from_mlcommons),
    ):  # fmt: skip
        other = getattr(CATEGORIES[name], field)
        if other:
            assert getattr(CATEGORIES[back(other)], field) == other


def test_parents_are_categories_and_end() -> None:
    for name, category in CATEGORIES.items():
        chain = list(taxonomy.family(name))
        assert len(chain) == len(set(chain)) and set(chain) <= CATEGORIES.keys() and category.means


def test_a_threshold_is_that_of_the_narrowest() -> None:
    said = {"hate": 4, "hate_threat": 2, "*": 6}
    assert [taxonomy.threshold(said, name) for name in ("hate", "hate_threat", "minors")] == [4, 2, 6]
    assert taxonomy.threshold({"sexual": 2}, "minors") == 2 and taxonomy.threshold({"sexual": 2}, "hate") is None


@pytest.mark.parametrize(
    ("score", "flagged", "severity"),
    [(0.0, False, 0), (0.19, False, 0), (0.3, False, 2), (0.3, True, 4), (0.95, True, 6), (0.95, False, 2)],
)
def test_scores(score: float, flagged: bool, severity: int) -> None:
    assert taxonomy.severity_of(score, flagged) == severity


@given(st.floats(-10, 100))
def test_any_number_is_a_severity(given_: float) -> None:
    assert taxonomy.within(given_) in SEVERITIES


@given(concerns)
def test_the_worst_of_each(found: list[Concern]) -> None:
    kept = taxonomy.worst(found)
    assert len({each.category for each in kept}) == len(kept)
    for each in found:
        assert any(one.category == each.category and one.severity >= each.severity for one in kept)


@given(concerns, st.dictionaries(categories, severities, max_size=3))
def test_a_moderation_result_is_of_openais_form(found: list[Concern], flag: dict[str, int]) -> None:
    result = taxonomy.moderated(found, {}, flag)
    read = ModerationCreateResponse.model_validate({"id": "modr-1", "model": "m", "results": [result]}, strict=True)
    assert read.results[0].to_dict() == result
    assert result["flagged"] or not any(result["categories"].values())
    assert all(0 <= score <= 1 for score in result["category_scores"].values())


def test_what_openai_has_no_name_for_is_flagged_all_the_same() -> None:
    result = taxonomy.moderated([Concern("defamation", 6)], {}, {})
    assert result["flagged"] and not any(result["categories"].values())


def test_a_vendors_own_scores_stand() -> None:
    result = taxonomy.moderated([Concern("hate", 4)], {"hate": 0.71, "violence": 0.01}, {"hate": 6})
    assert result["category_scores"]["hate"] == 0.71 and result["category_scores"]["violence"] == 0.01
    assert not result["flagged"]


def test_pictures_apply_where_openai_looks_at_them() -> None:
    kinds = taxonomy.moderated([], {}, {}, images=True)["category_applied_input_types"]
    assert kinds["violence"] == ["text", "image"] and kinds["hate"] == ["text"]


@given(st.lists(st.tuples(categories, severities, st.booleans()), max_size=5))
def test_filter_results_are_of_azures_form(found: list[tuple[str, int, bool]]) -> None:
    valid(taxonomy.filtered(found, "input"), "contentFilterPromptResults", azure=True)
    said = taxonomy.filtered(found, "output")
    valid(said, "contentFilterChoiceResults", azure=True)
    assert set(AZURE) <= said.keys() and not {"jailbreak", "indirect_attack"} & said.keys()


def test_filter_results_say_the_worst() -> None:
    said = taxonomy.filtered([("hate", 2, False), ("harassment", 6, True), ("injection", 4, True)], "input")
    assert said["hate"] == {"filtered": True, "severity": "high"}
    assert said["indirect_attack"] == {"filtered": True, "detected": True}
    assert said["jailbreak"] == {"filtered": False, "detected": False}
    assert said["violence"] == {"filtered": False, "severity": "safe"}
