"""`certify`: what is proven of the tokens that logits lead to. Needs PyTorch."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec.commands import report
from unmask.spec.commands.files import check_files, first_line, read_npy, write_whole
from unmask.spec.commands.logits import read_torch
from unmask.spec.commands.options import file_path, number
from unmask.spec.commands.progress import watched
from unmask.spec.errors import UsageError
from unmask.spec.pack import to_codes

if TYPE_CHECKING:
    from unmask.spec.certificates.certificate import Certificate
    from unmask.spec.commands.options import Commands

BY_COUNT, BY_THRESHOLD = "llada_low_confidence_fp64", "fast_dllm_v1_threshold"
SHAPES = "(V), (L, V), (B, L, V) or (T, B, L, V)"


def certify(arguments: argparse.Namespace) -> int:
    path = arguments.logits
    check_files([path], [arguments.json] if arguments.json else [])
    try:
        from unmask.spec.reference.samplers import CONTRACTS
    except ModuleNotFoundError as error:
        raise UsageError(f"certify needs the package {error.name}") from None
    slab = _slab(_read(path, arguments.tensor), path, arguments.steps)
    contract = arguments.contract or (BY_COUNT if arguments.tau is None else BY_THRESHOLD)
    if contract not in CONTRACTS:
        raise UsageError(f"--contract {contract}: expected one of {', '.join(CONTRACTS)}")
    parameters = _parameters(arguments, CONTRACTS[contract].required)
    steps = list(watched(_certificates(arguments, slab, contract, parameters), True, noun="steps"))
    report.show(steps, path, slab.shape, contract, parameters)
    if arguments.json:
        text = json.dumps(report.facts(steps, path, contract), indent=1, allow_nan=False)
        write_whole(arguments.json, text.encode())
        print(f"{arguments.json}: all positions")
    rows = [row for step in steps for row in step.rows]
    share = sum(not row.certified for row in rows) / len(rows)
    if arguments.rate is not None and share > arguments.rate:
        print(f"{share:.2%} of the sets are not certified, more than --rate {arguments.rate:g}")
        return 1
    return 1 if any(row.refused for row in rows) else 0


def _certificates(
    arguments: argparse.Namespace,
    slab: NDArray[Any],
    contract: str,
    parameters: dict[str, Any],
) -> Iterator[Certificate]:
    """One for each step."""
    from unmask.spec.certificates.certificate import certify as certified

    ids = _like(arguments.ids, slab.shape[:3], "iu")
    mask = _like(arguments.mask, slab.shape[:3], "b")
    if arguments.mask_id is not None and ids is None:
        raise UsageError("--mask-id says which ids are masked, expected --ids")
    if arguments.mask_id is not None and mask is not None:
        raise UsageError("--mask and --mask-id are given, expected one of them")
    _check(arguments, slab.shape, contract, parameters)
    for step, logits in enumerate(slab):
        given = arguments.mask_id if mask is None else mask[step]
        x = None if ids is None else ids[step].astype(np.int64)
        if x is not None and given is None:
            given = np.ones(x.shape, np.bool_)
        try:
            yield certified(
                logits,
                x,
                given,
                contract,
                exact="all" if arguments.exact else "open",
                chain=arguments.chain,
                **parameters,
            )
        except ValueError as error:
            of_ids = re.match(r"x\[", str(error)) is not None
            where = arguments.ids if of_ids else arguments.logits
            raise UsageError(f"step {step}: {error}", str(where)) from None


def _check(
    arguments: argparse.Namespace, shape: Sequence[int], contract: str, parameters: dict[str, Any]
) -> None:
    """Refuse options that are wrong whatever the file holds, so that it is not blamed."""
    from unmask.spec.reference import check
    from unmask.spec.reference.rules import Shape, rule_of

    try:
        if arguments.chain is not None:
            check.natural("--chain", arguments.chain, 1)
        if arguments.mask_id is not None:
            check.token_id("--mask-id", arguments.mask_id, shape[-1])
        _, batch, length, vocabulary = shape
        rule_of(contract, Shape(batch, length, vocabulary), **parameters)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _read(path: Path, tensor: str | None) -> NDArray[Any]:
    if path.suffix == ".safetensors":
        return read_safetensors(path, tensor)
    if tensor is not None:
        raise UsageError(f"--tensor {tensor} is for .safetensors, this is another", str(path))
    return read_torch(path) if path.suffix in (".pt", ".pth") else read_npy(path)


def read_safetensors(path: Path, name: str | None) -> NDArray[Any]:
    """A tensor of a .safetensors file, the only one if it is not named; bfloat16 as its codes."""
    try:
        import torch
        from safetensors import safe_open
    except ModuleNotFoundError as error:
        raise UsageError(f"a .safetensors file needs the package {error.name}", str(path)) from None
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            if name is None and len(names) != 1:
                raise UsageError(f"holds {_names(names)}; name one by --tensor", str(path))
            if name is not None and name not in names:
                raise UsageError(f"holds no tensor {name}, but {_names(names)}", str(path))
            tensor = file.get_tensor(names[0] if name is None else name)
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror or first_line(error)}", str(path)) from None
    except Exception as error:  # of many types, none of which safetensors documents
        raise UsageError(f"no .safetensors file: {first_line(error)}", str(path)) from None
    if tensor.dtype is torch.bfloat16:
        return np.asarray(tensor.view(torch.int16).numpy().view(np.uint16))
    try:
        return np.asarray(tensor.numpy())
    except TypeError:
        raise UsageError(f"elements of type {tensor.dtype}", str(path)) from None


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"{len(names)} tensors: {shown}" if names else "no tensor"


def _slab(array: NDArray[Any], path: Path, steps: bool) -> NDArray[Any]:
    """Logits (T, B, L, V), checked."""
    if not 1 <= array.ndim <= 4 or array.size == 0:
        raise UsageError(f"an array of shape {array.shape}; expected {SHAPES}, none 0", str(path))
    if array.shape[-1] > 1 << 18:
        raise UsageError(f"V is {array.shape[-1]}, expected at most 2**18 = {1 << 18}", str(path))
    if steps and array.ndim == 3:
        array = array[:, None]
    try:
        to_codes(array.reshape(-1)[:0])  # whether the elements are logits at all
    except UsageError as error:
        raise UsageError(str(error), str(path)) from None
    return array.reshape((1,) * (4 - array.ndim) + array.shape)


def _like(path: Path | None, shape: tuple[int, ...], kinds: str) -> NDArray[Any] | None:
    """Ids or a mask, (T, B, L); dimensions of size 1 may be left out in front."""
    if path is None:
        return None
    array = read_npy(path)
    if array.dtype.kind not in kinds:
        wanted = "bool" if kinds == "b" else "integers"
        raise UsageError(f"elements of type {array.dtype}; expected {wanted}", str(path))
    squeezed = [size for size in shape if size != 1]
    if [size for size in array.shape if size != 1] != squeezed:
        raise UsageError(f"shape {array.shape}; expected (T, B, L) = {shape}", str(path))
    return array.reshape(shape)


def _parameters(arguments: argparse.Namespace, required: Sequence[str]) -> dict[str, Any]:
    """The contract's, from --k, --tau and --set; the mask id is that of --mask-id."""
    named = (("k", arguments.k), ("tau", arguments.tau))
    found: dict[str, Any] = {}
    for name, value in (*(arguments.set or ()), *(x for x in named if x[1] is not None)):
        if name in found:
            raise UsageError(f"{name} is given twice: {found[name]} and {value}")
        found[name] = value
    if "mask_id" in required and arguments.mask_id is not None:
        found.setdefault("mask_id", arguments.mask_id)
    return found


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE: a number, true, false, a list of numbers, or @FILE.npy for an array."""
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    if value.startswith("@"):
        import torch

        return name, torch.as_tensor(read_npy(file_path(value[1:])))
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: the value is no number, true, false, list, or @FILE.npy"
        ) from None


def real(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def share(text: str) -> float:
    value = real(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 1")
    return value


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "certify",
        help="what is proven of the tokens that logits lead to",
        description="What is proven of the tokens that logits lead to: equal to exact arithmetic, "
        "or inside the margin; equal to PyTorch. Exit code 1: a set is not admissible, or "
        "--rate is exceeded.",
    )
    command.add_argument("logits", type=file_path, help=f"{SHAPES}: .npy, .pt or .safetensors")
    command.add_argument("--tensor", metavar="NAME", help="which one of a .safetensors file")
    command.add_argument("--steps", action="store_true", help="three sizes are (T, L, V)")
    command.add_argument(
        "--contract", metavar="NAME", help=f"default {BY_COUNT}, with --tau {BY_THRESHOLD}"
    )
    command.add_argument("--k", type=number, metavar="N", help="positions a step transfers")
    command.add_argument("--tau", type=real, metavar="X", help="threshold on confidences")
    command.add_argument(
        "--set", type=setting, action="append", metavar="NAME=VALUE", help="another parameter"
    )
    command.add_argument("--ids", type=file_path, metavar="FILE", help=".npy, (T, B, L)")
    command.add_argument("--mask", type=file_path, metavar="FILE", help=".npy of bool, (T, B, L)")
    command.add_argument("--mask-id", type=number, metavar="N", help="the id that is masked")
    command.add_argument(
        "--exact", action="store_true", help="exact arithmetic for certified sets, too"
    )
    command.add_argument(
        "--chain",
        type=number,
        metavar="N",
        help="additions that a term of PyTorch's sum goes through (default: V - 1, any order)",
    )
    command.add_argument("--json", type=file_path, metavar="FILE", help="write all positions")
    command.add_argument(
        "--rate", type=share, metavar="X", help="exit 1 if a greater share is not certified"
    )
    command.set_defaults(call=certify)
