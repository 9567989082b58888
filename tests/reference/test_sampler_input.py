"""Bad input to the contracts: a ValueError that names argument, value and what was expected."""

import math
from typing import Any

import pytest
import torch

from unmask.spec.reference.samplers import CONTRACTS

LOGITS = torch.zeros(2, 3, 5, dtype=torch.bfloat16)
X = torch.zeros(2, 3, dtype=torch.int64)
MASK = torch.ones(2, 3, dtype=torch.bool)


def refused(name: str, *parts: str, logits=LOGITS, x=X, mask=MASK, **parameters: Any) -> None:
    """Both versions refuse, with a message that has all parts."""
    for version in ("as_published", "oracle"):
        with pytest.raises(ValueError) as caught:
            getattr(CONTRACTS[name], version)(logits, x, mask, **parameters)
        for part in parts:
            assert part in str(caught.value)


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"logits": X}, ("logits", "torch.int64", "bfloat16")),
        ({"logits": [[1.0]]}, ("logits", "[[1.0]]", "bfloat16")),
        ({"logits": LOGITS[0]}, ("logits", "(3, 5)", "(B, L, V)")),
        ({"logits": LOGITS[:, :0]}, ("logits", "(2, 0, 5)", "(B, L, V)")),
        ({"x": X[:1]}, ("x", "(1, 3)", "(2, 3)")),
        ({"x": X.int()}, ("x", "torch.int32", "torch.int64")),
        ({"x": X + 5}, ("x[0, 0]", "5", "V - 1 = 4")),
        ({"x": X - 1}, ("x[0, 0]", "-1", "V - 1 = 4")),
        ({"x": None}, ("x", "None", "(2, 3)")),
        ({"mask": MASK[:, :2]}, ("mask", "(2, 2)", "(2, 3)")),
        ({"mask": MASK.float()}, ("mask", "torch.float32", "torch.bool")),
        ({"mask": 5}, ("mask", "5", "0 to 4")),
        ({"mask": -1}, ("mask", "-1", "0 to 4")),
    ],
)
def test_step(given, parts):
    refused("llada_low_confidence", *parts, k=1, **given)


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_every_parameter(name):
    """Each of a contract's parameters is checked, the others being good."""
    good: dict[str, Any] = {
        "k": 1,
        "q": 1,
        "tau": 0.5,
        "edit_tau": 0.5,
        "factor": 1.0,
        "penalty": 0.5,
        "block_end": 2,
        "mask_id": 4,
        "prompt": MASK,
        "uniform": torch.zeros(2, 3),
    }
    bad: dict[str, list[tuple[Any, str]]] = {
        "k": [(-1, "-1"), (1.5, "1.5"), (True, "True"), ([1], "1 counts"), ([1, -2], "k[1] is -2")],
        "q": [
            (-1, "-1"),
            (None, "None"),
            (torch.ones(2), "torch.float32"),
            ([0, 1, 2], "3 counts"),
        ],
        "tau": [(math.nan, "nan"), ("0.5", "'0.5'"), (True, "True")],
        "edit_tau": [(math.nan, "nan")],
        "factor": [(math.nan, "nan"), (None, "None")],
        "penalty": [(math.nan, "nan")],
        "block_end": [(-1, "-1"), (4, "4"), (1.0, "1.0")],
        "mask_id": [(-1, "-1"), (5, "5")],
        "prompt": [(MASK[:1], "(1, 3)"), (X, "torch.int64")],
        "uniform": [(torch.ones(2, 3), "1.0"), (torch.zeros(2), "(2,)"), (X, "torch.int64")],
    }
    if name.startswith("llada_low"):
        del good["uniform"]
        bad["uniform"] = [(torch.zeros(2, 3), "given")]
    if name == "dream_maskgit_plus":  # one for all rows
        bad["k"] = [(-1, "-1"), ([1, 1], "[1, 1]")]
    if name != "fast_dllm_v1_quota":
        bad["k"].append((4, "4"))
    wanted = CONTRACTS[name].parameters
    right = {key: value for key, value in good.items() if key in wanted}
    CONTRACTS[name].oracle(LOGITS, X, MASK, **right)
    for key in wanted:
        for value, shown in bad.get(key, []):
            refused(name, key, shown, "expected", **{**right, key: value})


def test_temperature():
    name = "llada_low_confidence"
    uniform = torch.zeros(2, 3, 5, dtype=torch.float64)
    for value in (-1.0, math.nan, math.inf):
        refused(name, "temperature", str(value), k=1, temperature=value, uniform=uniform)
    refused(name, "uniform", "None", "a tensor", k=1, temperature=0.5)
    refused(name, "uniform", "float64", k=1, temperature=0.5, uniform=uniform.float())
    refused(name, "uniform", "nan", k=1, temperature=0.5, uniform=uniform * math.nan)


def test_end_tokens():
    name = "llada_low_confidence"
    refused(name, "eos_id", "126081", "0 to 4", k=1, logits_eos_inf=True)
    refused(name, "eot_id", "126348", "0 to 4", k=1, confidence_eos_eot_inf=True, eos_id=1)
