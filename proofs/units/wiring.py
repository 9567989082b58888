"""The core wires its units as their theorems assume."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine import smt, yosys
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.engine.smt import View
from unmask.proofs.units import rtl
from unmask.spec import isa
from unmask.spec.contracts.softmax import word_of
from unmask.spec.encoding import Trap
from unmask.spec.softmax import SoftmaxState
from unmask.spec.terms import const

FILE = rtl.RTL / "unmask_core.v"
SIZES = (
    {"VLEN": 2, "VECTOR_ROWS": 8, "CHANNELS": 1, "BEAT_BITS": 64},
    {"VLEN": 8, "VECTOR_ROWS": 4, "CHANNELS": 4, "BEAT_BITS": 128},
)
EMPTY = word_of(SoftmaxState.empty(const(1, 0))).value
_PART = re.compile(r"([\w.]+)(?:\[(\d+):(\d+)\])?")

# Registers as a unit sees them, in the register files' read ports.
_GP = {name: f"gp.read_data[{32 * n + 31}:{32 * n}]" for n, name in enumerate(
    ("rd", "rs1", "rs2", "rs3", "rs4"))}  # fmt: skip
_TRAP_CHECKED = ("element_first", "element_end", "scale_first", "scale_end", "sram_end", "scaled",
                 "block_mask")  # fmt: skip
_TOUCHED = ("touch", "touch_memory", "touch_write", "touch_first", "touch_end", "touch_state",
            "state")  # fmt: skip
# Input of a unit -> what it is connected to, several parts highest first.
WIRES: dict[str, tuple[str, ...]] = {
    # the word and its operands
    "decode.word": ("control.word",),
    **{f"{unit}.word": ("control.word",) for unit in ("span", "trap_check")},
    **{f"{unit}.row": ("decode.row",) for unit in ("span", "trap_check", "footprint")},
    "gp.read_address": tuple(f"control.word[{n + 3}:{n}]" for n in (22, 18, 14, 10, 6)),
    **{f"span.{x}": (_GP[x],) for x in ("rd", "rs1", "rs3")},
    **{f"trap_check.{x}": (_GP[x],) for x in _GP},
    **{f"footprint.{x}": (_GP[x],) for x in ("rd", "rs1", "rs2", "rs3")},
    "a.read_address": ("control.word[16:14]",),
    "a.write_address": ("control.word[8:6]",),
    "a.write_data": (_GP["rs1"], _GP["rs2"]),
    "span.base": ("a.read_data",),
    "trap_check.base": ("a.read_data[1:0]",),
    **{f"span.{x}": (f"csrs.{x}",) for x in ("vl", "stride", "scale", "rows", "fmt0", "fmt1")},
    **{f"trap_check.{x}": (f"csrs.{x}",) for x in ("vl", "rows")},
    # traps, and what the host allows
    "trap_check.state_count": ("states.read_state[248:230]",),
    **{f"trap_check.{x}": (f"span.{x}",) for x in _TRAP_CHECKED},
    "trap_check.pitch": ("span.pitch[4:0]",),
    "trap_check.window_first": ("host.window_first",),
    "trap_check.window_end": ("host.window_end",),
    "trap_check.stack_full": ("loop_stack.full",),
    "trap_check.stack_empty": ("loop_stack.empty",),
    "control.program_length": ("host.program_length",),
    # who waits for whom
    "footprint.length": ("trap_check.length",),
    "footprint.sum": ("trap_check.sum",),
    "footprint.moved": ("span.moved",),
    "footprint.sram_end": ("span.sram_end[31:0]",),
    **{f"transfers.{x}": (f"footprint.{x}",) for x in _TOUCHED},
    "transfers.hbm_first": ("span.scale_first[63:0]", "span.element_first[63:0]"),
    "transfers.hbm_end": ("span.scale_end[63:0]", "span.element_end[63:0]"),
    "transfers.scaled": ("span.scaled",),
    "transfers.pc": ("control.pc",),
    "transfers.read_fault_address": ("reader.out_fault_address",),
    "transfers.slice_fault_address": ("reader.stream_fault_address",),
    "transfers.write_fault_address": ("writer.out_fault_address",),
    "transfers.slice_state": ("reader.stream_state",),
    "control.fault": ("transfers.fault",),
    "control.fault_pc": ("transfers.fault_pc",),
    "control.under_way": ("transfers.under_way",),
    # what is moved
    **{f"{unit}.in_first": ("span.element_first[63:0]",) for unit in ("reader", "writer")},
    **{f"{unit}.in_scale": ("span.scale_first[63:0]",) for unit in ("reader", "writer")},
    **{f"{unit}.in_length": ("trap_check.length",) for unit in ("reader", "writer")},
    **{f"{unit}.in_format": ("span.format",) for unit in ("reader", "writer")},
    **{f"{unit}.in_pitch": ("span.pitch",) for unit in ("reader", "writer")},
    **{
        f"{x}.clear": ("control.start_taken",)
        for x in ("gp", "f", "a", "csrs", "transfers", "loop_stack")
    },
    "states.clear_all": ("control.start_taken",),
    "reader.in_state": ("gp.read_data[1:0]",),
    "reader.in_clear": ("control.word[26:26]",),
    "writer.int_data": ("int_memory.read_data[63:32]",),
    "writer.key_data": ("key_memory.read_data[63:32]",),
    **{f"transfers.read_{x}": (f"reader.out_{x}",) for x in ("valid", "slot", "fault")},
    **{f"transfers.write_{x}": (f"writer.out_{x}",) for x in ("valid", "fault")},
    "transfers.slice_fault": ("reader.stream_fault",),
    "transfers.state_number": ("softmax.out_tag",),
    "states.write_number": ("softmax.out_tag",),
    "states.write_state": ("softmax.out_state",),
    **{f"{unit}.in_state": ("states.read_state",) for unit in ("key_unit", "state_view")},
    **{
        f"vector_memory.engine_{x}": (f"reader.vector_{x}",)
        for x in ("write", "row", "data", "mask")
    },
    "reader.in_slot": ("transfers.slot",),
    "reader.in_to": (_GP["rd"],),
    "reader.in_index": (_GP["rs3"],),
    "reader.in_bans": ("csrs.bans",),
    "writer.in_from": (_GP["rd"],),
    # units that take whole registers
    "ranks.in_length": ("trap_check.length",),
    "ranks.in_key": (_GP["rs1"],),
    "ranks.in_k": (_GP["rs3"],),
    "ranks.in_limit": ("csrs.limit",),
    "ranks.in_kmax": ("csrs.kmax",),
    "alu_int.in_rs1": (_GP["rs1"],),
    "alu_int.in_rs2": (_GP["rs2"],),
    # what the host sees
    **{f"host.{x}": (f"control.{x}",) for x in ("busy", "done", "halted", "trap_pc")},
    "host.cause": ("control.trap_cause",),
    "host.program_rdata": ("program_memory.read_data",),
}


def wires(files: Files) -> Iterator[Obligation]:
    """Each data input of a unit that a theorem makes an assumption of carries what it should.

    All modules are black boxes: their outputs are any values, in any state of what the core itself
    keeps. For every line of `WIRES`, with all bits; and every AXI port of the core is the port of
    that name of the host interface or of the engine that it belongs to. Program memory: of a busy
    core the control alone fetches from it; else AXI4-Lite's access goes first, then one of the host
    port inside it, and nothing else is written or read. The host sees a fault's address with all
    its bits exactly after a fatal error, and counts of cycles and instructions that go up by one,
    in 64 bits, from 0 at a start. The softmax lanes get a stream's slices with all that the read
    engine says of them, from the state of their number or the empty one; else a row of vector SRAM
    without flags, and what its instruction names. At 2 and 8 lanes, with 1
    channel of 64 and 4 of 128 bits.
    """
    for size in SIZES:
        module = _load(size, files)
        now = module.view(module.arbitrary("any"), {}, "now")
        ports = dict(_axi(module))
        for name, parts in {**WIRES, **ports}.items():
            got, owed = _value(now, name), _joined([_value(now, part) for part in parts])
            label = f"VLEN {size['VLEN']}: {name} = {', '.join(parts)}"
            explain = partial(_explain, name, got, owed)
            yield Obligation(label, got == owed, (), explain)
        for what, goal in _program_memory(now).items():
            yield Obligation(f"VLEN {size['VLEN']}: program memory: {what}", goal)
        for what, goal in _told(now, module.view(now.next(), {}, "after")).items():
            yield Obligation(f"VLEN {size['VLEN']}: {what}", goal)
        streams = _value(now, "reader.stream_valid") == 1
        for what, goal in _stream(now).items():
            yield Obligation(f"VLEN {size['VLEN']}: a stream's {what}", goal, (streams,))
        for what, goal in _no_stream(now).items():
            yield Obligation(f"VLEN {size['VLEN']}: no stream's {what}", goal, (z3.Not(streams),))


def _program_memory(now: View) -> dict[str, Any]:
    """Who reads and writes it."""

    def on(name: str) -> Any:
        return _value(now, name) == 1

    address = _value(now, "program_memory.read_address")
    places = address.size()
    port = _value(now, "host_address")
    inside = z3.LShR(port, places) == 0
    asked = z3.And(on("host_valid"), _value(now, "host_select") == 0, inside)
    free = z3.Not(on("control.busy"))
    lite = z3.And(free, on("host.program_valid"))
    other = z3.And(free, z3.Not(on("host.program_valid")), asked)

    def access(who: Any, write: Any, place: Any, data: Any) -> Any:
        """In the cycle of such an access it is what is done."""
        done = (
            on("program_memory.write_enable") == write,
            on("program_memory.read_enable") == z3.Not(write),
            z3.If(write, _value(now, "program_memory.write_address"), address)
            == z3.Extract(places - 1, 0, place),
            z3.Implies(write, _value(now, "program_memory.write_data") == data),
        )
        return z3.Implies(z3.And(who, z3.Not(on("control.fetch"))), z3.And(*done))

    lite_access = (_value(now, f"host.program_{x}") for x in ("address", "wdata"))
    enabled = {x: on(f"program_memory.{x}_enable") for x in ("read", "write")}
    fetched = z3.And(enabled["read"] == on("control.fetch"), z3.Not(enabled["write"]))
    return {
        "AXI4-Lite": access(lite, on("host.program_write"), *lite_access),
        "host port": access(
            other, on("host_write"), port, z3.Extract(31, 0, _value(now, "host_wdata"))
        ),
        "nobody": z3.Implies(z3.And(free, z3.Not(z3.Or(lite, other))), fetched),
        "busy": z3.Implies(
            z3.And(z3.Not(free), z3.Not(on("host.program_valid"))),
            z3.And(fetched, address == z3.Extract(places - 1, 0, _value(now, "control.fetch_pc"))),
        ),
    }


def _told(now: View, after: View) -> dict[str, Any]:
    """What the host is told of a run, and the engines of rows, besides what a unit gives."""

    def on(name: str) -> Any:
        return _value(now, name) == 1

    fatal = _value(now, "control.trap_cause") == int(Trap.FATAL)
    place = _value(now, "transfers.fault_address")
    begins = z3.Or(on("rst"), on("control.start_taken"))
    counted = {
        "cycles": on("control.busy"),
        "retired": z3.And(on("control.retire"), _value(now, "control.cause") == int(Trap.NONE)),
    }
    numbers = [n for n, x in enumerate(isa.TABLE) if x.mnemonic in ("H_PREFETCH_V", "H_STORE_V")]
    by_rows = z3.Or(*(_value(now, f"decode.row[{n}:{n}]") == 1 for n in numbers))
    moved = z3.If(by_rows, _value(now, "csrs.rows"), 1)
    return {
        **{f"rows of the {x}": _value(now, f"{x}.in_rows") == moved for x in ("reader", "writer")},
        "fault address": _value(now, "host.fault_address") == z3.If(fatal, place, 0),
        **{
            name: _value(after, f"host.{name}")
            == z3.If(begins, 0, _value(now, f"host.{name}") + z3.If(up, z3.BitVecVal(1, 64), 0))
            for name, up in counted.items()
        },
    }


def _stream(now: View) -> dict[str, Any]:
    """What the softmax lanes get of a stream's slice."""
    same = ("valid", "first", "last", "data", "active", "flags", "base", "bans")
    ports = {name: f"stream_{name}" for name in same} | {"tag": "stream_state"}
    clear = _value(now, "reader.stream_clear") == 1
    return {
        **{
            name: _value(now, f"softmax.in_{name}") == _value(now, f"reader.{port}")
            for name, port in ports.items()
        },
        "number": _value(now, "states.stream_number") == _value(now, "reader.stream_state"),
        "start": _value(now, "softmax.in_start")
        == z3.If(clear, EMPTY, _value(now, "states.stream_state")),
    }


