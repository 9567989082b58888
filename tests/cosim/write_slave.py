"""cocotb: the write engine on cocotbext-axi's RAM, which knows nothing of this repository."""

from __future__ import annotations

import itertools
import logging
import warnings
from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
from cocotbext.axi import AxiRamWrite, AxiWriteBus

from unmask.tests.cosim.bench import Mismatch, explore, options, read, replay
from unmask.tests.cosim.write_engine import (
    HANG,
    Case,
    Store,
    Stores,
    WriteBench,
    cases,
    config_of,
    contents,
    from_json,
    to_json,
)

PAUSES = (
    (False,),
    (True, False),
    (True, True, False, True, False, False),
    (True,) * 11 + (False,),  # whole bursts of data go before their address
)


class SlaveBench(WriteBench):
    """The engine with a RAM that pauses, instead of a memory with a model's times."""

    def connect(self) -> None:
        """Bind the RAM; its log would be most of the run."""
        logging.getLogger("cocotb.write_bench").setLevel(logging.WARNING)
        warnings.simplefilter("ignore", DeprecationWarning)  # cocotbext-axi's, of cocotb 2
        bus = AxiWriteBus.from_prefix(self.dut, "m_axi")
        self.ram = AxiRamWrite(bus, self.dut.clk, self.dut.rst, size=self.config.hbm_bytes)
        self.ram.w_channel.queue_occupancy_limit = -1  # takes all data, however late its address

    async def run(self, case: Case) -> None:
        """The stores of a case, one after the other; then the image.

        Raises:
            Mismatch: on a wrong byte, on a burst of other beats than its address says, or if a
                store does not complete.
        """
        dut, config = self.dut, self.config
        self.lengths: list[int] = []  # of the bursts, as their addresses say,
        self.sent = [0]  # and their beats so far
        held = contents(config, case.seed)
        dut.base.value = case.base
        dut.seed.value = case.seed
        dut.fill.value = 1
        dut.rst.value = 1
        await self.step()
        dut.fill.value = 0
        await self.step()
        dut.rst.value = 0
        await self.step()
        self.ram.write(0, held["hbm"].tobytes())
        channels = (self.ram.aw_channel, self.ram.w_channel, self.ram.b_channel)
        for place, channel in enumerate(channels):
            pattern = PAUSES[(case.seed + place) % len(PAUSES)]
            channel.set_pause_generator(itertools.cycle(pattern))
        spec = Stores(config, held, case)
        for number, store in enumerate(case.stores):
            self._drive(store, spec.run(store), case.base)
            await self.step()
            dut.in_valid.value = 0
            for _ in range(HANG):
                await self.settle()
                self._count(store)
                done = read(dut.out_valid)
                await self.edge()
                if done:
                    break
            else:
                raise Mismatch(f"store {number} does not complete: {store}")
        found = np.frombuffer(self.ram.read(0, config.hbm_bytes), np.uint8)
        self._same(case, spec.machine.state.memories["hbm"], found)

    def _count(self, store: Store) -> None:
        """What is sent in this cycle; address and data may come in either order."""
        dut = self.dut
        if read(dut.m_axi_awvalid) and read(dut.m_axi_awready):
            self.lengths.append(read(dut.m_axi_awlen) + 1)
        if read(dut.m_axi_wvalid) and read(dut.m_axi_wready):
            self.sent[-1] += 1
            if read(dut.m_axi_wlast):
                self.sent.append(0)
        known = min(len(self.lengths), len(self.sent) - 1)
        if self.lengths[:known] != self.sent[:known]:
            raise Mismatch(
                f"bursts of {self.lengths[:known]} beats by their addresses, "
                f"of {self.sent[:known]} by their data; the latest of {store}"
            )


@cocotb.test()
async def stores_reach_a_foreign_slave(dut: Any) -> None:
    """Every drawn store leaves the image that it owes in cocotbext-axi's RAM."""
    option = options()
    config = config_of(option)
    bench = SlaveBench(dut, config, option["built"])
    for name in ("rst", "fill"):
        getattr(dut, name).value = 1
    dut.seed.value = 0
    await bench.step()
    await bench.step()
    bench.connect()
    if "cases" in option:
        await replay(option["cases"], bench.run, from_json)
        return
    found = cases(config, option["built"]).map(_without_faults)
    await explore(found, bench.run, to_json)


def _without_faults(case: Case) -> Case:
    return replace(case, faults=())
