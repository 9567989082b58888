"""The ISA manual, generated from the table: `spec/manual/isa.md` and one HTML page, `isa.html`.

Nothing about an instruction is written here. Operands, encodings and trap conditions come from its
row, pseudocode from the source of its semantics (`unmask.spec.manual.pseudocode`), what is said
about cycles and formats from docstrings, examples from files that the tests run. Both pages are
made from the same `facts` by the templates beside them. No dates, no addresses: the same source
gives the same bytes.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from unmask.spec import arith, assembler, encoding, formats, isa, machine, mx, numerics
from unmask.spec import loops as loop_rules
from unmask.spec import softmax as state_of_softmax
from unmask.spec.encoding import (
    A_COUNT,
    CSRS,
    F_COUNT,
    GP_COUNT,
    OPCODE,
    STATE_COUNT,
    TRAP_TEXT,
    WORD_BITS,
    Instruction,
    Kind,
    Operand,
    Trap,
)
from unmask.spec.instructions import control, masks, memory, scalar, softmax, vector
from unmask.spec.manual import examples
from unmask.spec.manual.pseudocode import Reader, factory
from unmask.spec.state import MEMORIES, Config
from unmask.spec.vectors import Each

FOLDER = Path(__file__).parent
PAGES = ("isa.md", "isa.html")
GROUPS = (vector, softmax, masks, scalar, memory, control)
_LOOPS = (
    loop_rules.after_start,
    loop_rules.after_end,
    loop_rules.loop_end,
    loop_rules.turn,
)
_LOOP_ROWS = ("C_LOOP_START", "C_LOOP_END")
_KINDS = {
    Kind.GP: "gp register",
    Kind.F: "f register",
    Kind.A: "a register",
    Kind.IMM: "unsigned number",
    Kind.CSR: "CSR",
    Kind.CHOICE: "choice",
}
NOTATION = (
    ("a <- b", "b becomes the value of a"),
    ("gp[rs1], f[rs1], a[rs2]", "the register that a field names; rs1 alone is the field's number"),
    ("+ - * << >>", "on unsigned numbers of some width, modulo 2**width"),
    ("u34(v)", "v in 34 bits: sums of it do not wrap where those of v would"),
    ("< <= > >=", "unsigned"),
    ("v[h:l], v[i]", "bits h to l, bit i; of a vector or table: element i"),
    ("{a, b}", "the bits of a above those of b"),
    ("a if c else b", "a where c is 1"),
    ("memory[i .. + n]", "n elements from i on; with `by s`: s apart"),
    ("memory[i ..] <- v where e", "the elements of v, from i on; only those whose e is 1"),
    ("for each element: e; each(e)", "e of the elements of its vectors, which are as long"),
    ("[0 .. n - 1]", "the vector 0, 1, ... n - 1; empty for n = 0"),
    ("a ++ b", "the elements of a, then those of b"),
    ("state[n]", "a softmax state"),
    ("size(memory)", "its elements"),
    ("ceil(a / b)", "the quotient, rounded up"),
    ("done", "nothing more happens; the next instruction follows"),
)


@dataclass(frozen=True)
class Box:
    """A field of the instruction word: operand, fixed value or unused zeros."""

    name: str
    high: int
    low: int
    unused: bool = False


@dataclass(frozen=True)
class Condition:
    """One reason for a trap: cause, what its rule says of itself, lines of pseudocode."""

    cause: str
    says: str
    lines: tuple[str, ...]


# -- one instruction --


def boxes(row: Instruction) -> list[Box]:
    """The word from bit 31 down."""
    named = [Box(x.field.name, x.field.high, x.field.low) for x in row.operands]
    fixed = [*row.fixed, (OPCODE, row.opcode)]
    named += [Box(f"{f.name} = 0x{value:X}", f.high, f.low) for f, value in fixed]
    result, top = [], WORD_BITS - 1
    for box in sorted(named, key=lambda box: -box.high):
        if box.high < top:
            result.append(Box("0", top, box.high + 1, unused=True))
        result.append(box)
        top = box.low - 1
    return result


def drawing(row: Instruction) -> str:
    """The word as text, fields as wide as their names need."""
    cells = []
    for box in boxes(row):
        bits = f"{box.high}" if box.high == box.low else f"{box.high} {box.low}"
        cells.append((box, max(len(box.name), len(bits)) + 2))
    top, middle, edge = "", "", ""
    for box, width in cells:
        low = "" if box.high == box.low else str(box.low)
        top += f" {box.high}" + " " * (width - len(str(box.high)) - len(low)) + low
        middle += f"|{box.name:^{width}}"
        edge += f"+{'-' * width}"
    return "\n".join([top, f"{edge}+", f"{middle}|", f"{edge}+"])


def syntax(row: Instruction) -> str:
    """The assembly text, trailing operands with a default in brackets."""
    parts, optional = [], True
    for operand in reversed(row.operands):
        optional = optional and operand.default is not None
        parts.append(f"[{operand.name}]" if optional else operand.name)
    return f"{row.mnemonic} {', '.join(reversed(parts))}".rstrip()


def aliases(row: Instruction) -> list[str]:
    """Other ways to write it that the assembler knows."""
    found = []
    for alias, (mnemonic, given) in assembler.ALIASES.items():
        if mnemonic == row.mnemonic:
            rest = [x.name for x in row.operands[len(given) :]]
            found.append(f"{alias} {', '.join(rest)} for {mnemonic} {', '.join([*given, *rest])}")
    return found


def choice(operand: Operand, value: int) -> str:
    """A field's value as it is written."""
    if operand.kind in (Kind.GP, Kind.F, Kind.A):
        return f"{operand.kind.value}{value}"
    names = {number: name for name, number in (operand.choices or {}).items()}
    return names.get(value, str(value))


