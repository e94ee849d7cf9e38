"""What a vendor's moderation says, deterministically: any text with the word `needle` is hate. Knows OpenAI's
moderation endpoint and Content Safety's text:analyze; a chat model that behaves as `guard` judges as a Llama Guard."""

from __future__ import annotations

from typing import Any

from tests.vendor.answers import WORD, Json, Problem, bad

CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip


def moderation(request: Any) -> Json:
    """The answer of POST /v1/moderations."""
    given = request.get("input") if isinstance(request, dict) else None
    if not given:
        raise bad("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    items = given if isinstance(given, list) and isinstance(given[0], str) else [given]
    return {
        "id": "modr-vendor",
        "model": f"{request['model']}-2026-01-01",
        "results": [_result(item) for item in items],
    }


def _result(item: Any) -> Json:
    parts = [{"type": "text", "text": item}] if isinstance(item, str) else item
    bad_ = any(WORD in str(part.get("text", part.get("image_url"))) for part in parts)
    kinds = sorted({"image" if part["type"] == "image_url" else "text" for part in parts})
    return {
        "flagged": bad_,
        "categories": {name: bad_ and name == "hate" for name in CATEGORIES},
        "category_scores": {name: 0.97 if bad_ and name == "hate" else 0.001 for name in CATEGORIES},
        "category_applied_input_types": dict.fromkeys(CATEGORIES, kinds),
    }


def analysis(request: Any, query: dict[str, str]) -> Json:
    """The answer of Content Safety's text:analyze."""
    if query.get("api-version") != "2024-09-01":
        raise Problem(404, {"code": "404", "message": "Resource not found"})
    if not isinstance(request, dict) or not 0 < len(request.get("text", "")) <= 10_000:
        raise Problem(400, {"code": "InvalidRequestBody", "message": "The request body is not valid."})
    found = 4 if WORD in request["text"] else 0
    return {
        "blocklistsMatch": [],
        "categoriesAnalysis": [
            {"category": name, "severity": found if name == "Hate" else 0} for name in request["categories"]
        ],
    }
