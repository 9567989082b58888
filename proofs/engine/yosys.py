"""Yosys, always in a process of its own: an error in it ends the process that it runs in.

Everything that proofs and synthesis checks read from Verilog comes through here: the transition
relation as SMT-LIB text, the ports as elaborated, generic netlists and equivalence with them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unmask.spec.binding import Binding
from unmask.spec.errors import UsageError

# The script is read from a file, one command a line; the first error ends the process.
_RUNNER = """
import sys
from pyosys import libyosys
design = libyosys.Design()
with open(sys.argv[1], encoding="utf-8") as script:
    for command in script.read().splitlines():
        design.run_pass(command)
"""
_AT_LINE = re.compile(
    r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d+): ERROR: ?(?P<text>.*)$", re.MULTILINE
)
_ERROR = re.compile(r"^ERROR: ?(?P<text>.*)$", re.MULTILINE)
_STATE = re.compile(r"dff|latch|mem|\$sr|\$ff", re.IGNORECASE)  # in types of cells
TIMEOUT_S = 300
FUNCTIONS_S = 120  # for netlists as functions; the dearest takes 16


class YosysError(UsageError):
    """Yosys refused: the Verilog does not parse, a module or port is missing, a proof failed."""


@dataclass(frozen=True)
class Design:
    """Verilog to elaborate.

    Attributes:
        files: read in this order.
        top: module name.
        parameters: of the top module; empty for a netlist, which has none left.
        include: folders searched for `include files.
        macros: modules that synthesis leaves alone and equivalence treats as the same black box
            on both sides, such as SRAMs that a user replaces with macros.
    """

    files: tuple[Path, ...]
    top: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    include: tuple[Path, ...] = ()
    macros: tuple[str, ...] = ()

    @staticmethod
    def of(binding: Binding, lanes: int, files: Mapping[Path, Path] | None = None) -> Design:
        """A binding's unit at a number of lanes, with some files read from elsewhere."""
        return Design(
            replaced(binding.files, files),
            binding.top,
            binding.parameters(lanes),
            (*binding.include, *dict.fromkeys(file.parent for file in binding.files)),
        )

    def read(self) -> list[str]:
        """The commands that read and elaborate it."""
        for folder in self.include:
            if " " in str(folder):  # Yosys takes no quoted folder here
                raise UsageError("a space in the name of an include folder", str(folder))
        folders = " ".join(f"-I {folder}" for folder in self.include)
        files = " ".join(f'"{file}"' for file in self.files)
        values = " ".join(f"-chparam {name} {value}" for name, value in self.parameters.items())
        return [
            f"read_verilog {folders} {files}",
            f"hierarchy -check -top {self.top} {values}",
        ]


def replaced(files: Sequence[Path], swap: Mapping[Path, Path] | None) -> tuple[Path, ...]:
    """The file list with every file that `swap` names read from there; each file once."""
    return tuple(dict.fromkeys((swap or {}).get(file, file) for file in files))


def run(commands: Sequence[str], timeout_s: int = TIMEOUT_S) -> str:
    """Run Yosys commands and return the log.

    Raises:
        YosysError: one line, with file and line of the Verilog where Yosys names them.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.ys")
        script.write_text("\n".join(commands) + "\n", encoding="utf-8")
        try:
            done = subprocess.run(
                [sys.executable, "-c", _RUNNER, str(script)],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise YosysError(f"Yosys did not finish in {timeout_s} s") from None
    if done.returncode:
        raise _error(done.stdout + done.stderr)
    return done.stdout


def _error(log: str) -> YosysError:
    if match := _AT_LINE.search(log):
        return YosysError(match["text"], match["file"], int(match["line"]))
    if match := _ERROR.search(log):
        return YosysError(f"Yosys: {match['text']}")
    last = (log.strip().splitlines() or ["no output"])[-1]
    return YosysError(f"Yosys stopped without a message; its last line: {last}")


def export(design: Design) -> str:
    """The transition relation as SMT-LIB text over bit-vectors.

    Undriven and don't-care bits become free inputs of every cycle, so nothing that is proven
    depends on a value that Verilog leaves unknown; so do the outputs of macros, whose inputs
    become outputs. Memories become registers.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "design.smt2")
        run(
            [
                *design.read(),
                "proc",
                *_black_boxes(design),
                "setundef -undriven -anyseq",
                "setundef -anyseq",
                "flatten",
                *_ports_of_macros(design),
                "opt",
                "memory -nomap",
                "memory_map",
                "opt",
                "async2sync",
                "dffunmap",
                "clean",
                f'write_smt2 -stbv "{target}"',
            ]
        )
        return target.read_text(encoding="utf-8")


def ports(design: Design, prepare: Sequence[str] = ("proc",)) -> dict[str, tuple[str, int]]:
    """Port name -> (direction, width) of the elaborated top module."""
    return _ports(_elaborated(design, prepare)[design.top])


def _ports(module: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    found = module["ports"]
    return {name: (port["direction"], len(port["bits"])) for name, port in found.items()}


def _elaborated(design: Design, prepare: Sequence[str]) -> dict[str, Any]:
    """The top module, and others below it by whatever name, as Yosys' JSON has them."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "design.json")
        run([*design.read(), *prepare, f'write_json "{target}"'])
        return dict(json.loads(target.read_text(encoding="utf-8"))["modules"])


def check_ports(binding: Binding, lanes: int, design: Design) -> None:
    """Hold the module's ports, and modules in it, against what the binding expects.

    Inputs that are not bound are no error: proofs leave them free, so they must not matter.

    Raises:
        UsageError: one line naming the port and what was expected, or what Yosys says.
    """
    try:
        modules = _elaborated(design, ("proc",))
    except YosysError as error:
        # It may name a line of the Verilog, and be about what the binding says of it all the same.
        raise UsageError(str(error), str(binding.path)) from None
    for name in binding.macros:
        if not any(name in module for module in modules):
            raise UsageError(
                f"macros has {name!r}: there is no such module in {design.top}", str(binding.path)
            )
    found = _ports(modules[design.top])
    where = f"module {design.top}"
    for name, (direction, width, doc) in binding.expected_ports(lanes).items():
        if name not in found:
            raise UsageError(
                f"{where} has no port {name!r} (expected {direction}, {width} bits: {doc})",
                str(binding.path),
            )
        if found[name] != (direction, width):
            raise UsageError(
                f"{where}: port {name!r} is {found[name][0]}, {found[name][1]} bits; "
                f"expected {direction}, {width} bits: {doc}",
                str(binding.path),
            )
    for name, value in (binding.input.tie or {}).items():
        if found.get(name, ("",))[0] != "input":
            raise UsageError(f"{where} has no input {name!r} to tie", str(binding.path))
        if value >> found[name][1]:
            raise UsageError(
                f"{where}: tie {name!r} = {value} does not fit its {found[name][1]} bits",
                str(binding.path),
            )


def synthesise(design: Design, out_verilog: Path) -> dict[str, Any]:
    """Synthesise to generic gates and write the netlist, its macros unsynthesised behind it.

    Returns:
        `cells` (number by type), `total` and `flip_flops`; macros count as one cell each.
    """
    with tempfile.TemporaryDirectory() as folder:
        statistics, macros = Path(folder, "stat.json"), Path(folder, "macros.v")
        macros.touch()
        save = ["memory -nomap", *_select(design), f"write_verilog -noattr -selected {macros}"]
        run(
            [
                *design.read(),
                "proc",
                *([*save, "select -clear", *_black_boxes(design)] if design.macros else []),
                f"synth -flatten -nofsm -top {design.top}",  # recoded states have other names
                "abc -g AND,XOR,MUX",
                "opt_clean",
                f'write_verilog -noattr "{out_verilog}"',
                f'tee -q -o "{statistics}" stat -json',
            ]
        )
        log = statistics.read_text(encoding="utf-8")
        with out_verilog.open("a", encoding="utf-8") as netlist:
            netlist.write(macros.read_text(encoding="utf-8"))
    modules = json.loads(log[log.index("{") :])["modules"]
    cells = {name.strip("\\$_"): number for name, number in _top_cells(modules, design.top).items()}
    cells.pop("scopeinfo", None)  # names of flattened modules, no hardware
    flip_flops = sum(number for name, number in cells.items() if "DFF" in name)
    return {"cells": cells, "total": sum(cells.values()), "flip_flops": flip_flops}


def _select(design: Design) -> list[str]:
    """Select the macros and what they are made of: everything but the top."""
    return ["select *", f"select -del {design.top}"]


def _black_boxes(design: Design) -> list[str]:
    return [f"blackbox *{name}*" for name in design.macros]


def _top_cells(modules: Mapping[str, dict[str, dict[str, int]]], top: str) -> dict[str, int]:
    return modules[f"\\{top}"]["num_cells_by_type"]


@dataclass(frozen=True)
class Equivalence:
    """Outcome of a netlist equivalence: pairs of signals compared, and how many are unproven."""

    equal: bool
    pairs: int
    unproven: int
    detail: str


def equivalent(gold: Design, gate: Design, depth: int) -> Equivalence:
    """Whether a netlist equals the RTL that it was made from.

    First as functions: of inputs and registers to outputs and the registers' next values. ABC
    merges equal nodes of both from the inputs up, by which a multiplier or a divider takes seconds
    that takes a search from its outputs down more than minutes. That needs registers that pair up
    by name, each one, and states that all matter: what holds of reachable ones alone it cannot say.

    Where it gives no answer, signal pair by signal pair. Signals of the same name are taken as a
    pair and proven equal by induction. Synthesis may reuse the name of an inner signal for
    something else (a multiplexer that became a clock enable), so inner pairs that fail are left
    out and the rest is proven without them: that takes nothing from the claim, which is about the
    outputs.

    Args:
        gold: the RTL.
        gate: the netlist.
        depth: induction depth; must exceed the pipeline's, in cycles.

    Raises:
        YosysError: if either does not elaborate.
    """
    module = _elaborated(gold, _prepared(gold))[gold.top]
    outputs = {
        name: len(port["bits"])
        for name, port in module["ports"].items()
        if port["direction"] == "output"
    }
    has_state = any(_STATE.search(cell["type"]) for cell in module["cells"].values())
    try:
        found = _equal_functions(gold, gate, sum(outputs.values()))
    except YosysError:
        if not has_state:
            raise
    else:
        if found.equal or not has_state:
            return found
    left_out: set[str] = set()
    while True:
        pairs, proven, names = _compare(gold, gate, depth, left_out)
        if proven == pairs:
            text = "all proven" + (f"; left out: {', '.join(sorted(left_out))}" if left_out else "")
            return Equivalence(True, pairs, 0, text)
        if names & outputs.keys() or not names - left_out:
            text = "unproven: " + ", ".join(sorted(names))
            return Equivalence(False, pairs, pairs - proven, text)
        left_out |= names


def _both(gold: Design, gate: Design) -> list[str]:
    """Commands that leave both, prepared, as modules `gold` and `gate`."""
    commands = []
    for name, design in (("gold", gold), ("gate", gate)):
        commands += [*design.read(), *_prepared(gold), f"rename {design.top} {name}",
                     f"design -stash {name}"]  # fmt: skip
    return [*commands, *(f"design -copy-from {x} -as {x} {x}" for x in ("gold", "gate"))]


def _equal_functions(gold: Design, gate: Design, bits: int) -> Equivalence:
    """Whether two designs have the same outputs, `bits` of them, and next states.

    Each register becomes an input and an output of that name. ABC is trusted with its merges; the
    solver proves what is left, often nothing.

    Raises:
        YosysError: if a register is left that has no partner.
    """
    kept = "gold/w:*_reg gate/w:*_reg %u gold/w:*_reg[* %u gate/w:*_reg[* %u"
    log = run(
        [
            *_both(gold, gate),
            "dffunmap gold gate",  # enables and resets become multiplexers
            "splitnets gold gate",  # synthesis drops single bits
            f"rename -hide gold/w:* gate/w:* %u {kept} %d",  # a register has one name
            "insbuf gold gate",  # a port is none
            "expose -dff -shared -evert-dff gold gate",
            "opt_clean",
            "miter -equiv -flatten gold gate miter",
            "hierarchy -top miter",
            "select -assert-none t:$*ff* t:$*latch* t:$*mem*",
            "techmap",
            "abc -script +strash;ifraig",
            "sat -show-inputs -show-outputs -prove trigger 0 miter",
        ],
        FUNCTIONS_S,
    )
    if "SAT proof finished - no model found: SUCCESS!" in log:
        bits_of_state = set(
            re.findall(r"^Import show expression: \\in_(\S+)\.q$", log, re.MULTILINE)
        )
        return Equivalence(True, bits + len(bits_of_state), 0, "all proven")
    values = re.findall(r"^  \\((?:in|gold|gate)_\S+) +\S+ +\S+ +([01x]+)", log, re.MULTILINE)
    text = "differ for " + ", ".join(f"{name} = {value}" for name, value in values)
    return Equivalence(False, bits, bits, text if values else "differ")


def _prepared(design: Design) -> list[str]:
    """Commands that flatten a design and turn its macros' ports into ports of its own."""
    evert = _ports_of_macros(design)
    return ["proc", *_black_boxes(design), "flatten", *evert, "memory", "opt_clean", "async2sync"]


def _ports_of_macros(design: Design) -> list[str]:
    return [f"expose -evert t:*{name}*" for name in design.macros]


def _compare(
    gold: Design, gate: Design, depth: int, left_out: set[str]
) -> tuple[int, int, set[str]]:
    """Pairs, how many are proven, and the names of those that are not."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder, "left_out.txt")
        listed.write_text("".join(f"{name}\n" for name in sorted(left_out)), encoding="utf-8")
        log = run(
            [
                *_both(gold, gate),
                f"equiv_make -blacklist {listed} gold gate equiv",
                "hierarchy -top equiv",
                "opt_clean",
                "equiv_simple -short",  # between neighbouring pairs, which is most of them
                "equiv_simple",
                f"equiv_induct -seq {depth}",
                "equiv_status",
            ]
        )
    found = re.findall(
        r"Found (\d+) \$equiv cells in equiv:\s+Of those cells (\d+) are proven", log
    )
    if not found or found[-1][0] == "0":
        raise YosysError("equivalence compared nothing: no signal of RTL and netlist pairs up")
    pairs, proven = (int(number) for number in found[-1])
    names = re.findall(r"Unproven \$equiv \S+: \\?(\S+)_gold\b", log)
    return pairs, proven, set(names)
