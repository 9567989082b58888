"""Traps of every row of the table, against what each row touches, stated here once more.

Addresses and lengths are taken as integers: bit-vectors so wide that nothing wraps in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import z3

from unmask.proofs.engine.obligation import Files, Obligation
from unmask.proofs.programs.symbolic_run import gp, start, theorem
from unmask.spec import isa, symbolic
from unmask.spec.bits import Bits
from unmask.spec.encoding import (
    CSR_NAMES,
    CSRS,
    FORMATS,
    RD,
    STATE_COUNT,
    Context,
    Instruction,
    Kind,
    Trap,
)
from unmask.spec.instructions.rules import vector_length
from unmask.spec.state import Config
from unmask.spec.symbolic import SymbolicState
from unmask.spec.terms import const

NEVER = z3.BoolVal(False)
WIDE = 100  # bits of an integer: no sum or product below reaches them
MOST_OF_A_STATE = 1 << 18  # elements
STATE = 6  # what names a softmax state: number 2

# How many elements a row works on (VL, one, or what the named register holds), and where the first
# of them lies; `=` where they are written.
TOUCHED = """
    VL   V_ADD_VV V_SUB_VV V_MUL_VV: =vector.rd vector.rs1 vector.rs2
    VL   V_ADD_VF V_SUB_VF V_MUL_VF V_EXP_V V_RECI_V: =vector.rd vector.rs1
    VL   V_SELECT_VVM: =vector.rd vector.rs1 vector.rs2 vector.rs3
    VL   V_RED_SUM V_RED_MAX V_RED_MAX_IDX V_RED_SM: vector.rs1
    rs4  V_TOPK_MASK V_CMP_MASK_VV: =vector.rd vector.rs1 vector.rs2
    rs4  V_KEY_MASK_QUOTA V_KEY_MASK_RULE: =vector.rd key.rs1 vector.rs2
    rs4  V_KEY_MASK_FACTOR: =vector.rd key.rs1 vector.rs2 key.rs3
    rs4  V_CMP_MASK_VF: =vector.rd vector.rs1
    rs4  V_CMP_MASK_IG: =vector.rd int.rs1
    rs4  V_CMP_MASK_II: =vector.rd int.rs1 int.rs2
    rs4  S_SELECT_INT: =int.rd int.rs1 int.rs2 vector.rs3
    rs2  S_MAP_V_FP: =vector.rd fp.rs1+imm14
    1    S_LD_FP: fp.rs1+imm18
    1    S_ST_FP: =fp.rs1+imm18
    1    S_LD_INT: int.rs1+imm18
    1    S_ST_INT: =int.rs1+imm18
    1    S_LD_KEY: key.rs1
    1    S_ST_KEY: =key.rs1
    1    S_SM_ST_KEY: =key.rd
    1    S_SM_ST_IDX: =int.rd
    rs3  H_LD_INT: =int.rd
    rs3  H_ST_INT: int.rd
    rs3  H_LD_KEY: =key.rd
    rs3  H_ST_KEY: key.rd
"""
VLEN_BY_GP0 = ("rs4", "rs2")  # length operands for which gp0 stands for VLEN
FORMAT_SHAPES = {  # bytes of an element, elements of a block
    "BF16": (2, 1),
    "E4M3_B32": (1, 32),
    "E4M3_B8": (1, 8),
    "E5M2_B32": (1, 32),
    "E5M2_B8": (1, 8),
}
_SHAPES = {FORMATS[name]: shape for name, shape in FORMAT_SHAPES.items()}


@dataclass(frozen=True)
class Range:
    """Elements of an SRAM."""

    memory: str
    first: Any
    length: Any
    written: bool


Rules = dict[Trap, list[Any]]


@dataclass
class Word:
    """A word of a row in a state of variables: every GP operand names a register of its own."""

    row: Instruction
    word: int
    state: SymbolicState

    def number(self, operand: str) -> int:
        """What stands in the operand's field."""
        return next(x.field.get(self.word) for x in self.row.operands if x.name == operand)

    def value(self, operand: str) -> Any:
        """What the operand holds, as an integer."""
        found = next(x for x in self.row.operands if x.name == operand)
        number = self.number(operand)
        if found.kind is Kind.GP:
            return _integer(gp(number))
        if found.kind is Kind.A:
            return _integer(self.state.a[number].value)
        return z3.BitVecVal(number, WIDE)

    def csr(self, name: str) -> Any:
        return _integer(self.state.csrs[name].value)


def _integer(value: Any) -> Any:
    return z3.ZeroExt(WIDE - value.size(), value)


def _number(value: int) -> Any:
    return z3.BitVecVal(value, WIDE)


