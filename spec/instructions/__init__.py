"""The instructions, one file per group: operands, traps, semantics, cycles, adjacent."""
