"""Scalar instructions: integer arithmetic modulo 2**32, and moves between registers and SRAM."""

from __future__ import annotations

from collections.abc import Callable

from unmask.spec.bits import Bits
from unmask.spec.encoding import (
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
    single_cycle,
)


def add(x: Context) -> Effect:
    return Effect(registers={"rd": x["rs1"] + x["rs2"]})


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


ROWS = (
    Instruction(
        mnemonic="S_ADD_INT",
        opcode=0x21,
        operands=(
            Operand(RD, Kind.GP, written=True),
            Operand(RS1, Kind.GP),
            Operand(RS2, Kind.GP),
        ),
        semantics=add,
        doc="rd = rs1 + rs2 modulo 2**32.",
    ),
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
    Instruction(
        mnemonic="S_LUI_INT",
        opcode=0x25,
        operands=(Operand(RD, Kind.GP, written=True), Operand(IMM22, Kind.IMM)),
        semantics=load_upper,
        doc="rd = imm22 << 12 modulo 2**32.",
    ),
    _move("S_LD_FP", 0x1E, Kind.F, "fp", store=False),
    _move("S_ST_FP", 0x1F, Kind.F, "fp", store=True),
    _move("S_LD_INT", 0x26, Kind.GP, "int", store=False),
    _move("S_ST_INT", 0x27, Kind.GP, "int", store=True),
)