def _length(what: str, word: Word) -> Any:
    if what == "1":
        return _number(1)
    if what == "VL":
        return word.csr("VL")
    if what in VLEN_BY_GP0 and word.number(what) == 0:
        return _number(word.state.config.vlen)
    return word.value(what)


def ranges(word: Word) -> list[Range]:
    """What a word touches in the SRAMs, by `TOUCHED`."""
    for line in TOUCHED.strip().splitlines():
        head, places = line.split(":")
        length, *names = head.split()
        if word.row.mnemonic not in names:
            continue
        found = []
        for place in places.split():
            memory, address = place.removeprefix("=").split(".")
            register, *immediate = address.split("+")
            first = word.value(register)
            for name in immediate:  # the machine adds modulo 2**32
                first = (first + word.value(name)) & 0xFFFFFFFF
            found.append(Range(memory, first, _length(length, word), place.startswith("=")))
        return found
    return []


def sram_rules(word: Word) -> Rules:
    """What may be wrong with the ranges of a word."""
    config, touched = word.state.config, ranges(word)
    vectors = [x for x in touched if x.memory == "vector"]
    pairs = [
        (a, b)
        for a in touched
        for b in touched
        if a.written and not b.written and a.memory == b.memory
    ]
    # They share an element if the later start comes before the earlier end.
    shared = [
        z3.And(a.first != b.first, z3.ULT(_max(a.first, b.first), _min(_end(a), _end(b))))
        for a, b in pairs
    ]
    return {
        Trap.MISALIGNED: [_off(x.first, config.vlen) for x in vectors],
        Trap.RANGE: [z3.UGT(_end(x), config.elements(x.memory)) for x in touched],
        Trap.OVERLAP: shared,
    }


def _off(address: Any, unit: int) -> Any:
    """It is no multiple of the unit."""
    return z3.URem(address, _number(unit)) != 0


def _end(x: Range) -> Any:
    return x.first + x.length


def _max(a: Any, b: Any) -> Any:
    return z3.If(z3.UGT(a, b), a, b)


def _min(a: Any, b: Any) -> Any:
    return z3.If(z3.ULT(a, b), a, b)


def length_rules(word: Word) -> list[Any]:
    """LENGTH: over what the rank unit holds, or over what a softmax state holds."""
    name = word.row.mnemonic
    if name.startswith(("V_TOPK_MASK", "V_KEY_MASK")):
        return [z3.UGT(_length("rs4", word), word.state.config.key_words)]
    if name in ("V_RED_SM", "H_RED_SM"):
        held = _integer(word.state.softmax[STATE % STATE_COUNT].count.value)
        if word.number("clear"):
            held = _number(0)
        return [z3.UGT(held + word.csr("VL"), MOST_OF_A_STATE)]
    return []


def transfer_rules(word: Word) -> Rules:
    """What may be wrong with the part of a transfer that lies in HBM, row by row."""
    name = word.row.mnemonic
    if name in ("H_LD_INT", "H_ST_INT", "H_LD_KEY", "H_ST_KEY"):
        return _in_memory(word, word.value("rs3"), [word.value("rs1")], 4, 1)
    if name == "H_RED_SM":
        return _in_memory(
            word, word.csr("VL"), [word.value("rs1")], *_SHAPES[word.number("format")]
        )
    if name not in ROW_COUNTS:
        return {}
    rows = symbolic.value_of(word.state.csrs["ROWS"])
    form = symbolic.value_of(word.state.csrs[f"FMT{word.number('precision')}"])
    size, block = _SHAPES[form]
    length = word.csr("VL")
    pitch = word.csr("STRIDE") if word.number("rstride") else length
    # Of no rows the first one still says whether the transfer is aligned.
    begins = [word.value("rs1") + row * pitch for row in range(max(rows, 1))]
    rules = _in_memory(word, length if rows else _number(0), begins, size, block)
    vlen = word.state.config.vlen
    padded = z3.LShR(length + (vlen - 1), vlen.bit_length() - 1) * vlen
    end = word.value("rd") + rows * padded
    rules[Trap.RANGE] = [z3.UGT(end, word.state.config.elements("vector"))]
    rules[Trap.MISALIGNED].append(_off(word.value("rd"), vlen))
    if name == "H_STORE_V" and block > 1:
        rules[Trap.LENGTH] = [_off(length, block)]
    return rules


