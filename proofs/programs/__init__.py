"""Theorems about programs: instructions run on free variables, against plain statements in Z3.

`unmask.spec.symbolic` runs a short program whose data are variables. What must be there afterwards
is stated with Z3's own operators (bit-vectors, floating point), not with the functions of the
specification; and all that is not named in a statement must be as it was before.
"""
