"""Formal proofs: the specification against its mathematics, the RTL against the specification.

Reading order: `engine/obligation` (what a theorem is), `spec/` and `units/` (one theorem or a
tight group per file), `registry` (the list), `ledger` (runs it). `python -m unmask.proofs`
prints the ledger.
"""
