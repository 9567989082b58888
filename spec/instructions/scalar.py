"""Scalar instructions: integer and BF16 arithmetic, moves between registers and SRAM."""

from __future__ import annotations

from collections.abc import Callable

from unmask.spec import arith
from unmask.spec.bits import Bits
from unmask.spec.encoding import (
    IMM14,
    IMM18,
    IMM22,
    RD,
    RS1,
    RS2,
    Context,
    Effect,
    Instruction,
    Kind,
    Operand,
    Step,
    Trap,
    Write,
    single_cycle,
)
from unmask.spec.instructions.rules import length_of, misaligned, outside, own_length


def add(x: Context) -> Effect:
    return Effect(registers={"rd": x["rs1"] + x["rs2"]})


def subtract(x: Context) -> Effect:
    return Effect(registers={"rd": x["rs1"] - x["rs2"]})


def multiply(x: Context) -> Effect:
    return Effect(registers={"rd": x["rs1"] * x["rs2"]})


def add_immediate(x: Context) -> Effect:
    return Effect(registers={"rd": x["rs1"] + x["imm18"]})


def load_upper(x: Context) -> Effect:
    return Effect(registers={"rd": x["imm22"] << 12})


def address(x: Context) -> Bits:
    """Base register plus immediate, modulo 2**32."""
    return x["rs1"] + x["imm18"]


def _outside(memory: str) -> Callable[[Context], Bits]:
    def outside(x: Context) -> Bits:
        return ~address(x).ult(x.depth(memory))

    return outside


def _load(memory: str) -> Callable[[Context], Effect]:
    def load(x: Context) -> Effect:
        return Effect(registers={"rd": x.load(memory, address(x))})

    return load


def _store(memory: str) -> Callable[[Context], Effect]:
    def store(x: Context) -> Effect:
        return Effect(stores=((memory, address(x), x["rd"]),))

    return store


def map_v_fp(x: Context) -> Effect:
    length = x.number(_MAP_LENGTH(x))
    source = x["rs1"] + x["imm14"]
    return Effect(writes=(Write("vector", x["rd"], x.read("fp", source, length)),))


def _map_outside(x: Context) -> Bits:
    end = (x["rs1"] + x["imm14"]).zext(34) + _MAP_LENGTH(x).zext(34)
    return end.const(34, x.depth("fp")).ult(end)


_MAP_LENGTH = own_length("rs2")


def map_cycles(step: Step) -> int:
    """One element a cycle: FP SRAM is one word wide."""
    return step.length + 2 if step.length else 1


def load_cycles(step: Step) -> int:
    """The address at issue, the data one cycle later."""
    return 2


def _move(mnemonic: str, opcode: int, kind: Kind, memory: str, store: bool) -> Instruction:
    name = f"{memory} SRAM [rs1 + imm18]"
    return Instruction(
        mnemonic=mnemonic,
        opcode=opcode,
        operands=(
            Operand(RD, kind, written=not store),
            Operand(RS1, Kind.GP),
            Operand(IMM18, Kind.IMM),
        ),
        semantics=_store(memory) if store else _load(memory),
        doc=f"{name} = rd." if store else f"rd = {name}.",
        traps=((Trap.RANGE, _outside(memory)),),
        cycles=single_cycle if store else load_cycles,
    )


def _binary(function: Callable[[Bits, Bits], Bits]) -> Callable[[Context], Effect]:
    def semantics(x: Context) -> Effect:
        return Effect(registers={"rd": function(x["rs1"], x["rs2"])})

    return semantics


def _unary(function: Callable[[Bits], Bits]) -> Callable[[Context], Effect]:
    def semantics(x: Context) -> Effect:
        return Effect(registers={"rd": function(x["rs1"])})

    return semantics


def float_cycles(step: Step) -> int:
    """A pipeline of four stages; the next instruction waits for the result."""
    return 4


