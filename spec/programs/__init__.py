"""Sampling programs, written as functions that return assembly text."""
