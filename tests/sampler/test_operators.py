"""Operators of PyTorch: their checks, `torch.compile`, and vocabularies split over devices."""

import functools
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import unmask
from unmask.spec import sampler
from unmask.spec.reference import llada
from unmask.spec.reference.generate import llada as generate
from unmask.spec.reference.samplers import CONTRACTS
from unmask.spec.sampler import adapters, operators
from unmask.spec.sampler.end import finish
from unmask.spec.sampler.operators import sm_finish, sm_merge, sm_reduce
from unmask.spec.sampler.rows import PARTS, row_states

ops = torch.ops.unmask
BACKEND = "aot_eager"  # "inductor" passes too, and takes half a minute of C++


def drawn(*shape, seed=0, dtype=torch.bfloat16):
    """Logits with ties, -infinity and a NaN among them."""
    random = torch.Generator().manual_seed(seed)
    values = torch.randn(*shape, generator=random).mul(4).round().div(2)
    values[values < -4] = -torch.inf
    values.view(-1)[seed % values.numel()] = torch.nan if seed % 2 else -0.0
    return values.to(dtype)


@pytest.mark.parametrize("size", [1, 2, 3, 8])
@settings(max_examples=25)
@given(data=st.data())
def test_any_split_of_a_vocabulary_gives_the_bits_of_the_whole(size, data):
    vocabulary = data.draw(st.integers(1, 40))
    logits = drawn(3, vocabulary, seed=data.draw(st.integers(0, 99)))
    banned = data.draw(st.lists(st.integers(0, vocabulary - 1), max_size=3))
    inner = st.integers(0, vocabulary)
    cuts = sorted(data.draw(st.lists(inner, min_size=size - 1, max_size=size - 1)))
    borders = list(zip([0, *cuts], [*cuts, vocabulary], strict=True))
    states = [ops.sm_reduce(logits[:, a:b], a, banned) for a, b in borders]
    merged = functools.reduce(ops.sm_merge, data.draw(st.permutations(states)))
    whole = logits.clone()
    whole[:, banned] = -torch.inf
    expected = row_states(whole.unsqueeze(0))[0][0]
    assert torch.equal(merged, expected)
    for nan_last in (False, True):
        for got, wanted in zip(
            ops.sm_finish(merged, nan_last), finish(expected, nan_last), strict=True
        ):
            assert torch.equal(got.view(torch.int16), wanted.view(torch.int16))


@pytest.mark.parametrize("shape", [(7,), (2, 7), (2, 3, 7), (2, 0), (0, 7)])
def test_operators_keep_pytorchs_rules(shape):
    logits = drawn(*shape) if 0 not in shape else torch.empty(shape)
    torch.library.opcheck(sm_reduce, (logits, 5, [6, 99]))
    state = sm_reduce(logits, 5, [6, 99])
    assert state.shape == (*shape[:-1], PARTS)
    torch.library.opcheck(sm_merge, (state, sm_reduce(logits, 100, [])))
    torch.library.opcheck(sm_finish, (state, True))


def test_the_steps_operator_keeps_pytorchs_rules():
    # No NaN: opcheck compares.
    logits, x = drawn(2, 4, 9, seed=4), torch.full((2, 4), 8)
    names, tensors, numbers = "prompt,q,tau,edit_tau", [x == 0, torch.tensor([1, 2])], [0.5, 1]
    arguments = (logits, x, x == 8, "llada21", names, tensors, numbers)
    torch.library.opcheck(operators.sample_step_op, arguments)
    plain = unmask.sample_step(
        logits, x, 8, "llada21", prompt=x == 0, q=[1, 2], tau=0.5, edit_tau=1
    )
    for got, wanted in zip(ops.sample_step(*arguments), vars(plain).values(), strict=True):
        assert torch.equal(got, wanted) and got.dtype == wanted.dtype


def test_a_compiled_step_is_the_step():
    torch._dynamo.reset()

    @functools.partial(torch.compile, fullgraph=True, backend=BACKEND, dynamic=True)
    def compiled(logits, x, k, tau):
        first = unmask.sample_step(logits * 2, x, 8, "llada_low_confidence", k=k, block_end=None)
        second = unmask.sample_step(logits, first.x, first.x == 8, "fast_dllm_threshold", tau=tau)
        return first.key + 1, second.x, second.confidence.float() + 1

    for shape, k in (((2, 4, 9), 1), ((1, 5, 11), [2]), ((3, 2, 10), torch.tensor([0, 1, 2]))):
        logits, x = drawn(*shape), torch.full(shape[:2], 8)
        first = unmask.sample_step(logits * 2, x, 8, "llada_low_confidence", k=k)
        second = unmask.sample_step(logits, first.x, 8, "fast_dllm_threshold", tau=0.4)
        expected = (first.key + 1, second.x, second.confidence.float() + 1)
        for got, wanted in zip(compiled(logits, x, k, 0.4), expected, strict=True):
            assert torch.equal(got, wanted)


