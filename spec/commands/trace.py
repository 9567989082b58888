"""One line of text for each instruction that a machine retires."""

from __future__ import annotations

import numpy as np

from unmask.spec import softmax
from unmask.spec.assembler import disassemble
from unmask.spec.encoding import Trap
from unmask.spec.formats import to_float
from unmask.spec.machine import Block, Retired
from unmask.spec.state import MEMORIES, Config, softmax_of

SHORT = 8  # elements of a vector that fit a terminal


def describe(record: Retired, config: Config, most: int | None = SHORT) -> str:
    """pc, instruction, and everything that it wrote.

    Args:
        record: of the instruction.
        config: of the machine.
        most: elements of a vector that are shown; None: all of them.
    """
    text = f"{record.pc:5}  {disassemble(record.word):42}"
    if record.cause is Trap.FATAL:
        return f"{text} FATAL, {refused(record, config)}"
    if record.cause is not Trap.NONE:
        return f"{text} trap {record.cause.name}"
    writes = []
    if record.gp:
        writes.append(f"gp{record.gp[0]:X} = {record.gp[1]:#x}")
    if record.f:
        writes.append(f"f{record.f[0]} = {record.f[1]:#06x}")
    if record.a:
        writes.append(f"a{record.a[0]} = {record.a[1]:#x}")
    if record.csr:
        writes.append(f"{record.csr[0]} = {record.csr[1]}")
    if record.store:
        writes.append(f"{record.store[0]}[{record.store[1]}] = {record.store[2]:#x}")
    writes += [_block(block, most) for block in record.blocks]
    if record.softmax:
        writes.append(_state(*record.softmax))
    return f"{text} {', '.join(writes)}".rstrip()


def refused(record: Retired, config: Config) -> str:
    """What a failed transfer leaves behind."""
    undefined = [f"{name}[{first}:{end}]" for name, first, end in record.undefined]
    after = f"; {', '.join(undefined)} may hold anything" if undefined else ""
    address = record.fault or 0
    channel, byte = config.place(address)
    return f"the memory refused byte {address:#x} (byte {byte:#x} of channel {channel}){after}"


def _block(block: Block, most: int | None) -> str:
    digits = 2 * np.dtype(MEMORIES[block.memory]).itemsize
    values = block.values[:most].tolist()
    enable = [True] * len(values) if block.enable is None else block.enable[:most].tolist()
    shown = [
        f"{value:0{digits}x}" if on else "-" * digits
        for value, on in zip(values, enable, strict=True)
    ]
    more = " ..." if len(values) < len(block.values) else ""
    end = block.address + (len(block.values) - 1) * block.step + 1
    step = f":{block.step}" if block.step != 1 else ""
    return f"{block.memory}[{block.address}:{end}{step}] = {' '.join(shown)}{more}"


def _state(number: int, values: tuple[int, ...]) -> str:
    state = softmax_of(values)
    count = state.count.as_int()
    if count == 0:
        return f"state {number} = empty"
    greatest = float(to_float([softmax.maximum(state).as_int()])[0])
    return f"state {number} = max {greatest:g} at {state.index.as_int()} of {count}"
