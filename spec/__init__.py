"""The executable ISA specification: the one source of truth that everything else is held to.

Reading order: `bits` and `vectors` (the algebra), `formats`, `arith` and `mx` (numbers), `softmax`
and `numerics` (the softmax state and its theorems), `instructions/` (one file per group, each
instruction's operands, traps, semantics and cycles side by side), `isa` (the table), `state`,
`loops` and `machine` (the interpreter; `symbolic` is the one on Z3 terms), `assembler`. What the
table generates for a reader is in `manual/`, what the command line does in `commands/`.
"""
