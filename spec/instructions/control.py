"""Control instructions: hardware loops (`unmask.spec.loops`), CSRs, address registers, stop."""

from __future__ import annotations

from collections.abc import Callable

from unmask.spec.bits import Bits, concat
from unmask.spec.encoding import (
    CSR_NAMES,
    CSRS,
    IMM18,
    IMM22,
    RD,
    RS1,
    RS2,
    Context,
    Effect,
    Instruction,
    Kind,
    Loop,
    Operand,
    Step,
    Trap,
    csr_operand,
)


def loop_start(x: Context) -> Effect:
    return Effect(registers={"rd": x["imm22"]}, loop=Loop.START)


def loop_start_cycles(step: Step) -> int:
    """One cycle; a loop of zero iterations looks at one more word a cycle until its end."""
    return 1 + step.examined


def loop_end(x: Context) -> Effect:
    return Effect(loop=Loop.END)


def stop(x: Context) -> Effect:
    return Effect(stop=True)


def set_csr(x: Context) -> Effect:
    return Effect(csrs={CSR_NAMES[x.field("rd")]: x["rs1"] + x["imm18"]})


def _over_limit(x: Context) -> Bits:
    """The CSR cannot take the value."""
    return x["imm18"].const(32, CSRS[CSR_NAMES[x.field("rd")]].limit).ult(x["rs1"] + x["imm18"])


def set_address(x: Context) -> Effect:
    return Effect(registers={"rd": concat(x["rs1"], x["rs2"])})


def _published(name: str) -> Callable[[Context], Effect]:
    """A CSR that a published instruction sets from the register in its rd field."""

    def semantics(x: Context) -> Effect:
        return Effect(csrs={name: x["rd"]})

    return semantics


def _published_row(mnemonic: str, opcode: int, name: str) -> Instruction:
    return Instruction(
        mnemonic=mnemonic,
        opcode=opcode,
        operands=(Operand(RD, Kind.GP, doc="its new value"),),
        semantics=_published(name),
        doc=f"CSR {name} = rd.",
    )


ROWS = (
    Instruction(
        mnemonic="C_LOOP_START",
        opcode=0x2F,
        operands=(Operand(RD, Kind.GP, written=True), Operand(IMM22, Kind.IMM)),
        semantics=loop_start,
        doc="Run the words up to the matching C_LOOP_END imm22 times; 0 skips them.",
        cycles=loop_start_cycles,
    ),
    Instruction(
        mnemonic="C_LOOP_END",
        opcode=0x30,
        operands=(Operand(RD, Kind.GP, written=True),),
        semantics=loop_end,
        doc="Next iteration of the innermost loop, which must count in rd; or leave it.",
    ),
    Instruction(
        mnemonic="C_SET_ADDR_REG",
        opcode=0x2B,
        operands=(
            Operand(RD, Kind.A, written=True),
            Operand(RS1, Kind.GP, doc="upper 32 bits"),
            Operand(RS2, Kind.GP, doc="lower 32 bits"),
        ),
        semantics=set_address,
        doc="a[rd] = rs1 * 2**32 + rs2, a byte address.",
    ),
    _published_row("C_SET_SCALE_REG", 0x2C, "SCALE"),
    _published_row("C_SET_STRIDE_REG", 0x2D, "STRIDE"),
    _published_row("C_SET_V_MASK_REG", 0x2E, "MASK"),
    Instruction(
        mnemonic="C_BREAK",
        opcode=0x38,
        operands=(),
        semantics=stop,
        doc="Stop: the program is done.",
    ),
    Instruction(
        mnemonic="C_SET_CSR",
        opcode=0x39,
        operands=(csr_operand(), Operand(RS1, Kind.GP), Operand(IMM18, Kind.IMM, default=0)),
        semantics=set_csr,
        doc="CSR rd = rs1 + imm18 modulo 2**32. VL is the vector length in elements.",
        traps=((Trap.ILLEGAL, _over_limit),),
    ),
)
