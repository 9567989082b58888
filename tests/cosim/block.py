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
from unmask.spec.encoding import Trap
from unmask.spec.pack import pack, unpack
from unmask.spec.programs import stream
from unmask.spec.programs.step import Step
from unmask.spec.reference.families import rows as family_rows
from unmask.spec.state import Config
from unmask.tests.cosim.bench import Mismatch, options, report
from unmask.tests.cosim.core import CoreBench, config_of
from unmask.tests.cosim.jobs import Block
from unmask.tests.strategies import Case

CONTRACT = "llada_low_confidence_fp64"
FAMILIES = ("Zipf with a peak", "peaked", "gaussian", "sure")  # of rows, in turn
MOST_INSTRUCTIONS = 1 << 20
KNOWN = 4  # every so many positions have their token before the step


@dataclass(frozen=True)
class Logits:
    """A block of logits and the step over it.

    Attributes:
        codes: (B, L, V) uint16, BF16 codes as the core reads them, after quantisation.
        ids: (B, L) before the step; the last id is the mask's.
        k: (B,) positions that get a token.
        step: the program's sizes.
        image: bytes of HBM.
    """

    codes: NDArray[np.uint16]
    ids: NDArray[np.int64]
    k: NDArray[np.int64]
    step: Step
    image: NDArray[np.uint8]

    @classmethod
    def drawn(cls, form: str, shape: tuple[int, int, int], vlen: int, beat: int) -> Logits:
        """Rows of several families, in one of the formats of `encoding.FORMATS`.

        Args:
            form: of the logits.
            shape: (B, L, V).
            vlen: lanes.
            beat: bytes of a beat.
        """
        batch, rows, vocabulary = shape
        count = -(-batch * rows // len(FAMILIES))
        kinds = [family_rows(name, vocabulary, count) for name in FAMILIES]
        packed = pack(np.stack(kinds, 1).reshape(-1, vocabulary)[: batch * rows], form, beat)
        mask_id = vocabulary - 1
        ids = np.where(np.arange(batch * rows) % KNOWN == 1, 0, mask_id).reshape(batch, rows)
        step = Step(batch, rows, vocabulary, mask_id, pitch=packed.shape.pitch, format=form,
                    scale=packed.shape.scale, vlen=vlen)  # fmt: skip
        read = unpack(packed.image, packed.shape).reshape(shape)
        k = np.full(batch, max(1, rows // 3))
        return cls(read, ids, k, step, packed.image)

    @property
    def masked(self) -> NDArray[np.bool_]:
        masked: NDArray[np.bool_] = self.ids == self.step.mask_id
        return masked

    def case(self, config: Config, behind: Profile) -> Case:
        """The step as a program, with nothing else in the memories."""
        bus = Core(vlen=config.vlen).bus(behind)
        words = self.step.memory(self.ids, self.k)
        return Case(
            tuple(assemble(stream.program(self.step))),
            {"hbm": self.image, "int": words},
            window=(0, -(-self.image.size // config.beat_bytes) * config.beat_bytes),
            memory=(bus.latency, bus.jitter, bus.cycles, bus.beats, bus.refresh_period,
                    bus.refresh_cycles, bus.refresh_shift, bus.seed, behind.outstanding),
        )  # fmt: skip

    def judge(self, got: NDArray[np.int64]) -> None:
        """Hold the ids that a core wrote, (B, L), against PyTorch and the certificate.

        Raises:
            Mismatch: where they differ.
        """
        import torch  # it takes seconds to load

        from unmask.spec.certificates.certificate import certify
        from unmask.spec.formats import to_float
        from unmask.spec.reference.samplers import CONTRACTS

        certificate = certify(self.codes, self.ids, self.masked, CONTRACT, k=self.k.tolist())
        for number, row in enumerate(certificate.rows):
            one = slice(number, number + 1)
            logits = torch.from_numpy(to_float(self.codes[one]).astype(np.float64))
            x, mask = torch.from_numpy(self.ids[one]), torch.from_numpy(self.masked[one])
            wanted = CONTRACTS[CONTRACT].oracle(logits, x, mask, k=int(self.k[number]))
            if not row.certified or row.refused or not row.equal or not row.pytorch["float64"]:
                raise Mismatch(f"batch row {number}: the step cannot be certified: {row}")
            transfer = wanted.transfer[0].numpy()
            if not np.array_equal(row.transfer, transfer):
                raise Mismatch(f"batch row {number}: PyTorch chooses {transfer.nonzero()[0]}, "
                               f"the certificate {row.transfer.nonzero()[0]}")  # fmt: skip
            pairs = zip(got[number].tolist(), wanted.x[0].tolist(), strict=True)
            for place, (token, other) in enumerate(pairs):
                if token != other:
                    raise Mismatch(
                        f"batch row {number}, position {place}: the core writes {token}, "
                        f"PyTorch {other}"
                    )


@cocotb.test()
async def steps_are_pytorchs(dut: Any) -> None:
    """The steps of the option `block`."""
    option = options()
    sizes = Block(**option["block"])
    shape = (sizes.batch, sizes.rows, sizes.vocabulary)
    behind, config = profile(sizes.memory), config_of(option)
    bench = CoreBench(dut, config, option["core"], most=MOST_INSTRUCTIONS)
    bench.begin()
    begin, failure, done = time.monotonic(), None, 0
    cycles: dict[str, int] = {}
    ratios: dict[str, float] = {}
    for form in sizes.formats:
        logits = Logits.drawn(form, shape, sizes.vlen, config.beat_bytes)
        first, count = logits.step.tokens, sizes.batch * sizes.rows
        try:
            ran = await bench.run(logits.case(config, behind))
            if ran.cause is not Trap.NONE:
                raise Mismatch(f"the step does not end by itself, cause {ran.cause}")
            ids = np.array(bench.known["int"][first : first + count])
            logits.judge(ids.reshape(sizes.batch, sizes.rows))
        except Mismatch as error:
            failure = f"{form} block {shape}: {error}"
            break
        done += 1
        cycles[form] = ran.cycles
        least = floor(ran.moved, Core(vlen=sizes.vlen), behind).cycles
        ratios[form] = float(ran.cycles / least)
    report(done, time.monotonic() - begin, failure, cycles=cycles, ratios=ratios)
    if failure is not None:
        raise Mismatch(failure)
