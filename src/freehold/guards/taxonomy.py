"""What can be wrong with words: one set of categories, and what others call them. Pure; refuses to know who looks and
what follows.

Sources, read 2026-11: OpenAI's 13 categories and their input types from openai-python 3.54 `types/moderation.py`
(omni-moderation-2024-09-26); Azure's four with severities 0, 2, 4, 6 and its flags from Azure OpenAI's API description
2025-04-01-preview (`contentFilterResultsBase`, `contentFilterPromptResults`, `contentFilterChoiceResults`) and Content
Safety `text:analyze` 2024-09-01; S1 to S14 from MLCommons' hazards as Llama Guard 3 numbers them (Meta's model card).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

Side = Literal["input", "output"]

SAFE, LOW, MEDIUM, HIGH = 0, 2, 4, 6
SEVERITIES: Final[dict[int, str]] = {SAFE: "safe", LOW: "low", MEDIUM: "medium", HIGH: "high"}
"""Severities by what Azure calls them."""


class Category(NamedTuple):
    """`parent` is the wider category whose threshold holds where a policy names none for this one. The others are the
    nearest of OpenAI's, Azure's and MLCommons' (Llama Guard 3); empty where they have none."""

    means: str
    parent: str = ""
    openai: str = ""
    azure: str = ""
    mlcommons: str = ""


class Concern(NamedTuple):
    """That words are of a category. `detail` says why in a short word; never the words themselves."""

    category: str
    severity: int
    detail: str = ""


CATEGORIES: Final[dict[str, Category]] = {
    "harassment": Category("insults or degrades somebody", "", "harassment", "hate", ""),
    "harassment_threat": Category(
        "harasses somebody and threatens with harm", "harassment", "harassment/threatening", "violence", "S1"
    ),
    "hate": Category("degrades people for a protected trait", "", "hate", "hate", "S10"),
    "hate_threat": Category(
        "degrades people for a protected trait and threatens with harm", "hate", "hate/threatening", "hate", "S10"
    ),
    "illicit": Category("helps with a crime that hurts nobody's body", "", "illicit", "", "S2"),
    "illicit_violent": Category(
        "helps with violence or with getting a weapon", "illicit", "illicit/violent", "violence", "S1"
    ),
    "weapons": Category(
        "helps with weapons that kill many: chemical, biological, nuclear, explosive", "illicit_violent",
        "illicit/violent", "violence", "S9",
    ),
    "sexual_crime": Category("helps with sexual violence or trafficking", "illicit", "illicit", "sexual", "S3"),
    "self_harm": Category("speaks of or praises harming oneself", "", "self-harm", "self_harm", "S11"),
    "self_harm_intent": Category(
        "says that one harms oneself or will", "self_harm", "self-harm/intent", "self_harm", "S11"
    ),
    "self_harm_instructions": Category(
        "tells how to harm oneself", "self_harm", "self-harm/instructions", "self_harm", "S11"
    ),
    "sexual": Category("is meant to arouse, or offers sexual services", "", "sexual", "sexual", "S12"),
    "minors": Category("sexualises somebody under 18", "sexual", "sexual/minors", "sexual", "S4"),
    "violence": Category("depicts death, violence or injury", "", "violence", "violence", "S1"),
    "violence_graphic": Category(
        "depicts death, violence or injury in detail", "violence", "violence/graphic", "violence", "S1"
    ),
    "defamation": Category("states what is false and hurts a real person's name", "", "", "", "S5"),
    "advice": Category("gives medical, legal or financial advice as a professional would", "", "", "", "S6"),
    "privacy": Category("discloses what is private about somebody", "", "", "", "S7"),
    "copyright": Category("repeats protected text", "", "", "protected_material_text", "S8"),
    "copyright_code": Category("repeats published code", "copyright", "", "protected_material_code", "S8"),
    "elections": Category("states what is false about how, when or where one votes", "", "", "", "S13"),
    "code_abuse": Category("abuses a code interpreter or a machine", "illicit", "illicit", "", "S14"),
    "profanity": Category("swears", "", "", "profanity", ""),
    "jailbreak": Category("tries to talk a model out of its rules", "", "", "jailbreak", ""),
    "injection": Category(
        "instructions in what a tool or a document brought", "jailbreak", "", "indirect_attack", ""
    ),
    "unnamed": Category("something that whoever decided does not name"),
}  # fmt: skip
"""By name, as policies and the ledger write them."""

OPENAI: Final[dict[str, tuple[str, ...]]] = {
    "harassment": ("text",),
    "harassment/threatening": ("text",),
    "hate": ("text",),
    "hate/threatening": ("text",),
    "illicit": ("text",),
    "illicit/violent": ("text",),
    "self-harm": ("text", "image"),
    "self-harm/intent": ("text", "image"),
    "self-harm/instructions": ("text", "image"),
    "sexual": ("text", "image"),
    "sexual/minors": ("text",),
    "violence": ("text", "image"),
    "violence/graphic": ("text", "image"),
}
"""OpenAI's categories, and kinds of input that they can be found in."""

AZURE: Final[tuple[str, ...]] = ("hate", "self_harm", "sexual", "violence")
"""Azure's categories that have a severity."""
PROMPT_FLAGS: Final[tuple[str, ...]] = ("jailbreak", "indirect_attack")
ANSWER_FLAGS: Final[tuple[str, ...]] = ("protected_material_text", "protected_material_code")
FLAGS: Final[tuple[str, ...]] = (*PROMPT_FLAGS, *ANSWER_FLAGS, "profanity")
"""Azure's categories that are found or not: of a prompt, of an answer, of either."""

