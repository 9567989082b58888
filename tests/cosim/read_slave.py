"""cocotb: the read engine on cocotbext-axi's RAM, which knows nothing of this repository."""

from __future__ import annotations

import itertools
import logging
import warnings
from dataclasses import replace
from typing import Any

import cocotb
from cocotbext.axi import AxiRamRead, AxiReadBus

from unmask.model.pipeline import QUEUED_READS
from unmask.tests.cosim.bench import Mismatch, explore, options, read, replay
from unmask.tests.cosim.read_engine import (
    LIMIT,
    Case,
    ReadBench,
    Watch,
    cases,
    from_json,
    image_of,
    owed_by,
    request_of,
    to_json,
)
from unmask.tests.cosim.read_jobs import Sizes

PAUSES = ((False,), (True, False), (True, True, False, True, False, False))


class SlaveBench(ReadBench):
    """The engine with a RAM that pauses, instead of a memory with a model's times."""

    def connect(self) -> None:
        """Bind the RAM; its log would be most of the run."""
        logging.getLogger("cocotb.read_bench").setLevel(logging.WARNING)
        warnings.simplefilter("ignore", DeprecationWarning)  # cocotbext-axi's, of cocotb 2
        size = self.sizes.config.hbm_bytes
        bus = AxiReadBus.from_prefix(self.dut, "m_axi")
        self.ram = AxiRamRead(bus, self.dut.clk, self.dut.rst, size=size)
        self.ram.write(0, image_of(size).tobytes())

    async def run(self, case: Case) -> None:
        """The reads of a case, as many under way as may be.

        Raises:
            Mismatch: on anything wrong, missing or surplus.
        """
        dut, owed = self.dut, owed_by(case, self.sizes)
        dut.in_valid.value = 0
        dut.base.value = case.base
        dut.rst.value = 1
        await self.step()
        await self.step()
        dut.rst.value = 0
        await self.step()
        seed = case.bus["seed"]
        for place, channel in enumerate((self.ram.ar_channel, self.ram.r_channel)):
            channel.set_pause_generator(itertools.cycle(PAUSES[(seed + place) % len(PAUSES)]))
        watch = Watch(dut, self.sizes, case, owed, timed=False)
        issued, reached, cycle = 0, 0, 0
        while watch.left:
            under_way = issued - (len(owed) - watch.left)
            issues = issued < len(owed) and cycle >= reached and under_way < QUEUED_READS
            dut.in_valid.value = int(issues)
            if issues:
                dut.request.value = request_of(case.fetches[issued], issued % 4, case.base)
                reached = cycle + case.fetches[issued].delay
                issued += 1
            await self.settle()
            watch.look(cycle)
            await self.edge()
            cycle += 1
            if cycle > LIMIT:
                raise Mismatch(f"{watch.left} transfers do not end")
        dut.in_valid.value = 0
        for _ in range(8):
            await self.settle()
            watch.look(cycle)
            await self.edge()
        if not read(dut.idle):
            raise Mismatch("not idle behind the last transfer")


@cocotb.test()
async def reads_come_from_a_foreign_slave(dut: Any) -> None:
    """Every drawn list of reads delivers what it owes out of cocotbext-axi's RAM."""
    option = options()
    bench = SlaveBench(dut, Sizes(**option["sizes"]))
    dut.rst.value = 1
    dut.in_valid.value = 0
    await bench.step()
    await bench.step()
    bench.connect()
    if "cases" in option:
        await replay(option["cases"], bench.run, from_json)
        return
    without = cases(bench.sizes).map(lambda case: replace(case, faults=()))
    await explore(without, bench.run, to_json)
