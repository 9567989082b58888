"""Theorems about the executable specification itself."""