def operands(row: Instruction) -> list[dict[str, str]]:
    optional = syntax(row)
    return [
        {
            "name": x.name,
            "bits": str(x.field.low) if x.field.width == 1 else f"{x.field.high}:{x.field.low}",
            "kind": _KINDS[x.kind],
            "written": "written" if x.written else "",
            "default": choice(x, x.default or 0) if f"[{x.name}]" in optional else "",
            "doc": x.doc,
            "choices": ""
            if x.choices is None or x.kind is Kind.CSR
            else ", ".join(f"{name} = {value}" for name, value in x.choices.items())
            if list(x.choices) != [str(value) for value in x.choices.values()]
            else "",
        }
        for x in row.operands
    ]


def conditions(row: Instruction, reader: Reader) -> list[Condition]:
    """Reasons to trap, in the order in which they are looked for; ILLEGAL words aside."""
    result = []
    if row.mnemonic in _LOOP_ROWS:
        result.append(Condition(Trap.LOOP.name, f"{TRAP_TEXT[Trap.LOOP]} (see Loops)", ()))
    for cause, rule in sorted(row.traps, key=lambda pair: pair[0]):
        lines, says = tuple(reader.condition(rule)), _says(rule, cause)
        last = result[-1] if result else None
        if last and (last.cause, last.says) == (cause.name, says) and says:
            joined = (*last.lines[:-1], f"{last.lines[-1]} or", *lines)
            result[-1] = Condition(cause.name, says, joined)
        else:
            result.append(Condition(cause.name, says, lines))
    return result


def _says(rule: Any, cause: Trap) -> str:
    """The docstring of a condition, or of the function that made it, without its cause."""
    text = inspect.getdoc(rule) or inspect.getdoc(factory(rule)) or ""
    first = text.split("\n\n")[0].replace("\n", " ")
    return first.removeprefix(f"{cause.name}: ")


def entry(row: Instruction) -> dict[str, Any]:
    """Everything that the manual says about an instruction."""
    reader = Reader(row)
    operation = reader.operation(row.semantics)
    where = dict(reader.where)
    traps = conditions(row, reader)
    more = [lines for name, lines in reader.where.items() if name not in where]
    timing = Reader()
    cycles = timing.condition(row.cycles)
    example = examples.path(row.mnemonic).read_text(encoding="utf-8")
    return {
        "mnemonic": row.mnemonic,
        "opcode": f"0x{row.opcode:02X}",
        "fixed": ", ".join(f"{field.name} = {value}" for field, value in row.fixed),
        "doc": row.doc,
        "syntax": syntax(row),
        "aliases": aliases(row),
        "operands": operands(row),
        "boxes": boxes(row),
        "drawing": drawing(row),
        "operation": operation,
        "where": list(where.values()),
        "traps": traps,
        "trap_where": more,
        "cycles": (inspect.getdoc(row.cycles) or "").replace("\n", " "),
        "formula": " ".join(" ".join(cycles).replace("step.", "").split()),
        "example": example.strip(),
        "functions": sorted({**reader.functions, **timing.functions}),
        "readers": (reader, timing),
    }


