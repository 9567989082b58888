"""The parameters of a contract: read from a command line, checked, and drawn where not given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from unmask.spec.errors import UsageError
from unmask.spec.reference.rules import Shape, rule_of
from unmask.spec.reference.samplers import CONTRACTS

Values = dict[str, Any]  # name -> number, bool, list of integers, or array (B, L)

COUNTS = ("k", "q")  # integers of a step, or one for each batch row
POSITIONS = ("uniform", "prompt")  # arrays (B, L), never typed

# (generator, B, L, V) -> a value for a parameter that a contract needs and nobody gave.
_DEFAULTS: dict[str, Callable[[np.random.Generator, int, int, int], Any]] = {
    "k": lambda rng, batch, rows, vocabulary: max(rows // 4, 1),
    "q": lambda rng, batch, rows, vocabulary: 1,
    "tau": lambda rng, batch, rows, vocabulary: 0.5,
    "edit_tau": lambda rng, batch, rows, vocabulary: 0.5,
    "factor": lambda rng, batch, rows, vocabulary: 1.0,
    "mask_id": lambda rng, batch, rows, vocabulary: vocabulary - 1,
    "uniform": lambda rng, batch, rows, vocabulary: rng.random((batch, rows), np.float32),
    "prompt": lambda rng, batch, rows, vocabulary: rng.random((batch, rows)) < 0.25,
}


def contract_name(name: str) -> str:
    """A name of `CONTRACTS`.

    Raises:
        UsageError: with the names there are.
    """
    if name not in CONTRACTS:
        raise UsageError(f"contract {name!r}; there are {', '.join(CONTRACTS)}")
    return name


def parse(settings: Sequence[str]) -> Values:
    """`name=value` texts; a value is a number, true, false, or integers: 1,2 or [1,2].

    Raises:
        UsageError: on any other text.
    """
    found: Values = {}
    for text in settings:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"{text!r} is not name=value")
        found[name] = _value(name, value)
    return found


def _value(name: str, text: str) -> Any:
    try:
        listed = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        if listed is not text or "," in text:
            return [int(part) for part in listed.split(",")]
        if text in ("true", "false"):
            return text == "true"
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        raise UsageError(
            f"{name} is {text!r}; expected a number, true, false, or integers like 1,2"
        ) from None


def known(contract: str, names: Sequence[str]) -> None:
    """Raise a UsageError for a name that is no parameter of the contract, or cannot be given."""
    allowed = [name for name in CONTRACTS[contract].parameters if name not in POSITIONS]
    for name in names:
        if name not in allowed:
            raise UsageError(f"{name} cannot be set for {contract}; it has {', '.join(allowed)}")


def complete(
    contract: str, given: Mapping[str, Any], rng: np.random.Generator, shape: tuple[int, int, int]
) -> Values:
    """What is given, and a value for each other parameter that the contract needs.

    Args:
        contract: a name of `CONTRACTS`.
        given: by name.
        rng: draws the arrays.
        shape: B, L, V.
    """
    needed = CONTRACTS[contract].required
    return {
        **{name: _DEFAULTS[name](rng, *shape) for name in needed if name not in given},
        **given,
    }


def checked(contract: str, values: Mapping[str, Any], shape: tuple[int, int, int]) -> None:
    """Raise a UsageError if a contract does not take these parameters with steps of this shape."""
    try:
        rule_of(contract, Shape(*shape), **tensors(values))
    except ValueError as error:
        raise UsageError(str(error)) from None


def tensors(values: Mapping[str, Any]) -> Values:
    """The parameters as a sampler takes them: arrays as tensors."""
    import torch

    return {
        name: torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }


def text_of(values: Mapping[str, Any]) -> str:
    """For a person: `k = 3, tau = 0.5`."""
    return ", ".join(f"{name} = {_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    return json.dumps(value.tolist() if isinstance(value, np.ndarray) else value)
