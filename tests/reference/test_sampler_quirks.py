"""What sets the published samplers apart, each by an example."""

import math
from typing import Any

import pytest
import torch

from unmask.spec.reference.contract import Step, stable
from unmask.spec.reference.fast_dllm import paper_count, published_count
from unmask.spec.reference.samplers import CONTRACTS

NAN = math.nan
BF16 = torch.bfloat16


def row_of(confidence: float, vocabulary: int = 4) -> list[float]:
    """Logits whose first has a probability, NaN included, and the others share the rest."""
    if math.isnan(confidence):
        return [0.0, NAN, 0.0, 0.0]
    rest = (1 - confidence) / (vocabulary - 1)
    return [math.log(confidence), *[math.log(rest) if rest else -math.inf] * (vocabulary - 1)]


def step(
    name: str, confidences: list[float], *, dtype=torch.float64, known=(), **parameters
) -> Step:
    """A step of the oracle on one row that predicts token 0 everywhere; masked id 3, known id 1."""
    logits = torch.tensor([[row_of(confidence) for confidence in confidences]], dtype=dtype)
    x = torch.tensor([[1 if place in known else 3 for place in range(len(confidences))]])
    return CONTRACTS[name].oracle(logits, x, 3, **parameters)


def chosen(done: Step, row: int = 0) -> list[int]:
    return done.transfer[row].nonzero().flatten().tolist()


# -- dtypes ------------------------------------------------------------------------------------
def test_a_threshold_is_rounded_to_bfloat16():
    """0.9 becomes 0.8984375, and so does a confidence of 0.9002, which then is not above it."""
    edge = torch.tensor(0.8984375, dtype=BF16)
    assert torch.tensor(0.9, dtype=BF16) == edge
    assert not CONTRACTS["fast_dllm_v2"].passes(edge, 0.9)
    assert CONTRACTS["fast_dllm_v1_threshold"].passes(edge, 0.9)  # >=, if it were bfloat16
    logits = torch.tensor([[[2.203125, 0.0034], [9.0, 0.0]]], dtype=BF16)
    x = torch.ones(1, 2, dtype=torch.int64)
    contract = CONTRACTS["sglang_low_confidence"]
    narrow = contract.oracle(logits, x, 1, tau=0.9)
    wide = contract.oracle(logits.float(), x, 1, tau=0.9)
    assert narrow.confidence[0, 0] == edge and chosen(narrow) == [1]
    assert wide.confidence[0, 0].item() == pytest.approx(0.9002, abs=1e-4)
    assert chosen(wide) == [0, 1]


def test_bfloat16_confidences_saturate():
    """All above 1 - 2**-9 are 1, and the lowest position wins; float64 tells them apart."""
    logits = torch.tensor([[[6.5, 0.0], [20.0, 0.0], [9.0, 0.0]]], dtype=BF16)
    x = torch.ones(1, 3, dtype=torch.int64)
    now = CONTRACTS["llada_low_confidence"].oracle(logits, x, 1, k=1)
    before = CONTRACTS["llada_low_confidence_fp64"].oracle(logits, x, 1, k=1)
    assert now.confidence.tolist() == [[1, 1, 1]] and chosen(now) == [0]
    assert chosen(before) == [1]


def test_the_argmax_of_rounded_probabilities_is_another():
    logits = torch.tensor([[[0.0, 0.0009765625]]], dtype=BF16)
    x = torch.ones(1, 1, dtype=torch.int64)
    assert CONTRACTS["fast_dllm_v2"].oracle(logits, x, 1, tau=0.9).tokens.item() == 0
    assert CONTRACTS["sglang_low_confidence"].oracle(logits, x, 1, tau=0.9).tokens.item() == 1


# -- ties --------------------------------------------------------------------------------------
def test_topk_on_cpu_does_not_take_the_first():
    """Which it takes is PyTorch's affair; that it is not the lowest is why there is an oracle."""
    confidence = torch.ones(32)
    assert stable(confidence, 3).tolist() == [0, 1, 2]
    logits = torch.zeros(1, 32, 4, dtype=BF16)
    x = torch.full((1, 32), 3)
    contract = CONTRACTS["llada_low_confidence"]
    published = [contract.as_published(logits, x, 3, k=k).transfer for k in range(33)]
    lowest = [contract.oracle(logits, x, 3, k=k).transfer for k in range(33)]
    assert all(int(got.sum()) == k for k, got in enumerate(published))
    assert any(not torch.equal(*pair) for pair in zip(published, lowest, strict=True))


