"""The tests of Freehold."""