# -- what they share --


def appendix(readers: list[Reader]) -> tuple[list[dict[str, Any]], Reader]:
    """All functions that the readers name, and those that these name; and what else was named."""
    found: dict[str, dict[str, Any]] = {}
    together = Reader()
    queue = [item for reader in readers for item in reader.functions.items()]
    for reader in readers:
        together.note(reader.constants)
        together.vectors |= reader.vectors
    while queue:
        name, function = queue.pop(0)
        if name in found:
            if found[name]["function"] is not function:
                raise ValueError(f"two functions are called {name}")
            continue
        reader = Reader()
        lines = reader.definition(function)
        found[name] = {
            "name": name,
            "function": function,
            "doc": _paragraph(function),
            "lines": lines,
            "functions": sorted(reader.functions),
        }
        together.note(reader.constants)
        together.vectors |= reader.vectors
        queue += reader.functions.items()
    return [found[name] for name in sorted(found)], together


def _paragraph(item: Any) -> str:
    """A docstring's first paragraph on one line."""
    return (inspect.getdoc(item) or "").split("\n\n")[0].replace("\n", " ")


def constants(reader: Reader) -> list[dict[str, str]]:
    """Module constants that pseudocode names, in the order of their names."""
    rows = []
    for name, value in sorted(reader.constants.items()):
        if value in (CSRS, encoding.CSR_NAMES):  # they have their own table
            continue
        rows.append({"name": name, "value": _constant(value)})
    return rows


def _constant(value: Any) -> str:
    if isinstance(value, int):
        return f"{value} (0x{value:X})" if value >= 1024 else str(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return "; ".join(f"{key}: {item}" for key, item in value.items())
    return str(value)


def loops() -> list[list[str]]:
    """The functions of the interpreter that loops follow."""
    found = []
    for function in _LOOPS:
        head, *body = Reader().definition(function)
        found.append([head, f"    ; {_paragraph(function)}", *body])
    return found


def attributes(item: Any) -> dict[str, str]:
    """Name -> text of the lines under "Attributes:" in a docstring; several names share one."""
    text = inspect.getdoc(item) or ""
    _, _, rest = text.partition("Attributes:\n")
    found: dict[str, str] = {}
    for line in rest.splitlines():
        match = re.match(r"    ([\w, ]+): (.*)", line)
        if match:
            names = [name.strip() for name in match[1].split(",")]
            found |= dict.fromkeys(names, match[2])
        elif line.startswith("        "):
            found[names[-1]] += " " + line.strip()
        else:
            break
    return found


def quoted(module: types.ModuleType, start: str = "", end: str = "") -> str:
    """A module's docstring, or what stands in it from one text up to another one."""
    text = inspect.getdoc(module) or ""
    begin = text.find(start) if start else 0
    stop = text.find(end, begin) if end else -1
    return text[max(begin, 0) : stop if stop > 0 else None].strip()


def facts() -> dict[str, Any]:
    """What both pages say, as plain data."""
    groups: list[dict[str, Any]] = [
        {
            "name": group.__name__.rpartition(".")[2],
            "doc": quoted(group),
            "title": quoted(group).splitlines()[0].rstrip("."),
            "entries": [entry(row) for row in isa.TABLE if row in group.ROWS],
        }
        for group in GROUPS
    ]
    entries = [x for group in groups for x in group["entries"]]
    functions, named = appendix([reader for x in entries for reader in x.pop("readers")])
    sizes = attributes(Config)
    return {
        "word": quoted(encoding),
        "registers": [
            (f"gp0 to gp{GP_COUNT - 1}", "32 bits; gp0 reads 0 and ignores writes"),
            (f"f0 to f{F_COUNT - 1}", "BF16; f0 reads +0 and ignores writes"),
            (f"a0 to a{A_COUNT - 1}", "64 bits, a byte address in HBM"),
            (f"softmax states 0 to {STATE_COUNT - 1}", _paragraph(state_of_softmax.State)),
            ("loop stack", _paragraph(loop_rules.Entry)),
        ],
        "csrs": [
            {
                "name": name,
                "number": csr.number,
                "reset": "VLEN" if csr.reset is None else _most(csr.reset),
                "limit": _most(csr.limit),
                "doc": csr.doc,
            }
            for name, csr in CSRS.items()
        ],
        "memories": [
            (name, f"{8 * np.dtype(dtype).itemsize} bits", Config().elements(name))
            for name, dtype in MEMORIES.items()
        ],
        "sizes": [(x.name, x.default, sizes.get(x.name, "")) for x in fields(Config)],
        "traps": [(trap.name, trap.value, TRAP_TEXT[trap]) for trap in Trap],
        "about_traps": (inspect.getdoc(Trap) or "").partition("\n\n")[2].replace("\n", " "),
        "fatal": _second(machine.Machine.run),
        "about_loops": _second(loop_rules),
        "loops": loops(),
        "formats": [
            ("BF16 and its order", quoted(formats) + "\n\n" + _all(formats.order_key)),
            ("BF16 and FP32 arithmetic", quoted(arith)),
            ("MX formats", quoted(mx)),
        ],
        "numerics": [
            ("The softmax state", quoted(state_of_softmax)),
            ("Its error", quoted(numerics, end="Budget\n")),
            ("Theorems", quoted(numerics, start="T1 (")),
        ],
        "published": (FOLDER / "published.md").read_text(encoding="utf-8").strip(),
        "groups": groups,
        "index": [x for row in isa.TABLE for x in entries if x["mnemonic"] == row.mnemonic],
        "notation": NOTATION,
        "functions": functions,
        "vectors": [(name, _paragraph(getattr(Each, name))) for name in sorted(named.vectors)],
        "constants": constants(named),
    }


def _most(value: int) -> str:
    return "2**32 - 1" if value == (1 << 32) - 1 else str(value)


def _second(item: Any) -> str:
    """A docstring's second paragraph on one line."""
    return (inspect.getdoc(item) or "").partition("\n\n")[2].split("\n\n")[0].replace("\n", " ")


def _all(item: Any) -> str:
    """A docstring up to its sections."""
    return re.split(r"\n\n(?:Args|Returns|Raises):", inspect.getdoc(item) or "")[0]


# -- pages --


def pages() -> dict[str, str]:
    """File name -> content."""
    import jinja2  # `pip install unmask` alone brings numpy only

    found = facts()
    known = {x["mnemonic"] for x in found["index"]} | {x["name"] for x in found["functions"]}
    made = {}
    for name in PAGES:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER),
            autoescape=name.endswith(".html"),
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        environment.filters |= {
            "anchor": anchor,
            "linked": lambda text: linked(text, known),
            "cells": cells,
            "inline": inline,
            "bar": lambda text: str(text).replace("|", "\\|"),
        }
        made[name] = environment.get_template(f"{name}.j2").render(found)
    return made