def _fp_row(
    mnemonic: str, opcode: int, function: Callable[..., Bits], doc: str, inputs: int = 2
) -> Instruction:
    sources = (Operand(RS1, Kind.F), Operand(RS2, Kind.F))[:inputs]
    return Instruction(
        mnemonic=mnemonic,
        opcode=opcode,
        operands=(Operand(RD, Kind.F, written=True), *sources),
        semantics=_binary(function) if inputs == 2 else _unary(function),
        doc=doc,
        cycles=float_cycles,
    )


def _int_row(
    mnemonic: str, opcode: int, semantics: Callable[[Context], Effect], sign: str
) -> Instruction:
    return Instruction(
        mnemonic=mnemonic,
        opcode=opcode,
        operands=(
            Operand(RD, Kind.GP, written=True),
            Operand(RS1, Kind.GP),
            Operand(RS2, Kind.GP),
        ),
        semantics=semantics,
        doc=f"rd = rs1 {sign} rs2 modulo 2**32.",
    )


ROWS = (
    _fp_row("S_ADD_FP", 0x17, arith.add, "rd = rs1 + rs2, BF16."),
    _fp_row("S_SUB_FP", 0x18, arith.sub, "rd = rs1 - rs2, BF16."),
    _fp_row("S_MAX_FP", 0x19, arith.maximum, "rd = the greater of rs1 and rs2; NaN if one is."),
    _fp_row("S_MUL_FP", 0x1A, arith.mul, "rd = rs1 * rs2, BF16."),
    _fp_row("S_EXP_FP", 0x1B, arith.exp, "rd = e to the power rs1, BF16.", 1),
    _fp_row("S_RECI_FP", 0x1C, arith.reciprocal, "rd = 1 / rs1, BF16.", 1),
    _fp_row("S_SQRT_FP", 0x1D, arith.sqrt, "rd = square root of rs1, BF16.", 1),
    _move("S_LD_FP", 0x1E, Kind.F, "fp", store=False),
    _move("S_ST_FP", 0x1F, Kind.F, "fp", store=True),
    Instruction(
        mnemonic="S_MAP_V_FP",
        opcode=0x20,
        operands=(
            Operand(RD, Kind.GP, doc="destination, vector address"),
            Operand(RS1, Kind.GP, doc="source, fp address"),
            Operand(IMM14, Kind.IMM, doc="added to it"),
            Operand(RS2, Kind.GP, default=0, doc="length in elements; gp0 means VLEN"),
        ),
        semantics=map_v_fp,
        doc="vector[rd ..] = fp[rs1 + imm14 ..], rs2 elements.",
        traps=(
            misaligned("rd"),
            outside("vector", "rd", _MAP_LENGTH),
            (Trap.RANGE, _map_outside),
        ),
        cycles=map_cycles,
        length=length_of(_MAP_LENGTH),
    ),
    _int_row("S_ADD_INT", 0x21, add, "+"),
    Instruction(
        mnemonic="S_ADDI_INT",
        opcode=0x22,
        operands=(
            Operand(RD, Kind.GP, written=True),
            Operand(RS1, Kind.GP),
            Operand(IMM18, Kind.IMM),
        ),
        semantics=add_immediate,
        doc="rd = rs1 + imm18 modulo 2**32; the immediate is unsigned.",
    ),
    _int_row("S_SUB_INT", 0x23, subtract, "-"),
    _int_row("S_MUL_INT", 0x24, multiply, "*"),
    Instruction(
        mnemonic="S_LUI_INT",
        opcode=0x25,
        operands=(Operand(RD, Kind.GP, written=True), Operand(IMM22, Kind.IMM)),
        semantics=load_upper,
        doc="rd = imm22 << 12 modulo 2**32.",
    ),
    _move("S_LD_INT", 0x26, Kind.GP, "int", store=False),
    _move("S_ST_INT", 0x27, Kind.GP, "int", store=True),
)
