"""What proofs stand on: Yosys, SMT import, obligations, refutations, processes."""
