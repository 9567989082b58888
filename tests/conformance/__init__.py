"""Judging other people's designs: vectors, results, samplers, the pytest plugin."""
