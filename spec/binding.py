"""Binding files: a small TOML file that says which Verilog unit implements an instruction, and how.

instruction = "V_RED_MAX_IDX"
top = "unmask_max_idx"                  # module
files = ["unmask_max_idx.v"]            # relative to this file
include = [".."]                        # optional: folders searched for `include files
shape = "fold"                          # optional, else "tree": which form of the specification
                                        # is closer to the circuit (they are equal by theorem)
proof = "codes"                         # optional, else "terms": a unit of one BF16 operand is
                                        # proven by all 65,536 codes, not by a solver
fields = { rorder = 1 }                 # optional: the one choice of the instruction that is meant
macros = ["unmask_mantissa"]            # optional: modules in it whose netlists are checked apart;
                                        # the unit's leaves them as they are

[lanes]                                 # only for instructions that work on lanes
parameter = "VLEN"                      # the module parameter that sets the lanes
prove = [4, 8]                          # sizes at which the proof runs,
simulate = [2, 8]                       # the cosimulation,
netlist = [8]                           # and the checks of the synthesised netlist

[clock]                                 # absent: the unit is combinational
port = "clk"

[reset]
port = "rst"
active = "high"                         # or "low"
cycles = 1                              # how long the unit needs it

[input]
valid = "in_valid"
ready = "in_ready"                      # optional: absent means always ready
ports = { data = "in_data", ... }       # logical port -> the unit's port
tie = { op = 0 }                        # optional: ports held at a constant

[output]
valid = "out_valid"
ready = "out_ready"                     # optional: absent means taken at once
last = "out_last"                       # optional: only results with it count
ports = { code = "out_code", ... }

[latency]                               # cycles from the last beat taken to its result:
constant = 2                            # constant + per_lane * lanes + per_level * log2(lanes)
per_level = 1
exact = true                            # false: at most that many
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmask.spec.contracts import UNITS, Contract, contract
from unmask.spec.errors import UsageError

MOST_CYCLES = 4096  # of a latency or a reset: more is a mistake, and would simulate for hours
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")

# section -> key -> (type, needed). The empty section is the top of the file.
SCHEMA: dict[str, dict[str, tuple[type, bool]]] = {
    "": {
        "instruction": (str, True),
        "top": (str, True),
        "files": (list, True),
        "include": (list, False),
        "shape": (str, False),
        "proof": (str, False),
        "fields": (dict, False),
        "macros": (list, False),
    },
    "lanes": {
        "parameter": (str, True),
        "prove": (list, True),
        "simulate": (list, True),
        "netlist": (list, True),
    },
    "clock": {"port": (str, True)},
    "reset": {"port": (str, True), "active": (str, True), "cycles": (int, False)},
    "input": {
        "valid": (str, False),
        "ready": (str, False),
        "ports": (dict, True),
        "tie": (dict, False),
    },
    "output": {
        "valid": (str, False),
        "ready": (str, False),
        "last": (str, False),
        "ports": (dict, True),
    },
    "latency": {
        "constant": (int, True),
        "per_lane": (int, False),
        "per_level": (int, False),
        "exact": (bool, False),
    },
}


@dataclass(frozen=True)
class Handshake:
    """One side of a unit: handshake signals and data ports, by the unit's own names."""

    valid: str | None
    ready: str | None
    ports: Mapping[str, str]
    last: str | None = None
    tie: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Binding:
    """A binding file, validated. Paths are absolute."""

    path: Path
    contract: Contract
    top: str
    files: tuple[Path, ...]
    include: tuple[Path, ...]
    shape: str
    proof: str
    macros: tuple[str, ...]
    lanes_parameter: str | None
    sizes: Mapping[str, tuple[int, ...]]
    clock: str | None
    reset: str | None
    reset_active: int
    reset_cycles: int
    input: Handshake
    output: Handshake
    latency: Mapping[str, int]
    exact: bool

    @property
    def name(self) -> str:
        """The file's name without its ending: what checks and reports call the unit."""
        return self.path.stem

    @property
    def beats(self) -> bool:
        """Whether the unit takes transactions of more than one beat."""
        return self.contract.streamed and "first" in self.input.ports

    def cycles(self, lanes: int) -> int:
        """Cycles from the last beat taken to its result."""
        levels = max(lanes, 1).bit_length() - 1
        terms = (1, lanes, levels)
        names = ("constant", "per_lane", "per_level")
        return sum(self.latency[name] * term for name, term in zip(names, terms, strict=True))

    def parameters(self, lanes: int) -> dict[str, int]:
        """Module parameters for a number of lanes."""
        return {self.lanes_parameter: lanes} if self.lanes_parameter else {}

    def expected_ports(self, lanes: int) -> dict[str, tuple[str, int, str]]:
        """The unit's port name -> (direction, width, meaning) that the binding expects."""
        ports: dict[str, tuple[str, int, str]] = {}
        for direction, side, logical in (
            ("input", self.input, self.contract.inputs),
            ("output", self.output, self.contract.outputs),
        ):
            for port in logical:
                if port.name in side.ports:
                    ports[side.ports[port.name]] = (direction, port.width(lanes), port.doc)
        controls = (
            (self.clock, "input", "the clock"),
            (self.reset, "input", "the reset"),
            (self.input.valid, "input", "input valid"),
            (self.input.ready, "output", "input ready"),
            (self.output.valid, "output", "output valid"),
            (self.output.ready, "input", "output ready"),
            (self.output.last, "output", "the mark of a transaction's result"),
        )
        for name, direction, doc in controls:
            if name is not None:
                ports[name] = (direction, 1, doc)
        return ports


