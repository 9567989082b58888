"""Semantics functions as pseudocode: their Python source, translated statement by statement.

Nothing here knows an instruction. A function is looked up in its source, what its closure and its
row settle is put in (`scalar` of `_elementwise`, a switch that the row does not have), and each
expression is rewritten:

    x["rs1"]                  gp[rs1], f[rs1] or a[rs1], by the operand's kind
    x.read("vector", a, n)    vector[a .. + n]
    a.ult(b), mux(c, a, b)    a < b, a if c else b
    v.zext(34), v.extract(h, l), concat(a, b)    u34(v), v[h:l], {a, b}
    x.vectors.map(f, a, b)    for each element: f(a, b)
    Effect(registers={"rd": v}), Write(m, a, v, e)    gp[rd] <- v, m[a ..] <- v where e

What has no rule stays as it is in the source. Functions that see operands are put in where they
are one expression and else follow under "where"; the others are named, for an appendix.
"""

from unmask.spec.manual.pseudocode.reader import Reader
from unmask.spec.manual.pseudocode.source import factory

__all__ = ["Reader", "factory"]