def _in_memory(word: Word, length: Any, begins: Sequence[Any], size: int, block: int) -> Rules:
    """Rows of elements of `size` bytes, and of their blocks' scales, by their element offsets."""
    base, some = word.value("rs2"), length != 0
    outside = []
    for begin in begins:
        last = begin + length - 1
        outside.append(_out(word, base + begin * size, base + last * size + (size - 1)))
        if block > 1:
            scales = base + word.csr("SCALE")
            shift = block.bit_length() - 1
            outside.append(
                _out(word, scales + z3.LShR(begin, shift), scales + z3.LShR(last, shift))
            )
    misplaced = [_off(begin, block) for begin in begins] if block > 1 else []
    return {
        Trap.MISALIGNED: [_off(base, size), *misplaced],
        Trap.WINDOW: [z3.And(some, x) for x in outside],
    }


def _out(word: Word, first: Any, last: Any) -> Any:
    """A byte from first to last, both included, is not in the window."""
    begin, end = word.state.window
    return z3.Or(z3.ULT(first, begin), z3.UGE(last, end))


def wrong(word: Word) -> Rules:
    """All that may be wrong with a word, by cause."""
    rules: Rules = {Trap.LENGTH: length_rules(word)}
    for more in (sram_rules(word), transfer_rules(word)):
        for trap, conditions in more.items():
            rules.setdefault(trap, []).extend(conditions)
    if word.row.mnemonic == "C_SET_CSR":
        limit = CSRS[CSR_NAMES[word.number("rd")]].limit
        value = (word.value("rs1") + word.value("imm18")) & 0xFFFFFFFF
        rules[Trap.ILLEGAL] = [z3.UGT(value, limit)] if limit < 0xFFFFFFFF else []
    return {trap: conditions for trap, conditions in rules.items() if conditions}


def claimed(word: Word) -> Rules:
    """The same by the row's own rules."""
    operands: Any = symbolic.SymbolicOperands(word.state, word.row, word.word)
    rules: Rules = {}
    for trap, condition in word.row.traps:
        rules.setdefault(trap, []).append(condition(operands).value == 1)
    return rules


def _some(rules: Rules, trap: Trap) -> Any:
    conditions = rules.get(trap, [])
    return z3.Or(*conditions) if len(conditions) > 1 else conditions[0] if conditions else NEVER


# -- words --

SMALL = Config(vlen=2, vector_rows=4, fp_words=8, key_words=4, int_words=16, hbm_bytes=1024)
USUAL = Config(vlen=8, vector_rows=64)
WINDOWS = {SMALL: (0, 1024), USUAL: (256, 4096)}
LOOPS = ("C_LOOP_START", "C_LOOP_END")
# Rows of a transfer in a format. Scales are slow to prove, so formats that have them stand in few
# words: those with all switches at 1, and of a stream those that do not clear the state.
ROW_COUNTS = {
    "H_PREFETCH_V": {"BF16": (0, 1, 2), "E4M3_B8": (0, 2)},
    "H_STORE_V": {"BF16": (0, 1, 2), "E4M3_B8": (0,), "E5M2_B32": (0, 1)},
}
STREAMED = ("BF16", "E4M3_B8", "E5M2_B32")
_ONE = "BF16, 1 rows"
VARIED = ("rstride", "precision", "format", "clear", "relation")


def words(row: Instruction) -> Iterator[int]:
    """Words of a row: registers all different, each choice that a trap could depend on."""
    names = iter(range(1, 16))
    fixed = row.match
    free: list[list[int]] = []
    for operand in row.operands:
        if operand.kind in (Kind.GP, Kind.F, Kind.A):
            number = next(names) % (16 if operand.kind is Kind.GP else 8)
            last = operand is row.operands[-1] or operand.name == "rs4"
            numbers = [number, 0] if last and operand.default == 0 else [number]
        elif operand.choices is not None:
            every = operand.kind is Kind.CSR or operand.name in VARIED
            numbers = sorted(operand.choices.values()) if every else [0]
        else:
            numbers = [5]
        free.append([number << operand.field.low for number in numbers])
    for chosen in product(*free):
        yield fixed + sum(chosen)


def situations(row: Instruction, config: Config) -> Iterator[tuple[str, Word]]:
    """Words of a row in states of variables; what a transfer's rules are chosen by are numbers."""
    for number in words(row):
        counts = ROW_COUNTS.get(row.mnemonic, {"": (0,)})
        for name, rows in ((form, rows) for form in counts for rows in counts[form]):
            state = start(config)
            state.window = WINDOWS[config]
            word, label = Word(row, number, state), f"{number:08x}"
            if row.mnemonic in ("V_RED_SM", "H_RED_SM"):
                state.gp[RD.get(number)] = const(32, STATE)
            if row.mnemonic == "H_RED_SM":
                streamed = [FORMATS[x] for x in STREAMED[: 1 if word.number("clear") else None]]
                if word.number("format") not in streamed:
                    continue
            if name:
                code = const(32, FORMATS[name])
                state.csrs |= {"FMT0": code, "FMT1": code, "ROWS": const(32, rows)}
                label += f", {name}, {rows} rows"
                if name != "BF16" and not (word.number("rstride") and word.number("precision")):
                    continue
            yield label, word


