"""All pairs of two 16-bit operands: a spec function as compiled C, against a witness in C.

`Source` is a further interpretation of the bit algebra. A function of `unmask.spec` run once on its
variables leaves a graph of operations, which is written down as straight-line C without a branch;
the compiler makes vector code of the loop around it, so that 2**32 pairs take seconds. A fault in
`Source` itself cannot go unseen: it would have to agree with the witness everywhere.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from unmask.spec.bits import Bits, BitsError, Ints
from unmask.spec.errors import UsageError

PAIRS = 1 << 32
THREADS = 2
_BLOCK = 256  # values of the first operand in one call
# Without traps, comparisons of floats become vector code; their values stay those of IEEE.
_FLAGS = ("-O3", "-march=native", "-fno-trapping-math", "-std=c++17", "-shared", "-fPIC")

_DRIVER = """
#include <cstdint>
#include <cstring>

namespace {{
typedef {word} word;

// Shifts are total: an amount of the width or more gives 0.
inline word up(word x, word n, word width) {{
  return (x << (n & (8 * sizeof x - 1))) & -(word)(n < width);
}}
inline word down(word x, word n, word width) {{
  return (x >> (n & (8 * sizeof x - 1))) & -(word)(n < width);
}}
{tables}
inline word computed(word a, word b) {{
{lines}
}}

{witness}
}}

// The first pair with first <= a < last on which the two differ, as a * 65536 + b; or -1.
extern "C" int64_t search(uint32_t first, uint32_t last) {{
  uint16_t got[65536], owed[65536];
  for (uint32_t a = first; a < last; a++) {{
    for (uint32_t b = 0; b < 65536; b++) got[b] = (uint16_t)computed(a, b);
    for (uint32_t b = 0; b < 65536; b++) owed[b] = (uint16_t)expected(a, b);
    if (memcmp(got, owed, sizeof got) == 0) continue;
    for (uint32_t b = 0; b < 65536; b++)
      if (got[b] != owed[b]) return (int64_t)a * 65536 + b;
  }}
  return -1;
}}

