"""`pack` and `unpack`: logits to an HBM image and back."""

from __future__ import annotations

import argparse
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec.assembly.expressions import NAME
from unmask.spec.commands.files import (
    beside,
    check_files,
    first_line,
    read_bytes,
    read_npy,
    write_array,
    write_whole,
)
from unmask.spec.commands.options import file_path, number
from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError
from unmask.spec.formats import to_float
from unmask.spec.pack import Shape, pack, to_codes, unpack
from unmask.spec.state import Config

if TYPE_CHECKING:
    from unmask.spec.commands.options import Commands


def pack_logits(arguments: argparse.Namespace) -> int:
    path = arguments.logits
    output = arguments.output or beside(path, ".bin")
    check_files([path], [output] if arguments.include is None else [output, arguments.include])
    logits = read_torch(path) if path.suffix in (".pt", ".pth") else read_npy(path)
    try:
        if logits.ndim == 0 or logits.size == 0:
            raise UsageError(f"an array of shape {logits.shape}; expected (..., V), not empty")
        codes, rounded = to_codes(logits.reshape(-1, logits.shape[-1]))
        packed = pack(codes, arguments.format, arguments.beat_bytes)
    except UsageError as error:
        raise UsageError(str(error), str(path)) from None
    write_whole(output, packed.image.tobytes())
    shape = packed.shape
    if arguments.include is not None:
        write_whole(arguments.include, shape.equates(arguments.prefix).encode())
    print(f"{output}: {shape.rows} rows of {shape.vocabulary} in {shape.form}, {shape.size} bytes")
    print(f"pitch {shape.pitch} elements, scales at byte {shape.scale}")
    print(f"{rounded} of {codes.size} elements were not exactly BF16")
    if shape.layout.element is not None:
        print(f"{packed.changed} of {codes.size} changed by quantisation")
    if packed.lost:
        print(f"{packed.lost} of these were infinities, and are NaN: {shape.form} has no infinity")
    return 0


def unpack_logits(arguments: argparse.Namespace) -> int:
    path = arguments.image
    output = arguments.output or beside(path, ".npy")
    check_files([path], [output])
    shape = Shape(arguments.format, arguments.rows, arguments.vocabulary, arguments.beat_bytes)
    image = np.frombuffer(read_bytes(path), np.uint8)
    try:
        codes = unpack(image, shape)
    except UsageError as error:
        raise UsageError(str(error), str(path)) from None
    write_array(output, to_float(codes))
    print(f"{output}: float32, shape {codes.shape}")
    return 0


def read_torch(path: Path) -> NDArray[Any]:
    """The tensor of a .pt file; one of bfloat16 as its codes."""
    try:
        import torch
    except ImportError:
        raise UsageError("a .pt file needs PyTorch; or save a .npy", str(path)) from None
    usable = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint16)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of kinds of tensors that are refused below
            tensor = torch.load(path, map_location="cpu", weights_only=True)
            kind = _kind(tensor)
            if kind:
                raise UsageError(f"holds a {kind}; expected one dense tensor", str(path))
            if tensor.dtype not in usable:
                raise UsageError(
                    f"elements of type {tensor.dtype}; expected float16, bfloat16, float32, "
                    "float64, or BF16 codes as uint16",
                    str(path),
                )
            tensor = tensor.detach().resolve_conj().resolve_neg().contiguous()
            if tensor.dtype is torch.bfloat16:
                return np.asarray(tensor.view(torch.int16).numpy().view(np.uint16))
            return np.asarray(tensor.numpy())
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror or first_line(error)}", str(path)) from None
    except Exception as error:  # of many types, none of which torch documents
        raise UsageError(f"no tensor of PyTorch: {first_line(error)}", str(path)) from None


def _kind(tensor: Any) -> str:
    """What a .pt file holds instead of a dense tensor with its values in memory, else nothing."""
    import torch

    if not isinstance(tensor, torch.Tensor):
        return type(tensor).__name__
    for kind in ("nested", "quantized", "meta"):
        if getattr(tensor, f"is_{kind}"):
            return f"{kind} tensor"
    return "" if tensor.layout is torch.strided else f"tensor of layout {tensor.layout}"


def prefix(text: str) -> str:
    """What the names of an include file begin with."""
    if not re.fullmatch(NAME, text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name: letters, digits and _ are expected")
    return text


def _add_layout(command: argparse.ArgumentParser) -> None:
    command.add_argument("--format", choices=tuple(FORMATS), default="BF16", metavar="FORMAT")
    command.add_argument(
        "--beat-bytes",
        type=number,
        default=Config.beat_bytes,
        metavar="N",
        help="rows begin on whole beats (default %(default)s)",
    )


def add(commands: Commands) -> None:
    formats = ", ".join(FORMATS)
    command = commands.add_parser(
        "pack",
        help="logits to an image of HBM",
        description=f"Logits to an image of HBM. Formats: {formats}.",
    )
    command.add_argument("logits", type=file_path, help="shape (..., V): .npy, or .pt of PyTorch")
    command.add_argument("-o", "--output", type=file_path, help="default: the logits' name, .bin")
    command.add_argument(
        "--include",
        type=file_path,
        metavar="FILE",
        help="write the layout as .equ lines for a program",
    )
    command.add_argument("--prefix", type=prefix, default="LOGITS", help="of the names in it")
    _add_layout(command)
    command.set_defaults(call=pack_logits)
    command = commands.add_parser(
        "unpack",
        help="an image of HBM to float32 logits",
        description=f"An image of HBM to float32 logits. Formats: {formats}.",
    )
    command.add_argument("image", type=file_path)
    command.add_argument("-o", "--output", type=file_path, help="default: the image's name, .npy")
    command.add_argument("--rows", type=number, required=True, metavar="N")
    command.add_argument("--vocabulary", type=number, required=True, metavar="N")
    _add_layout(command)
    command.set_defaults(call=unpack_logits)
