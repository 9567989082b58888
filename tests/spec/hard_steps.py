"""What is asserted of a sampling program's step on logits that are made to be hard.

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
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray

import unmask
from unmask.spec.certificates import exact
from unmask.spec.certificates.certificate import BatchRow
from unmask.spec.conformance import constructions, judge
from unmask.spec.conformance.case import Case
from unmask.spec.conformance.judge import Judge
from unmask.spec.encoding import FORMATS
from unmask.spec.formats import NEG_INF, to_float
from unmask.spec.pack import Shape
from unmask.spec.reference.rules import DType
from unmask.spec.reference.samplers import CONTRACTS
from unmask.spec.softmax import NAN_FIRST, NAN_LAST
from unmask.tests.spec.steps_on_machine import CHOICES, Done, Image, Sampler, least

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
