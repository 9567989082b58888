"""BF16 and FP32 arithmetic is that of the SMT theory of IEEE floating point, for all operands.

Two formulations, as the solvers differ. Z3 has BF16 as a sort and turns its theory into
bit-vectors, which both solvers then decide. Bitwuzla has no such sort; it has FP32 and its own
translation of the theory, so there a BF16 operation is the FP32 one, rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from inspect import getdoc
from typing import Any
from unittest.mock import patch

import z3

from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.numerics.bf16_pairs import flushed_mul, no_sticky
from unmask.spec import arith
from unmask.spec.bits import Bits, mux
from unmask.spec.terms import var

Operation = Callable[[Bits, Bits], Bits]
Premises = tuple[Any, ...]
Cases = Callable[[Bits, Bits], Iterator[tuple[str, Premises]]]

_NEAREST = z3.RNE()
_BF16, _FP32 = z3.FPSort(8, 8), z3.Float32()


def _sort(form: arith.Format) -> Any:
    return z3.FPSort(8, form.fraction + 1)


def _is_code_of(code: Any, value: Any, form: arith.Format) -> Any:
    """Whether a code is that of an IEEE value: the one NaN, or equal to it, signs of zeros too."""
    number = z3.fpBVToFP(code, _sort(form)) == value
    return z3.If(z3.fpIsNaN(value), code == form.nan, number)


def _as_vectors(goal: Any) -> Any:
    """A goal without floating point, by Z3's own translation.

    It is the negation that is translated, as that is what a solver is asked for: whatever the
    translation adds to it, no counterexample gets lost.
    """
    negated = z3.Goal()
    negated.add(z3.Not(goal))
    return z3.Not(z3.Then("simplify", "fpa2bv")(negated).as_expr())


def equals_theory(
    operation: Operation,
    theirs: Any,
    form: arith.Format,
    cases: Cases,
    translate: Callable[[Any], Any],
    files: Files,
) -> Iterator[Obligation]:
    """The operation gives the code of `theirs`, an operation of the theory of floating point."""
    a, b = var("a", form.width), var("b", form.width)
    x, y = (z3.fpBVToFP(code.value, _sort(form)) for code in (a, b))
    got = operation(a, b).value
    goal = translate(_is_code_of(got, theirs(_NEAREST, x, y), form))
    yield _cover(cases(a, b))
    for label, premises in cases(a, b):
        yield Obligation(label, goal, premises, partial(_explain, (a, b), got), (a.value, b.value))


def _as_it_is(goal: Any) -> Any:
    return goal


def equals_rounded(
    operation: Operation, theirs: Any, cases: Cases, files: Files
) -> Iterator[Obligation]:
    """The BF16 operation gives `theirs` on FP32 values, rounded by `round32`.

    The FP32 code of the value is a variable, tied to it by a premise: the theory has no function
    from a value to its code. A NaN has many codes, and any will do.
    """
    a, b, result = var("a", 16), var("b", 16), var("result", 32)
    codes = arith.widen(a), arith.widen(b), result
    x, y, z = (z3.fpBVToFP(code.value, _FP32) for code in codes)
    tied = z == theirs(_NEAREST, x, y)
    got = operation(a, b).value
    yield _cover(cases(a, b))
    for label, premises in cases(a, b):
        explain = partial(_explain, (a, b), got)
        yield Obligation(label, got == arith.round32(result).value, (tied, *premises), explain)


def _cover(cases: Iterable[tuple[str, Premises]]) -> Obligation:
    """No pair is in none of the cases."""
    return Obligation("the cases are all", z3.Or(*(z3.And(*premises) for _, premises in cases)))


def _explain(operands: tuple[Bits, ...], got: Any, value: Values) -> str:
    words = ", ".join(f"{value(code.value):0{code.width // 4}x}" for code in operands)
    return f"operands {words}: got {value(got):0{got.size() // 4}x}"


def conversions(narrow: Callable[[Bits], Bits], files: Files) -> Iterator[Obligation]:
    """round32 and widen are the conversions between FP32 and BF16, to nearest even; all codes.

    By Z3's theory, translated to bit-vectors. A NaN gives 0x7FC0 in the one direction; in the other
    it stays a NaN. No assumptions.
    """
    word, code = var("word", 32), var("code", 16)
    rounded = z3.fpFPToFP(_NEAREST, z3.fpBVToFP(word.value, _FP32), _BF16)
    got = narrow(word).value
    goal = _as_vectors(_is_code_of(got, rounded, arith.BF16))
    yield Obligation("FP32 to BF16", goal, (), partial(_explain, (word,), got))
    exact = z3.fpFPToFP(_NEAREST, z3.fpBVToFP(code.value, _BF16), _FP32)
    wide = arith.widen(code).value
    goal = _as_vectors(z3.fpBVToFP(wide, _FP32) == exact)
    yield Obligation("BF16 to FP32", goal, (), partial(_explain, (code,), wide))


# -- cases, each of which a solver answers quickly; together they are all pairs --


def all_pairs(a: Bits, b: Bits) -> Iterator[tuple[str, Premises]]:
    """No distinction."""
    yield "all pairs", ()


def by_subnormal(a: Bits, b: Bits) -> Iterator[tuple[str, Premises]]:
    """Which operand of a product needs normalisation."""
    small_a, small_b = (code.extract(14, 7).value == 0 for code in (a, b))
    yield "no small operand", (z3.Not(small_a), z3.Not(small_b))
    yield "first below normal", (small_a, z3.Not(small_b))
    yield "second below normal", (z3.Not(small_a), small_b)
    yield "both below normal", (small_a, small_b)


def by_distance(a: Bits, b: Bits) -> Iterator[tuple[str, Premises]]:
    """How far a sum of FP32 operands is aligned; if not at all, whether and how far it cancels."""
    x, y = arith.unpack(a, arith.FP32), arith.unpack(b, arith.FP32)
    distance = _apart(x.exponent, y.exponent)
    for low, high in ((1, 1), (2, 4), (5, 11), (12, 25), (26, 254)):
        label = f"exponents {low} to {high} apart"
        yield label, (z3.ULE(low, distance), z3.ULE(distance, high))
    same, left = distance == 0, _apart(x.significand, y.significand)
    yield "equal exponents and signs", (same, x.sign.value == y.sign.value)
    cancels = (same, x.sign.value != y.sign.value)
    yield "all cancels", (*cancels, left == 0)
    for low in range(0, 24, 4):
        label = f"cancels down to bits {low} to {low + 3}"
        yield label, (*cancels, z3.Extract(23, low, left) != 0, z3.LShR(left, low + 4) == 0)


def _apart(p: Bits, q: Bits) -> Any:
    return mux(p.ult(q), q - p, p - q).value


# -- broken on purpose --


def no_sticky_add32(a: Bits, b: Bits) -> Bits:
    """Broken: what the alignment of a sum shifts out is forgotten."""
    with patch.object(arith, "shift_sticky", lambda value, amount: value >> amount):
        return arith.add32(a, b)


def truncated32(code: Bits) -> Bits:
    """Broken: the lower half is cut off, which also makes infinities of some NaNs."""
    return code.extract(31, 16)


THEORY = """{what} is that of the SMT theory of IEEE floating point, for all {pairs} pairs.

