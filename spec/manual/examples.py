"""Runnable examples, one for each instruction: assembly with what it starts from and must give.

`spec/manual/examples/MNEMONIC.asm` is a program with directives in comments:

    ;! vlen 4                          a size of `Config`
    ;! load vector 8: 1.0 nan 0x3B80   elements from an address on, before the run
    ;! expect int 0: 7 0xFF            elements after the run
    ;! expect gp1 = 3                  gp, f and a registers, and CSRs
    ;! trap LOOP                       the run ends in this trap; without it, in C_BREAK

Vector and FP memory and f registers hold BF16: a number that BF16 has exactly, or a 0x code. `hbm`
takes bytes; `hbm.bf16` and `hbm.word` take elements of 2 and 4 bytes, still at a byte address.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.spec import assembler, isa
from unmask.spec.encoding import A_COUNT, CSRS, F_COUNT, GP_COUNT, Trap
from unmask.spec.errors import UsageError
from unmask.spec.formats import from_float, to_float
from unmask.spec.machine import Machine
from unmask.spec.state import MEMORIES, Config
from unmask.spec.vectors import EACH, Each, Whole

FOLDER = Path(__file__).parent / "examples"
MARK = ";!"
_BF16 = ("vector", "fp", "f", "hbm.bf16")
_ELEMENT = {"hbm.bf16": "<u2", "hbm.word": "<u4"}
_SIZES = {item.name for item in fields(Config)}
_BANKS = {"gp": GP_COUNT, "f": F_COUNT, "a": A_COUNT}
_BITS = {"gp": 32, "a": 64, "csr": 32, "hbm": 8, "int": 32, "key": 32, "hbm.word": 32}


@dataclass(frozen=True)
class Elements:
    """Values of a memory from an address on; `line` of the directive."""

    memory: str
    address: int
    values: tuple[int, ...]
    line: int


@dataclass(frozen=True)
class Register:
    """The value of `gp1`, `f2`, `a3` or of a CSR; `line` of the directive."""

    name: str
    value: int
    line: int


@dataclass
class Example:
    """A program and its directives."""

    file: str
    text: str
    sizes: dict[str, int] = field(default_factory=dict)
    loads: list[Elements] = field(default_factory=list)
    elements: list[Elements] = field(default_factory=list)
    registers: list[Register] = field(default_factory=list)
    trap: Trap = Trap.NONE


def path(mnemonic: str) -> Path:
    return FOLDER / f"{mnemonic}.asm"


def read(file: Path) -> Example:
    """Raises UsageError that names file and line of a directive that cannot be read."""
    return parse(file.read_text(encoding="utf-8"), file.name)


def parse(text: str, file: str = "<text>") -> Example:
    example = Example(file, text)
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith(MARK):
            try:
                _directive(example, line.lstrip()[len(MARK) :].strip(), number)
            except ValueError as error:
                raise UsageError(str(error), file, number) from None
    if not example.elements and not example.registers:
        raise UsageError("nothing is expected", file)
    return example


def words(example: Example) -> list[int]:
    return assembler.assemble(example.text, example.file)


def check(example: Example, vectors: Each | Whole = EACH) -> None:
    """Run an example.

    Raises:
        UsageError: on the first expectation that does not hold, with what was found.
    """
    machine = Machine(words(example), Config(**example.sizes), vectors)
    state = machine.state
    for load in example.loads:
        state.load(_memory(load.memory), _raw(load), load.address)
    last = list(machine.run())[-1]
    if last.cause is not example.trap:
        message = f"ended with {last.cause.name} at pc {last.pc}, expected {example.trap.name}"
        raise UsageError(message, example.file)
    for expected in example.elements:
        raw = _raw(expected)
        found = state.memories[_memory(expected.memory)][expected.address :][: raw.size]
        if found.tolist() != raw.tolist():
            place = f"{expected.memory} {expected.address}"
            raise UsageError(
                f"{place} holds {_show(_memory(expected.memory), found)}",
                example.file,
                expected.line,
            )
    values = {**state.csrs}
    for bank in _BANKS:
        values |= {f"{bank}{n}": value for n, value in enumerate(getattr(state, bank))}
    for register in example.registers:
        value = values[register.name]
        if value != register.value:
            shown = _show(_bank(register.name), [value])
            raise UsageError(f"{register.name} is {shown}", example.file, register.line)


def contains(example: Example, mnemonic: str) -> bool:
    """Whether the program has a word of this instruction."""
    rows = [isa.decode(word) for word in words(example)]
    return any(row is not None and row.mnemonic == mnemonic for row in rows)


def _directive(example: Example, text: str, line: int) -> None:
    verb, _, rest = text.partition(" ")
    if verb in _SIZES:
        example.sizes[verb] = _integer(rest, 32)
    elif verb == "trap":
        if rest not in Trap.__members__:
            raise ValueError(f"{rest!r} is no trap; there are: {', '.join(Trap.__members__)}")
        example.trap = Trap[rest]
    elif verb in ("load", "expect") and ":" in rest:
        target = example.loads if verb == "load" else example.elements
        target.append(_elements(rest, line))
    elif verb == "expect" and "=" in rest:
        name, _, value = (part.strip() for part in rest.partition("="))
        example.registers.append(Register(name, _value(_bank(name), value), line))
    else:
        raise ValueError(f"{text!r}: expected a size, load, expect or trap")


def _elements(text: str, line: int) -> Elements:
    place, _, values = text.partition(":")
    memory, _, address = place.strip().partition(" ")
    if _memory(memory) not in MEMORIES:
        raise ValueError(f"{memory!r} is no memory; there are: {', '.join(MEMORIES)}")
    numbers = tuple(_value(memory, value) for value in values.split())
    return Elements(memory, _integer(address, 36), numbers, line)


def _memory(name: str) -> str:
    return "hbm" if name in _ELEMENT else name


def _raw(elements: Elements) -> NDArray[np.unsignedinteger]:
    """The values as elements of the memory itself: bytes for HBM."""
    if elements.memory in _ELEMENT:
        return np.array(elements.values, _ELEMENT[elements.memory]).view(np.uint8)
    return np.array(elements.values, MEMORIES[elements.memory])


def _bank(name: str) -> str:
    if name in CSRS:
        return "csr"
    found = re.fullmatch(r"(gp|f|a)(\d+)", name)
    if found is None or int(found[2]) >= _BANKS[found[1]]:
        raise ValueError(f"{name!r} is no register and no CSR")
    return found[1]


def _value(place: str, text: str) -> int:
    if place in _BF16 and not text.lower().startswith("0x"):
        number = float(text)
        code = int(from_float(number))
        if number == number and float(to_float(code)) != number:
            raise ValueError(f"{text} is no BF16 value; the nearest is {float(to_float(code))}")
        return code
    return _integer(text, 16 if place in _BF16 else _BITS[place])


def _integer(text: str, bits: int) -> int:
    value = int(text, 0)
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{text} does not fit in {bits} bits")
    return value


def _show(place: str, values: Sequence[int] | NDArray[np.unsignedinteger]) -> str:
    if place in _BF16:
        return " ".join(f"{float(to_float(int(value))):g} (0x{value:04X})" for value in values)
    return " ".join(f"{int(value)} (0x{value:X})" for value in values)