def rows_trap(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """Every row traps exactly where its operands are wrong as integers, for each cause.

    MISALIGNED: a vector address is no multiple of VLEN, a base none of the element's size, a row's
    first offset none of the block. LENGTH: over the rank unit, over 2**18 elements in a state, or
    a part of a block stored. RANGE: first + length exceeds the memory. OVERLAP: a written and a
    read range differ and share an element. WINDOW: a byte of a row, or of its scales, is not in
    the window. ILLEGAL: a CSR's limit. For all registers, VL, STRIDE, SCALE and counts of states.
    VLEN 8, all but vector transfers also VLEN 2. Vector transfers: 0 to 2 rows of BF16, dense and
    strided, 0 and 2 strided rows in blocks of 8, 0 and 1 in blocks of 32; streams in three formats.
    Loops are apart.
    """
    for config in (USUAL, SMALL):
        for row in table:
            if row.mnemonic in LOOPS or (config is SMALL and row.mnemonic in ROW_COUNTS):
                continue
            for label, word in situations(row, config):
                owed, rules = wrong(word), claimed(word)
                for trap in sorted({*owed, *rules}):
                    where = f"{row.mnemonic} {label}: {trap.name}"
                    ours, theirs = _some(owed, trap), _some(rules, trap)
                    if trap is not Trap.WINDOW:
                        yield Obligation(where, ours == theirs)
                        continue
                    for condition in owed[trap]:  # by parts, which is easier
                        yield Obligation(where, z3.Implies(condition, theirs))
                    yield Obligation(f"{where} only there", z3.Implies(theirs, ours))


def first_cause(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """The cause reported is the first in the order of `Trap` that applies, and each can happen.

    For any conditions at all, in any order of the rules; then for every row of the table and each
    of its causes, NONE too, some registers meet the plain statement of that cause and of no
    earlier one (VLEN 8, the first word of each row, transfers of BF16).
    """
    row = table.by_mnemonic["C_BREAK"]
    causes: list[Trap] = [trap for trap in Trap if trap not in (Trap.NONE, Trap.FATAL)]
    happens: dict[Trap, Any] = {trap: z3.Bool(trap.name) for trap in causes}
    for order in (causes, causes[::-1]):
        rules = tuple((trap, partial(_free, happens[trap])) for trap in order)
        got = symbolic.cause(start(), replace(row, traps=rules), row.match)
        yield Obligation("any conditions", got == _first(happens))
    for row in table:
        if row.mnemonic in LOOPS:
            continue
        word = next(
            x for label, x in situations(row, USUAL) if "rows" not in label or _ONE in label
        )
        owed = {trap: z3.Or(NEVER, *conditions) for trap, conditions in wrong(word).items()}
        got = symbolic.cause(word.state, row, word.word)
        for trap in (Trap.NONE, *owed):
            label = f"{row.mnemonic} {word.word:08x}: {trap.name}"
            yield Obligation(label, got == int(trap), (_first(owed) == int(trap),))


def _free(happens: Any, x: Context) -> Bits:
    return const(1, 0).like(z3.If(happens, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1)))


def _first(happens: Mapping[Trap, Any]) -> Any:
    result = z3.BitVecVal(int(Trap.NONE), 4)
    for trap in sorted(happens, reverse=True):
        result = z3.If(happens[trap], z3.BitVecVal(int(trap), 4), result)
    return result


def changed(mnemonic: str, trap: Trap, condition: Callable[[Context], Bits]) -> isa.Table:
    """A table whose row has another rule for a cause."""
    row = isa.BY_MNEMONIC[mnemonic]
    kept = tuple(rule for rule in row.traps if rule[0] is not trap)
    own = replace(row, traps=(*kept, (trap, condition)))
    return isa.Table([own if x is row else x for x in isa.TABLE])


def touching_ranges(x: Context) -> Bits:
    """Broken: ranges that only touch are taken as overlapping."""
    to, source, n = (v.zext(34) for v in (x["rd"], x["rs1"], vector_length(x)))
    return to.ne(source) & to.ule(source + n) & source.ule(to + n)


def last_word(x: Context) -> Bits:
    """Broken: the last element of the memory is refused."""
    return ~x["rs1"].ult(x.depth("key") - 1)


THEOREMS = (
    theorem(
        "traps.rows", "every row", rows_trap, changed("V_EXP_V", Trap.OVERLAP, touching_ranges)
    ),
    theorem("traps.first", "every row", first_cause, changed("S_ST_KEY", Trap.RANGE, last_word)),
)
