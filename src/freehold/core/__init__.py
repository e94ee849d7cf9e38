"""Vocabulary that every room shares. Knows the standard library and msgspec; refuses to know any I/O."""