def _no_stream(now: View) -> dict[str, Any]:
    """What the softmax lanes get of a row of vector SRAM."""
    bits = _value(now, "softmax.in_data").size()
    ports = {"first": "strip.beat_first", "last": "strip.beat_last", "base": "strip.beat_base",
             "data": f"vector_memory.read_data[{bits - 1}:0]", "bans": "csrs.bans",
             "tag": "gp.read_data[1:0]"}  # fmt: skip
    clear = _value(now, "control.word[26:26]") == 1
    return {
        **{
            name: _value(now, f"softmax.in_{name}") == _value(now, port)
            for name, port in ports.items()
        },
        "flags": _value(now, "softmax.in_flags") == 0,
        "start": _value(now, "softmax.in_start")
        == z3.If(clear, EMPTY, _value(now, "states.read_state")),
    }


def modules() -> tuple[str, ...]:
    """What the core is made of."""
    text = FILE.read_text(encoding="utf-8")
    found = re.findall(r"^    (unmask_\w+) (?:#\(|\w+ \()", text, re.MULTILINE)
    return tuple(dict.fromkeys(found))


def _load(size: dict[str, int], files: Files) -> smt.Transition:
    """The core with all modules in it as macros."""
    names = sorted(path for path in rtl.RTL.rglob("unmask_*.v") if "examples" not in path.parts)
    sources = yosys.replaced(tuple(names), files)
    design = yosys.Design(sources, FILE.stem, size, (rtl.RTL,), modules())
    return smt.load(yosys.export(design))


