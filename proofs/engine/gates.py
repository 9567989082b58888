"""A unit's Verilog as gates that are evaluated bit-parallel: many independent copies at a time.

Yosys maps the elaborated module to functions of three inputs and flip-flops. A net is then a
vector of bits, one for each copy of the unit, and one operation of the processor does a gate of all
copies. `Gates.step` is a clock cycle on numpy words; `first_difference` streams all 2**32 pairs of
two 16-bit operands through the gates as compiled C, against a function of the specification.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.proofs.engine import compiled, yosys
from unmask.proofs.engine.compiled import Difference
from unmask.spec.bits import Bits

Word = NDArray[np.uint64]
Net = int | str  # Yosys' number of a bit, or "0", "1", "x" for a constant

_COMMANDS = (
    "flatten",
    "setattr -unset keep w:*",  # kept for the sake of equivalence, though nothing may read it
    "opt",
    "memory -nomap",
    "memory_map",
    "opt -full",
    "techmap",
    "opt",
    "dfflegalize -cell $_DFF_P_ x",
    "opt -nodffe -nosdff",
    "abc -lut 3",
    "opt_clean",
)


@dataclass(frozen=True)
class Gate:
    """output = bit number (inputs, first lowest) of `table`."""

    inputs: tuple[Net, ...]
    output: Net
    table: int


@dataclass(frozen=True)
class Gates:
    """A module as gates, each behind those that it reads.

    Attributes:
        inputs, outputs: port -> its bits, lowest first.
        gates: in an order in which they can be evaluated.
        flip_flops: (what it holds, what it takes at the clock edge).
    """

    inputs: Mapping[str, tuple[Net, ...]]
    outputs: Mapping[str, tuple[Net, ...]]
    gates: tuple[Gate, ...]
    flip_flops: tuple[tuple[Net, Net], ...]

    @staticmethod
    def of(design: yosys.Design, tie: Mapping[str, int]) -> Gates:
        """The gates of a design, some of its inputs held at a constant in every cycle.

        Raises:
            UsageError: if Yosys leaves something that is no gate.
        """
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder, "gates.json")
            found = yosys.ports(design)
            ties = [
                *(f"delete -input {design.top}/{name}" for name in tie),
                f"cd {design.top}",
                *(f"connect -set {name} {found[name][1]}'d{tie[name]}" for name in tie),
                "cd ..",
            ]
            yosys.run([*design.read(), "proc", *ties, *_COMMANDS, f'write_json "{target}"'])
            module = json.loads(target.read_text(encoding="utf-8"))["modules"][design.top]
        return _parsed(module)

    def step(
        self, state: Sequence[Word], inputs: Mapping[str, Sequence[Word]]
    ) -> tuple[dict[str, list[Word]], list[Word]]:
        """One clock cycle: outputs before the edge, and the flip-flops after it.

        Args:
            state: what each flip-flop holds.
            inputs: port -> its bits, lowest first.
        """
        like = next(iter(inputs.values()))[0]
        nets: dict[Net, Word] = {"0": np.zeros_like(like), "1": ~np.zeros_like(like)}
        nets["x"] = nets["0"]
        for (held, _), value in zip(self.flip_flops, state, strict=True):
            nets[held] = value
        for name, bits in self.inputs.items():
            nets.update(zip(bits, inputs[name], strict=True))
        for gate in self.gates:
            nets[gate.output] = _looked_up(gate.table, [nets[x] for x in gate.inputs], nets)
        outputs = {name: [nets[bit] for bit in bits] for name, bits in self.outputs.items()}
        return outputs, [nets[taken] for _, taken in self.flip_flops]


def _looked_up(table: int, inputs: Sequence[Word], nets: Mapping[Net, Word]) -> Word:
    if not inputs:
        return nets[str(table & 1)]
    *lower, top = inputs
    half = 1 << len(lower)
    low, high = table & ((1 << half) - 1), table >> half
    if low == high:
        return _looked_up(low, lower, nets)
    no, yes = (_looked_up(part, lower, nets) for part in (low, high))
    return (no & ~top) | (yes & top)


def _parsed(module: dict[str, Any]) -> Gates:
    waiting: dict[Net, Gate] = {}
    flip_flops = []
    for name, cell in module["cells"].items():
        pins = cell["connections"]
        if cell["type"] == "$lut":
            (output,) = pins["Y"]
            table = int(cell["parameters"]["LUT"].replace("x", "0"), 2)
            waiting[output] = Gate(tuple(pins["A"]), output, table)
        elif cell["type"] == "$_DFF_P_":
            flip_flops.append((pins["Q"][0], pins["D"][0]))
        elif cell["type"] != "$scopeinfo":
            raise yosys.YosysError(f"{name} of type {cell['type']} is no gate")
    ports: dict[str, dict[str, tuple[Net, ...]]] = {"input": {}, "output": {}}
    for name, port in module["ports"].items():
        ports[port["direction"]][name] = tuple(port["bits"])
    return Gates(ports["input"], ports["output"], tuple(_in_order(waiting)), tuple(flip_flops))


def _in_order(waiting: Mapping[Net, Gate]) -> list[Gate]:
    done: dict[Net, Gate] = {}
    for root in waiting:
        stack = [root]
        while stack:
            gate = waiting[stack[-1]]
            left = [x for x in gate.inputs if x in waiting and x not in done]
            if not left:
                done[stack.pop()] = gate
            else:
                stack += left
    return list(done.values())


def after(
    gates: Gates, beat: Mapping[str, Sequence[Word]], latency: int
) -> Mapping[str, list[Word]]:
    """The outputs some cycles after a beat; all that it does not say is 0."""
    zero = np.zeros_like(next(iter(beat.values()))[0])
    rest = {name: [zero] * len(bits) for name, bits in gates.inputs.items()}
    _, state = gates.step([zero] * len(gates.flip_flops), {**rest, **beat})
    for _ in range(1, latency):
        _, state = gates.step(state, rest)
    outputs, _ = gates.step(state, rest)
    return outputs


def bits_of(values: NDArray[np.int64], width: int) -> list[Word]:
    """Numbers, one for each copy (a multiple of 64), as one vector for each of their bits."""
    return [
        np.packbits((values >> bit & 1).astype(np.uint8), bitorder="little").view(np.uint64)
        for bit in range(width)
    ]


def values_of(bits: Sequence[Word]) -> NDArray[np.int64]:
    """The inverse of `bits_of`; at most 63 bits."""
    total = np.zeros(64 * len(bits[0]), dtype=np.int64)
    for place, bit in enumerate(bits):
        total |= np.unpackbits(bit.view(np.uint8), bitorder="little").astype(np.int64) << place
    return total


# -- all pairs --

_DRIVER = """
#include <cstdint>
#include <cstring>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace {{
// 32 numbers of 16 bits: a net of 512 copies. Place p of number n is the copy with b = 32 * p + n.
typedef uint16_t net __attribute__((vector_size(64)));
typedef {word} word;

