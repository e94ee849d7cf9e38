"""Configuration to tables: what is refused before anybody calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.app import wiring
from freehold.app.environment import Environment
from freehold.app.load import load
from freehold.core.errors import ConfigError


def tables(home: Path, currency: str) -> object:
    (home / "freehold.toml").write_text(
        '[deployments.east]\nkind = "openai"\nmodel = "m"\nendpoint = "http://127.0.0.1:1/v1"\n'
        f'price = {{ input = "1", output = "2"{currency} }}\n'
    )
    return wiring.tables(load(None, Environment({}), home))


def test_a_price_in_another_currency_than_budgets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"deployments\.east\.price.*JPY.*USD") as caught:
        tables(tmp_path, ', currency = "JPY"')
    assert "converts" in caught.value.hint


@pytest.mark.parametrize("currency", ["", ', currency = "USD"'])
def test_a_price_in_theirs_is_taken(tmp_path: Path, currency: str) -> None:
    _, _, prices = tables(tmp_path, currency)  # type: ignore[misc]
    assert prices["east"].currency == "USD"
