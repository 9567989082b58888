"""cocotb: the streaming step on a whole block of logits, on the core, against certified PyTorch.

The block is as large as LLaDA's: its vocabulary, its positions, some of them known already. The
core runs the program in lockstep with the specification and to the cycle with the model, as ever;
then its ids are held against PyTorch's and its choice against the certificate of the step.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from numpy.typing import NDArray

from unmask.model.run import floor
from unmask.model.settings import Core, Profile, profile
from unmask.spec.assembler import assemble
from unmask.spec.pack import pack, unpack
from unmask.spec.programs import stream
from unmask.spec.programs.step import Step
from unmask.spec.reference.families import rows as family_rows
from unmask.spec.state import Config
from unmask.tests.cosim.bench import Mismatch, options, report
from unmask.tests.cosim.core import CoreBench
from unmask.tests.strategies import Case

CONTRACT = "llada_low_confidence_fp64"
FAMILIES = ("Zipf with a peak", "peaked", "gaussian", "sure")  # of rows, in turn
KNOWN = 4  # every so many positions have their token before the step


@dataclass(frozen=True)
class Block:
    """A block of logits and the step over it.

    Attributes:
        codes: (1, L, V) uint16, BF16 codes as the core reads them, after quantisation.
        ids: (1, L) before the step; the last id is the mask's.
        k: positions that get a token.
        step: the program's sizes.
        image: bytes of HBM.
    """

    codes: NDArray[np.uint16]
    ids: NDArray[np.int64]
    k: int
    step: Step
    image: NDArray[np.uint8]

    @classmethod
    def drawn(cls, form: str, rows: int, vocabulary: int, vlen: int, beat: int) -> Block:
        """Rows of several families, in one of the formats of `encoding.FORMATS`."""
        kinds = [family_rows(name, vocabulary, -(-rows // len(FAMILIES))) for name in FAMILIES]
        codes = np.stack(kinds, 1).reshape(-1, vocabulary)[:rows]
        packed = pack(codes, form, beat)
        mask_id = vocabulary - 1
        ids = np.where(np.arange(rows) % KNOWN == 1, 7, mask_id)[None]
        shape = packed.shape
        step = Step(1, rows, vocabulary, mask_id, pitch=shape.pitch, format=form,
                    scale=shape.scale, vlen=vlen)  # fmt: skip
        read = unpack(packed.image, shape).reshape(1, rows, vocabulary)
        return cls(read, ids, max(1, rows // 3), step, packed.image)

    @property
    def masked(self) -> NDArray[np.bool_]:
        masked: NDArray[np.bool_] = self.ids == self.step.mask_id
        return masked

    def case(self, config: Config, memory: Profile, core: Core) -> Case:
        """The step as a program, with nothing else in the memories."""
        bus = core.bus(memory)
        hbm = np.zeros(config.hbm_bytes, np.uint8)
        hbm[: self.image.size] = self.image
        words = self.step.memory(self.ids, np.array([self.k]))
        return Case(
            tuple(assemble(stream.program(self.step))),
            {"hbm": hbm, "int": words},  # type: ignore[dict-item]  # arrays do, and are smaller
            window=(0, -(-self.image.size // config.beat_bytes) * config.beat_bytes),
            memory=(bus.latency, bus.jitter, bus.cycles, bus.beats, bus.refresh_period,
                    bus.refresh_cycles, bus.refresh_shift, bus.seed, memory.outstanding),
        )  # fmt: skip

    def judge(self, got: NDArray[np.int64]) -> None:
        """Hold the ids that a core wrote, shape (L,), against PyTorch and the certificate.

        Raises:
            Mismatch: where they differ.
        """
        import torch  # it takes seconds to load

        from unmask.spec.certificates.certificate import certify
        from unmask.spec.formats import to_float
        from unmask.spec.reference.samplers import CONTRACTS

        logits = torch.from_numpy(to_float(self.codes).astype(np.float64))
        x, mask = torch.from_numpy(self.ids), torch.from_numpy(self.masked)
        wanted = CONTRACTS[CONTRACT].oracle(logits, x, mask, k=self.k)
        (row,) = certify(self.codes, self.ids, self.masked, CONTRACT, k=self.k).rows
        if not row.certified or row.refused or not row.equal or not row.pytorch["float64"]:
            raise Mismatch(f"the step cannot be certified: {row}")
        transfer = wanted.transfer[0].numpy()
        if not np.array_equal(row.transfer, transfer):
            raise Mismatch(f"PyTorch chooses {transfer.nonzero()[0]}, not {row.positions}")
        for place, (token, other) in enumerate(zip(got, wanted.x[0].tolist(), strict=True)):
            if token != other:
                raise Mismatch(f"position {place}: the core writes {token}, PyTorch {other}")


@cocotb.test()
async def block_is_pytorchs(dut: Any) -> None:
    """One step for each of the option `formats`."""
    option = options()
    memory = profile(option["profile"])
    config = Config(**option["config"])
    core = Core(vlen=config.vlen)
    bench = CoreBench(dut, config, option["core"])
    bench.begin()
    begin, failure, done = time.monotonic(), None, 0
    cycles: dict[str, int] = {}
    ratios: dict[str, float] = {}
    for form in option["formats"]:
        block = Block.drawn(
            form, option["rows"], option["vocabulary"], config.vlen, config.beat_bytes
        )
        try:
            ran = await bench.run(block.case(config, memory, core))
            first = block.step.tokens
            block.judge(np.array(bench.known["int"][first : first + option["rows"]]))
        except Mismatch as error:
            failure = f"{form} block, L = {option['rows']}, V = {option['vocabulary']}: {error}"
            break
        done += 1
        cycles[form] = ran.cycles
        ratios[form] = float(ran.cycles / floor(ran.moved, core, memory).cycles)
    report(done, time.monotonic() - begin, failure, cycles=cycles, ratios=ratios)
    if failure is not None:
        raise Mismatch(failure)