Rounding to nearest even; every NaN is one. Z3 has the format as a sort ({sort}) and translates its
theory to bit-vectors; on those both solvers are asked. So the meaning of the theory is Z3's, the
proof has two engines. No assumptions."""

ROUNDED = """BF16 a + b and a * b are the FP32 operation, rounded once more, for all 2^32 pairs.

So two roundings to nearest even (24 bits, then 8) make no difference, subnormals included. Stated
in the theory of floating point itself, which each solver translates on its own: Z3 is asked for 3
seconds, then Bitwuzla. `numerics.ieee.conversions` says what the second rounding is."""

DISTANCES = """FP32 addition is that of the SMT theory of IEEE floating point, for all 2^64 pairs.

As `numerics.ieee.fp32_add`, but stated in the theory itself, which each solver translates on its
own: Z3 is asked for 3 seconds, then Bitwuzla, which needs it cut into cases by exponents' distance
and cancellation. No assumptions."""


def _theory(name: str, what: str, form: arith.Format, cases: Cases, *rest: Any) -> Theorem:
    theirs, ours, broken = rest
    sort, pairs = f"8, {form.fraction + 1}", f"2^{2 * form.width}"
    return Theorem(
        name=f"numerics.ieee.{name}",
        statement=THEORY.format(what=what, sort=sort, pairs=pairs),
        bounds=f"all {pairs} pairs",
        engine="z3 floating point, bitwuzla",
        obligations=partial(equals_theory, ours, theirs, form, cases, _as_vectors),
        twin=partial(equals_theory, broken, theirs, form, cases, _as_vectors),
        confirm=True,
    )


def rounded_operations(
    adds: Operation, multiplies: Operation, files: Files
) -> Iterator[Obligation]:
    """Both BF16 operations by way of FP32."""
    yield from equals_rounded(adds, z3.fpAdd, all_pairs, files)
    yield from equals_rounded(multiplies, z3.fpMul, by_subnormal, files)


THEOREMS = (
    _theory("bf16_add", "BF16 addition", arith.BF16, all_pairs, z3.fpAdd, arith.add, no_sticky),
    _theory(
        "bf16_mul",
        "BF16 multiplication",
        arith.BF16,
        by_subnormal,
        z3.fpMul,
        arith.mul,
        flushed_mul,
    ),
    _theory(
        "fp32_add", "FP32 addition", arith.FP32, by_distance, z3.fpAdd, arith.add32, no_sticky_add32
    ),
    Theorem(
        name="numerics.ieee.conversions",
        statement=getdoc(conversions) or "",
        bounds="all codes",
        engine="z3 floating point, bitwuzla",
        obligations=partial(conversions, arith.round32),
        twin=partial(conversions, truncated32),
        confirm=True,
    ),
    Theorem(
        name="numerics.ieee.bf16_by_fp32",
        statement=ROUNDED,
        bounds="all 2^32 pairs",
        engine="z3 or bitwuzla, floating point",
        obligations=partial(rounded_operations, arith.add, arith.mul),
        twin=partial(rounded_operations, no_sticky, arith.mul),
    ),
    Theorem(
        name="numerics.ieee.fp32_add_by_distance",
        statement=DISTANCES,
        bounds="all 2^64 pairs",
        engine="z3 or bitwuzla, floating point",
        obligations=partial(
            equals_theory, arith.add32, z3.fpAdd, arith.FP32, by_distance, _as_it_is
        ),
        twin=partial(equals_theory, no_sticky_add32, z3.fpAdd, arith.FP32, by_distance, _as_it_is),
    ),
)