template <unsigned table> inline net lut(net a, net b, net c) {{
#if defined(__AVX512F__)
  return (net)_mm512_ternarylogic_epi64((__m512i)c, (__m512i)b, (__m512i)a, table);
#else
  const net o = ~(net){{}}, z = (net){{}};
  net low = (table & 1 ? ~a : z) & ~b, high = (table & 16 ? ~a : z) & ~b;
  low |= ((table & 2 ? a : z) & ~b) | ((table & 4 ? ~a : z) & b) | ((table & 8 ? a : z) & b);
  high |= ((table & 32 ? a : z) & ~b) | ((table & 64 ? ~a : z) & b) | ((table & 128 ? a : z) & b);
  return ((low & ~c) | (high & c)) & o;
#endif
}}

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

const net zero = {{}};
const net one = ~zero;

struct Unit {{
  net q[{flip_flops}];
  void step(const net *a, const net *b, net *out) {{
{gates}
  }}
}};

inline net all(uint32_t bit) {{ return bit ? one : zero; }}

// Bit i of out[p] becomes bit p of out[i], in each of the 32 numbers.
inline void transpose(net *out) {{
  uint16_t mask = 0x00ff;
  for (int j = 8; j; j >>= 1, mask ^= (uint16_t)(mask << j))
    for (int k = 0; k < 16; k = (k + j + 1) & ~j) {{
      net swapped = ((out[k] >> j) ^ out[k + j]) & (mask | zero);
      out[k + j] ^= swapped;
      out[k] ^= swapped << j;
    }}
}}
}}