def test_forced_one():
    """Below the threshold: the first greatest; dInfer takes all that are near it."""
    tied = [0.5, 0.7, 0.7, 0.7 - 5e-6, 0.6]
    for name in ("fast_dllm_threshold", "fast_dllm_v1_threshold", "sglang_low_confidence"):
        assert chosen(step(name, tied, tau=0.9)) == [1]
    assert chosen(step("llada2", tied, tau=0.9, q=1)) == [1]
    assert chosen(step("dinfer_threshold", tied, tau=0.9, mask_id=3)) == [1, 2, 3]
    # Logits one row late, and the first row twice: 0.5, 0.5, 0.7, ...
    assert chosen(step("fast_dllm_v2", tied, tau=0.9)) == [2]


def test_forced_one_adds_nothing_where_another_passes():
    confidences = [0.95, 0.5, 0.92]
    for name in ("fast_dllm_threshold", "fast_dllm_v1_threshold", "sglang_low_confidence"):
        assert chosen(step(name, confidences, tau=0.9)) == [0, 2]


def test_equal_to_the_threshold():
    """> rejects it, >= and "not <" accept it."""
    logits = [[1.0, *[-math.inf] * 3], [1.0, 1.0, -math.inf, -math.inf], [1.0] * 4]
    x = torch.full((1, 3), 3)
    for name, more in [
        ("fast_dllm_threshold", [0, 1]),
        ("fast_dllm_v1_threshold", [0, 1]),
        ("sglang_low_confidence", [0]),
        ("llada2", [0]),
        ("dinfer_threshold", [0, 1]),
    ]:
        parameters = {"q": 1} if name == "llada2" else {}
        parameters |= {"mask_id": 3} if name.startswith("dinfer") else {}
        done = CONTRACTS[name].oracle(torch.tensor([logits]), x, 3, tau=0.5, **parameters)
        assert chosen(done) == more


# -- the factor rule ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("ranked", "published", "paper"),
    [
        ([0.1], 1, 1),
        ([0.1, 0.1], 2, 1),  # two are always taken
        ([0.9, 0.9, 0.1], 3, 2),  # the last alone fails, and is taken
        ([0.9, 0.1, 0.1], 1, 1),
        ([0.9, 0.9, 0.9, 0.1, 0.1], 3, 3),
        ([0.9, 0.9, 0.9, 0.9], 4, 4),
        ([1.0, 0.75, 0.5, 0.1], 2, 2),  # 1 - 1 / (r + 2) is 2/3, 3/4
        ([1.0, 0.75, 0.75, 0.1, 0.1], 3, 2),  # the third is on the border: in, and out
        ([NAN, 0.9, 0.1, 0.1], 2, 2),
    ],
)
def test_factor_rule(ranked, published, paper):
    assert published_count(ranked, 1.0) == published
    assert paper_count(ranked, 1.0) == paper


def test_factor_rule_in_a_step():
    confidences = [0.3, 0.9, 0.2, 0.9]
    assert chosen(step("fast_dllm_factor", confidences, known=(2,), factor=1.0)) == [0, 1, 3]
    assert chosen(step("fast_dllm_factor_paper", confidences, known=(2,), factor=1.0)) == [1, 3]


# -- NaN, -infinity ----------------------------------------------------------------------------
def test_nan_ranks_first_and_passes_no_comparison_but_not_less():
    confidences = [0.5, NAN, 0.95, NAN]
    assert chosen(step("llada_low_confidence", confidences, k=1)) == [1]
    assert chosen(step("llada_low_confidence", confidences, k=3)) == [1, 2, 3]
    assert chosen(step("fast_dllm_threshold", confidences, tau=0.9)) == [1, 2, 3]
    assert chosen(step("fast_dllm_v1_threshold", confidences, tau=0.9)) == [1, 2]
    assert chosen(step("sglang_low_confidence", confidences, tau=0.9)) == [2]
    assert chosen(step("sglang_low_confidence", confidences, tau=0.99)) == [1]
    assert chosen(step("llada2", confidences, tau=0.9, q=1)) == [2]
    assert chosen(step("llada2", confidences, tau=0.9, q=2)) == [1, 3]
    assert chosen(step("dinfer_threshold", confidences, tau=0.9, mask_id=3)) == []


def test_tokens_of_odd_rows():
    rows = [[0.0, NAN, NAN], [0.0, 1.0, math.inf], [-math.inf] * 3]
    logits = torch.tensor([rows])
    for name, tokens in [("llada_low_confidence", [1, 2, 0]), ("llada2", [0, 0, 0])]:
        got, confidence = CONTRACTS[name].predict(logits)
        assert got[0].tolist() == tokens and confidence.isnan().all()


