"""Mutants of the specification's own semantics: does the witness notice each small change?

`operators` makes the mutants, `loader` a second copy of the specification with one of them,
`corpus` what the witness expects, `trial` runs the one against the other.
"""

# What is mutated, of `unmask.spec`.
MODULES = (
    "formats",
    "arith",
    "mx",
    "softmax",
    "reductions",
    "loops",
    *(
        f"instructions.{name}"
        for name in ("rules", "control", "scalar", "vector", "masks", "memory", "softmax")
    ),
)
