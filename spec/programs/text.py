"""Pieces of assembly text that the programs share, and the check of their sizes."""

from __future__ import annotations

from unmask.spec.errors import UsageError

MOST = (1 << 32) - 1  # of a register
MOST_IMMEDIATE = (1 << 18) - 1  # of S_ADDI_INT and C_SET_CSR


def load(register: int, value: int) -> list[str]:
    """A 32-bit constant into gp`register`: one word below 2**18, else two."""
    name = f"gp{register:X}"
    if value <= MOST_IMMEDIATE:
        return [f"S_ADDI_INT {name}, gp0, {value}"]
    return [f"S_LUI_INT {name}, {value >> 12}", f"S_ADDI_INT {name}, {name}, {value & 0xFFF}"]


def set_csr(name: str, value: int, through: int) -> list[str]:
    """A 32-bit constant into a CSR, through gp`through` if it does not fit an immediate."""
    if value <= MOST_IMMEDIATE:
        return [f"C_SET_CSR {name}, gp0, {value}"]
    return [*load(through, value), f"C_SET_CSR {name}, gp{through:X}"]


def set_address(value: int) -> list[str]:
    """A 64-bit byte address into a0, through gp1 and gp8."""
    high, low = value >> 32, value & MOST
    if high:
        return [*load(1, high), *load(8, low), "C_SET_ADDR_REG a0, gp1, gp8"]
    return [*load(1, low), "C_SET_ADDR_REG a0, gp0, gp1"]


def set_scale(value: int) -> list[str]:
    """CSR SCALE, which is 0 at reset, through gp1."""
    return [*load(1, value), "C_SET_SCALE_REG gp1"] if value else []


def loop(counter: str, count: int, body: list[str]) -> list[str]:
    """The body `count` times; of no iterations, nothing."""
    if count == 0:
        return []
    indented = (f"  {line}" for line in body)
    return [f"C_LOOP_START {counter}, {count}", *indented, f"C_LOOP_END {counter}"]


def check(*limits: tuple[str, int, int, int]) -> None:
    """That numbers are in their ranges, each given as name, value, least, most.

    Raises:
        UsageError: names the first that is not.
    """
    for name, value, least, most in limits:
        if not least <= value <= most:
            raise UsageError(f"{name} {value}: expected {least} to {most}")