def anchor(name: str) -> str:
    """The fragment that GitHub makes of a heading, which the HTML page uses too."""
    return re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")


def linked(text: str, known: set[str]) -> Any:
    """Pseudocode as HTML: names of functions and instructions are links."""
    import markupsafe

    pieces = []
    for piece in re.split(r"([A-Za-z_][\w.]*)", text):
        escaped = markupsafe.escape(piece)
        if piece in known:
            escaped = markupsafe.Markup('<a href="#{}">{}</a>').format(anchor(piece), piece)
        pieces.append(escaped)
    return markupsafe.Markup("").join(pieces)


def inline(text: str) -> Any:
    """A line of text as HTML: what stands in backquotes is code."""
    import markupsafe

    parts = [markupsafe.escape(part) for part in str(text).split("`")]
    code = [f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts)]
    return markupsafe.Markup("".join(code))


def cells(text: str) -> Iterator[tuple[str, Any]]:
    """Blocks of simple Markdown: ("table", rows of cells), ("head" | "code" | "text", string)."""
    for block in re.split(r"\n\n+", text):
        if block.startswith("|"):
            rows = [[x.strip() for x in line.strip("|").split("|")] for line in block.splitlines()]
            yield "table", [row for row in rows if not set("".join(row)) <= set("-: ")]
        elif block.startswith("#"):
            yield "head", block.lstrip("# ")
        elif block.startswith("    "):
            yield "code", inspect.cleandoc(block)
        else:
            yield "text", block.replace("\n", " ")


def stale(folder: Path = FOLDER) -> list[str]:
    """Names of the pages in a folder that are not what `pages` gives."""
    result = []
    for name, content in pages().items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != content:
            result.append(name)
    return result
