"""Control instructions: hardware loops, CSR writes, stop.

A loop's remaining count lives in the loop stack; its gp only shows it. So a body that writes the
counter register changes nothing about the number of iterations, and every program ends.
"""

from __future__ import annotations

from unmask.spec.encoding import (
    IMM18,
    IMM22,
    RD,
    RS1,
    Context,
    Effect,
    Instruction,
    Kind,
    Loop,
    Operand,
    Step,
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
    return Effect(csrs={"VL": x["rs1"] + x["imm18"]})


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
        mnemonic="C_BREAK",
        opcode=0x38,
        operands=(),
        semantics=stop,
        doc="Stop: the program is done.",
    ),
    Instruction(
        mnemonic="C_SET_CSR",
        opcode=0x39,
        operands=(Operand(RD, Kind.CSR), Operand(RS1, Kind.GP), Operand(IMM18, Kind.IMM)),
        semantics=set_csr,
        doc="CSR rd = rs1 + imm18 modulo 2**32. VL is the vector length in elements.",
    ),
)
