"""Leaving: what rests on whom, and what would stand in its place. Knows sums of the ledger, contracts and routes;
refuses to send a call and to change a route."""

from __future__ import annotations
