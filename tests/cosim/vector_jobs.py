"""cocotb: a unit with ports of its own to the memories, behavioural SRAMs around it.

One request is one instruction. The specification's machine executes it on the same memories, and
afterwards all of them must be equal, and the cycles those of `Instruction.cycles`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from unittest.mock import patch

import cocotb
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from unmask.spec import isa
from unmask.spec.contracts.sequenced import UNITS, Access, Sequenced, Size
from unmask.spec.encoding import Instruction, Kind, Step, Trap
from unmask.spec.formats import describe
from unmask.spec.instructions import masks
from unmask.spec.machine import WIDTH, Machine, Operands
from unmask.spec.state import MEMORIES, Config
from unmask.spec.vectors import EACH, WHOLE
from unmask.tests import strategies
from unmask.tests.cosim.bench import Clocked, Mismatch, explore, options, read, replay

SLACK = 8  # cycles beyond the right number before a unit counts as hung
REGISTERS = {"rd": 1, "rs1": 2, "rs2": 3, "rs3": 4, "rs4": 5}  # operand -> its gp
LENGTH = {"S_MAP_V_FP": "rs2"}  # the operand that gives the length, where it is not rs4
# What an operand addresses, where it is an address.
PLACES = {
    "V_KEY_MASK_QUOTA": {"rd": "vector", "rs1": "key", "rs2": "vector"},
    "V_KEY_MASK_RULE": {"rd": "vector", "rs1": "key", "rs2": "vector"},
    "V_KEY_MASK_FACTOR": {"rd": "vector", "rs1": "key", "rs2": "vector", "rs3": "key"},
    "V_TOPK_MASK": {"rd": "vector", "rs1": "vector", "rs2": "vector"},
    "V_CMP_MASK_IG": {"rd": "vector", "rs1": "int"},
    "V_CMP_MASK_II": {"rd": "vector", "rs1": "int", "rs2": "int"},
    "S_SELECT_INT": {"rd": "int", "rs1": "int", "rs2": "int", "rs3": "vector"},
    "S_MAP_V_FP": {"rd": "vector", "rs1": "fp"},
}


@dataclass(frozen=True)
class Request:
    """An instruction and what it finds.

    Attributes:
        word: the instruction.
        gp: registers 1 to 5.
        csrs: LIMIT and KMAX.
        palettes: memory -> values that its elements have, spread by chance.
        seed: of that chance.
        gap: idle cycles after it.
        abandon: a reset after so many cycles ends it, or None.
    """

    word: int
    gp: tuple[int, ...]
    csrs: dict[str, int]
    palettes: dict[str, tuple[int, ...]]
    seed: int
    gap: int
    abandon: int | None

    def memory(self, name: str, config: Config) -> NDArray[np.unsignedinteger]:
        """What a memory holds before."""
        palette = np.array(self.palettes[name], MEMORIES[name])
        chance = np.random.default_rng((self.seed, len(name)))
        places = chance.integers(0, len(palette), config.elements(name)) * (self.seed != 0)
        return palette[places]


@st.composite
def requests(draw: st.DrawFn, unit: Sequenced, config: Config) -> Request:
    """A request that does not trap; addresses near each other, so the destination is a source."""
    row = draw(st.sampled_from(unit.rows))
    places = PLACES[row.mnemonic]
    most = min(config.elements(name) for name in {*places.values(), *_limits(row)})
    length = draw(st.integers(1, min(9, most)) | st.integers(1, most))
    gp = dict.fromkeys(REGISTERS, 0)
    for operand, memory in places.items():
        unit_size = config.vlen if memory == "vector" else 1
        last = (config.elements(memory) - length) // unit_size
        gp[operand] = draw(st.integers(0, min(last, 2)) | st.integers(0, last)) * unit_size
    gp["rd"] = _apart(gp, places, length, config)
    if "rs3" not in places:  # k
        gp["rs3"] = draw(st.integers(0, length + 1) | st.integers(0, 0xFFFFFFFF))
    if row.mnemonic == "V_CMP_MASK_IG":
        gp["rs2"] = draw(st.integers(0, 4) | st.integers(0, 0xFFFFFFFF))
    gp[LENGTH.get(row.mnemonic, "rs4")] = length
    word = row.match
    for item in row.operands:
        if item.kind is Kind.GP:
            word |= REGISTERS[item.name] << item.field.low
        elif item.choices is not None:
            word |= draw(st.sampled_from(sorted(item.choices.values()))) << item.field.low
    whole = st.integers(0, 4) | st.integers(0, 0xFFFFFFFF)
    elements = {"vector": strategies.codes, "fp": strategies.codes, "key": whole, "int": whole}
    return Request(
        word,
        tuple(gp.values()),
        {"LIMIT": draw(whole), "KMAX": draw(st.integers(0, length + 1) | whole)},
        {name: tuple(draw(st.lists(x, min_size=1, max_size=12))) for name, x in elements.items()},
        draw(st.integers(0, 999)),
        draw(st.just(0) | st.integers(0, 3)),
        draw(st.none() | st.none() | st.none() | st.integers(0, 40)),
    )


def _limits(row: Instruction) -> tuple[str, ...]:
    """Memories whose size limits the length beside those it addresses."""
    return ("key",) if row.mnemonic == "V_TOPK_MASK" else ()


def _apart(gp: dict[str, int], places: dict[str, str], length: int, config: Config) -> int:
    """The destination, moved onto a source that it would overlap in part."""
    for operand, memory in places.items():
        same = memory == places["rd"] and operand != "rd"
        if same and abs(gp["rd"] - gp[operand]) < length:
            others = [gp[x] for x, m in places.items() if m == memory and x not in ("rd", operand)]
            if all(x == gp[operand] or abs(x - gp[operand]) >= length for x in others):
                return gp[operand]
            # Two sources that overlap each other: only far from both, or on neither.
            end = max(gp[operand], *others) + length
            step = config.vlen if memory == "vector" else 1
            end = -(-end // step) * step
            if end + length <= config.elements(memory):
                return end
            gp.update({x: gp[operand] for x, m in places.items() if m == memory})
            return gp[operand]
    return gp["rd"]


class JobBench(Clocked):
    """Gives requests to a unit and plays the memories."""

    def __init__(self, dut: Any, unit: Sequenced, size: Size) -> None:
        super().__init__(dut, "clk")
        self.unit, self.size, self.config = unit, size, size.config
        self.chance = np.random.default_rng(0)

    def _signal(self, name: str) -> Any:
        return getattr(self.dut, name)

    async def reset(self) -> None:
        self.dut.in_valid.value = 0
        self.dut.rst.value = 1
        await self.step()
        self.dut.rst.value = 0

    async def run(self, work: list[Request]) -> None:
        """Run requests from reset.

        Raises:
            Mismatch: on a memory that differs, a wrong number of cycles, or a stray access.
        """
        await self.reset()
        for request in work:
            await self._one(request)

    async def _one(self, request: Request) -> None:
        machine = Machine([request.word], self.config, WHOLE)
        state = machine.state
        state.gp[1:6] = request.gp
        state.csrs.update(request.csrs)
        for name in self._memories():
            state.load(name, request.memory(name, self.config))
        row = isa.TABLE.decode(request.word)
        if row is None:
            raise ValueError(f"{request.word:#x} is no instruction")
        operands = Operands(state, EACH)
        operands.bind({x.name: (x.kind, x.field.get(request.word)) for x in row.operands})
        inputs = self.unit.request(row, operands, self.config)
        found = {name: array.copy() for name, array in state.memories.items()}
        record = machine.step()
        if record.cause is not Trap.NONE:
            raise ValueError(f"{row.mnemonic} traps: {record.cause}")
        step = Step(self.config.vlen, record.vl, length=record.length)
        with patch.object(masks, "RANKED_AT_ONCE", self.size.cells):
            owed = row.cycles(step)
        # The cycle of issue; then what is on the inputs must not matter.
        self.dut.in_valid.value = 1
        for name, value in inputs.items():
            self._signal(name).value = value.as_int()
        for cycle in range(1, owed + SLACK):
            if request.abandon == cycle:
                await self.reset()
                return
            done = await self._cycle(found)
            if cycle == 1:
                self.dut.in_valid.value = 0
                for name, value in inputs.items():
                    self._signal(name).value = int(self.chance.integers(1 << value.width))
            if done:
                if cycle != owed:
                    raise Mismatch(
                        f"{self._title(row, request)}: expected {owed} cycles, got {cycle}"
                    )
                break
        else:
            raise Mismatch(f"{self._title(row, request)}: no end within {owed + SLACK} cycles")
        self._compare(row, request, found, state.memories)
        for _ in range(request.gap):
            before = {name: array.copy() for name, array in found.items()}
            if await self._cycle(found):
                raise Mismatch(f"{self._title(row, request)}: it ends twice")
            self._compare(row, request, found, before)

    def _memories(self) -> list[str]:
        return sorted({port.memory for port in self.unit.ports})

    async def _cycle(self, memories: dict[str, Any]) -> bool:
        """One cycle with all accesses; whether the unit said that it is done."""
        await self.settle()
        done = bool(read(self.dut.out_valid))
        data: list[tuple[str, int]] = []
        stores: list[tuple[Any, slice, list[int]]] = []
        for port in self.unit.ports:
            if not read(self._signal(port.enable)):
                continue
            array, address = memories[port.memory], read(self._signal(port.address))
            size = self.config.vlen if port.rows else 1
            place = slice(address * size, (address + 1) * size)
            turn = None if port.writes is None else read(self._signal(port.writes))
            if port.read is None or turn:
                stores.append((array, place, self._written(port, array[place])))
            else:
                data.append((port.read, int.from_bytes(array[place].tobytes(), "little")))
        await self.edge()
        for array, place, values in stores:
            array[place] = values
        for name, value in data:
            self._signal(name).value = value
        return done

    def _written(self, port: Access, there: Any) -> list[int]:
        """The word after a write."""
        width = WIDTH[port.memory]
        value = read(self._signal(str(port.written)))
        mask = -1 if port.mask is None else read(self._signal(port.mask))
        return [
            value >> width * lane & ((1 << width) - 1) if mask >> lane & 1 else int(old)
            for lane, old in enumerate(there)
        ]

    def _title(self, row: Instruction, request: Request) -> str:
        gp = dict(zip(REGISTERS, request.gp, strict=True))
        length = gp[LENGTH.get(row.mnemonic, "rs4")]
        used = [f"{x.name} {gp[x.name]}" for x in row.operands if x.name in gp]
        used += [f"{x.name} {x.field.get(request.word)}" for x in row.operands if x.choices]
        if row.mnemonic == "V_KEY_MASK_RULE":
            used += [f"{name} {value}" for name, value in request.csrs.items()]
        return f"{row.mnemonic} of {length} on {self.unit.top}, {', '.join(used)}"

    def _compare(
        self, row: Instruction, request: Request, found: dict[str, Any], owed: dict[str, Any]
    ) -> None:
        for name in self._memories():
            wrong = np.flatnonzero(found[name] != owed[name])
            if wrong.size:
                raise Mismatch(self._explain(row, request, name, found, owed, int(wrong[0])))

    def _explain(
        self,
        row: Instruction,
        request: Request,
        name: str,
        found: dict[str, Any],
        owed: dict[str, Any],
        place: int,
    ) -> str:
        """The first element that differs, and the sources, decoded."""
        gp = dict(zip(REGISTERS, request.gp, strict=True))
        length = gp[LENGTH.get(row.mnemonic, "rs4")]
        lines = [f"{self._title(row, request)}:"]
        for operand, memory in PLACES[row.mnemonic].items():
            if operand != "rd":
                values = request.memory(memory, self.config)[gp[operand] :][:length].tolist()
                shown = [describe(x) if WIDTH[memory] == 16 else str(x) for x in values]
                lines.append(f"  {operand} {memory}[{gp[operand]} ..]: {', '.join(shown)}")
        show = describe if WIDTH[name] == 16 else str
        got, wanted = (show(int(memories[name][place])) for memories in (found, owed))
        element = f" (element {place - gp['rd']})" if 0 <= place - gp["rd"] < length else ""
        lines.append(f"  {name}[{place}]{element} expected {wanted}, got {got}")
        return "\n".join(lines)


def to_json(work: list[Request]) -> dict[str, Any]:
    return {"requests": [asdict(item) for item in work]}


def from_json(case: dict[str, Any]) -> list[Request]:
    return [Request(**item) for item in case["requests"]]


@cocotb.test()
async def unit_equals_instruction(dut: Any) -> None:
    """Every drawn row of requests leaves the memories that the specification's machine leaves."""
    option = options()
    unit, size = UNITS[option["unit"]], Size(Config(**option["config"]), option["cells"])
    bench = JobBench(dut, unit, size)
    if "cases" in option:
        await replay(option["cases"], bench.run, from_json)
        return
    drawn = st.lists(requests(unit, size.config), min_size=1, max_size=3)
    await explore(drawn, bench.run, to_json)
