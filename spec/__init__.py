"""The executable ISA specification: the one source of truth that everything else is held to.

Reading order: `bits` (the algebra), `formats` (BF16), `instructions/` (one file per group, each
instruction's operands, traps, semantics and cycles side by side), `isa` (the table), `state` and
`machine` (the interpreter), `assembler`.
"""
