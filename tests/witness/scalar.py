"""Scalar and control instructions by Python integers."""

from __future__ import annotations

from collections.abc import Iterator

from unmask.tests.witness import floats, traps
from unmask.tests.witness.traps import Fields
from unmask.tests.witness.world import World

CSR_NAMES = (
    "VL", "STRIDE", "SCALE", "MASK", "ROWS", "FMT0", "FMT1", "NAN", "LIMIT", "KMAX",
    "BAN0", "BAN1", "BAN2", "BAN3",
)  # fmt: skip
CSR_LIMITS = {"FMT0": 4, "FMT1": 4, "NAN": 1}
START, END = 0x2F, 0x30
_BINARY = {"S_ADD_FP": floats.add, "S_SUB_FP": floats.sub, "S_MUL_FP": floats.mul}
_BINARY["S_MAX_FP"] = floats.maximum
_UNARY = {"S_EXP_FP": floats.exp, "S_RECI_FP": floats.reciprocal, "S_SQRT_FP": floats.sqrt}
_PUBLISHED = {
    "C_SET_SCALE_REG": "SCALE",
    "C_SET_STRIDE_REG": "STRIDE",
    "C_SET_V_MASK_REG": "MASK",
}
_MOVES = {"S_LD_FP": "fp", "S_ST_FP": "fp", "S_LD_INT": "int", "S_ST_INT": "int"}
NAMES = {
    *_BINARY, *_UNARY, *_PUBLISHED, *_MOVES, "S_MAP_V_FP", "S_ADD_INT", "S_ADDI_INT", "S_SUB_INT",
    "S_MUL_INT", "S_LUI_INT", "C_SET_ADDR_REG", "C_LOOP_START", "C_LOOP_END", "C_BREAK",
    "C_SET_CSR",
}  # fmt: skip


def _address(world: World, o: Fields, immediate: str = "imm18") -> int:
    return (world.gp[o["rs1"]] + o[immediate]) % 2**32


def _map_length(world: World, o: Fields) -> int:
    return world.gp[o["rs2"]] if o["rs2"] else world.vlen


def causes(world: World, name: str, o: Fields) -> Iterator[str]:
    if name in _MOVES and _address(world, o) >= world.size(_MOVES[name]):
        yield "RANGE"
    elif name == "S_MAP_V_FP":
        to, length = world.gp[o["rd"]], _map_length(world, o)
        yield from traps.misaligned(world, to)
        yield from traps.outside(world, "vector", to, length)
        yield from traps.outside(world, "fp", _address(world, o, "imm14"), length)
    elif name == "C_SET_CSR":
        if _address(world, o) > CSR_LIMITS.get(CSR_NAMES[o["rd"]], 2**32 - 1):
            yield "ILLEGAL"
    elif name == "C_LOOP_START":
        if len(world.loops) >= world.loop_depth or (not o["imm22"] and _end(world) is None):
            yield "LOOP"
    elif name == "C_LOOP_END" and (not world.loops or world.loops[-1][2] != o["rd"]):
        yield "LOOP"


def _end(world: World) -> int | None:
    """Where the loop that starts at pc ends: as with brackets, by opcodes alone."""
    depth = 0
    for place in range(world.pc, len(world.words)):
        opcode = world.words[place] % 64
        depth += (opcode == START) - (opcode == END)
        if depth == 0:
            return place
    return None


def examined(world: World, name: str, o: Fields) -> int:
    """A loop of no iterations looks at each word behind it up to its end, or the program's."""
    if name != "C_LOOP_START" or o["imm22"] or len(world.loops) >= world.loop_depth:
        return 0
    end = _end(world)
    return (len(world.words) if end is None else end) - world.pc


def act(world: World, name: str, o: Fields) -> None:
    gp, f = world.gp, world.f
    if name in _BINARY:
        world.set_f(o["rd"], _BINARY[name](f[o["rs1"]], f[o["rs2"]]))
    elif name in _UNARY:
        world.set_f(o["rd"], _UNARY[name](f[o["rs1"]]))
    elif name in _PUBLISHED:
        world.csrs[_PUBLISHED[name]] = gp[o["rd"]]
    elif name in _MOVES:
        memory, address = world.memories[_MOVES[name]], _address(world, o)
        if "_ST_" in name:
            memory[address] = (f if name == "S_ST_FP" else gp)[o["rd"]]
        elif name == "S_LD_FP":
            world.set_f(o["rd"], int(memory[address]))
        else:
            world.set_gp(o["rd"], int(memory[address]))
    elif name == "S_MAP_V_FP":
        to, length = gp[o["rd"]], _map_length(world, o)
        world.length = length
        values = world.read("fp", _address(world, o, "imm14"), length)
        world.memories["vector"][to : to + length] = values
    elif name == "S_LUI_INT":
        world.set_gp(o["rd"], o["imm22"] * 4096)
    elif name == "C_SET_ADDR_REG":
        world.a[o["rd"]] = gp[o["rs1"]] * 2**32 + gp[o["rs2"]]
    elif name == "C_SET_CSR":
        world.csrs[CSR_NAMES[o["rd"]]] = _address(world, o)
    elif name == "C_BREAK":
        world.stop = True
    elif name in ("C_LOOP_START", "C_LOOP_END"):
        _loop(world, name, o)
    else:
        second = o["imm18"] if name == "S_ADDI_INT" else gp[o["rs2"]]
        first = gp[o["rs1"]]
        results = {"ADD": first + second, "SUB": first - second, "MUL": first * second}
        world.set_gp(o["rd"], results[name[2:5]])


def _loop(world: World, name: str, o: Fields) -> None:
    """Counts live in the loop stack; the register shows them. pc + 1 is added by the caller."""
    if name == "C_LOOP_START":
        count = o["imm22"]
        if count:
            world.loops.append((world.pc + 1, count, o["rd"]))
        else:
            end = _end(world)
            assert end is not None
            world.pc = end
        world.set_gp(o["rd"], count)
        return
    start, count, register = world.loops.pop()
    if count > 1:
        world.loops.append((start, count - 1, register))
        world.pc = start - 1
    world.set_gp(register, count - 1)
