"""Every sampling program on logits that are made to be hard, judged as `unmask conform` judges.

Asserted of every step: sampled ids are the first greatest logits, keys those of `sample_step`;
the chosen set is admissible, that of exact arithmetic where the keys prove it, and the oracle's
where PyTorch must come to it as well; ids change where chosen, nothing else does (`execute`).

NaN rows (a NaN or +infinity among the logits, or only -infinity) are no exception in the quota
contracts and in `fast_dllm_threshold`. In the others, see `Choice` and `check_nan_rows`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import unmask
from unmask.spec.assembler import assemble
from unmask.spec.certificates import exact
from unmask.spec.certificates.certificate import BatchRow
from unmask.spec.conformance import constructions, drawn, judge
from unmask.spec.conformance.case import Case
from unmask.spec.conformance.judge import Judge
from unmask.spec.conformance.trial import Trial
from unmask.spec.encoding import FORMATS, Trap
from unmask.spec.formats import NEG_INF, to_float
from unmask.spec.machine import Machine
from unmask.spec.pack import Shape, unpack
from unmask.spec.programs import published
from unmask.spec.reference.rules import DType
from unmask.spec.reference.samplers import CONTRACTS
from unmask.spec.softmax import NAN_FIRST, NAN_LAST
from unmask.spec.state import Config
from unmask.spec.vectors import WHOLE
from unmask.tests.reference.conftest import one_thread  # noqa: F401
from unmask.tests.spec.steps_on_machine import CHOICES, Done, Image, Sampler, denoised, least

Bools = NDArray[np.bool_]
MX = [form for form in FORMATS if form != "BF16"]
AS_PYTORCH = {name for name in CHOICES if name.endswith(("quota", "confidence_fp64"))}
AS_PYTORCH |= {"llada_low_confidence", "fast_dllm_threshold"}
TAUS = [0.5, 0.25, 1 / 3, 0.9, 0.0, 1.0, 1.0, 1.0]  # often nothing passes
FACTORS = [1.0, 0.5, 1.5, 3.0, 0.0]
chunks_of = st.sampled_from([0, 0, 1, 2, 3])
vlens = st.sampled_from([2, 4, 8])


# -- the claims ------------------------------------------------------------------------------------
def check(case: Case, done: Done, vlen: int, form: str = "BF16") -> Counter[str]:
    """That a step is right; what was hard about it, by name, in how many batch rows."""
    batch, rows, vocabulary = case.shape
    choice = CHOICES[case.contract](case.parameters)
    tokens = [[exact.token(row) for row in slab] for slab in case.codes]
    assert done.sampled.tolist() == tokens
    assert np.array_equal(done.ids, np.where(done.transfer, done.sampled, case.x))
    logits, x, mask, parameters = case.tensors()
    same = unmask.sample_step(logits, x, mask, case.contract, **parameters)
    keys = same.key.numpy()
    assert np.array_equal(done.keys, np.where(keys == NAN_FIRST, nan_key(choice.nan_last), keys))
    seen: Counter[str] = Counter()
    for number in range(batch):
        row = case.row(number)
        ids, transfer = done.ids[number], done.transfer[number]
        nan = row.mask[0] & (keys[number] == NAN_FIRST)
        seen["NaN"] += bool(nan.any())
        if nan.any() and case.contract not in AS_PYTORCH:
            seen.update(check_nan_rows(row, ids, transfer, nan))
            continue
        assert np.array_equal(same.transfer[number].numpy(), transfer)
        assert np.array_equal(same.x[number].numpy(), ids)
        seen.update(check_row(row, ids, transfer))
    block = Shape(form, 1, 1).layout.block
    seen["L over VLEN"] += rows > vlen
    seen["V in parts"] += vocabulary % vlen > 0 and (form == "BF16" or vocabulary % block > 0)
    return seen


def nan_key(last: bool) -> int:
    return NAN_LAST if last else NAN_FIRST


def check_row(row: Case, ids: NDArray[np.int64], transfer: Bools) -> Counter[str]:
    """That one batch row is judged right, and its set admissible and as certified."""
    verdict = Judge().verdict(row, ids[None])
    assert verdict.status != "wrong", verdict.reason
    certificate = judge.certificate(row)[2].rows[0]
    admissible = certificate.admissible
    assert admissible is not None and certificate.exact is not None
    assert admissible.refuses(transfer) is None
    assert np.array_equal(certificate.transfer, transfer)
    seen = situations(row, certificate, transfer)
    if not certificate.certified:
        return seen
    assert np.array_equal(certificate.exact, transfer)
    # PyTorch's softmax in float64, unless the contract says float32.
    logits, x, mask, parameters = row.tensors()
    dtype: DType = "float32" if row.rule.confidence == torch.float32 else "float64"
    if certificate.pytorch[dtype] and certificate.tokens[dtype][admissible.task.asked].all():
        oracle = row.rule.oracle(logits.double(), x, mask, **parameters)
        changes = admissible.changes
        assert np.array_equal(oracle.transfer[0].numpy() & changes, transfer & changes)
        assert np.array_equal(oracle.x[0].numpy(), ids)
        seen["oracle"] += 1
    return seen


def check_nan_rows(row: Case, ids: NDArray[np.int64], transfer: Bools, nan: Bools) -> Counter[str]:
    """A batch row with masked NaN rows, where the program may differ from PyTorch.

    Factor rule: all NaN rows pass. PyTorch takes the first, and the others only if a number passes:
    if none does, the set without the others is right.

    Thresholds that NaN does not pass: the step is that of the row without its NaN rows; of these
    the first ones get a token if kmin exceeds the numbers. Where PyTorch forces no NaN row, which
    is where at least kmin numbers pass (v1 forces one always), that is PyTorch's step.
    """
    seen = Counter({"NaN judged": 1})
    oracle = judge.expected(row).transfer[0].numpy()
    if row.contract == "fast_dllm_factor_paper":
        assert transfer[nan].all()
        others = nan.copy()
        others[np.flatnonzero(nan)[0]] = False
        if not transfer[~nan].any():
            transfer = transfer & ~others
            ids = np.where(others, row.x[0], ids)
            seen["differs"] += bool(others.any())
        return seen + check_row(row, ids, transfer)
    places, numbers = np.flatnonzero(nan), int((row.mask[0] & ~nan).sum())
    left = max(int(least(row.contract, row.shape, row.tensors()[3])[0]) - numbers, 0)
    assert np.flatnonzero(transfer & nan).tolist() == places[:left].tolist()
    if not oracle[nan].any():
        verdict = Judge().verdict(row, ids[None])
        assert verdict.status != "wrong", verdict.reason
        seen["NaN as PyTorch"] += 1
    seen["differs"] += not np.array_equal(oracle & row.mask[0], transfer & row.mask[0])
    rest = row
    for place in places[::-1].tolist():
        rest = rest.without(place)
    return seen + (check_row(rest, ids[~nan], transfer[~nan]) if rest.codes.size else Counter())


def situations(row: Case, certificate: BatchRow, transfer: Bools) -> Counter[str]:
    """What a batch row shows, by name: 1 each."""
    admissible = certificate.admissible
    assert admissible is not None
    task, codes, mask = admissible.task, row.codes[0], row.mask[0]
    number = [place for place in task.places if admissible.intervals[place] is not None]
    group = admissible.choice.group
    groups = {place: group[i] for i, place in enumerate(task.places)}
    tied = {groups[i] for i in number if transfer[i]} & {
        groups[i] for i in number if not transfer[i]
    }
    chosen = codes[transfer & mask]
    values = to_float(codes)
    top = values.max(axis=1)
    finite = np.isfinite(top)
    with np.errstate(over="ignore"):
        spread = values[finite].max(axis=1) - values[finite].min(axis=1)
    limit = None if task.rule.threshold is None else task.rule.threshold.tau
    shown = [x.exact for x in certificate.positions if x.exact is not None]
    found = {
        "nothing masked": not mask.any(),
        "count 0": task.least == 0,
        "count above masked": task.least > mask.sum(),
        "tie at the border": bool(tied),
        "near tie at the border": not admissible.unique,
        "certified": certificate.certified,
        "-infinity beside numbers": bool((finite[:, None] & (codes == NEG_INF)).any()),
        "all negative": bool((top[finite] < 0).all()) and len(codes) > 1,
        "sure": any(low > 1 - 2**-9 for low, _ in shown),
        "on a threshold": limit is not None and any(low <= limit <= high for low, high in shown),
        "flat": bool((spread < 0.5).any()),
        "mask id chosen": any(exact.token(x) == codes.shape[1] - 1 for x in chosen),
        "edited": bool((transfer & ~mask).any()),
    }
    return Counter({name: 1 for name, true in found.items() if true})


# -- steps -----------------------------------------------------------------------------------------
def with_its_own_mask_id(case: Case) -> Case:
    """Programs know masked positions by their id: no other has it."""
    last = case.shape[2] - 1
    return replace(case, x=np.where(case.mask, last, case.x % last))


def constructed(name: str, contract: str, seed: int) -> Case:
    """A construction's step, with counts from 0 to beyond the masked positions.

    Sizes and parameters come from the seed: Hypothesis would draw most of them small.
    """
    rng = np.random.default_rng(seed)
    batch, rows, vocabulary = (int(rng.integers(*ends)) for ends in ((1, 3), (2, 10), (2, 34)))
    values = {
        "k": rng.integers(0, rows + 1, batch).tolist(),
        "q": rng.integers(0, rows + 3, batch).tolist(),
        "tau": float(rng.choice(TAUS)),
        "edit_tau": float(rng.choice(TAUS)),
        "factor": float(rng.choice(FACTORS)),
    }
    values = {x: y for x, y in values.items() if x in CONTRACTS[contract].required}
    shape = (batch, rows, vocabulary)
    return with_its_own_mask_id(constructions.step(name, contract, shape, values, seed))


def run_and_check(case: Case, chunks: int, vlen: int, image: Image | None = None) -> Counter[str]:
    """By stream for 0 chunks, else by prefetch."""
    form = "BF16" if image is None else image.shape.form
    if chunks * vlen % Shape(form, 1, 1).layout.block:
        chunks = 32 // vlen
    sampler = Sampler(case.contract, chunks, vlen, image)
    logits, x, mask, parameters = case.tensors()
    assert torch.equal(sampler(logits, x, mask, **parameters), torch.from_numpy(sampler.last.ids))
    seen = check(case, sampler.last, vlen, form)
    seen["prefetch" if chunks else "stream"] += 1
    return seen


# Construction -> what it is there for; of the others, that they are sometimes certified.
SHOWN = {
    "exact ties": "tie at the border",
    "near ties": "near tie at the border",
    "near ties of sure rows": "near tie at the border",
    "confidences 1, 1/2, 1/3": "on a threshold",
    "columns of -infinity": "-infinity beside numbers",
    "rows of -infinity": "NaN",
    "rows with NaN": "NaN",
    "rows with a negative NaN": "NaN",
    "rows with +infinity": "NaN",
    "last column": "mask id chosen",
    "nothing masked": "nothing masked",
    "one masked": "count above masked",
    "count 0": "count 0",
    "count L": "count above masked",
    "sure": "sure",
    "flat": "flat",
    "equal": "tie at the border",
    "both zeros": "tie at the border",
    "all negative": "all negative",
    "narrow negative": "all negative",
}


@pytest.mark.parametrize("name", constructions.NAMES)
def test_constructions(name):
    seen: Counter[str] = Counter()

    @settings(max_examples=6)
    @given(
        contract=st.sampled_from(list(CHOICES)),
        seed=st.integers(0, 10_000),
        chunks=chunks_of,
        vlen=vlens,
    )
    def run(contract, seed, chunks, vlen):
        seen.update(run_and_check(constructed(name, contract, seed), chunks, vlen))

    run()
    for wanted in (SHOWN.get(name, "certified"), "stream", "prefetch", "L over VLEN", "V in parts"):
        assert seen[wanted], (wanted, seen)


@pytest.mark.parametrize("contract", CHOICES)
def test_drawn(contract):
    """Steps as `unmask conform` draws them, in any format."""
    seen: Counter[str] = Counter()

    @settings(max_examples=11)
    @given(
        case=drawn.cases(contract, {}).map(with_its_own_mask_id),
        form=st.sampled_from(["BF16", "BF16", *MX]),
        chunks=chunks_of,
        vlen=vlens,
    )
    def run(case, form, chunks, vlen):
        image = None
        if form != "BF16":
            image = Image.of(case.codes, form)
            case = replace(case, codes=image.codes(case.shape))
        seen.update(run_and_check(case, chunks, vlen, image))

    run()
    assert seen["certified"] and seen["oracle"], seen


HARDEST = ["rows with NaN", "rows of -infinity", "exact ties", "near ties"]
HARDEST += ["confidences 1, 1/2, 1/3"]


@pytest.mark.parametrize("contract", CHOICES)
def test_each_contract_at_its_hardest(contract):
    """Fixed seeds, as Hypothesis repeats itself where it draws few examples."""
    seen: Counter[str] = Counter()
    for seed in range(3, 6):
        for number, name in enumerate(HARDEST):
            case = constructed(name, contract, 5 * seed + number)
            if "tau" in case.parameters:  # all on the border, or nothing passes
                case.parameters["tau"] = 1.0 if seed % 2 else 0.5
            if "factor" in case.parameters:  # none but the first passes; a border at 1/2
                case.parameters["factor"] = (0.0, 1.5, 1.0)[seed % 3]
            if "q" in case.parameters:
                case.parameters["q"] = 1 + seed % 2
            seen += run_and_check(case, (seed + number) % 3, (2, 4, 8)[seed % 3])
    wanted = {"stream", "prefetch", "certified", "oracle", "NaN", "tie at the border"}
    if contract not in AS_PYTORCH:
        wanted |= {"NaN judged", "differs"}
    if "tau" in CONTRACTS[contract].required:
        wanted.add("on a threshold")
    if contract in ("llada21", "sglang_joint_threshold"):
        wanted.add("edited")
    assert not [name for name in wanted if not seen[name]], seen


def test_a_confidence_that_rounds_to_the_threshold():
    """Above 1/2, but not in BF16, where SGLang compares: one row is forced, no other passes."""
    codes = np.array([[[0x3F80, 0x3F7F, NEG_INF]] * 3], np.uint16)
    mask = np.ones((1, 3), bool)
    case = Case("sglang_low_confidence", codes, np.full((1, 3), 2), mask, {"tau": 0.5})
    assert run_and_check(case, 0, 2)["tie at the border"]


@pytest.mark.parametrize("chunks", [0, 2])
@pytest.mark.parametrize("contract", ["llada_low_confidence", "fast_dllm_threshold"])
def test_conform(contract, chunks):
    """By the search of `unmask conform` itself, NaN rows included."""

    def sampler(logits, x, mask, **parameters):
        last = logits.shape[-1] - 1
        own = torch.where(mask, last, x % last)
        ids = Sampler(contract, chunks)(logits, own, mask, **parameters)
        return torch.where(mask, ids, x)

    assert Trial(sampler, contract).search(4) is None


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
