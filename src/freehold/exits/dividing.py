"""An amount in whole parts by weights, so that the parts add up to it. Pure; refuses to know what is divided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

K = TypeVar("K", bound=str | int)


def divided(amount: int, weights: Mapping[K, int]) -> dict[K, int]:
    """Return `amount` divided by weights: whole parts that add up to it, one for each weight above 0. What is over
    after rounding down goes to those who lost most by it, the first by name of equals. Nothing where no weight is above
    0. Raises ValueError for an amount below 0."""
    if amount < 0:
        raise ValueError("what is divided is not below 0")
    some = {name: weight for name, weight in weights.items() if weight > 0}
    whole = sum(some.values())
    parts = {name: amount * weight // whole for name, weight in some.items()}
    order = sorted(some, key=lambda name: (-(amount * some[name] % whole), name))
    for name in order[: amount - sum(parts.values())]:
        parts[name] += 1
    return parts