def test_compiled_operators_are_the_operators():
    torch._dynamo.reset()

    @functools.partial(torch.compile, fullgraph=True, backend=BACKEND, dynamic=True)
    def compiled(a, b):
        state = ops.sm_merge(ops.sm_reduce(a, 0, [1]), ops.sm_reduce(b, a.shape[-1], []))
        return ops.sm_finish(state, False)[1]

    for sizes in ((4, 5), (6, 3)):
        a, b = (drawn(3, size, seed=size) for size in sizes)
        whole = torch.cat([a, b], dim=1)
        assert torch.equal(compiled(a, b), sm_finish(sm_reduce(whole, 0, [1]), False)[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sm_reduce(torch.zeros(3, dtype=torch.int64), 0, []), "shard is torch.int64"),
        (lambda: sm_reduce(torch.zeros(1, 2**18 + 1), 0, []), "V at most 262144"),
        (lambda: sm_reduce(torch.zeros(3), -1, []), "base_id is -1"),
        (lambda: sm_reduce(torch.zeros(3), 2**32 - 3, []), "base_id is 4294967293"),
        (lambda: sm_merge(torch.zeros(3), torch.zeros(3)), "a is torch.float32 of shape"),
        (
            lambda: sm_merge(torch.zeros(2, PARTS, dtype=torch.int64), torch.zeros(3, PARTS)),
            "b has shape",
        ),
        (
            lambda: sm_finish(torch.zeros(2, 9, dtype=torch.int64), True),
            "state is torch.int64 of shape",
        ),
    ],
)
def test_bad_input_to_operators(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class FakeModel:
    """Logits that depend on the ids alone."""

    def __init__(self, vocabulary, dtype=torch.float64):
        self.table = drawn(vocabulary, vocabulary, seed=2).to(dtype)

    def __call__(self, x):
        return self.table[(x + torch.arange(x.shape[-1]) * 3 + x.sum(-1, keepdim=True)) % 17]


def test_lladas_loop_with_its_choice_replaced():
    model, prompt = FakeModel(17), torch.tensor([[3, 4], [5, 6]])
    wanted = generate(
        model, prompt, llada.LOW_CONFIDENCE, gen_length=8, block_length=4, steps=4, mask_id=16
    )
    x = torch.cat([prompt, torch.full((2, 8), 16)], dim=1)
    for block_end in (6, 10):
        for _ in range(2):
            k = torch.tensor([2, 2])
            x = adapters.llada_update(model(x), x, k, 16, block_end)
    assert torch.equal(x, wanted.x)


@pytest.mark.parametrize("wrapped", [True, False])
def test_sglangs_loop_with_its_step_replaced(wrapped):
    class Base:
        def __init__(self, config):
            self.mask_id, self.block_size = 16, 4

    class Algorithm(adapters.LowConfidence, Base):
        pass

    model = FakeModel(17)
    algorithm = Algorithm(SimpleNamespace(algorithm_config={"threshold": 0.3}))
    ids = torch.tensor([16, 16, 16, 2, 16, 1, 2, 3], dtype=torch.int32)
    batch = SimpleNamespace(batch_size=2, input_ids=ids.clone())
    x, done = ids.long().view(2, 4), [False, False]
    for _ in range(5):
        before = (x != 16).all(dim=1).tolist()
        logits = model(x)
        output = SimpleNamespace(full_logits=logits.view(8, -1)) if wrapped else logits.view(8, -1)
        done = algorithm.step(batch, output, [None, None])
        assert done == before
        x = CONTRACTS["sglang_low_confidence"].oracle(logits, x, 16, tau=0.3).x
        assert torch.equal(batch.input_ids.view(2, 4).long(), x)
    assert Algorithm(SimpleNamespace(algorithm_config={})).threshold == 0.95


def test_the_generation_loop_of_the_docstring():
    text = sampler.__doc__.split("(B, N, V):\n", 1)[1]
    names: dict[str, Any] = {"torch": torch}
    exec("\n".join(line[4:] for line in text.splitlines()), names)
    prompt = torch.tensor([[3, 4], [5, 6]])
    x = names["generate"](FakeModel(17), prompt, 5, mask_id=16)
    assert torch.equal(x[:, :2], prompt) and x.shape == (2, 7)
    assert not (x == 16).any()
