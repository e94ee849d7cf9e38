"""The whole system, started for real."""