MLCOMMONS: Final[dict[str, str]] = {
    "S1": "illicit_violent",
    "S2": "illicit",
    "S3": "sexual_crime",
    "S4": "minors",
    "S5": "defamation",
    "S6": "advice",
    "S7": "privacy",
    "S8": "copyright",
    "S9": "weapons",
    "S10": "hate",
    "S11": "self_harm",
    "S12": "sexual",
    "S13": "elections",
    "S14": "code_abuse",
}
"""MLCommons' hazards as Llama Guard 3 numbers them."""

_GRAVE = frozenset({"minors", "weapons"})
"""What is of high severity whoever only says that it is there."""


def from_openai(name: str) -> str:
    """Return our category for one of OpenAI's; "unnamed" for one that we do not know."""
    return _OF_OPENAI.get(name, "unnamed")


def from_azure(name: str) -> str:
    """Return our category for one of Azure's, as Azure OpenAI or as Content Safety writes it (self_harm, SelfHarm)."""
    return _OF_AZURE.get(name) or _OF_AZURE.get(_snake(name), "unnamed")


def from_mlcommons(code: str) -> str:
    """Return our category for a code such as S10; "unnamed" for one that we do not know."""
    return MLCOMMONS.get(code.upper(), "unnamed")


def _first(field: str) -> dict[str, str]:
    """Return the categories by what others call them: the first that has a name is the one meant by it."""
    found: dict[str, str] = {}
    for name, category in CATEGORIES.items():
        other = getattr(category, field)
        if other:
            found.setdefault(other, name)
    return found


_OF_OPENAI = _first("openai")
_OF_AZURE = {**_first("azure"), "hate": "hate", "violence": "violence", "sexual": "sexual"}
"""Where several of ours have one name there, the one that is called the same is meant."""


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def presumed(category: str) -> int:
    """Return the severity of a category of which somebody only says that it is there."""
    return HIGH if category in _GRAVE else MEDIUM


def severity_of(score: float, flagged: bool) -> int:
    """Return the severity for one of OpenAI's scores (0 to 1) and whether the category is flagged. The bounds are ours:
    OpenAI publishes none, and says that scores may shift between versions."""
    if flagged:
        return HIGH if score >= 0.9 else MEDIUM
    return LOW if score >= 0.2 else SAFE


def within(severity: float) -> int:
    """Return the nearest severity at or below: Content Safety may answer on eight levels, a model with anything."""
    return min(HIGH, max(SAFE, int(severity))) // 2 * 2


def family(category: str) -> Iterable[str]:
    """Yield a category and the wider ones around it, the narrowest first."""
    while category:
        yield category
        category = CATEGORIES[category].parent if category in CATEGORIES else ""


def threshold(thresholds: Mapping[str, int], category: str) -> int | None:
    """Return the severity from which a policy's table holds for `category`: its own, that of a wider one, or that of
    "*"; None when it does not hold."""
    for name in family(category):
        if name in thresholds:
            return thresholds[name]
    return thresholds.get("*")


def worst(concerns: Iterable[Concern]) -> list[Concern]:
    """Return the worst concern of each category, in the order of CATEGORIES."""
    found: dict[str, Concern] = {}
    for concern in concerns:
        known = found.get(concern.category)
        if known is None or concern.severity > known.severity:
            found[concern.category] = concern
    return [found[name] for name in CATEGORIES if name in found]


def moderated(
    concerns: Iterable[Concern], scores: Mapping[str, float], flag: Mapping[str, int], images: bool = False
) -> dict[str, Any]:
    """Return one of the `results` of OpenAI's moderation endpoint.

    `scores` are a vendor's own by OpenAI's names; where it has none, a severity stands for its share of the highest.
    `flag` says by our categories (or "*") from which severity one counts as flagged; from medium on where it says
    nothing. `images`: whether pictures were looked at too.
    """
    flagged = dict.fromkeys(OPENAI, False)
    told = {name: float(scores.get(name, 0.0)) for name in OPENAI}
    beyond = False
    for category, severity, _ in worst(concerns):
        least = threshold(flag, category)
        over = severity >= (MEDIUM if least is None else max(least, LOW))
        name = CATEGORIES[category].openai
        if name:
            flagged[name] |= over
            told[name] = max(told[name], severity / HIGH if name not in scores else 0.0)
        beyond |= over  # of a category that OpenAI has no name for: flagged, with no category to show
    kinds = ("text", "image") if images else ("text",)
    return {
        "flagged": beyond,
        "categories": flagged,
        "category_scores": told,
        "category_applied_input_types": {
            name: [kind for kind in kinds if kind in known] for name, known in OPENAI.items()
        },
    }


def filtered(concerns: Iterable[tuple[str, int, bool]], side: Side) -> dict[str, Any]:
    """Return Azure's `content_filter_results` of a prompt or an answer, for (category, severity, whether it was stopped
    for it): every category that has a severity, and flags that were found."""
    result: dict[str, Any] = {name: {"filtered": False, "severity": "safe"} for name in AZURE}
    flags = (*(PROMPT_FLAGS if side == "input" else ANSWER_FLAGS), "profanity")
    grades = dict.fromkeys(AZURE, SAFE)
    if side == "input":
        result["jailbreak"] = {"filtered": False, "detected": False}
    for category, severity, stopped in concerns:
        name = CATEGORIES[category].azure if category in CATEGORIES else ""
        if name in grades:
            grades[name] = max(grades[name], within(severity))
            result[name] = {"filtered": result[name]["filtered"] or stopped, "severity": SEVERITIES[grades[name]]}
        elif name in flags:
            before = result.get(name, {"filtered": False})
            result[name] = {"filtered": before["filtered"] or stopped, "detected": True}
    return result