def _axi(module: smt.Transition) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Ports of the core and of its units by the same name: (what is driven, what drives it)."""
    names = {*module.inputs, *module.outputs}
    for name in sorted(names):
        unit, _, port = name.partition(".")
        if unit in ("host", "reader", "writer") and port.startswith(("s_axi_", "m_axi_")):
            if name in module.inputs:  # an output of the unit
                yield port, (name,)
            else:
                yield name, (port,)


def _value(view: View, text: str) -> Any:
    """A port, or bits of it."""
    match = _PART.fullmatch(text)
    assert match is not None
    name, high, low = match.groups()
    inputs = view.module.inputs
    value = view.apply(inputs[name]) if name in inputs else view[name]
    return value if high is None else z3.Extract(int(high), int(low), value)


def _joined(parts: list[Any]) -> Any:
    return z3.Concat(*parts) if len(parts) > 1 else parts[0]


def _explain(name: str, got: Any, owed: Any, value: Values) -> str:
    return f"{name}: expected {value(owed):#x}, got {value(got):#x}"


def _twin(files: Files) -> Iterator[Obligation]:
    # Of the pitch the highest bit that decides about blocks is lost.
    mutation = Mutation(FILE, ".pitch(pitch[4:0])", ".pitch({1'b0, pitch[3:0]})")
    with mutation.applied(files) as mutated:
        yield from wires(mutated)


THEOREMS = (
    Theorem(
        name="wiring",
        statement=getdoc(wires) or "",
        bounds="all values, 2 sizes",
        engine="z3, bitwuzla",
        obligations=wires,
        twin=_twin,
        sources=(FILE,),
        confirm=True,
    ),
)