# -- masks, windows, quotas --------------------------------------------------------------------
def test_a_predicted_mask_id():
    """It is written and so the position stays masked; dInfer leaves such positions out."""
    logits = torch.tensor([[[0.0, 0.0, 0.0, 9.0], [5.0, 0.0, 0.0, 0.0]]])
    x = torch.tensor([[3, 3]])
    done = CONTRACTS["llada_low_confidence"].oracle(logits, x, 3, k=1)
    assert chosen(done) == [0] and done.x.tolist() == [[3, 3]]
    parameters = {"tau": 0.9, "mask_id": 3}
    assert chosen(CONTRACTS["dinfer_threshold"].oracle(logits, x, 3, **parameters)) == [1]
    only = CONTRACTS["dinfer_threshold"].oracle(logits[:, :1], x[:, :1], 3, **parameters)
    assert chosen(only) == []


def test_more_than_is_masked():
    """LLaDA's quota runs over into the next block, Fast-dLLM's falls on known tokens."""
    confidences = [0.5] * 4
    parameters = {"k": 3, "block_end": 2}
    spilt = step("llada_low_confidence", confidences, known=(0,), **parameters)
    assert spilt.x.tolist() == [[1, 0, 0, 3]]  # position 2 is behind the block
    kept = step("fast_dllm_quota", confidences, known=(0,), **parameters)
    assert chosen(kept) == [0, 1, 2] and kept.x.tolist() == [[1, 0, 3, 3]]
    cut = step("fast_dllm_v1_quota", confidences, known=(0,), **parameters)
    assert chosen(cut) == [1] and cut.x.tolist() == [[1, 0, 3, 3]]


def test_dream_masks_known_tokens_again():
    """The quota is that of the mean row; the one with fewer masks loses a known token."""
    done = step("dream_maskgit_plus", [0.5] * 4, known=(0, 1, 2), k=2, mask_id=3)
    assert done.x.tolist() == [[3, 1, 1, 0]]


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_nothing_to_do(name):
    """Quota 0, or no masks: no token changes, and no quota 0 is exceeded."""
    everything = {
        "k": 0,
        "q": 0,
        "tau": 0.99,
        "edit_tau": 0.99,
        "factor": 1.0,
        "mask_id": 3,
        "prompt": torch.zeros(1, 3, dtype=torch.bool),
        "uniform": torch.zeros(1, 3),
    }
    wanted = set(CONTRACTS[name].parameters)
    if name.startswith("llada_low"):
        wanted -= {"uniform"}
    parameters = {key: value for key, value in everything.items() if key in wanted}
    if "k" in parameters or "q" in parameters:
        done = step(name, [0.5] * 3, **parameters)
        assert chosen(done) == [] and done.x.tolist() == [[3, 3, 3]]
    done = step(name, [0.5] * 3, known=(0, 1, 2), **parameters)
    assert done.x.tolist() == [[1, 1, 1]]
    assert chosen(done) == ([0] if name == "sglang_low_confidence" else [])


def test_one_row_late():
    """Row r decides position r + 1, and row 0 also position 0."""
    logits = torch.eye(4).unsqueeze(0) * 9
    x = torch.full((1, 4), 3)
    done = CONTRACTS["dream_maskgit_plus"].oracle(logits, x, 3, k=4, mask_id=3)
    assert done.x.tolist() == [[0, 0, 1, 2]]
    assert CONTRACTS["fast_dllm_v2"].oracle(logits, x, 3, tau=0.5).x.tolist() == [[0, 0, 1, 2]]


# -- LLaDA's suppression of end tokens ---------------------------------------------------------
END = {"eos_id": 1, "eot_id": 2}


def end_step(rows: list[list[float]], name: str = "llada_low_confidence", **parameters) -> Step:
    logits = torch.tensor([rows])
    x = torch.full((1, len(rows)), 3)
    return CONTRACTS[name].oracle(logits, x, 3, **END, **parameters)


def test_logits_eos_inf():
    done = end_step([[1.0, 5.0, 0.0, 0.0]], k=1, logits_eos_inf=True)
    assert done.x.tolist() == [[0]]
    alone = 1 / (1 + 2 * math.exp(-1))
    assert done.confidence.item() == pytest.approx(alone, rel=1e-6)