// The first pair with first <= a < last on which the two differ, as a * 65536 + b; or -1. A copy
// takes a new pair in every cycle, and gives its result {latency} cycles later.
extern "C" int64_t search(uint32_t first, uint32_t last) {{
  static thread_local uint16_t got[2][65536], owed[65536];
  Unit unit;
  net a[16], b[16], out[16];
  memset(&unit, 0x5a, sizeof unit);
  for (int i = 0; i < 5; i++)
    for (int n = 0; n < 32; n++) b[i][n] = n >> i & 1 ? 0xffff : 0;
  const uint16_t places[] = {{0xaaaa, 0xcccc, 0xf0f0, 0xff00}};
  for (int i = 0; i < 4; i++) b[5 + i] = places[i] | zero;
  const int64_t words = (int64_t)(last - first) * 128;
  for (int64_t t = 0; t < words + {latency}; t++) {{
    uint32_t now = first + (uint32_t)(t / 128), high = (uint32_t)(t % 128);
    for (int i = 0; i < 16; i++) a[i] = all(now >> i & 1);
    for (int i = 0; i < 7; i++) b[9 + i] = all(high >> i & 1);
    unit.step(a, b, out);
    const int64_t done = t - {latency};
    if (done < 0) continue;
    uint16_t *row = got[done / 128 % 2];
    transpose(out);
    memcpy(row + done % 128 * 512, out, sizeof out);
    if (done % 128 != 127) continue;
    const uint32_t operand = first + (uint32_t)(done / 128);
    for (uint32_t x = 0; x < 65536; x++) owed[x] = (uint16_t)computed(operand, x);
    if (memcmp(row, owed, sizeof owed) == 0) continue;
    for (uint32_t x = 0; x < 65536; x++)
      if (row[x] != owed[x]) return (int64_t)operand * 65536 + x;
  }}
  return -1;
}}

extern "C" uint32_t both(uint32_t a, uint32_t b) {{
  Unit unit;
  net x[16], y[16], out[16];
  memset(&unit, 0x5a, sizeof unit);
  for (int i = 0; i < 16; i++) x[i] = all(a >> i & 1), y[i] = all(b >> i & 1);
  for (int t = 0; t <= {latency}; t++) unit.step(x, y, out);
  uint32_t code = 0;
  for (int i = 0; i < 16; i++) code |= (uint32_t)(out[i][0] & 1) << i;
  return code << 16 | (uint16_t)computed(a, b);
}}
"""
_BLOCK = 1024  # values of the first operand in one call


def first_difference(
    gates: Gates,
    ports: tuple[str, str, str],
    latency: int,
    function: Callable[[Bits, Bits], Bits],
    firsts: range = range(1 << 16),
) -> Difference | None:
    """Stream pairs through a unit, one a cycle into each copy, and compare with a function.

    Args:
        gates: the unit, with its other inputs tied or without influence (they are 0).
        ports: first and second operand, and the result; of 16 bits each.
        latency: cycles from operands to their result.
        function: of two `Bits` of width 16.
        firsts: values of the first operand, each paired with all values of the second.

    Returns:
        The first pair, by a and then b, on which they differ; None if there is none.

    Raises:
        UsageError: if there is no C++ compiler.
    """
    parts = compiled.written(function)
    text = _DRIVER.format(latency=latency, **_source(gates, ports), **parts)
    with tempfile.TemporaryDirectory() as folder:
        library = compiled.build(text, Path(folder))
    starts = range(firsts.start, firsts.stop, _BLOCK)
    with ThreadPoolExecutor(compiled.THREADS) as pool:
        found = pool.map(lambda x: library.search(x, min(x + _BLOCK, firsts.stop)), starts)
        place = next((x for x in found if x >= 0), None)
        pool.shutdown(cancel_futures=True)
    if place is None:
        return None
    a, b = divmod(place, 1 << 16)
    return Difference(a, b, *divmod(library.both(a, b), 1 << 16))


def _source(gates: Gates, ports: tuple[str, str, str]) -> dict[str, str]:
    names: dict[Net, str] = {"0": "zero", "1": "one", "x": "zero"}
    for bits in gates.inputs.values():
        names.update(dict.fromkeys(bits, "zero"))
    for port, letter in zip(ports, "ab", strict=False):
        names.update({bit: f"{letter}[{i}]" for i, bit in enumerate(gates.inputs[port])})
    names.update({held: f"q[{i}]" for i, (held, _) in enumerate(gates.flip_flops)})
    lines = []
    for number, gate in enumerate(gates.gates):
        inputs = [names[x] for x in gate.inputs] + ["zero"] * (3 - len(gate.inputs))
        # An input that is not there is 0, so the upper part of the table is never looked at.
        names[gate.output] = f"n{number}"
        lines.append(f"    const net n{number} = lut<{gate.table}>({', '.join(inputs)});")
    lines += [f"    out[{i}] = {names[x]};" for i, x in enumerate(gates.outputs[ports[2]])]
    lines += [f"    const net d{i} = {names[x]};" for i, (_, x) in enumerate(gates.flip_flops)]
    lines += [f"    q[{i}] = d{i};" for i in range(len(gates.flip_flops))]
    return {"gates": "\n".join(lines), "flip_flops": str(max(1, len(gates.flip_flops)))}