extern "C" uint32_t both(uint32_t a, uint32_t b) {{
  return (uint32_t)(computed(a, b) << 16 | (uint16_t)expected(a, b));
}}
"""


class Node:
    """An operation of `width` bits: C text with a place `{0}`, `{1}`, ... for each input."""

    def __init__(self, width: int, text: str, *inputs: Node) -> None:
        self.width, self.text, self.inputs = width, text, inputs

    def _with(self, operator: str, other: Any) -> Node:
        return Node(self.width, f"{{0}} {operator} {{1}}", self, other)

    def __add__(self, other: Node) -> Node:
        return self._with("+", other)

    def __sub__(self, other: Node) -> Node:
        return self._with("-", other)

    def __mul__(self, other: Node) -> Node:
        return self._with("*", other)

    def __and__(self, other: Node) -> Node:
        return self._with("&", other)

    def __or__(self, other: Node) -> Node:
        return self._with("|", other)

    def __xor__(self, other: Node) -> Node:
        return self._with("^", other)

    def __eq__(self, other: object) -> Any:
        return self._with("==", other)

    def __ne__(self, other: object) -> Any:
        return self._with("!=", other)

    __hash__ = object.__hash__


class Constant(Node):
    """A number; shifts by one need no guard."""

    def __init__(self, width: int, value: int) -> None:
        super().__init__(width, f"(word){value:#x}u")
        self.value = value


class Table(Node):
    """An entry of a table, selected by the one input."""

    def __init__(self, width: int, entries: Sequence[int], index: Node) -> None:
        super().__init__(width, "{table}[{0}]", index)
        self.entries = tuple(entries)


class Source:
    """Values are nodes of a graph of C expressions; width <= 63, as on arrays.

    What `Bits` does on values, modulo 2**32 or 2**64 in C, it then trims to the width.
    """

    max_width: int | None = 63

    @staticmethod
    def check(width: int, value: Any) -> Any:
        if not isinstance(value, Node) or value.width != width:
            raise BitsError(f"a C expression of {width} bits is needed, got {value!r}")
        return value

    @staticmethod
    def const(width: int, value: Any) -> Any:
        return Constant(width, Ints.check(width, value))

    @staticmethod
    def trim(width: int, value: Any) -> Any:
        return Node(width, f"{{0}} & {_ones(width)}", value)

    @staticmethod
    def invert(width: int, value: Any) -> Any:
        return Node(width, f"{{0}} ^ {_ones(width)}", value)

    @staticmethod
    def shl(width: int, value: Any, amount: Any) -> Any:
        return Source.trim(width, _shift(width, ("<<", "up"), value, amount))

    @staticmethod
    def shr(width: int, value: Any, amount: Any) -> Any:
        return _shift(width, (">>", "down"), value, amount)

    @staticmethod
    def flag(condition: Any) -> Any:
        return Node(1, "(word)({0})", condition)

    @staticmethod
    def mux(condition: Any, yes: Any, no: Any) -> Any:
        return Node(yes.width, "{0} ? {1} : {2}", condition, yes, no)

    @staticmethod
    def widen(width: int, extra: int, value: Any) -> Any:
        return Node(width, "{0}", value)

    @staticmethod
    def extract(high: int, low: int, value: Any) -> Any:
        width = high - low + 1
        return Node(width, f"({{0}} >> {low}) & {_ones(width)}", value)

    @staticmethod
    def concat(high: Any, low: Any, low_width: int) -> Any:
        return Node(high.width + low_width, f"({{0}} << {low_width}) | {{1}}", high, low)

    @staticmethod
    def ult(a: Any, b: Any) -> Any:
        return Node(1, "{0} < {1}", a, b)

    @staticmethod
    def ule(a: Any, b: Any) -> Any:
        return Node(1, "{0} <= {1}", a, b)

    @staticmethod
    def lut(table: Sequence[int], width: int, index: Any, index_width: int) -> Any:
        return Table(width, table, index)


def _ones(width: int) -> str:
    return f"(word){(1 << width) - 1:#x}u"


def _shift(width: int, names: tuple[str, str], value: Node, amount: Node) -> Node:
    operator, guarded = names
    if not isinstance(amount, Constant):
        return Node(width, f"{guarded}({{0}}, {{1}}, {width})", value, amount)
    if amount.value >= width:
        return Constant(width, 0)
    return Node(width, f"{{0}} {operator} {amount.value}", value)


class Difference(NamedTuple):
    """Operands on which function and witness differ, and what each of them gives."""

    a: int
    b: int
    got: int
    expected: int


def first_difference(function: Callable[[Bits, Bits], Bits], witness: str) -> Difference | None:
    """Compare a function with its witness on all 2**32 pairs of 16-bit operands.

    Args:
        function: of two `Bits` of width 16; a result of at most 16 bits.
        witness: C++ that defines `expected`, of two operands and result as unsigned numbers.

    Returns:
        The first pair, by a and then b, on which they differ; None if there is none.

    Raises:
        UsageError: if there is no C++ compiler.
    """
    text = _DRIVER.format(witness=witness, **written(function))
    with tempfile.TemporaryDirectory() as folder:
        library = build(text, Path(folder))
    starts = range(0, 1 << 16, _BLOCK)
    with ThreadPoolExecutor(THREADS) as pool:
        # A call into the library lets go of the interpreter's lock; results come in order.
        found = pool.map(lambda start: library.search(start, start + _BLOCK), starts)
        place = next((x for x in found if x >= 0), None)
        pool.shutdown(cancel_futures=True)
    if place is None:
        return None
    a, b = divmod(place, 1 << 16)
    return Difference(a, b, *divmod(library.both(a, b), 1 << 16))


def _compiler() -> str | None:
    return shutil.which("c++") or shutil.which("g++")


def compiler_version() -> str:
    """What the compiler says of itself; nothing if there is none."""
    compiler = _compiler()
    if compiler is None:
        return ""
    run = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return run.stdout


def build(text: str, folder: Path) -> Any:
    compiler = _compiler()
    if compiler is None:
        raise UsageError("no C++ compiler; ci/setup installs one")
    source, target = folder / "pairs.cpp", folder / "pairs.so"
    source.write_text(text, encoding="utf-8")
    subprocess.run([compiler, *_FLAGS, str(source), "-o", str(target)], check=True)
    library = ctypes.CDLL(str(target))  # stays loaded when its file is gone
    library.search.argtypes = library.both.argtypes = (ctypes.c_uint32, ctypes.c_uint32)
    library.search.restype, library.both.restype = ctypes.c_int64, ctypes.c_uint32
    return library


def written(function: Callable[[Bits, Bits], Bits]) -> dict[str, str]:
    """The parts of the driver that depend on the function."""
    operands = Node(16, "a"), Node(16, "b")
    result = function(*(Bits(Source, 16, operand) for operand in operands))
    if result.width > 16:
        raise BitsError(f"a result of {result.width} bits (at most 16)")
    names: dict[int, str] = {}
    tables: list[str] = []
    lines: list[str] = []
    widest = 0
    for node in _in_order(result.value):
        widest = max(widest, node.width)
        inputs = [names[id(x)] for x in node.inputs]
        table = f"table{len(tables)}"
        if isinstance(node, Table):
            entries = ", ".join(f"{entry:#x}u" for entry in node.entries)
            tables.append(f"const word {table}[] = {{{entries}}};")
        if node.inputs:
            names[id(node)] = f"t{len(lines)}"
            text = node.text.format(*inputs, table=table)
            lines.append(f"  const word t{len(lines)} = {text};")
        else:
            names[id(node)] = node.text
    lines.append(f"  return {names[id(result.value)]};")
    word = "uint32_t" if widest <= 32 else "uint64_t"
    return {"word": word, "tables": "\n".join(tables), "lines": "\n".join(lines)}


def _in_order(root: Node) -> Iterator[Node]:
    """Every node of a graph once, its inputs before it."""
    done: set[int] = set()
    stack = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            yield node
        else:
            stack.append((node, True))
            stack.extend((x, False) for x in node.inputs)