def test_confidence_eos_eot_inf_at_temperature_0():
    """After the argmax: end tokens stay, with confidence 0, and so last of the masked ones."""
    rows = [[0.0, 9.0, 0.0, 0.0], [0.0, 0.0, 9.0, 0.0], [1.0, 1.0, 0.0, 0.0]]
    done = end_step(rows, k=1, confidence_eos_eot_inf=True)
    assert done.tokens.tolist() == [[1, 2, 0]]
    assert done.confidence.tolist()[0][:2] == [0, 0]
    assert done.confidence[0, 2].item() == pytest.approx(1 / (1 + math.exp(-1)), rel=1e-6)
    assert chosen(done) == [2]
    assert chosen(end_step(rows, k=2, confidence_eos_eot_inf=True)) == [0, 2]
    nothing_else = [[-math.inf, 9.0, 0.0, -math.inf], [5.0, 0.0, 0.0, 0.0]]
    odd = end_step(nothing_else, k=1, confidence_eos_eot_inf=True)
    assert odd.confidence[0, 0].isnan() and odd.x.tolist() == [[1, 3]]


def test_confidence_eos_eot_inf_above_temperature_0():
    """Only the second of the two is suppressed: the first goes into a copy that nobody reads."""
    rows = [[0.0, 9.0, 0.0, 0.0], [0.0, 0.0, 9.0, 0.0]]
    uniform = torch.full((1, 2, 4), 0.5, dtype=torch.float64)
    parameters: dict[str, Any] = {"temperature": 0.5, "uniform": uniform}
    done = end_step(rows, k=1, confidence_eos_eot_inf=True, **parameters)
    assert done.tokens.tolist() == [[1, 2]]
    assert done.confidence[0, 0] > 0.99 and done.confidence[0, 1] == 0


def test_temperature():
    """The token is the argmax of z - T * ln(-ln u), its confidence softmax(z) without noise."""
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 5, 7, generator=generator)
    uniform = torch.rand(2, 5, 7, dtype=torch.float64, generator=generator)
    x = torch.full((2, 5), 6)
    parameters = {"k": 5, "temperature": 0.7, "uniform": uniform}
    done = CONTRACTS["llada_low_confidence"].oracle(logits, x, 6, **parameters)
    noisy = logits.double() - 0.7 * torch.log(-torch.log(uniform))
    assert torch.equal(done.tokens, noisy.argmax(-1))
    plain = torch.softmax(logits, -1).gather(-1, done.tokens.unsqueeze(-1)).squeeze(-1)
    assert torch.equal(done.confidence, plain)


# -- LLaDA2 and SGLang -------------------------------------------------------------------------
def test_at_least_q():
    confidences = [0.97, 0.5, 0.96, 0.6]
    assert chosen(step("llada2", confidences, tau=0.95, q=1)) == [0, 2]
    assert chosen(step("llada2", confidences, tau=0.95, q=2)) == [0, 2]
    assert chosen(step("llada2", confidences, tau=0.95, q=3)) == [0, 2, 3]
    assert chosen(step("llada2", confidences, tau=0.95, q=9)) == [0, 1, 2, 3]
    assert chosen(step("llada2", confidences, tau=0.98, q=0)) == []
    assert chosen(step("llada2", confidences, known=(0, 2), tau=0.95, q=1)) == [3]


@pytest.mark.parametrize("name", ["llada21", "sglang_joint_threshold"])
def test_edits(name):
    """Known tokens are replaced if they differ, are no prompt, and the model is sure."""
    confidences = [0.9, 0.9, 0.4, 0.9, 0.3]
    prompt = torch.tensor([[True, False, False, False, False]])
    parameters = {"tau": 0.8, "edit_tau": 0.5, "prompt": prompt}
    done = step(name, confidences, known=(0, 1, 2), **parameters)
    assert chosen(done) == [1, 3] and done.x.tolist() == [[1, 0, 1, 0, 3]]
    # A forced one goes with edits; without masks there are edits alone.
    assert chosen(step(name, confidences, known=(0, 1, 2), **parameters | {"tau": 0.95})) == [1, 3]
    assert chosen(step(name, confidences, known=range(5), **parameters)) == [1, 3]


def test_penalty():
    """It is taken from the id one position before, mask id or not, but not at position 0."""
    logits = torch.tensor([[[2.0, 1.0, 0.0, 0.0]] * 3], dtype=BF16)
    x = torch.tensor([[0, 0, 3]])
    prompt = torch.zeros(1, 3, dtype=torch.bool)
    parameters = {"tau": 0.9, "edit_tau": 0.0, "prompt": prompt}
    done = CONTRACTS["sglang_joint_threshold"].oracle(logits, x, 3, penalty=1.5, **parameters)
    assert done.tokens.tolist() == [[0, 1, 1]] and done.x.tolist() == [[0, 1, 1]]
    none = CONTRACTS["sglang_joint_threshold"].oracle(logits, x, 3, penalty=-1.5, **parameters)
    assert none.tokens.tolist() == [[0, 0, 0]]
