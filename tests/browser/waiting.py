"""Waiting for what a page's script says. The driver's own `wait_for_function` evaluates text inside the page, which the
page's policy rightly forbids; here each look comes from outside."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Page


def until(page: Page, expression: str, arg: Any = None, seconds: float = 15.0) -> Any:
    """Return the first true value of `expression` (or of the function that it is); AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = page.evaluate(expression, arg)
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {expression}")
        page.wait_for_timeout(20)