def load(path: Path) -> Binding:
    """Read and validate a binding file.

    Raises:
        UsageError: one line naming the file, the key or port, and what was expected.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"not a TOML file: {error}", str(path)) from None
    try:
        return _validated(path.resolve(), data)
    except UsageError as error:
        raise UsageError(str(error), str(path)) from None


def _validated(path: Path, data: dict[str, Any]) -> Binding:
    top = {key: value for key, value in data.items() if not (key in SCHEMA and key)}
    _check_section("", top)
    for section in filter(None, SCHEMA):
        if section in data:
            if not isinstance(data[section], dict):
                raise UsageError(f"{section!r} must be a table [{section}]")
            _check_section(section, data[section])
        elif section in ("input", "output", "latency"):
            raise UsageError(f"the table [{section}] is missing")
    if data["instruction"] not in UNITS:
        raise UsageError(
            f"instruction {data['instruction']!r} has no unit contract; expected one of "
            + ", ".join(UNITS)
        )
    wanted = contract(data["instruction"], **data.get("fields", {}))
    _check_ports("input", data["input"]["ports"], wanted.inputs)
    _check_ports("output", data["output"]["ports"], wanted.outputs)
    _check_clocking(data)
    _check_names(data)
    lanes = data.get("lanes", {})
    if wanted.streamed and not lanes:
        raise UsageError(f"the table [lanes] is missing: {data['instruction']} works on lanes")
    sizes = {key: _sizes(key, lanes) for key in ("prove", "simulate", "netlist")}
    shape = data.get("shape", "tree")
    if shape not in ("tree", "fold"):
        raise UsageError(f'shape {shape!r}: expected "tree" or "fold"')
    proof = data.get("proof", "terms")
    if proof not in ("terms", "codes"):
        raise UsageError(f'proof {proof!r}: expected "terms" or "codes"')
    if proof == "codes" and [port.kind for port in wanted.inputs] != ["bf16"]:
        raise UsageError(f'proof "codes": {data["instruction"]} has not one BF16 operand')
    files = tuple((path.parent / name).resolve() for name in _strings("files", data["files"]))
    include = tuple(path.parent / name for name in _strings("include", data.get("include", [])))
    for file in files:
        if not file.is_file():
            raise UsageError(f"no Verilog file {file}")
    for folder in include:
        if not folder.is_dir():
            raise UsageError(f"include has {folder}, which is no folder")
    for place in (path, *files, *include):
        if re.search(r"\s", str(place)):
            raise UsageError(f"a blank in {str(place)!r}: Verilator and Yosys take none")
    for name in _strings("macros", data.get("macros", [])):
        if not _IDENTIFIER.fullmatch(name):
            raise UsageError(f"macros has {name!r}, which is no Verilog identifier")
    reset, latency = data.get("reset", {}), data["latency"]
    return Binding(
        path=path,
        contract=wanted,
        top=data["top"],
        files=files,
        include=include,
        shape=shape,
        proof=proof,
        macros=tuple(data.get("macros", [])),
        lanes_parameter=lanes.get("parameter"),
        sizes=sizes,
        clock=data.get("clock", {}).get("port"),
        reset=reset.get("port"),
        reset_active=int(reset.get("active", "high") == "high"),
        reset_cycles=reset.get("cycles", 1),
        input=_handshake(data["input"]),
        output=_handshake(data["output"]),
        latency={key: latency.get(key, 0) for key in ("constant", "per_lane", "per_level")},
        exact=latency.get("exact", True),
    )


def _check_section(section: str, table: dict[str, Any]) -> None:
    schema, where = SCHEMA[section], f" in [{section}]" if section else ""
    for key, value in table.items():
        if key not in schema:
            raise UsageError(f"unknown key {key!r}{where}; expected one of {', '.join(schema)}")
        kind = schema[key][0]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise UsageError(f"key {key!r}{where} is {value!r}; expected a {kind.__name__}")
    for key, (_, needed) in schema.items():
        if needed and key not in table:
            raise UsageError(f"key {key!r}{where} is missing")


def _check_ports(section: str, ports: dict[str, Any], wanted: tuple[Any, ...]) -> None:
    names = [port.name for port in wanted]
    for name, value in ports.items():
        if name not in names:
            raise UsageError(f"unknown {section} port {name!r}; expected {', '.join(names)}")
        if not isinstance(value, str):
            raise UsageError(f"{section} port {name!r} is {value!r}; expected a port name")
    for port in wanted:
        if port.name not in ports and not port.optional:
            raise UsageError(f"{section} port {port.name!r} is missing: {port.doc}")
    optional = [port.name for port in wanted if port.optional]
    present = [name for name in optional if name in ports]
    if present and present != optional:
        raise UsageError(f"{section} ports {' and '.join(optional)} go together")


def _check_names(data: dict[str, Any]) -> None:
    """Every Verilog name is an identifier, and no port is bound twice."""
    sides = [data["input"], data["output"]]
    single = [side[key] for side in sides for key in ("valid", "ready", "last") if key in side]
    single += [data[section]["port"] for section in ("clock", "reset") if section in data]
    bound = [*single, *(port for side in sides for port in side["ports"].values())]
    names = [data["top"], *bound, *data["input"].get("tie", {})]
    names += [data["lanes"]["parameter"]] if "lanes" in data else []
    for name in names:
        if not _IDENTIFIER.fullmatch(name):
            raise UsageError(f"{name!r} is no Verilog identifier")
    tied = [*bound, *data["input"].get("tie", {})]
    for name in tied:
        if tied.count(name) > 1:
            raise UsageError(f"port {name!r} is bound twice")


def _check_clocking(data: dict[str, Any]) -> None:
    if "clock" in data:
        if "reset" not in data:
            raise UsageError("the table [reset] is missing: a clocked unit needs one")
        if data["reset"]["active"] not in ("high", "low"):
            raise UsageError(f'active {data["reset"]["active"]!r} in [reset]: "high" or "low"')
        if not 1 <= data["reset"].get("cycles", 1) <= MOST_CYCLES:
            raise UsageError(f"cycles in [reset]: expected 1 to {MOST_CYCLES}")
        for side in ("input", "output"):
            if "valid" not in data[side]:
                raise UsageError(f"key 'valid' in [{side}] is missing: a clocked unit needs it")
    else:
        for side in ("input", "output"):
            for key in ("valid", "ready", "last"):
                if key in data[side]:
                    raise UsageError(f"key {key!r} in [{side}] without a [clock]")
        if any(data["latency"].get(key, 0) for key in ("constant", "per_lane", "per_level")):
            raise UsageError("[latency] of a combinational unit (no [clock]) must be 0")
    for key in ("constant", "per_lane", "per_level"):
        if not 0 <= data["latency"].get(key, 0) <= MOST_CYCLES:
            raise UsageError(f"{key} in [latency]: expected 0 to {MOST_CYCLES}")


def _sizes(key: str, lanes: dict[str, Any]) -> tuple[int, ...]:
    if not lanes:
        return (1,)
    for size in lanes[key]:
        if type(size) is not int or not 2 <= size <= 2048 or size & (size - 1):
            raise UsageError(f"{key} in [lanes] has {size!r}; expected powers of two, 2 to 2048")
    if len(set(lanes[key])) != len(lanes[key]):
        raise UsageError(f"{key} in [lanes] names a size twice: {lanes[key]}")
    if not lanes[key]:
        raise UsageError(f"{key} in [lanes] is empty: a check at no size checks nothing")
    return tuple(lanes[key])


def _strings(key: str, values: list[Any]) -> list[str]:
    for value in values:
        if not isinstance(value, str):
            raise UsageError(f"{key} has {value!r}; expected a string")
    if key == "files" and not values:
        raise UsageError("files is empty")
    return values


def _handshake(table: dict[str, Any]) -> Handshake:
    tie = table.get("tie", {})
    for name, value in tie.items():
        if type(value) is not int or value < 0:
            raise UsageError(f"tie {name!r} is {value!r}; expected an unsigned integer")
    return Handshake(
        valid=table.get("valid"),
        ready=table.get("ready"),
        ports=table["ports"],
        last=table.get("last"),
        tie=tie,
    )
