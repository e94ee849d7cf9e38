"""Runs our own models. Knows model files, sources and child processes; refuses to know calls and keys."""
