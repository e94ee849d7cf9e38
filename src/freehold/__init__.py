"""Freehold: use every AI model; be a tenant of none."""

__version__ = "0.1.0"
