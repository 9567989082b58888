"""Sampling programs on MX bytes, over several steps, and the published one: see `hard_steps`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec.assembler import assemble
from unmask.spec.certificates import exact
from unmask.spec.conformance import constructions
from unmask.spec.encoding import Trap
from unmask.spec.formats import to_float
from unmask.spec.machine import Machine
from unmask.spec.pack import Shape, unpack
from unmask.spec.programs import published
from unmask.spec.reference.samplers import CONTRACTS
from unmask.spec.state import Config
from unmask.spec.vectors import WHOLE
from unmask.tests.reference.conftest import one_thread  # noqa: F401  # a fixture here, too
from unmask.tests.spec.hard_steps import (
    MX,
    TAUS,
    check,
    chunks_of,
    run_and_check,
    vlens,
    with_its_own_mask_id,
)
from unmask.tests.spec.steps_on_machine import CHOICES, Image, denoised

# -- MX images as raw bytes ------------------------------------------------------------------------
# Of a row: its scales; its elements' magnitudes; how many of these are the format's specials.
STYLES: dict[str, tuple[list[int], list[int], float]] = {
    "plain": ([0x7E, 0x7F, 0x80, 0x82], list(range(0x28, 0x48)), 0),
    "few values": ([0x7F], [0x38, 0x3C, 0x40], 0),
    "least scales": ([0x00, 0x00, 0x01], list(range(0x80)), 0.02),
    "greatest scales": ([0xFE, 0xFE, 0xFD, 0x7F], list(range(0x78)), 0),
    "NaN scales": ([0xFF, 0x7F, 0x7F], list(range(0x28, 0x48)), 0),
    "subnormals": ([0x82, 0x88, 0x8C], [0, 1, 2, 3, 4, 7], 0),
    "specials": ([0x7F], list(range(0x28, 0x48)), 0.05),
    "anything": (list(range(0x100)), list(range(0x80)), 0),
}


def images(style: str, rows: int, form: str, vocabulary: int, seed: int) -> Image:
    """Rows as raw bytes; what is behind a row's end is as odd as what is in it. Half of the rows
    are a former one with its blocks in another order: ties, where the row ends with a block."""
    rng = np.random.default_rng(seed)
    shape = Shape(form, rows, vocabulary)
    block, count = shape.layout.block, shape.pitch // shape.layout.block
    content = rng.integers(0, 0x100, shape.size).astype(np.uint8)
    elements = content[: shape.scale].reshape(rows, count, block)
    scales = content[shape.scale :][: rows * count].reshape(rows, count)
    for row in range(rows):
        if row and rng.random() < 0.5:
            order, old = rng.permutation(count), rng.integers(row)
            scales[row], elements[row] = scales[old][order], elements[old][order]
            continue
        some, magnitudes, special = STYLES[style]
        scales[row] = rng.choice(some, count)
        elements[row] = rng.choice(magnitudes, (count, block))
        elements[row][rng.random((count, block)) < special] = rng.choice([0x7C, 0x7D, 0x7F])
        elements[row] |= rng.choice([0, 0x80], (count, block)).astype(np.uint8)
    return Image(shape, content)


def odd_bytes(image: Image) -> Counter[str]:
    """Which odd scales and elements the rows have, their ends left out."""
    shape = image.shape
    element = shape.layout.element
    assert element is not None
    count = shape.rows * shape.pitch
    scales = image.content[shape.scale : shape.scale + count // shape.layout.block]
    spread = np.repeat(scales, shape.layout.block).reshape(shape.rows, -1)[:, : shape.vocabulary]
    elements = image.content[:count].reshape(shape.rows, -1)[:, : shape.vocabulary] & 0x7F
    small = (elements > 0) & (elements < 1 << element.fraction)
    number = (elements <= element.largest) & (spread != 0xFF)
    largest = (unpack(image.content, shape) & 0x7FFF) == 0x7F7F
    return Counter(
        {
            "scale 0x00": bool((spread == 0).any()),
            "scale 0xFE": bool((spread == 0xFE).any()),
            "scale 0xFF": bool((spread == 0xFF).any()),
            "subnormal": bool((small & number).any()),
            "saturated": bool((largest & number).any()),
            "special": bool((elements > element.largest).any()),
        }
    )


@pytest.mark.parametrize("form", MX)
def test_mx_bytes(form):
    seen: Counter[str] = Counter()
    given_values = {"tau": 0.5, "edit_tau": 0.25, "factor": 1.5}

    @settings(max_examples=3)
    @given(
        contract=st.sampled_from(list(CHOICES)),
        seed=st.integers(0, 10_000),
        chunks=chunks_of,
        vlen=vlens,
    )
    def run(style, contract, seed, chunks, vlen):
        rng = np.random.default_rng(seed)
        shape = (int(rng.integers(1, 3)), int(rng.integers(1, 8)), int(rng.integers(2, 71)))
        image = images(style, shape[0] * shape[1], form, shape[2], seed)
        values = {x: y for x, y in given_values.items() if x in CONTRACTS[contract].required}
        case = constructions.step("gaussian", contract, shape, values, seed)
        case = with_its_own_mask_id(replace(case, codes=image.codes(shape)))
        seen.update(run_and_check(case, chunks, vlen, image))
        seen.update(odd_bytes(image))

    for style in STYLES:
        run(style)
    wanted = ["scale 0x00", "scale 0xFE", "scale 0xFF", "subnormal", "saturated", "special"]
    wanted += ["NaN", "certified", "oracle", "stream", "prefetch"]
    assert not [name for name in [*wanted, "V in parts", "L over VLEN"] if not seen[name]], seen


# -- several steps, and the published program ------------------------------------------------------
@pytest.mark.parametrize("contract", CHOICES)
def test_denoise(contract):
    """Each step of a run is right from the ids that the one before has left."""
    seen: Counter[str] = Counter()

    @settings(max_examples=3)
    @given(
        names=st.lists(st.sampled_from(constructions.NAMES), min_size=2, max_size=3),
        shape=st.tuples(st.integers(1, 2), st.integers(2, 6), st.integers(2, 33)),
        tau=st.sampled_from(TAUS),
        form=st.sampled_from(["BF16", "BF16", *MX]),
        seed=st.integers(0, 10_000),
        vlen=vlens,
    )
    def run(names, shape, tau, form, seed, vlen):
        values = {x: tau for x in CONTRACTS[contract].required if x in ("tau", "edit_tau")}
        cases = [
            with_its_own_mask_id(constructions.step(name, contract, shape, values, seed + i))
            for i, name in enumerate(names)
        ]
        slabs = [Image.of(case.codes, form) for case in cases]
        ids, prompt = cases[0].x, cases[0].parameters.get("prompt")
        for case in cases:
            if prompt is not None:
                case.parameters["prompt"] = prompt
        every = [case.tensors()[3] for case in cases]
        done = denoised(contract, slabs, ids, shape, every, vlen)
        for case, slab, step in zip(cases, slabs, done, strict=True):
            mask = ids == shape[2] - 1
            now = replace(case, codes=slab.codes(shape), x=ids, mask=mask)
            seen.update(check(now, step, vlen, form))
            ids = step.ids
        seen["steps"] += len(names)

    run()
    assert seen["steps"] > 5 and seen["certified"], seen


@settings(max_examples=40)
@given(
    style=st.sampled_from(list(STYLES)),
    name=st.sampled_from(constructions.NAMES),
    form=st.sampled_from(["BF16", "BF16", *MX]),
    rows=st.integers(1, 7),
    pieces=st.integers(1, 3),
    vlen=vlens,
    chunks=st.none() | st.integers(1, 4),
    k=st.integers(0, 8),
    seed=st.integers(0, 10_000),
)
def test_published(style, name, form, rows, pieces, vlen, chunks, k, seed):
    """Its ids are the first greatest logits; its set is that of its own confidences, ranked."""
    if form != "BF16":
        vlen = Shape(form, 1, 1).layout.block  # a chunk begins on one
    unit = max(4, vlen)  # rows without gaps
    shape = (1, rows, pieces * unit)
    case = constructions.step(name, "llada_low_confidence", shape, {}, seed)
    image = Image.of(case.codes) if form == "BF16" else images(style, rows, form, shape[2], seed)
    assert image.shape.pitch == shape[2]
    codes = image.codes(shape)[0]
    sampling = published.Sampling(
        rows, shape[2], vlen, chunks, k, 64, form, image.shape.scale, tokens=3
    )
    x, mask = case.x[0], case.mask[0]
    config = Config(vlen=vlen, vector_rows=512, hbm_bytes=1 << 13)
    machine = Machine(assemble(published.program(sampling)), config, WHOLE)
    state = machine.state
    rng = np.random.default_rng(1)
    for memory in ("vector", "fp", "int"):
        state.load(memory, rng.integers(0, 1 << 16, config.elements(memory)))
    state.load("hbm", image.content, 64)
    state.load("fp", np.array([published.START_CODE]), sampling.start)
    state.load("int", x, sampling.tokens)
    state.load("vector", np.where(mask, 0x3F80, 0), sampling.mask)
    kept = {memory: array.copy() for memory, array in state.memories.items()}
    last = list(machine.run())[-1]
    assert last.stop and last.cause is Trap.NONE
    memories = state.memories
    after = memories["int"][sampling.tokens :][: 2 * rows].astype(np.int64)
    greatest = [exact.token(row) for row in codes]
    assert after[rows:].tolist() == np.where(mask, greatest, x).tolist()
    confidence = torch.from_numpy(to_float(memories["fp"][:rows]))
    order = torch.sort(confidence, descending=True, stable=True).indices.tolist()
    chosen = np.isin(range(rows), [place for place in order if mask[place]][:k])
    assert np.array_equal(memories["vector"][sampling.transfer :][:rows] != 0, chosen)
    assert np.array_equal(after[:rows], np.where(chosen, greatest, x))
    changed = {memory: np.flatnonzero(memories[memory] != kept[memory]) for memory in kept}
    assert not changed["hbm"].size and not changed["key"].size
    assert np.isin(changed["int"], range(3, 3 + 2 * rows)).all()
    assert (changed["fp"] < rows).all()
    assert (changed["vector"] < sampling.transfer + sampling.padded).all()
    assert not np.isin(changed["vector"], range(sampling.mask, sampling.transfer)).any()
